//! The parameters in a path.

use crate::failure::Failure;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use powerloom_core::invalid::Invalid;
use serde::de::DeserializeOwned;

/// The parameters in the path, read as `T`.
#[derive(Debug)]
pub(crate) struct At<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(rejection) => {
                let cause = powerloom_core::invalid::shown(&rejection.body_text());
                Err(Invalid::hidden("path", format!("ids of the right form: {cause}")).into())
            }
        }
    }
}
