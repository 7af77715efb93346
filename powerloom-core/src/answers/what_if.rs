//! What if: which decisions some changes would change, without making them.

use crate::answers::difference::{Changed, Scope, difference};
use crate::answers::overlay::Overlay;
use crate::answers::placeholder::{MAX_MUTATIONS, fill};
use crate::answers::{Answers, MAX_ANSWERS};
use crate::authz::{AuthzSnapshot, Decision};
use crate::door::mutation::{MUTATION_VERSION, Mutation};
use crate::error::{Conflict, Error, Result};
use crate::error_kind::ErrorKind;
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::permission::{Permission, PermissionSet};
use crate::plane::Plane;
use crate::principal::Principal;
use crate::record::ResourceKey;
use crate::resource::ou::Ou;
use crate::store::Write;
use serde::Serialize;
use std::sync::Arc;

/// Which decisions are compared, and how many of those that change are told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WhatIf {
    /// About these only; `None`: about everybody there was, and whom the changes make.
    pub principals: Option<Vec<Principal>>,
    /// These only; `None`: all.
    pub permissions: Option<PermissionSet>,
    /// At exactly these; `None`: everywhere, telling what changes for a principal only at the uppermost OU from which it goes
    /// on alike. Where it is otherwise than at the OU above, all of it is told.
    pub ous: Option<Vec<ResourceId>>,
    /// At most so many, 1 to [`MAX_ANSWERS`]; 100 unless said otherwise.
    pub limit: usize,
}

impl Default for WhatIf {
    fn default() -> Self {
        Self { principals: None, permissions: None, ous: None, limit: 100 }
    }
}

impl WhatIf {
    /// About these principals only.
    #[must_use]
    pub fn principals(mut self, principals: impl IntoIterator<Item = Principal>) -> Self {
        self.principals = Some(principals.into_iter().collect());
        self
    }

    /// These permissions only.
    #[must_use]
    pub fn permissions(mut self, permissions: PermissionSet) -> Self {
        self.permissions = Some(permissions);
        self
    }

    /// At exactly these OUs.
    #[must_use]
    pub fn ous(mut self, ous: impl IntoIterator<Item = ResourceId>) -> Self {
        self.ous = Some(ous.into_iter().collect());
        self
    }

    /// At most so many.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

/// What some changes would come to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Consequences {
    /// What would become of each change, in their order, up to the first that would not happen.
    pub mutations: Vec<Rehearsal>,
    /// The decisions that would change, by principal and OU, as far as the caller may read them.
    pub changes: Vec<Changed>,
    /// More would change than is told, or more would have to be compared than is bearable.
    pub truncated: bool,
}

/// What would become of one change.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Rehearsal {
    /// The change in one word, such as `create`.
    pub action: &'static str,
    /// What would become of it.
    pub result: Rehearsed,
}

/// What would become of a change.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "result", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever plans by it must know every way it can end")]
pub enum Rehearsed {
    /// The caller may make it, and nothing stands in the way. A gate may still hold it back: gates are not asked.
    Allowed {
        /// What it would write.
        writes: Vec<ResourceKey>,
    },
    /// It is so already.
    Unchanged,
    /// The caller may not make it. Nothing after it is looked at.
    Denied {
        /// What is missing.
        decision: Box<Decision>,
    },
    /// Something stands in the way. Nothing after it is looked at.
    Refused {
        /// The stable code.
        code: &'static str,
        /// In words.
        message: String,
    },
}

/// What became of a rehearsal so far.
#[derive(Debug)]
struct Stage {
    overlay: Overlay,
    /// What each change made, if anything.
    made: Vec<Option<ResourceId>>,
    rehearsals: Vec<Rehearsal>,
}

