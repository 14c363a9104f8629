"""The other sides: what the same work costs without nbbatch.

`spawner` is C's posix_spawn, `container` Docker's Engine API by hand. Both do only what any runner
of jobs has to do, so their time is the floor below which none can get.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import CannotRunError

IMAGE = "nbbatch-test/python:{}.{}".format(*sys.version_info)
MIB = 1 << 20


@contextmanager
def spawner() -> Iterator[Callable[[int], None]]:
    """A function that runs `true` that many times, two in flight, in a compiled C program."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise CannotRunError("no C compiler")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "spawn"
        source = Path(__file__).with_name("spawn.c")
        subprocess.run([compiler, "-O2", "-o", program, source], check=True)
        yield lambda times: subprocess.run([program, str(times)], check=True) and None


@contextmanager
def containers(network: str) -> Iterator[Callable[[int, int], None]]:
    """A function (times, in flight) that creates, starts, awaits and removes containers of `true`."""
    import docker

    client = docker.APIClient(timeout=60)
    host = client.create_host_config(mem_limit=32 * MIB, cpu_shares=1024, network_mode=network)

    def once(_: int) -> None:
        container = client.create_container(IMAGE, ["true"], host_config=host)["Id"]
        try:
            client.start(container)
            client.wait(container)
        finally:
            client.remove_container(container)

    def many(times: int, in_flight: int) -> None:
        with ThreadPoolExecutor(in_flight) as threads:
            list(threads.map(once, range(times)))

    try:
        if not client.images(IMAGE):
            raise CannotRunError(f"no image {IMAGE}; scripts/docker-test-image makes it")
        yield many
    finally:
        client.close()
