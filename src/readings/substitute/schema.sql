-- Values that persons put in the place of a device's. `value` is spelled as its kind has it; times are UTC ms.
CREATE TABLE substitution (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    point INTEGER NOT NULL,
    address TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('bool', 'decimal', 'float', 'text')),
    value TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    put_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    ended_at INTEGER,
    ended_by TEXT,
    end_reason TEXT
) STRICT;
-- A point has one value at a time.
CREATE UNIQUE INDEX substitution_one_open ON substitution (point) WHERE ended_at IS NULL;
