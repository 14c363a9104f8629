"""SigV4: whether a request was signed with the daemon's own key, for this very daemon, just now.

The signature is computed again and compared in constant time. The canonical form is botocore's: its
signer does it in thirty lines of string work, behind a third of all that a daemon would import
(urllib3, HTTP sessions, credential providers). So the lines are here, and a test holds them against
the signer over any request that hypothesis thinks of. Only what the specification lets a client
choose is taken from the request: date, region, service and which headers are signed. A page in a
browser that points a host name at 127.0.0.1 (DNS rebinding) is turned away by the Host header.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote

from nbbatch.errors import AccessDeniedError

WINDOW_SECONDS = 300
SERVICES = ("batch", "logs")
REQUIRED_HEADERS = frozenset({"host", "x-amz-date"})

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key>[^/, ]+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]{1,64})/"
    r"(?P<service>[a-z0-9-]{1,64})/aws4_request, *SignedHeaders=(?P<headers>[a-z0-9;._-]+), *"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_DATE = re.compile(r"\d{8}T\d{6}Z")
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)


class RefusedError(AccessDeniedError):
    """A request that is not let in; `code` is AWS's name for the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which region and service a verified request was signed for."""

    region: str
    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """What a signature covers; `target` is path and query as sent, `headers` has lower-case names."""

    method: str
    target: str
    headers: dict[str, list[str]]
    body: bytes


class Verifier:
    """Checks signatures made with one key pair.

    Parameters
    ----------
    access_key_id, secret_access_key : str
        The daemon's own, as in the endpoint file.
    clock : callable
        Epoch seconds.
    """

    def __init__(self, access_key_id: str, secret_access_key: str, clock: Callable[[], float]) -> None:
        self._access_key_id = access_key_id
        self._secret = secret_access_key
        self._clock = clock
        self._key = lru_cache(maxsize=64)(self._derive_key)

    def verify(self, request: SignedRequest) -> Scope:
        """Let a request in.

        Returns
        -------
        Scope
            What it was signed for.

        Raises
        ------
        RefusedError
            With AWS's name for what is wrong; the message tells nothing about the right signature.
        """
        headers = request.headers
        check_host(headers.get("host", ()))
        given = _parse_authorization(headers.get("authorization", ()))
        signed = given["headers"].split(";")
        if not REQUIRED_HEADERS.issubset(signed) or not headers.keys() >= set(signed):
            raise RefusedError("InvalidSignatureException", "The headers host and x-amz-date must be signed.")
        if not hmac.compare_digest(given["key"].encode(), self._access_key_id.encode()):
            raise RefusedError(
                "UnrecognizedClientException", "The security token included in the request is invalid."
            )
        timestamp = self._check_date(headers["x-amz-date"], given["date"])
        if given["service"] not in SERVICES:
            raise RefusedError(
                "InvalidSignatureException",
                f"Credential should be scoped to a service of this daemon ({' or '.join(SERVICES)}).",
            )
        canonical = canonical_request(request, signed)
        scope = f"{given['date']}/{given['region']}/{given['service']}/aws4_request"
        digest = sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}"
        key = self._key(given["date"], given["region"], given["service"])
        expected = hmac.new(key, to_sign.encode(), sha256).hexdigest()
        if not hmac.compare_digest(expected, given["signature"]):
            raise RefusedError(
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided.",
            )
        return Scope(region=given["region"], service=given["service"])

    def _check_date(self, dates: Sequence[str], day: str) -> str:
        if len(dates) != 1 or _DATE.fullmatch(dates[0]) is None or not dates[0].startswith(day):
            raise RefusedError("InvalidSignatureException", "x-amz-date is no date of the credential scope.")
        try:
            signed_at = _epoch(dates[0])
        except ValueError:
            raise RefusedError("InvalidSignatureException", "x-amz-date is not a date.") from None
        if abs(self._clock() - signed_at) > WINDOW_SECONDS:
            raise RefusedError(
                "InvalidSignatureException",
                f"Signature expired: {dates[0]} is more than {WINDOW_SECONDS // 60} minutes away from now.",
            )
        return dates[0]

    def _derive_key(self, day: str, region: str, service: str) -> bytes:
        key = f"AWS4{self._secret}".encode()
        for part in (day, region, service, "aws4_request"):
            key = hmac.new(key, part.encode(), sha256).digest()
        return key


def canonical_request(request: SignedRequest, signed: Sequence[str]) -> str:
    """What is signed of a request (SigV4, "Create a canonical request"); the body is always hashed here.

    Parameters
    ----------
    request : SignedRequest
        As it came.
    signed : sequence of str
        Lower-case names of the headers that the client chose to sign; the request has them all.
    """
    path, _, query = request.target.partition("?")
    names = sorted(set(signed))
    headers = [f"{name}:{_canonical_values(request.headers[name])}\n" for name in names]
    return "\n".join(
        (
            request.method,
            _canonical_path(path),
            _canonical_query(query),
            "".join(headers),
            ";".join(names),
            sha256(request.body).hexdigest(),
        )
    )


def _canonical_values(values: Sequence[str]) -> str:
    """Without white space around values, and one blank where there is more within."""
    return ",".join(" ".join(value.split()) for value in values)


def _canonical_query(query: str) -> str:
    """Arguments by name, then by value, as they were encoded by the client."""
    if not query:
        return ""
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&"))
    return "&".join(f"{name}={value}" for name, value in pairs)


@lru_cache(maxsize=256)
def _canonical_path(path: str) -> str:
    """Without empty and dot segments (RFC 3986, 5.2.4), then encoded once more."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    first, last = path[:1] == "/", path[-1:] == "/" and bool(parts)
    joined = "/" * first + "/".join(parts) + "/" * last
    return quote(joined, safe="/~") if path else "/"


@lru_cache(maxsize=64)
def _epoch(date: str) -> float:
    return datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def check_host(hosts: Sequence[str]) -> None:
    """Turn a request away that was sent to another name than this machine's own.

    Raises
    ------
    RefusedError
        When it was.
    """
    if len(hosts) != 1 or _LOOPBACK.fullmatch(hosts[0]) is None:
        raise RefusedError("AccessDeniedException", "This daemon answers on the loopback address only.")


def _parse_authorization(values: Sequence[str]) -> dict[str, str]:
    if not values:
        raise RefusedError("MissingAuthenticationTokenException", "Missing Authentication Token")
    found = _AUTHORIZATION.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        raise RefusedError("IncompleteSignatureException", "The Authorization header is not one of SigV4.")
    return found.groupdict()
