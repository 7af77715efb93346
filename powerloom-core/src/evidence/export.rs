//! The chain as a file: what a caller takes away to keep or verify elsewhere.

use crate::audit::Break;
use crate::audit::export::{EXPORT_FORMAT, EXPORT_VERSION, ExportHeader, write_entry};
use crate::audit::note::SignedNote;
use crate::control_plane::ControlPlane;
use crate::door::caller::Caller;
use crate::error::{Error, Result};
use crate::id::OrgId;
use crate::invalid::Invalid;
use crate::permission::Permission;
use crate::store::Store;
use bytes::Bytes;
use futures::Stream;
use futures::stream::try_unfold;
use std::sync::Arc;

/// How many entries one piece of an export has at most.
const PAGE: usize = 256;

/// Which part of a chain is exported: all of it unless said otherwise.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ExportScope {
    from: Option<u64>,
    to: Option<u64>,
    checkpoint: Option<SignedNote>,
}

impl ExportScope {
    /// Begins with this entry.
    pub const fn from(mut self, seq: u64) -> Self {
        self.from = Some(seq);
        self
    }

    /// Ends with this entry, or with the newest there is.
    pub const fn to(mut self, seq: u64) -> Self {
        self.to = Some(seq);
        self
    }

    /// Puts a checkpoint into the header, so that the file alone can be verified by whoever has the key.
    pub fn checkpoint(mut self, note: SignedNote) -> Self {
        self.checkpoint = Some(note);
        self
    }
}

/// An export on its way: JSON lines, a piece at a time, never more than a page of entries in memory.
#[derive(Debug)]
pub struct AuditExport {
    store: Arc<dyn Store>,
    org: OrgId,
    header: ExportHeader,
    begun: bool,
    after: u64,
}

impl AuditExport {
    /// The first line.
    #[must_use]
    pub const fn header(&self) -> &ExportHeader {
        &self.header
    }

    /// The next whole lines; `None` at the end. What was tampered with is exported as it is kept, for the verifier to say.
    ///
    /// # Errors
    /// The store's; [`Error::AuditBroken`] for kept bytes that are no line of an export at all.
    ///
    /// # Cancel safety
    /// Dropped, the same lines come next time.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        if !self.begun {
            let line = self.header.to_line()?;
            self.begun = true;
            return Ok(Some(line.into()));
        }
        let left = self.header.to.saturating_sub(self.after);
        let most = usize::try_from(left).unwrap_or(PAGE).min(PAGE);
        if most == 0 {
            return Ok(None);
        }
        let entries = self.store.audit_rows(self.org, self.after, most).await?;
        let mut lines = Vec::with_capacity(entries.len() * 1024);
        let mut after = self.after;
        for entry in entries.iter().filter(|entry| entry.row.seq <= self.header.to) {
            let seq = entry.row.seq;
            write_entry(entry, &mut lines).map_err(|_| Error::AuditBroken(Break::BadRowHash { seq }))?;
            after = seq;
        }
        self.after = after;
        Ok((!lines.is_empty()).then(|| lines.into()))
    }

    /// The same as a stream, which ends after the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes>> + Send {
        try_unfold(self, async |mut export| Ok(export.next().await?.map(|lines| (lines, export))))
    }
}

impl ControlPlane {
    /// Exports a part of the organization's chain. [The audit module](crate::audit) has the form of the lines.
    ///
    /// # Errors
    /// [`Error::Denied`] without `audit:export` at the root; [`Error::Invalid`] for a range that does not begin within the
    /// chain.
    ///
    /// # Examples
    /// ```
    /// use powerloom_core::audit::offline::{Given, verify_export};
    /// # use powerloom_core::control_plane::ControlPlane;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cp = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
    /// # let acme = cp.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
    /// # let admin = acme.admin_caller();
    /// let mut export = cp.export_audit(&admin, Default::default()).await?;
    /// let mut file = Vec::new();
    /// while let Some(lines) = export.next().await? {
    ///     file.extend_from_slice(&lines);
    /// }
    /// let report = verify_export(file.as_slice(), &Given::default())?;
    /// assert!(report.is_verified() && report.entries == 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn export_audit(&self, caller: &Caller, scope: ExportScope) -> Result<AuditExport> {
        let org = self.plane.org(caller.org).await?;
        self.require(caller, Permission::AUDIT_EXPORT, org.root_ou).await?;
        let head = self.plane.store.audit_head(org.id).await?;
        let from = scope.from.unwrap_or(1);
        if from == 0 || from > head.seq + 1 {
            return Err(Invalid::new("from", from, format!("1 to {}", head.seq + 1)).into());
        }
        let to = scope.to.unwrap_or(head.seq).min(head.seq);
        if to < from - 1 {
            return Err(Invalid::new("to", to, format!("at least {}", from - 1)).into());
        }
        let header = ExportHeader {
            checkpoint: scope.checkpoint.map(|note| note.to_string()),
            exported_at: self.plane.now(),
            format: EXPORT_FORMAT.to_owned(),
            from,
            head,
            org_id: org.id,
            slug: org.slug,
            to,
            v: EXPORT_VERSION,
        };
        Ok(AuditExport {
            store: self.plane.store.clone(),
            org: org.id,
            header,
            begun: false,
            after: from - 1,
        })
    }
}
