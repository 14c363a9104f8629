"""Tests that ask moto's server do not see each other's things."""

from __future__ import annotations

import boto3
from moto_server import moto_server


def _buckets(url: str) -> list[str]:
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    s3 = boto3.client("s3", endpoint_url=url, **keys)
    found = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    s3.create_bucket(Bucket=f"made-beside-{len(found)}")
    s3.close()
    return found


def test_the_last_server_takes_all_with_it():
    """Servers that run at once are one account; the next one begins empty."""
    with moto_server() as first:
        assert _buckets(first) == []
        with moto_server() as second:
            assert _buckets(second) == ["made-beside-0"]
        assert len(_buckets(first)) == 2
    with moto_server() as later:
        assert _buckets(later) == []
