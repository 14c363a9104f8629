-- Every query of the store, each under the name it is called by. Hot writes bind by position.

-- name: append_events
INSERT INTO events (events, seed, now, sequence, host_count, succeeded, failed, feed_tick, changes, sums)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: read_events
SELECT events FROM events WHERE tick > (SELECT log_start FROM meta) ORDER BY tick;

-- name: log_bounds
SELECT log_start, (SELECT min(tick) FROM events), (SELECT max(tick) FROM events),
    (SELECT max(tick) FROM snapshots),
    coalesce(
        (SELECT now FROM snapshots ORDER BY tick DESC LIMIT 1), (SELECT now FROM events ORDER BY tick LIMIT 1), 0
    )
FROM meta;

-- name: count_copied
WITH live AS (
    SELECT sequence
    FROM queues_of_jobs
    CROSS JOIN jobs INDEXED BY jobs_by_queue_and_status ON queue = known AND status < 5
)
SELECT count(*) FROM (
    SELECT 1 FROM live
    UNION ALL SELECT 1
    FROM live CROSS JOIN children ON children.id BETWEEN sequence << 14 AND (sequence << 14) | 16383
    LIMIT :limit
);

-- name: take_snapshot
INSERT INTO snapshots (tick, seed, now, sequence, host_count, spent)
SELECT tick, seed, now, sequence, host_count, ? FROM events ORDER BY tick DESC LIMIT 1;

-- name: copy_rows
INSERT INTO snapshot_rows (tick, kind, place, name, value, run, asked)
WITH live AS (
    SELECT sequence, run, asked, job
    FROM queues_of_jobs
    CROSS JOIN jobs INDEXED BY jobs_by_queue_and_status ON queue = known AND status < 5
    JOIN facts USING (sequence)
)
SELECT :tick, 'definition', rowid, NULL, definition, NULL, NULL FROM definitions
UNION ALL SELECT :tick, 'environment', place, NULL, environment, NULL, NULL FROM environments
UNION ALL SELECT :tick, 'queue', place, NULL, queue, NULL, NULL FROM queues
UNION ALL SELECT :tick, 'host', place, NULL, host, NULL, NULL FROM hosts
UNION ALL SELECT :tick, 'noun', row_number() OVER (ORDER BY kind, name), kind, value, NULL, NULL
FROM nouns
UNION ALL SELECT :tick, 'job', sequence, NULL, job, run, asked FROM live
UNION ALL SELECT :tick, 'child', children.id, NULL, children.run, NULL, NULL
FROM live CROSS JOIN children ON children.id BETWEEN sequence << 14 AND (sequence << 14) | 16383;

-- name: find_snapshot
SELECT max(tick) FROM snapshots WHERE now <= :before;

-- name: read_snapshot
SELECT seed, now, sequence, host_count, spent FROM snapshots WHERE tick = (SELECT log_start FROM meta);

-- name: read_snapshot_rows
SELECT place, name, value, run, asked FROM snapshot_rows
WHERE tick = (SELECT log_start FROM meta) AND kind = :kind ORDER BY place;

-- name: begin_log
UPDATE meta SET log_start = ?;

-- name: prune_events
DELETE FROM events WHERE tick <= ?;

-- name: prune_snapshot_rows
DELETE FROM snapshot_rows
WHERE rowid IN (SELECT rowid FROM snapshot_rows WHERE tick < (SELECT log_start FROM meta) LIMIT ?);

-- name: prune_snapshots
DELETE FROM snapshots
WHERE tick < (SELECT log_start FROM meta) AND tick NOT IN (SELECT tick FROM snapshot_rows);

-- name: old_snapshots
SELECT count(*) FROM snapshots WHERE tick < (SELECT log_start FROM meta);

-- name: insert_job
INSERT INTO jobs
    (status, run, counts, asked, sequence, id, queue, name, definition, share_identifier, created_at, named)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0);

-- name: file_names
UPDATE jobs SET named = 1 WHERE sequence > (SELECT named FROM meta);

-- name: note_names
UPDATE meta SET named = (SELECT coalesce(max(sequence), 0) FROM jobs);

-- name: insert_facts
INSERT INTO facts (sequence, job) VALUES (?, ?);

-- name: insert_need
INSERT INTO needs (resource, sequence, quantity) VALUES (?, ?, ?);

-- name: find_facts
SELECT jobs.id, sequence, job
FROM json_each(:ids) AS wanted CROSS JOIN jobs ON jobs.id = wanted.value JOIN facts USING (sequence);

-- name: update_facts
UPDATE facts SET job = ? WHERE sequence = ?;

-- name: update_job
UPDATE jobs SET status = ?, run = ?, counts = ?, asked = ? WHERE sequence = ?;

-- name: update_counts
UPDATE jobs SET counts = ? WHERE sequence = ?;

