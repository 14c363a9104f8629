"""Files that a cell leaves open: what it has written to them is there when they are fetched, and when it is over."""

from __future__ import annotations

import pytest

from nbbatch.client.files.workdir import Files
from nbbatch.client.packing.payloads import Cell
from nbbatch.client.results import open_file

STUCK = """
import os
_, end = os.pipe()
os.set_blocking(end, False)
try:
    while True:
        os.write(end, bytes(4096))
except BlockingIOError:
    os.set_blocking(end, True)
stuck = os.fdopen(end, "wb")
stuck.write(b"nobody reads this")
"""
TOO_LARGE = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
log.seek(2 << 20)
log.write("more than the limit")
"""


@pytest.mark.parametrize("how", ["open('log.csv', 'w').write", "open('log.csv', 'w+b', 1 << 20).write"])
def test_what_is_fetched_is_whole(desk, how) -> None:
    """Text and bytes, of a file that nobody closed; the last piece, too."""
    value = "b'a,b' * 1_000" if "b'," in how else "'a,b' * 1_000"
    ran = desk.run(Cell(source=f"write = {how}\nwrite({value})\nNone"), files=Files(fetch=("*.csv",)))
    assert ran.code == 0, ran.stderr
    with open_file(desk.store, ran.packed.bundle_id, ran.result, "log.csv") as file:
        assert file.read() == b"a,b" * 1_000


def test_what_a_cell_has_written_elsewhere_is_there_when_it_is_over(desk, tmp_path) -> None:
    """Although its process ends at once; a pipe that nobody reads keeps nobody waiting."""
    path = tmp_path / "log.txt"
    ran = desk.run(Cell(source=f"{STUCK}\nlog = open({str(path)!r}, 'w')\nlog.write('whole')\nNone"))
    assert ran.code == 0, ran.stderr
    assert path.read_text() == "whole"
    assert ran.stderr == ""


def test_what_a_disk_does_not_take_is_told(desk, tmp_path) -> None:
    """In the log: the job's own result is whole."""
    path = tmp_path / "log.txt"
    ran = desk.run(Cell(source=f"log = open({str(path)!r}, 'w')\nlog.write('begun')\n{TOO_LARGE}\n7"))
    assert (ran.code, ran.result.value) == (0, 7)
    assert path.read_text() == "begun"
    assert f"nbbatch: {path} could not be written out: [Errno 27] File too large" in ran.stderr
