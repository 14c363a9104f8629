"""What may be known of a Docker Engine without importing the SDK: how it fails, how it streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from nbbatch.errors import BackendError, BackendUnreachableError


class EngineGoneError(BackendUnreachableError):
    """The Docker Engine does not answer, or is going down; the call may be made again later."""

    def __init__(self, words: str) -> None:
        super().__init__(f"The Docker Engine does not answer: {words}")


class EngineRefusedError(BackendError):
    """The Docker Engine answered with an error.

    Parameters
    ----------
    status : int
        HTTP status.
    words : str
        The engine's own text.
    """

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


class ByteStream(Protocol):
    """An answer of the engine that is read as it comes; may be closed from another thread."""

    def __iter__(self) -> Iterator[bytes]: ...

    def close(self) -> None:
        """Stop reading."""
        ...
