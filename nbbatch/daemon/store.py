"""Rows and the event log: what a restarted daemon knows, and all that is known of finished jobs.

One transaction per tick holds the tick's events and all rows they changed; when `commit` returns,
they survive a power cut. Facts of a job are written once, when it is submitted; its progress is a
small row of its own. SQL is in `queries.sql`, the schema in `migrations/`; status numbers and the
packing of array children are explained there.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from nbbatch.daemon.database import Database
from nbbatch.daemon.delivery_rows import DeliveryRows
from nbbatch.daemon.feed_rows import BATCH, FeedRows
from nbbatch.daemon.ledger_rows import NOTHING_ADDED, LedgerRows, encode_added
from nbbatch.daemon.metrics import SampleRows
from nbbatch.daemon.rowcodec import decode, decode_counts, decode_events, encode, encode_events
from nbbatch.daemon.snapshot_rows import NOUNS, SnapshotRows
from nbbatch.model.events import Event, FinishedDependency, JobSubmitted
from nbbatch.model.fleet import ComputeEnvironment, Host, JobQueue, Noun
from nbbatch.model.jobs import Job, JobDefinition, JobId, JobStatus, JobView, Run, split_child_id
from nbbatch.scheduler.ledger import DAY_MS
from nbbatch.scheduler.restore import Snapshot, StoredJob
from nbbatch.scheduler.state import CODE, STATUSES, Changes, LiveJob, SchedulerState

_MOST_UNNAMED = 1_000
"""Jobs that a list by name may have to look through, beside those that the index has."""
_INDEX_BITS = 14
_LAST = 2**62
"""Later than any time, more than any sequence."""

Cursor = tuple[int, int]
"""Creation time and sequence of a job: the place of a job in a list, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedJob:
    """A job in a list; `sequence` tells jobs of the same millisecond apart."""

    view: JobView
    sequence: int

    @property
    def cursor(self) -> Cursor:
        """Give this as `before` to go on behind this job."""
        return self.view.job.created_at, self.sequence


