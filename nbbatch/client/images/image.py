"""`nbbatch.image(...)`: a container image with this notebook's environment, built once per content.

Its tag is a hash of all that went in, so an image that is there already is the right one. Wheels come
from this machine (`wheels.py`), the steps from `image_recipe.py`; the Docker Engine builds; for AWS,
`image_push.py` pushes the result to a registry.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from nbbatch.client.checks import check_callback, check_text, texts_of
from nbbatch.client.files.fileoptions import read_send
from nbbatch.client.files.workdir import Files, Member, choose
from nbbatch.client.images.built import Image
from nbbatch.client.images.environment import IMPORTED, Package, choose_packages
from nbbatch.client.images.facts import engine, facts_of_local, image_id, note_facts
from nbbatch.client.images.push import push
from nbbatch.client.images.recipe import DATA, Recipe, Step, steps
from nbbatch.client.images.wheels import PYTHON, Target, identity, pip_wheel, wheels_for
from nbbatch.client.options import suggestion
from nbbatch.client.packing.capture import size_text
from nbbatch.errors import (
    BackendUnreachableError,
    EnvironmentMismatchError,
    OptionError,
    UnknownNameError,
    UserError,
)

REPOSITORY = "nbbatch/env-"
_LARGE = 8 << 20
"""Bytes from which a wheel is in the first, steadiest group."""
_TAIL = 20
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_SYSTEM_NAME = re.compile(r"[a-z0-9][a-z0-9+.:=~-]*")
_STEP = re.compile(r"Step (\d+)/\d+ :")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "ftp_proxy")
_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an image shall be and where it goes, as `image` takes it.

    `namespace` and `sources` are where imports are looked for: variables of a notebook, and code.
    """

    packages: str | Sequence[str] = IMPORTED
    system: str | Iterable[str] = ()
    base: str | None = None
    files: Any = ()
    name: str | None = None
    repository: str | None = None
    creates_repository: bool = False
    backend: str | None = None
    namespace: Mapping[str, Any] = field(default_factory=dict)
    sources: Sequence[str] = ()


def image(
    packages: str | Sequence[str] = IMPORTED,
    *,
    system: str | Iterable[str] = (),
    base: str | None = None,
    files: Any = (),
    name: str | None = None,
    rebuild: bool = False,
    say: Say | None = None,
    **push_to: Any,
) -> Image:
    """Build an image with this notebook's environment, unless it is there already.

    Parameters
    ----------
    packages : str or sequence of str
        `"imported"`: what the notebook imports, by its cells and variables, with what that requires;
        `"all"`: whatever is installed here; or a list of names and requirements, in which these words
        may stand. Versions are those installed here; projects installed from a folder go as they are now.
    system : iterable of str
        Packages of the base's distribution (Debian's `apt`), such as `ffmpeg`.
    base : str, optional
        Image to start from, with this notebook's Python; the official slim image without it.
    files : paths or mapping
        Files that every job finds in the image, below `/data` or at the absolute paths of a mapping.
    name : str, optional
        Part of the tag; the working directory's name without it.
    rebuild : bool
        Build although it is there, as after a change of the base.
    say : callable, optional
        Gets what happens, line by line; printed without it.
    **push_to
        `repository`, of Amazon ECR, by its name or URI: push it there; `creates_repository`: create that;
        `backend`: whose account and region it is in.

    Raises
    ------
    EnvironmentMismatchError
        A package cannot be had, the base has another Python, or a step of the build failed: says which.
    BackendUnreachableError
        There is no Docker Engine.

    Examples
    --------
    >>> nbbatch.submit(train, image=nbbatch.image(system=["ffmpeg"]))  # doctest: +SKIP
    """
    told = {"packages": packages, "system": system, "base": base, "files": files, "name": name, **push_to}
    _check_names(push_to)
    _check_wish(told, say)
    return build(Wish(**told, namespace=vars(sys.modules["__main__"])), rebuild=rebuild, say=say or _print)


def build(wish: Wish, *, rebuild: bool, say: Say) -> Image:
    """Build the image that is wished for, unless it is there; push it where that is wished; see `image`."""
    target = _target()
    chosen = choose_packages(wish.packages, namespace=wish.namespace, sources=wish.sources)
    placed = _placed(wish.files)
    recipe = Recipe(
        base=wish.base or f"python:{PYTHON}-slim",
        python=PYTHON,
        system=_system(wish.system),
        packages=tuple(identity(package) for package in chosen),
        files={name: _digest(member) for name, member in placed.items()},
    )
    tag = f"{REPOSITORY}{_name(wish.name)}:{recipe.digest}"
    is_new = rebuild or not image_id(tag)
    if is_new:
        _build(recipe, chosen, placed, tag, target, say)
    else:
        say(f"image {tag} is there already: nothing has changed")
    uri = ""
    if wish.repository:
        uri = push(tag, wish.repository, create=wish.creates_repository, backend=wish.backend, say=say)
    _note(tag, *filter(None, (uri,)))
    return Image(
        tag=tag,
        uri=uri,
        base=recipe.base,
        python=recipe.python,
        packages=tuple(package.requirement for package in chosen),
        system=recipe.system,
        is_new=is_new,
    )


