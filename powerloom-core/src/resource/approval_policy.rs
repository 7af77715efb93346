//! Kind `ApprovalPolicy`: which changes in an OU wait until somebody agrees, and who that is (sem. 2.8, row P96).

use crate::approval::condition::Condition;
use crate::authz::RoleRef;
use crate::door::mutation::Action;
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::permission::Permission;
use crate::record::{KindName, ResourceKey, Schema};
use crate::resource::field::{DESCRIPTION, DISPLAY_NAME, Field, Form};
use crate::resource::group::Group;
use crate::resource::kind::{AuthzPart, Declared, Home, KindPermissions, Reference};
use crate::resource::role::Role;
use crate::resource::user::User;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Most approvers of a policy, and the highest quorum.
pub const MAX_APPROVERS: u32 = 50;
/// Most kinds a policy names.
pub const MAX_KINDS: usize = 64;
/// The shortest time a request may be open, in seconds.
pub const MIN_TTL_SECONDS: u64 = 60;
/// How long a request is open unless the policy says otherwise, in seconds: seven days.
pub const DEFAULT_TTL_SECONDS: u64 = 7 * 24 * 3600;
/// The longest time a request may be open, in seconds: ninety days.
pub const MAX_TTL_SECONDS: u64 = 90 * 24 * 3600;

/// An approval policy. The OU it lives in is its scope.
///
/// Every write of one raises the authorization epoch: a change that was judged by outdated policies is refused by the
/// store and judged again. What it names as approver must exist, and is not archived while a policy names it.
///
/// # Examples
/// ```
/// use powerloom_core::resource::approval_policy::{ApprovalPolicySpec, PolicyMode};
///
/// let spec: ApprovalPolicySpec = serde_json::from_value(serde_json::json!({
///     "match": {
///         "resource_kinds": ["Agent"],
///         "actions": ["create", "update"],
///         "condition": "resource.spec.model.startsWith('claude-opus')",
///     },
///     "approvers": ["role:OrgAdmin"],
/// }))?;
/// assert_eq!((spec.mode, spec.quorum, spec.allow_self), (PolicyMode::RequireApproval, 1, false));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug)]
pub struct ApprovalPolicy;

/// What a policy's author wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ApprovalPolicySpec {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 255))]
    pub display_name: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 2048))]
    pub description: Option<String>,
    /// Which changes it is about.
    #[serde(rename = "match")]
    pub matches: PolicyMatch,
    /// What it demands.
    #[serde(default)]
    pub mode: PolicyMode,
    /// Who may agree: 1 to [`MAX_APPROVERS`] if the mode demands approval, nobody otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(max_items = 50))]
    pub approvers: Vec<Approver>,
    /// How many different people must agree: 1 to [`MAX_APPROVERS`].
    #[serde(default = "one")]
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 50))]
    pub quorum: u32,
    /// How many different people end it by refusing: 1 to [`MAX_APPROVERS`].
    #[serde(default = "one")]
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 50))]
    pub reject_threshold: u32,
    /// Whether who asks may agree as well.
    #[serde(default)]
    pub allow_self: bool,
    /// How long a request is open: [`MIN_TTL_SECONDS`] to [`MAX_TTL_SECONDS`].
    #[serde(default = "seven_days")]
    #[cfg_attr(feature = "schema", schema(minimum = 60, maximum = 7776000))]
    pub ttl_seconds: u64,
    /// Whether it counts.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

/// Which changes a policy is about. What is left out narrows nothing: `{}` is every change in the scope.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PolicyMatch {
    /// Changes of these kinds; empty: of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(max_items = 64))]
    pub resource_kinds: Vec<KindName>,
    /// These actions, in the words of [`Action::word`]; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(max_items = 18))]
    pub actions: Vec<String>,
    /// How far below the scope.
    #[serde(default)]
    pub ou_depth: OuDepth,
    /// What must hold of the change, in the language of [`Condition`]; absent: nothing more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 4096))]
    pub condition: Option<String>,
}

/// How far below its scope a policy reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a new depth must break whoever matches policies")]
pub enum OuDepth {
    /// The scope and all below it.
    #[default]
    Subtree,
    /// The scope alone.
    Exact,
}

/// What a policy demands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a new mode must break the gate")]
pub enum PolicyMode {
    /// Others must agree first.
    #[default]
    RequireApproval,
    /// Who changes it must say why.
    RequireJustification,
    /// Nothing: the audit trail says that it matched.
    Warn,
}

/// Who may agree. Written `role:<built-in name>`, `role:<id>`, `group:<id>` or `user:<id>`.
///
/// Closed: whoever counts votes must know every way to be an approver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[expect(clippy::exhaustive_enums, reason = "a new approver must break whoever counts votes")]
pub enum Approver {
    /// Whoever holds this role where the change is.
    Role(RoleRef),
    /// Every member of a group.
    Group(ResourceId),
    /// One person.
    User(ResourceId),
}