class Store:
    """The open database of one daemon; belongs to the thread that opened it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read = database.read
        self._write = database.write
        self._ends = self._counters()[4:]
        self._unfiled_ticks = BATCH  # after a start the next tick files what an earlier daemon left
        self._unnamed = 0
        self.feed = FeedRows(database)
        self.deliveries = DeliveryRows(database)
        self.ledger = LedgerRows(database)
        self.samples = SampleRows(database)
        self.snapshots = SnapshotRows(database)

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open a database, made or brought up to date if need be.

        Raises
        ------
        StoreError
            When the file is damaged, of a newer version, in use, or cannot be written.
        """
        database = Database.open(path)
        try:
            return cls(database)
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Let the file go; all commits are in it already."""
        self._database.close()

    def lengthen_log(self) -> None:
        """Spare later commits what a growing file costs; a few ms."""
        self._database.lengthen_log()

    def flush_log(self) -> None:
        """What comes after `lengthen_log`, on any thread."""
        self._database.flush_log()

    def commit(self, events: Sequence[tuple[int, Event]], changes: Changes, state: SchedulerState) -> None:
        """Write one tick; returns when it is durable.

        Raises
        ------
        StoreError
            When it is not; nothing of the tick is in the rows then.
        """
        jobs = {event.job.id: event.job for _, event in events if isinstance(event, JobSubmitted)}
        facts = {job_id: encode(job) for job_id, job in jobs.items()}
        ends = self._ends_after(changes)
        row = self.feed.row(changes.transitions, state.now)
        added = self.ledger.with_tick(events, changes, state)
        is_due = self._unfiled_ticks + 1 >= BATCH or self._unnamed + len(jobs) > _MOST_UNNAMED
        counters = (state.seed, state.now, state.sequence, state.host_count, *ends)
        feed_tick, _, entries = row or (None, None, None)
        sums = None if is_due else encode_added(added)
        with self._database.transaction():
            self._write(
                "append_events", [(encode_events(events, facts), *counters, feed_tick, entries, sums)]
            )
            self._write_jobs(jobs, facts, changes)
            self._write_children(changes, state)
            self._write_world(changes)
            self._write_tags(changes)
            if is_due:
                self.feed.file(row)
                self.ledger.file(added)
                self._write("file_names", [()])
                self._write("note_names", [()])
        self._ends = ends
        self._unfiled_ticks = 0 if is_due else self._unfiled_ticks + 1
        self._unnamed = 0 if is_due else self._unnamed + len(jobs)
        self.feed.note(row, is_filed=is_due)
        self.ledger.note(NOTHING_ADDED if is_due else added)

    def load(self) -> Snapshot:
        """All rows that a state is made of."""
        seed, now, sequence, host_count, *_ = self._counters()
        return Snapshot(
            seed=seed,
            now=now,
            sequence=sequence,
            host_count=host_count,
            definitions=[decode(JobDefinition, row[0]) for row in self._read("read_definitions")],
            environments=[decode(ComputeEnvironment, row[0]) for row in self._read("read_environments")],
            queues=[decode(JobQueue, row[0]) for row in self._read("read_queues")],
            hosts=[decode(Host, row[0]) for row in self._read("read_hosts")],
            nouns=[decode(NOUNS[kind], value) for kind, value in self._read("read_nouns")],
            jobs=[self._stored_job(*row) for row in self._read("read_live_jobs")],
            spent_today=self.ledger.charged(now // DAY_MS),
        )

    def take_snapshot(self) -> None:
        """Keep what `load` gives now, as something that the log may begin with later."""
        _, now, *_ = self._counters()
        self.snapshots.take(spent_today=self.ledger.charged(now // DAY_MS))

    def events(self) -> Iterator[tuple[int, Event]]:
        """Every event of the log, with the time it was handled at, in order.

        They happened to a state restored from `snapshots.base()`.
        """
        for (tick,) in self._database.stream("read_events"):
            yield from decode_events(tick)

    def find(self, job_ids: Iterable[str]) -> dict[JobId, JobView]:
        """Jobs, array children and nodes that have a row, by id; others are left out."""
        parents: list[str] = []
        items: list[tuple[str, int]] = []
        for job_id in job_ids:
            parent, index = split_child_id(job_id)
            if index is None:
                parents.append(job_id)
            else:
                items.append((parent, index))
        return self._find_jobs(parents) | self._find_children(items)

    def children(
        self,
        parent: JobId,
        *,
        statuses: Iterable[JobStatus] | None = None,
        after_index: int = -1,
        limit: int = -1,
    ) -> list[JobView]:
        """Children of an array, or nodes, that have a row, by index.

        Parameters
        ----------
        parent : JobId
            The array's id.
        statuses : iterable of JobStatus, optional
            Only children in these.
        after_index : int
            Only children with a greater index.
        limit : int
            At most so many; all when negative.
        """
        known = self._read("find_parent", {"id": parent})
        if not known:
            return []
        wanted = STATUSES if statuses is None else tuple(statuses)
        rows = self._read(
            "children",
            {
                "sequence": known[0][0],
                "first": after_index + 1,
                "statuses": sum(1 << CODE[status] for status in set(wanted)),
                "limit": limit,
            },
        )
        job = decode(Job, known[0][1])
        return [JobView(job=job.as_seen_by(index), run=decode(Run, run), index=index) for index, run in rows]

    def list_jobs(
        self,
        *,
        queue: str,
        limit: int,
        statuses: Iterable[JobStatus] | None = None,
        before: Cursor | None = None,
        name: str | None = None,
        definition: str | None = None,
        share_identifier: str | None = None,
        created_after: int | None = None,
        created_before: int | None = None,
    ) -> list[ListedJob]:
        """Jobs of a queue, newest first, array children left out.

        Parameters
        ----------
        queue : str
            Its name.
        limit : int
            At most so many jobs.
        statuses : iterable of JobStatus, optional
            Only jobs in these.
        before : Cursor, optional
            Go on behind this job.
        name : str, optional
            Exact, which goes alone, or a prefix when it ends in `*`; case does not matter.
        definition : str, optional
            `name` (any revision), `name:revision`, or a prefix when it ends in `*`.
        share_identifier : str, optional
            Exact.
        created_after, created_before : int, optional
            Epoch ms, exclusive.
        """
        start = before or (_LAST, _LAST)
        if created_before is not None and (created_before, -1) < start:
            start = (created_before, -1)
        exact, prefix = _definition_pattern(definition)
        place = {"queue": queue, "limit": limit, "before": start[0], "before_sequence": start[1]}
        if name is not None and not name.endswith("*"):
            return self._named({**place, "name": name})
        filters = {
            "created_after": -1 if created_after is None else created_after,
            "name_prefix": None if name is None else name[:-1],
            "definition": exact,
            "definition_prefix": prefix,
            "share_identifier": share_identifier,
        }
        wanted = STATUSES if statuses is None else set(statuses)
        lists = [self._read("list_in_status", {**place, **filters, "status": CODE[one]}) for one in wanted]
        return self._listed(list(islice(heapq.merge(*lists, reverse=True), limit)))

    def list_needing(
        self,
        resource: str,
        *,
        limit: int,
        before: int | None = None,
        statuses: Sequence[JobStatus] = (),
        names: Sequence[str] = (),
    ) -> list[tuple[ListedJob, int]]:
        """Jobs that need a consumable resource, with the quantity, newest first.

        Parameters
        ----------
        resource : str
            Its name.
        limit : int
            At most so many jobs.
        before : int, optional
            Go on behind the job of this sequence.
        statuses : sequence of JobStatus
            Only jobs in these; empty for any.
        names : sequence of str
            Only jobs of these names, in any case; a prefix when it ends in `*`; empty for any.
        """
        rows = self._read(
            "list_needing",
            {
                "resource": resource,
                "limit": limit,
                "before": _LAST if before is None else before,
                "statuses": sum(1 << CODE[status] for status in set(statuses)) or -1,
                "names": encode([name.lower() for name in names]).decode(),
            },
        )
        jobs = self._listed([(created_at, sequence) for created_at, sequence, _ in rows])
        return [(job, quantity) for job, (_, _, quantity) in zip(jobs, rows, strict=True)]

    def finished_dependency(self, job_id: str) -> FinishedDependency | None:
        """How a job or child ended that the scheduler has let go; None when it did not end, or never was."""
        view = self.find([job_id]).get(JobId(job_id))
        if view is None or not view.run.status.is_terminal:
            return None
        failed = self._read("failed_children", {"id": job_id}) if view.counts is not None else []
        return FinishedDependency(
            job_id=JobId(job_id),
            succeeded=view.run.status is JobStatus.SUCCEEDED,
            failed_children=tuple(index for (index,) in failed),
        )

    def counts(self) -> Mapping[JobStatus, int]:
        """Number of jobs by status, arrays as one job; flat in the number of finished ones."""
        counts = dict.fromkeys(STATUSES, 0)
        counts |= {STATUSES[code]: number for code, number in self._read("count_live")}
        counts[JobStatus.SUCCEEDED], counts[JobStatus.FAILED] = self._ends
        return counts

    def _write_jobs(self, new: Mapping[JobId, Job], facts: Mapping[JobId, bytes], changes: Changes) -> None:
        if new:
            self._write("insert_job", [_new_row(changes.jobs[job_id]) for job_id in new])
            self._write(
                "insert_facts", [(changes.jobs[job_id].sequence, known) for job_id, known in facts.items()]
            )
            needs = [
                (name, changes.jobs[job_id].sequence, quantity)
                for job_id, job in new.items()
                for name, quantity in job.consumables
            ]
            if needs:
                self._write("insert_need", needs)
        known = [
            (*_progress(live), live.sequence) for job_id, live in changes.jobs.items() if job_id not in new
        ]
        if known:
            self._write("update_job", known)

    def _write_children(self, changes: Changes, state: SchedulerState) -> None:
        bases: dict[str, int] = {}
        rows = []
        for run in changes.children.values():
            parent, index = split_child_id(run.id)
            base = bases.get(parent)
            if base is None:
                base = bases[parent] = _live(parent, changes, state).sequence << _INDEX_BITS
            rows.append((base | (index or 0), CODE[run.status], encode(run)))
        if rows:
            self._write("write_child", rows)
        parents = [_live(parent, changes, state) for parent in bases if parent not in changes.jobs]
        if parents:
            self._write("update_counts", [(_counts(live), live.sequence) for live in parents])

    def _write_world(self, changes: Changes) -> None:
        if changes.definitions:
            self._write(
                "write_definition",
                [(known.name, known.revision, encode(known)) for known in changes.definitions.values()],
            )
        self._write_or_delete("environment", changes.environments)
        self._write_or_delete("queue", changes.queues)
        hosts = {key: None if known is None else known.row for key, known in changes.hosts.items()}
        self._write_or_delete("host", hosts)
        if changes.nouns:
            self._write_nouns(changes.nouns)

    def _write_or_delete(self, what: str, rows: Mapping[Any, Any]) -> None:
        """Rows by name; None means that the row goes."""
        if rows:
            self._write(
                f"write_{what}", [(name, encode(known)) for name, known in rows.items() if known is not None]
            )
            self._write(f"delete_{what}", [(name,) for name, known in rows.items() if known is None])

    def _write_nouns(self, nouns: Mapping[tuple[type[Noun], str], Noun | None]) -> None:
        known = [
            (kind.__name__, name, encode(noun)) for (kind, name), noun in nouns.items() if noun is not None
        ]
        self._write("write_noun", known)
        gone = [(kind.__name__, name) for (kind, name), noun in nouns.items() if noun is None]
        self._write("delete_noun", gone)

    def _write_tags(self, changes: Changes) -> None:
        """Facts of a job are written once, but for its tags."""
        if changes.tags:
            ids = encode(list(changes.tags)).decode()
            known = [
                (job_id, sequence, decode(Job, facts))
                for job_id, sequence, facts in self._read("find_facts", {"ids": ids})
            ]
            rows = [(encode(replace(job, tags=changes.tags[key])), sequence) for key, sequence, job in known]
            self._write("update_facts", rows)

    def _counters(self) -> tuple[int, ...]:
        """Of the last tick: seed, now, sequence, host_count; jobs that had SUCCEEDED, and FAILED."""
        rows = self._read("read_last_tick") or self._read("read_first_state")
        counters: tuple[int, ...] = rows[0]
        return counters

    def _ends_after(self, changes: Changes) -> tuple[int, ...]:
        """Number of jobs (array children apart) that are SUCCEEDED and FAILED after a tick."""
        ends = [live.run.status for live in changes.jobs.values() if live.run.status.is_terminal]
        failed = ends.count(JobStatus.FAILED)
        return self._ends[0] + len(ends) - failed, self._ends[1] + failed

    def _stored_job(self, sequence: int, run: bytes, asked: bytes | None, facts: bytes) -> StoredJob:
        job = decode(Job, facts)
        has_children = job.array_size is not None or job.nodes is not None
        rows = self._read("read_children", {"sequence": sequence}) if has_children else []
        return StoredJob(
            job=job,
            run=decode(Run, run),
            sequence=sequence,
            children={index: decode(Run, child) for index, child in rows},
            asked={} if asked is None else decode(dict[int, str], asked),
        )

    def _find_jobs(self, job_ids: list[str]) -> dict[JobId, JobView]:
        rows = self._read("find_jobs", {"ids": encode(job_ids).decode()}) if job_ids else []
        return {
            JobId(job_id): JobView(job=decode(Job, facts), run=decode(Run, run), counts=decode_counts(counts))
            for job_id, run, counts, facts in rows
        }

    def _find_children(self, items: list[tuple[str, int]]) -> dict[JobId, JobView]:
        rows = self._read("find_children", {"ids": encode(items).decode()}) if items else []
        jobs = {parent: decode(Job, facts) for parent, _, _, facts in rows}
        return {
            jobs[parent].child_id(index): JobView(
                job=jobs[parent].as_seen_by(index), run=decode(Run, run), index=index
            )
            for parent, index, run, _ in rows
        }

    def _named(self, wanted: Mapping[str, Any]) -> list[ListedJob]:
        late = {key: value for key, value in wanted.items() if key != "limit"}
        lists = self._read("list_named", wanted), sorted(self._read("named_lately", late), reverse=True)
        return self._listed(list(islice(heapq.merge(*lists, reverse=True), wanted["limit"])))

    def _listed(self, places: Sequence[tuple[int, int]]) -> list[ListedJob]:
        """The jobs of some rows (creation time, sequence), in their order."""
        sequences = encode([sequence for _, sequence in places]).decode()
        return [
            ListedJob(
                view=JobView(job=decode(Job, facts), run=decode(Run, run), counts=decode_counts(counts)),
                sequence=sequence,
            )
            for sequence, run, counts, facts in self._read("listed", {"sequences": sequences})
        ]


def _live(job_id: str, changes: Changes, state: SchedulerState) -> LiveJob:
    """A job that is live, or was until this tick."""
    return changes.jobs.get(JobId(job_id)) or state.jobs[JobId(job_id)]


def _progress(live: LiveJob) -> tuple[int, bytes, bytes | None, bytes | None]:
    asked = live.children.asked if live.children is not None else None
    return CODE[live.run.status], encode(live.run), _counts(live), encode(asked) if asked else None


def _counts(live: LiveJob) -> bytes | None:
    return None if live.children is None else encode(live.children.counts)


def _new_row(live: LiveJob) -> tuple[Any, ...]:
    job = live.job
    names = (job.id, job.queue, job.name, job.definition, job.share_identifier, job.created_at)
    return (*_progress(live), live.sequence, *names)


def _definition_pattern(definition: str | None) -> tuple[str | None, str | None]:
    """The exact `name:revision`, or the prefix, that a filter means."""
    if definition is None:
        return None, None
    if definition.endswith("*"):
        return None, definition[:-1]
    return (definition, None) if ":" in definition else (None, f"{definition}:")
