//! A change of the control plane as a value: what is validated, authorized, parked, replayed and audited.

use crate::approval::{ApprovalId, Ballot};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::id::{ResourceId, SessionId};
use crate::labels::Labels;
use crate::manifest::Plan;
use crate::name::Name;
use crate::permission::PermissionPattern;
use crate::principal::Principal;
use crate::record::{KindName, ResourceKey};
use crate::session::record::InvokeMode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The version of the serialized form; another one is refused.
pub const MUTATION_VERSION: u32 = 1;

/// One change. Its JSON form is `{"v": 1, "action": "create", …}`: what faces send, approvals park, and hashes pin.
///
/// # Examples
/// ```
/// use powerloom_core::door::mutation::{Action, Mutation};
///
/// let sent = r#"{"v":1,"action":"move_ou","ou":"00000000-0000-7000-8000-000000000001","to":"00000000-0000-7000-8000-000000000002"}"#;
/// let mutation: Mutation = serde_json::from_str(sent)?;
/// assert!(matches!(mutation.action, Action::MoveOu { .. }));
/// assert_eq!(serde_json::to_string(&mutation)?, sent);
/// // An unknown field is refused, never dropped.
/// assert!(serde_json::from_str::<Mutation>(&sent.replace("\"to\"", "\"force\":true,\"to\"")).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Mutation {
    /// The version of this form.
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 1))]
    pub v: u32,
    /// Of a create or an update: all the labels the record is to have. Absent: those it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    /// Of a create or an update: all the spec fields that the set named by the label `owner` manages from now on. Those
    /// the change carries count as applied by it, as do those that were not managed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<BTreeSet<String>>,
    /// What is to happen.
    #[serde(flatten)]
    pub action: Action,
}

impl From<Action> for Mutation {
    fn from(action: Action) -> Self {
        Self { v: MUTATION_VERSION, labels: None, managed: None, action }
    }
}

impl Mutation {
    /// The same as it may be shown: the digest of a secret is [`Digest::ZERO`].
    #[must_use]
    pub fn shown(mut self) -> Self {
        if let Action::CreateApiToken { digest, .. } = &mut self.action {
            *digest = Digest::ZERO;
        }
        self
    }
}

/// One file of a skill upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UploadedFile {
    /// Its path below the skill's folder, with `/`.
    pub path: String,
    /// Whether it may be executed.
    #[serde(default)]
    pub executable: bool,
    /// Its bytes, in base64 on the wire.
    #[serde(with = "base64_bytes")]
    #[cfg_attr(feature = "schema", schema(value_type = String, content_encoding = "base64"))]
    pub content: Vec<u8>,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::exhaustive_enums, reason = "the door must know every action")]
