//! Questions about speed, each next to the limit of the machine.

pub mod ratio;
