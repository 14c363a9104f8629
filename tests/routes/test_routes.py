"""The sidebar's routes over a real server and a real daemon."""

from __future__ import annotations

import concurrent.futures
import subprocess
import sys
import time
from typing import Any

import nbbatch
import pytest


def submit(seconds: float = 0.0, code: int = 0, **options: Any) -> Any:
    """A small job."""
    options.setdefault("name", "small")
    script = f"import time,sys; print('hello'); time.sleep({seconds}); sys.exit({code})"
    return nbbatch.command([sys.executable, "-c", script], **options)


def test_smoke(site: Any) -> None:
    """All."""
    print(site.get("backends"))
    job = submit()
    print(site.until(job.id, "SUCCEEDED"))
    print(site.get("jobs"))
    print(site.get(f"jobs/{job.id}/logs"))
    print(site.get(f"jobs/{job.id}/outputs"))
    print(site.get(f"jobs/{job.id}/code"))
    print(site.get(f"jobs/{job.id}/children"))
    print(site.get("queues"))
    print(site.get("costs"))
    path = site.notebook("sub/report.ipynb", "lr\n", "print(lr)", parameters="lr: float = 0.1  # learning rate\nn = 3")
    print(site.get("notebooks", path=path))
    print(site.post("estimate", {"path": path, "options": {"vcpus": "2"}, "seconds": 3}))
    done = site.post("notebooks", {"path": path, "expressions": {"lr": "0.5"}, "options": {"vcpus": "1"}})
    print(done)
    print(site.until(done["job"]["id"], "SUCCEEDED", "FAILED"))
    print(site.get(f"jobs/{done['job']['id']}/outputs"))
    print(site.post(f"jobs/{done['job']['id']}/outputs"))
    print(site.post(f"jobs/{done['job']['id']}/outputs"))