pub enum Action {
    /// Declares a resource.
    Create {
        /// Its kind.
        kind: KindName,
        /// The OU it lives in; absent where that follows from the spec.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ou: Option<ResourceId>,
        /// Its name; absent where that follows from the spec.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// What is wanted.
        spec: Map<String, Value>,
    },
    /// Changes fields of a resource's spec: absent ones stay, `null` clears, a list replaces the whole list.
    Update {
        /// Which.
        target: ResourceKey,
        /// Only if it has this version; absent: whatever its version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect: Option<u64>,
        /// The fields.
        patch: Map<String, Value>,
    },
    /// Takes a resource out of use, for good.
    Archive {
        /// Which.
        target: ResourceKey,
        /// Only if it has this version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect: Option<u64>,
    },
    /// Gives an agent a skill; a second time changes the version it has (row P52).
    AttachSkill {
        /// The agent.
        agent: ResourceId,
        /// The skill.
        skill: ResourceId,
        /// This version for good; absent: always the current one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<ResourceId>,
        /// Only if the agent has this version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect: Option<u64>,
    },
    /// Takes a skill from an agent, which has it.
    DetachSkill {
        /// The agent.
        agent: ResourceId,
        /// The skill.
        skill: ResourceId,
        /// Only if the agent has this version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect: Option<u64>,
    },
    /// Gives an agent an MCP server.
    AttachMcpServer {
        /// The agent.
        agent: ResourceId,
        /// The server.
        mcp_server: ResourceId,
        /// Only if the agent has this version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect: Option<u64>,
    },
    /// Takes an MCP server from an agent, which has it.
    DetachMcpServer {
        /// The agent.
        agent: ResourceId,
        /// The server.
        mcp_server: ResourceId,
        /// Only if the agent has this version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect: Option<u64>,
    },
    /// Uploads a new version of a skill; the same files again are the same version (row P50).
    PublishSkillVersion {
        /// The skill.
        skill: ResourceId,
        /// All of its files.
        files: Vec<UploadedFile>,
    },
    /// Moves an OU, with all below it, under another.
    MoveOu {
        /// The OU.
        ou: ResourceId,
        /// Its new parent.
        to: ResourceId,
        /// Only if the OU has this version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect: Option<u64>,
    },
    /// Gives a credential a new bearer (sem. 2.6).
    RotateCredential {
        /// The credential.
        credential: ResourceId,
        /// Only if it has this version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect: Option<u64>,
    },
    /// Brings up to 100 sealed secrets under the present master key after a rotation; unchanged once none is left.
    RewrapSecrets {},
    /// Tries a parked resource again (row P44).
    ResetSync {
        /// Which.
        target: ResourceKey,
    },
    /// Starts a session (rows P69–P75).
    Invoke {
        /// The agent.
        agent: ResourceId,
        /// What is asked: 1 to 100 000 characters.
        #[cfg_attr(feature = "schema", schema(min_length = 1))]
        prompt: String,
        /// How the caller waits.
        mode: InvokeMode,
        /// What the caller calls it: at most 255 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 255))]
        title: Option<String>,
        /// How long it may run; absent: as the agent says, or ten minutes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schema(minimum = 1))]
        timeout_seconds: Option<u32>,
    },
    /// Stops a session.
    CancelSession {
        /// Which.
        session: SessionId,
    },
    /// Creates an API token (sem. 2.10). The secret itself never passes here: see
    /// [`TokenService::create_api_token`](crate::token::TokenService::create_api_token).
    CreateApiToken {
        /// Its id, chosen by whoever drew the secret: the digest is bound to it.
        token: ResourceId,
        /// Whose it is: a user or a service.
        principal: Principal,
        /// What people know it by: 1 to 63 characters, unique among the principal's tokens that are not revoked.
        #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 63))]
        name: String,
        /// What it may do at most.
        #[cfg_attr(feature = "schema", schema(min_items = 1, max_items = 128))]
        scopes: Vec<PermissionPattern>,
        /// The first moment at which it is no longer good.
        expires_at: Timestamp,
        /// The digest of its secret: [`ApiSecret::digest`](crate::token::ApiSecret::digest).
        digest: Digest,
    },
    /// Makes an API token worthless, for good.
    RevokeApiToken {
        /// Which.
        token: ResourceId,
    },
    /// Erases what an audit row says in detail; the chain stays valid (sem. 2.9).
    EraseAuditPayload {
        /// The row's number.
        #[cfg_attr(feature = "schema", schema(minimum = 1))]
        seq: u64,
    },
    /// Asks for a whole plan at once: its approvers sign its digest, and its steps may then be applied.
    SubmitPlan {
        /// The plan.
        plan: Box<Plan>,
        /// Why: 1 to 2000 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 2000))]
        justification: Option<String>,
    },
    /// Votes on an approval request, in person; until it is decided, a later vote takes the place of an earlier one.
    Vote {
        /// The request.
        request: ApprovalId,
        /// For it or against it.
        ballot: Ballot,
        /// What was seen: the request's `payload_hash`. Another one is refused.
        payload_hash: Digest,
        /// Why: 1 to 2000 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 2000))]
        comment: Option<String>,
        /// The policies whose requirements it is for; empty: all that name the voter.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        requirements: Vec<ResourceId>,
    },
    /// Takes an approval request back.
    CancelApproval {
        /// The request.
        request: ApprovalId,
        /// Why: 1 to 2000 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 2000))]
        reason: Option<String>,
    },
    /// Confirms in advance what the caller will do, for gates that ask for their own confirmation.
    GrantConsent {
        /// Where, with all below.
        ou: ResourceId,
        /// For these verbs, such as `agent.update`: 1 to 50.
        #[cfg_attr(feature = "schema", schema(min_items = 1, max_items = 50))]
        verbs: Vec<String>,
        /// How often: 1 to 1000 times.
        #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 1000))]
        uses: u32,
        /// From this moment on it does not count: at most 90 days ahead.
        expires_at: Timestamp,
        /// Whether it also counts for what an agent does in their name.
        #[serde(default)]
        delegated: bool,
    },
    /// Ends a standing consent.
    RevokeConsent {
        /// Which.
        consent: ResourceId,
    },
}

