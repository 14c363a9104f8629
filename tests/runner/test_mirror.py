"""`$NBBATCH_CHECKPOINTS`: what an attempt at a script leaves there, the next one finds, in a folder and in S3."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from aws_account import BUCKET, KEYS, REGION, Account, new_account

from nbbatch.client.aws.s3_store import S3Store
from nbbatch.client.packing.payloads import Cell, Command
from nbbatch.client.results import load_result
from nbbatch.runner.place import place_of

DEADLINE = 120
COUNTS = """\
cd $NBBATCH_CHECKPOINTS
n=$(cat deep/n 2>/dev/null || echo 0)
mkdir -p deep
echo $((n + 1)) > deep/new && mv deep/new deep/n
[ $n -ge 2 ] || exit 3
cat deep/n
"""


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with new_account() as one:
        yield one


@pytest.fixture
def s3(account, request, monkeypatch) -> S3Store:
    """A store in S3; jobs have keys as a role would give them."""
    for name, value in {
        **KEYS,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_S3": account.url,
    }.items():
        monkeypatch.setenv(name, value)
    prefix = f"s3://{BUCKET}/{request.node.name}"
    return S3Store(prefix, lambda: boto3.client("s3", endpoint_url=account.url, region_name=REGION))


@pytest.fixture(params=["folder", "s3"])
def anywhere(desk, request):
    """The desk with its store in a folder and in S3."""
    if request.param == "s3":
        desk.store = request.getfixturevalue("s3")
    return desk


def start(desk, packed, attempt, index=0):
    return desk.start(
        packed, {"AWS_BATCH_JOB_ATTEMPT": str(attempt), "AWS_BATCH_JOB_ARRAY_INDEX": str(index)}
    )


def objects(desk, packed) -> list[str]:
    """What is kept of all items' folders."""
    if isinstance(desk.store, S3Store):
        top = desk.store._key(packed.bundle_id, "")
        keys = [key.removeprefix(top) for key in desk.store._keys(f"{top}results/")]
    else:
        folder = Path(packed.url.removeprefix("file://"))
        keys = [str(path.relative_to(folder)) for path in folder.rglob("*")]
    return sorted(key for key in keys if ".checkpoints" in key)


def test_a_script_goes_on_from_what_it_left(anywhere) -> None:
    """Files of folders, changed ones too; when it has ended well nothing is left of them."""
    packed = anywhere.pack(Cell(source=COUNTS, language="bash"))
    for attempt, code in ((1, 3), (2, 3), (3, 0)):
        child = start(anywhere, packed, attempt)
        out, told = child.communicate(timeout=DEADLINE)
        assert child.returncode == code, told
        assert bool(objects(anywhere, packed)) == (attempt < 3)
    assert out == "3\n"


def test_each_item_has_its_own(anywhere) -> None:
    """Of a child with several items only one that did not end well has something left, and runs again."""
    line = "cd $NBBATCH_CHECKPOINTS; echo $ITEM >> seen; [ $ITEM = a ] || [ $(wc -l < seen) = 2 ]; cat seen"
    packed = anywhere.pack(Command(argv=["sh", "-ec", line], items=["a", "b"], chunk=2))
    first = start(anywhere, packed, 1)
    first.communicate(timeout=DEADLINE)
    assert first.returncode == 1
    assert all("0.1.checkpoints" in key for key in objects(anywhere, packed))
    again = start(anywhere, packed, 2)
    assert again.communicate(timeout=DEADLINE)[0] == "b\nb\n"
    assert objects(anywhere, packed) == []


def test_a_script_that_is_told_to_stop_has_time_to_leave_something(anywhere) -> None:
    """What its trap writes is there, with its mode, and what it removed is not."""
    source = """\
cd $NBBATCH_CHECKPOINTS
if [ -e tool ]; then ./tool; ls; exit; fi
touch old
trap 'rm old; printf "#!/bin/sh\\necho went on\\n" > tool; chmod 755 tool; kill $!; exit 9' TERM
sleep 600 & echo ready; wait
"""
    packed = anywhere.pack(Cell(source=source, language="bash"))
    child = start(anywhere, packed, 1)
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=DEADLINE)
    assert load_result(anywhere.store, packed.bundle_id).status == "stopped"
    again = start(anywhere, packed, 2)
    assert again.communicate(timeout=DEADLINE)[0] == "went on\ntool\n"


def test_a_killed_script_finds_what_was_there(desk) -> None:
    """In a folder nothing has to be done for it."""
    source = "cd $NBBATCH_CHECKPOINTS\ncat here 2>/dev/null && exit\necho kept > here\necho ready\nsleep 600"
    packed = desk.pack(Cell(source=source, language="bash"))
    child = desk.start(packed, start_new_session=True)
    assert child.stdout.readline() == "ready\n"
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate(timeout=DEADLINE)
    assert start(desk, packed, 2).communicate(timeout=DEADLINE)[0] == "kept\n"


@pytest.fixture
def mirrors(s3, monkeypatch):
    """Makes the mirror of the folder of an attempt, each on a host of its own."""
    url = s3.create_bundle("b1", manifest=b"{}", blobs={})
    made = []

    def make(attempt):
        mirror = place_of(url).mirror("results/0.checkpoints", attempt)
        made.append(mirror)
        mirror.open(is_first=attempt == 1)
        return mirror

    yield make
    for mirror in made:
        mirror.stop()


def seen(mirror) -> dict[str, str]:
    root = Path(mirror.folder)
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_files_are_sent_while_the_program_runs(mirrors, s3, monkeypatch) -> None:
    """A host that is lost without a word loses what was written since the last look."""
    monkeypatch.setattr("nbbatch.runner.mirror._SELDOM", 0.02)
    first = mirrors(1)
    Path(first.folder, "a").write_text("1")
    deadline = time.monotonic() + DEADLINE
    while "a" not in (known := seen(mirrors(2))) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert known == {"a": "1"}


def test_only_what_has_changed_is_sent(mirrors) -> None:
    """The next attempt, too, sends nothing that it was given."""
    first = mirrors(1)
    for name in ("a", "b"):
        Path(first.folder, name).write_text(name)
    first.stop()
    first.leave()
    second = mirrors(2)
    Path(second.folder, "b").write_text("newer")
    second.stop()
    sent = []
    send = second._bucket.send
    second._bucket.send = lambda method, key, *rest: sent.append((method, key)) or send(method, key, *rest)
    second.leave()
    places = [(method, key.rpartition("/")[2]) for method, key in sent]
    assert places[:2] == [("PUT", "2-1"), ("PUT", "files.json")]
    assert [method for method, _ in places[2:]] == ["DELETE"]
    assert seen(mirrors(3)) == {"a": "a", "b": "newer"}


def test_the_next_attempt_gets_files_of_one_moment(mirrors) -> None:
    """A host that is lost while it sends leaves those of the look before."""
    first = mirrors(1)
    Path(first.folder, "a").write_text("old")
    first.stop()
    first.leave()
    Path(first.folder, "a").write_text("newer")
    send = first._bucket.send

    def lost(method, key, *rest):
        if key.endswith("files.json"):
            raise OSError("the host is gone")
        return send(method, key, *rest)

    first._bucket.send = lost
    first.leave()
    assert seen(mirrors(2)) == {"a": "old"}
