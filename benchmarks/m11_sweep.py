"""How long does a sweep of one notebook over many parameters take beside papermill, one run after the other?"""

from __future__ import annotations

import logging
import tempfile
import warnings
from functools import partial
from pathlib import Path

from benchmarks.harness import Bench, local_daemon, timed

RUNS = 12
FULL_RUNS = 50
CELLS = ("import json\nrows = [seed * number % 7 for number in range(1000)]", "sum(rows)")


def run(bench: Bench) -> None:
    import papermill  # noqa: F401 - neither side is to pay for it

    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    few = Bench(rounds=min(bench.rounds, 3), full=bench.full)
    with local_daemon("process"), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = write_notebook(folder / "seed.ipynb")
        sweep(source, folder, 2)  # the definition is registered, the interpreter warm
        for runs in (RUNS, FULL_RUNS) if bench.full else (RUNS,):
            few.compare(
                f"{runs} runs of a notebook of {len(CELLS) + 1} cells, until all are saved, per run",
                {
                    "nbbatch.map_notebook": timed(partial(sweep, source, folder, runs), per=runs),
                    "papermill.execute_notebook in a loop": timed(
                        partial(one_after_the_other, source, folder, runs), per=runs
                    ),
                },
                warm=False,
            )


def write_notebook(path: Path) -> Path:
    import nbformat

    first = nbformat.v4.new_code_cell("seed = 0", metadata={"tags": ["parameters"]})
    cells = [first, *(nbformat.v4.new_code_cell(source) for source in CELLS)]
    kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec}), path)
    return path


def sweep(source: Path, folder: Path, runs: int) -> None:
    import nbbatch

    done = nbbatch.map_notebook(source, grid={"seed": range(runs)}, output=folder / "batch/{seed}.ipynb")
    done.results()


def one_after_the_other(source: Path, folder: Path, runs: int) -> None:
    import papermill

    (folder / "mill").mkdir(exist_ok=True)
    for seed in range(runs):
        papermill.execute_notebook(source, folder / f"mill/{seed}.ipynb", {"seed": seed}, progress_bar=False)
