//! Minting and rotating the bearer of a credential (rows P66, P67; sem. 2.6).

use crate::audit::Change;
use crate::door::work::{Draft, Step, Work, refuse_archived, refuse_other_version};
use crate::error::{Error, Result};
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::labels::Labels;
use crate::permission::Permission;
use crate::record::{Metadata, Record, RecordRow, ResourceKey, Schema, Stage};
use crate::resource::credential::{Credential, CredentialStatus};
use crate::resource::mcp_server::McpServer;
use crate::resource::vault::{Vault, VaultSpec};
use crate::secret::{Fingerprint, SealContext, SealedSecret, mint_bearer};
use crate::store::{Precondition, Write};
use serde_json::{Map, Value, json};

impl Work<'_> {
    /// Gives a new credential its bearer and, if it is the agent's first, the agent its vault.
    ///
    /// Returns the rows to put, the credential first.
    pub(crate) async fn furnish_credential(
        &self,
        mut row: RecordRow,
        draft: &mut Draft,
    ) -> Result<Vec<RecordRow>> {
        let credential = Record::<Credential>::read(&row)?;
        let (vault, new_vault) = self.vault_of(credential.spec.agent, &row).await?;
        refuse_archived(&vault)?;
        let siblings = self.plane.store.referrers(self.org.id, &vault.key()).await?;
        let most = self.plane.limits.vault_credentials;
        if siblings.len() >= most {
            let allowed = format!("an agent with fewer than {most} credentials");
            return Err(Invalid::new("agent_path", credential.spec.agent, allowed).within("metadata").into());
        }
        self.refuse_taken_url(credential.spec.mcp_server, &siblings).await?;
        // Counted and compared: none may come or go until this one is there.
        draft.expect.push(Precondition::ReferredBy {
            target: vault.key(),
            by: siblings.iter().map(RecordRow::key).collect(),
        });
        let (sealed, fingerprint) = self.mint(&row).await?;
        row.status = status(vault.meta.id, fingerprint)?;
        row.refs.push(vault.key());
        draft.write.push(Write::PutSecret { owner: row.meta.id, sealed });
        if new_vault {
            draft.expect.push(Precondition::RecordVersion { key: vault.key(), version: 0 });
            Ok(vec![row, vault])
        } else {
            draft.expect.push(Precondition::Live(vault.key()));
            Ok(vec![row])
        }
    }

    /// A vault of the runtime has at most one credential for a URL (sem. 2.5); two servers may share one.
    async fn refuse_taken_url(&self, server: ResourceId, siblings: &[RecordRow]) -> Result<()> {
        let mut servers = vec![ResourceKey::of::<McpServer>(server)];
        for sibling in siblings {
            servers.push(ResourceKey::of::<McpServer>(Record::<Credential>::read(sibling)?.spec.mcp_server));
        }
        let rows = self.plane.store.records(self.org.id, &servers).await?;
        let url = |row: &RecordRow| Ok::<_, Error>(Record::<McpServer>::read(row)?.spec.url);
        let own = rows.iter().find(|row| row.meta.id == server).map(url).transpose()?.flatten();
        let Some(own) = own else { return Ok(()) };
        for row in rows.iter().filter(|row| row.meta.id != server) {
            if url(row)?.is_some_and(|url| url == own) {
                let allowed = "a server whose URL no other credential of the agent is for";
                let field = "mcp_registration_path";
                return Err(Invalid::new(field, server, allowed).within("metadata").into());
            }
        }
        Ok(())
    }

    /// The agent's vault, or a new one (sem. 2.4: one vault per agent).
    async fn vault_of(&self, agent: ResourceId, credential: &RecordRow) -> Result<(RecordRow, bool)> {
        let name = agent.to_string();
        let kind = self.plane.catalogue.kind(&Vault::KIND)?;
        let unique_key = kind.unique_key(credential.meta.ou, &name);
        if let Some(vault) =
            self.plane.store.record_by_unique_key(self.org.id, &Vault::KIND, &unique_key).await?
        {
            return Ok((vault, false));
        }
        let spec = serde_json::to_value(VaultSpec { agent })
            .map_err(|error| Error::from(Invalid::new("spec", error, "what JSON can hold")))?;
        let vault = RecordRow {
            refs: kind.references(&spec)?.into_iter().map(|reference| reference.target).collect(),
            kind: Vault::KIND,
            meta: Metadata {
                id: ResourceId::generate(self.now, self.plane.entropy.as_ref()),
                name,
                version: 1,
                generation: 1,
                stage: Stage::Live,
                labels: Labels::default(),
                managed: Map::new(),
                ..credential.meta.clone()
            },
            spec,
            status: Value::Null,
            unique_key,
        };
        Ok((vault, true))
    }

    /// Mints a bearer and seals it for `row`. Nobody ever sees it in the clear but the runtime.
    async fn mint(&self, row: &RecordRow) -> Result<(SealedSecret, Fingerprint)> {
        let bearer = mint_bearer(self.plane.entropy.as_ref());
        let fingerprint = Fingerprint::of(&bearer);
        let id = row.meta.id.to_string();
        let kind = Credential::KIND;
        let context = SealContext { org: self.org.id, kind: kind.as_str(), row: &id };
        Ok((self.plane.sealer()?.seal(&context, &bearer).await?, fingerprint))
    }
}

/// Checks and writes a `rotate`: the new bearer is pushed, the old one dies on the runtime.
pub(crate) async fn rotate(work: &mut Work<'_>, id: ResourceId, expect: Option<u64>) -> Step<Draft> {
    let (row, credential) = work.record::<Credential>(id).await?;
    work.about(&Credential::KIND, id, "rotate", row.meta.ou);
    work.require(Permission::CREDENTIAL_CREATE, row.meta.ou)?;
    work.replay().await?;

    refuse_archived(&row)?;
    refuse_other_version(&row, expect)?;
    let vault = credential.status.vault.ok_or_else(|| Error::not_found("vault of credential", id))?;
    let (sealed, fingerprint) = work.mint(&row).await?;
    let mut next = row.clone();
    next.status = status(vault, fingerprint)?;
    next.meta.version += 1;
    next.meta.updated_at = work.now;
    let change = Change {
        // In short: enough to tell that it is another one, as with whatever is redacted.
        before: json!({ "fingerprint": format!("sha256:{:.16}", credential.status.fingerprint) }),
        after: json!({ "fingerprint": fingerprint.short() }),
        ..Change::default()
    };
    let mut draft = Draft::new(Some(next.clone()), change);
    draft.expect.push(Precondition::RecordVersion { key: row.key(), version: row.meta.version });
    draft.expect.push(Precondition::Live(ResourceKey::of::<Vault>(vault)));
    draft.write.push(Write::PutSecret { owner: id, sealed });
    work.desire(std::slice::from_ref(&next), &mut draft).await?;
    draft.write.push(Write::PutRecord(Box::new(next)));
    Ok(draft)
}

fn status(vault: ResourceId, fingerprint: Fingerprint) -> Result<Value> {
    let status = CredentialStatus { vault: Some(vault), fingerprint: fingerprint.to_string() };
    serde_json::to_value(status).map_err(|error| Invalid::new("status", error, "what JSON can hold").into())
}
