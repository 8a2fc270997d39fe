-- Which installation this file belongs to.
CREATE TABLE instance (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL
) STRICT;
INSERT INTO instance (one, id) VALUES (1, lower(hex(randomblob(16))));

-- The event log. AUTOINCREMENT: a sequence number is never given twice.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE TRIGGER events_keep_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the event log is only appended to'); END;
CREATE TRIGGER events_keep_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the event log is only appended to'); END;

-- How far a consumer of the log has come; moved in the transaction of its effect.
CREATE TABLE cursors (
    consumer TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every delay that must survive a restart.
CREATE TABLE timers (
    purpose TEXT NOT NULL,
    owner TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (purpose, owner)
) STRICT, WITHOUT ROWID;
CREATE INDEX timers_by_due ON timers (purpose, due_at);

-- Who did what to what, and why.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    before TEXT,
    after TEXT,
    reason TEXT
) STRICT;
CREATE INDEX audit_by_object ON audit (object, seq);
CREATE TRIGGER audit_keep_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END;
CREATE TRIGGER audit_keep_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END;
