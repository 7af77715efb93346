//! Who can: everybody who may do something at an OU, and by what.

use crate::answers::{Answers, MAX_ANSWERS};
use crate::authz::{Label, Match};
use crate::error::{Error, Result};
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::permission::Permission;
use crate::principal::Principal;
use serde::Serialize;

/// Which page of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubjectQuery {
    /// Strictly after this one of an earlier page, in the written form.
    pub after: Option<Label>,
    /// At most so many, 1 to [`MAX_ANSWERS`]; 100 unless said otherwise.
    pub limit: usize,
}

impl Default for SubjectQuery {
    fn default() -> Self {
        Self { after: None, limit: 100 }
    }
}

impl SubjectQuery {
    /// The page after `cursor`.
    #[must_use]
    pub fn after(mut self, cursor: Label) -> Self {
        self.after = Some(cursor);
        self
    }

    /// At most so many.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

/// One who can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Subject {
    /// Who.
    pub principal: Principal,
    /// The same in the written form, by which the list is ordered.
    pub name: Label,
    /// The bindings that allow it, each with the way it comes: direct, through groups, through an OU, from the owner.
    pub by: Vec<Match>,
}

/// A page of those who can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct SubjectPage {
    /// Ordered by the written form.
    pub subjects: Vec<Subject>,
    /// Where to go on; `None` after the last page.
    #[cfg_attr(feature = "schema", schema(required))]
    pub next: Option<Label>,
}

impl Answers<'_> {
    /// Lists who may do `permission` at `ou`: users, agents, services, and the groups and OUs to whom it is given.
    ///
    /// The same as asking about each of them, in the order of the written forms. A change between two pages may add or
    /// remove somebody; nobody else is left out or listed twice. Row R2 of the reliability list.
    ///
    /// # Errors
    /// [`Error::Denied`] without `binding:read` at the OU; [`Error::NotFound`] for an unknown OU;
    /// [`Error::Invalid`] for a limit out of bounds.
    ///
    /// # Examples
    /// ```
    /// use powerloom_core::answers::SubjectQuery;
    /// use powerloom_core::control_plane::ControlPlane;
    /// use powerloom_core::permission::Permission;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let loom = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
    /// let acme = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
    /// let admin = acme.admin_caller();
    /// let answers = loom.answers(&admin);
    /// let page = answers.list_subjects(Permission::AGENT_CREATE, acme.root_ou, &SubjectQuery::default()).await?;
    /// assert_eq!(page.subjects[0].name.as_str(), "user:admin@acme.com");
    /// assert_eq!(page.subjects[0].by[0].role.as_str(), "OrgAdmin");
    /// assert_eq!(page.next, None);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_subjects(
        &self,
        permission: Permission,
        ou: ResourceId,
        query: &SubjectQuery,
    ) -> Result<SubjectPage> {
        if !(1..=MAX_ANSWERS).contains(&query.limit) {
            return Err(Invalid::new("limit", query.limit, format!("1 to {MAX_ANSWERS}")).into());
        }
        // Who is new since the data were read would be missing.
        self.cp.plane.catch_up(self.caller.org, self.cp.plane.now()).await?;
        let snapshot = self.cp.authz(self.caller.org).await?;
        self.require(&snapshot, Permission::BINDING_READ, ou).map_err(|denied| {
            if snapshot.ou_path(ou).is_none() { Error::not_found("OU", ou) } else { denied }
        })?;
        let now = self.cp.plane.now();
        let mut found = snapshot.subjects(permission, ou, now, query.after.as_ref(), query.limit + 1);
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        let next = found.last().filter(|_| more).map(|(_, name)| name.clone());
        let subjects = found.into_iter().map(|(principal, name)| {
            let by = snapshot.decide(&principal, permission, ou, now).bindings;
            Subject { principal, name, by }
        });
        Ok(SubjectPage { subjects: subjects.collect(), next })
    }
}
