//! The query of a request.

use crate::failure::Failure;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use powerloom_core::invalid::Invalid;
use serde::de::DeserializeOwned;
use std::error::Error as _;

/// The query, read as `T`; parameters that `T` does not know are refused if it says so.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => {
                let cause = rejection.source().map_or_else(|| rejection.body_text(), ToString::to_string);
                Err(Invalid::hidden("query", format!("known parameters of the right form: {cause}")).into())
            }
        }
    }
}