-- name: write_child
INSERT INTO children (id, status, run) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, run = excluded.run;

-- name: write_definition
INSERT INTO definitions (name, revision, definition) VALUES (?, ?, ?)
ON CONFLICT (name, revision) DO UPDATE SET definition = excluded.definition;

-- name: write_environment
INSERT INTO environments (name, environment) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET environment = excluded.environment;

-- name: write_queue
INSERT INTO queues (name, queue) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET queue = excluded.queue;

-- name: delete_environment
DELETE FROM environments WHERE name = ?;

-- name: delete_queue
DELETE FROM queues WHERE name = ?;

-- name: write_host
INSERT INTO hosts (id, host) VALUES (?, ?)
ON CONFLICT (id) DO UPDATE SET host = excluded.host;

-- name: delete_host
DELETE FROM hosts WHERE id = ?;

-- name: write_noun
INSERT INTO nouns (kind, name, value) VALUES (?, ?, ?)
ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value;

-- name: delete_noun
DELETE FROM nouns WHERE kind = ? AND name = ?;

-- name: read_last_tick
SELECT seed, now, sequence, host_count, succeeded, failed FROM events ORDER BY tick DESC LIMIT 1;

-- name: read_first_state
SELECT seed, now, sequence, host_count, succeeded, failed FROM meta;

-- name: read_definitions
SELECT definition FROM definitions ORDER BY name, revision;

-- name: read_environments
SELECT environment FROM environments ORDER BY place;

-- name: read_queues
SELECT queue FROM queues ORDER BY place;

-- name: read_hosts
SELECT host FROM hosts ORDER BY place;

-- name: read_nouns
SELECT kind, value FROM nouns ORDER BY kind, name;

-- name: read_live_jobs
SELECT sequence, run, asked, job
FROM queues_of_jobs
CROSS JOIN jobs INDEXED BY jobs_by_queue_and_status ON queue = known AND status < 5
JOIN facts USING (sequence)
ORDER BY sequence;

-- name: read_children
SELECT id & 16383, run FROM children WHERE id BETWEEN :sequence << 14 AND (:sequence << 14) | 16383;

-- name: find_jobs
SELECT jobs.id, run, counts, job
FROM json_each(:ids) AS wanted CROSS JOIN jobs ON jobs.id = wanted.value JOIN facts USING (sequence);

-- name: find_children
SELECT jobs.id, children.id & 16383, children.run, job
FROM json_each(:ids) AS wanted
CROSS JOIN jobs ON jobs.id = json_extract(wanted.value, '$[0]')
JOIN facts USING (sequence)
JOIN children ON children.id = (jobs.sequence << 14) | json_extract(wanted.value, '$[1]');

-- name: find_parent
SELECT sequence, job FROM jobs JOIN facts USING (sequence) WHERE id = :id;

-- name: children
SELECT id & 16383, run FROM children
WHERE id BETWEEN (:sequence << 14) + :first AND (:sequence << 14) | 16383 AND (1 << status) & :statuses
ORDER BY id LIMIT :limit;

-- name: failed_children
SELECT children.id & 16383 FROM jobs
JOIN children ON children.id BETWEEN jobs.sequence << 14 AND (jobs.sequence << 14) | 16383
WHERE jobs.id = :id AND children.status = 6 ORDER BY children.id;

-- name: list_in_status
SELECT created_at, sequence
FROM jobs INDEXED BY jobs_by_queue_and_status
WHERE queue = :queue AND status = :status AND (created_at, sequence) < (:before, :before_sequence)
    AND created_at > :created_after
    AND (:name_prefix IS NULL OR substr(name, 1, length(:name_prefix)) = :name_prefix COLLATE NOCASE)
    AND (:definition IS NULL OR definition = :definition)
    AND (:definition_prefix IS NULL OR substr(definition, 1, length(:definition_prefix)) = :definition_prefix)
    AND (:share_identifier IS NULL OR share_identifier = :share_identifier)
ORDER BY created_at DESC, sequence DESC LIMIT :limit;

-- name: list_needing
SELECT created_at, sequence, quantity
FROM needs JOIN jobs USING (sequence)
WHERE resource = :resource AND sequence < :before AND (1 << status) & :statuses
    AND (:names = '[]' OR EXISTS (
        SELECT 1 FROM json_each(:names) AS wanted
        WHERE lower(name) = wanted.value
            OR (wanted.value LIKE '%*' AND substr(lower(name), 1, length(wanted.value) - 1) || '*' = wanted.value)
    ))
ORDER BY sequence DESC LIMIT :limit;

-- name: list_named
SELECT created_at, sequence
FROM jobs INDEXED BY jobs_by_name
WHERE queue = :queue AND name = :name AND named AND (created_at, sequence) < (:before, :before_sequence)
ORDER BY created_at DESC, sequence DESC LIMIT :limit;

