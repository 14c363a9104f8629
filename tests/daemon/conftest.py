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
