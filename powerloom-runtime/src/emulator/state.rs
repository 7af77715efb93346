//! Everything the emulator stores: tables of rows, changed by commits that apply as a whole.
//!
//! A row has a public half, which is what clients are shown, and a hidden half, which they never are: secrets,
//! file contents, and how far a session's turn has come.

use crate::emulator::disk::DiskLog;
use crate::emulator::error::EmulatorError;
use crate::emulator::refusal::Refusal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// One kind of stored object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Table {
    /// The newest version of each agent.
    Agents,
    /// The versions that were replaced; the parent is the agent.
    AgentVersions,
    Environments,
    Vaults,
    /// The parent is the vault.
    Credentials,
    Skills,
    /// The parent is the skill.
    SkillVersions,
    Files,
    Sessions,
    /// The parent is the session.
    Events,
}

impl Table {
    pub(crate) const ALL: [Self; 10] = [
        Self::Agents,
        Self::AgentVersions,
        Self::Environments,
        Self::Vaults,
        Self::Credentials,
        Self::Skills,
        Self::SkillVersions,
        Self::Files,
        Self::Sessions,
        Self::Events,
    ];
}

/// One stored object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Its place in time among all rows; lists are ordered by it.
    pub(crate) seq: u64,
    /// The object it belongs to, or nothing.
    pub(crate) parent: String,
    pub(crate) public: Value,
    #[serde(default)]
    pub(crate) hidden: Value,
}

/// One change of one row; no row means removal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Change {
    table: Table,
    id: String,
    row: Option<Row>,
}

/// Changes that are made together.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Commit(Vec<Change>);

impl Commit {
    /// Writes a row, new or not.
    pub(crate) fn put(&mut self, table: Table, id: &str, row: Row) {
        self.0.push(Change { table, id: id.to_owned(), row: Some(row) });
    }

    /// Removes a row.
    pub(crate) fn remove(&mut self, table: Table, id: &str) {
        self.0.push(Change { table, id: id.to_owned(), row: None });
    }
}

#[derive(Debug, Default)]
struct Rows {
    by_id: HashMap<String, Row>,
    by_parent: BTreeMap<(String, u64), String>,
}

/// All tables, in memory and, if a path was given, on disk.
#[derive(Debug, Default)]
pub(crate) struct Db {
    tables: BTreeMap<Table, Rows>,
    seq: u64,
    micros: i64,
    log: Option<DiskLog>,
    closed: bool,
}

