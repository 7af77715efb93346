//! Why somebody may or may not, what is missing, and who could give it (rule 2.2.5, row M33).

use crate::answers::{About, Answers};
use crate::authz::{AuthzSnapshot, Decision, Label, Need, Resolution};
use crate::error::Result;
use crate::id::ResourceId;
use crate::permission::{Permission, PermissionSet};
use crate::principal::Principal;
use serde::Serialize;

/// Most bindings proposed for one need.
const MAX_CHOICES: usize = 5;
/// Most people named who could meet one need.
const MAX_GIVERS: usize = 10;

/// A decision and, where it is a denial, the way out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Why {
    /// The answer with the bindings it rests on.
    pub decision: Decision,
    /// What must happen before it would be allowed, all of it; empty if it is.
    pub remedies: Vec<Remedy>,
}

/// One thing that must happen, and who could do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Remedy {
    /// What.
    #[serde(flatten)]
    pub need: Need,
    /// Users who may do it, in the written form, in the order of their addresses: at most ten. `None` if the caller may
    /// not know (`binding:read` at the OU), or where nobody could.
    #[cfg_attr(feature = "schema", schema(required))]
    pub by: Option<Vec<Label>>,
}

impl Why {
    /// The denial in the form of row M33, then each remedy; the reason if it is allowed.
    #[must_use]
    pub fn text(&self) -> String {
        if self.decision.is_allowed() {
            return self.decision.reason();
        }
        let mut text = self.decision.denial_text();
        for (index, remedy) in self.remedies.iter().enumerate() {
            text.push_str(if index == 0 { "; nearest: " } else { ", and " });
            text.push_str(&remedy.need.to_string());
        }
        text
    }
}

impl Answers<'_> {
    /// Explains whether `who` may do `permission` at `ou` and, if not, the smallest thing that would permit it.
    ///
    /// About oneself everybody may ask: then the token's ceiling counts, and groups and custom roles are proposed only
    /// where the caller may read them. Asking about others needs `binding:read` at the OU. At most five bindings are
    /// proposed for a need, the one that gives the fewest further permissions first. Row M33; vector 4.5.
    ///
    /// # Errors
    /// [`Error::Denied`](crate::error::Error::Denied) for another principal without `binding:read`;
    /// [`Error::NotFound`](crate::error::Error::NotFound) for an unknown one, once that is permitted.
    ///
    /// # Examples
    /// ```
    /// use powerloom_core::control_plane::ControlPlane;
    /// use powerloom_core::door::mutation::Action;
    /// use powerloom_core::permission::Permission;
    /// use powerloom_core::principal::PrincipalRef;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let loom = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
    /// let acme = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
    /// let admin = acme.admin_caller();
    /// let spec = serde_json::json!({ "email": "ada@acme.com" }).as_object().cloned().unwrap_or_default();
    /// let ada = Action::Create { kind: "User".parse()?, ou: Some(acme.root_ou), name: None, spec };
    /// loom.submit(&admin, ada).await?;
    ///
    /// let ada: PrincipalRef = "user:ada@acme.com".parse()?;
    /// let why = loom.answers(&admin).why(&ada, Permission::AGENT_INVOKE, acme.root_ou).await?;
    /// assert!(!why.decision.is_allowed());
    /// assert_eq!(why.remedies[0].need.to_string(), "bind `AgentOperator` to `user:ada@acme.com` at `/acme`");
    /// assert_eq!(why.remedies[0].by.as_deref().unwrap_or_default()[0].as_str(), "user:admin@acme.com");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn why(
        &self,
        who: impl Into<About<'_>>,
        permission: Permission,
        ou: ResourceId,
    ) -> Result<Why> {
        let who = who.into();
        let snapshot = self.snapshot(Some(who), Some(ou)).await?;
        let who = self.about(&snapshot, who, ou)?;
        let decision = self.judge(&snapshot, &who, permission, ou);
        if decision.is_allowed() {
            return Ok(Why { decision, remedies: Vec::new() });
        }
        let mut needs = snapshot.needs(&who, permission, ou, self.cp.plane.now());
        if decision.resolution == Resolution::BeyondCeiling {
            needs.push(Need::Token);
        }
        let readable = self.may(&snapshot, Permission::BINDING_READ, ou);
        let remedies = needs.into_iter().map(|mut need| {
            self.show(&snapshot, &mut need);
            let by = if readable { self.givers(&snapshot, &need, ou) } else { None };
            Remedy { need, by }
        });
        Ok(Why { remedies: remedies.collect(), decision })
    }

    /// Leaves out the proposals that name what the caller may not read.
    fn show(&self, snapshot: &AuthzSnapshot, need: &mut Need) {
        let Need::Grant { choices, .. } = need else { return };
        choices.retain(|choice| {
            let role = choice.owned_at.is_none_or(|ou| self.may(snapshot, Permission::ROLE_READ, ou));
            let group = choice.held_at.is_none() || self.may(snapshot, Permission::BINDING_READ, choice.ou);
            role && group
        });
        choices.truncate(MAX_CHOICES);
    }

    /// Enabled users who may do what is needed, by the rules the door has for it (rule 2.2.6).
    fn givers(&self, snapshot: &AuthzSnapshot, need: &Need, ou: ResourceId) -> Option<Vec<Label>> {
        let now = self.cp.plane.now();
        let gives = |giver: &Principal, what: PermissionSet, at| {
            snapshot.missing_for_grant(giver, what, at, now).is_empty()
        };
        let may = |giver: &Principal, what, at| snapshot.check(giver, what, at, now);
        let able: Box<dyn Fn(&Principal) -> bool> = match need {
            Need::Grant { choices, .. } => {
                let nearest = choices.first()?;
                let held = snapshot.role_permissions(nearest.role)?;
                Box::new(move |giver| may(giver, Permission::BINDING_CREATE, ou) && gives(giver, held, ou))
            }
            Need::Lift { deny, scope } => {
                let held = snapshot.binding_permissions(deny.binding?)?;
                let scope = *scope;
                Box::new(move |giver| {
                    may(giver, Permission::BINDING_DELETE, scope) && gives(giver, held, scope)
                })
            }
            Need::Enable { id, .. } => {
                let home = snapshot.home_of(*id)?;
                Box::new(move |giver| {
                    may(giver, Permission::USER_UPDATE, home) && may(giver, Permission::USER_DISABLE, home)
                })
            }
            Need::Widen { .. } | Need::Token | Need::Nothing { .. } => return None,
        };
        let mut users: Vec<&Label> = snapshot
            .principals()
            .filter(|principal| matches!(principal, Principal::User(_)) && able(principal))
            .filter_map(|principal| snapshot.written(principal))
            .collect();
        users.sort_unstable();
        Some(users.into_iter().take(MAX_GIVERS).cloned().collect())
    }
}
