//! All schemas together.

use crate::answers::{Consequences, History, Judged, PermissionList, SubjectPage, Why};
use crate::approval::notifier::ApprovalNotice;
use crate::approval::{ApprovalRequest, StandingConsent};
use crate::audit::export::ExportHeader;
use crate::audit::merkle::TreeHead;
use crate::audit::proof::{ConsistencyProof, InclusionProof};
use crate::audit::report::EvidenceReport;
use crate::audit::{AuditEntry, Break, Verified};
use crate::authz::Decision;
use crate::availability::{Capacity, Tier};
use crate::door::caller::TokenKind;
use crate::door::mutation::Mutation;
use crate::door::outcome::Outcome;
use crate::error_kind::ErrorKind;
use crate::manifest::{ManifestErrors, Plan, Report, Warning};
use crate::name::Name;
use crate::ou_path::{OuPath, ResourcePath};
use crate::principal::PrincipalRef;
use crate::reconcile::state::{SyncState, SyncStatus};
use crate::record::{Record, RecordRow};
use crate::resource::agent::Agent;
use crate::resource::api_token::ApiToken;
use crate::resource::approval_policy::ApprovalPolicy;
use crate::resource::credential::Credential;
use crate::resource::environment::Environment;
use crate::resource::group::{Group, GroupMembership};
use crate::resource::mcp_deployment::McpDeployment;
use crate::resource::mcp_server::McpServer;
use crate::resource::ou::Ou;
use crate::resource::role::Role;
use crate::resource::role_binding::RoleBinding;
use crate::resource::skill::Skill;
use crate::resource::skill_grant::SkillAccessGrant;
use crate::resource::skill_version::SkillVersion;
use crate::resource::user::User;
use crate::resource::vault::Vault;
use crate::role::BuiltinRole;
use crate::schema::refer;
use crate::session::event::SessionEvent;
use crate::session::invoke::{Invocation, Invoke};
use crate::session::record::SessionRecord;
use crate::store::OrgRow;
use crate::token::{Jwks, MetaTool};
use std::collections::BTreeMap;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

macro_rules! each {
    ($($type:ty,)*) => {
        /// What every type refers to, as often as it is referred to.
        fn all() -> Vec<(String, RefOr<Schema>)> {
            let mut schemas = Vec::new();
            $(refer::<$type>(&mut schemas);)*
            schemas
        }
    };
}

// The types that no other one refers to; the others come with them.
each! {
    Record<Agent>,
    Record<ApiToken>,
    Record<ApprovalPolicy>,
    Record<ApprovalRequest>,
    Record<Credential>,
    Record<Environment>,
    Record<Group>,
    Record<GroupMembership>,
    Record<McpDeployment>,
    Record<McpServer>,
    Record<Ou>,
    Record<Role>,
    Record<RoleBinding>,
    Record<Skill>,
    Record<SkillAccessGrant>,
    Record<SkillVersion>,
    Record<StandingConsent>,
    Record<User>,
    Record<Vault>,
    ApprovalNotice,
    AuditEntry,
    Break,
    BuiltinRole,
    Capacity,
    Consequences,
    ConsistencyProof,
    Decision,
    ErrorKind,
    EvidenceReport,
    ExportHeader,
    History,
    InclusionProof,
    Invocation,
    Invoke,
    Judged,
    Jwks,
    ManifestErrors,
    MetaTool,
    Mutation,
    Name,
    OrgRow,
    OuPath,
    Outcome,
    PermissionList,
    Plan,
    PrincipalRef,
    RecordRow,
    Report,
    ResourcePath,
    SessionEvent,
    SessionRecord,
    SubjectPage,
    SyncState,
    SyncStatus,
    Tier,
    TokenKind,
    TreeHead,
    Verified,
    Warning,
    Why,
}

/// Every schema by its name: what `components.schemas` of an OpenAPI document may hold.
///
/// An OpenAPI document collects by itself what its operations refer to. What travels as free JSON, such as the spec of a
/// record, it finds here: the spec of the kind `Agent` is `AgentSpec`, the whole record `AgentRecord`.
#[must_use]
pub fn components() -> BTreeMap<String, RefOr<Schema>> {
    all().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::catalogue::Catalogue;
    use serde_json::Value;

    /// Components go by the last name of their type: two types of one name would hide each other.
    #[test]
    fn no_two_types_share_a_name() {
        let mut known: BTreeMap<String, Value> = BTreeMap::new();
        for (name, schema) in all() {
            let schema = serde_json::to_value(schema).unwrap();
            let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(*first, schema, "two types are called `{name}`");
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let known = components();
        let mut seen = 0;
        for (name, schema) in &known {
            let text = serde_json::to_string(schema).unwrap();
            for target in text.split(r##""$ref":"#/components/schemas/"##).skip(1) {
                let target = target.split('"').next().unwrap();
                assert!(known.contains_key(target), "{name} refers to `{target}`");
                seen += 1;
            }
        }
        assert!(seen > 100, "{seen}");
    }

    #[test]
    fn every_builtin_kind_has_its_record() {
        let known = components();
        for kind in Catalogue::default().kinds() {
            assert!(known.contains_key(&format!("{}Record", kind.name())), "{}", kind.name());
        }
    }
}