impl Action {
    /// The words [`word`](Self::word) says of what an approval policy may hold back.
    pub const WORDS: &'static [&'static str] = &[
        "create",
        "update",
        "archive",
        "attach_skill",
        "detach_skill",
        "attach_mcp_server",
        "detach_mcp_server",
        "publish",
        "move",
        "rotate",
        "rewrap",
        "reset_sync",
        "invoke",
        "cancel",
        "create_api_token",
        "revoke_api_token",
        "erase",
        "grant_consent",
    ];

    /// The action in one word: how the verbs of the audit trail end, such as `agent.create`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Archive { .. } => "archive",
            Self::AttachSkill { .. } => "attach_skill",
            Self::DetachSkill { .. } => "detach_skill",
            Self::AttachMcpServer { .. } => "attach_mcp_server",
            Self::DetachMcpServer { .. } => "detach_mcp_server",
            Self::PublishSkillVersion { .. } => "publish",
            Self::MoveOu { .. } => "move",
            Self::RotateCredential { .. } => "rotate",
            Self::RewrapSecrets {} => "rewrap",
            Self::ResetSync { .. } => "reset_sync",
            Self::Invoke { .. } => "invoke",
            Self::CancelSession { .. } => "cancel",
            Self::CreateApiToken { .. } => "create_api_token",
            Self::RevokeApiToken { .. } => "revoke_api_token",
            Self::EraseAuditPayload { .. } => "erase",
            Self::SubmitPlan { .. } => "submit_plan",
            Self::Vote { .. } => "vote",
            Self::CancelApproval { .. } => "cancel_approval",
            Self::GrantConsent { .. } => "grant_consent",
            Self::RevokeConsent { .. } => "revoke_consent",
        }
    }

    /// Declares a resource whose author chooses OU and name.
    #[must_use]
    pub fn create(kind: KindName, ou: ResourceId, name: &Name, spec: Map<String, Value>) -> Self {
        Self::Create { kind, ou: Some(ou), name: Some(name.to_string()), spec }
    }
}

mod base64_bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD.decode(text.as_bytes()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever adds an action gives it a word that policies may name, unless it never waits: asking, agreeing, and taking back.
    #[test]
    fn every_action_has_its_word_in_the_list() {
        let refused = serde_json::from_str::<Mutation>(r#"{"v":1,"action":"?"}"#).unwrap_err().to_string();
        let (_, known) = refused.split_once("expected one of ").unwrap();
        let never_wait = ["submit_plan", "vote", "cancel_approval", "revoke_consent"];
        assert_eq!(known.matches('`').count() / 2, Action::WORDS.len() + never_wait.len(), "{known}");
        assert!(never_wait.iter().all(|word| !Action::WORDS.contains(word)));
        let id: ResourceId = "00000000-0000-7000-8000-000000000001".parse().unwrap();
        for action in [
            Action::RewrapSecrets {},
            Action::MoveOu { ou: id, to: id, expect: None },
            Action::EraseAuditPayload { seq: 1 },
            Action::AttachSkill { agent: id, skill: id, version: None, expect: None },
        ] {
            assert!(Action::WORDS.contains(&action.word()));
        }
        let mut words = Action::WORDS.to_vec();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Action::WORDS.len());
    }
}
