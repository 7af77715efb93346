//! A persistent array of short slices: changing one makes a new array that shares all but three small nodes.

use std::sync::Arc;

const FAN: usize = 32;

type Leaf<T> = [Option<Arc<[T]>>; FAN];
type Branch<T> = [Option<Arc<Leaf<T>>>; FAN];

/// Slices by number; one never set is empty. Reading follows three pointers.
///
/// A change costs two nodes of 32 counters, one counter per 1,024 slices, and a copy of the slice itself.
#[derive(Debug, Clone)]
pub(super) struct Slices<T> {
    top: Arc<[Option<Arc<Branch<T>>>]>,
}

impl<T> Slices<T> {
    /// No slice is set; `len` are expected.
    pub(super) fn new(len: usize) -> Self {
        Self { top: std::iter::repeat_n(None, len.div_ceil(FAN * FAN)).collect() }
    }

    pub(super) fn get(&self, index: u32) -> &[T] {
        self.find(index as usize).unwrap_or_default()
    }

    fn find(&self, index: usize) -> Option<&[T]> {
        let branch = self.top.get(index / (FAN * FAN))?.as_deref()?;
        let leaf = branch.get(index / FAN % FAN)?.as_deref()?;
        leaf.get(index % FAN)?.as_deref()
    }
}

impl<T: Clone> Slices<T> {
    /// Replaces one slice, in place where nobody else shares the way to it.
    pub(super) fn set(&mut self, index: u32, slice: Arc<[T]>) {
        let index = index as usize;
        let (first, second, third) = (index / (FAN * FAN), index / FAN % FAN, index % FAN);
        if first >= self.top.len() {
            self.top = self
                .top
                .iter()
                .cloned()
                .chain(std::iter::repeat_n(None, first + 1 - self.top.len()))
                .collect();
        }
        let Some(branch) = Arc::make_mut(&mut self.top).get_mut(first) else { return };
        let Some(leaf) = Arc::make_mut(branch.get_or_insert_default()).get_mut(second) else { return };
        let Some(slot) = Arc::make_mut(leaf.get_or_insert_default()).get_mut(third) else { return };
        *slot = (!slice.is_empty()).then_some(slice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_in_the_new_array_and_not_in_the_old() {
        let mut old = Slices::new(10);
        old.set(3, Arc::from([1]));
        let mut new = old.clone();
        new.set(3, Arc::from([1, 2]));
        new.set(5_000, Arc::from([9]));
        assert_eq!((old.get(3), old.get(5_000)), (&[1][..], &[][..]));
        assert_eq!((new.get(3), new.get(5_000), new.get(4)), (&[1, 2][..], &[9][..], &[][..]));
        new.set(3, Arc::from([]));
        assert_eq!(new.get(3), &[] as &[i32]);
    }
}
