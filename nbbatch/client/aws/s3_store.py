"""Payloads in an S3 prefix: `blobs/<2 hex>/<sha256>`, and per bundle an index of which blob is at which path.

S3 has no links, so `bundles/<id>/index.json` says what a folder of hard links would show; the manifest
is written behind it, and a bundle is there when its manifest is. Results are objects of the bundle's
own. Transfers are boto3's managed ones: in parts, several at once. Access and encryption are those of
the bucket. A new value waits in a temporary file until its hash is known. A lifecycle rule may expire everything under the prefix after 30 days or more: a blob that
is used again is written again when it is older than a week, so none goes while its job may need it.
"""

from __future__ import annotations

import io
import json
import posixpath
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, lru_cache
from itertools import islice
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from nbbatch.client.aws.bootstrap import bootstrap_command
from nbbatch.client.store import Blob, Sink, Write
from nbbatch.errors import ConfigurationError, StoreError

INDEX, MANIFEST = "index.json", "manifest.json"
_INDEX_VERSION = 1
_PART = 8 << 20
_AT_ONCE = 8
_READ_AHEAD = 1 << 18
_MOST_AHEAD, _READERS = 2000, 16
"""Files that are fetched before they are read, and so many at once."""
_USED_AGAIN = 7 * 24 * 3600
"""Seconds after which a blob is written again, so that lifecycle rules count from then."""
_BELIEVED = 3600
"""Seconds for which a blob that was seen is not looked for again."""
_DELETED_AT_ONCE = 1000
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class S3Store:
    """A store in S3; see `Store`.

    Parameters
    ----------
    url : str
        `s3://bucket` or `s3://bucket/prefix`.
    new_client : callable
        Makes the boto3 client of S3, when it is first needed.

    Raises
    ------
    ConfigurationError
        When the URL is not such a one.
    """

    def __init__(self, url: str, new_client: Callable[[], Any]) -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not _BUCKET.fullmatch(parts.netloc) or parts.query:
            raise ConfigurationError(
                f"store = {url!r} is no place in S3.", cure='Write "s3://bucket/prefix".'
            )
        self._bucket = parts.netloc
        prefix = parts.path.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._new_client = new_client
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}
        self._ahead: dict[str, Future[tuple[bytes, int]]] = {}
        self._read_index = lru_cache(maxsize=64)(self._load_index)

    @cached_property
    def client(self) -> Any:
        """The boto3 client."""
        return self._new_client()

    def put_blob(self, write: Write, *, likely: str = "") -> Blob:
        """Keep what `write` writes; see `Store`."""
        if likely and self._has(likely):
            digest = Sink()
            write(digest)
            if digest.name == likely:
                return Blob(name=likely, size=digest.size, is_new=False)
        with NamedTemporaryFile(prefix="nbbatch-") as file:
            sink = Sink(cast("BinaryIO", file))
            write(sink)
            if self._has(sink.name):
                return Blob(name=sink.name, size=sink.size, is_new=False)
            file.flush()
            with self._explained(f"blob {sink.name[:8]}"):
                self.client.upload_file(file.name, self._bucket, self._blob_key(sink.name), Config=_managed())
            self._note(sink.name)
            return Blob(name=sink.name, size=sink.size)

    def create_bundle(self, bundle_id: str, *, manifest: bytes, blobs: Mapping[str, str]) -> str:
        """Make a bundle appear, its manifest last; see `Store`."""
        index = json.dumps({"version": _INDEX_VERSION, "files": dict(blobs)}).encode()
        for path, content in ((INDEX, index), (MANIFEST, manifest)):
            key = self._key(bundle_id, path)
            with self._explained(key):
                self.client.put_object(
                    Bucket=self._bucket, Key=key, Body=content, ContentType="application/json"
                )
        return self.url(bundle_id)

    def replace_manifest(self, bundle_id: str, manifest: bytes) -> None:
        """Give a bundle another manifest; see `Store`."""
        key = self._key(bundle_id, MANIFEST)
        with self._explained(key):
            self.client.put_object(
                Bucket=self._bucket, Key=key, Body=manifest, ContentType="application/json"
            )

    def url(self, bundle_id: str) -> str:
        """`s3://`, bucket and prefix of the bundle."""
        return f"s3://{self._bucket}/{self._key(bundle_id, '')}".rstrip("/")

    def command(self, bundle_id: str, python: str) -> tuple[str, ...]:  # noqa: ARG002 - the Protocol's
        """A program of a few kilobytes that fetches the runner; it finds the bundle by its environment."""
        return bootstrap_command(python)

    def environment(self) -> Mapping[str, str]:
        """The bucket's region as far as it is known, and where S3 is if that is not AWS."""
        url, region = str(self.client.meta.endpoint_url), str(self.client.meta.region_name)
        is_own = not (urlsplit(url).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn"))
        return {"NBBATCH_REGION": region} | ({"AWS_ENDPOINT_URL_S3": url} if is_own else {})

    def open(self, bundle_id: str, path: str) -> BinaryIO:
        """Read a file of a bundle in parts, as they are asked for; see `Store`."""
        key = self._place(bundle_id, path)
        with self._lock:
            ahead = self._ahead.pop(key, None)
        start, size = ahead.result() if ahead is not None else self._begin(key)
        if len(start) >= size:
            return io.BytesIO(start)
        return io.BufferedReader(_Object(self._read_range, key, size), _READ_AHEAD)

    def expect(self, bundle_id: str, paths: Iterable[str]) -> None:
        """Fetch the beginnings of files, several at once; see `Store`."""
        with self._lock:
            self._ahead.clear()
            for path in islice(paths, _MOST_AHEAD):
                key = self._key(bundle_id, path)
                self._ahead[key] = self._readers.submit(self._begin, key)

    def exists(self, bundle_id: str, path: str = MANIFEST) -> bool:
        """Whether the bundle has a file of that path."""
        key = self._place(bundle_id, path)
        with self._lock:
            ahead = self._ahead.get(key)
        if ahead is not None:
            return not isinstance(ahead.exception(), FileNotFoundError)
        return self._head(key) is not None

    def list(self, bundle_id: str, prefix: str = "") -> Sequence[str]:
        """Paths of the files directly in the folder `prefix` of a bundle, sorted."""
        top = self._key(bundle_id, "")
        folder = self._key(bundle_id, prefix).rstrip("/") + "/"
        own = [key.removeprefix(top) for key in self._keys(folder, Delimiter="/")]
        linked = {} if prefix.startswith("results") else self._linked(bundle_id)
        inside = [path for path in linked if posixpath.dirname(path) == folder.removeprefix(top).rstrip("/")]
        return sorted({*own, *inside} - {INDEX})

    def delete(self, bundle_id: str) -> None:
        """Remove a bundle and its results; see `Store`."""
        keys = list(self._keys(self._key(bundle_id, "")))
        for start in range(0, len(keys), _DELETED_AT_ONCE):
            named = [{"Key": key} for key in keys[start : start + _DELETED_AT_ONCE]]
            with self._explained(self._key(bundle_id, "")):
                reply = self.client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": named, "Quiet": True}
                )
            if reply.get("Errors"):
                first = reply["Errors"][0]
                raise StoreError(
                    f"{self.url(bundle_id)} cannot be deleted: {first.get('Message') or first.get('Code')}."
                )

    def shortage(self) -> str:
        """A bucket is never full."""
        return ""

    def _begin(self, key: str) -> tuple[bytes, int]:
        """The first bytes of an object, all of a small one, and its whole size."""
        with self._explained(key):
            try:
                asked = f"bytes=0-{_READ_AHEAD - 1}"
                reply = self.client.get_object(Bucket=self._bucket, Key=key, Range=asked)
            except self.client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] == "InvalidRange":  # S3's word for an empty object
                    return b"", 0
                raise
            start: bytes = reply["Body"].read()
        return start, int(reply["ContentRange"].rpartition("/")[2]) if "ContentRange" in reply else len(start)

    @cached_property
    def _readers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_READERS, thread_name_prefix="nbbatch-s3")

    def _has(self, name: str) -> bool:
        """Whether a blob is there and will be for a while."""
        with self._lock:
            if time.monotonic() - self._seen.get(name, -_BELIEVED) < _BELIEVED:
                return True
        facts = self._head(self._blob_key(name))
        is_young = facts is not None and time.time() - facts["LastModified"].timestamp() < _USED_AGAIN
        if is_young:
            self._note(name)
        return is_young

    def _note(self, name: str) -> None:
        with self._lock:
            self._seen[name] = time.monotonic()

    def _head(self, key: str) -> Any:
        """HeadObject's answer; None where there is no such object."""
        try:
            with self._explained(key):
                return self.client.head_object(Bucket=self._bucket, Key=key)
        except FileNotFoundError:
            return None

    def _keys(self, prefix: str, **how: str) -> Iterator[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, **how
        )
        with self._explained(prefix):
            yield from (each["Key"] for page in pages for each in page.get("Contents", ()))

    def _linked(self, bundle_id: str) -> Mapping[str, str]:
        """The index; empty where there is no such bundle."""
        try:
            return self._read_index(bundle_id)
        except FileNotFoundError:
            return {}

    def _load_index(self, bundle_id: str) -> Mapping[str, str]:
        key = self._key(bundle_id, INDEX)
        with self._explained(key, f"{bundle_id}/{INDEX}"):
            body = self.client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        files: dict[str, str] = json.loads(body)["files"]
        return files

    def _place(self, bundle_id: str, path: str) -> str:
        """Key of a file: its own, or that of its blob."""
        own = self._key(bundle_id, path)
        inside = own.removeprefix(self._key(bundle_id, ""))
        if inside == MANIFEST or inside.startswith("results/"):
            return own
        name = self._linked(bundle_id).get(inside)
        return own if name is None else self._blob_key(name)

    def _key(self, bundle_id: str, path: str) -> str:
        if not bundle_id or "/" in bundle_id or bundle_id.startswith("."):
            raise StoreError(f"{bundle_id!r} is not a bundle's id.")
        inside = posixpath.normpath(path) if path else ""
        if inside.startswith(("/", "..")):
            raise StoreError(f"{path!r} is not a path inside bundle {bundle_id}.")
        return f"{self._prefix}bundles/{bundle_id}/{'' if inside == '.' else inside}"

    def _blob_key(self, name: str) -> str:
        return f"{self._prefix}blobs/{name[:2]}/{name}"

    def _read_range(self, key: str, start: int, buffer: memoryview) -> None:
        """Fill a buffer from an object; a large one in parts, several at once."""
        parts = [(start + at, buffer[at : at + _PART]) for at in range(0, len(buffer), _PART)]
        if len(parts) == 1:
            self._read_part(key, *parts[0])
            return
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda part: self._read_part(key, *part), parts))

    def _read_part(self, key: str, start: int, buffer: memoryview) -> None:
        asked = f"bytes={start}-{start + len(buffer) - 1}"
        with self._explained(key):
            body = self.client.get_object(Bucket=self._bucket, Key=key, Range=asked)["Body"]
            at = 0
            while chunk := body.read(1 << 18):
                buffer[at : at + len(chunk)] = chunk
                at += len(chunk)

    @contextmanager
    def _explained(self, place: str, path: str = "") -> Iterator[None]:
        """Turn boto3's errors into a StoreError with a cure, or a FileNotFoundError."""
        from boto3.exceptions import S3UploadFailedError  # noqa: PLC0415 - boto3 is slow to import
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in ("404", "NoSuchKey"):
                raise FileNotFoundError(2, "no such object", path or place) from error
            raise self._refusal(code, place, str(error)) from error
        except (BotoCoreError, S3UploadFailedError) as error:
            raise self._refusal(_code_in(error), place, str(error)) from error

    def _refusal(self, code: str, place: str, words: str) -> StoreError:
        return StoreError(
            f"s3://{self._bucket}/{place} cannot be reached: {words.rstrip('.')}.",
            cure=_CURES.get(code, "").format(bucket=self._bucket),
        )


