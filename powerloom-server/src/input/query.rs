//! The query of a request.

use crate::failure::Failure;
use crate::input::said;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use powerloom_core::invalid::{Invalid, shown};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::error::Error;

/// The query, read as `T`; parameters that `T` does not know are refused if it says so.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

/// No parameter at all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(refused(&rejection).into()),
        }
    }
}

/// Which parameter, and why.
fn refused(rejection: &QueryRejection) -> Invalid {
    let mut cause: Option<&(dyn Error + 'static)> = Some(rejection);
    while let Some(error) = cause {
        if let Some(located) = error.downcast_ref::<serde_path_to_error::Error<serde::de::value::Error>>() {
            let path = located.path().to_string();
            let field = if path == "." { "query".to_owned() } else { shown(&path) };
            return Invalid::hidden(
                field,
                format!("known parameters of the right form: {}", said(located.inner())),
            );
        }
        cause = error.source();
    }
    Invalid::hidden("query", format!("known parameters of the right form: {}", said(&rejection.body_text())))
}