impl Answers<'_> {
    /// Tells which decisions `mutations`, made one after the other, would change. Nothing is written, not even a denial.
    ///
    /// Each change passes the real door, in the caller's name, over a store that shows what the earlier ones would have
    /// left behind. So it is answered as it would be if it were submitted: what the caller may not make is denied here
    /// too, and nothing after it is looked at. A later change names what an earlier one makes by
    /// [`WhatIf::made_by`]. Only records are looked through: an agent that is made here is not in sync with any
    /// runtime, so it cannot be invoked here. A vote that would make a parked change is refused: ask about that change.
    ///
    /// It needs `binding:read` at every OU a change touches, and tells nothing of an OU where the caller lacks it (a new
    /// OU is judged by the nearest one above that exists, and compared with it: what is only inherited is no change).
    /// Expiries are judged by the present moment.
    ///
    /// At most [`MAX_MUTATIONS`] changes, and a million pairs of principal and OU, are compared.
    ///
    /// # Errors
    /// [`Error::Denied`] without `binding:read`; [`Error::Invalid`] for a bound that is passed, or a placeholder that
    /// stands for nothing, naming the change; `busy` if others keep changing the authorization data meanwhile.
    ///
    /// # Examples
    /// ```
    /// use powerloom_core::answers::{Rehearsed, WhatIf};
    /// use powerloom_core::control_plane::ControlPlane;
    /// use powerloom_core::door::mutation::{Action, Mutation};
    /// use powerloom_core::permission::Permission;
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let loom = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
    /// let acme = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
    /// let admin = acme.admin_caller();
    /// let user = json!({ "email": "ada@acme.com" });
    /// // `made_by(0)` is Ada, whoever she will be.
    /// let bind = json!({ "principal": format!("user:{}", WhatIf::made_by(0)), "role": "SkillUser" });
    /// let create = |kind: &str, spec: serde_json::Value| {
    ///     let spec = spec.as_object().cloned().unwrap_or_default();
    ///     Ok::<Mutation, powerloom_core::invalid::Invalid>(
    ///         Action::Create { kind: kind.parse()?, ou: Some(acme.root_ou), name: None, spec }.into(),
    ///     )
    /// };
    /// let mutations = [create("User", user)?, create("RoleBinding", bind)?];
    /// let answer = loom.answers(&admin).what_if(&mutations, &WhatIf::default()).await?;
    /// assert!(answer.mutations.iter().all(|it| matches!(it.result, Rehearsed::Allowed { .. })));
    /// assert_eq!(answer.changes[0].name.as_str(), "user:ada@acme.com");
    /// assert!(answer.changes[0].gained.contains(Permission::SKILL_USE));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn what_if(&self, mutations: &[Mutation], ask: &WhatIf) -> Result<Consequences> {
        if mutations.len() > MAX_MUTATIONS {
            let allowed = format!("at most {MAX_MUTATIONS} changes");
            return Err(Invalid::new("mutations", mutations.len(), allowed).into());
        }
        if !(1..=MAX_ANSWERS).contains(&ask.limit) {
            return Err(Invalid::new("limit", ask.limit, format!("1 to {MAX_ANSWERS}")).into());
        }
        let plane = &self.cp.plane;
        for _ in 0..plane.limits.attempts {
            let epoch = plane.org(self.caller.org).await?.authz_epoch;
            let overlay = Overlay::new(plane.store.clone(), self.caller.org);
            let before = look(plane, &overlay, self).await?;
            let mut stage = Stage { overlay, made: Vec::new(), rehearsals: Vec::new() };
            let answer = self.rehearse_all(mutations, &before, &mut stage).await;
            let after = look(plane, &stage.overlay, self).await?;
            if plane.org(self.caller.org).await?.authz_epoch != epoch {
                // Somebody changed what is compared.
                continue;
            }
            answer?;
            let (changes, truncated) = self.compare(&before, &after, &stage, ask)?;
            return Ok(Consequences { mutations: stage.rehearsals, changes, truncated });
        }
        Err(Conflict::Busy.into())
    }

    async fn rehearse_all(
        &self,
        mutations: &[Mutation],
        before: &AuthzSnapshot,
        stage: &mut Stage,
    ) -> Result<()> {
        for (index, mutation) in mutations.iter().enumerate() {
            if mutation.v != MUTATION_VERSION {
                let field = format!("mutations[{index}].v");
                return Err(Invalid::new(field, mutation.v, MUTATION_VERSION.to_string()).into());
            }
            let mutation = fill(mutation, index, &stage.made)?;
            let result = self.rehearse(&mutation, before, stage).await?;
            let goes_on = matches!(result, Rehearsed::Allowed { .. } | Rehearsed::Unchanged);
            stage.rehearsals.push(Rehearsal { action: mutation.action.word(), result });
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    async fn rehearse(
        &self,
        mutation: &Mutation,
        before: &AuthzSnapshot,
        stage: &mut Stage,
    ) -> Result<Rehearsed> {
        let plane = self.cp.plane.over(Arc::new(stage.overlay.clone()));
        let (ous, draft) = match plane.rehearse(self.caller, mutation).await {
            Ok((work, draft)) => (work.subject.ous.clone(), draft),
            Err(Error::Denied(decision)) => return Ok(Rehearsed::Denied { decision }),
            Err(error) => {
                return match error.kind() {
                    ErrorKind::Invalid
                    | ErrorKind::NotFound
                    | ErrorKind::Conflict
                    | ErrorKind::VersionMismatch => {
                        Ok(Rehearsed::Refused { code: error.code(), message: error.to_string() })
                    }
                    _ => Err(error),
                };
            }
        };
        for ou in ous {
            self.require(before, Permission::BINDING_READ, stage.judged_at(before, ou))?;
        }
        if draft.parked.is_some() {
            let index = stage.made.len();
            let allowed = "a change itself: ask about the one that this vote would approve";
            return Err(Invalid::hidden(format!("mutations[{index}]"), allowed).into());
        }
        if let Some(refusal) = draft.refusal {
            return Ok(Rehearsed::Refused { code: refusal.code(), message: refusal.to_string() });
        }
        stage.made.push(draft.record.as_ref().map(|row| row.meta.id));
        if draft.unchanged {
            return Ok(Rehearsed::Unchanged);
        }
        let mut writes = Vec::new();
        for write in draft.write {
            match write {
                Write::PutRecord(row) => {
                    writes.push(row.key());
                    stage.overlay.put(*row);
                }
                Write::BumpAuthzEpoch => stage.overlay.raise(),
                _ => {}
            }
        }
        Ok(Rehearsed::Allowed { writes })
    }

    fn compare(
        &self,
        before: &AuthzSnapshot,
        after: &AuthzSnapshot,
        stage: &Stage,
        ask: &WhatIf,
    ) -> Result<(Vec<Changed>, bool)> {
        let readable =
            |ou: ResourceId| self.may(before, Permission::BINDING_READ, stage.judged_at(before, ou));
        if let Some(ous) = &ask.ous {
            for ou in ous {
                self.require(before, Permission::BINDING_READ, stage.judged_at(before, *ou))?;
            }
        }
        let new = |principal: &&Principal| {
            let made = principal.id().is_none_or(|id| stage.made.contains(&Some(id)));
            made && before.written(principal).is_none()
        };
        let principals: Vec<Principal> = match &ask.principals {
            Some(principals) => principals.clone(),
            // Whom others add meanwhile is not a consequence of these changes.
            None => before.principals().chain(after.principals().filter(new)).cloned().collect(),
        };
        let ous: Vec<ResourceId> = match &ask.ous {
            Some(ous) => ous.clone(),
            None => {
                let all = |snapshot: &AuthzSnapshot| -> Vec<ResourceId> {
                    snapshot.root().map_or_else(Vec::new, |root| snapshot.subtree(root).collect())
                };
                let mut ous = all(after);
                ous.extend(all(before).into_iter().filter(|ou| after.ou_path(*ou).is_none()));
                ous.retain(|ou| readable(*ou));
                ous
            }
        };
        let scope = Scope {
            principals,
            permissions: ask.permissions.unwrap_or(PermissionSet::ALL),
            ous,
            uppermost: ask.ous.is_none(),
            limit: ask.limit,
        };
        Ok(difference(before, after, &scope, self.cp.plane.now()))
    }
}

impl Stage {
    /// Where it is judged what may be told about `ou`: there, or, for one that would be made, at the nearest above that
    /// exists.
    fn judged_at(&self, before: &AuthzSnapshot, ou: ResourceId) -> ResourceId {
        let mut at = ou;
        while before.ou_path(at).is_none() {
            match self.overlay.shown(&ResourceKey::of::<Ou>(at)) {
                Some(row) if row.meta.ou != at => at = row.meta.ou,
                _ => break,
            }
        }
        at
    }
}

/// The authorization as the overlay has it.
async fn look(plane: &Plane, overlay: &Overlay, answers: &Answers<'_>) -> Result<Arc<AuthzSnapshot>> {
    let plane = plane.over(Arc::new(overlay.clone()));
    let (store, staleness) = (plane.store.as_ref(), plane.limits.authz_staleness);
    plane.authz.get(store, answers.caller.org, plane.now(), staleness).await
}
