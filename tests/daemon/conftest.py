"""Makes the shared `served` module importable from tests run in importlib mode."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def served(tmp_path):
    """The request path of a daemon, listening."""
    from served import Served

    running = Served(tmp_path)
    yield running
    running.close()


@pytest.fixture
def batch(served):
    """A boto3 client of it, and a world to submit to: environment `ce`, queue `q`, definition `true`."""
    client = served.client()
    served.world(client)
    return client


@pytest.fixture
async def bench(home):
    """The process executor, up, in an empty home; files for other executors have a bench of their own."""
    from executor_contract import Bench
    from process_kind import ProcessKind

    bench = Bench(ProcessKind(), home)
    await bench.up()
    yield bench
    await bench.down()
    bench.kind.clean(home)
    bench.check()
