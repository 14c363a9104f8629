"""A load on a real daemon that can be killed: what was acknowledged, what ran, what came out."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

DEADLINE = 120
WRITE_A_LINE = 'echo "$AWS_BATCH_JOB_ATTEMPT" >> "$0/$AWS_BATCH_JOB_ID"; sleep "$1"; exit "$2"'


class Load:
    """Jobs that leave a line per run in a folder and exit with a code that is known beforehand."""

    def __init__(self, backend: Any, home: Path, traces: Path, image: str, seed: int) -> None:
        self.backend = backend
        self.home = home
        self.traces = traces
        self.random = random.Random(seed)
        self.expected: dict[str, int] = {}
        self.arrays: dict[str, int] = {}
        backend.batch.register_job_definition(
            jobDefinitionName="trace",
            type="container",
            parameters={"seconds": "0", "code": "0"},
            containerProperties={
                "image": image,
                "command": ["sh", "-c", WRITE_A_LINE, str(traces), "Ref::seconds", "Ref::code"],
                "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
                "volumes": [{"name": "traces", "host": {"sourcePath": str(traces)}}],
                "mountPoints": [{"sourceVolume": "traces", "containerPath": str(traces)}],
            },
        )

    def submit(self, seconds: float = 0.0, size: int | None = None) -> str | None:
        """One more job; its id once it is acknowledged, None when the daemon was away."""
        code = self.random.choice([0, 0, 0, 3])
        more = {"arrayProperties": {"size": size}} if size else {}
        parameters = {"seconds": str(seconds), "code": str(code)}
        try:
            reply = self.backend.batch.submit_job(
                jobName="trace", jobQueue="default", jobDefinition="trace", parameters=parameters, **more
            )
        except Exception:  # noqa: BLE001 - not acknowledged, for whatever reason: the test owes it nothing
            return None
        self.expected[reply["jobId"]] = code
        if size:
            self.arrays[reply["jobId"]] = size
        return reply["jobId"]

    def daemon_pid(self) -> int:
        return json.loads((self.home / "endpoint.json").read_text())["pid"]

    def kill_daemon(self) -> int:
        """SIGKILL, and wait until the process is gone; gives its pid."""
        process = psutil.Process(self.daemon_pid())
        process.send_signal(signal.SIGKILL)
        psutil.wait_procs([process], timeout=60)
        return process.pid

    def wait_until_done(self) -> dict[str, dict[str, Any]]:
        """Every acknowledged job's detail, once all are terminal."""
        deadline = time.monotonic() + DEADLINE
        ids = sorted(self.expected)
        while True:
            details = {}
            for start in range(0, len(ids), 100):
                for job in self.backend.batch.describe_jobs(jobs=ids[start : start + 100])["jobs"]:
                    details[job["jobId"]] = job
            waiting = [job for job in details.values() if job["status"] not in ("SUCCEEDED", "FAILED")]
            if not waiting:
                return details
            told = Counter(job["status"] for job in waiting)
            assert time.monotonic() < deadline, f"still {told}; first: {waiting[0]}"

    def children(self, parent: str) -> dict[str, dict[str, Any]]:
        ids = [f"{parent}:{index}" for index in range(self.arrays[parent])]
        return {job["jobId"]: job for job in self.backend.batch.describe_jobs(jobs=ids)["jobs"]}

    def check(self) -> None:
        """All there, each run once per attempt, each with its true exit code."""
        details = self.wait_until_done()
        assert sorted(details) == sorted(self.expected), "every acknowledged job is there"
        units = {}
        for job_id, job in details.items():
            units |= self.children(job_id) if job_id in self.arrays else {job_id: job}
        for job_id, job in units.items():
            code = self.expected[job_id.partition(":")[0]]
            assert job["container"].get("exitCode") == code, job
            assert job["status"] == ("FAILED" if code else "SUCCEEDED")
            lines = (self.traces / job_id).read_text().split()
            assert lines == ["1"], f"{job_id} ran once: {lines}"
            assert len(job["attempts"]) == 1
        for trace in self.traces.iterdir():
            assert trace.read_text().split() == ["1"], (
                f"{trace.name}, though not acknowledged, ran at most once"
            )
