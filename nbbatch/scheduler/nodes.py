"""The nodes of a live multi-node job: how far each has got, and how many hold a host.

A node's story begins when the whole gang is placed; with each attempt of the job all nodes begin
anew, and keep what became of their earlier attempts. Who changes them: `gang` places them, the
reactions in `reactions/nodes` hear of their starts and ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nbbatch.model.jobs import ACTIVE, Job, JobStatus, Run


@dataclass(slots=True)
class Nodes:
    """The nodes of one live job.

    Parameters
    ----------
    runs : dict of int to Run
        Each node's progress by its index; empty before the first placement, then always complete.
    holding : int
        Number of nodes that hold a host, that is, which are STARTING or RUNNING.
    """

    runs: dict[int, Run] = field(default_factory=dict)
    holding: int = 0

    def begin_attempt(self, job: Job, now: int) -> None:
        """Make every node RUNNABLE, once more or for the first time."""
        if job.nodes is None:
            return
        for index in range(job.nodes.count):
            before = self.runs.get(index)
            self.runs[index] = Run(
                id=job.child_id(index),
                status=JobStatus.RUNNABLE,
                created_at=now if before is None else before.created_at,
                attempt=0 if before is None else before.attempt,
                attempts=() if before is None else before.attempts,
            )

    @property
    def under_way(self) -> list[int]:
        """Indexes of the nodes that hold a host, ascending."""
        return [index for index, run in self.runs.items() if run.status in ACTIVE]
