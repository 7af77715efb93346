//! Whom a subject stands for: itself, its OUs, and all groups around them.

use crate::authz::ground::SubjectIx;

/// Most groups a chain of memberships may have (rule 2.1).
///
/// A subject with a longer chain may do nothing: to cut the chain would forget the denies beyond it. A write that
/// would make one is refused before, see [`membership_too_deep`](super::AuthzSnapshot::membership_too_deep).
pub const MAX_NESTING: usize = 32;

/// Walks memberships upwards, breadth first; the visited set makes it end on cycles too.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    groups_of: &'a [Vec<SubjectIx>],
    /// The round in which each subject was last seen.
    seen: Vec<u32>,
    round: u32,
    /// What the last round found, nearest first: the subject, and the place of the entry it was found through.
    pub(super) found: Vec<(SubjectIx, u32)>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(groups_of: &'a [Vec<SubjectIx>]) -> Self {
        Self { groups_of, seen: vec![0; groups_of.len()], round: 0, found: Vec::new() }
    }

    /// Finds all that the first of `seeds`, and those that follow from it in a line, stand for. Returns how many groups
    /// the longest of the shortest chains has, and stops before one longer than `limit`, whose length it then returns.
    pub(super) fn run(&mut self, seeds: impl IntoIterator<Item = SubjectIx>, limit: usize) -> usize {
        self.round += 1;
        self.found.clear();
        for seed in seeds {
            let before = u32::try_from(self.found.len()).unwrap_or(u32::MAX).saturating_sub(1);
            self.visit(seed, before);
        }
        let (mut depth, mut place) = (0, 0);
        loop {
            let (level, end) = (place, self.found.len());
            for place in level..end {
                let Some(&(subject, _)) = self.found.get(place) else { break };
                for &group in self.groups_of.get(subject as usize).map_or(&[][..], Vec::as_slice) {
                    self.visit(group, u32::try_from(place).unwrap_or(u32::MAX));
                }
            }
            place = end;
            if self.found.len() == end {
                return depth;
            }
            depth += 1;
            if depth > limit {
                self.found.truncate(end);
                return depth;
            }
        }
    }

    fn visit(&mut self, subject: SubjectIx, through: u32) {
        if let Some(seen) = self.seen.get_mut(subject as usize)
            && *seen != self.round
        {
            *seen = self.round;
            self.found.push((subject, through));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(groups_of: &[Vec<u32>], seeds: &[u32], limit: usize) -> (usize, Vec<(u32, u32)>) {
        let mut walk = Walk::new(groups_of);
        let depth = walk.run(seeds.iter().copied(), limit);
        (depth, walk.found)
    }

    /// Vector 4.5: a cycle smuggled into the store terminates.
    #[test]
    fn a_cycle_ends() {
        let cycle = [vec![1], vec![2], vec![1]];
        assert_eq!(walk(&cycle, &[0], MAX_NESTING), (2, vec![(0, 0), (1, 0), (2, 1)]));
    }

    #[test]
    fn a_chain_longer_than_the_limit_is_told() {
        let chain: Vec<Vec<u32>> = (1..=40).map(|next| vec![next]).chain([vec![]]).collect();
        assert_eq!(walk(&chain, &[8], 32).0, 32);
        let (depth, found) = walk(&chain, &[7], 32);
        assert_eq!((depth, found.len()), (33, 33));
    }

    #[test]
    fn seeds_lie_in_a_line_and_each_brings_its_groups() {
        assert_eq!(
            walk(&[vec![], vec![3], vec![], vec![]], &[2, 1, 0], 9),
            (1, vec![(2, 0), (1, 0), (0, 1), (3, 1)])
        );
    }
}
