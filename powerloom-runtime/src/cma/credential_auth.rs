//! What a credential opens, and its secrets on their way in.

use crate::cma::moment;
use crate::cma::patch::Patch;
use crate::cma::secret::Secret;
use powerloom_core::clock::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The secret of a new credential, and what it opens. A session finds it by the server's URL, not by a name.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum NewAuth {
    /// A bearer token for an MCP server.
    StaticBearer {
        /// The server.
        mcp_server_url: String,
        /// The token.
        #[serde(serialize_with = "Secret::send")]
        token: Secret,
    },
    /// An OAuth token for an MCP server.
    McpOauth {
        /// The server.
        mcp_server_url: String,
        /// The token.
        #[serde(serialize_with = "Secret::send")]
        access_token: Secret,
        /// Until when it is good; in the future.
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "moment::send_some")]
        expires_at: Option<Timestamp>,
        /// How the service fetches the next one.
        #[serde(skip_serializing_if = "Option::is_none")]
        refresh: Option<NewRefresh>,
    },
    /// A value sandboxes see a placeholder for.
    EnvironmentVariable {
        /// The name of the variable.
        secret_name: String,
        /// The value.
        #[serde(serialize_with = "Secret::send")]
        secret_value: Secret,
        /// Where it may be sent: `{"type":"unrestricted"}` or `{"type":"limited","allowed_hosts":[…]}`.
        networking: Value,
        /// In what of a request it is put; the service's default is everywhere.
        #[serde(skip_serializing_if = "Option::is_none")]
        injection_location: Option<InjectionLocation>,
    },
}

/// How the service fetches the next access token.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct NewRefresh {
    /// Where.
    pub token_endpoint: String,
    /// As which client.
    pub client_id: String,
    /// With what.
    #[serde(serialize_with = "Secret::send")]
    pub refresh_token: Secret,
    /// How the client says who it is.
    pub token_endpoint_auth: TokenEndpointAuth,
    /// For what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// For which resource (RFC 8707).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

impl NewRefresh {
    /// A refresh without scope and resource.
    pub fn new(
        token_endpoint: impl Into<String>,
        client_id: impl Into<String>,
        refresh_token: impl Into<Secret>,
        token_endpoint_auth: TokenEndpointAuth,
    ) -> Self {
        Self {
            token_endpoint: token_endpoint.into(),
            client_id: client_id.into(),
            refresh_token: refresh_token.into(),
            token_endpoint_auth,
            scope: None,
            resource: None,
        }
    }
}

/// How a client says who it is at a token endpoint (RFC 6749, 2.3).
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum TokenEndpointAuth {
    /// It does not.
    None,
    /// By a password in a header.
    ClientSecretBasic {
        /// The password.
        #[serde(serialize_with = "Secret::send")]
        client_secret: Secret,
    },
    /// By a password in the body.
    ClientSecretPost {
        /// The password.
        #[serde(serialize_with = "Secret::send")]
        client_secret: Secret,
    },
}

/// In what of a request the value of a variable is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InjectionLocation {
    /// In headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// In bodies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<bool>,
}

impl InjectionLocation {
    /// In headers, in bodies; the service wants at least one.
    #[must_use]
    pub const fn new(header: bool, body: bool) -> Self {
        Self { header: Some(header), body: Some(body) }
    }
}

/// New secrets for a credential. The kind must be the stored one; what is left out stays.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum UpdateAuth {
    /// Of a bearer token.
    StaticBearer {
        /// The new token.
        #[serde(serialize_with = "Secret::send")]
        token: Secret,
    },
    /// Of an OAuth token.
    McpOauth {
        /// The new token. Without `expires_at` the old time stays.
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "Secret::send_some")]
        access_token: Option<Secret>,
        /// Until when it is good.
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "moment::send_some")]
        expires_at: Option<Timestamp>,
        /// How the service fetches the next one.
        #[serde(skip_serializing_if = "Option::is_none")]
        refresh: Option<UpdateRefresh>,
    },
    /// Of a variable.
    EnvironmentVariable {
        /// The new value.
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "Secret::send_some")]
        secret_value: Option<Secret>,
        /// Replaced whole.
        #[serde(skip_serializing_if = "Option::is_none")]
        networking: Option<Value>,
        /// Changed key by key.
        #[serde(skip_serializing_if = "Option::is_none")]
        injection_location: Option<InjectionLocation>,
    },
}

