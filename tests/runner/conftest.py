"""A desk for the payload's whole way: a notebook, a store, and real interpreters that run bundles."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nbbatch.client.bundle import Packed, pack
from nbbatch.client.packing.guards import choose_inputs
from nbbatch.client.packing.names import read_names
from nbbatch.client.packing.payloads import Cell, Payload
from nbbatch.client.results import Result, load_result
from nbbatch.client.store import FolderStore


@dataclass
class Ran:
    """A bundle that was run: its result, and what the process wrote and left with."""

    packed: Packed
    result: Result
    stdout: str
    stderr: str
    code: int


class Desk:
    """A notebook whose cells are packed here and run in processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.store = FolderStore(folder / "home")
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.main = sys.modules["__main__"]

    @property
    def namespace(self) -> dict[str, Any]:
        return vars(self.main)

    def write(self, source: str) -> dict[str, Any]:
        """Run a cell here, as the notebook would."""
        exec(compile(source, "<here>", "exec", dont_inherit=True), self.namespace)
        return self.namespace

    def cell(self, source: str, **fields: Any) -> Cell:
        """A cell with the inputs it reads."""
        chosen = choose_inputs(read_names(source), self.namespace)
        fields = {"inputs": chosen.values, "modules": chosen.modules, **fields}
        return Cell(source=source, **fields)

    def pack(self, payload: Payload, *, is_same: bool = True, **options: Any) -> Packed:
        return pack(
            payload,
            self.store,
            namespace=self.namespace,
            python=sys.executable,
            is_same_environment=is_same,
            **options,
        )

    def start(
        self, packed: Packed, variables: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            packed.command,
            cwd=self.scratch,
            env={**os.environ, **packed.environment, **(variables or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run_packed(
        self, packed: Packed, index: int | None = None, variables: Mapping[str, str] | None = None
    ) -> Ran:
        given = {} if index is None else {"AWS_BATCH_JOB_ARRAY_INDEX": str(index)}
        child = self.start(packed, {**given, **(variables or {})})
        out, err = child.communicate(timeout=120)
        result = load_result(self.store, packed.bundle_id, index=index)
        return Ran(packed=packed, result=result, stdout=out, stderr=err, code=child.returncode)

    def run(self, payload: Payload | str, **options: Any) -> Ran:
        payload = self.cell(payload) if isinstance(payload, str) else payload
        return self.run_packed(self.pack(payload, **options))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An empty notebook: its variables are `__main__`'s."""
    real = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield Desk(tmp_path)
    finally:
        sys.modules["__main__"] = real
