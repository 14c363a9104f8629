"""Notebooks that the tests execute, written cell by cell."""

from __future__ import annotations

import io
import re
from pathlib import Path

import nbformat


def write(path: Path, *sources: str, parameters: str | None = "lr = 0.1\ndepth = 3", **metadata) -> Path:
    """A notebook of Python with a cell of parameters before the others; None: without that one."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    if parameters is not None:
        cells.insert(0, nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    node = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec, **metadata})
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(node, path)
    return path


def text_of(cell) -> str:
    """Streams and plain results of a cell, in order."""
    parts = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in cell.get("outputs", ())
    ]
    return "".join(parts)


class Opens(io.StringIO):
    """What a cell's text is written to; makes a file once it says what was waited for."""

    def __init__(self, gate: Path, words: str) -> None:
        super().__init__()
        self._gate = gate
        self._words = words

    def write(self, text: str) -> int:
        if re.search(self._words, text):
            self._gate.touch()
        return super().write(text)
