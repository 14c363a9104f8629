-- A commit costs by the pages it touches, so a submission and each change of status touch fewer.
-- What was the row of `meta` stands in the newest row of `events`: the state's counters after that
-- tick. `meta` keeps what they are before the first one. Two indexes go whose work
-- `jobs_by_queue_and_status` can do: a queue has seven statuses, whose lists are merged.
ALTER TABLE events ADD COLUMN seed INTEGER;
ALTER TABLE events ADD COLUMN now INTEGER;
ALTER TABLE events ADD COLUMN sequence INTEGER;
ALTER TABLE events ADD COLUMN host_count INTEGER;
ALTER TABLE events ADD COLUMN succeeded INTEGER;
ALTER TABLE events ADD COLUMN failed INTEGER;
UPDATE events SET (seed, now, sequence, host_count, succeeded, failed) =
    (SELECT seed, now, sequence, host_count, succeeded, failed FROM meta)
WHERE tick = (SELECT max(tick) FROM events);
DROP INDEX jobs_alive;
DROP INDEX jobs_by_queue;

-- Every queue that any job names, found in as many steps as there are queues.
CREATE VIEW queues_of_jobs (known) AS
WITH RECURSIVE names (name_so_far) AS (
    SELECT min(queue) FROM jobs
    UNION ALL
    SELECT (SELECT min(queue) FROM jobs WHERE queue > name_so_far) FROM names WHERE name_so_far IS NOT NULL
)
SELECT name_so_far FROM names WHERE name_so_far IS NOT NULL;
