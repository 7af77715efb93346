//! One table in memory, with the changes of a commit that is not decided yet beside it.

use std::collections::{BTreeMap, BTreeSet};

/// Rows by key. A change shows to [`get`](Self::get) at once and becomes part of the rows with
/// [`accept`](Self::accept), or never was with [`reject`](Self::reject).
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    rows: BTreeMap<K, V>,
    changes: BTreeMap<K, Option<V>>,
    touched: Option<BTreeSet<K>>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), changes: BTreeMap::new(), touched: None }
    }
}

impl<K: Ord + Clone, V> Table<K, V> {
    /// Remembers from now on which keys were changed.
    pub(crate) fn track(&mut self) {
        self.touched = Some(BTreeSet::new());
    }

    /// The accepted rows.
    pub(crate) fn rows(&self) -> &BTreeMap<K, V> {
        &self.rows
    }

    /// The row, as the undecided commit sees it.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match self.changes.get(key) {
            Some(change) => change.as_ref(),
            None => self.rows.get(key),
        }
    }

    /// Inserts or replaces a row.
    pub(crate) fn put(&mut self, key: K, value: V) {
        self.changes.insert(key, Some(value));
    }

    /// Takes a row away, whether it is known here or not.
    pub(crate) fn remove(&mut self, key: &K) {
        self.changes.insert(key.clone(), None);
    }

    /// Brings in a row that is stored elsewhere; it does not count as changed.
    pub(crate) fn load(&mut self, key: K, value: V) {
        self.rows.insert(key, value);
    }

    /// Makes the changes part of the rows.
    pub(crate) fn accept(&mut self) {
        for (key, change) in std::mem::take(&mut self.changes) {
            if let Some(touched) = &mut self.touched {
                touched.insert(key.clone());
            }
            match change {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
    }

    /// Forgets the changes.
    pub(crate) fn reject(&mut self) {
        self.changes.clear();
    }

    /// The keys changed since [`track`](Self::track), each with the row it has now, if it has one.
    pub(crate) fn touched(&self) -> impl Iterator<Item = (&K, Option<&V>)> {
        self.touched.iter().flatten().map(|key| (key, self.rows.get(key)))
    }

    /// The rows that were changed and exist.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (&K, &V)> {
        self.touched().filter_map(|(key, value)| Some((key, value?)))
    }

    /// The keys that were changed and have no row.
    pub(crate) fn gone(&self) -> impl Iterator<Item = &K> {
        self.touched().filter(|(_, value)| value.is_none()).map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_change_leaves_no_trace_and_an_accepted_one_stays() {
        let mut table = Table::default();
        table.load(1, "one");
        table.track();
        table.put(1, "uno");
        table.remove(&2);
        assert_eq!((table.get(&1), table.rows().get(&1)), (Some(&"uno"), Some(&"one")));
        table.reject();
        assert_eq!(table.get(&1), Some(&"one"));
        assert_eq!(table.touched().count(), 0);

        table.remove(&1);
        table.put(3, "tre");
        table.accept();
        assert_eq!(table.gone().collect::<Vec<_>>(), [&1]);
        assert_eq!(table.kept().collect::<Vec<_>>(), [(&3, &"tre")]);
    }
}
