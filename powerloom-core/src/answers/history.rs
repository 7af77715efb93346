//! Since when, and until when: how one decision changed over the audit chain.

use crate::answers::undo::Past;
use crate::answers::{About, Answers};
use crate::authz::{AuthzSnapshot, Decision};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::ResourceId;
use crate::invalid::Invalid;
use crate::permission::Permission;
use crate::principal::Principal;
use serde::Serialize;

/// Most changes of authorization one history looks at: each is compiled anew.
const MAX_TURNS: usize = 1000;

/// How one decision changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AccessHistory))]
#[non_exhaustive]
pub struct History {
    /// The stretches in which the answer was the same, oldest first; the last one goes on.
    pub intervals: Vec<Interval>,
}

/// A stretch of time in which the answer was the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AccessInterval))]
#[non_exhaustive]
pub struct Interval {
    /// What began it; for the first one, the entry at which the history begins.
    pub from: Turn,
    /// What ended it; `None`: it goes on.
    #[cfg_attr(feature = "schema", schema(required))]
    pub until: Option<Turn>,
    /// The decision at its beginning.
    pub decision: Decision,
}

/// What changed an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AccessTurn))]
#[serde(tag = "by", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "nothing else changes an answer")]
pub enum Turn {
    /// A change.
    Change {
        /// The audit entry that says who made it.
        seq: u64,
        /// When.
        at: Timestamp,
    },
    /// A binding expired.
    Expiry {
        /// Which.
        binding: ResourceId,
        /// When.
        at: Timestamp,
    },
}

impl Answers<'_> {
    /// Tells since when `who` may, or may not, do `permission` at `ou`, from audit entry `from_seq` on: each
    /// stretch with the entry, or the expiry, that began and ended it.
    ///
    /// By name it is whoever is called so now; by id it may be somebody who is gone.
    ///
    /// It looks at up to 1000 changes of authorization, one snapshot compiled for each.
    ///
    /// # Errors
    /// As [`as_of`](Self::as_of); [`Error::Invalid`](crate::error::Error::Invalid) if more changes lie between.
    ///
    /// # Examples
    /// ```
    /// use powerloom_core::answers::About;
    /// use powerloom_core::control_plane::ControlPlane;
    /// use powerloom_core::permission::Permission;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let loom = ControlPlane::builder(powerloom_store::open("memory:").await?).build();
    /// let acme = loom.bootstrap(&"acme".parse()?, &"admin@acme.com".parse()?).await?;
    /// let admin = acme.admin_caller();
    /// let answers = loom.answers(&admin);
    /// let history = answers.history_of(About::Caller, Permission::AGENT_READ, acme.root_ou, 1).await?;
    /// assert_eq!(history.intervals.len(), 1);
    /// assert!(history.intervals[0].decision.is_allowed() && history.intervals[0].until.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn history_of(
        &self,
        who: impl Into<About<'_>>,
        permission: Permission,
        ou: ResourceId,
        from_seq: u64,
    ) -> Result<History> {
        let who = who.into();
        let read = self.read_since(from_seq).await?;
        let principal = match who {
            About::Principal(principal) => principal.clone(),
            named => {
                let snapshot = self.snapshot(Some(named), None).await?;
                named.resolve(self.caller, &snapshot).ok_or_else(|| named.unknown(self.caller))?
            }
        };
        if read.since.len() > MAX_TURNS {
            let allowed = format!("an entry with at most {MAX_TURNS} changes of authorization since");
            return Err(Invalid::new("from_seq", from_seq, allowed).into());
        }
        let (mut past, mut end) = (read.past, self.cp.plane.now());
        // Newest first, as they are undone.
        let mut stretches: Vec<Vec<(Turn, Decision)>> = Vec::new();
        for entry in read.since.iter().rev().chain([&read.first]) {
            let snapshot = past.compile(self.caller.org)?;
            let (seq, at) = (entry.row.seq, entry.row.ts);
            let asked = Asked { principal: &principal, permission, ou };
            stretches.push(asked.between(&past, &snapshot, Turn::Change { seq, at }, end));
            end = at;
            if seq != from_seq {
                past.undo(&self.cp.plane.catalogue, entry)?;
            }
            // Compiling is work of the processor: others get their turn in between.
            tokio::task::yield_now().await;
        }
        let mut intervals: Vec<Interval> = Vec::new();
        for (turn, decision) in stretches.into_iter().rev().flatten() {
            match intervals.last_mut() {
                Some(last) if last.decision.verdict == decision.verdict => {}
                last => {
                    if let Some(last) = last {
                        last.until = Some(turn);
                    }
                    intervals.push(Interval { from: turn, until: None, decision });
                }
            }
        }
        Ok(History { intervals })
    }
}

struct Asked<'a> {
    principal: &'a Principal,
    permission: Permission,
    ou: ResourceId,
}

impl Asked<'_> {
    /// The decisions from `turn` to `end`, while only time passes: bindings expire.
    fn between(
        &self,
        past: &Past,
        snapshot: &AuthzSnapshot,
        turn: Turn,
        end: Timestamp,
    ) -> Vec<(Turn, Decision)> {
        let (mut turn, mut found) = (turn, Vec::new());
        loop {
            let (Turn::Change { at, .. } | Turn::Expiry { at, .. }) = turn;
            let decision = snapshot.decide(self.principal, self.permission, self.ou, at);
            let ends = decision.bindings.iter().filter_map(|by| {
                let binding = by.binding?;
                Some((past.expiry(binding)?, binding))
            });
            // Only what speaks about it now can change the answer by expiring.
            let next = ends.filter(|(expiry, _)| at < *expiry && *expiry <= end).min();
            found.push((turn, decision));
            match next {
                Some((at, binding)) => turn = Turn::Expiry { binding, at },
                None => return found,
            }
        }
    }
}
