CREATE TABLE work_order (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL CHECK (state IN ('new', 'accepted', 'done', 'closed')),
    asset TEXT NOT NULL,
    failure_mode TEXT NOT NULL,
    priority INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 4),
    title_zh TEXT NOT NULL,
    title_en TEXT NOT NULL,
    response_zh TEXT NOT NULL,
    response_en TEXT NOT NULL,
    point TEXT,
    value TEXT,
    limit_value TEXT,
    unit TEXT NOT NULL,
    raised_at INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    accepted_at INTEGER,
    accepted_by TEXT,
    done_at INTEGER,
    done_by TEXT,
    note TEXT,
    closed_at INTEGER,
    closed_by TEXT,
    version INTEGER NOT NULL
) STRICT;
-- The only dedup that survives two onsets milliseconds apart: it holds inside the transaction.
CREATE UNIQUE INDEX work_order_one_open ON work_order (asset, failure_mode) WHERE state <> 'closed';

-- The alarms of an order, and whether they hold as far as the event log has told.
CREATE TABLE work_order_alarm (
    work_order INTEGER NOT NULL REFERENCES work_order (id),
    alarm INTEGER NOT NULL,
    active INTEGER NOT NULL,
    PRIMARY KEY (work_order, alarm)
) STRICT, WITHOUT ROWID;
CREATE INDEX work_order_alarm_by_alarm ON work_order_alarm (alarm);

CREATE TABLE work_order_event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    work_order INTEGER NOT NULL REFERENCES work_order (id),
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    from_state TEXT,
    to_state TEXT NOT NULL,
    alarm INTEGER,
    note TEXT
) STRICT;
CREATE INDEX work_order_event_by_order ON work_order_event (work_order, seq);
CREATE TRIGGER work_order_event_keep_update BEFORE UPDATE ON work_order_event
BEGIN SELECT RAISE(ABORT, 'the history of an order is only appended to'); END;
CREATE TRIGGER work_order_event_keep_delete BEFORE DELETE ON work_order_event
BEGIN SELECT RAISE(ABORT, 'the history of an order is only appended to'); END;
