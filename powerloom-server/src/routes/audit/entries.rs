//! Entries: by query, by place, and without their payload.

use crate::app::App;
use crate::authenticate::By;
use crate::failure::Failure;
use crate::input::{At, Params, Terms, TermsHeaders};
use crate::page::{Page, limit, read_cursor, write_cursor};
use crate::resource::answer::{Done, Pending, answer};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use powerloom_core::audit::{AuditDecision, AuditEntry, AuditQuery};
use powerloom_core::clock::Timestamp;
use powerloom_core::digest::Digest;
use powerloom_core::door::mutation::Action;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::invalid::Invalid;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Which entries are wanted; every filter that is there must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Who is answerable, as the entry says it: `user:ada@acme.com`.
    actor: Option<String>,
    /// What was done: `agent.create`.
    verb: Option<String>,
    /// The kind of what it was done to.
    resource_kind: Option<String>,
    /// The id of what it was done to.
    resource_id: Option<String>,
    /// The session whose token was used.
    session: Option<String>,
    /// The approval request under which it was done.
    approval: Option<String>,
    /// Whether it was done (`allow`) or refused (`deny`).
    #[param(inline)]
    decision: Option<AuditDecision>,
    /// Entries that touch this OU or one below it.
    #[param(value_type = Option<String>, format = Uuid)]
    ou_id: Option<ResourceId>,
    /// How far below `ou_id`: 0 is that OU alone, absent is all of it. Only with `ou_id`.
    depth: Option<u32>,
    /// The first place wanted.
    from_seq: Option<u64>,
    /// The last place wanted.
    to_seq: Option<u64>,
    /// The first moment wanted (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// The first moment no longer wanted (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// At most this many: 100 unless said otherwise.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl Filter {
    fn query(self) -> Result<AuditQuery, Invalid> {
        let most = limit(self.limit)?;
        if let (Some(depth), None) = (self.depth, self.ou_id) {
            return Err(Invalid::new("depth", depth, "only together with `ou_id`"));
        }
        let mut query = AuditQuery {
            actor: self.actor,
            verb: self.verb,
            resource_kind: self.resource_kind,
            resource_id: self.resource_id,
            session: self.session,
            approval: self.approval,
            decision: self.decision,
            ou: self.ou_id,
            depth: self.depth,
            from_seq: self.from_seq,
            to_seq: self.to_seq,
            from: self.from,
            to: self.to,
            limit: u32::try_from(most).unwrap_or(u32::MAX),
            ..AuditQuery::default()
        };
        if let Some(cursor) = &self.cursor {
            let before: u64 = read_cursor(cursor)?;
            let last = before.checked_sub(1).filter(|last| *last > 0);
            let last = last.ok_or_else(|| {
                Invalid::new("cursor", cursor, "the `next_cursor` of an earlier page of this list")
            })?;
            query.to_seq = Some(query.to_seq.map_or(last, |to| to.min(last)));
        }
        Ok(query)
    }
}

/// One entry of the chain.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntryView)]
pub(super) struct Entry {
    /// The version of the row's form.
    v: u32,
    /// The place in the chain, from 1, without gaps.
    seq: u64,
    /// The organization whose chain this is.
    org_id: OrgId,
    /// When the door decided.
    ts: Timestamp,
    /// Who is answerable.
    actor: String,
    /// What was done.
    verb: String,
    /// The kind of what it was done to.
    resource_kind: String,
    /// The id of what it was done to.
    resource_id: String,
    /// Whether it was done or refused.
    decision: AuditDecision,
    /// The session whose token was used.
    #[schema(required)]
    delegated_from_session: Option<String>,
    /// The approval request under which it was done.
    #[schema(required)]
    approval_request_id: Option<String>,
    /// Commits to the payload.
    change_hash: Digest,
    /// The OUs it touches, the governing one first; absent where there are none, or where they were erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ResourceId>>)]
    ous: Option<Value>,
    /// What changed: `before`, `after`, and a `detail` if there is one. `null` once erased, or where the caller may not read it.
    #[schema(value_type = Option<Object>, required)]
    payload: Option<Value>,
    /// The payload is not there.
    erased: bool,
    /// The `row_hash` of the entry before; 64 zeros for the first.
    prev_hash: Digest,
    /// Commits to this row and, through `prev_hash`, to all before it.
    row_hash: Digest,
}

