"""Whole files to and from a bucket, several parts at once.

Parts are small enough that eight of them fit beside a job in little memory. A file appears in the
bucket complete or not at all: a multipart upload that fails is taken back.
"""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor

from .bucket import BucketError

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from .bucket import Bucket

PART = 8 << 20
"""Bytes; S3 takes 10,000 parts of at least 5 MiB."""
AT_ONCE = 8
_EMPTY = 416
"""HTTP: a range of an empty object cannot be satisfied."""


def download(bucket: Bucket, files: Mapping[str, str]) -> None:
    """Bring objects to files.

    Parameters
    ----------
    bucket : Bucket
        Where they are.
    files : mapping
        Path of the file by the object's key; folders are made, a file that is there stays.

    Raises
    ------
    BucketError
        An object is not there or cannot be read.
    """
    wanted = {key: path for key, path in files.items() if not os.path.exists(path)}
    for path in wanted.values():
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        sizes = list(pool.map(lambda each: _first_part(bucket, *each), wanted.items()))
        rest = [
            (key, path, start)
            for (key, path), size in zip(wanted.items(), sizes)  # noqa: B905 - one each
            for start in range(PART, size, PART)
        ]
        list(pool.map(lambda each: _next_part(bucket, *each), rest))
    for path in wanted.values():
        os.replace(f"{path}.part", path)


def upload(bucket: Bucket, files: Iterable[tuple[str, str]]) -> None:
    """Put files into the bucket, given as path and key.

    Raises
    ------
    BucketError
        One cannot be written.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for path, key in files:
            if os.path.getsize(path) <= PART:
                with open(path, "rb") as file:
                    bucket.send("PUT", key, file.read())
            else:
                _upload_parts(bucket, path, key, pool)


def read_range(bucket: Bucket, key: str, start: int, length: int) -> tuple[bytes, int]:
    """Bytes of an object, fewer at its end, and its whole size."""
    asked = {"Range": f"bytes={start}-{start + length - 1}"}
    try:
        headers, body = bucket.send("GET", key, headers=asked)
    except BucketError as error:
        if error.status == _EMPTY:
            return b"", 0
        raise
    whole = headers.get("Content-Range", "").rpartition("/")[2]
    return body, int(whole or len(body))


def _first_part(bucket: Bucket, key: str, path: str) -> int:
    body, size = read_range(bucket, key, 0, PART)
    with open(f"{path}.part", "wb") as file:
        file.write(body)
    return size


def _next_part(bucket: Bucket, key: str, path: str, start: int) -> None:
    body, _ = read_range(bucket, key, start, PART)
    with open(f"{path}.part", "r+b") as file:
        file.seek(start)
        file.write(body)


def _upload_parts(bucket: Bucket, path: str, key: str, pool: ThreadPoolExecutor) -> None:
    _, told = bucket.send("POST", key, query={"uploads": ""})
    upload_id = told.decode().partition("<UploadId>")[2].partition("<")[0]

    def send(number: int) -> str:
        with open(path, "rb") as file:
            file.seek((number - 1) * PART)
            body = file.read(PART)
        headers, _ = bucket.send("PUT", key, body, query={"partNumber": number, "uploadId": upload_id})
        return str(headers["ETag"])

    try:
        tags = list(pool.map(send, range(1, -(-os.path.getsize(path) // PART) + 1)))
        _complete(bucket, key, upload_id, tags)
    except BaseException:
        bucket.send("DELETE", key, query={"uploadId": upload_id})
        raise


def _complete(bucket: Bucket, key: str, upload_id: str, tags: list[str]) -> None:
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"
        for number, tag in enumerate(tags, start=1)
    )
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    _, told = bucket.send("POST", key, body, query={"uploadId": upload_id})
    if b"<Error>" in told:  # S3 may find out after it has said 200
        raise BucketError(f"S3 could not put {key} together: {told.decode('utf-8', 'replace')}")


class RangedFile(io.RawIOBase):
    """An object as a file that reads only what it is asked for; put a BufferedReader before it."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket = bucket
        self._key = key
        self._at = 0
        self._size = read_range(bucket, key, 0, 1)[1]

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go somewhere; nothing is read."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read what fits into the buffer, less at the end."""
        length = min(len(buffer), self._size - self._at, PART)
        if length <= 0:
            return 0
        body, _ = read_range(self._bucket, self._key, self._at, length)
        buffer[: len(body)] = body
        self._at += len(body)
        return len(body)