impl Approver {
    /// The record it stands for; a built-in role has none.
    #[must_use]
    pub const fn key(&self) -> Option<ResourceKey> {
        match *self {
            Self::Role(RoleRef::Builtin(_)) => None,
            Self::Role(RoleRef::Custom(id)) => Some(ResourceKey::of::<Role>(id)),
            Self::Group(id) => Some(ResourceKey::of::<Group>(id)),
            Self::User(id) => Some(ResourceKey::of::<User>(id)),
        }
    }
}

impl FromStr for Approver {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed = "`role:<built-in role or id>`, `group:<id>` or `user:<id>`";
        let refused = || Invalid::new("approver", text, allowed);
        let (word, rest) = text.split_once(':').ok_or_else(refused)?;
        match word {
            "role" => match rest.parse::<ResourceId>() {
                Ok(id) => Ok(Self::Role(RoleRef::Custom(id))),
                Err(_) => Ok(Self::Role(RoleRef::Builtin(rest.parse()?))),
            },
            "group" => rest.parse().map(Self::Group).map_err(|_| refused()),
            "user" => rest.parse().map(Self::User).map_err(|_| refused()),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for Approver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(RoleRef::Builtin(role)) => write!(f, "role:{role}"),
            Self::Role(RoleRef::Custom(id)) => write!(f, "role:{id}"),
            Self::Group(id) => write!(f, "group:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
        }
    }
}

impl TryFrom<String> for Approver {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Approver> for String {
    fn from(approver: Approver) -> Self {
        approver.to_string()
    }
}

impl Schema for ApprovalPolicy {
    const KIND: KindName = KindName::known("ApprovalPolicy");
    type Spec = ApprovalPolicySpec;
    type Status = ();
}

impl Declared for ApprovalPolicy {
    const FIELDS: &'static [Field] = &[
        Field::new("display_name", DISPLAY_NAME),
        Field::new("description", DESCRIPTION),
        Field::new("match", Form::PolicyMatch).required(),
        Field::new("mode", Form::Choice(&["require_approval", "require_justification", "warn"])),
        Field::new("approvers", Form::Approvers),
        Field::new("quorum", Form::Integer { min: 1, max: MAX_APPROVERS as i64 }),
        Field::new("reject_threshold", Form::Integer { min: 1, max: MAX_APPROVERS as i64 }),
        Field::new("allow_self", Form::Flag),
        Field::new("ttl_seconds", Form::Integer { min: MIN_TTL_SECONDS as i64, max: MAX_TTL_SECONDS as i64 }),
        Field::new("enabled", Form::Flag),
    ];
    const PERMISSIONS: KindPermissions = KindPermissions {
        read: Permission::APPROVAL_POLICY_READ,
        create: Permission::APPROVAL_POLICY_CREATE,
        update: Permission::APPROVAL_POLICY_UPDATE,
        archive: Permission::APPROVAL_POLICY_DELETE,
    };
    const HOME: Home = Home::Named;
    const RANK: u8 = 85;
    const ABOUT: &'static str = "Which changes in an OU wait until somebody agrees, and who that is.";
    const AUTHZ: AuthzPart = AuthzPart::Grant;

    fn validate(spec: &ApprovalPolicySpec) -> Result<(), Invalid> {
        let count = spec.approvers.len();
        if spec.mode == PolicyMode::RequireApproval {
            if count == 0 || count > MAX_APPROVERS as usize {
                return Err(Invalid::new("approvers", count, format!("1 to {MAX_APPROVERS} approvers")));
            }
        } else if count > 0 {
            return Err(Invalid::new("approvers", count, "no approvers: this mode asks nobody"));
        }
        let mut seen = BTreeSet::new();
        for (index, approver) in spec.approvers.iter().enumerate() {
            if !seen.insert(approver.to_string()) {
                return Err(Invalid::new(format!("approvers[{index}]"), approver, "each approver once"));
            }
        }
        // Roles and groups may have any number of people; users are counted.
        let people = spec.approvers.iter().all(|approver| matches!(approver, Approver::User(_)));
        if count > 0 && people && spec.quorum as usize > count {
            let allowed = format!("at most {count}: so many people could agree");
            return Err(Invalid::new("quorum", spec.quorum, allowed));
        }
        Ok(())
    }

    fn references(spec: &ApprovalPolicySpec) -> Vec<Reference> {
        let named = spec.approvers.iter().enumerate();
        named
            .filter_map(|(index, approver)| {
                Some(Reference::new(format!("approvers[{index}]"), approver.key()?))
            })
            .collect()
    }
}

