//! Counting votes: pure, and anew each time, because the right to vote is judged when it is counted (sem. 2.8).

use crate::approval::request::{Ballot, Requirement, Vote};
use crate::id::ResourceId;
use std::collections::BTreeSet;

/// What the votes come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a new outcome must break whoever decides on one")]
pub enum Tally {
    /// Some requirement is not met yet.
    Open,
    /// All requirements are met.
    Approved,
    /// One requirement has as many refusals as end it.
    Rejected,
}

/// How many different people stand for and against one requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Count {
    /// People for it.
    pub approvals: usize,
    /// People against it.
    pub rejections: usize,
}

/// Counts the votes on `requirement` that `counts` lets count. One person counts once, with their latest vote.
pub fn count(requirement: &Requirement, votes: &[Vote], counts: impl Fn(&Vote) -> bool) -> Count {
    let mut seen: BTreeSet<ResourceId> = BTreeSet::new();
    let mut sum = Count::default();
    for vote in votes.iter().rev() {
        if vote.requirement == requirement.policy && seen.insert(vote.voter) && counts(vote) {
            match vote.ballot {
                Ballot::Approve => sum.approvals += 1,
                Ballot::Reject => sum.rejections += 1,
            }
        }
    }
    sum
}

/// What the votes come to: a rejection wins over an approval reached at the same moment.
///
/// Without any requirement nothing is ever approved.
pub fn tally(
    requirements: &[Requirement],
    votes: &[Vote],
    counts: impl Fn(&Requirement, &Vote) -> bool,
) -> Tally {
    let mut met = !requirements.is_empty();
    for requirement in requirements {
        let sum = count(requirement, votes, |vote| counts(requirement, vote));
        if sum.rejections >= at_least_one(requirement.reject_threshold) {
            return Tally::Rejected;
        }
        met &= sum.approvals >= at_least_one(requirement.quorum);
    }
    if met { Tally::Approved } else { Tally::Open }
}

/// A stored 0 never means "nobody need agree".
fn at_least_one(number: u32) -> usize {
    usize::try_from(number.max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::digest::Digest;
    use proptest::prelude::*;

    fn id(n: u8) -> ResourceId {
        ResourceId::from_uuid(uuid::Uuid::from_bytes([n; 16]))
    }

    fn requirement(policy: u8, quorum: u32, reject_threshold: u32) -> Requirement {
        Requirement {
            policy: id(policy),
            name: String::new(),
            ou: id(0),
            approvers: Vec::new(),
            quorum,
            reject_threshold,
            allow_self: false,
        }
    }

    fn vote(policy: u8, voter: u8, ballot: Ballot) -> Vote {
        Vote {
            requirement: id(policy),
            voter: id(voter),
            written: String::new(),
            ballot,
            payload_hash: Digest::ZERO,
            comment: None,
            at: Timestamp::default(),
        }
    }

    use Ballot::{Approve, Reject};

    /// Vector 4.6: quorum 2 with the same user twice = 1.
    #[test]
    fn one_person_counts_once_with_the_latest_vote() {
        let needs = [requirement(1, 2, 1)];
        let twice = [vote(1, 7, Approve), vote(1, 7, Approve)];
        assert_eq!(tally(&needs, &twice, |_, _| true), Tally::Open);
        let changed = [vote(1, 7, Reject), vote(1, 8, Approve), vote(1, 7, Approve)];
        assert_eq!(tally(&needs, &changed, |_, _| true), Tally::Approved);
    }

    /// Vector 4.6: root and child policy both match → both required.
    #[test]
    fn every_requirement_must_be_met() {
        let needs = [requirement(1, 1, 1), requirement(2, 1, 1)];
        assert_eq!(tally(&needs, &[vote(1, 7, Approve)], |_, _| true), Tally::Open);
        let both = [vote(1, 7, Approve), vote(2, 7, Approve)];
        assert_eq!(tally(&needs, &both, |_, _| true), Tally::Approved);
        let split = [vote(1, 7, Approve), vote(2, 7, Reject)];
        assert_eq!(tally(&needs, &split, |_, _| true), Tally::Rejected);
    }

    /// Vector 4.6: a member removed before the count → the vote does not count.
    #[test]
    fn a_vote_whose_right_is_gone_counts_neither_way() {
        let needs = [requirement(1, 1, 1)];
        assert_eq!(tally(&needs, &[vote(1, 7, Approve)], |_, vote| vote.voter != id(7)), Tally::Open);
        assert_eq!(tally(&needs, &[vote(1, 7, Reject)], |_, vote| vote.voter != id(7)), Tally::Open);
    }

    #[test]
    fn nothing_is_approved_by_nobody() {
        assert_eq!(tally(&[], &[], |_, _| true), Tally::Open);
        assert_eq!(tally(&[requirement(1, 0, 0)], &[], |_, _| true), Tally::Open);
    }

    proptest! {
        /// An approval has its quorum of different people in every requirement, whatever the votes.
        #[test]
        fn an_approval_always_has_its_quorum(
            quorums in prop::collection::vec(0u32..4, 1..4),
            cast in prop::collection::vec((0u8..4, 0u8..5, any::<bool>(), any::<bool>()), 0..30),
        ) {
            let needs: Vec<Requirement> =
                (0u8..).zip(&quorums).map(|(policy, quorum)| requirement(policy, *quorum, 2)).collect();
            let votes: Vec<Vote> = cast
                .iter()
                .map(|(policy, voter, yes, _)| vote(*policy, *voter, if *yes { Approve } else { Reject }))
                .collect();
            let entitled: BTreeSet<ResourceId> = cast.iter().filter(|c| c.3).map(|c| id(c.1)).collect();
            if tally(&needs, &votes, |_, vote| entitled.contains(&vote.voter)) == Tally::Approved {
                for need in &needs {
                    let latest = |voter: &ResourceId| {
                        votes.iter().rev().find(|v| v.requirement == need.policy && v.voter == *voter)
                    };
                    let people = entitled.iter().filter(|voter| latest(voter).is_some_and(|v| v.ballot == Approve));
                    prop_assert!(people.count() >= need.quorum.max(1) as usize);
                }
            }
        }
    }
}
