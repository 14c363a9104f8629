-- The log of events need not begin with the first one: a snapshot holds all rows that a state is made
-- of, as they were after a tick, and a replay begins with it.
CREATE TABLE snapshots (
    tick INTEGER PRIMARY KEY,
    seed INTEGER NOT NULL,
    now INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    host_count INTEGER NOT NULL,
    spent REAL NOT NULL
);

-- `value` is the row's value, of a job its facts. `place` is the order within a kind: of a job its
-- sequence, of a child its id. `name` is a noun's class.
CREATE TABLE snapshot_rows (
    tick INTEGER NOT NULL,
    kind TEXT NOT NULL,
    place INTEGER NOT NULL,
    name TEXT,
    value BLOB NOT NULL,
    run BLOB,
    asked BLOB
);
CREATE INDEX snapshot_rows_by_tick ON snapshot_rows (tick, kind, place);

-- The snapshot that the log begins with, 0 for none. Events up to its tick no longer count, and go.
ALTER TABLE meta ADD COLUMN log_start INTEGER NOT NULL DEFAULT 0;