/// A change of how the service fetches the next access token.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct UpdateRefresh {
    /// The new refresh token.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "Secret::send_some")]
    pub refresh_token: Option<Secret>,
    /// For what. Here an empty text clears, not `null`.
    #[serde(skip_serializing_if = "Patch::is_keep", serialize_with = "empty_clears")]
    pub scope: Patch<String>,
    /// How the client says who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth: Option<TokenEndpointAuth>,
}

fn empty_clears<S: serde::Serializer>(scope: &Patch<String>, serializer: S) -> Result<S::Ok, S::Error> {
    match scope {
        Patch::Set(scope) => serializer.serialize_str(scope),
        Patch::Keep | Patch::Clear => serializer.serialize_str(""),
    }
}

/// What a credential opens, as the service shows it: no secret is in it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CredentialAuth {
    /// A bearer token for an MCP server.
    StaticBearer {
        /// The server.
        mcp_server_url: String,
    },
    /// An OAuth token for an MCP server.
    McpOauth {
        /// The server.
        mcp_server_url: String,
        /// Until when it is good.
        #[serde(default)]
        expires_at: Option<Timestamp>,
        /// How the service fetches the next one, in the service's form.
        #[serde(default)]
        refresh: Option<Value>,
    },
    /// A value sandboxes see a placeholder for.
    EnvironmentVariable {
        /// The name of the variable.
        secret_name: String,
        /// Where it may be sent, in the service's form.
        #[serde(default)]
        networking: Option<Value>,
        /// In what of a request it is put.
        #[serde(default)]
        injection_location: Option<InjectionLocation>,
    },
    /// A kind this client does not know, kept whole.
    #[serde(untagged)]
    Other(Value),
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn debug_of_every_request_with_a_secret_shows_none() {
        let secret = || Secret::new("hush");
        let auth = TokenEndpointAuth::ClientSecretBasic { client_secret: secret() };
        let refresh = NewRefresh::new("https://a", "c", secret(), auth.clone());
        let update = UpdateRefresh {
            refresh_token: Some(secret()),
            token_endpoint_auth: Some(auth),
            ..Default::default()
        };
        let new = [
            NewAuth::StaticBearer { mcp_server_url: "u".into(), token: secret() },
            NewAuth::McpOauth {
                mcp_server_url: "u".into(),
                access_token: secret(),
                expires_at: None,
                refresh: Some(refresh),
            },
            NewAuth::EnvironmentVariable {
                secret_name: "n".into(),
                secret_value: secret(),
                networking: json!({"type": "unrestricted"}),
                injection_location: None,
            },
        ];
        let updates = [
            UpdateAuth::StaticBearer { token: secret() },
            UpdateAuth::McpOauth { access_token: Some(secret()), expires_at: None, refresh: Some(update) },
            UpdateAuth::EnvironmentVariable {
                secret_value: Some(secret()),
                networking: None,
                injection_location: None,
            },
        ];
        let shown = format!("{new:?} {updates:#?}");
        assert!(!shown.contains("hush"), "{shown}");
        assert!(new.iter().all(|auth| serde_json::to_string(auth).unwrap().contains("hush")));
    }

    #[test]
    fn a_scope_is_cleared_by_an_empty_text() {
        let update = UpdateRefresh { scope: Patch::Clear, ..UpdateRefresh::default() };
        assert_eq!(serde_json::to_value(&update).unwrap(), json!({"scope": ""}));
        assert_eq!(serde_json::to_value(UpdateRefresh::default()).unwrap(), json!({}));
    }

    #[test]
    fn an_unknown_kind_is_kept_whole() {
        let unknown = json!({"type": "passkey", "x": 1});
        assert_eq!(
            serde_json::from_value::<CredentialAuth>(unknown.clone()).unwrap(),
            CredentialAuth::Other(unknown)
        );
    }
}
