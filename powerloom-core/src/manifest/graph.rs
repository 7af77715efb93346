//! The order of a plan: what is referred to comes first (sem. 2.3.3).

use crate::manifest::target::Target;
use std::collections::{BTreeMap, BTreeSet};

/// A resource, its rank among its peers, and what it waits for.
#[derive(Debug, Clone)]
pub(crate) struct Vertex {
    pub(crate) target: Target,
    pub(crate) rank: u8,
    pub(crate) needs: BTreeSet<Target>,
}

/// The targets so that each comes after what it needs; among free ones the lower rank, then the lower path, is first.
/// Needs outside of the set do not count.
///
/// # Errors
/// The members of a circle; the first is named again at the end.
pub(crate) fn order(vertices: &[Vertex]) -> Result<Vec<Target>, Vec<Target>> {
    let all: BTreeMap<&Target, &Vertex> = vertices.iter().map(|vertex| (&vertex.target, vertex)).collect();
    let mut waiting: BTreeMap<&Target, usize> = BTreeMap::new();
    let mut needed_by: BTreeMap<&Target, Vec<&Vertex>> = BTreeMap::new();
    for vertex in vertices {
        let needs = vertex.needs.iter().filter(|need| all.contains_key(need));
        waiting.insert(&vertex.target, needs.clone().count());
        for need in needs {
            needed_by.entry(need).or_default().push(vertex);
        }
    }
    let key = |vertex: &Vertex| (vertex.rank, vertex.target.path.clone(), vertex.target.kind.clone());
    let free = vertices.iter().filter(|vertex| waiting.get(&vertex.target) == Some(&0));
    let mut free: BTreeMap<_, &Vertex> = free.map(|vertex| (key(vertex), vertex)).collect();
    let mut ordered = Vec::with_capacity(vertices.len());
    while let Some((_, vertex)) = free.pop_first() {
        waiting.remove(&vertex.target);
        ordered.push(vertex.target.clone());
        for after in needed_by.get(&vertex.target).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(&after.target) {
                *count -= 1;
                if *count == 0 {
                    free.insert(key(after), after);
                }
            }
        }
    }
    match waiting.keys().next() {
        None => Ok(ordered),
        Some(start) => Err(circle(start, &all, &waiting)),
    }
}

/// Follows needs among those that still wait until one comes up again.
fn circle(
    start: &Target,
    all: &BTreeMap<&Target, &Vertex>,
    waiting: &BTreeMap<&Target, usize>,
) -> Vec<Target> {
    let mut path: Vec<&Target> = Vec::new();
    let mut at = start;
    loop {
        if let Some(from) = path.iter().position(|seen| *seen == at) {
            let mut members: Vec<Target> = path.into_iter().skip(from).cloned().collect();
            members.push(at.clone());
            return members;
        }
        path.push(at);
        let needs = all.get(at).map(|vertex| &vertex.needs);
        match needs.into_iter().flatten().find(|need| waiting.contains_key(need)) {
            Some(next) => at = next,
            None => return path.into_iter().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::KindName;
    use proptest::prelude::*;

    fn target(name: &str) -> Target {
        Target::new(KindName::known("Thing"), name)
    }

    fn vertex(name: &str, rank: u8, needs: &[&str]) -> Vertex {
        Vertex { target: target(name), rank, needs: needs.iter().map(|need| target(need)).collect() }
    }

    fn names(targets: &[Target]) -> Vec<&str> {
        targets.iter().map(|target| target.path.as_str()).collect()
    }

    #[test]
    fn needs_come_first_and_free_ones_go_by_rank_then_path() {
        let set =
            [vertex("a", 9, &[]), vertex("b", 1, &["c"]), vertex("c", 5, &["gone"]), vertex("d", 5, &[])];
        assert_eq!(names(&order(&set).unwrap()), ["c", "b", "d", "a"]);
    }

    #[test]
    fn a_circle_is_named_and_what_merely_waits_for_it_is_not() {
        let set =
            [vertex("a", 1, &["b"]), vertex("b", 1, &["c"]), vertex("c", 1, &["b"]), vertex("z", 1, &[])];
        assert_eq!(names(&order(&set).unwrap_err()), ["b", "c", "b"]);
        assert_eq!(names(&order(&[vertex("a", 1, &["a"])]).unwrap_err()), ["a", "a"]);
    }

    proptest! {
        /// Edges go from higher to lower numbers, so there is no circle.
        #[test]
        fn the_order_respects_every_need_and_not_the_order_of_the_input(
            edges in proptest::collection::vec((1usize..30, 0usize..29), 0..90),
            seed in any::<u64>(),
        ) {
            let mut set: Vec<Vertex> = (0..30).map(|n| vertex(&format!("{n:02}"), (n % 3) as u8, &[])).collect();
            for (from, to) in edges {
                if to < from {
                    set[from].needs.insert(target(&format!("{to:02}")));
                }
            }
            let ordered = order(&set).unwrap();
            for vertex in &set {
                let place = |wanted: &Target| ordered.iter().position(|t| t == wanted).unwrap();
                prop_assert!(vertex.needs.iter().all(|need| place(need) < place(&vertex.target)));
            }
            let mut shuffled = set.clone();
            shuffled.sort_by_key(|v| v.target.path.parse::<u64>().unwrap().wrapping_mul(seed | 1));
            prop_assert_eq!(order(&shuffled).unwrap(), ordered);
        }
    }
}
