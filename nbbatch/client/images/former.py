"""What builds leave behind: stages, and the former image of a name, that no name leads to any more.

The engine keeps a build's stages without a name, as what the next build takes over, and so the image
whose tag a newer one has got. Each has a label as its first step, and the label of its repository as
its last one: what is removed here was built here, under this name, and nothing else stands on it.
"""

from __future__ import annotations

import fcntl
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nbbatch.client.images.facts import engine
from nbbatch.client.images.recipe import LABEL

_PATIENCE = 24 * 3600.0
"""Seconds for which what a failed build has done may be taken over."""


@contextmanager
def alone(folder: Path, name: str) -> Iterator[None]:
    """Build images of a name one after the other: one must not remove what another stands on meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def remove_former(repository: str, kept: Collection[str], now: float) -> int:
    """Remove what earlier builds of a repository left and nothing uses; one that cannot be removed stays.

    So does, for a day, what a build of any name left that failed: the next one goes on from there.

    Parameters
    ----------
    repository : str
        Name of the images without their tag.
    kept : collection of str
        Beginnings of the ids that the newest build made or took over.
    now : float
        Epoch seconds.

    Returns
    -------
    int
        How many are gone.
    """
    if not kept:  # an engine that does not tell: what is of today cannot be told from what was
        return 0
    failed = {image for image, made in _nameless("").items() if made < now - _PATIENCE}
    left = {image.removeprefix("sha256:") for image in failed | _nameless(repository).keys()}
    return sum(_is_removed(image) for image in left if not image.startswith(tuple(kept)))


def _nameless(label: str) -> dict[str, float]:
    """When each image was made that no name leads to, by id; without a label those of builds that failed."""
    filters = {"dangling": True, "label": f"{LABEL}={label}"}
    return {one["Id"]: one["Created"] for one in engine().api.images(filters=filters)}


def _is_removed(image: str) -> bool:
    """Remove it, and the steps that it alone stood on, as far as they were made here: whose base it was keeps that."""
    import docker.errors  # noqa: PLC0415 - only images need it

    api, is_removed = engine().api, False
    with suppress(
        docker.errors.DockerException, OSError
    ):  # a container or a later step has it, or it is gone
        while image and _is_nameless(facts := api.inspect_image(image)):
            api.remove_image(image, noprune=True)
            image, is_removed = facts.get("Parent", ""), True
    return is_removed


def _is_nameless(facts: Mapping[str, Any]) -> bool:
    """Whether it was built here and has no name."""
    return not facts["RepoTags"] and LABEL in (facts["Config"]["Labels"] or {})