/// Checks the value of [`Form::PolicyMatch`]; the refusal's field is relative to it.
pub(crate) fn check_match(value: &Value) -> Result<(), Invalid> {
    let Value::Object(fields) = value else { return Err(Invalid::hidden("", "a JSON object")) };
    for (name, value) in fields {
        match name.as_str() {
            // As good as absent; a field nobody knows is refused whatever it holds.
            "resource_kinds" | "actions" | "ou_depth" | "condition" if value.is_null() => Ok(()),
            "resource_kinds" => each_text(value, MAX_KINDS, |text| text.parse::<KindName>().map(drop)),
            "actions" => each_text(value, Action::WORDS.len(), check_action),
            "ou_depth" => match value.as_str() {
                Some("subtree" | "exact") => Ok(()),
                _ => Err(Invalid::hidden("", "one of subtree, exact")),
            },
            "condition" => match value.as_str() {
                Some(text) => Condition::compile(text).map(drop),
                None => Err(Invalid::hidden("", "text")),
            },
            _ => {
                let allowed = "one of resource_kinds, actions, ou_depth, condition";
                return Err(Invalid::hidden(crate::invalid::shown(name), allowed));
            }
        }
        .map_err(|refused| Invalid { field: place(&refused.field), ..refused }.within(name))?;
    }
    Ok(())
}

/// Checks the value of [`Form::Approvers`]; the refusal's field is relative to it.
pub(crate) fn check_approvers(value: &Value) -> Result<(), Invalid> {
    each_text(value, MAX_APPROVERS as usize, |text| text.parse::<Approver>().map(drop))
}

/// A word of [`Action::WORDS`].
fn check_action(word: &str) -> Result<(), Invalid> {
    if Action::WORDS.contains(&word) {
        return Ok(());
    }
    let nearest = Action::WORDS.iter().min_by_key(|known| strsim::damerau_levenshtein(known, word));
    let allowed = format!(
        "one of {}; did you mean `{}`?",
        Action::WORDS.join(", "),
        nearest.copied().unwrap_or_default()
    );
    Err(Invalid::new("", word, allowed))
}

fn each_text(value: &Value, most: usize, check: impl Fn(&str) -> Result<(), Invalid>) -> Result<(), Invalid> {
    let Value::Array(items) = value else { return Err(Invalid::hidden("", "a list of texts")) };
    if items.len() > most {
        return Err(Invalid::new("", format!("{} items", items.len()), format!("at most {most}")));
    }
    for (index, item) in items.iter().enumerate() {
        let at = format!("[{index}]");
        let Value::String(text) = item else { return Err(Invalid::hidden(at, "text")) };
        check(text).map_err(|refused| Invalid { field: at, ..refused })?;
    }
    Ok(())
}

/// Only a place within a list is kept of a refusal's field: the rest is the name of what was parsed.
fn place(field: &str) -> String {
    if field.starts_with('[') { field.to_owned() } else { String::new() }
}

const fn one() -> u32 {
    1
}

const fn seven_days() -> u64 {
    DEFAULT_TTL_SECONDS
}

