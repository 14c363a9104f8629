"""The container that holds a task together: its network (and, if asked for, its IPC and processes).

As ECS does it: one container that only sleeps owns the namespaces, so that the task's own
containers, whichever of them come and go, find each other on localhost. Its image is made here, a
single program of a few instructions, so nothing has to be pulled.
"""

from __future__ import annotations

import io
import struct
import tarfile
from typing import TYPE_CHECKING, Any

from nbbatch.daemon.executors.docker_errors import EngineRefusedError
from nbbatch.daemon.executors.docker_exits import has_begun
from nbbatch.daemon.executors.docker_spec import Placement, labels_of, network_of
from nbbatch.errors import CouldNotStartError
from nbbatch.model.events import StartAttempt

if TYPE_CHECKING:
    from nbbatch.daemon.executors.docker_engine import Engine

PAUSE_REPOSITORY = "nbbatch/pause"
PAUSE_TAG = "1"

_NOT_FOUND = 404
_BASE = 0x400000
_HEADERS = 64 + 56
_MACHINES = {"x86_64": 62, "aarch64": 183}
_PROGRAMS = {
    # for ever: pause()
    "x86_64": bytes.fromhex("b822000000 0f05 ebf7"),
    # for ever: ppoll(NULL, 0, NULL, NULL)
    "aarch64": struct.pack(
        "<7I", 0xD2800000, 0xD2800001, 0xD2800002, 0xD2800003, 0xD2800928, 0xD4000001, 0x17FFFFFA
    ),
}


def open_task(engine: Engine, name: str, order: StartAttempt, placement: Placement) -> None:
    """Have the task's pause container run; one that has begun before is left as it is.

    Raises
    ------
    CouldNotStartError
        When the engine refuses.
    EngineGoneError
        When the engine does not answer; try again later.
    """
    body = pause_body(order, placement)
    try:
        try:
            engine.create(name, body)
        except EngineRefusedError as refusal:
            if refusal.status != _NOT_FOUND:
                raise
            engine.import_image(pause_image_tar(engine.info()["Architecture"]), PAUSE_REPOSITORY, PAUSE_TAG)
            engine.create(name, body)
        details = engine.inspect(name)
        if details is not None and not has_begun(details["State"]):
            engine.start(name)
    except EngineRefusedError as refusal:
        raise CouldNotStartError(f"CannotCreateContainerError: {refusal.words}") from refusal


def pause_body(order: StartAttempt, placement: Placement) -> dict[str, Any]:
    """The pause container of a task, as Docker's container-create call takes it."""
    shares_memory = order.task is not None and order.task.ipc_mode == "task"
    host_config = {
        **network_of(placement),
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "LogConfig": {"Type": "none"},
        **({"IpcMode": "shareable"} if shares_memory else {}),
    }
    return {
        "Image": f"{PAUSE_REPOSITORY}:{PAUSE_TAG}",
        "Entrypoint": ["/pause"],
        "Labels": labels_of(order, placement),
        "HostConfig": host_config,
    }


def pause_image_tar(architecture: str) -> bytes:
    """The root file system of the image: the program, and nothing else.

    Raises
    ------
    CouldNotStartError
        When there is no program for the engine's architecture.
    """
    if architecture not in _PROGRAMS:
        raise CouldNotStartError(
            f"CannotCreateContainerError: several containers need x86_64 or aarch64, not {architecture}"
        )
    program = _executable(architecture)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("pause")
        info.size, info.mode = len(program), 0o755
        tar.addfile(info, io.BytesIO(program))
    return archive.getvalue()


def _executable(architecture: str) -> bytes:
    """A static ELF file: header, one loadable segment, the instructions."""
    code = _PROGRAMS[architecture]
    size = _HEADERS + len(code)
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = struct.pack(
        "<HHIQQQIHHHHHH", 2, _MACHINES[architecture], 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x10000)
    return identity + header + segment + code
