"""Payloads in S3, against moto's server: the contract of a store, and what S3 refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256

import boto3
import pytest
from aws_account import BUCKET, KEYS, REGION, Account, new_account
from botocore.config import Config

from nbbatch.client.aws import s3_store
from nbbatch.client.aws.s3_store import S3Store
from nbbatch.errors import ConfigurationError, StoreError


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with new_account() as one:
        yield one


def client_of(account, **settings):
    names = {key.lower(): value for key, value in KEYS.items()}
    config = Config(retries={"total_max_attempts": 1})
    return boto3.client(
        "s3", endpoint_url=account.url, region_name=REGION, config=config, **names, **settings
    )


@pytest.fixture
def store(account, request) -> S3Store:
    """A store in a prefix of its own."""
    return S3Store(f"s3://{BUCKET}/{request.node.name}", lambda: client_of(account))


def keys(store) -> list[str]:
    found = store.client.list_objects_v2(Bucket=BUCKET, Prefix=store._prefix).get("Contents", [])
    return [one["Key"].removeprefix(store._prefix) for one in found]


def writer(*chunks: bytes):
    def write(sink) -> None:
        for chunk in chunks:
            sink.write(chunk)

    return write


def fresh(store) -> S3Store:
    """The same place, nothing remembered."""
    return S3Store(f"s3://{BUCKET}/{store._prefix}", lambda: store.client)


def test_a_blob_is_named_by_its_content_and_kept_once(store) -> None:
    """Another process finds it there and sends nothing."""
    first = store.put_blob(writer(b"ab", b"c"))
    name = sha256(b"abc").hexdigest()
    assert (first.name, first.size, first.is_new) == (name, 3, True)
    assert keys(store) == [f"blobs/{name[:2]}/{name}"]
    again = fresh(store).put_blob(writer(b"abc"))
    assert (again.name, again.is_new) == (name, False)


def test_likely_content_is_only_hashed(store) -> None:
    """Where it is as expected nothing is kept here; where it is not, it is sent."""
    first = store.put_blob(writer(b"abc"))
    targets = []

    def write(sink) -> None:
        targets.append(sink._file)
        sink.write(b"abc")

    assert not fresh(store).put_blob(write, likely=first.name).is_new
    assert targets == [None]
    other = store.put_blob(writer(b"xyz"), likely=first.name)
    assert (other.is_new, other.name) == (True, sha256(b"xyz").hexdigest())


def test_an_old_blob_is_written_again(store, monkeypatch) -> None:
    """So that a lifecycle rule which counts from the last writing does not take it from a new job."""
    first = store.put_blob(writer(b"abc"))
    assert not fresh(store).put_blob(writer(b"abc")).is_new
    monkeypatch.setattr(s3_store, "_USED_AGAIN", timedelta(seconds=-1).total_seconds())
    assert fresh(store).put_blob(writer(b"abc"), likely=first.name).is_new


def test_a_failing_writer_leaves_nothing(store) -> None:
    """Its error passes through."""

    def write(sink) -> None:
        sink.write(b"half")
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        store.put_blob(write)
    assert keys(store) == []


def test_a_bundle_shows_its_blobs_at_their_paths(store) -> None:
    """As a folder of links would; what others see is there when the manifest is."""
    blob = store.put_blob(writer(b"abc"))
    url = store.create_bundle(
        "b1", manifest=b"{}", blobs={f"blobs/{blob.name}": blob.name, "files/a/x": blob.name}
    )
    assert url == store.url("b1") == f"s3://{BUCKET}/{store._prefix}bundles/b1"
    assert store.exists("b1")
    assert store.open("b1", f"blobs/{blob.name}").read() == b"abc"
    assert store.open("b1", "files/a/x").read() == b"abc"
    assert store.open("b1", "manifest.json").read() == b"{}"
    assert store.list("b1", "files/a") == ["files/a/x"]
    assert store.list("b1", "blobs") == [f"blobs/{blob.name}"]
    assert store.list("b1") == ["manifest.json"]
    assert json.loads(
        store.client.get_object(Bucket=BUCKET, Key=f"{store._prefix}bundles/b1/index.json")["Body"].read()
    )


def test_results_are_the_bundles_own(store) -> None:
    """Listed folder by folder, however many there are, and gone with the bundle; blobs stay."""
    blob = store.put_blob(writer(b"abc"))
    store.create_bundle("b1", manifest=b"{}", blobs={f"blobs/{blob.name}": blob.name})
    for index in range(3):
        key = f"{store._prefix}bundles/b1/results/{index}.1.json"
        store.client.put_object(Bucket=BUCKET, Key=key, Body=b"[]")
    store.client.put_object(Bucket=BUCKET, Key=f"{store._prefix}bundles/b1/results/0.1.files/a", Body=b"")
    assert store.list("b1", "results") == [f"results/{index}.1.json" for index in range(3)]
    store.delete("b1")
    assert keys(store) == [f"blobs/{blob.name[:2]}/{blob.name}"]
    store.delete("b1")
    assert not store.exists("b1")


def test_what_is_not_there_is_a_file_not_found(store) -> None:
    """As in a folder."""
    store.create_bundle("b1", manifest=b"{}", blobs={})
    for path in ("results/0.1.json", "files/none"):
        assert not store.exists("b1", path)
        with pytest.raises(FileNotFoundError):
            store.open("b1", path)
    with pytest.raises(FileNotFoundError):
        store.open("none", "manifest.json")
    assert store.list("none", "results") == []


@pytest.mark.parametrize(
    ("bundle", "path"),
    [("b1", "../b2/manifest.json"), ("a/b", "x"), ("", "x"), (".b", "x"), ("b1", "/etc/passwd")],
)
def test_no_path_leads_out_of_its_bundle(store, bundle, path) -> None:
    """Whatever leads elsewhere is refused."""
    with pytest.raises(StoreError):
        store.open(bundle, path)


_LARGE = """
import pickle, re, sys
import boto3
from nbbatch.client.aws import s3_store
from nbbatch.client.aws.s3_store import S3Store

