"""The blocking steps of a container's life, run on threads; each may be taken twice.

Whatever the engine refuses while a container is made or started becomes `CouldNotStartError` in
ECS's words, the engine's own behind them. Only a container that has never begun is ever started, so
a step whose answer was lost on the way can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbatch.daemon.executors.docker_errors import EngineGoneError, EngineRefusedError
from nbbatch.daemon.executors.docker_exits import has_begun
from nbbatch.daemon.executors.docker_host_image import (
    HOST_REPOSITORY,
    HOST_TAG,
    host_image_tar,
    is_host_image,
)
from nbbatch.daemon.executors.docker_logs import append_log
from nbbatch.daemon.executors.docker_spec import Placement, create_body
from nbbatch.errors import CouldNotStartError
from nbbatch.model.events import StartAttempt

if TYPE_CHECKING:
    from nbbatch.daemon.executors.docker_engine import Engine

_NOT_FOUND = 404


class Step(Enum):
    """How far `begin` came."""

    STARTED = auto()
    FOUND = auto()
    """It had begun before, and may have ended since."""
    IMAGE_MISSING = auto()
    STOPPED = auto()
    """A stop came first; it has not run and will not."""


def begin(
    engine: Engine, name: str, order: StartAttempt, placement: Placement, stopping: Callable[[], bool]
) -> Step:
    """Create and start a container of an attempt.

    Raises
    ------
    CouldNotStartError
        When the definition, the bundle or the engine does not let it start.
    EngineGoneError
        When the engine does not answer; try again later.
    """
    fresh = False
    if not stopping():
        try:
            fresh = engine.create(name, create_body(order, placement))
        except EngineRefusedError as refusal:
            if _means_missing_image(refusal):
                return Step.IMAGE_MISSING
            raise CouldNotStartError(f"{_creation_error(refusal)}: {refusal.words}") from refusal
    return _start(engine, name, stopping, fresh=fresh)


def _start(engine: Engine, name: str, stopping: Callable[[], bool], *, fresh: bool) -> Step:
    if not fresh:
        details = engine.inspect(name)
        if details is not None and has_begun(details["State"]):
            return Step.FOUND
        if details is None and not stopping():
            raise EngineGoneError(f"container {name} went away while it was being made")
    if stopping():
        return Step.STOPPED
    try:
        engine.start(name)
    except EngineRefusedError as refusal:
        raise CouldNotStartError(f"CannotStartContainerError: {refusal.words}") from refusal
    return Step.STARTED


def _means_missing_image(refusal: EngineRefusedError) -> bool:
    return refusal.status == _NOT_FOUND and "no such image" in refusal.words.lower()


def _creation_error(refusal: EngineRefusedError) -> str:
    is_name = "invalid reference format" in refusal.words
    return "CannotPullContainerError" if is_name else "CannotCreateContainerError"


def fetch_image(engine: Engine, image: str, cancelled: Callable[[], bool]) -> None:
    """Make sure that an image is there: pull it, or make it when it is the host's.

    Raises
    ------
    CouldNotStartError
        When it cannot be had.
    """
    try:
        if not is_host_image(image):
            engine.pull(image, cancelled)
        elif not engine.has_image(image):
            engine.import_image(host_image_tar(), HOST_REPOSITORY, HOST_TAG)
    except EngineRefusedError as refusal:
        raise CouldNotStartError(f"CannotPullContainerError: {refusal.words}") from refusal


def bring_log_home(engine: Engine, name: str, path: Path) -> None:
    """Complete a log stream's file from the log of a container that has ended."""
    append_log(engine.log(name, follow=False), path)


def inspect(engine: Engine, name: str) -> dict[str, Any] | None:
    """Everything about a container; None when there is none."""
    return engine.inspect(name)


def kill(engine: Engine, name: str, signal: str) -> None:
    """Send a signal to a container, if it runs."""
    engine.kill(name, signal)


def remove(engine: Engine, name: str) -> None:
    """Remove a container, if it is there."""
    engine.remove(name)


def remove_volumes(engine: Engine, label: str) -> None:
    """Remove the volumes of a label that nobody uses."""
    engine.remove_volumes(label)
