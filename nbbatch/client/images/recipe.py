"""How an image is made, as text: pure, nothing is built here.

Packages go into a virtual environment of their own above the base's Python, in groups from the
largest and steadiest to the user's own projects: each is installed in a stage by itself and copied as
one layer, so a small change rebuilds a small layer, and no wheel stays in the image. pip comes as a
wheel, too, so the base needs neither pip nor a network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

VERSION = 1
"""Part of every tag: a recipe that makes other images of the same wishes gets another number."""
FOLDER = "/opt/nbbatch"
LABEL = "nbbatch.image"
"""On all that a build leaves, the stages too; at their ends it says the image's name without its tag."""
DATA = "/data"
"""Where files go whose place is a relative path."""
_APT = """\
RUN command -v apt-get >/dev/null || {{ echo "nbbatch: system packages need a base with apt-get" >&2; exit 1; }}; \\
    apt-get update{ca} && DEBIAN_FRONTEND=noninteractive apt-get install{ca} -y --no-install-recommends {packages} \\
    && rm -rf /var/lib/apt/lists/*"""
_MAKE = f"python3 -m venv --without-pip --system-site-packages {FOLDER}"
_CA = " -o Acquire::https::CAInfo=/etc/ssl/nbbatch-ca.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What an image shall be.

    Parameters
    ----------
    base : str
        The image it starts from.
    python : str
        Minor version that its Python must have.
    system : tuple of str
        Packages of the base's distribution.
    packages : tuple of str
        What tells each Python package from every other one, such as `numpy==2.1.0`.
    files : mapping of str to str
        SHA-256 by absolute path in the image.
    """

    base: str
    python: str
    system: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    files: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Twelve letters that change when anything of it does."""
        told = [VERSION, self.base, self.python, sorted(self.system), sorted(self.packages), dict(self.files)]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of a Dockerfile, and what to tell of it; empty where it takes no time."""

    instruction: str
    words: str = ""


def steps(
    recipe: Recipe, groups: Mapping[str, Sequence[str]], *, pip: str, has_ca: bool, repository: str
) -> list[Step]:
    """The steps of the build, in order.

    Parameters
    ----------
    recipe : Recipe
        What to make.
    groups : mapping of str to sequence of str
        Names of packages by the folder of their wheels in the build's context, in the order of layers.
    pip : str
        File name of pip's wheel in the context.
    has_ca : bool
        `ca.pem` in the context holds the certificates that this machine trusts.
    repository : str
        The image's name without its tag: the label of each stage, as its last step, so that another
        image with the same packages takes over all but that.
    """
    found = [Step(f"FROM {recipe.base} AS base", f"takes {recipe.base}")]
    found += [Step(f"LABEL {LABEL}="), Step("USER root")]
    if recipe.system:
        names = sorted(recipe.system)
        apt = _APT.format(ca=_CA if has_ca else "", packages=" ".join(names))
        found += [Step("COPY ca.pem /etc/ssl/nbbatch-ca.pem")] if has_ca else []
        found.append(Step(apt, f"installs {_listed(names)} by apt"))
    found.append(Step(f"RUN {_check(recipe.python)}"))
    label = Step(f"LABEL {LABEL}={repository}")
    for number, group in enumerate(groups):
        found += [*_stage(number, group, _listed(groups[group]), pip), label]
    found += [
        Step("FROM base"),
        Step("ENTRYPOINT []"),
        Step(f"ENV PATH={FOLDER}/bin:$PATH"),
        Step(f"RUN {_MAKE}"),
    ]
    found += [
        Step(f"COPY --from=group{number} {FOLDER} {FOLDER}", f"keeps {_listed(names)}")
        for number, names in enumerate(groups.values())
    ]
    found += [Step("COPY files/ /", f"copies {len(recipe.files):,} files")] if recipe.files else []
    return [*found, label]


def _check(python: str) -> str:
    """Refuse a base whose Python is another one."""
    program = (
        "import sys; here = '%d.%d' % sys.version_info[:2]; "
        f"sys.exit(None if here == '{python}' else 'nbbatch: the base has Python %s, the notebook {python}.' % here)"
    )
    no_python = 'command -v python3 >/dev/null || { echo "nbbatch: the base has no python3." >&2; exit 1; }'
    return f'{no_python}; python3 -c "{program}"'


def _stage(number: int, group: str, names: str, pip: str) -> list[Step]:
    """A group of wheels, installed by itself."""
    install = f"{FOLDER}/bin/python3 /tmp/{pip}/pip install --no-index --no-deps --no-cache-dir --no-warn-script-location"
    return [
        Step(f"FROM base AS group{number}"),
        Step(f"COPY {pip} /tmp/"),
        Step(f"RUN {_MAKE}"),
        Step(f"COPY {group}/ /tmp/wheels/"),
        Step(
            f"RUN {install} --disable-pip-version-check --root-user-action=ignore /tmp/wheels/*.whl",
            f"installs {names}",
        ),
    ]


def _listed(names: Sequence[str], most: int = 6) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
