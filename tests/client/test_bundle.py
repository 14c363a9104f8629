from __future__ import annotations

import json
import subprocess
import sys
import threading
from types import ModuleType

import pytest

from nbbatch.client.bundle import pack
from nbbatch.client.packing.capture import size_text
from nbbatch.client.packing.payloads import Call, Cell, Command
from nbbatch.client.store import DryStore, FolderStore
from nbbatch.errors import StoreError, UnpicklableError, ValueTooLargeError


@pytest.fixture
def main(monkeypatch) -> ModuleType:
    """An empty notebook."""
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    return module


@pytest.fixture
def store(tmp_path) -> FolderStore:
    return FolderStore(tmp_path / "home")


def manifest_of(store: FolderStore, packed) -> dict:
    with store.open(packed.bundle_id, "manifest.json") as file:
        return json.load(file)


def test_receipt_says_what_goes_and_what_comes_back(main, store) -> None:
    """The receipt reads as the first line of the story."""
    exec("def f(): return C\ndef g(): pass\nclass C: pass", vars(main))
    inputs = {"df": bytes(1_200_000), "f": main.f, "g": main.g}
    packed = pack(Cell(source="scores = 1", inputs=inputs), store)
    assert str(packed.receipt) == "sends df (1.2 MB), 2 functions, 1 class · back: scores"
    assert packed.receipt.sent[-1].because == "a function reads it"
    assert packed.receipt.size > 1_200_000


def test_receipt_of_nothing(main, store) -> None:
    """A cell without inputs sends its code only."""
    assert str(pack(Cell(source="1 + 1"), store).receipt) == "sends the code only"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (340_000, "340 kB"),
        (999_600, "1.0 MB"),
        (12_340_000, "12 MB"),
        (3 * 10**15, "3000 TB"),
    ],
)
def test_sizes_in_words(size: int, text: str) -> None:
    """Two digits below ten, none above, units of 1000."""
    assert size_text(size) == text


def test_same_input_is_sent_once(main, store) -> None:
    """An unchanged value is not written a second time, whatever else changes."""
    big = bytes(1_000_000)
    first = pack(Cell(source="len(big)", inputs={"big": big}), store)
    again = pack(Cell(source="len(big) + 1", inputs={"big": big, "x": 1}), store)
    sent = {each.name: each.is_new for each in again.receipt.sent}
    assert first.receipt.sent[0].is_new
    assert sent["big"] is False
    sizes = [path.stat().st_size for path in (store.root / "blobs").glob("*/*")]
    assert sum(size > 900_000 for size in sizes) == 1


def test_arguments_are_kept_apart(main, store) -> None:
    """A large argument is shared between calls that differ in another one."""
    data = bytes(1_000_000)
    pack(Call(function=len, args=[data, 1]), store)
    packed = pack(Call(function=len, args=[data, 2]), store)
    assert [each.is_new for each in packed.receipt.sent] == [True, False, True]


def test_bundle_has_only_its_own_payload(main, store) -> None:
    """What another job sent is not in this one's folder."""
    pack(Cell(source="1", inputs={"a": bytes(100_000)}), store)
    packed = pack(Cell(source="1"), store, is_same_environment=True)
    assert store.list(packed.bundle_id, "blobs") == []
    assert sorted(store.list(packed.bundle_id)) == ["manifest.json", "runner.pyz"]


