"""What an image has: its Python, the modules that can be imported there, a shell.

Asked of the image itself, by one small container, once per image id; kept in the home folder. Of an
image that is not on this machine, and of every image of a backend whose containers run elsewhere,
only what was noted when it was built here (`client/images/image.py`) is known; else nothing, which is said
and never guessed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from nbbatch.client.backend import Backend
from nbbatch.client.config import home

FACTS = "images.json"
_MOST_KNOWN = 200
_LONGEST = 30
"""Seconds that an image may take to tell."""

_OFFICIAL = re.compile(
    r"(docker\.io/)?(library/|public\.ecr\.aws/docker/library/)?python:(?P<python>3\.\d+)(\.\d+)?(-[a-z0-9.-]+)?"
)
_INSTALLERS = ("pip", "setuptools", "pkg_resources", "wheel")

_MODULES = """\
import json, os, sys
from importlib import metadata
names = set(sys.builtin_module_names)
for folder in sys.path[1:]:
    if os.path.isdir(folder):
        names.update(each.partition(".")[0] for each in os.listdir(folder))
versions = {}
for one in metadata.distributions():
    versions[str(one.metadata["Name"]).lower().replace("_", "-")] = one.version
    names.update((one.read_text("top_level.txt") or "").split())
print(json.dumps({"python": "%d.%d" % sys.version_info[:2], "versions": versions,
    "modules": sorted(name for name in names if name.isidentifier())}))
"""
_SHELL = """\
if command -v bash >/dev/null; then echo bash; else echo sh; fi
if command -v python3 >/dev/null; then exec python3 -c "$NBBATCH_PROBE"; else echo '{}'; fi
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What is known of an image.

    Parameters
    ----------
    python : str
        Minor version of `python3`, as `3.12`; empty where there is none.
    modules : tuple of str
        Top-level names that can be imported there.
    versions : mapping of str to str
        Installed distributions, by their name in lower case.
    shell : str
        `bash`, `sh`, or empty.
    """

    python: str = ""
    modules: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    shell: str = ""


def facts_of(backend: Backend, image: str) -> ImageFacts | None:
    """What is known of an image on a backend; None: nothing, or jobs do not run in it."""
    if not runs_images(backend):
        return None
    noted = _read().get(image)
    if noted is None and backend.machine() is not None:
        noted = facts_of_local(image)
    return noted or _official(image)


def note_facts(names: tuple[str, ...], facts: ImageFacts) -> None:
    """Keep what is known of an image under these names: its id, or a tag that never changes."""
    known = _read()
    for name in names:
        known.pop(name, None)
        known[name] = facts
    newest = dict(list(known.items())[-_MOST_KNOWN:])
    path = home() / FACTS
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps({name: asdict(each) for name, each in newest.items()}), encoding="utf-8")
    draft.replace(path)
    _parsed.cache_clear()


def _read() -> dict[str, ImageFacts]:
    path = home() / FACTS
    with suppress(OSError):
        return dict(_parsed(path, path.stat().st_mtime_ns))
    return {}


@cache
def _parsed(path: Path, _changed: int) -> dict[str, ImageFacts]:
    with suppress(ValueError, TypeError):  # an older version's
        return {name: ImageFacts(**each) for name, each in json.loads(path.read_text("utf-8")).items()}
    return {}


def runs_images(backend: Backend) -> bool:
    """Whether jobs run in their images: where there is no Docker they are processes of this machine."""
    machine = backend.machine()
    return machine is None or machine.executor == "docker"


def _official(image: str) -> ImageFacts | None:
    """An official image of Python has its Python and no package but those that install others."""
    match = _OFFICIAL.fullmatch(image)
    return match and ImageFacts(python=match["python"], modules=_INSTALLERS, shell="sh")  # noqa: S604 - a name, nothing is called


@cache
def engine() -> Any:
    """The Docker Engine of this machine, as its SDK knows it."""
    import docker  # noqa: PLC0415 - 0.15 s that only images need

    return docker.from_env(timeout=_LONGEST)


def image_id(name: str) -> str:
    """Id of an image on this machine; empty where it is not there, or no engine answers."""
    import docker.errors  # noqa: PLC0415 - see `engine`

    try:
        return str(engine().api.inspect_image(name)["Id"])
    except (docker.errors.DockerException, OSError):
        return ""


def facts_of_local(image: str) -> ImageFacts | None:
    """What an image on this machine has, asked of itself; None where it is not here."""
    identity = image_id(image)
    if not identity:
        return None
    known = _read().get(identity)
    if known is None:
        known = _probe(identity)
        if known is not None:
            note_facts((identity,), known)
    return known


def _probe(image: str) -> ImageFacts | None:
    """What the image says by its shell, else by its Python; nothing at all is an answer, too."""
    for command in (["sh", "-c", _SHELL], ["python3", "-c", _MODULES]):
        code, said = _run(image, command)
        if code is None:
            return None
        lines = said.split("\n")
        if code == 0 and len(lines) > 1:
            shell = lines[0] if command[0] == "sh" else ""
            told = json.loads(lines[-2] or "{}")
            return ImageFacts(**{**told, "modules": tuple(told.get("modules", ()))}, shell=shell)
    return ImageFacts()


def _run(image: str, command: list[str]) -> tuple[int | None, str]:
    """Exit code and output of a container without network; 127 when it cannot be started so."""
    import docker.errors  # noqa: PLC0415 - see `engine`

    container = None
    try:
        container = engine().containers.create(
            image,
            command,
            entrypoint=[],
            environment={"NBBATCH_PROBE": _MODULES},
            network_mode="none",
        )
        try:
            container.start()
        except docker.errors.APIError:  # the program is not in the image
            return 127, ""
        code = container.wait(timeout=_LONGEST)["StatusCode"]
        return int(code), container.logs(stdout=True, stderr=False).decode("utf-8", "replace")
    except (docker.errors.DockerException, OSError):
        return None, ""
    finally:
        if container is not None:
            with suppress(docker.errors.DockerException, OSError):
                container.remove(force=True)