def _check_names(push_to: Mapping[str, Any]) -> None:
    known = ("repository", "creates_repository", "backend")
    for name in push_to:
        if name not in known:
            raise OptionError(f"nbbatch.image has no option {name!r}.", cure=suggestion(name, known))


def _check_wish(told: Mapping[str, Any], say: Any) -> None:
    """Refuse words of another kind before packages are looked for."""
    for word in ("base", "name", "repository", "backend"):
        check_text(word, told.get(word), "a name")
    for word in ("packages", "system"):
        if not isinstance(told[word], str):
            texts_of(word, told[word], "names of packages, as a list of texts")
    if say is not None:
        check_callback(say)


def _print(line: str) -> None:
    print(f"nbbatch › {line}", flush=True)  # noqa: T201 - in the caller's own thread and cell


def _target() -> Target:
    import docker.errors  # noqa: PLC0415 - only images need it

    try:
        return Target(architecture=str(engine().version()["Arch"]))
    except (docker.errors.DockerException, OSError) as error:
        raise BackendUnreachableError(
            f"No Docker Engine answers, and an image is built by one: {error}.",
            cure="Start Docker, then again.",
        ) from error


def _name(name: str | None) -> str:
    if name is None:
        return re.sub(r"[^a-z0-9]+", "-", Path.cwd().name.lower()).strip("-") or "notebook"
    if not _NAME.fullmatch(name):
        raise OptionError(
            f"{name!r} cannot be part of an image's name.",
            cure="Use lower-case letters, digits, and . _ - between them.",
        )
    return name


def _system(system: str | Iterable[str]) -> tuple[str, ...]:
    names = system.replace(",", " ").split() if isinstance(system, str) else list(system)
    for name in names:
        if not _SYSTEM_NAME.fullmatch(name):
            raise OptionError(f"{name!r} is not a package of the system.", cure="Give names such as ffmpeg.")
    return tuple(sorted(set(names)))


def _placed(files: Any) -> dict[str, Member]:
    """Files by absolute path in the image."""
    if not files:
        return {}
    wanted = read_send("files", files)
    relative = Files(send=tuple((name.lstrip("/"), path) for name, path in wanted))
    roots = {name.lstrip("/") for name, _ in wanted if name.startswith("/")}
    return {
        str(PurePosixPath("/" if _is_below(place, roots) else DATA, place)): member
        for place, member in choose(relative).members.items()
        if member.path is not None
    }


def _is_below(place: str, roots: set[str]) -> bool:
    return any(place == root or place.startswith(f"{root}/") for root in roots)


def _digest(member: Member) -> str:
    digest = hashlib.sha256()
    assert member.path is not None  # noqa: S101 - `_placed` leaves folders out
    with member.path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return f"{member.mode:o}:{digest.hexdigest()}"


def _build(
    recipe: Recipe,
    packages: Sequence[Package],
    placed: Mapping[str, Member],
    tag: str,
    target: Target,
    say: Say,
) -> None:
    """Get the wheels, lay out the context, let the engine build it."""
    _check_base(recipe)
    say(f"image {tag}: {len(packages)} Python packages on {recipe.base}")
    wheels = wheels_for(packages, target)
    say(f"{len(wheels)} wheels, {size_text(sum(path.stat().st_size for path in wheels.values()))}")
    with TemporaryDirectory(prefix="nbbatch-image-") as folder:
        context = Path(folder)
        own = {package.name for package in packages if package.folder}
        groups = _lay_out(context, wheels, own)
        pip = pip_wheel(target)
        shutil.copy(pip, context)
        has_ca = bool(recipe.system) and _copy_bundle(context / "ca.pem")
        for name, member in placed.items():
            _place(member, context / "files" / name.lstrip("/"))
        planned = steps(recipe, groups, pip=pip.name, has_ca=has_ca)
        (context / "Dockerfile").write_text("".join(f"{step.instruction}\n" for step in planned))
        _run_build(context, tag, planned, say)
    say(f"image {tag} is built")


