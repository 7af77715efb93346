//! The request for an exchange, as its form says (RFC 8693, 2.1).

use crate::token::exchange::error::ExchangeError;
use std::fmt;

/// The grant type.
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// An access token, or one to be exchanged: what is given and taken here.
pub const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
/// The same said by its form.
pub const JWT_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:jwt";

/// A request. `Debug` shows no token.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExchangeRequest {
    /// The delegation token.
    pub subject_token: String,
    /// The assertion of whoever redeems it.
    pub actor_token: String,
    /// For whom the result is: a resource, or [`DELEGATION_AUDIENCE`](super::DELEGATION_AUDIENCE).
    pub audience: String,
    /// The scopes that are wanted, separated by spaces.
    pub scope: String,
}

impl ExchangeRequest {
    /// These tokens, for this audience and scope.
    pub fn new(
        subject_token: impl Into<String>,
        actor_token: impl Into<String>,
        audience: impl Into<String>,
        scope: impl Into<String>,
    ) -> Self {
        Self {
            subject_token: subject_token.into(),
            actor_token: actor_token.into(),
            audience: audience.into(),
            scope: scope.into(),
        }
    }

    /// Reads the parameters of a form. One that is not known is not looked at, as RFC 6749, 3.2 asks for: nothing a
    /// client says of user, tenant or parent counts.
    ///
    /// # Errors
    /// [`ExchangeError`] for a grant or token type that is not served, and for a parameter that is not there exactly once.
    pub fn from_form<'f>(
        parameters: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> Result<Self, ExchangeError> {
        let mut form = Form::default();
        for (name, value) in parameters {
            form.take(name, value)?;
        }
        if form.required("grant_type")? != GRANT_TYPE {
            return Err(ExchangeError::GrantType);
        }
        for (parameter, needed) in
            [("subject_token_type", true), ("actor_token_type", true), ("requested_token_type", false)]
        {
            match form.get(parameter) {
                Some(ACCESS_TOKEN_TYPE | JWT_TOKEN_TYPE) => {}
                None if !needed => {}
                _ => {
                    let expected = "the URN of an access token or JWT";
                    return Err(ExchangeError::Request { parameter, expected });
                }
            }
        }
        if form.get("resource").is_some() {
            return Err(ExchangeError::Target);
        }
        Ok(Self::new(
            form.required("subject_token")?,
            form.required("actor_token")?,
            form.required("audience")?,
            form.get("scope").unwrap_or_default(),
        ))
    }
}

impl fmt::Debug for ExchangeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExchangeRequest")
            .field("audience", &self.audience)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// The parameters that are looked at.
const KNOWN: [&str; 9] = [
    "grant_type",
    "subject_token",
    "subject_token_type",
    "actor_token",
    "actor_token_type",
    "requested_token_type",
    "audience",
    "resource",
    "scope",
];

#[derive(Debug, Default)]
struct Form<'f>(Vec<(&'static str, &'f str)>);

impl<'f> Form<'f> {
    fn take(&mut self, name: &str, value: &'f str) -> Result<(), ExchangeError> {
        let Some(parameter) = KNOWN.iter().copied().find(|known| *known == name) else { return Ok(()) };
        if self.get(parameter).is_some() {
            return Err(ExchangeError::Request { parameter, expected: "it once" });
        }
        // One without a value counts as absent (RFC 6749, 3.2).
        if !value.is_empty() {
            self.0.push((parameter, value));
        }
        Ok(())
    }

    fn get(&self, parameter: &str) -> Option<&'f str> {
        self.0.iter().find(|(name, _)| *name == parameter).map(|(_, value)| *value)
    }

    fn required(&self, parameter: &'static str) -> Result<&'f str, ExchangeError> {
        self.get(parameter).ok_or(ExchangeError::Request { parameter, expected: "a value: it is required" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form<'f>(change: &[(&'f str, Option<&'f str>)]) -> Result<ExchangeRequest, ExchangeError> {
        let mut form = vec![
            ("grant_type", GRANT_TYPE),
            ("subject_token", "s"),
            ("subject_token_type", ACCESS_TOKEN_TYPE),
            ("actor_token", "a"),
            ("actor_token_type", JWT_TOKEN_TYPE),
            ("audience", "crm"),
            ("scope", "read"),
        ];
        for (name, value) in change {
            form.retain(|(known, _)| known != name);
            form.extend(value.map(|value| (*name, value)));
        }
        ExchangeRequest::from_form(form)
    }

    fn code(change: &[(&str, Option<&str>)]) -> &'static str {
        form(change).unwrap_err().code()
    }

    /// Reliability T5: each its code.
    #[test]
    fn a_form_that_asks_for_something_else_is_refused_by_its_code() {
        let id_token = Some("urn:ietf:params:oauth:token-type:id_token");
        assert_eq!(form(&[]).unwrap(), ExchangeRequest::new("s", "a", "crm", "read"));
        assert_eq!(code(&[("grant_type", Some("client_credentials"))]), "unsupported_grant_type");
        for name in ["grant_type", "subject_token", "actor_token", "audience"] {
            assert_eq!(code(&[(name, None)]), "invalid_request", "{name}");
            assert_eq!(code(&[(name, Some(""))]), "invalid_request", "{name}");
        }
        for name in ["subject_token_type", "actor_token_type", "requested_token_type"] {
            assert_eq!(code(&[(name, id_token)]), "invalid_request", "{name}");
        }
        assert_eq!(code(&[("subject_token_type", None)]), "invalid_request");
        assert_eq!(code(&[("resource", Some("https://crm.acme.com"))]), "invalid_target");
        let twice = ExchangeRequest::from_form([("scope", "read"), ("scope", "write")]);
        assert_eq!(twice.unwrap_err().code(), "invalid_request");
    }

    /// Vector 4.10.
    #[test]
    fn what_a_form_says_of_user_or_tenant_is_not_looked_at() {
        let said = form(&[("user_id", Some("grace")), ("tenant", Some("other")), ("parent_id", Some("p"))]);
        assert_eq!(said.unwrap(), form(&[]).unwrap());
    }

    #[test]
    fn debug_shows_no_token() {
        let shown = format!("{:?}", ExchangeRequest::new("hush-s", "hush-a", "crm", "read"));
        assert!(!shown.contains("hush"), "{shown}");
    }
}
