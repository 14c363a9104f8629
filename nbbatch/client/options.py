"""What a person may ask of a job, read and checked once: pure.

The same names are keywords of `nbbatch.submit`, flags of `%%batch` and keys of `nbbatch.toml`. Every
value is brought to AWS Batch's units here (MiB, seconds, job ids) and checked against its limits, so
that a mistake is told before anything is packed or sent. None means: the backend's default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from nbbatch.client.files.fileoptions import read_fetch, read_send, read_workdir
from nbbatch.client.images.built import Image
from nbbatch.errors import OptionError
from nbbatch.model.resources import parse_duration, parse_memory, parse_vcpus

SHORTEST_TIMEOUT = 60
"""Seconds; AWS Batch: "AttemptDurationSeconds in Timeout must be at least 60 seconds."."""
MOST_RETRIES = 9
"""Attempts after the first; AWS Batch allows 10 attempts in all."""
MOST_DEPENDENCIES = 20
MOST_TAGS = 50
HIGHEST_PRIORITY = 9999

FULL_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}([:#]\d+)?")
"""A job's id, also of a child or a node."""
SEQUENTIAL = "SEQUENTIAL"
"""As a dependency of an array: each child waits for the one before it."""

_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_SHARE = re.compile(r"[A-Za-z0-9]{1,255}")
_TAG, _TAG_VALUE = re.compile(r"[\w\s.:/=+\-@]{1,128}"), re.compile(r"[\w\s.:/=+\-@]{0,256}")
_VARIABLE = re.compile(r"[^=\0\s]+")
_WORDS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


class WholeJob(str):
    """Id of a job that is waited for as a whole, also where item by item would be possible."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where and how a job runs.

    Parameters
    ----------
    backend, queue, image, definition, name, share : str or None
        A configured backend; a job queue; a container image; a registered job definition
        (`name`, `name:revision` or ARN, which excludes `image`); the job's name; its share identifier.
    vcpus : float or None
        vCPUs of one attempt.
    memory : int or None
        MiB of one attempt.
    gpus, retries, priority : int or None
        GPUs of one attempt; attempts after a failed first one; scheduling priority in its share.
    timeout : int or None
        Seconds an attempt may run.
    env, tags : mapping of str to str
        Environment variables of the job; tags of the job.
    depends : tuple of str
        Ids of jobs that must succeed first, or `SEQUENTIAL`; see `nbbatch.client.pipelines.dependencies`.
    spot : bool or None
        Spot capacity wanted (True), refused (False), or whatever the queue has.
    cache : bool or None
        Take the result of an earlier job of the same code, values and environment, where there is one.
    max_cost : float or None
        Dollars that the job may cost, all attempts and children together; then it is stopped.
    value_limit : int or None
        Bytes above which a value that nobody named is not sent.
    preset : str or None
        Name of a preset whose options stand under these.
    files : tuple of (str, str) or None
        Files, folders and patterns of this machine that the job finds in its working directory: place
        there (`""`: the same relative path) and path here.
    workdir : str or None
        A folder whose content, without what its ignore files name, the job finds there, too.
    fetch : tuple of str or None
        Patterns of files that come back from there.
    fetch_to : str or None
        Folder they come back to; None: the working directory.
    like : handle, str or None
        An earlier job, by its handle, id or name, or `job.resized()`: where these options say nothing,
        those of that job hold.
    """

    backend: str | None = None
    queue: str | None = None
    vcpus: float | None = None
    memory: int | None = None
    gpus: int | None = None
    image: str | None = None
    definition: str | None = None
    name: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: int | None = None
    retries: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    depends: tuple[str, ...] = ()
    priority: int | None = None
    share: str | None = None
    spot: bool | None = None
    cache: bool | None = None
    max_cost: float | None = None
    value_limit: int | None = None
    preset: str | None = None
    files: tuple[tuple[str, str], ...] | None = None
    workdir: str | None = None
    fetch: tuple[str, ...] | None = None
    fetch_to: str | None = None
    like: Any = None

    def __post_init__(self) -> None:
        if self.image and self.definition:
            raise OptionError(
                "A job definition already names its image.", cure="Give either image or definition, not both."
            )

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Options:
        """Read options as a person gives them.

        Parameters
        ----------
        given : mapping
            By option name, e.g. `{"memory": "4G", "timeout": "2h", "env": ["A=1"], "depends": job}`.
            None counts as not given; `after` is another word for `depends`.

        Raises
        ------
        OptionError
            When a name is unknown (with the nearest known one) or a value is not understood.
        """
        read = {}
        for key, value in given.items():
            name = _ALIASES.get(key, key)
            if name not in _READERS:
                raise OptionError(f"There is no option {key!r}.", cure=suggestion(key, option_names()))
            if value is not None:
                read[name] = read_option(name, value)
        return cls(**read)

    def over(self, defaults: Options) -> Options:
        """These options, and where they say nothing those of `defaults`; env and tags are merged."""
        mine = {f.name: getattr(self, f.name) for f in fields(self)}
        theirs = {f.name: getattr(defaults, f.name) for f in fields(defaults)}
        merged = {name: theirs[name] if value is None else value for name, value in mine.items()}
        if self.definition or self.image:
            merged |= {"definition": self.definition, "image": self.image}
        merged["env"] = {**defaults.env, **self.env}
        merged["tags"] = {**defaults.tags, **self.tags}
        merged["depends"] = self.depends or defaults.depends
        return Options(**merged)


