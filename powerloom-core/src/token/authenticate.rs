//! From a bearer to a caller.

use crate::door::caller::Caller;
use crate::error::{Error, Result};
use crate::token::claims::TokenType;
use crate::token::compact::Compact;
use crate::token::error::TokenError;
use crate::token::service::TokenService;
use crate::token::verify::MAX_TOKEN_LEN;
use serde_json::Value;

impl TokenService {
    /// Who presents this bearer: an API token, an access token or a delegated one, told apart by their form. A ticket, an
    /// exchanged token and a delegation token are none of these.
    ///
    /// Everything is decided live: what was withdrawn a moment ago does not pass (row M11).
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], whose text is the same whatever was wrong; the reason is its source and in the log.
    /// The store's, if it cannot be asked.
    pub async fn authenticate(&self, bearer: &str) -> Result<Caller> {
        let caller = match form(bearer) {
            Ok(Form::Api) => self.verify_api_token(bearer).await,
            Ok(Form::Signed(TokenType::Access)) => self.verify_access(bearer).await,
            Ok(Form::Signed(TokenType::Delegated)) => self.verify_delegated(bearer).await,
            Ok(Form::Signed(TokenType::Exchanged | TokenType::Delegation)) => {
                Err(TokenError::NotAccepted.into())
            }
            Err(error) => Err(error.into()),
        };
        if let Err(Error::Unauthenticated(reason)) = &caller {
            tracing::info!(code = reason.code(), %reason, "a token was refused");
        }
        caller
    }
}

/// What a bearer looks like.
enum Form {
    Api,
    Signed(TokenType),
}

/// Tells the forms apart. Nothing is believed by it: it only says which verification the token must pass.
fn form(bearer: &str) -> std::result::Result<Form, TokenError> {
    if bearer.len() > MAX_TOKEN_LEN {
        return Err(TokenError::TooLong);
    }
    if bearer.starts_with("pat_") {
        return Ok(Form::Api);
    }
    if !bearer.contains('.') {
        return Err(TokenError::UnknownForm);
    }
    let token = Compact::parse(bearer, MAX_TOKEN_LEN)?;
    let typ = token.header.get("typ").and_then(Value::as_str);
    let found = TokenType::ALL.into_iter().find(|known| typ == Some(known.typ()));
    found.map(Form::Signed).ok_or(TokenError::WrongType)
}