_MISSING = "There is no bucket {bucket}: create it, or name another one as the backend's store."
_DENIED = (
    "Your credentials may not use bucket {bucket}: docs/aws.md has the policy; or its name is another's."
)
_ELSEWHERE = "Bucket {bucket} is in another region: name that one as the backend's region."
_SIGN_IN = "Sign in (`aws sso login`, `aws configure`), or name a profile in the backend's settings."
_CURES = {
    "NoSuchBucket": _MISSING,
    "AccessDenied": _DENIED,
    "403": _DENIED,
    "PermanentRedirect": _ELSEWHERE,
    "301": _ELSEWHERE,
    "AuthorizationHeaderMalformed": _ELSEWHERE,
    "IllegalLocationConstraintException": _ELSEWHERE,
    "NoCredentialsError": _SIGN_IN,
    "ExpiredToken": _SIGN_IN,
    "InvalidAccessKeyId": _SIGN_IN,
    "EndpointConnectionError": "Check the network, and the backend's region and endpoint_url.",
}


def _code_in(error: Exception) -> str:
    """The service's code in the text of an upload that failed, else the name of the error's class."""
    found = re.search(r"\((\w+)\) when calling", str(error))
    return found[1] if found else type(error).__name__


def _managed() -> Any:
    from boto3.s3.transfer import TransferConfig  # noqa: PLC0415 - boto3 is slow to import

    return TransferConfig(multipart_threshold=2 * _PART, multipart_chunksize=_PART, max_concurrency=_AT_ONCE)


class _Object(io.RawIOBase):
    """An object as a file; a large read goes straight into the reader's own memory."""

    def __init__(self, read: Callable[[str, int, memoryview], None], key: str, size: int) -> None:
        self._read = read
        self._key = key
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go somewhere; nothing is read."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read what fits into the buffer, less at the end."""
        length = max(0, min(len(buffer), self._size - self._at))
        if length:
            with memoryview(buffer) as view:
                self._read(self._key, self._at, view[:length])
        self._at += length
        return length