def option_names() -> list[str]:
    """Every word that is an option, for keyword arguments, flags and completion."""
    return [*_READERS, *_ALIASES]


def read_option(name: str, value: Any) -> Any:
    """One option's value in AWS Batch's units, as the field of `Options` holds it.

    Raises
    ------
    OptionError
        When it is not understood.
    """
    return _READERS[name](name, value)


def split_options(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part keyword arguments into options and the rest."""
    names = set(option_names())
    options = {key: value for key, value in given.items() if key in names}
    return options, {key: value for key, value in given.items() if key not in names}


def suggestion(word: str, known: Iterable[str]) -> str:
    """A cure that names the known word nearest to a mistyped one, or all of them."""
    known = list(known)
    near = get_close_matches(word, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."


def _refuse(option: str, value: object, wanted: str) -> OptionError:
    return OptionError(f"Option {option} does not understand {value!r}.", cure=f"It takes {wanted}.")


def _read_text(option: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _refuse(option, value, "a text that is not empty")
    return value.strip()


def _read_image(option: str, value: Any) -> str:
    """A name, or what `nbbatch.image` gave."""
    name = _read_text(option, str(value) if isinstance(value, Image) else value)
    if re.search(r"\s", name):
        raise _refuse(option, value, "the name of one image, such as python:3.12-slim, without blanks")
    return name


def _read_name(option: str, value: Any) -> str:
    if not isinstance(value, str) or not _JOB_NAME.fullmatch(value):
        raise _refuse(option, value, "up to 128 letters, digits, - and _, and starts with a letter or digit")
    return value


def _read_share(option: str, value: Any) -> str:
    if not isinstance(value, str) or not _SHARE.fullmatch(value):
        raise _refuse(option, value, "up to 255 letters and digits")
    return value


def _between(lowest: int, highest: int, wanted: str) -> Callable[[str, Any], int]:
    def read(option: str, value: Any) -> int:
        try:
            number = int(str(value))
        except ValueError:
            raise _refuse(option, value, wanted) from None
        if isinstance(value, bool) or not lowest <= number <= highest:
            raise _refuse(option, value, wanted)
        return number

    return read


def _read_timeout(option: str, value: Any) -> int:
    seconds = parse_duration(value)
    if seconds < SHORTEST_TIMEOUT:
        raise OptionError(
            f"Option {option} is {seconds} s; AWS Batch allows no less than {SHORTEST_TIMEOUT} s.",
            cure=f"Use {option}={SHORTEST_TIMEOUT} or more.",
        )
    return seconds


def _read_dollars(option: str, value: Any) -> float:
    wanted = "a number of dollars above 0"
    try:
        dollars = float(str(value).removeprefix("$"))
    except ValueError:
        raise _refuse(option, value, wanted) from None
    if not 0 < dollars < float("inf"):
        raise _refuse(option, value, wanted)
    return dollars


def _read_flag(option: str, value: Any) -> bool:
    flag = _WORDS.get(str(value).lower())
    if flag is None:
        raise _refuse(option, value, "true or false")
    return flag


def _read_pairs(option: str, value: Any) -> dict[str, str]:
    """`{"A": 1}`, `"A=1"` or `["A=1", "B=2"]` as text by name."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if item is None:
                raise _refuse(f"{option} ({key})", item, "a value for each name; leave the name out")
        return {str(key): str(item) for key, item in value.items()}
    pairs = {}
    for text in _listed(option, value):
        key, equals, item = str(text).partition("=")
        if not key or not equals:
            raise _refuse(option, text, "NAME=VALUE, or a mapping")
        pairs[key] = item
    return pairs


def _listed(option: str, value: Any) -> list[Any]:
    """One value or several as a list; a handle is one, although an array's can be iterated."""
    if isinstance(value, str) or hasattr(value, "id"):
        return [value]
    if isinstance(value, Iterable):
        return list(value)
    raise _refuse(option, value, "one or a list of them")


def _read_env(option: str, value: Any) -> dict[str, str]:
    pairs = _read_pairs(option, value)
    for name in pairs:
        if not _VARIABLE.fullmatch(name):
            raise _refuse(option, name, "names of environment variables")
        if name.startswith(("AWS_BATCH", "NBBATCH_")):
            raise OptionError(
                f"The environment variable {name} belongs to the service.", cure="Choose another name."
            )
    return pairs


def _read_tags(option: str, value: Any) -> dict[str, str]:
    """As of env; several in one text are separated by commas, which no tag may have in it."""
    texts = value if isinstance(value, Mapping) else [str(one).split(",") for one in _listed(option, value)]
    pairs = _read_pairs(
        option, value if texts is value else [text.strip() for each in texts for text in each]
    )
    if len(pairs) > MOST_TAGS:
        raise OptionError(f"{len(pairs)} tags; AWS Batch allows {MOST_TAGS}.", cure="Give fewer tags.")
    for key, tag in pairs.items():
        if not _TAG.fullmatch(key) or key.lower().startswith("aws:"):
            wanted = "names of up to 128 letters, digits, blanks and _.:/=+-@ that do not begin with aws:"
            raise _refuse(option, key, wanted)
        if not _TAG_VALUE.fullmatch(tag):
            raise _refuse(f"{option} ({key})", tag, "up to 256 letters, digits, blanks and _.:/=+-@")
    return pairs


def _read_depends(option: str, value: Any) -> tuple[str, ...]:
    """A job id or handle, several separated by commas, or a list of them."""
    given = value.split(",") if isinstance(value, str) and not isinstance(value, WholeJob) else value
    ids = (getattr(one, "id", one) for one in _listed(option, given))
    return tuple(one if isinstance(one, WholeJob) else _read_text(option, one) for one in ids)


def _read_size(option: str, value: Any) -> int:
    """Bytes; a number without a unit counts MiB, as memory does."""
    try:
        return parse_memory(value) << 20
    except OptionError as error:
        raise OptionError(f"Option {option}: {error.message}", cure=error.cure) from error


def _read_like(option: str, value: Any) -> Any:
    """A handle, what `resized()` of one gave, or an id or name."""
    return value if hasattr(value, "id") or hasattr(value, "advice") else _read_text(option, value)


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "backend": _read_text,
    "queue": _read_text,
    "vcpus": lambda _, value: parse_vcpus(value),
    "memory": lambda _, value: parse_memory(value),
    "gpus": _between(0, 1024, "a whole number of GPUs"),
    "image": _read_image,
    "definition": _read_text,
    "name": _read_name,
    "env": _read_env,
    "timeout": _read_timeout,
    "retries": _between(0, MOST_RETRIES, f"a whole number from 0 to {MOST_RETRIES}"),
    "tags": _read_tags,
    "max_cost": _read_dollars,
    "files": read_send,
    "workdir": read_workdir,
    "fetch": read_fetch,
    "fetch_to": read_workdir,
    "depends": _read_depends,
    "priority": _between(0, HIGHEST_PRIORITY, f"a whole number from 0 to {HIGHEST_PRIORITY}"),
    "share": _read_share,
    "spot": _read_flag,
    "cache": _read_flag,
    "value_limit": _read_size,
    "preset": _read_text,
    "like": _read_like,
}
_ALIASES = {"after": "depends"}
NOT_DEFAULTS = ("name", "depends", "after", "preset", "like")
"""Options that belong to one job, and make no sense ahead of it."""
