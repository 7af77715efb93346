//! A change of one session together with the events that tell of it: stored as one, then published in order.

use crate::emulator::fields::{field, set, text};
use crate::emulator::ids::new_id;
use crate::emulator::refusal::Refusal;
use crate::emulator::state::{Commit, Db, Row, Table};
use crate::emulator::world::World;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How far a session's work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Nothing to do.
    #[default]
    Idle,
    /// In the middle of a turn.
    Running,
    /// In the middle of a turn, and the client has to answer.
    Waiting,
}

/// What the emulator knows about a session and clients are not shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Inner {
    pub(crate) thread_id: String,
    pub(crate) phase: Phase,
    /// The place of this turn's first event.
    pub(crate) turn_start: u64,
    /// The tool uses the client has to answer.
    pub(crate) waiting: Vec<String>,
    /// The place of an outcome that was asked for and has no turn yet.
    pub(crate) outcome: Option<u64>,
    /// When the session last began to run.
    pub(crate) since: String,
    /// For how long it ran in all, in microseconds.
    pub(crate) active_micros: i64,
    /// The tokens of its repositories, by resource.
    pub(crate) tokens: BTreeMap<String, String>,
}

impl Inner {
    /// The hidden half of a session's row, read.
    pub(crate) fn of(row: &Row) -> Self {
        Self::deserialize(&row.hidden).unwrap_or_default()
    }
}

/// A change in the making. Nothing is stored or published before [`save`](Journal::save).
#[derive(Debug)]
pub(crate) struct Journal<'a> {
    world: &'a World,
    pub(crate) db: &'a mut Db,
    id: String,
    row: Row,
    pub(crate) inner: Inner,
    commit: Commit,
    events: Vec<Value>,
}

impl<'a> Journal<'a> {
    /// Opens the session `id`, if there is one.
    pub(crate) fn open(world: &'a World, db: &'a mut Db, id: &str) -> Option<Self> {
        let row = db.get(Table::Sessions, id)?.clone();
        Some(Self::of(world, db, id, row))
    }

    /// Opens a session that is not stored yet.
    pub(crate) fn of(world: &'a World, db: &'a mut Db, id: &str, row: Row) -> Self {
        let inner = Inner::of(&row);
        Self { world, db, id: id.to_owned(), row, inner, commit: Commit::default(), events: Vec::new() }
    }

    /// The session as clients see it.
    pub(crate) fn session(&self) -> &Value {
        &self.row.public
    }

    /// The same, to change it.
    pub(crate) fn session_mut(&mut self) -> &mut Value {
        &mut self.row.public
    }

    /// Whether the session takes no more events.
    pub(crate) fn is_over(&self) -> bool {
        text(&self.row.public, "status") == "terminated"
    }

    /// The session's stored events from the place `seq` on, oldest first.
    pub(crate) fn stored(&self, seq: u64) -> Vec<Value> {
        self.db.since(Table::Events, &self.id, seq).map(|(_, row)| row.public.clone()).collect()
    }

    /// The events that wait to be processed, oldest first.
    pub(crate) fn inbox(&self) -> Vec<Value> {
        let rows = self.db.children(Table::Events, &self.id);
        let queued = rows.filter(|(_, row)| field(&row.public, "processed_at").is_null());
        queued.map(|(_, row)| row.public.clone()).collect()
    }

    /// Adds an event that happens now, and returns it.
    pub(crate) fn emit(&mut self, kind: &str, fields: Value) -> Value {
        let now = self.db.now();
        let mut event = json!({"type": kind, "id": new_id("sevt"), "processed_at": now});
        for (key, value) in fields.as_object().into_iter().flatten() {
            set(&mut event, key, value.clone());
        }
        self.write(event.clone());
        event
    }

    /// Adds an event of the client, to be processed later, and returns it.
    pub(crate) fn queue(&mut self, mut event: Value) -> Value {
        set(&mut event, "id", new_id("sevt"));
        set(&mut event, "processed_at", Value::Null);
        self.write(event.clone());
        event
    }

