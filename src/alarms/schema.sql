-- One row for each occurrence. The bits are columns of their own: they are orthogonal.
CREATE TABLE alarm (
    id INTEGER PRIMARY KEY,
    rule TEXT NOT NULL,
    asset TEXT NOT NULL,
    point TEXT,
    priority INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 4),
    failure_mode TEXT NOT NULL,
    active INTEGER NOT NULL,
    acked INTEGER NOT NULL,
    suppressed INTEGER NOT NULL,
    shelved INTEGER NOT NULL,
    out_of_service INTEGER NOT NULL,
    latched INTEGER NOT NULL,
    raised_at INTEGER NOT NULL,
    cleared_at INTEGER,
    acked_at INTEGER,
    acked_by TEXT,
    value TEXT,
    limit_value TEXT,
    unit TEXT NOT NULL,
    message_zh TEXT NOT NULL,
    message_en TEXT NOT NULL,
    response_zh TEXT NOT NULL,
    response_en TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;
-- An alarm is (rule, asset, point); it has at most one occurrence that is not over.
CREATE UNIQUE INDEX alarm_one_open ON alarm (rule, asset, coalesce(point, ''))
    WHERE active = 1 OR acked = 0 OR latched = 1;

-- The journal: every change of every occurrence. Bit masks as StateBits::to_mask has them.
CREATE TABLE alarm_event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    alarm INTEGER NOT NULL REFERENCES alarm (id),
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    from_bits INTEGER NOT NULL,
    to_bits INTEGER NOT NULL,
    actor TEXT NOT NULL,
    value TEXT,
    quality TEXT,
    reason TEXT
) STRICT;
CREATE INDEX alarm_event_by_alarm ON alarm_event (alarm, seq);
CREATE TRIGGER alarm_event_keep_update BEFORE UPDATE ON alarm_event
BEGIN SELECT RAISE(ABORT, 'the alarm journal is only appended to'); END;
CREATE TRIGGER alarm_event_keep_delete BEFORE DELETE ON alarm_event
BEGIN SELECT RAISE(ABORT, 'the alarm journal is only appended to'); END;