impl Db {
    /// Opens the state in `path`, or an empty one that lives in memory only.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, EmulatorError> {
        let db = RefCell::new(Self::default());
        let log = match path {
            None => None,
            Some(path) => {
                let replay = |commit: Commit| db.borrow_mut().apply(commit);
                Some(DiskLog::open(path, replay, || db.borrow().whole())?)
            }
        };
        let mut db = db.into_inner();
        db.log = log;
        Ok(db)
    }

    /// The next place in time.
    pub(crate) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// The time now, as the wire writes it. Never the same twice and never backwards.
    pub(crate) fn now(&mut self) -> String {
        self.micros = Timestamp::now().as_microsecond().max(self.micros + 1);
        Timestamp::from_microsecond(self.micros).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
    }

    /// One row.
    pub(crate) fn get(&self, table: Table, id: &str) -> Option<&Row> {
        self.tables.get(&table)?.by_id.get(id)
    }

    /// The rows that belong to `parent`, oldest first.
    pub(crate) fn children<'a>(
        &'a self,
        table: Table,
        parent: &'a str,
    ) -> impl DoubleEndedIterator<Item = (&'a str, &'a Row)> {
        self.since(table, parent, 0)
    }

    /// The rows that belong to `parent` and whose place is `seq` or later, oldest first.
    pub(crate) fn since<'a>(
        &'a self,
        table: Table,
        parent: &'a str,
        seq: u64,
    ) -> impl DoubleEndedIterator<Item = (&'a str, &'a Row)> {
        let range = (parent.to_owned(), seq)..=(parent.to_owned(), u64::MAX);
        self.tables.get(&table).into_iter().flat_map(move |rows| {
            let ids = rows.by_parent.range(range.clone());
            ids.filter_map(|(_, id)| rows.by_id.get(id).map(|row| (id.as_str(), row)))
        })
    }

    /// The rows that belong to no other, oldest first.
    pub(crate) fn top(&self, table: Table) -> impl DoubleEndedIterator<Item = (&str, &Row)> {
        self.children(table, "")
    }

    /// Gives up the state file; from now on nothing can be changed.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.log = None;
    }

    /// Makes every change of `commit`, on disk first.
    pub(crate) fn commit(&mut self, commit: Commit) -> Result<(), Refusal> {
        if self.closed {
            return Err(Refusal::internal("the emulator is stopping"));
        }
        if let Some(log) = &mut self.log {
            log.append(&commit).map_err(|error| {
                tracing::error!(%error, "the state file cannot be written");
                Refusal::internal("the state file cannot be written")
            })?;
        }
        self.apply(commit);
        Ok(())
    }

    /// Writes a new row and returns what was stored publicly.
    pub(crate) fn insert(
        &mut self,
        table: Table,
        id: &str,
        parent: &str,
        public: Value,
        hidden: Value,
    ) -> Result<Value, Refusal> {
        let mut commit = Commit::default();
        let row = Row { seq: self.next_seq(), parent: parent.to_owned(), public: public.clone(), hidden };
        commit.put(table, id, row);
        self.commit(commit)?;
        Ok(public)
    }

    /// Replaces the public half of a row and returns it.
    pub(crate) fn update(&mut self, table: Table, id: &str, public: Value) -> Result<Value, Refusal> {
        if let Some(row) = self.get(table, id) {
            let row = Row { public: public.clone(), ..row.clone() };
            let mut commit = Commit::default();
            commit.put(table, id, row);
            self.commit(commit)?;
        }
        Ok(public)
    }

    /// Removes one row.
    pub(crate) fn remove(&mut self, table: Table, id: &str) -> Result<(), Refusal> {
        let mut commit = Commit::default();
        commit.remove(table, id);
        self.commit(commit)
    }

    fn apply(&mut self, commit: Commit) {
        for Change { table, id, row } in commit.0 {
            let rows = self.tables.entry(table).or_default();
            if let Some(old) = rows.by_id.remove(&id) {
                rows.by_parent.remove(&(old.parent, old.seq));
            }
            if let Some(row) = row {
                self.seq = self.seq.max(row.seq);
                rows.by_parent.insert((row.parent.clone(), row.seq), id.clone());
                rows.by_id.insert(id, row);
            }
        }
    }

    fn whole(&self) -> Commit {
        let mut commit = Commit::default();
        for (&table, rows) in &self.tables {
            for id in rows.by_parent.values() {
                if let Some(row) = rows.by_id.get(id) {
                    commit.put(table, id, row.clone());
                }
            }
        }
        commit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_come_back_in_order_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let mut db = Db::open(Some(&path)).unwrap();
        for (id, parent) in [("b", "p"), ("a", "p"), ("c", "q")] {
            db.insert(Table::Events, id, parent, json!({"id": id}), json!(1)).unwrap();
        }
        db.update(Table::Events, "b", json!({"id": "b", "n": 1})).unwrap();
        db.remove(Table::Events, "c").unwrap();
        drop(db);
        let mut db = Db::open(Some(&path)).unwrap();
        let ids: Vec<&str> = db.children(Table::Events, "p").map(|(id, _)| id).collect();
        assert_eq!(ids, ["b", "a"]);
        assert_eq!(db.get(Table::Events, "b").unwrap().public["n"], 1);
        assert!(db.get(Table::Events, "c").is_none());
        assert!(db.next_seq() > 2);
    }

    #[test]
    fn time_never_stands_still() {
        let mut db = Db::default();
        let times: Vec<Timestamp> = (0..100).map(|_| db.now().parse().unwrap()).collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
