-- Status changes, samples, sums and deliveries. Times are epoch ms; a `day` is epoch ms / 86,400,000
-- (UTC); money is dollars.

-- One row per tick in which a status changed: [[sequence, first, count, was, is, begun, reason], ...]
-- as in scheduler.transitions, with the job's sequence in place of the job. Old rows are deleted.
CREATE TABLE feed (tick INTEGER PRIMARY KEY, at INTEGER NOT NULL, changes BLOB NOT NULL);

-- Rules of delivery, each with the place in the feed behind which it goes on.
CREATE TABLE deliveries (
    name TEXT PRIMARY KEY,
    rule BLOB NOT NULL,
    tick INTEGER NOT NULL,
    place INTEGER NOT NULL
) WITHOUT ROWID;

-- What queues and environments were like at a time, until the next row. Old rows are thinned out.
CREATE TABLE samples (at INTEGER PRIMARY KEY, sample BLOB NOT NULL);

-- Sums over single jobs and array children by day and queue: how many there were, and what their
-- ended attempts ran and cost. `charged` is `spot` on Spot capacity and `on_demand` elsewhere.
CREATE TABLE ledger (
    day INTEGER NOT NULL,
    queue TEXT NOT NULL,
    submitted INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    milliseconds INTEGER NOT NULL,
    cpu_seconds REAL NOT NULL,
    charged REAL NOT NULL,
    on_demand REAL NOT NULL,
    lost REAL NOT NULL,
    PRIMARY KEY (day, queue)
) WITHOUT ROWID;

-- What hosts that are gone cost as a whole, and what attempts were charged for their shares of hosts.
CREATE TABLE host_ledger (
    day INTEGER NOT NULL,
    environment TEXT NOT NULL,
    hosts REAL NOT NULL,
    used REAL NOT NULL,
    PRIMARY KEY (day, environment)
) WITHOUT ROWID;
