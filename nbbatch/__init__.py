"""nbbatch: notebook cells, functions, notebooks, scripts and images as AWS Batch jobs.

Names are imported on first use (PEP 562), so that `import nbbatch` costs a few milliseconds.
"""

from __future__ import annotations

from importlib import import_module

from nbbatch.version import __version__

TYPE_CHECKING = False  # as typing has it, which would double the spawner's start
if TYPE_CHECKING:
    from typing import Any

_HOME_OF = {
    "all_of": "nbbatch.client.pipelines.dependencies",
    "as_completed": "nbbatch.client.handles.completed",
    "batch": "nbbatch.client.decorator",
    "boto3_client": "nbbatch.client.backend",
    "checkpoint": "nbbatch.runner.inside",
    "command": "nbbatch.client.files.scripts",
    "cache_clear": "nbbatch.client.cache",
    "costs": "nbbatch.client.money.costs",
    "doctor": "nbbatch.client.doctor.checkup",
    "estimate": "nbbatch.client.money.estimate",
    "events": "nbbatch.client.events",
    "figure": "nbbatch.jupyter.figures.figure",
    "image": "nbbatch.client.images.image",
    "interrupted": "nbbatch.runner.inside",
    "job": "nbbatch.client.jobs",
    "jobs": "nbbatch.client.listing",
    "launch": "nbbatch.jupyter.launcher.launch",
    "log_metric": "nbbatch.runner.inside",
    "magic": "nbbatch.jupyter.presets",
    "map": "nbbatch.client.arrays.mapping",
    "map_notebook": "nbbatch.client.notebooks.runs",
    "panel": "nbbatch.jupyter.panels.open",
    "pipeline": "nbbatch.client.pipelines.pipeline",
    "progress": "nbbatch.runner.inside",
    "queues": "nbbatch.client.queues",
    "record": "nbbatch.runner.recording",
    "restore": "nbbatch.runner.inside",
    "run_notebook": "nbbatch.client.notebooks.runs",
    "script": "nbbatch.client.files.scripts",
    "simulate": "nbbatch.client.simulation.simulate",
    "starmap": "nbbatch.client.arrays.mapping",
    "submit": "nbbatch.client.jobs",
    "wait": "nbbatch.client.handles.completed",
    "what_if": "nbbatch.jupyter.panels.what_if",
    "ArrayJob": "nbbatch.client.arrays.array_jobs",
    "Job": "nbbatch.client.jobs",
    "NotebookJob": "nbbatch.client.notebooks.handles",
    "Sweep": "nbbatch.client.notebooks.sweeps",
    "load_ipython_extension": "nbbatch.jupyter.magics",
    "unload_ipython_extension": "nbbatch.jupyter.magics",
}

__all__ = ["__version__", *_HOME_OF]  # noqa: PLE0604 - the keys are names


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Where a Jupyter server finds the routes of the sidebar."""
    return [{"module": "nbbatch.jupyter.routes.extension"}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Where JupyterLab finds the built sidebar."""
    return [{"src": "labextension", "dest": "nbbatch"}]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'nbbatch' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
