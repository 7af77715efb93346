//! The answer with its reasons.

use crate::authz::data::Effect;
use crate::authz::label::Label;
use crate::id::ResourceId;
use crate::permission::Permission;
use crate::principal::Principal;
use crate::role::BuiltinRole;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// Who asked for what, where, what was answered, and every binding that had a say (rule 2.2.5).
///
/// It owns all it shows and outlives the snapshot. On the wire it has one field more, `reason`, a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Decision {
    /// Who asked.
    pub principal: Principal,
    /// Who asked, in the written form; the id form if unknown.
    pub name: Label,
    /// What for.
    pub permission: Permission,
    /// Where: an OU path, or the id of an unknown OU.
    pub ou: Label,
    /// The answer.
    pub verdict: Verdict,
    /// What the answer rests on.
    pub resolution: Resolution,
    /// The bindings that speak about this permission at this OU, and how each reaches the principal.
    pub bindings: Vec<Match>,
}

/// The answer.
///
/// Closed: a third answer must break every caller, not fall into an arm that allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Yes.
    Allow,
    /// No.
    Deny,
}

/// What the answer rests on.
///
/// Closed for the same reason as [`Verdict`], which it determines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// A binding allows it and none denies it.
    Allowed,
    /// A binding denies it.
    ExplicitDeny,
    /// No binding allows it.
    NoMatchingGrant,
    /// The agent's boundary leaves it out.
    OutsideBoundary,
    /// The caller's token leaves it out, whatever the principal may.
    BeyondCeiling,
    /// The user is disabled.
    DisabledUser,
    /// The agent is archived.
    ArchivedAgent,
    /// The agent's owner is disabled, unknown, or neither user nor group.
    OwnerPowerless,
    /// Groups are nested deeper around it than is followed.
    NestedTooDeep,
    /// Nobody of that name or id exists.
    UnknownPrincipal,
    /// The OU does not exist.
    UnknownOu,
}

impl Resolution {
    /// The answer it leads to.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Allowed => Verdict::Allow,
            _ => Verdict::Deny,
        }
    }
}

/// A binding that had a say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AuthzMatch))]
pub struct Match {
    /// Its id; `None` for the runtime role that a service agent holds unasked.
    #[cfg_attr(feature = "schema", schema(required))]
    pub binding: Option<ResourceId>,
    /// The OU it is bound at.
    pub scope: Label,
    /// The role's name.
    pub role: Label,
    /// Whether it gives or takes.
    pub effect: Effect,
    /// How it reaches the principal.
    pub via: Via,
}

/// How a binding reaches the principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AuthzVia))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Via {
    /// It names the principal.
    Direct,
    /// It names a group around the principal.
    Group {
        /// From the group (or OU) that contains the principal to the one the binding names.
        chain: Vec<Label>,
    },
    /// It names an OU that covers the user's home.
    Ou {
        /// That OU, as `ou:<path>`.
        ou: Label,
    },
    /// It reaches the owner of the agent.
    Owner {
        /// The owner, then as for a group.
        chain: Vec<Label>,
    },
}

