"""Bundles that are in S3: fetched, run and answered by a job that has nothing but python3 and keys."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from aws_account import BUCKET, KEYS, REGION, Account, new_account

from nbbatch.client.aws.s3_store import S3Store
from nbbatch.client.files.workdir import Files
from nbbatch.client.packing.payloads import Call, Command
from nbbatch.client.results import load_partial, load_result, open_file
from nbbatch.runner.payload import StoreError
from nbbatch.runner.place import place_of


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with new_account() as one:
        yield one


@pytest.fixture
def far(desk, account, request, monkeypatch):
    """The desk with its store in S3; its jobs have keys as a role would give them."""
    for name, value in {**KEYS, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TMPDIR", str(desk.scratch))
    monkeypatch.setattr(tempfile, "tempdir", str(desk.scratch))
    prefix = f"s3://{BUCKET}/{request.node.name}"
    desk.store = S3Store(prefix, lambda: boto3.client("s3", endpoint_url=account.url, region_name=REGION))
    return desk


def fetched(desk) -> list[str]:
    """What the jobs of a desk have brought to their folders."""
    found = [path for path in desk.scratch.rglob("*") if path.is_file() and "nbbatch-bundle" in str(path)]
    return sorted(path.name for path in found)


def test_a_cell_in_s3_runs_as_one_in_a_folder(far):
    """Values, functions, modules, text and displays; small values and large ones."""
    far.write(
        "import json\nnumber, block = 20, bytes(20_000_000)\ndef double(x):\n    return json.loads(str(2 * x))"
    )
    ran = far.run(
        "print('hello')\nanswer, size = double(number), len(block)\nback = block\nanswer", is_same=False
    )
    assert ran.code == 0, ran.stderr
    assert (ran.result.value, ran.result.variables["size"]) == (40, 20_000_000)
    assert ran.result.variables["back"] == bytes(20_000_000)
    assert ran.stdout == "hello\n"


def test_a_child_reads_its_own_item_only(far):
    """The items of all children stand in one object, of which a part is fetched."""
    items = [(([number] * 300_000,), {}) for number in range(8)]
    packed = far.pack(Call(function=len, calls=items))
    ran = far.run_packed(packed, index=5)
    assert ran.result.items[0].value == 300_000
    items_blob = max(far.store.list(packed.bundle_id, "blobs"), key=lambda path: size_of(far, packed, path))
    assert Path(items_blob).name not in fetched(far)


def size_of(desk, packed, path: str) -> int:
    with desk.store.open(packed.bundle_id, path) as file:
        return file.seek(0, os.SEEK_END)


def test_files_go_there_and_come_back(far, tmp_path, monkeypatch):
    """With their folders; empty ones, too."""
    monkeypatch.chdir(tmp_path)
    Path("in.txt").write_text("abc")
    Path("empty").write_text("")
    script = "mkdir -p out/deep; tr a-z A-Z < in.txt > out/deep/big.txt; cp empty out/none"
    files = Files(send=(("", "in.txt"), ("", "empty")), fetch=("out/",))
    ran = far.run(Command(argv=("sh", "-c", script)), files=files)
    assert sorted(ran.result.files) == ["out/deep/big.txt", "out/none"]
    for name, content in (("out/deep/big.txt", b"ABC"), ("out/none", b"")):
        with open_file(far.store, ran.packed.bundle_id, ran.result, name) as file:
            assert file.read() == content


def test_the_next_attempt_goes_on_from_the_checkpoint(far):
    """On another host, which has nothing but S3; when the item has ended well it is gone."""
    source = (
        "import nbbatch, sys\nbegun = nbbatch.restore(0)\nnbbatch.checkpoint(begun + 1)\n"
        "if begun < 2:\n    sys.exit(3)\nbegun"
    )
    packed = far.pack(far.cell(source), is_same=False)
    for attempt, code in ((1, 3), (2, 3), (3, 0)):
        variables = {"AWS_BATCH_JOB_ID": "job", "AWS_BATCH_JOB_ATTEMPT": str(attempt)}
        child = far.start(packed, variables)
        _, told = child.communicate(timeout=120)
        assert child.returncode == code, told
        kept = [path for path in far.store.list(packed.bundle_id, "results") if "checkpoint" in path]
        assert len(kept) == (attempt < 3)
    assert load_result(far.store, packed.bundle_id, attempt=3).value == 2


def test_items_that_have_ended_are_seen_while_others_run(far):
    """So that a killed child loses little."""
    source = "def wait(seconds):\n    import time\n    time.sleep(seconds)\n    return bytes(10_000)"
    far.write(source)
    wait = far.namespace["wait"]
    packed = far.pack(Call(function=wait, calls=[((0,), {}), ((0.3,), {}), ((60,), {})], chunk=3))
    child = far.start(packed)
    deadline = time.monotonic() + 60
    while not (found := load_partial(far.store, packed.bundle_id, 0, 1)) and time.monotonic() < deadline:
        time.sleep(0.05)
    child.kill()
    child.communicate()
    assert found[0].value == bytes(10_000)


def test_a_failing_cell_brings_its_error_back(far):
    """With exit code and traceback."""
    ran = far.run("1 / 0")
    assert (ran.code, ran.result.error.type) == (1, "ZeroDivisionError")


def test_a_stopped_job_leaves_what_it_has(far):
    """SIGTERM comes half a minute before the end, which is enough to send it."""
    packed = far.pack(far.cell("print('begun', flush=True)\nimport time\nwhile True: time.sleep(0.05)"))
    child = far.start(packed)
    assert child.stdout.readline() == "begun\n"
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=120)
    result = load_result(far.store, packed.bundle_id)
    assert (child.returncode, result.status) == (143, "stopped")
    assert result.outputs[0]["text"] == "begun\n"


def test_a_bundle_that_is_gone_is_told_in_the_log(far):
    """Before anything runs, in one line, and the job fails."""
    packed = far.pack(far.cell("1"))
    far.store.delete(packed.bundle_id)
    child = far.start(packed)
    _, told = child.communicate(timeout=120)
    assert child.returncode == 1
    assert told.startswith("nbbatch: the job cannot fetch its code. S3 refused GET s3://research/")
    assert told.count("\n") == 1


def test_a_value_that_is_gone_is_told_with_the_error(far):
    """The result says it, too."""
    far.write("block = bytes(10_000)")
    packed = far.pack(far.cell("len(block)"))
    manifest = far.store.open(packed.bundle_id, "manifest.json").read().decode()
    name = manifest.partition('"blob":"')[2][:64]
    prefix = far.store._prefix
    far.store.client.delete_object(Bucket=BUCKET, Key=f"{prefix}blobs/{name[:2]}/{name}")
    ran = far.run_packed(packed)
    assert ran.code == 1
    assert ran.result.error.type == "StoreError"
    assert "cannot be fetched" in ran.result.error.message
    assert name[:8] in ran.result.error.message


def test_a_result_that_cannot_be_sent_is_told_in_the_log(far, account):
    """The job fails, though its code went well; here somebody removes the bucket meanwhile."""
    s3 = account.client("s3")
    s3.create_bucket(Bucket="short-lived")
    far.store = S3Store("s3://short-lived", lambda: s3)
    go = far.scratch / "go"
    wait = "import os, time\nwhile not os.path.exists(GO):\n    time.sleep(0.01)"
    child = far.start(far.pack(far.cell(f"print('begun', flush=True)\n{wait.replace('GO', repr(str(go)))}")))
    assert child.stdout.readline() == "begun\n"
    for one in s3.list_objects_v2(Bucket="short-lived")["Contents"]:
        s3.delete_object(Bucket="short-lived", Key=one["Key"])
    s3.delete_bucket(Bucket="short-lived")
    go.touch()
    _, told = child.communicate(timeout=120)
    assert child.returncode == 1
    assert "the result cannot be written" in told
    assert "NoSuchBucket" in told


@pytest.fixture
def bundle(far, account, monkeypatch) -> str:
    """The URL of an empty bundle, and this process as its job."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", account.url)
    return far.store.create_bundle("b1", manifest=b"{}", blobs={})