impl From<AuditEntry> for Entry {
    fn from(entry: AuditEntry) -> Self {
        let payload = entry.change();
        let AuditEntry { row, prev_hash, hash, .. } = entry;
        Self {
            v: row.v,
            seq: row.seq,
            org_id: row.org_id,
            ts: row.ts,
            actor: row.actor,
            verb: row.verb,
            resource_kind: row.resource_kind,
            resource_id: row.resource_id,
            decision: row.decision,
            delegated_from_session: row.delegated_from_session,
            approval_request_id: row.approval_request_id,
            change_hash: row.change_hash,
            ous: payload.as_ref().and_then(|change| change.get("ous")).cloned(),
            erased: payload.is_none(),
            payload,
            prev_hash,
            row_hash: hash,
        }
    }
}

/// List audit entries, the newest first.
///
/// `audit:read` at the root shows everything. Whoever holds it at an OU only asks for that OU or one below it with `ou_id`: of an
/// entry that is governed elsewhere the payload is withheld, as if it were erased.
#[utoipa::path(get, path = "/audit", tag = "audit", operation_id = "listAuditEntries", params(Filter),
    responses((status = 200, description = "A page.", body = Page<Entry>,
        links(("entry" = (operation_id = "getAuditEntry", parameters(("seq" = "$response.body#/items/0/seq"))))))))]
pub(super) async fn list(
    State(app): State<App>,
    By(caller): By,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<Entry>>, Failure> {
    let query = filter.query()?;
    let entries = app.loom.audit(&caller, &query).await?;
    let full = u32::try_from(entries.len()).is_ok_and(|found| found >= query.limit);
    let last =
        entries.last().map(|entry| entry.row.seq).filter(|last| full && *last > query.from_seq.unwrap_or(1));
    let next_cursor = last.as_ref().and_then(write_cursor);
    Ok(Json(Page { items: entries.into_iter().map(Entry::from).collect(), next_cursor }))
}

/// For whom an entry is shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Shown {
    /// As it is shown to whoever may read the entries of this OU and those below it.
    #[param(value_type = Option<String>, format = Uuid)]
    ou_id: Option<ResourceId>,
}

/// Read one audit entry by its place.
#[utoipa::path(get, path = "/audit/{seq}", tag = "audit", operation_id = "getAuditEntry",
    params(("seq" = u64, Path, description = "The place in the chain, from 1."), Shown),
    responses((status = 200, description = "The entry.", body = Entry)))]
pub(super) async fn one(
    State(app): State<App>,
    By(caller): By,
    At(seq): At<u64>,
    Params(shown): Params<Shown>,
) -> Result<Json<Entry>, Failure> {
    Ok(Json(app.loom.audit_entry(&caller, seq, shown.ou_id).await?.into()))
}

/// Erase what an entry says in detail, with its salt. The chain stays valid, and the erasure is itself on it.
#[utoipa::path(post, path = "/audit/{seq}/erase", tag = "audit", operation_id = "eraseAuditEntry",
    params(("seq" = u64, Path, description = "The place in the chain, from 1."), TermsHeaders),
    responses((status = 204, description = "Its payload is gone."),
        (status = 202, description = "It waits for approval.", body = Pending)))]
pub(super) async fn erase(
    State(app): State<App>,
    By(caller): By,
    At(seq): At<u64>,
    Terms(terms): Terms,
) -> Result<Response, Failure> {
    let outcome = app.loom.submit_with(&caller, Action::EraseAuditPayload { seq }, &terms).await?;
    answer(&app, &caller, outcome, Done::Gone).await
}
