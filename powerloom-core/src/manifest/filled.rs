//! A step as the change that is submitted. Pure: whoever carries a plan out, at once or later, submits the same.

use crate::door::mutation::{Action, Mutation};
use crate::error_kind::ErrorKind;
use crate::id::ResourceId;
use crate::manifest::hole::{OU, fill};
use crate::manifest::plan::{Observed, Step, Verb};
use crate::manifest::target::Target;
use crate::record::ResourceKey;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Why a step is no change that could be submitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unready {
    /// It refers to something that has not been made yet.
    #[error("{target} was not made by this plan")]
    NotMade {
        /// What.
        target: Target,
    },
    /// It says that an id belongs where there is no place for one.
    #[error("the plan has no `{pointer}`")]
    NoPlace {
        /// Where.
        pointer: String,
    },
    /// It changes something without saying which version it saw.
    #[error("the plan does not say which version of {target} it saw")]
    Unobserved {
        /// What.
        target: Target,
    },
    /// There is nothing to do.
    #[error("nothing is to be done to {target}")]
    Nothing {
        /// To what.
        target: Target,
    },
}

impl Unready {
    /// Always [`ErrorKind::Invalid`]: the plan is not one this program made.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl Step {
    /// The change that makes the resource as wanted, with the ids of what was `made` before it in its places.
    ///
    /// Of a [`Verb::Replace`] it is the second of two: [`removal`](Self::removal) comes first.
    ///
    /// # Errors
    /// [`Unready::Nothing`] for a [`Verb::Noop`]; [`Unready::NotMade`] if something it refers to is not in `made`; the
    /// others for a plan that was tampered with.
    pub fn mutation(&self, made: &BTreeMap<Target, ResourceId>) -> Result<Mutation, Unready> {
        let action = match self.verb {
            Verb::Noop => return Err(Unready::Nothing { target: self.target.clone() }),
            Verb::Archive => return self.removal(),
            Verb::Update => {
                let (target, version) = self.seen()?;
                Action::Update { target, expect: Some(version), patch: self.filled(made)?.1 }
            }
            Verb::Create | Verb::Replace => {
                let (ou, spec) = self.filled(made)?;
                Action::Create { kind: self.target.kind.clone(), ou, name: self.name.clone(), spec }
            }
        };
        Ok(Mutation { labels: self.labels.clone(), managed: self.managed.clone(), ..action.into() })
    }

    /// The change that takes the resource out of use, as it was seen.
    ///
    /// # Errors
    /// [`Unready::Unobserved`] if the step does not say what it saw, as one that creates does not.
    pub fn removal(&self) -> Result<Mutation, Unready> {
        let (target, version) = self.seen()?;
        Ok(Action::Archive { target, expect: Some(version) }.into())
    }

    /// The record the step was made from, and its version.
    pub(crate) fn seen(&self) -> Result<(ResourceKey, u64), Unready> {
        match self.observed {
            Some(Observed { id, version }) => {
                Ok((ResourceKey { kind: self.target.kind.clone(), id }, version))
            }
            None => Err(Unready::Unobserved { target: self.target.clone() }),
        }
    }

    /// OU and payload with the ids of what was made.
    fn filled(
        &self,
        made: &BTreeMap<Target, ResourceId>,
    ) -> Result<(Option<ResourceId>, Map<String, Value>), Unready> {
        let mut ou = self.ou;
        let mut payload = Value::Object(self.payload.clone());
        for hole in &self.holes {
            let Some(id) = made.get(&hole.target) else {
                return Err(Unready::NotMade { target: hole.target.clone() });
            };
            if hole.pointer == OU {
                ou = Some(*id);
            } else if !fill(&mut payload, &hole.pointer, *id) {
                return Err(Unready::NoPlace { pointer: hole.pointer.clone() });
            }
        }
        Ok((ou, payload.as_object_mut().map(std::mem::take).unwrap_or_default()))
    }
}