impl Decision {
    /// Whether the answer is yes.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self.verdict, Verdict::Allow)
    }

    /// The same question asked with a token that leaves the permission out: denied, whatever the bindings say.
    #[must_use]
    pub fn beyond_ceiling(mut self) -> Self {
        self.verdict = Verdict::Deny;
        self.resolution = Resolution::BeyondCeiling;
        self
    }

    /// Why, in a sentence that starts in lower case and ends without a period.
    #[must_use]
    pub fn reason(&self) -> String {
        let (who, what, ou) = (&self.name, self.permission, &self.ou);
        match self.resolution {
            Resolution::Allowed => match self.first(Effect::Allow) {
                Some(by) => format!("{by} allows `{what}` on `{ou}`"),
                None => format!("`{what}` on `{ou}` is allowed"),
            },
            Resolution::ExplicitDeny => match self.first(Effect::Deny) {
                Some(by) => format!("{by} denies `{what}` on `{ou}`, whatever else allows it"),
                None => format!("`{what}` on `{ou}` is denied"),
            },
            Resolution::NoMatchingGrant => format!("no binding gives `{who}` `{what}` on `{ou}` or above it"),
            Resolution::OutsideBoundary => format!("the permission boundary of `{who}` leaves out `{what}`"),
            Resolution::BeyondCeiling => format!("the token used for `{who}` leaves out `{what}`"),
            Resolution::DisabledUser => format!("`{who}` is disabled"),
            Resolution::ArchivedAgent => format!("`{who}` is archived"),
            Resolution::OwnerPowerless => {
                format!("the owner of `{who}` is disabled, unknown or no user or group")
            }
            Resolution::NestedTooDeep => {
                format!("the groups around `{who}` are nested too deeply to be followed")
            }
            Resolution::UnknownPrincipal => format!("`{who}` does not exist"),
            Resolution::UnknownOu => format!("OU `{ou}` does not exist"),
        }
    }

    /// What to tell someone who was denied: the missing permission, the OU, and whom to ask for what (row M33).
    #[must_use]
    pub fn denial_text(&self) -> String {
        let (what, ou) = (self.permission, &self.ou);
        let need = format!("insufficient permissions: you need `{what}` on `{ou}`");
        match self.resolution {
            Resolution::ExplicitDeny => match self.first(Effect::Deny) {
                Some(by) => format!("{need}, but {by} denies it; ask an OrgAdmin to remove that binding"),
                None => need,
            },
            Resolution::Allowed | Resolution::NoMatchingGrant => format!(
                "{need}; ask an OrgAdmin to grant a binding there ({} would give it), or use an OU where you have access",
                roles_with(what)
            ),
            _ => format!("{need}, but {}; ask an OrgAdmin", self.reason()),
        }
    }

    fn first(&self, effect: Effect) -> Option<&Match> {
        self.bindings.iter().find(|binding| binding.effect == effect)
    }
}

/// The built-in roles that hold `permission`, the narrowest first.
fn roles_with(permission: Permission) -> String {
    let mut roles: Vec<_> =
        BuiltinRole::ALL.into_iter().filter(|role| role.permissions().contains(permission)).collect();
    roles.sort_by_key(|role| role.permissions().len());
    let names: Vec<_> = roles.into_iter().map(|role| format!("`{role}`")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { binding, scope, role, via, .. } = self;
        match binding {
            Some(id) => write!(f, "binding `{id}` of `{role}` at `{scope}`")?,
            None => write!(f, "`{role}` at `{scope}`")?,
        }
        match via {
            Via::Direct => Ok(()),
            Via::Ou { ou } => write!(f, " through `{ou}`"),
            Via::Group { chain } | Via::Owner { chain } => {
                for (index, label) in chain.iter().enumerate() {
                    write!(f, "{}`{label}`", if index == 0 { " through " } else { " in " })?;
                }
                Ok(())
            }
        }
    }
}

/// The reason.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason())
    }
}

/// Who asked for what, where, what was answered, and every binding that had a say.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Decision))]
pub(crate) struct Written<'a> {
    /// Who asked.
    principal: &'a Principal,
    /// Who asked, in the written form; the id form if unknown.
    name: &'a Label,
    /// What for.
    permission: Permission,
    /// Where: an OU path, or the id of an unknown OU.
    ou: &'a Label,
    /// The answer.
    verdict: Verdict,
    /// What the answer rests on.
    resolution: Resolution,
    /// The bindings that speak about this permission at this OU, and how each reaches the principal.
    bindings: &'a [Match],
    /// Why, in a sentence that starts in lower case and ends without a period.
    reason: String,
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { principal, name, permission, ou, verdict, resolution, bindings } = self;
        let (permission, verdict, resolution) = (*permission, *verdict, *resolution);
        let reason = self.reason();
        Written { principal, name, permission, ou, verdict, resolution, bindings, reason }
            .serialize(serializer)
    }
}
