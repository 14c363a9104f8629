"""What does importing the package cost a notebook, and the daemon its start?"""

from __future__ import annotations

from benchmarks.harness import Bench, python, timed

PROGRAMS = {
    "import nbbatch": "import nbbatch",
    "import nbbatch.client.backend": "import nbbatch.client.backend",
    "import nbbatch.jupyter.magics": "import nbbatch.jupyter.magics",
    "import nbbatch.daemon.app": "import nbbatch.daemon.app",
    "import boto3": "import boto3",
    "a bare interpreter": "pass",
}


def run(bench: Bench) -> None:
    bench.compare("a fresh interpreter", {name: timed(python(program)) for name, program in PROGRAMS.items()})
