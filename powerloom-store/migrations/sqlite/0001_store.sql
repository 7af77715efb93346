-- Ids are lower-case UUIDs, moments are microseconds since 1970, bodies are JSON; the other columns repeat what
-- is searched for.

CREATE TABLE orgs (
    id           TEXT PRIMARY KEY,
    slug         TEXT NOT NULL UNIQUE,
    paused_until INTEGER,
    body         TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE records (
    org      TEXT NOT NULL REFERENCES orgs (id),
    kind     TEXT NOT NULL,
    id       TEXT NOT NULL,
    ou       TEXT NOT NULL,
    name     TEXT NOT NULL,
    archived INTEGER NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (org, kind, id)
) STRICT;
CREATE INDEX records_by_name ON records (org, kind, name, id);
CREATE INDEX records_by_ou ON records (org, ou, kind, id) WHERE archived = 0;

-- The unique keys of records that are not archived.
CREATE TABLE names (
    org        TEXT NOT NULL,
    kind       TEXT NOT NULL,
    unique_key TEXT NOT NULL,
    id         TEXT NOT NULL,
    PRIMARY KEY (org, kind, unique_key)
) STRICT, WITHOUT ROWID;

-- What records that are not archived refer to.
CREATE TABLE refs (
    org         TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target_id   TEXT NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    PRIMARY KEY (org, target_kind, target_id, kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE sync (
    org     TEXT NOT NULL REFERENCES orgs (id),
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    -- From when on it may be claimed; NULL if never as it stands.
    due_at  INTEGER,
    in_sync INTEGER NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (org, kind, id)
) STRICT;
CREATE INDEX sync_due ON sync (org, due_at, kind, id) WHERE due_at IS NOT NULL;
CREATE INDEX sync_swept ON sync (org, kind, id) WHERE in_sync = 1;

CREATE TABLE sessions (
    org     TEXT NOT NULL REFERENCES orgs (id),
    id      TEXT NOT NULL,
    agent   TEXT NOT NULL,
    -- From when on it may be claimed; NULL once no pump has anything to do with it.
    free_at INTEGER,
    body    TEXT NOT NULL,
    PRIMARY KEY (org, id)
) STRICT;
CREATE INDEX sessions_by_agent ON sessions (org, agent, id);
CREATE INDEX sessions_active ON sessions (id, org, free_at) WHERE free_at IS NOT NULL;

CREATE TABLE events (
    org      TEXT NOT NULL,
    session  TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    event_id TEXT,
    body     TEXT NOT NULL,
    PRIMARY KEY (org, session, seq),
    FOREIGN KEY (org, session) REFERENCES sessions (org, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX events_by_id ON events (org, session, event_id) WHERE event_id IS NOT NULL;

CREATE TABLE tickets (
    digest     TEXT PRIMARY KEY,
    org        TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    body       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tickets_expired ON tickets (expires_at);

CREATE TABLE streams (
    org     TEXT NOT NULL,
    session TEXT NOT NULL,
    holder  TEXT NOT NULL,
    until   INTEGER NOT NULL,
    PRIMARY KEY (org, session)
) STRICT, WITHOUT ROWID;

CREATE TABLE secrets (
    org    TEXT NOT NULL,
    owner  TEXT NOT NULL,
    sealed TEXT NOT NULL,
    PRIMARY KEY (org, owner)
) STRICT, WITHOUT ROWID;

CREATE TABLE blobs (
    org    TEXT NOT NULL,
    digest TEXT NOT NULL,
    bytes  BLOB NOT NULL,
    PRIMARY KEY (org, digest)
) STRICT;

CREATE TABLE idempotency (
    org        TEXT NOT NULL,
    key        TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    body       TEXT NOT NULL,
    PRIMARY KEY (org, key)
) STRICT;
CREATE INDEX idempotency_expired ON idempotency (expires_at);

-- The chain. WITHOUT ROWID, so that no row can be replaced through a rowid.
CREATE TABLE audit_rows (
    org           TEXT NOT NULL REFERENCES orgs (id),
    seq           INTEGER NOT NULL,
    v             INTEGER NOT NULL,
    ts            INTEGER NOT NULL,
    actor         TEXT NOT NULL,
    verb          TEXT NOT NULL,
    resource_kind TEXT NOT NULL,
    resource_id   TEXT NOT NULL,
    decision      TEXT NOT NULL,
    session       TEXT,
    approval      TEXT,
    change_hash   BLOB NOT NULL,
    prev_hash     BLOB NOT NULL,
    hash          BLOB NOT NULL,
    -- The canonical bytes, as hashed.
    row           TEXT NOT NULL,
    PRIMARY KEY (org, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_by_resource ON audit_rows (org, resource_id, seq);

CREATE TRIGGER audit_rows_update BEFORE UPDATE ON audit_rows
BEGIN SELECT RAISE (ABORT, 'audit rows are never changed'); END;
CREATE TRIGGER audit_rows_delete BEFORE DELETE ON audit_rows
BEGIN SELECT RAISE (ABORT, 'audit rows are never deleted'); END;
-- Also refuses REPLACE, whose hidden delete fires no trigger unless recursive_triggers is on.
CREATE TRIGGER audit_rows_append BEFORE INSERT ON audit_rows
WHEN NEW.seq <> coalesce((SELECT max(seq) FROM audit_rows WHERE org = NEW.org), 0) + 1
BEGIN SELECT RAISE (ABORT, 'audit rows are only appended'); END;

-- What a row commits to; deleting is erasure.
CREATE TABLE audit_payloads (
    org     TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    payload TEXT NOT NULL,
    salt    BLOB,
    PRIMARY KEY (org, seq),
    FOREIGN KEY (org, seq) REFERENCES audit_rows (org, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_payloads_update BEFORE UPDATE ON audit_payloads
BEGIN SELECT RAISE (ABORT, 'audit payloads are never changed, only erased'); END;
CREATE TRIGGER audit_payloads_replace BEFORE INSERT ON audit_payloads
WHEN EXISTS (SELECT 1 FROM audit_payloads WHERE org = NEW.org AND seq = NEW.seq)
BEGIN SELECT RAISE (ABORT, 'audit payloads are never changed, only erased'); END;
