-- What a tick adds to the feed and to the ledger stands in its own row of the log at first, which is
-- written anyway, and is filed in their tables a batch of ticks later: two pages less for each commit.
-- `feed_tick` and `changes` are the feed's row of the tick, NULL when no status changed. `sums` is what
-- all ticks up to this one have added to the ledger since it was last filed, as daemon.ledger_rows has
-- it; only the newest row's counts, and NULL is nothing.
ALTER TABLE events ADD COLUMN feed_tick INTEGER;
ALTER TABLE events ADD COLUMN changes BLOB;
ALTER TABLE events ADD COLUMN sums BLOB;
