//! Whether an actor may redeem a delegation token: pure.

use crate::token::exchange::actors::RegisteredActor;
use crate::token::exchange::error::ExchangeError;
use crate::token::exchange::lineage::Lineage;
use crate::token::exchange::scope::ScopeSet;

/// What is judged.
#[derive(Debug)]
pub(super) struct Redemption<'a> {
    /// The scopes of the subject token.
    pub(super) subject: &'a ScopeSet,
    /// The outermost actor of the subject token, with its ancestors.
    pub(super) parent: &'a Lineage,
    /// Who redeems it.
    pub(super) actor: &'a RegisteredActor,
    /// What is wanted.
    pub(super) wanted: &'a ScopeSet,
}

impl Redemption<'_> {
    /// Judges every rule; what is wanted is had as a whole or not at all.
    pub(super) fn judge(&self) -> Result<(), ExchangeError> {
        let refused = |problem| Err(ExchangeError::Actor { problem });
        let Some(parent) = self.parent.actor() else { return refused("it has no parent") };
        let actor = self.actor;
        if actor.parent != Some(parent.id) {
            return refused("it was not started by whoever the token is from");
        }
        if actor.user != parent.user || actor.tenant != parent.tenant {
            return refused("it works for another user or tenant");
        }
        if let Some(stranger) = self.parent.stranger() {
            return Err(ExchangeError::Chain { actor: stranger.subject() });
        }
        if !parent.policy.children.contains(&actor.kind) {
            return refused("its kind is none of the parent's children");
        }
        let (depth, limit) = (self.parent.depth().saturating_add(1), self.parent.depth_limit());
        if depth > limit {
            return Err(ExchangeError::Depth { depth, limit });
        }
        check_scope(self.wanted, &[self.subject, &parent.policy.grantable])
    }
}

/// Whether `wanted` is something, and within each of `bounds`.
pub(super) fn check_scope(wanted: &ScopeSet, bounds: &[&ScopeSet]) -> Result<(), ExchangeError> {
    if wanted.is_empty() {
        return Err(ExchangeError::Scope { problem: "none is asked for" });
    }
    if bounds.iter().all(|bound| wanted.is_subset(bound)) {
        Ok(())
    } else {
        Err(ExchangeError::Scope { problem: "more is asked for than may be had" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ResourceId;
    use crate::token::exchange::actors::{ActorStatus, DelegationPolicy};
    use crate::token::exchange::scope::Scope;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn id(n: u128) -> ResourceId {
        ResourceId::from_uuid(uuid::Uuid::from_u128(n))
    }

    fn scopes(letters: impl IntoIterator<Item = char>) -> ScopeSet {
        letters.into_iter().map(|letter| letter.to_string().parse::<Scope>().unwrap()).collect()
    }

    fn actor(n: u128, parent: Option<u128>, policy: DelegationPolicy) -> RegisteredActor {
        RegisteredActor {
            id: id(n),
            kind: format!("kind-{n}").parse().unwrap(),
            parent: parent.map(id),
            user: id(1000),
            tenant: None,
            status: ActorStatus::Active,
            own: ScopeSet::default(),
            policy,
        }
    }

    fn policy(grantable: ScopeSet, max_depth: Option<u32>) -> DelegationPolicy {
        DelegationPolicy { children: ["kind-9".parse().unwrap()].into(), grantable, max_depth }
    }

    fn letters() -> impl Strategy<Value = BTreeSet<char>> {
        proptest::collection::btree_set(proptest::char::range('a', 'f'), 0..6)
    }

    proptest! {
        /// Sem. 2.10, Exchange: what comes out is within what went in and what may be handed on, whatever is asked for,
        /// and nothing comes out that is empty or was not asked for.
        #[test]
        fn an_exchange_gives_what_is_asked_for_and_within_both_bounds_or_nothing(
            subject in letters(), grantable in letters(), wanted in letters(),
        ) {
            let parent = Lineage(vec![actor(1, None, policy(scopes(grantable.clone()), None))]);
            let redemption = Redemption {
                subject: &scopes(subject.clone()),
                parent: &parent,
                actor: &actor(9, Some(1), DelegationPolicy::default()),
                wanted: &scopes(wanted.clone()),
            };
            let fits = !wanted.is_empty() && wanted.is_subset(&subject) && wanted.is_subset(&grantable);
            match redemption.judge() {
                Ok(()) => prop_assert!(fits),
                Err(error) => {
                    prop_assert!(!fits);
                    prop_assert_eq!(error.code(), "invalid_scope");
                }
            }
        }

        /// Sem. 2.12: the limit is the minimum over all ancestors and the platform's own.
        #[test]
        fn the_smallest_limit_of_all_ancestors_holds(
            limits in proptest::collection::vec(proptest::option::of(1u32..12), 1..9),
        ) {
            let count = u128::try_from(limits.len()).unwrap();
            let ancestors: Vec<_> = limits
                .iter()
                .zip((1..=count).rev())
                .map(|(limit, n)| actor(n, (n > 1).then_some(n - 1), policy(scopes(['a']), *limit)))
                .collect();
            let redemption = Redemption {
                subject: &scopes(['a']),
                parent: &Lineage(ancestors),
                actor: &RegisteredActor { kind: "kind-9".parse().unwrap(), ..actor(99, Some(count), DelegationPolicy::default()) },
                wanted: &scopes(['a']),
            };
            let depth = u32::try_from(count).unwrap() + 1;
            let limit = limits.iter().copied().flatten().min().unwrap_or(8).min(8);
            match redemption.judge() {
                Ok(()) => prop_assert!(depth <= limit),
                Err(ExchangeError::Depth { .. }) => prop_assert!(depth > limit),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }

    #[test]
    fn a_stranger_is_refused_whatever_matches_otherwise() {
        let parent = Lineage(vec![actor(1, None, policy(scopes(['a']), None))]);
        let child = actor(9, Some(1), DelegationPolicy::default());
        let judge = |actor: RegisteredActor| {
            let scopes = scopes(['a']);
            Redemption { subject: &scopes, parent: &parent, actor: &actor, wanted: &scopes }.judge()
        };
        assert!(judge(child.clone()).is_ok());
        for stranger in [
            RegisteredActor { parent: Some(id(2)), ..child.clone() },
            RegisteredActor { parent: None, ..child.clone() },
            RegisteredActor { user: id(1001), ..child.clone() },
            RegisteredActor { tenant: Some("other".parse().unwrap()), ..child.clone() },
            RegisteredActor { kind: "kind-8".parse().unwrap(), ..child.clone() },
        ] {
            assert_eq!(judge(stranger.clone()).unwrap_err().code(), "unauthorized_client", "{stranger:?}");
        }
    }
}
