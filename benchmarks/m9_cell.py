"""How long from running a cell `1+1` as a job until its value is in the notebook?"""

from __future__ import annotations

from benchmarks.harness import Bench, CannotRunError, local_daemon, python, timed


def run(bench: Bench) -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    with local_daemon("process"):
        shell = InteractiveShell.instance()
        shell.run_line_magic("load_ext", "nbbatch")

        def cell() -> None:
            with capture_output() as shown:
                shell.run_cell("%%batch\n1+1").raise_error()
            if "2" not in shown.stdout + "".join(str(output.data) for output in shown.outputs):
                raise CannotRunError(f"the cell shows {shown.stdout!r}")

        bench.compare(
            "`1+1`, process executor",
            {"%%batch cell": timed(cell), "fresh interpreter": timed(python("print(1+1)"))},
        )
