"""`papermill in.ipynb out.ipynb --engine nbbatch`: papermill's own command and API, the cells run as a job.

Papermill reads, parameterizes and writes, at any address it knows. Options of the job come from
keywords (`execute_notebook(..., engine_name="nbbatch", vcpus=2)`), else from the environment
(`NBBATCH_VCPUS=2`), else from the notebook's metadata (`nbbatch`). Ctrl-C ends the job, as it ends a
kernel, and keeps the outputs there are.

Whoever imports papermill imports this module, so it imports nothing else before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from papermill.engines import Engine

if TYPE_CHECKING:
    from papermill.engines import NotebookExecutionManager


class NbbatchEngine(Engine):  # type: ignore[misc]
    """Papermill's engine of the name `nbbatch`."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        *,
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        input_path: Any = None,
        **options: Any,
    ) -> None:
        """Run the notebook as a job; see papermill's `Engine`, and `run_as_job` for what it raises."""
        from nbbatch.client.notebooks.runs import Execution  # noqa: PLC0415 - see above
        from nbbatch.jupyter.papermill_run import run_as_job  # noqa: PLC0415

        execution = Execution(
            cell_timeout=execution_timeout, start_timeout=start_timeout, autosave=nb_man.autosave_cell_every
        )
        run_as_job(
            nb_man,
            kernel_name,
            input_path=input_path,
            execution=execution,
            options=options,
            streams={"stdout": stdout_file, "stderr": stderr_file},
            logs=log_output,
        )
