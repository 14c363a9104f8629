"""What the process executor and the spawner say to each other, and the files they share.

One JSON array a line, its first element a word:

- daemon to spawner: `hello` {protocol, expected, machine, environment, devices} · `start` [order] ·
  `stop` [[job id, attempt, grace seconds]] · `settled` [[job id, attempt]]
- spawner to daemon: `welcome` {protocol, pid, running [started], waiting, ended, lost} · `reports`
  [started] [ended] · `replaced` (another daemon has taken over, do not come back)

A `started` is [job id, attempt, started at]; an `ended` is [job id, attempt, exit code, started at,
stopped at, reason, status reason, CPU seconds, peak MiB], the same text as its line in `run/exits`
(and in a `welcome` a JSON string of that text).
The spawner outlives daemons, so a change of any of this needs a new PROTOCOL. It has to start in a
few milliseconds: whatever it loads imports little and nothing from outside the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

TYPE_CHECKING = False  # as typing has it, which takes long to load
if TYPE_CHECKING:
    from typing import Any

    from nbbatch.daemon.admission import Amount, Name

PROTOCOL = 2

MARKER = "NBBATCH_ATTEMPT"
"""Variable in a job's environment, `<home's mark>:<job id>:<attempt>`, by which orphans are found."""

_quote = json.encoder.encode_basestring_ascii
_encode = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode


class RunFiles:
    """Where the spawner of a home keeps what must survive it; all strings, absolute.

    Parameters
    ----------
    home : str
        The home folder, absolute.
    """

    __slots__ = ("exits", "folder", "journal", "log", "pid", "scratch", "socket")

    def __init__(self, home: str) -> None:
        self.folder = f"{home}/run"
        self.journal = f"{self.folder}/journal"
        self.exits = f"{self.folder}/exits"
        self.pid = f"{self.folder}/pid"
        self.socket = f"{self.folder}/socket"
        self.log = f"{self.folder}/spawner.log"
        self.scratch = f"{home}/scratch"


class Order:
    """What the spawner must know to run one attempt; on the wire a plain list in this sequence.

    Parameters
    ----------
    job_id, attempt : str, int
        The attempt's name.
    command : list of str
        Its argument vector.
    environment : list of [str, str]
        The variables of the order, laid over the spawner's base environment.
    vcpus, memory, gpus : float, int, int
        What physical admission counts; memory in MiB.
    memory_limit : int
        MiB over which the attempt is killed; 0 for no limit.
    log : str
        File that gets its standard output and error.
    scratch : str
        Name of its working directory.
    ulimits : list of [str, int, int]
        Docker's names with soft and hard limits.
    main : str
        Job id of the main node that this node starts behind; empty for all others.
    others : list of float, int, int
        What a main node brings room for, as vcpus, memory and gpus.
    """

    __slots__ = (
        "amount",
        "command",
        "environment",
        "log",
        "main",
        "memory_limit",
        "name",
        "others",
        "scratch",
        "ulimits",
    )

    def __init__(
        self,
        job_id: str,
        attempt: int,
        command: list[str],
        environment: list[list[str]],
        vcpus: float,
        memory: int,
        gpus: int,
        memory_limit: int,
        log: str,
        scratch: str,
        ulimits: list[tuple[str, int, int]],
        main: str = "",
        others: Sequence[float] = (0.0, 0, 0),
    ) -> None:
        self.name: Name = (job_id, attempt)
        self.command = command
        self.environment = environment
        self.amount: Amount = (vcpus, memory, gpus)
        self.memory_limit = memory_limit
        self.log = log
        self.scratch = scratch
        self.ulimits = ulimits
        self.main: Name | None = (main, attempt) if main else None
        self.others: Amount = (others[0], int(others[1]), int(others[2]))


def quoted(text: str | None) -> str:
    """JSON of a text or of nothing; a whole record by this and an f-string costs a third of `text_of`."""
    return "null" if text is None else _quote(text)


def text_of(value: object) -> str:
    """One line of JSON, without its end."""
    return _encode(value)


def line_of(*message: object) -> bytes:
    """One message, ready to be sent."""
    return _encode(message).encode() + b"\n"


def message_of(line: bytes) -> tuple[str, list[Any]]:
    """Take a line apart.

    Returns
    -------
    tuple of (str, list)
        Its word, and what follows it.

    Raises
    ------
    ValueError
        When it is not a message.
    """
    message = json.loads(line)
    if not isinstance(message, list) or not message or not isinstance(message[0], str):
        raise ValueError("a message is an array that begins with a word")
    return message[0], message[1:]


def marker_of(mark: str, name: Name) -> str:
    """Value of MARKER for an attempt of the home with this mark."""
    return f"{mark}:{name[0]}:{name[1]}"


def name_in(marker: str) -> Name:
    """The attempt that a MARKER's value names.

    Raises
    ------
    ValueError
        When it is not such a value.
    """
    job_id, _, attempt = marker.partition(":")[2].rpartition(":")
    return job_id, int(attempt)


def base_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The few variables of the daemon's own that every process needs; nothing that could be a secret."""
    return {
        key: value
        for key, value in environment.items()
        if key in _INHERITED or key.startswith(("LC_", "DYLD_FALLBACK_"))
    }


_INHERITED = frozenset(
    {
        "CUDA_DEVICE_ORDER",
        "CUDA_HOME",
        "HOME",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "LOGNAME",
        "NBBATCH_WARM",
        "PATH",
        "SHELL",
        "TMPDIR",
        "TZ",
        "USER",
    }
)
