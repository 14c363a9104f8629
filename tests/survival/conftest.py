"""Makes the shared `load` module importable, and gives a load on either executor."""

import random
import sys
from pathlib import Path

import pytest
from docker_image import IMAGE

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def load(executor, daemon, home, tmp_path):
    """A load on the default queue of a daemon that may be killed."""
    from load import Load

    image = IMAGE if executor == "docker" else "none"
    traces = tmp_path / "traces"
    traces.mkdir()
    traces.chmod(0o777)  # containers may run as another user
    return Load(daemon, home, traces, image, seed=random.randrange(2**32))
