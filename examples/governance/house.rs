//! The organization of the story.

use crate::screen::{Ink, Screen};
use anyhow::{Context as _, ensure};
use powerloom_core::bootstrap::Organization;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::caller::Caller;
use powerloom_core::manifest::{ApplyOptions, Document, ParseMode, Through, apply, parse};
use powerloom_core::principal::PrincipalRef;
use std::path::Path;

/// Who there is, and what waits for whom.
const HOUSE: &str = include_str!("house.yaml");

pub(crate) struct House {
    pub(crate) loom: ControlPlane,
    pub(crate) org: Organization,
    /// OrgAdmin: on call tonight.
    pub(crate) admin: Caller,
    /// Builds agents.
    pub(crate) ada: Caller,
    /// Decide.
    pub(crate) grace: Caller,
    pub(crate) alan: Caller,
}

impl House {
    /// Makes the organization anew in `folder`.
    pub(crate) async fn open(folder: &Path, screen: Screen) -> anyhow::Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)
                .with_context(|| format!("`{}` cannot be emptied", folder.display()))?;
        }
        std::fs::create_dir_all(folder).with_context(|| format!("`{}` cannot be made", folder.display()))?;
        screen.step(1, "The rule", "in /acme/production, agents change only if two people agree");
        let store = powerloom_store::open(&format!("sqlite://{}", folder.join("loom.db").display())).await?;
        let loom = ControlPlane::builder(store).build();
        let org = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
        let admin = org.admin_caller();
        let through = Through::new(&loom, &admin);
        let report = apply(
            &through.plan(documents(&loom, "house.yaml", HOUSE)?).await?,
            &through,
            ApplyOptions::default(),
        )
        .await;
        ensure!(report.is_complete(), "the house could not be made:\n{report}");
        screen.block(&report);
        let snapshot = loom.authz(org.id).await?;
        let who = |written: &str| -> anyhow::Result<Caller> {
            let written: PrincipalRef = written.parse()?;
            let principal =
                snapshot.resolve(&written).with_context(|| format!("{written} does not exist"))?;
            Ok(Caller::new(org.id, principal))
        };
        let (ada, grace, alan) =
            (who("user:ada@acme.com")?, who("user:grace@acme.com")?, who("user:alan@acme.com")?);
        screen.line(Ink::Dim, "·", "ada builds agents; grace and alan decide; admin is on call");
        Ok(Self { loom, org, admin, ada, grace, alan })
    }
}

/// The documents of a manifest.
pub(crate) fn documents(loom: &ControlPlane, name: &str, text: &str) -> anyhow::Result<Vec<Document>> {
    Ok(parse(name, text, ParseMode::Strict, loom.catalogue())?.documents)
}
