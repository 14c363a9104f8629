"""One bundle in S3 by the standard library alone: credentials, signatures, retries.

An image need not have boto3, so a job signs for itself (Signature Version 4), with the credentials of
its job role as ECS hands them out, those of its environment, or those of its host. This module stands
alone: the first step of a job on AWS is its source, packed into the job's command (see
`nbbatch.client.aws.bootstrap`), so it imports nothing of the runner and stays small.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import json
import os
import random
import time
import urllib.error
import urllib.parse
import urllib.request

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Keys = dict[str, Any]

ATTEMPTS = 8
"""How often a request is sent; between two there are pauses that double."""
TIMEOUT = 60
_RENEW = 300
"""Seconds before their end in which credentials are fetched again."""
_ECS = "http://169.254.170.2"
_IMDS = "http://169.254.169.254"
_TRUSTED = ("127.0.0.1", "localhost", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23")
"""Hosts that the SDKs take credentials from without TLS."""
_FORBIDDEN = 403
_PASSING = ("OtherRegion", "RequestTimeout", "SlowDown")
_MAY_NOT = " The job's role must be allowed to; docs/aws.md of nbbatch has its policy."
_NO_ROLE = "The job has no AWS credentials. Give the backend a job_role that may read and write its store."


class BucketError(OSError):
    """S3 refused or did not answer; `status` is HTTP's, 0 without an answer."""

    def __init__(self, text: str, status: int = 0, code: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.code = code


class _Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are signed anew, so nobody follows them unseen."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


class Bucket:
    """A place `s3://bucket/prefix`; keys are relative to it. Any thread may use it.

    The region is `$NBBATCH_REGION`, or AWS's own variables; a bucket in another one is found.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.name, _, prefix = url[len("s3://") :].partition("/")
        self.prefix = prefix.rstrip("/") + "/" if prefix else ""
        words = ("NBBATCH_REGION", "AWS_REGION", "AWS_DEFAULT_REGION")
        self.region = next(filter(None, map(os.environ.get, words)), "us-east-1")
        self.endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        self._keys: Keys | None = None
        self._open = urllib.request.build_opener(_Stay()).open

    def send(
        self,
        method: str,
        key: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> tuple[Any, bytes]:
        """Send one request until it is answered; gives headers and body.

        Raises
        ------
        BucketError
            Says what was asked, and S3's words.
        """
        failure = BucketError("")
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(min(10, 0.1 * 2**attempt) * random.uniform(0.5, 1))  # noqa: S311 - spreads children of an array
            try:
                return self._once(method, key, body, headers or {}, query or {})
            except BucketError as error:
                failure = error
                if not self._mends(error):
                    break
        raise failure

    def locate(self, key: str) -> str:
        """URL of an object: by virtual host on AWS, by path elsewhere and for names with dots."""
        path = urllib.parse.quote(self.prefix + key, safe="/-_.~")
        if self.endpoint:
            return f"{self.endpoint.rstrip('/')}/{self.name}/{path}"
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        if "." in self.name:
            return f"https://s3.{self.region}.{suffix}/{self.name}/{path}"
        return f"https://{self.name}.s3.{self.region}.{suffix}/{path}"

    def _once(
        self, method: str, key: str, body: bytes, headers: Mapping[str, str], query: Mapping[str, Any]
    ) -> tuple[Any, bytes]:
        url = self.locate(key)
        if self._keys is None or self._keys.get("end", 1e18) < time.time() + _RENEW:
            self._keys = find_keys()
        signed = sign(self._keys, self.region, method, url, query, body)
        line = url + ("?" + encode(query) if query else "")
        headers = {"Content-Type": "application/octet-stream", **headers, **signed}
        request = urllib.request.Request(line, body or None, headers, method=method)  # noqa: S310 - see `locate`
        try:
            with self._open(request, timeout=TIMEOUT) as reply:
                return reply.headers, reply.read()
        except urllib.error.HTTPError as error:
            raise self._refusal(error, method, key) from None
        except (OSError, EOFError, urllib.error.URLError) as error:
            raise BucketError(f"{self.url} does not answer: {error!r}") from None

    def _refusal(self, error: urllib.error.HTTPError, method: str, key: str) -> BucketError:
        text = error.read().decode("utf-8", "replace")
        code = text.partition("<Code>")[2].partition("</Code>")[0]
        words = text.partition("<Message>")[2].partition("</Message>")[0] or error.reason
        region = error.headers.get("x-amz-bucket-region")
        if region and region != self.region:
            self.region, code = region, "OtherRegion"
        told = f"S3 refused {method} {self.url.rstrip('/')}/{key}: HTTP {error.code} {code}: {words}"
        return BucketError(told + (_MAY_NOT if error.code == _FORBIDDEN else ""), error.code, code)

    def _mends(self, error: BucketError) -> bool:
        """Whether the same request may go well the next time."""
        if error.code in ("ExpiredToken", "RequestTimeTooSkewed"):
            self._keys = None
            return True
        return error.code in _PASSING or error.status in (0, 429, 500, 502, 503, 504)


def encode(query: Mapping[str, Any]) -> str:
    """A query as it is signed: quoted, then sorted by name."""
    pairs = [[urllib.parse.quote(str(word), safe="-_.~") for word in pair] for pair in query.items()]
    return "&".join("=".join(pair) for pair in sorted(pairs))


def sign(
    keys: Keys,
    region: str,
    method: str,
    url: str,
    query: Mapping[str, Any],
    body: bytes,
    now: float | None = None,
) -> dict[str, str]:
    """Headers that sign a request to S3 (AWS General Reference, Signature Version 4).

    Parameters
    ----------
    keys : dict
        `key`, `secret`, and `token` for temporary ones.
    url : str
        Without its query; the path is quoted already, S3 quotes it only once.
    now : float, optional
        Epoch seconds.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    parts = urllib.parse.urlsplit(url)
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": parts.netloc, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    if keys.get("token"):
        headers["x-amz-security-token"] = keys["token"]
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"{method}\n{parts.path or '/'}\n{encode(query)}\n{lines}\n{names}\n{digest}"
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    told = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    secret = ("AWS4" + keys["secret"]).encode()
    for word in (*scope.split("/"), told):
        secret = hmac.new(secret, word.encode(), hashlib.sha256).digest()
    proof = f"Credential={keys['key']}/{scope}, SignedHeaders={names}, Signature={secret.hex()}"
    return {**headers, "Authorization": f"AWS4-HMAC-SHA256 {proof}"}


def find_keys() -> Keys:
    """Credentials: of the environment, of the container (ECS, EKS), of the host, in the SDKs' order.

    Raises
    ------
    BucketError
        When there are none.
    """
    known = os.environ
    if known.get("AWS_ACCESS_KEY_ID") and known.get("AWS_SECRET_ACCESS_KEY"):
        token = known.get("AWS_SESSION_TOKEN")
        return {"key": known["AWS_ACCESS_KEY_ID"], "secret": known["AWS_SECRET_ACCESS_KEY"], "token": token}
    relative, full = (known.get(f"AWS_CONTAINER_CREDENTIALS_{word}_URI") for word in ("RELATIVE", "FULL"))
    try:
        if relative or full:
            place = _ECS + relative if relative else str(full)
            return _read(_ask(_container(place), _container_headers()))
        if known.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true":
            return _of_host(known.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", _IMDS).rstrip("/"))
    except (OSError, ValueError, KeyError) as error:
        raise BucketError(f"{_NO_ROLE} ({error})", 0 if relative or full else _FORBIDDEN) from None
    raise BucketError(_NO_ROLE, _FORBIDDEN)


def _container(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _TRUSTED:
        raise ValueError(f"{url} is not a place to take credentials from")
    return url


def _container_headers() -> dict[str, str]:
    token = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    path = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    if path:
        with open(path, encoding="utf-8") as file:
            token = file.read().strip()
    return {"Authorization": token} if token else {}


def _of_host(place: str) -> Keys:
    """Of the host's role, by instance metadata version 2."""
    life = {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}
    token = _ask(place + "/latest/api/token", life, "PUT").decode()
    headers = {"X-aws-ec2-metadata-token": token}
    roles = place + "/latest/meta-data/iam/security-credentials/"
    return _read(_ask(roles + _ask(roles, headers).decode().split()[0], headers))


def _ask(url: str, headers: Mapping[str, str], method: str = "GET") -> bytes:
    """Ask a place beside the job, twice: never through a proxy, and not for long."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, None, {**headers}, method=method)  # noqa: S310 - see `_container`
    try:
        reply = direct.open(request, timeout=3)
    except OSError:
        time.sleep(0.5)
        reply = direct.open(request, timeout=3)
    with reply:
        return bytes(reply.read())


def _read(text: bytes) -> Keys:
    told = json.loads(text)
    end = calendar.timegm(time.strptime(told["Expiration"][:19], "%Y-%m-%dT%H:%M:%S"))
    return {
        "key": told["AccessKeyId"],
        "secret": told["SecretAccessKey"],
        "token": told.get("Token"),
        "end": end,
    }
