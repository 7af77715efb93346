//! How available an agent is for new work, by its load and its instances (sem. 2.11; vectors 4.2). Pure.
//!
//! Nothing routes work to instances yet: this is the rule such a router asks.

use serde::{Deserialize, Serialize};

/// How many instances are as good as many: a further one adds nothing to the score.
const ENOUGH_INSTANCES: f64 = 3.0;

/// What an agent can take, and who is there to take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the four counts the rule is about")]
pub struct Capacity {
    /// Work under way.
    pub current_workload: u32,
    /// Most work at once.
    pub max_workload: u32,
    /// Instances that are registered and active.
    pub active: u32,
    /// Those of them that are healthy.
    pub healthy: u32,
}

/// Whether new work may go to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a router must know every tier")]
pub enum Tier {
    /// It may: there is room, and a healthy instance.
    Ready,
    /// Only if no agent is ready: there is room, but none of its instances is healthy.
    Fallback,
    /// It may not: there is no room, or nobody there.
    Unavailable,
}

impl Capacity {
    /// How available it is, from 0 to 1: half by its free workload, three tenths by the share of its instances that
    /// are healthy, two tenths by their number. `None` if it can take no work at all.
    ///
    /// The score says nothing about whether work may go there: [`tier`](Self::tier) does, and comes first.
    ///
    /// ```
    /// use powerloom_core::availability::{Capacity, Tier};
    ///
    /// let idle = Capacity { current_workload: 0, max_workload: 10, active: 3, healthy: 3 };
    /// assert_eq!((idle.score(), idle.tier()), (Some(1.0), Tier::Ready));
    /// ```
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        if self.max_workload == 0 {
            return None;
        }
        let free = 1.0 - f64::from(self.current_workload) / f64::from(self.max_workload);
        let health = f64::from(self.healthy) / f64::from(self.active.max(1));
        let number = (f64::from(self.active) / ENOUGH_INSTANCES).min(1.0);
        Some((0.5 * free + 0.3 * health + 0.2 * number).clamp(0.0, 1.0))
    }

    /// Whether new work may go there.
    #[must_use]
    pub const fn tier(&self) -> Tier {
        if self.current_workload >= self.max_workload || self.active == 0 {
            Tier::Unavailable
        } else if self.healthy == 0 {
            Tier::Fallback
        } else {
            Tier::Ready
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Vectors 4.2.
    #[test]
    fn the_published_scores_and_who_is_filtered() {
        let vectors = [
            ((0, 10, 3, 3), Some(1.0), Tier::Ready),
            ((5, 10, 2, 2), Some(0.683_333), Tier::Ready),
            ((10, 10, 1, 1), Some(0.366_667), Tier::Unavailable),
            ((2, 10, 4, 2), Some(0.75), Tier::Ready),
            ((0, 10, 0, 0), Some(0.5), Tier::Unavailable),
            ((0, 10, 1, 0), Some(0.566_667), Tier::Fallback),
            ((4, 5, 6, 6), Some(0.6), Tier::Ready),
            ((0, 0, 3, 3), None, Tier::Unavailable),
        ];
        for ((current_workload, max_workload, active, healthy), score, tier) in vectors {
            let capacity = Capacity { current_workload, max_workload, active, healthy };
            let rounded = capacity.score().map(|score| (score * 1e6).round() / 1e6);
            assert_eq!((rounded, capacity.tier()), (score, tier), "{capacity:?}");
        }
    }

    proptest! {
        #[test]
        fn a_score_is_between_nought_and_one_whatever_the_counts(
            current_workload: u32, max_workload: u32, active: u32, healthy: u32,
        ) {
            let capacity = Capacity { current_workload, max_workload, active, healthy };
            prop_assert_eq!(capacity.score().is_none(), max_workload == 0);
            prop_assert!(capacity.score().is_none_or(|score| (0.0..=1.0).contains(&score)));
        }
    }
}
