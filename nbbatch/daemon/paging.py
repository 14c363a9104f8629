"""Page tokens: opaque to the caller, signed by the daemon, good for the same question only.

A token holds where the next page begins. Its tag covers the operation and everything that was asked
but for the page's size, so a token that was made up, damaged, or taken from another question is
refused instead of giving odd results.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from nbbatch.errors import ClientException

_TAG_BYTES = 12
_PAGING = ("nextToken", "maxResults")
_encode = msgspec.json.Encoder(order="deterministic").encode


class Paging:
    """Makes and reads tokens.

    Parameters
    ----------
    key : bytes
        Secret; the same over restarts, so that a client may go on after one.
    """

    def __init__(self, key: bytes) -> None:
        self._key = blake2b(key, person=b"nbbatch-pages").digest()

    def token(self, operation: str, request: Mapping[str, Any], position: Any) -> str:
        """A token for the page of this question that begins behind `position` (a JSON value)."""
        body = _encode(position)
        return urlsafe_b64encode(self._tag(operation, request, body) + body).decode()

    def position(self, operation: str, request: Mapping[str, Any]) -> Any:
        """Where the request's page begins; None for the first one.

        Raises
        ------
        ClientException
            When its token was not made for this question.
        """
        token = request.get("nextToken")
        if not token:
            return None
        try:
            raw = urlsafe_b64decode(token.encode("ascii"))
        except ValueError:
            raise _bad(token) from None
        tag, body = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(operation, request, body)):
            raise _bad(token)
        return msgspec.json.decode(body)

    def _tag(self, operation: str, request: Mapping[str, Any], body: bytes) -> bytes:
        asked = {name: value for name, value in request.items() if name not in _PAGING}
        covered = _encode([operation, asked]) + b"\0" + body
        return blake2b(covered, key=self._key, digest_size=_TAG_BYTES).digest()


def page_size(request: Mapping[str, Any], most: int) -> int:
    """The page size that was asked for, at most `most`, which is also the default.

    Raises
    ------
    ClientException
        When it is less than 1.
    """
    asked: int = request.get("maxResults", most)
    if asked < 1:
        raise ClientException(f"maxResults: {asked} is not between 1 and {most}")
    return min(asked, most)


def _bad(token: str) -> ClientException:
    return ClientException(f"nextToken: {token[:40]!r} is not a token of this list.")