def _check_base(recipe: Recipe) -> None:
    """Refuse a base with another Python before minutes are spent, if it is on this machine."""
    facts = facts_of_local(recipe.base)
    if facts is not None and facts.python not in ("", recipe.python):
        raise EnvironmentMismatchError(
            f"The base {recipe.base} has Python {facts.python}, the notebook {recipe.python}: code and pickles do not fit.",
            cure=f"Choose a base with Python {recipe.python}, such as python:{recipe.python}-slim.",
        )


def _lay_out(context: Path, wheels: Mapping[str, Path], own: set[str]) -> dict[str, list[str]]:
    """Wheels into the folders of their groups; gives what is in those, steadiest first."""
    groups: dict[str, list[str]] = {"wheels-large": [], "wheels": [], "wheels-own": []}
    for name, path in sorted(wheels.items()):
        group = "wheels-own" if name in own else "wheels-large" if path.stat().st_size >= _LARGE else "wheels"
        (context / group).mkdir(exist_ok=True)
        _link(path, context / group / path.name)
        groups[group].append(name)
    return {group: names for group, names in groups.items() if names}


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def _place(member: Member, target: Path) -> None:
    assert member.path is not None  # noqa: S101 - `_placed` leaves folders out
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(member.path, target)
    target.chmod(member.mode)


def _copy_bundle(target: Path) -> bool:
    """The certificates that this machine was told to trust, if it was."""
    for name in _BUNDLES:
        path = Path(os.environ.get(name, ""))
        if path.is_file():
            shutil.copyfile(path, target)
            return True
    return False


def _run_build(context: Path, tag: str, planned: Sequence[Step], say: Say) -> None:
    """Build, saying each step; keeps the end of the log for the error.

    Proxies are given as the arguments that Docker knows and keeps out of the image's history.
    """
    import docker.errors  # noqa: PLC0415 - only images need it

    proxies = {
        name: value for key in _PROXIES for name in (key, key.upper()) if (value := os.environ.get(name))
    }
    is_local = any(
        urlsplit(value).hostname in ("localhost", "127.0.0.1", "::1") for value in proxies.values()
    )
    try:
        stream = engine().api.build(
            path=str(context),
            tag=tag,
            rm=True,
            forcerm=True,
            decode=True,
            buildargs=proxies,
            network_mode="host" if is_local else None,
        )
        _follow(stream, tag, planned, say)
    except (docker.errors.DockerException, OSError) as error:
        raise EnvironmentMismatchError(f"Image {tag} cannot be built: {error}.") from error


def _follow(stream: Iterator[Mapping[str, Any]], tag: str, planned: Sequence[Step], say: Say) -> None:
    log: list[str] = []
    for event in stream:
        text = str(event.get("stream", "")).rstrip()
        log += text.splitlines()
        if (match := _STEP.match(text)) and (words := planned[int(match[1]) - 1].words):
            say(words)
        if "error" in event:
            said = [line for line in log if line.startswith(("nbbatch: ", "ERROR: ", "E: "))][-3:]
            tail = "\n".join(log[-_TAIL:])
            reason = " ".join(line.removeprefix("nbbatch: ") for line in said) or str(event["error"])
            raise EnvironmentMismatchError(
                f"Image {tag} cannot be built: {reason}\n--- the end of the build's log ---\n{tail}\n"
            )


def _note(tag: str, *names: str) -> None:
    """Keep what the image has under its names, so that a backend elsewhere knows it, too."""
    facts = facts_of_local(tag)
    if facts is not None:
        note_facts((tag, *names), facts)


def images() -> list[tuple[str, int, datetime]]:
    """Tag, bytes and time of the images that were built here, newest first.

    Raises
    ------
    BackendUnreachableError
        There is no Docker Engine.
    """
    _target()
    found = engine().api.images(filters={"reference": f"{REPOSITORY}*"})
    listed = [
        (tag, one["Size"], datetime.fromtimestamp(one["Created"], UTC).astimezone())
        for one in found
        for tag in one["RepoTags"] or ()
    ]
    return sorted(listed, key=lambda each: each[2], reverse=True)


def remove_image(tag: str) -> None:
    """Remove an image of this machine.

    Raises
    ------
    UnknownNameError
        It is not here.
    UserError
        A container of it is there.
    """
    import docker.errors  # noqa: PLC0415 - only images need it

    try:
        engine().api.remove_image(tag)
    except docker.errors.ImageNotFound:
        raise UnknownNameError(
            f"There is no image {tag} on this machine.", cure="nbbatch image list shows them."
        ) from None
    except docker.errors.APIError as error:
        raise UserError(f"Image {tag} cannot be removed: {error.explanation}.") from error
