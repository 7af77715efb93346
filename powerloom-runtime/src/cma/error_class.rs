//! The few classes of failure that differ in what to do next.

use std::time::Duration;

/// What the caller of a failed call can do.
///
/// | what happened | class |
/// |---|---|
/// | no connection, time limit, cut, unreadable answer | transient |
/// | 408, 409, 425, 5xx; 429 that names no wait | transient |
/// | 429 that names a wait | rate limited |
/// | 401, 402, 403; 400 that says the organization is on hold or not admitted | authentication |
/// | every other status, input refused here, a client that cannot be set up | permanent |
///
/// `x-should-retry: true` makes a permanent answer transient, and `false` a transient one permanent, except a 409:
/// the same bytes will not do, but a fresh read may, and each attempt of a reconciler begins with one. 402 counts as
/// authentication because it fails every call of the key alike, until a person acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a new class must make its callers decide what to do")]
pub enum ErrorClass {
    /// It may work later.
    Transient,
    /// It may work once `retry_after` has passed.
    RateLimited {
        /// How long the service asks to wait.
        retry_after: Duration,
    },
    /// It will not work unchanged.
    Permanent,
    /// Nothing will work with this key until a person acts.
    AuthFailed,
}