def test_bundle_names_its_command_and_variables(main, store) -> None:
    """The job starts the runner with the bundle's folder."""
    packed = pack(Cell(source="1"), store, python="/usr/bin/python3")
    folder = packed.url.removeprefix("file://")
    assert packed.command == ("/usr/bin/python3", f"{folder}/runner.pyz", folder)
    assert set(packed.environment) == {"NBBATCH_BUNDLE", "NBBATCH_CODE", "NBBATCH_CONTENT"}
    assert packed.environment["NBBATCH_BUNDLE"] == packed.url
    assert packed.environment["NBBATCH_CODE"] == packed.code
    again = pack(Cell(source="1"), store), pack(Cell(source="2"), store)
    contents = [one.environment["NBBATCH_CONTENT"] for one in (packed, *again)]
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize(
    ("make", "path", "kind", "cure"),
    [
        ("class M: pass\nx = M(); x.parts = [1, M()]; x.parts[1].lock = threading.Lock()", "x.parts[1].lock", "lock", "inside the job"),
        ("x = {'a': (n for n in ())}", "x['a']", "generator", "list"),
        ("x = open('/dev/null')", "x", "TextIOWrapper", "path"),
        ("import socket\nx = [socket.socket()]", "x[0]", "socket", "inside the job"),
        ("import sqlite3\nx = sqlite3.connect(':memory:')", "x", "Connection", "connect"),
        ("def make(l):\n    def f(): return l\n    return f\nx = make(threading.Lock())", "x → l", "lock", "inside"),
        ("import functools\nx = functools.partial(print, threading.Lock())", "x", "", ""),
    ],
)  # fmt: skip
def test_unpicklable_part_is_named(main, store, make: str, path: str, kind: str, cure: str) -> None:
    """The error names the variable, the way to the part that cannot travel, its type, and what to do."""
    main.threading = threading
    exec(make, vars(main))
    try:
        with pytest.raises(UnpicklableError) as caught:
            pack(Cell(source="x", inputs={"x": main.x}), store)
    finally:
        for each in (main.x, *(main.x if isinstance(main.x, list) else ())):
            if hasattr(each, "close"):
                each.close()
    assert caught.value.message.startswith(path)
    assert kind in caught.value.message
    assert cure in str(caught.value)


def test_unpicklable_item_is_named(main, store) -> None:
    """Of an array the item is named by its position."""
    with pytest.raises(UnpicklableError, match=r"item\[2\] is a _thread.lock"):
        pack(Cell(source="item", items=[1, 2, threading.Lock()]), store)


def test_deep_nesting_is_told(main, store) -> None:
    """A value too deep for pickle is refused in words."""
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(UnpicklableError, match="nested too deeply"):
        pack(Cell(source="deep", inputs={"deep": deep}), store)
    while deep:
        deep = deep.pop()


def test_large_value_must_be_named(main, store) -> None:
    """A value above what goes unasked is refused with the option that sends it, and sent when named."""
    cell = Cell(source="big", inputs={"big": bytes(50_000)})
    with pytest.raises(ValueTooLargeError, match="--in big"):
        pack(cell, store, ask_bytes=10_000)
    named = Cell(source="big", inputs=cell.inputs, named={"big"})
    assert pack(named, store, ask_bytes=10_000).receipt.sent[0].size > 50_000
    with pytest.raises(ValueTooLargeError, match="20 kB"):
        pack(named, store, limit_bytes=20_000)


def test_credential_that_a_function_reads_stays(main, store) -> None:
    """A function's credential is held back like the cell's own, and is nowhere in the bundle."""
    exec("api_key = 'very-private'\ndef f(): return api_key", vars(main))
    packed = pack(Cell(source="f()", inputs={"f": main.f}), store)
    assert list(packed.receipt.held_back) == ["api_key"]
    assert not any(b"very-private" in path.read_bytes() for path in store.root.rglob("*") if path.is_file())


def test_dry_run_keeps_nothing(main, tmp_path) -> None:
    """A dry store gives the receipt and writes nothing."""
    packed = pack(Cell(source="x", inputs={"x": bytes(10_000)}), DryStore())
    assert str(packed.receipt) == "sends x (10 kB)"
    assert packed.command


