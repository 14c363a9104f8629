"""The daemon's own server before nothing: signatures are checked, and every request has one answer.

`python -m benchmarks.canned` prints its port and serves until it is ended. What a real request takes
longer than this is what the daemon does for it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from nbbatch.daemon.auth import Verifier
from nbbatch.daemon.server import Server

KEY, SECRET = "NBBATCHCANNED", "canned"
JOB = "00000000-0000-4000-8000-000000000000"
REPLY = {"jobArn": f"arn:aws:batch:us-east-1:123456789012:job/{JOB}", "jobName": "bench", "jobId": JOB}


class Canned:
    """An API that knows one answer."""

    async def call(self, *_: Any) -> dict[str, str]:
        """Answer."""
        return REPLY


async def serve() -> None:
    """Serve for ever."""
    anything = cast("Any", Canned())
    server = Server(verifier=Verifier(KEY, SECRET, time.time), api=anything, private=anything)
    print(server.listen(), flush=True)
    await asyncio.Event().wait()


@contextmanager
def canned_batch() -> Iterator[Any]:
    """A boto3 client of such a server."""
    import boto3

    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.canned"], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            port = server.stdout.readline().strip() if server.stdout else ""
            yield boto3.client(
                "batch",
                endpoint_url=f"http://127.0.0.1:{port}",
                region_name="us-east-1",
                aws_access_key_id=KEY,
                aws_secret_access_key=SECRET,
            )
        finally:
            server.kill()


if __name__ == "__main__":
    asyncio.run(serve())