    /// Processes a queued event now: it takes its place among what happened.
    pub(crate) fn process(&mut self, mut event: Value) {
        set(&mut event, "processed_at", self.db.now());
        self.write(event);
    }

    /// A turn begins with these queued events, or with the outcome that was asked for before.
    pub(crate) fn begin_turn(&mut self, queued: Vec<Value>) {
        let now = self.db.next_seq();
        self.inner.turn_start = self.inner.outcome.take().unwrap_or(now);
        queued.into_iter().for_each(|event| self.process(event));
    }

    /// The session begins to run.
    pub(crate) fn run(&mut self) {
        set(&mut self.row.public, "status", "running");
        self.inner.phase = Phase::Running;
        self.inner.waiting.clear();
        self.inner.since = self.db.now();
        self.emit("session.status_running", json!({}));
        let thread = self.thread();
        self.emit("session.thread_status_running", thread);
    }

    /// The session rests, for `reason`.
    pub(crate) fn rest(&mut self, reason: Value, details: Value) {
        let waits = text(&reason, "type") == "requires_action";
        self.inner.phase = if waits { Phase::Waiting } else { Phase::Idle };
        self.count_time();
        set(&mut self.row.public, "status", "idle");
        let mut thread = self.thread();
        set(&mut thread, "stop_reason", reason.clone());
        set(&mut thread, "stop_details", details.clone());
        self.emit("session.thread_status_idle", thread);
        let usage = field(&self.row.public, "usage").clone();
        self.emit("session.usage", json!({"usage": usage, "budget": field(&self.row.public, "budget")}));
        self.emit("session.status_idle", json!({"stop_reason": reason, "stop_details": details}));
    }

    /// The session is over, and nothing brings it back.
    pub(crate) fn terminate(&mut self) {
        self.inner.phase = Phase::Idle;
        self.inner.waiting.clear();
        self.count_time();
        set(&mut self.row.public, "status", "terminated");
        let thread = self.thread();
        self.emit("session.thread_status_terminated", thread);
        self.emit("session.status_terminated", json!({}));
    }

    /// Stores everything, then publishes the events, and returns the session.
    pub(crate) fn save(mut self) -> Result<Value, Refusal> {
        set(&mut self.row.public, "updated_at", self.db.now());
        self.row.hidden = json!(self.inner);
        self.commit.put(Table::Sessions, &self.id, self.row.clone());
        self.db.commit(self.commit)?;
        for event in &self.events {
            self.world.hub.publish(&self.id, event);
        }
        if text(&self.row.public, "status") == "terminated" {
            self.world.hub.close(&self.id);
        }
        Ok(self.row.public)
    }

    fn write(&mut self, event: Value) {
        let row = Row {
            seq: self.db.next_seq(),
            parent: self.id.clone(),
            public: event.clone(),
            hidden: Value::Null,
        };
        self.commit.put(Table::Events, text(&event, "id"), row);
        self.events.push(event);
    }

    fn thread(&self) -> Value {
        let agent = self.row.public.pointer("/agent/name").cloned();
        json!({"session_thread_id": self.inner.thread_id, "agent_name": agent})
    }

    fn count_time(&mut self) {
        let micros = |at: &str| at.parse::<Timestamp>().map(Timestamp::as_microsecond).ok();
        let now = micros(&self.db.now()).unwrap_or_default();
        if let Some(since) = micros(&std::mem::take(&mut self.inner.since)) {
            self.inner.active_micros += now - since;
        }
        let seconds = |micros: i64| json!(micros / 1000).as_f64().unwrap_or_default() / 1000.0;
        let born = micros(text(&self.row.public, "created_at")).unwrap_or(now);
        let stats = json!({"active_seconds": seconds(self.inner.active_micros), "duration_seconds": seconds(now - born)});
        set(&mut self.row.public, "stats", stats);
    }
}
