-- A commit costs by the pages it touches, so what is seldom read is filed a batch of ticks later.
--
-- What a tick adds to the feed and to the ledger stands in its own row of the log at first, which is
-- written anyway.
-- `feed_tick` and `changes` are the feed's row of the tick, NULL when no status changed. `sums` is what
-- all ticks up to this one have added to the ledger since it was last filed, as daemon.ledger_rows has
-- it; only the newest row's counts, and NULL is nothing.
ALTER TABLE events ADD COLUMN feed_tick INTEGER;
ALTER TABLE events ADD COLUMN changes BLOB;
ALTER TABLE events ADD COLUMN sums BLOB;

-- The index by name holds the jobs up to `meta.named`; the few behind that are looked through.
ALTER TABLE meta ADD COLUMN named INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN named INTEGER NOT NULL DEFAULT 1;
UPDATE meta SET named = (SELECT coalesce(max(sequence), 0) FROM jobs);
DROP INDEX jobs_by_name;
CREATE INDEX jobs_by_name ON jobs (queue, name, created_at) WHERE named;
