"""A warm interpreter: started as any job is, it becomes one job after the other by forking.

`python3 runner.pyz --warm FD BLANKS`, where FD is a socket to the process that starts jobs, here called
the spawner. First it says on which files its start depended, NUL between them. Then it waits for orders:
a working folder, the three words of a command line, and variables, NUL between them, with two descriptors:
the job's log and a line of its own to the spawner. For each one it forks twice, so that the job is the
spawner's child and not its own. The job makes itself what exec would have made, says its pid on its line,
and goes on only when it is told to: where the line ends instead, nothing of the payload has run.

It never runs any of a user's code, has one thread, and imports only what each cell needs anyway.
"""

from __future__ import annotations

import os
import sys

from . import usage

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from typing import Any

WORD = "--warm"
"""Stands where a job has the path of its bundle."""

_LARGEST_ORDER = 1 << 20
_WORDS = 3
"""Of a command line: interpreter, archive, bundle."""

_UNUSABLE = 70
"""sysexits.h: an internal software error."""


def serve(number: int) -> list[str]:
    """Take orders until the other end closes.

    Parameters
    ----------
    number : int
        Descriptor of a socket that keeps messages apart.

    Returns
    -------
    list of str
        `sys.argv` of a job: it returns in the forked process only, as often as there are orders.
    """
    line, regions = _line(number), _regions()
    _preload()
    if len(os.listdir("/proc/self/task")) > 1:
        sys.exit("nbbatch: something here starts threads with the interpreter; each job starts afresh")
    line.send(b"\0".join(map(os.fsencode, _watched())))
    while True:
        order, descriptors = _received(line)
        if not order:
            os._exit(0)
        if len(descriptors) == 2 and _is_job():  # noqa: PLR2004 - log and line
            line.close()
            return _job(order, regions, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _line(number: int) -> Any:
    """The socket, by the module below `socket`: of that one and what it imports a job finds no trace."""
    was_there = "_socket" in sys.modules
    import _socket

    if not was_there:
        del sys.modules["_socket"]
    return _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, number)


def _preload() -> None:
    """Import what a cell `1 + 1` will, and find out whether the system can do the rest."""
    import faulthandler
    import importlib
    import signal

    from . import boot, displays, execute, python

    del faulthandler, importlib, signal, boot, displays, execute, python
    os.close(_own_memory())
    for name, value in os.environb.items():
        os.putenv(name, value)  # C's `environ` no longer points to where `_rename` writes


def _received(line: Any) -> tuple[bytes, list[int]]:
    order, extras, *_ = line.recvmsg(_LARGEST_ORDER, 1 << 10, 0x40000000)  # MSG_CMSG_CLOEXEC
    numbers = b"".join(data for _, _, data in extras)
    return order, [
        int.from_bytes(numbers[at : at + 4], sys.byteorder) for at in range(0, len(numbers) // 4 * 4, 4)
    ]


def _is_job() -> bool:
    """Fork twice; the process between the two ends, and the kernel gives its child to the spawner."""
    try:
        between = os.fork()
    except OSError:
        return False
    if between:
        os.waitpid(between, 0)
        return False
    try:
        if os.fork():
            os._exit(0)
    except OSError:
        os._exit(1)
    return True


def _job(order: bytes, regions: list[int], log: int, line: int) -> list[str]:
    """Become a job; nothing of an error may reach its log, because it is started afresh then."""
    try:
        os.setsid()
        folder, *words = order.split(b"\0")
        command, variables = words[:_WORDS], words[_WORDS:]
        os.chdir(folder)
        _take_variables(variables)
        _rename(regions, command, variables)
        argv = _take_place([os.fsdecode(word) for word in command])
        for number in (1, 2):
            os.dup2(log, number)
        os.close(log)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(_UNUSABLE)
    if not _is_told_to_go(line):
        os._exit(_UNUSABLE)
    os.close(line)
    usage.start()
    return argv


def _is_told_to_go(line: int) -> bool:
    """Say who is there, and wait for the word; from then on the attempt has started."""
    try:
        os.write(line, b"%d" % os.getpid())
        return bool(os.read(line, 1))
    except OSError:
        return False


def _take_variables(variables: list[bytes]) -> None:
    """Have exactly these, in `os.environ` and in C's `environ`; most of them are there already."""
    data: Any = os.environ._data  # type: ignore[attr-defined]  # noqa: SLF001 - item by item is slow
    wanted = dict(variable.split(b"=", 1) for variable in variables)
    for name in data.keys() - wanted.keys():
        os.unsetenv(name)
    for name, value in wanted.items():
        if data.get(name) != value:
            os.putenv(name, value)
    data.clear()
    data.update(wanted)


def _take_place(command: list[str]) -> list[str]:
    """Make the modules look as if this job's own archive had been started; returns its `sys.argv`."""
    argv = command[1:]
    old, new = sys.path[0], argv[0]
    for name, module in list(sys.modules.items()):
        if name == "__main__" or name.partition(".")[0] == __name__.partition(".")[0]:
            _move(module, old, new)
    finders: Any = sys.path_importer_cache
    for path, finder in list(finders.items()):
        if path.startswith(old):
            del finders[path]
        elif type(finder).__name__ == "FileFinder":
            finder.invalidate_caches()
    sys.path[0] = new
    sys.argv[:] = argv
    getattr(sys, "orig_argv", [])[:] = command  # Python 3.9 has none
    return argv


def _move(module: Any, old: str, new: str) -> None:
    spec, places = module.__spec__, getattr(module, "__path__", None)
    module.__file__ = spec.origin = module.__file__.replace(old, new, 1)
    if places is not None:
        places[:] = [place.replace(old, new, 1) for place in places]
    if getattr(spec.loader, "archive", new) != new:
        spec.loader.archive = new


# What other processes see: /proc/PID/cmdline and /proc/PID/environ show two pieces of the memory that
# exec has laid out. By the environment the spawner recognises what belongs to a job.


def _regions() -> list[int]:
    """Where they are, as proc_pid_stat(5) says: start and end of the arguments, then of the environment."""
    with open("/proc/self/stat", "rb") as file:
        stat = file.read()
    return [int(field) for field in stat[stat.rindex(b")") + 2 :].split()[45:49]]


def _own_memory() -> int:
    return os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)


def _rename(regions: list[int], command: list[bytes], variables: list[bytes]) -> None:
    """Show the job's command line and variables; where there is no room for all, the first ones lack."""
    memory = _own_memory()
    for words, (start, end) in ((command, regions[:2]), (variables, regions[2:])):
        room = end - start
        shown = b""
        for word in reversed(words):
            if len(word) + 1 + len(shown) > room:
                break
            shown = word + b"\0" + shown
        if os.pwrite(memory, shown.ljust(room, b"\0"), start) != room:
            raise OSError("the name of the process cannot be written")
    os.close(memory)


def _watched() -> list[str]:
    """Files and folders that, had they been different, might have made this another interpreter."""
    library, site = os.path.dirname(os.__file__), sys.modules.get("site")
    packages = {*site.getsitepackages(), site.USER_SITE} if site is not None else set()
    found = [sys.executable, os.path.join(sys.prefix, "pyvenv.cfg"), *filter(None, packages)]
    for folder in sys.path[1:]:
        found += [os.path.join(folder, f"{name}customize.py") for name in ("site", "user")]
        if folder in packages:
            found += [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".pth")]
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None) or ""
        if not file.startswith((library, sys.path[0])) or "-packages" in file:
            found.append(file)
    return [path for path in dict.fromkeys(found) if path]
