//! Confirming in advance what one will do oneself, and taking that back (sem. 2.8).

use crate::approval::electorate::person;
use crate::approval::{StandingConsent, StandingConsentSpec};
use crate::audit::Change;
use crate::clock::Timestamp;
use crate::door::work::{Draft, Step, Work, refuse_archived};
use crate::error::{Error, Result};
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::labels::Labels;
use crate::permission::Permission;
use crate::record::{Metadata, RecordRow, ResourceKey, Schema, Stage};
use crate::resource::ou::Ou;
use crate::resource::user::User;
use crate::store::{Precondition, Write};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How far ahead a consent may reach.
const LONGEST: Duration = Duration::from_secs(90 * 24 * 3600);

/// A consent as it is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Consent<'a> {
    pub(crate) ou: ResourceId,
    pub(crate) verbs: &'a [String],
    pub(crate) uses: u32,
    pub(crate) expires_at: Timestamp,
    pub(crate) delegated: bool,
}

/// Checks and writes a `grant_consent`. It is a vote in advance, so it needs what a vote needs.
pub(crate) async fn grant(work: &mut Work<'_>, consent: Consent<'_>) -> Step<Draft> {
    check(&consent, work.now)?;
    let ou = work.row(&ResourceKey::of::<Ou>(consent.ou)).await?;
    let id = ResourceId::generate(work.now, work.plane.entropy.as_ref());
    work.about(&StandingConsent::KIND, id, "create", consent.ou);
    let user = person(work.caller).map_err(Error::from)?;
    work.require(Permission::APPROVAL_DECIDE, consent.ou)?;
    work.replay().await?;

    refuse_archived(&ou)?;
    let spec = StandingConsentSpec {
        user,
        verbs: consent.verbs.to_vec(),
        uses: consent.uses,
        expires_at: consent.expires_at,
        delegated: consent.delegated,
    };
    let spec = serde_json::to_value(&spec).map_err(|e| Invalid::new("spec", e, "what JSON can hold"))?;
    let name = id.to_string();
    let row = RecordRow {
        kind: StandingConsent::KIND,
        meta: Metadata {
            id,
            org: work.org.id,
            ou: consent.ou,
            version: 1,
            generation: 1,
            stage: Stage::Live,
            created_at: work.now,
            updated_at: work.now,
            labels: Labels::default(),
            managed: Map::new(),
            name: name.clone(),
        },
        spec: spec.clone(),
        status: Value::Null,
        unique_key: name,
        refs: vec![ResourceKey::of::<User>(user)],
    };
    let change = Change { after: json!({ "ou": work.path(consent.ou), "spec": spec }), ..Change::default() };
    let mut draft = Draft::new(Some(row.clone()), change);
    draft.created = true;
    draft.expect.push(Precondition::Live(ResourceKey::of::<Ou>(consent.ou)));
    draft.expect.push(Precondition::Live(ResourceKey::of::<User>(user)));
    draft.expect.push(Precondition::RecordVersion { key: row.key(), version: 0 });
    draft.write.push(Write::PutRecord(Box::new(row)));
    Ok(draft)
}

/// Checks and writes a `revoke_consent`: by whoever gave it, or who holds `consent:decide` there.
pub(crate) async fn revoke(work: &mut Work<'_>, consent: ResourceId) -> Step<Draft> {
    let (row, record) = work.record::<StandingConsent>(consent).await?;
    work.about(&StandingConsent::KIND, consent, "archive", row.meta.ou);
    if person(work.caller) != Ok(record.spec.user) {
        work.require(Permission::CONSENT_DECIDE, row.meta.ou)?;
    }
    work.replay().await?;

    if !row.is_live() {
        return Ok(Draft::unchanged(row));
    }
    let change = Change { before: json!({ "spec": row.spec, "status": row.status }), ..Change::default() };
    let mut next = row.clone();
    next.meta.version += 1;
    next.meta.stage = Stage::Archived;
    next.meta.updated_at = work.now;
    let mut draft = Draft::new(Some(next.clone()), change);
    // What somebody takes back needs nobody's approval.
    draft.ungated = true;
    draft.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
    draft.write.push(Write::PutRecord(Box::new(next)));
    Ok(draft)
}

fn check(consent: &Consent<'_>, now: Timestamp) -> Result<()> {
    if !(1..=50).contains(&consent.verbs.len()) {
        return Err(Invalid::new("verbs", consent.verbs.len(), "1 to 50 verbs").into());
    }
    for (index, verb) in consent.verbs.iter().enumerate() {
        let plain =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let good =
            verb.len() <= 128 && verb.split_once('.').is_some_and(|(kind, word)| plain(kind) && plain(word));
        if !good {
            let allowed = "a verb of the audit trail, such as `agent.update`";
            return Err(Invalid::new(format!("verbs[{index}]"), verb, allowed).into());
        }
    }
    if !(1..=1000).contains(&consent.uses) {
        return Err(Invalid::new("uses", consent.uses, "1 to 1000").into());
    }
    if consent.expires_at <= now || consent.expires_at > now + LONGEST {
        let allowed = "a moment within the next 90 days";
        return Err(Invalid::new("expires_at", consent.expires_at, allowed).into());
    }
    Ok(())
}
