"""Widgets that a job has shown: their last state, put before the notebook's front end; and scripts of our own.

Their models are opened under the ids they had in the job, so that what was displayed finds them, and a
saved notebook has them. Nothing stands behind a model any more: it moves when it is dragged, and that
is all. `nbbatch.runner.displays` is the other end.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from comm import create_comm

_WATCH = Path(__file__).with_name("kernel_end.js")
_OPEN: dict[str, Any] = {}
"""Models by id, as long as this kernel runs: one that is forgotten is closed, and vanishes."""


def open_models(state: Mapping[str, Any]) -> None:
    """Open the models of a job's widgets, those first that others are made of.

    Parameters
    ----------
    state : mapping
        As `ipywidgets.Widget.get_manager_state` gives it.
    """
    for name, model in state["state"].items():
        if name not in _OPEN:
            _OPEN[name] = _opened(name, model)


def _opened(name: str, model: Mapping[str, Any]) -> Any:
    kind = {f"_{key}": model[key] for key in ("model_name", "model_module", "model_module_version")}
    buffers = model.get("buffers", ())
    return create_comm(
        target_name="jupyter.widget",
        comm_id=name,
        data={"state": {**model["state"], **kind}, "buffer_paths": [each["path"] for each in buffers]},
        metadata={"version": "2.1.0"},
        buffers=[a2b_base64(each["data"]) for each in buffers],
    )


def script_of(path: Path) -> str:
    """A widget's script, which knows when the kernel is gone: a module of anywidget's stands alone."""
    return "\n".join(part.read_text(encoding="utf-8") for part in (_WATCH, path))
