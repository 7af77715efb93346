//! What a failed call of the service means to whoever asked the runtime.

use crate::cma::error::{Cause, CmaError};
use crate::cma::error_class::ErrorClass;
use powerloom_core::runtime::{RuntimeError, RuntimeErrorClass};

/// The failure of `operation`, a verb phrase such as `create an agent` (sem. 2.4).
///
/// A 409 is a conflict: somebody else changed the object first. A 404 is permanent here; where it says that the
/// object itself is not there, [`gone`] or [`refused`] says so.
pub(crate) fn failed(operation: &str, error: CmaError) -> RuntimeError {
    let class = match (error.status(), error.class()) {
        (Some(409), ErrorClass::Transient) => RuntimeErrorClass::Conflict,
        // A 429 that names no wait.
        (Some(429), ErrorClass::Transient) => RuntimeErrorClass::RateLimited { retry_after: None },
        (_, ErrorClass::Transient) => RuntimeErrorClass::Transient,
        (_, ErrorClass::RateLimited { retry_after }) => {
            RuntimeErrorClass::RateLimited { retry_after: Some(retry_after) }
        }
        (_, ErrorClass::Permanent) => RuntimeErrorClass::Permanent,
        (_, ErrorClass::AuthFailed) => RuntimeErrorClass::AuthFailed,
    };
    of_class(operation, error, class)
}

/// The failure of `operation` on an object that is not there any more.
pub(crate) fn gone(operation: &str, error: CmaError) -> RuntimeError {
    of_class(operation, error, RuntimeErrorClass::Gone)
}

/// The failure of a call that works on the one object of its path: a 404 says that this object is gone.
pub(crate) fn on_object(operation: &str, error: CmaError) -> RuntimeError {
    if error.is_not_found() { gone(operation, error) } else { failed(operation, error) }
}

/// The failure of a create, which refers to other objects: a 404 says that one of those is gone. The sweep will see
/// that and put it back, so this may pass by itself.
pub(crate) fn created(operation: &str, error: CmaError) -> RuntimeError {
    if error.is_not_found() {
        return of_class(operation, error, RuntimeErrorClass::Transient);
    }
    failed(operation, error)
}

/// The failure of an update. `live` reads the object anew: a refusal (400, 404, 409) of one that is archived or not
/// there means that it is gone; a 404 on one that is there means that something it refers to is.
pub(crate) async fn refused(
    operation: &str,
    error: CmaError,
    live: impl Future<Output = Result<bool, CmaError>>,
) -> RuntimeError {
    if !matches!(error.status(), Some(400 | 404 | 409)) {
        return failed(operation, error);
    }
    match live.await {
        Ok(true) => created(operation, error),
        Ok(false) => gone(operation, error),
        Err(read) if read.is_not_found() => gone(operation, error),
        Err(_) => failed(operation, error),
    }
}

/// `None` in place of the error that says that an object is not there.
pub(crate) fn found<T>(read: Result<T, CmaError>) -> Result<Option<T>, CmaError> {
    match read {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// What came of an archival: an object that is not there, or that `live` says is archived, is as it should be.
pub(crate) async fn removed<T>(
    operation: &str,
    archival: Result<T, CmaError>,
    live: impl Future<Output = Result<bool, CmaError>>,
) -> Result<(), RuntimeError> {
    let Err(error) = archival else { return Ok(()) };
    if error.is_not_found() {
        return Ok(());
    }
    let error = refused(operation, error, live).await;
    if error.class == RuntimeErrorClass::Gone { Ok(()) } else { Err(error) }
}

/// A refusal of our own: nothing was sent.
pub(crate) fn not_sent(operation: &str, why: impl Into<String>, class: RuntimeErrorClass) -> RuntimeError {
    RuntimeError::new(operation, why, class)
}

fn of_class(operation: &str, error: CmaError, class: RuntimeErrorClass) -> RuntimeError {
    let made = RuntimeError::new(operation, error.to_string(), class).maybe_applied(error.maybe_applied());
    match cause(error) {
        Some(cause) => made.caused_by(cause),
        None => made,
    }
}

/// What lies below the message; the service's own answer is the message.
fn cause(error: CmaError) -> Option<Cause> {
    match error {
        CmaError::Setup { source }
        | CmaError::Connect { source }
        | CmaError::Cut { source, .. }
        | CmaError::Decode { source, .. } => Some(source),
        CmaError::Invalid(_) | CmaError::Timeout { .. } | CmaError::Api(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cma::api_error::ApiError;
    use crate::cma::secret::Secret;
    use powerloom_core::clock::Timestamp;
    use std::time::Duration;

    fn answer(status: u16, retry_after: Option<&'static str>) -> CmaError {
        let headers = retry_after.map(|wait| (reqwest::header::RETRY_AFTER, wait.parse().unwrap()));
        let headers = headers.into_iter().collect();
        let now = Timestamp::from_micros(0);
        ApiError::from_answer(status, &headers, b"", now, &Secret::new("k"), true).into()
    }

    /// Sem. 2.4, row "Permanent failures park quickly".
    #[test]
    fn each_answer_of_the_service_has_its_class() {
        use RuntimeErrorClass::*;
        for (status, class) in [
            (400, Permanent),
            (404, Permanent),
            (413, Permanent),
            (422, Permanent),
            (401, AuthFailed),
            (403, AuthFailed),
            (408, Transient),
            (425, Transient),
            (500, Transient),
            (529, Transient),
            (409, Conflict),
            (429, RateLimited { retry_after: None }),
        ] {
            assert_eq!(failed("try", answer(status, None)).class, class, "{status}");
        }
        let limited = failed("try", answer(429, Some("7")));
        assert_eq!(limited.class, RateLimited { retry_after: Some(Duration::from_secs(7)) });
    }

    #[tokio::test]
    async fn a_refused_update_of_an_archived_object_says_that_it_is_gone() {
        use RuntimeErrorClass::*;
        let class = async |status, live: Result<bool, CmaError>| {
            refused("try", answer(status, None), async { live }).await.class
        };
        assert_eq!(class(400, Ok(false)).await, Gone);
        assert_eq!(class(400, Ok(true)).await, Permanent);
        assert_eq!(class(404, Err(answer(404, None))).await, Gone);
        assert_eq!(class(404, Ok(true)).await, Transient, "something it refers to is gone");
        assert_eq!(class(409, Ok(true)).await, Conflict);
        assert_eq!(class(500, Ok(false)).await, Transient);
        assert!(removed("try", Err::<(), _>(answer(400, None)), async { Ok(false) }).await.is_ok());
        assert!(removed("try", Err::<(), _>(answer(400, None)), async { Ok(true) }).await.is_err());
    }

    #[test]
    fn doubt_about_the_effect_is_passed_on() {
        assert!(failed("create an agent", answer(504, None)).maybe_applied);
        assert!(!failed("create an agent", answer(400, None)).maybe_applied);
    }
}