def test_local_modules_travel(main, store, tmp_path, monkeypatch) -> None:
    """Modules of the project folder go along, with what they import, and work without the folder."""
    project = tmp_path / "project"
    (project / "pkg" / "sub").mkdir(parents=True)
    (project / "pkg" / "__init__.py").write_text(
        "from pkg.sub.deep import value\nfrom other_local import more\n"
    )
    (project / "pkg" / "sub" / "__init__.py").write_text("")
    (project / "pkg" / "sub" / "deep.py").write_text("value = 40\n")
    (project / "other_local.py").write_text("more = 2\ndef f(): return more\n")
    monkeypatch.syspath_prepend(project)
    packed = pack(Cell(source="import pkg\npkg.value + pkg.more"), store, python=sys.executable)
    assert {each.name for each in packed.receipt.sent} == {"pkg", "other_local"}
    (project / "pkg" / "sub" / "deep.py").write_text("value = 0\n")
    done = subprocess.run(packed.command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads((store.root / "bundles" / packed.bundle_id / "results" / "0.1.json").read_text())
    assert result["outputs"][0]["data"]["text/plain"] == "42"
    import other_local

    call = pack(Call(function=other_local.f), store)
    assert "other_local" in {each.name for each in call.receipt.sent}


def test_data_files_of_local_packages_are_found(main, store, tmp_path, monkeypatch) -> None:
    """A package that opens a file beside its source finds it in the job."""
    project = tmp_path / "project"
    (project / "withdata").mkdir(parents=True)
    (project / "withdata" / "__init__.py").write_text(
        "from pathlib import Path\ntext = (Path(__file__).parent / 'd.txt').read_text()\n"
    )
    (project / "withdata" / "d.txt").write_text("here")
    monkeypatch.syspath_prepend(project)
    packed = pack(Cell(source="import withdata\nprint(withdata.text)"), store, python=sys.executable)
    done = subprocess.run(packed.command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "here\n", done.stderr


def test_installed_modules_do_not_travel(main, store) -> None:
    """What pip installed or Python brings is the image's matter."""
    packed = pack(Cell(source="import json, pandas, os.path, nowhere_at_all"), store)
    assert packed.receipt.sent == ()


def test_same_environment_restores_the_kernels_path(main, store, tmp_path, monkeypatch) -> None:
    """In the kernel's own environment the job imports from where the kernel does."""
    monkeypatch.syspath_prepend(tmp_path)
    packed = pack(Cell(source="1"), store, is_same_environment=True)
    manifest = manifest_of(store, packed)
    assert str(tmp_path) in manifest["path"]
    assert manifest["cloudpickle"] is None


def test_command_without_files(main, store) -> None:
    """A command's bundle needs no Python of its own kind."""
    packed = pack(Command(argv=["true"]), store)
    assert "python" not in manifest_of(store, packed)


def test_full_store_is_told(main, tmp_path) -> None:
    """A store that cannot be written raises StoreError and nothing else."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StoreError):
        pack(Cell(source="1"), FolderStore(blocked / "home"))


MEASURE = """
import sys, resource
from pathlib import Path
import numpy as np, pandas as pd
from nbbatch.client.packing.payloads import Cell
from nbbatch.client.bundle import pack
from nbbatch.client.store import FolderStore
def peak():
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) // 1024
frame = pd.DataFrame(np.random.default_rng(1).random((1_310_720, 10)))
store = FolderStore(Path(sys.argv[1]))
pack(Cell(source="1", inputs={"small": frame.head()}), store)
before = peak()
packed = pack(Cell(source="out = frame\\nlen(out)", inputs={"frame": frame}, named={"frame"}), store,
              python=sys.executable, is_same_environment=True)
print(peak() - before, packed.bundle_id, *packed.command)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads VmHWM")
def test_large_frame_is_not_copied(store, tmp_path) -> None:
    """Of a 105 MB frame packing holds no second copy, the job one, and loading one."""
    code = [sys.executable, "-c", MEASURE, str(store.root)]
    done = subprocess.run(code, capture_output=True, text=True, check=True)
    extra, bundle_id, *command = done.stdout.split()
    assert int(extra) < 20
    subprocess.run(command, check=True, cwd=tmp_path)
    load = (
        "import sys, pandas\nfrom pathlib import Path\nfrom nbbatch.client.results import load_result\n"
        "from nbbatch.client.store import FolderStore\n"
        "peak = lambda: int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) // 1024\n"
        "before = peak()\nr = load_result(FolderStore(Path(sys.argv[1])), sys.argv[2])\n"
        "print(r.variables['out'].shape[0], r.usage.peak_memory // 2**20, peak() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", load, str(store.root), bundle_id], capture_output=True, text=True, check=True
    )
    rows, in_job, here = map(int, done.stdout.split())
    assert rows == 1_310_720
    assert in_job < 100 + 160
    assert here < 100 + 30
