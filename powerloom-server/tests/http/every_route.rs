//! What holds over all routes at once. Each operation of the OpenAPI document has a row in [`rows`], and is asked as everybody
//! who is not meant, and as somebody who is. Whoever adds a route adds a row, or a test fails.

mod administrator;
mod anonymous;
mod complete;
mod foreign;
mod forge;
mod forged;
mod house;
mod roleless;
mod rows;
