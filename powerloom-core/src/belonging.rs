//! Listing what belongs to one resource: the members of a group, the versions of a skill, the credentials of an agent.

use crate::control_plane::{ControlPlane, from_name};
use crate::door::caller::Caller;
use crate::error::Result;
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::page::Page;
use crate::record::{RecordRow, ResourceKey, Schema};
use crate::resource::kind::Home;
use crate::resource::skill::Skill;
use crate::resource::skill_version::SkillVersion;
use crate::store::{MAX_PAGE, RecordCursor, RecordQuery};

impl ControlPlane {
    /// Lists the records of a kind that belong to `owner` and that the caller may read, by name: of a kind whose name
    /// follows from its spec, those whose first reference is `owner`. Only they are read, however many others there are.
    ///
    /// `query` names the kind. As with [`list`](Self::list), a short page is not yet the last: go on from its last row
    /// until one is empty.
    ///
    /// # Errors
    /// `invalid` for a kind whose records belong to nothing, or those of the store.
    pub async fn list_belonging(
        &self,
        caller: &Caller,
        owner: ResourceId,
        query: &RecordQuery,
    ) -> Result<Vec<RecordRow>> {
        let mut query = query.clone();
        loop {
            let page = self.list_page_belonging(caller, owner, &query).await?;
            if !page.rows.is_empty() || page.next.is_none() {
                return Ok(page.rows);
            }
            query.after = page.next;
        }
    }

    /// A page of the same, of which no more than [`MAX_LOOKED_AT`](crate::page::MAX_LOOKED_AT) are looked at: it may be empty
    /// and yet not be the last.
    ///
    /// # Errors
    /// As [`list_belonging`](Self::list_belonging).
    pub async fn list_page_belonging(
        &self,
        caller: &Caller,
        owner: ResourceId,
        query: &RecordQuery,
    ) -> Result<Page<RecordRow>> {
        let allowed = "a kind whose records belong to others, such as `GroupMembership`";
        let kind = query.kind.clone().ok_or_else(|| Invalid::hidden("kind", allowed))?;
        if self.catalogue().kind(&kind)?.home() != Home::Derived {
            return Err(Invalid::new("kind", kind, allowed).into());
        }
        // Their names begin with the id of what they belong to, and lists are in the order of names.
        let prefix = owner.to_string();
        self.walk(caller, &from_name(query, &prefix)?, |row| row.meta.name.starts_with(&prefix)).await
    }

    /// Lists the versions of a skill, the newest first: at most `limit`, all of them below the number `below`.
    ///
    /// All versions are read for any page, as they are for publishing one more.
    ///
    /// # Errors
    /// `not_found`, `denied`.
    pub async fn skill_versions(
        &self,
        caller: &Caller,
        skill: ResourceId,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Vec<RecordRow>> {
        self.get(caller, &ResourceKey::of::<Skill>(skill)).await?;
        let mut query =
            RecordQuery { kind: Some(SkillVersion::KIND), limit: MAX_PAGE, ..RecordQuery::default() };
        let mut versions: Vec<(u64, RecordRow)> = Vec::new();
        loop {
            let page = self.list_belonging(caller, skill, &query).await?;
            let Some(last) = page.last() else { break };
            query.after = Some(RecordCursor::of(last));
            let numbered = page.into_iter().filter_map(|row| {
                let number = row.spec.get("number")?.as_u64()?;
                below.is_none_or(|below| number < below).then_some((number, row))
            });
            versions.extend(numbered);
        }
        versions.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        versions.truncate(limit);
        Ok(versions.into_iter().map(|(_, row)| row).collect())
    }
}
