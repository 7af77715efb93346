//! Which OUs: the filter of a list.

use crate::authz::data::Effect;
use crate::authz::ground::{Ground, Span, Standing};
use crate::authz::snapshot::AuthzSnapshot;
use crate::clock::Timestamp;
use crate::id::ResourceId;
use crate::permission::Permission;
use crate::principal::Principal;
use std::fmt;
use std::sync::Arc;

/// A set of OUs, as few consecutive stretches of the tree's pre-order; testing one is a look-up and a binary search.
#[derive(Clone)]
pub struct OuFilter {
    ground: Arc<Ground>,
    /// Sorted, disjoint, not empty.
    spans: Vec<Span>,
}

impl AuthzSnapshot {
    /// The OUs where `principal` may do `permission`: what a list shows is what one by one would be allowed.
    #[must_use]
    pub fn visible(&self, principal: &Principal, permission: Permission, now: Timestamp) -> OuFilter {
        let actor = self.ground.subject(principal).and_then(|subject| self.ground.actor(subject));
        let actor =
            actor.filter(|actor| actor.standing == Standing::Live && actor.within.contains(permission));
        let Some(actor) = actor else {
            return OuFilter { ground: Arc::clone(&self.ground), spans: Vec::new() };
        };
        let (mut allowed, mut denied) = (Vec::new(), Vec::new());
        if self.ground.agent_runtime.contains(permission) {
            allowed.push(actor.runtime);
        }
        for (_, _, grant) in self.grants_reached(actor) {
            if self.permissions(grant).contains(permission) && grant.is_live(now) {
                match grant.effect {
                    Effect::Allow => allowed.push(grant.span),
                    Effect::Deny => denied.push(grant.span),
                }
            }
        }
        OuFilter { ground: Arc::clone(&self.ground), spans: subtract(&merge(allowed), &merge(denied)) }
    }
}

impl OuFilter {
    /// Whether the OU is in the set.
    #[must_use]
    pub fn contains(&self, ou: ResourceId) -> bool {
        self.ground.ou(ou).is_some_and(|ou| {
            let after = self.spans.partition_point(|span| span.start <= ou);
            after.checked_sub(1).and_then(|place| self.spans.get(place)).is_some_and(|span| span.contains(ou))
        })
    }

    /// Whether no OU is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether every OU is in the set.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.spans.first() == Some(&self.ground.all_ous())
    }

    /// The OUs of the set, in pre-order.
    pub fn iter(&self) -> impl Iterator<Item = ResourceId> + '_ {
        self.spans.iter().flat_map(|span| {
            let ous = self.ground.ous.get(span.start as usize..span.end as usize).unwrap_or_default();
            ous.iter().map(|ou| ou.id)
        })
    }
}

impl fmt::Debug for OuFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Sorted and joined where they touch.
fn merge(mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|span| span.start < span.end);
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

/// What is in `spans` and not in `holes`; both merged.
fn subtract(spans: &[Span], holes: &[Span]) -> Vec<Span> {
    let mut left = Vec::with_capacity(spans.len());
    for span in spans {
        let mut start = span.start;
        for hole in holes.iter().filter(|hole| hole.start < span.end && hole.end > span.start) {
            if start < hole.start {
                left.push(Span { start, end: hole.start });
            }
            start = start.max(hole.end);
        }
        if start < span.end {
            left.push(Span { start, end: span.end });
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(bounds: &[(u32, u32)]) -> Vec<Span> {
        bounds.iter().map(|&(start, end)| Span { start, end }).collect()
    }

    #[test]
    fn spans_are_joined_and_cut() {
        let merged = merge(spans(&[(5, 9), (0, 2), (2, 3), (6, 7), (4, 4)]));
        assert_eq!(merged, spans(&[(0, 3), (5, 9)]));
        assert_eq!(subtract(&merged, &spans(&[(1, 2), (6, 20)])), spans(&[(0, 1), (2, 3), (5, 6)]));
        assert_eq!(subtract(&merged, &spans(&[(0, 30)])), spans(&[]));
    }
}
