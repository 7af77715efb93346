//! Creating and revoking API tokens (sem. 2.10).

use crate::audit::Change;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::door::action::create::refuse_taken_name;
use crate::door::caller::TokenKind;
use crate::door::work::{Draft, Step, Work, refuse_archived};
use crate::error::{Conflict, Error, Result};
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::labels::Labels;
use crate::permission::{Permission, PermissionPattern};
use crate::principal::Principal;
use crate::record::{Metadata, RecordRow, ResourceKey, Schema, Stage};
use crate::resource::api_token::{ApiToken, ApiTokenSpec, ApiTokenStatus};
use crate::resource::user::User;
use crate::store::{Precondition, Write};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The longest an API token may be good for, whatever the limits say: a year and a day.
const MAX_LIFETIME: Duration = Duration::from_secs(366 * 24 * 3600);

/// What is asked of a new token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewToken<'a> {
    pub(crate) token: ResourceId,
    pub(crate) principal: &'a Principal,
    pub(crate) name: &'a str,
    pub(crate) scopes: &'a [PermissionPattern],
    pub(crate) expires_at: Timestamp,
    pub(crate) digest: Digest,
}

/// Checks and writes a `create_api_token`. Only the digest of the secret passes here.
pub(crate) async fn create_api_token(work: &mut Work<'_>, new: NewToken<'_>) -> Step<Draft> {
    let spec = ApiTokenSpec {
        principal: new.principal.clone(),
        name: new.name.to_owned(),
        scopes: new.scopes.to_vec(),
        expires_at: new.expires_at,
    };
    let kind = work.plane.catalogue.kind(&ApiToken::KIND)?.clone();
    let spec = kind.check(&value(&spec)?)?;
    check_expiry(work, new.expires_at)?;
    let bearer = bearer(work, new.principal).await?;
    let ou = bearer.as_ref().map_or(work.org.root_ou, |user| user.meta.ou);

    work.about(&ApiToken::KIND, new.token, "create", ou);
    may_create(work, new, ou)?;
    work.replay().await?;

    bearer.iter().try_for_each(refuse_archived)?;
    let name = kind.derived_name(&spec)?.unwrap_or_default();
    let row = RecordRow {
        kind: ApiToken::KIND,
        unique_key: kind.unique_key(ou, &name),
        meta: Metadata {
            id: new.token,
            org: work.org.id,
            ou,
            name,
            version: 1,
            generation: 1,
            stage: Stage::Live,
            created_at: work.now,
            updated_at: work.now,
            labels: Labels::default(),
            managed: Map::new(),
        },
        status: value(&ApiTokenStatus { digest: new.digest, last_used_at: None })?,
        refs: kind.references(&spec)?.into_iter().map(|reference| reference.target).collect(),
        spec,
    };
    refuse_taken_name(work, &kind, &row).await?;
    if work.plane.store.record(work.org.id, &row.key()).await?.is_some() {
        return Err(Conflict::NameTaken { kind: row.kind.to_string(), name: new.token.to_string() }.into());
    }
    let mut draft = Draft::new(Some(row.clone()), Change::default());
    draft.created = true;
    draft.expect.push(Precondition::RecordVersion { key: row.key(), version: 0 });
    draft.expect.extend(row.refs.iter().cloned().map(Precondition::Live));
    draft.change.after = json!({ "ou": work.path(ou), "spec": row.spec });
    draft.write.push(Write::PutRecord(Box::new(row)));
    Ok(draft)
}

/// Checks and writes a `revoke_api_token`; one that is revoked already is unchanged.
pub(crate) async fn revoke_api_token(work: &mut Work<'_>, token: ResourceId) -> Step<Draft> {
    let (row, record) = work.record::<ApiToken>(token).await?;
    work.about(&ApiToken::KIND, token, "revoke", row.meta.ou);
    if !(is_own(work, &record.spec.principal) && in_person(work)) {
        work.require(Permission::TOKEN_REVOKE, row.meta.ou)?;
    }
    work.replay().await?;

    if !row.is_live() {
        return Ok(Draft::unchanged(row));
    }
    let mut next = row.clone();
    next.meta.stage = Stage::Archived;
    next.meta.version += 1;
    next.meta.updated_at = work.now;
    let mut draft = Draft::new(Some(next.clone()), Change::default());
    draft.change.before = json!({ "ou": work.path(row.meta.ou), "spec": row.spec });
    draft.change.after = json!({ "revoked": true });
    draft.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
    draft.write.push(Write::PutRecord(Box::new(next)));
    Ok(draft)
}

/// The record of the user the token is for; a service has none.
async fn bearer(work: &Work<'_>, principal: &Principal) -> Result<Option<RecordRow>> {
    match principal {
        Principal::User(user) => Ok(Some(work.row(&ResourceKey::of::<User>(*user)).await?)),
        _ => Ok(None),
    }
}

/// One's own token needs oneself, in person. That of others needs the permission at their home, and nobody comes by what
/// they do not hold (sem. 2.2.6): whoever has the text acts with it, wherever its principal may. A token makes none: one
/// that leaked could outlive its own end so. Nor does an agent: it acts for people, and has nobody to give it to.
fn may_create(work: &Work<'_>, new: NewToken<'_>, ou: ResourceId) -> Result<()> {
    let own = is_own(work, new.principal);
    if own && in_person(work) {
        return Ok(());
    }
    let by_token = matches!(work.caller.token, TokenKind::Api | TokenKind::Delegated);
    if by_token || matches!(work.caller.principal, Principal::Agent(_)) {
        return Err(Error::Denied(Box::new(work.decide(Permission::TOKEN_CREATE, ou).beyond_ceiling())));
    }
    work.require(Permission::TOKEN_CREATE, ou)?;
    work.require_all(new.scopes.iter().copied().collect(), work.org.root_ou)
}

/// Whether the token is the caller's own, and the caller is somebody who may act.
fn is_own(work: &Work<'_>, principal: &Principal) -> bool {
    work.caller.principal == *principal && work.snapshot.covers(principal, principal)
}

fn in_person(work: &Work<'_>) -> bool {
    matches!(work.caller.token, TokenKind::Embedded | TokenKind::Access)
        && work.caller.ceiling.is_none()
        && work.caller.delegated_from_session.is_none()
}

fn check_expiry(work: &Work<'_>, expires_at: Timestamp) -> Result<()> {
    let most = work.plane.limits.api_token_lifetime.min(MAX_LIFETIME);
    if expires_at > work.now && expires_at.since(work.now) <= most {
        return Ok(());
    }
    let allowed = format!("a moment within the next {} days", most.as_secs() / (24 * 3600));
    Err(Invalid::new("expires_at", expires_at, allowed).within("spec").into())
}

fn value<T: Serialize>(of: &T) -> Result<Value> {
    serde_json::to_value(of).map_err(|error| Error::from(Invalid::new("spec", error, "what JSON can hold")))
}