def test_what_an_attempt_keeps_the_next_recalls(bundle):
    """A checkpoint survives its host, also a large one."""
    first, second = place_of(bundle), place_of(bundle)
    for name, content in (("small", b"abc"), ("large", os.urandom(20 << 20))):
        path = f"results/0.{name}"
        Path(first.folder, path).write_bytes(content)
        assert not second.recall(path)
        first.keep(path)
        assert second.recall(path)
        with second.open(path) as file:
            assert file.read() == content


def test_what_was_kept_is_not_sent_again(bundle, far):
    """With the results go what is new and what has changed, and the last file last."""
    place = place_of(bundle)
    for name in ("a", "b", "last"):
        Path(place.folder, "results", name).write_text("1")
    place.keep("results/a", "results/b")
    Path(place.folder, "results/b").write_text("22")
    sent = []
    send = place._bundle.send
    place._bundle.send = lambda method, key, *rest, **more: (
        sent.append(key) or send(method, key, *rest, **more)
    )
    place.keep_results("results/last")
    assert sent == ["results/b", "results/last"]
    assert far.store.list("b1", "results") == ["results/a", "results/b", "results/last"]


def test_several_threads_may_keep(bundle, far):
    """A checkpoint and live progress do not mind each other."""
    place = place_of(bundle)
    names = [f"results/{number}" for number in range(8)]
    for name in names:
        Path(place.folder, name).write_text(name)
    threads = [threading.Thread(target=place.keep, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert far.store.list("b1", "results") == names


def test_a_place_that_does_not_answer_is_told(bundle, monkeypatch):
    """Not to be confused with a checkpoint that is not there yet."""
    monkeypatch.setattr("nbbatch.runner.bucket.ATTEMPTS", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match="does not answer"):
        place_of(bundle).recall("results/0.checkpoint")


def test_a_folder_needs_nothing_to_be_done(tmp_path):
    """What is kept in it is there."""
    place = place_of(f"file://{tmp_path}")
    place.keep("results/x")
    assert not place.recall("results/x")
    (tmp_path / "x").write_text("1")
    assert place.recall("x")
    with place.open("x") as file:
        assert file.read() == b"1"