const fn enabled() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::kind::{Kind, Rules};
    use crate::role::BuiltinRole;
    use serde_json::json;

    fn refused(spec: &Value) -> Invalid {
        Rules::<ApprovalPolicy>::default().check(spec).expect_err(&spec.to_string())
    }

    fn with(field: &str, value: Value) -> Value {
        let mut spec = json!({ "match": {}, "approvers": ["role:OrgAdmin"] });
        spec[field] = value;
        spec
    }

    /// Sem. 2.8, row Policy: the defaults are the strict ones.
    #[test]
    fn what_is_left_out_is_filled_in() {
        let spec = Rules::<ApprovalPolicy>::default().check(&with("match", json!({}))).unwrap();
        assert_eq!(
            spec,
            json!({
                "match": { "ou_depth": "subtree" }, "mode": "require_approval", "approvers": ["role:OrgAdmin"],
                "quorum": 1, "reject_threshold": 1, "allow_self": false, "ttl_seconds": 604_800, "enabled": true,
            })
        );
        assert_eq!(Rules::<ApprovalPolicy>::default().check(&spec).unwrap(), spec);
    }

    /// Sem. 2.8, row Policy.
    #[test]
    fn each_bad_field_is_refused_by_its_name() {
        let user = "user:00000000-0000-7000-8000-000000000001";
        for (spec, field) in [
            (json!({ "approvers": ["role:OrgAdmin"] }), "spec.match"),
            (with("match", json!([])), "spec.match"),
            (with("match", json!({ "kinds": [] })), "spec.match.kinds"),
            (with("match", json!({ "kinds": null })), "spec.match.kinds"),
            (with("match", json!({ "resource_kinds": "Agent" })), "spec.match.resource_kinds"),
            (with("match", json!({ "resource_kinds": ["Agent", "agent"] })), "spec.match.resource_kinds[1]"),
            (with("match", json!({ "resource_kinds": vec!["Agent"; 65] })), "spec.match.resource_kinds"),
            (with("match", json!({ "actions": ["create", "delete"] })), "spec.match.actions[1]"),
            (with("match", json!({ "actions": [1] })), "spec.match.actions[0]"),
            (with("match", json!({ "ou_depth": "deep" })), "spec.match.ou_depth"),
            (with("match", json!({ "condition": "resource.spec.model ==" })), "spec.match.condition"),
            (with("match", json!({ "condition": true })), "spec.match.condition"),
            (with("match", json!({ "condition": "x".repeat(5000) })), "spec.match.condition"),
            (with("mode", json!("advisory")), "spec.mode"),
            (with("mode", json!("warn")), "spec.approvers"),
            (with("mode", json!("require_justification")), "spec.approvers"),
            (with("approvers", json!([])), "spec.approvers"),
            (with("approvers", json!("role:OrgAdmin")), "spec.approvers"),
            (with("approvers", json!(["role:OrgAdmin", "role:OrgAdmn"])), "spec.approvers[1]"),
            (with("approvers", json!(["user:ada@acme.com"])), "spec.approvers[0]"),
            (with("approvers", json!(["agent:00000000-0000-7000-8000-000000000001"])), "spec.approvers[0]"),
            (with("approvers", json!(["OrgAdmin"])), "spec.approvers[0]"),
            (with("approvers", json!(["role:Viewer", "role:AgentViewer"])), "spec.approvers[1]"),
            (with("approvers", json!(vec![user; 51])), "spec.approvers"),
            (with("approvers", json!([user, user])), "spec.approvers[1]"),
            (with("quorum", json!(0)), "spec.quorum"),
            (with("quorum", json!(51)), "spec.quorum"),
            (json!({ "match": {}, "approvers": [user], "quorum": 2 }), "spec.quorum"),
            (with("reject_threshold", json!(0)), "spec.reject_threshold"),
            (with("allow_self", json!("no")), "spec.allow_self"),
            (with("ttl_seconds", json!(59)), "spec.ttl_seconds"),
            (with("ttl_seconds", json!(90 * 24 * 3600 + 1)), "spec.ttl_seconds"),
            (with("enabled", json!(1)), "spec.enabled"),
            (with("display_name", json!("")), "spec.display_name"),
        ] {
            let refused = refused(&spec);
            assert_eq!(refused.field, field, "{refused}");
        }
        let near = refused(&with("match", json!({ "actions": ["atach_skill"] })));
        assert!(near.allowed.ends_with("did you mean `attach_skill`?"), "{near}");
        let near = refused(&with("approvers", json!(["role:OrgAdmn"])));
        assert!(near.allowed.contains("`OrgAdmin`"), "{near}");
        let place = refused(&with("match", json!({ "condition": "action == 'create' && verb = 'x'" })));
        assert!(place.allowed.contains("(line 1, column "), "{place}");
    }

    #[test]
    fn an_approver_reads_back_from_its_own_text() {
        let id = "00000000-0000-7000-8000-000000000001";
        for text in
            [format!("role:{id}"), format!("group:{id}"), format!("user:{id}"), "role:OrgAdmin".into()]
        {
            assert_eq!(text.parse::<Approver>().unwrap().to_string(), text);
        }
        let alias: Approver = "role:Viewer".parse().unwrap();
        assert_eq!(alias, Approver::Role(RoleRef::Builtin(BuiltinRole::AgentViewer)));
        assert_eq!(alias.key(), None);
    }

    /// Sem. 2.8: who may agree exists, and stays as long as a policy needs them.
    #[test]
    fn a_policy_refers_to_its_approvers() {
        let id = |n: u8| format!("00000000-0000-7000-8000-00000000000{n}");
        let approvers = json!([
            "role:OrgAdmin",
            format!("role:{}", id(1)),
            format!("group:{}", id(2)),
            format!("user:{}", id(3))
        ]);
        let kind = Rules::<ApprovalPolicy>::default();
        let spec = kind.check(&with("approvers", approvers)).unwrap();
        let named: Vec<String> = kind
            .references(&spec)
            .unwrap()
            .iter()
            .map(|reference| format!("{} {}", reference.field, reference.target))
            .collect();
        assert_eq!(
            named,
            [
                format!("approvers[1] Role/{}", id(1)),
                format!("approvers[2] Group/{}", id(2)),
                format!("approvers[3] User/{}", id(3))
            ]
        );
    }
}