s3_store._PART = 5 << 20  # the least that S3 takes

def peak():
    with open("/proc/self/status") as file:
        return int(re.search(r"VmHWM:\\s+(\\d+)", file.read())[1]) >> 10

store = S3Store(sys.argv[1], lambda: boto3.client("s3", endpoint_url=sys.argv[2], region_name="us-east-1"))
store.put_blob(lambda sink: sink.write(b"small"))
value = bytes(range(256)) * (96 << 12)
before = peak()
blob = store.put_blob(lambda sink: pickle.Pickler(sink, protocol=5).dump(value))
sent = peak()
store.create_bundle("b1", manifest=b"{}", blobs={"x": blob.name})
with store.open("b1", "x") as file:
    same = pickle.load(file) == value
    file.seek(-1, 2)
    print(sent - before, peak() - sent, same, file.read())
"""


def test_a_large_value_travels_in_parts_and_is_nowhere_twice(store, account) -> None:
    """96 MB go without a copy in memory but for the parts on their way, and come back into the memory of the value."""
    command = [sys.executable, "-c", _LARGE, f"s3://{BUCKET}/{store._prefix}", account.url]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **KEYS}, check=True)
    sending, receiving, *rest = done.stdout.split()
    assert rest == ["True", "b'.'"]
    assert int(sending) < 72, "boto3 reads ten parts ahead of a slow server"
    assert int(receiving) < 96 + 36
    (blob,) = (key for key in keys(store) if "/blobs/" in f"/{key}" and size_of(store, key) > 1 << 20)
    assert "-" in store.client.head_object(Bucket=BUCKET, Key=f"{store._prefix}{blob}")["ETag"]


def size_of(store, key: str) -> int:
    return store.client.head_object(Bucket=BUCKET, Key=f"{store._prefix}{key}")["ContentLength"]


def test_a_job_is_told_where_the_store_is(store, account) -> None:
    """Its region, and its address where that is not AWS's own."""
    assert store.environment() == {"NBBATCH_REGION": REGION, "AWS_ENDPOINT_URL_S3": account.url}
    on_aws = S3Store("s3://research", lambda: boto3.client("s3", region_name="eu-west-1"))
    assert on_aws.environment() == {"NBBATCH_REGION": "eu-west-1"}


@pytest.mark.parametrize("url", ["research", "file:///x", "s3://", "s3://Not A Bucket/x", "s3://b?x=1"])
def test_a_place_that_is_none_is_refused(url) -> None:
    """Before anything is asked."""
    with pytest.raises(ConfigurationError, match="s3://bucket/prefix"):
        S3Store(url, lambda: None)


def test_a_bucket_that_is_missing_is_told_with_the_cure(account) -> None:
    """Small and large blobs, and a bundle."""
    store = S3Store("s3://missing", lambda: client_of(account))
    for size in (3, 20 << 20):
        with pytest.raises(StoreError, match=r"s3://missing/.*There is no bucket missing: create it"):
            store.put_blob(writer(b"x" * size))
    with pytest.raises(StoreError, match="There is no bucket missing"):
        store.create_bundle("b1", manifest=b"{}", blobs={})


@pytest.mark.parametrize(
    ("code", "status", "cure"),
    [
        ("AccessDenied", 403, "docs/aws.md has the policy"),
        ("PermanentRedirect", 301, "is in another region"),
        ("ExpiredToken", 400, "Sign in"),
    ],
)
def test_what_s3_refuses_is_told_with_the_cure(store, code, status, cure) -> None:
    """By S3's own code, whatever was asked."""
    from botocore.exceptions import ClientError

    def refuse(**_) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "words"}}, "PutObject")

    store.client.meta.events.register_first("before-call.s3", refuse)
    with pytest.raises(StoreError, match=f"words.*{cure}"):
        store.create_bundle("b1", manifest=b"{}", blobs={})
    with pytest.raises(StoreError, match=cure):
        store.exists("b1")


def test_who_has_not_signed_in_is_told(store) -> None:
    """With how to."""
    from botocore.exceptions import NoCredentialsError

    def refuse(**_) -> None:
        raise NoCredentialsError

    store.client.meta.events.register_first("before-call.s3", refuse)
    with pytest.raises(StoreError, match="Sign in"):
        store.put_blob(writer(b"x"))