-- name: named_lately
SELECT created_at, sequence FROM jobs
WHERE sequence > (SELECT named FROM meta) AND queue = :queue AND name = :name
    AND (created_at, sequence) < (:before, :before_sequence);

-- name: listed
SELECT sequence, run, counts, job
FROM json_each(:sequences) AS wanted
CROSS JOIN jobs ON jobs.sequence = wanted.value JOIN facts USING (sequence)
ORDER BY wanted.key;

-- name: count_live
SELECT status, count(*)
FROM queues_of_jobs
CROSS JOIN jobs INDEXED BY jobs_by_queue_and_status ON queue = known AND status < 5
GROUP BY status;

-- name: append_feed
INSERT INTO feed (tick, at, changes) VALUES (?, ?, ?);

-- name: unfiled_feed
SELECT feed_tick, now, changes FROM events
WHERE tick > (SELECT max(tick) FROM events) - :batch AND feed_tick > (SELECT coalesce(max(tick), 0) FROM feed)
ORDER BY tick;

-- name: unfiled_sums
SELECT sums FROM events ORDER BY tick DESC LIMIT 1;

-- name: feed_end
SELECT max(tick) FROM feed;

-- name: feed_start
SELECT min(tick) FROM feed;

-- name: feed_time
SELECT at FROM feed WHERE tick >= :tick ORDER BY tick LIMIT 1;

-- name: read_feed
SELECT tick, at, changes FROM feed WHERE tick >= :tick ORDER BY tick LIMIT :limit;

-- name: prune_feed
DELETE FROM feed WHERE tick < ? AND (at < ? OR tick < ?);

-- name: queues_of
SELECT sequence, queue FROM json_each(:sequences) AS wanted CROSS JOIN jobs ON sequence = wanted.value;

-- name: children_by_id
SELECT children.id, run FROM json_each(:ids) AS wanted CROSS JOIN children ON children.id = wanted.value;

-- name: read_deliveries
SELECT rule, tick, place FROM deliveries ORDER BY name;

-- name: write_delivery
INSERT INTO deliveries (name, rule, tick, place) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET rule = excluded.rule, tick = excluded.tick, place = excluded.place;

-- name: move_delivery
UPDATE deliveries SET tick = ?, place = ? WHERE name = ?;

-- name: delete_delivery
DELETE FROM deliveries WHERE name = ?;

-- name: add_sums
INSERT INTO ledger
    (day, queue, submitted, succeeded, failed, attempts, milliseconds, cpu_seconds, charged, on_demand, lost)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (day, queue) DO UPDATE SET
    submitted = submitted + excluded.submitted,
    succeeded = succeeded + excluded.succeeded,
    failed = failed + excluded.failed,
    attempts = attempts + excluded.attempts,
    milliseconds = milliseconds + excluded.milliseconds,
    cpu_seconds = cpu_seconds + excluded.cpu_seconds,
    charged = charged + excluded.charged,
    on_demand = on_demand + excluded.on_demand,
    lost = lost + excluded.lost;

-- name: read_sums
SELECT day, queue, submitted, succeeded, failed, attempts, milliseconds, cpu_seconds, charged, on_demand, lost
FROM ledger WHERE day BETWEEN :first AND :last ORDER BY day, queue;

-- name: read_totals
SELECT queue, sum(submitted), sum(succeeded), sum(failed), sum(attempts), sum(milliseconds),
    sum(cpu_seconds), sum(charged), sum(on_demand), sum(lost)
FROM ledger GROUP BY queue;

-- name: add_hosts_sums
INSERT INTO host_ledger (day, environment, hosts, used) VALUES (?, ?, ?, ?)
ON CONFLICT (day, environment) DO UPDATE SET hosts = hosts + excluded.hosts, used = used + excluded.used;

-- name: read_hosts_sums
SELECT day, environment, hosts, used FROM host_ledger
WHERE day BETWEEN :first AND :last ORDER BY day, environment;

-- name: read_host
SELECT host FROM hosts WHERE id = :id;

-- name: write_sample
INSERT INTO samples (at, sample) VALUES (?, ?) ON CONFLICT (at) DO UPDATE SET sample = excluded.sample;

-- name: read_samples
SELECT at, sample FROM samples
WHERE at >= coalesce((SELECT max(at) FROM samples WHERE at <= :start), :start) AND at <= :end ORDER BY at;

-- name: thin_samples
DELETE FROM samples
WHERE at < :before AND at NOT IN (SELECT max(at) FROM samples WHERE at < :before GROUP BY at / :stretch);

-- name: fill_log
INSERT INTO samples (at, sample) VALUES (-1, zeroblob(?));

-- name: prune_samples
DELETE FROM samples WHERE at < ?;
