"""Wheels for an image, made on this machine by its own pip: the build in the image needs no network.

So whatever pip is configured with here (index, proxy, certificates, credentials) is used here and
goes into no image. Wheels of an index are kept in the home folder; those of a project's folder are
built anew when one of its files has changed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from nbbatch.client.config import home
from nbbatch.client.files.workdir import Files, choose
from nbbatch.client.images.environment import Package
from nbbatch.errors import ConfigurationError, EnvironmentMismatchError

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_BLAME = (
    re.compile(r"No matching distribution found for (\S+)"),
    re.compile(r"Failed building wheel for (\S+)"),
    re.compile(r"Could not build wheels for (\S+)"),
    re.compile(r"satisfies the requirement (\S+)"),
)
_NO_NEWS = ("Looking in ", "ERROR: Ignored the following", "[notice]")
_TAIL, _WIDTH = 15, 300
"""Lines of pip's words that an error carries, and their length: a list of all versions helps nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """For which machine wheels are made: Docker's word for it, `amd64` or `arm64`."""

    architecture: str

    @property
    def is_like_here(self) -> bool:
        """Whether a wheel that runs here runs there."""
        here = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        return sys.platform == "linux" and here == self.architecture

    @property
    def folder(self) -> Path:
        """Where its wheels are kept."""
        return home() / "wheels" / f"cp{PYTHON.replace('.', '')}-{self.architecture}"

    @property
    def pip_options(self) -> list[str]:
        """What makes pip choose wheels for it from another machine."""
        machine = _MACHINES.get(self.architecture, self.architecture)
        platforms = [f"--platform=manylinux{version}_{machine}" for version in ("_2_28", "_2_17", "2014")]
        return [*platforms, f"--python-version={PYTHON}", "--only-binary=:all:"]


def wheels_for(packages: Sequence[Package], target: Target) -> dict[str, Path]:
    """A wheel for each package, by its name; what a requirement of the user's brings is among them.

    Raises
    ------
    EnvironmentMismatchError
        pip could not get or build one; names it, with the end of pip's own words.
    """
    target.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    pinned = [package for package in packages if not (package.folder or package.url or package.asked)]
    found = _kept(pinned, target.folder)
    missing = [package for package in pinned if package.name not in found]
    if missing:
        _pip_wheel([package.requirement for package in missing], target, ["--no-deps"])
        found = _kept(pinned, target.folder)
    for package in packages:
        if package.folder or package.url:
            found[package.name] = _by_itself(package, target)
    asked = [package.asked for package in packages if package.asked]
    return found | (_with_dependencies(asked, found, target) if asked else {})


def fingerprint(folder: str) -> str:
    """A hash of a project's files, without what is made from them."""
    digest = hashlib.sha256()
    for name, member in sorted(choose(Files(workdir=".", root=Path(folder))).members.items()):
        if member.path is not None and ".egg-info/" not in name and not name.startswith(("build/", "dist/")):
            digest.update(f"{name}\0{member.mode}\0".encode())
            digest.update(hashlib.sha256(member.path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def pip_wheel(target: Target) -> Path:
    """A wheel of pip itself, for images that have none: Python's own copy, else the index's."""
    spec = importlib.util.find_spec("ensurepip")
    if spec is not None and spec.origin:
        for path in (Path(spec.origin).parent / "_bundled").glob("pip-*.whl"):
            return path
    known = sorted(target.folder.glob("pip-*.whl"))
    if not known:
        _pip_wheel(["pip"], target, ["--no-deps"])
        known = sorted(target.folder.glob("pip-*.whl"))
    return known[-1]


def _kept(packages: Iterable[Package], folder: Path) -> dict[str, Path]:
    """The wheels of these versions that are there already."""
    by_version: dict[tuple[str, str], Path] = {}
    for path in folder.glob("*.whl"):
        with suppress(InvalidWheelFilename):
            name, version, *_ = parse_wheel_filename(path.name)
            by_version[name, str(version)] = path
    return {
        package.name: by_version[key]
        for package in packages
        if (key := (package.name, str(Version(package.version)))) in by_version
    }


def identity(package: Package) -> str:
    """What tells this package from another one of its name: the version, the URL, or the project's files."""
    if package.folder:
        return f"{package.name} {fingerprint(package.folder)}"
    return package.requirement


def _by_itself(package: Package, target: Target) -> Path:
    """The wheel of a project's folder or of a URL, which its version does not tell from another one."""
    folder = target.folder / hashlib.sha256(identity(package).encode()).hexdigest()[:16]
    if not list(folder.glob("*.whl")):
        with TemporaryDirectory(dir=target.folder) as draft:
            _pip_wheel([package.requirement], target, ["--no-deps"], into=Path(draft))
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(draft, folder)
    return next(folder.glob("*.whl"))


def _with_dependencies(asked: Sequence[str], found: dict[str, Path], target: Target) -> dict[str, Path]:
    """What requirements of the user's bring, as far as it is not pinned by what is installed here."""
    with TemporaryDirectory(dir=target.folder) as draft:
        constraints = Path(draft) / "constraints.txt"
        pins = (parse_wheel_filename(path.name)[:2] for path in found.values())
        constraints.write_text("".join(f"{name}=={version}\n" for name, version in pins))
        into = Path(draft) / "wheels"
        _pip_wheel(asked, target, [f"--constraint={constraints}", f"--find-links={target.folder}"], into=into)
        made = {}
        for path in into.glob("*.whl"):
            kept = target.folder / path.name
            if not kept.exists():
                shutil.move(path, kept)
            made[canonicalize_name(parse_wheel_filename(path.name)[0])] = kept
    return {name: path for name, path in made.items() if name not in found}


def _pip_wheel(
    requirements: Sequence[str], target: Target, options: Sequence[str], into: Path | None = None
) -> None:
    place = into or target.folder
    words = (
        ["wheel", f"--wheel-dir={place}"]
        if target.is_like_here
        else ["download", f"--dest={place}", *target.pip_options]
    )
    done = subprocess.run(
        [*_pip(), *words, "--disable-pip-version-check", "--no-input", *options, *requirements],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise _failure(requirements, done.stdout + done.stderr)


def _pip() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    spec = importlib.util.find_spec("ensurepip")
    bundled = sorted(Path(spec.origin).parent.glob("_bundled/pip-*.whl")) if spec and spec.origin else []
    if not bundled:
        raise ConfigurationError(
            "This Python environment has no pip, which gets packages for an image.", cure="Install pip in it."
        )
    return [sys.executable, str(bundled[-1] / "pip")]


def _failure(requirements: Sequence[str], said: str) -> EnvironmentMismatchError:
    """Names the package, with the end of what pip said."""
    names = [match[1] for pattern in _BLAME for match in pattern.finditer(said)]
    which = names[0].rstrip(",.") if names else ", ".join(requirements[:3])
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith(_NO_NEWS)]
    tail = "\n".join(line if len(line) <= _WIDTH else f"{line[:_WIDTH]}…" for line in lines[-_TAIL:])
    return EnvironmentMismatchError(
        f"No wheel of {which} can be had for the image; pip says:\n{tail}\n",
        cure="Name the packages that the job needs, packages=[...], or write another version of this one.",
    )
