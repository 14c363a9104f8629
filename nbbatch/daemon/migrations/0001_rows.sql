-- The first schema: rows that a state is made of, and the log of every event that made them.
-- `status` is the place of a status in model.jobs.JobStatus: 0 SUBMITTED .. 4 RUNNING, 5 SUCCEEDED,
-- 6 FAILED. Columns named after a class of the model hold that value as JSON; the other columns
-- repeat what queries look for.

-- One row. `finished` counts the jobs (array children apart) that are SUCCEEDED and FAILED.
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seed INTEGER NOT NULL,
    now INTEGER NOT NULL DEFAULT 0,
    sequence INTEGER NOT NULL DEFAULT 0,
    host_count INTEGER NOT NULL DEFAULT 0,
    succeeded INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0
);
INSERT INTO meta (id, seed) VALUES (1, random() & 0x7fffffff);

-- `tick` rows are only ever added: [[now, kind, event], ...].
CREATE TABLE events (tick INTEGER PRIMARY KEY, events BLOB NOT NULL);

-- Progress, rewritten at each change, apart from the facts, which are written once: rows stay small.
-- Array parents: `counts` of children by status, `asked` as in scheduler.state.Children.
CREATE TABLE jobs (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    queue TEXT NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL,
    share_identifier TEXT,
    created_at INTEGER NOT NULL,
    status INTEGER NOT NULL,
    run BLOB NOT NULL,
    counts BLOB,
    asked BLOB
);
CREATE TABLE facts (sequence INTEGER PRIMARY KEY, job BLOB NOT NULL);
-- Each index ends in the row's sequence by itself.
CREATE INDEX jobs_by_queue ON jobs (queue, created_at);
CREATE INDEX jobs_by_queue_and_status ON jobs (queue, status, created_at);
CREATE INDEX jobs_by_name ON jobs (queue, name, created_at);
CREATE INDEX jobs_alive ON jobs (status) WHERE status < 5;

-- `id` is the parent's sequence * 16384 + the child's index: an array is one stretch of one B-tree.
-- A child has a row from its first attempt, or from its end if it never had one.
CREATE TABLE children (id INTEGER PRIMARY KEY, status INTEGER NOT NULL, run BLOB NOT NULL);

-- `place` keeps the order in which things were made.
CREATE TABLE definitions (
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    definition BLOB NOT NULL,
    PRIMARY KEY (name, revision)
);
CREATE TABLE environments (place INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, environment BLOB NOT NULL);
CREATE TABLE queues (place INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, queue BLOB NOT NULL);
CREATE TABLE hosts (place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, host BLOB NOT NULL);
