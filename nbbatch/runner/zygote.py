"""Kernels of Python forked from one process that has ipykernel loaded, instead of started one by one.

The process is started beside the import of nbclient, as a kernel would be: its own interpreter, none of the
runner's modules, none of a user's code. For each kernel it forks twice, so that the kernel becomes the child of the
runner (Linux's child subreaper), which signals it and hears of its end as of any other. Where that cannot be,
kernels start as they always do.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from typing import Any

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of <sys/prctl.h>
_LARGEST = 1 << 20
_PROGRAM = "import sys; sys.path.append({archive!r}); from {package} import zygote; zygote.serve({number})"
_LAUNCHER = "ipykernel_launcher"
_DEBUGGER = "debugpy"
_OF_EVERY_KERNEL = ("ipykernel.ipkernel", "ipykernel.kernelapp", "IPython.core.completer")
_OF_MOST_KERNELS = (
    "ipykernel.debugger",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "sqlite3",
    "tornado.platform.asyncio",
    "tornado.queues",
)
_MOMENT = 0.01


class Zygote:
    """The process that forks kernels.

    Parameters
    ----------
    archive : str
        The runner's own, where it finds this module.
    environment : mapping
        Of all its kernels.
    """

    def __init__(self, archive: str, environment: dict[str, str]) -> None:
        self._line, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        package = __name__.rpartition(".")[0]
        with there:
            program = _PROGRAM.format(archive=archive, package=package, number=there.fileno())
            self._process = subprocess.Popen(
                [sys.executable, "-Xfrozen_modules=off", "-c", program],
                pass_fds=[there.fileno()],
                env={**environment, "JPY_PARENT_PID": str(os.getpid())},
                start_new_session=True,
            )

    def launch(self, command: list[str], environment: dict[str, str], folder: str) -> ForkedKernel | None:
        """Fork a kernel; None where this one must be started another way."""
        if _LAUNCHER not in command or command[0] != sys.executable:
            return None
        arguments = command[command.index(_LAUNCHER) + 1 :]
        order = {"arguments": arguments, "environment": environment, "folder": folder}
        try:
            self._line.send(json.dumps(order).encode())
            answer = self._line.recv(_LARGEST)
        except OSError:
            return None
        return ForkedKernel(int(answer)) if answer else None

    def close(self) -> None:
        """End it; kernels that run go on."""
        self._line.close()
        self._process.wait()


class ForkedKernel:
    """A kernel's process, as jupyter_client wants to see it: like a Popen."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Exit code, or minus the signal; None while it runs."""
        if self.returncode is None:
            try:
                found, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                found, status = self.pid, 0
            if found:
                self.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("kernel", timeout or 0)
            time.sleep(_MOMENT)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)


def start(archive: str, environment: dict[str, str]) -> Zygote | None:
    """Start the process, where this system has what it needs."""
    if not sys.platform.startswith("linux"):
        return None
    with contextlib.suppress(OSError, AttributeError, ImportError):
        import ctypes

        if ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0) == 0:
            return Zygote(archive, environment)
    return None


def offer(zygote: Zygote, module: Any) -> None:
    """Let jupyter_client's module that launches kernels ask the zygote first."""
    usual = getattr(module, "launch_kernel", None)
    if usual is None:
        return

    def launch_kernel(cmd: list[str], *, env: dict[str, str] | None = None, **more: Any) -> Any:
        folder = str(more.get("cwd") or os.getcwd())
        forked = zygote.launch(cmd, env or dict(os.environ), folder)
        return forked or usual(cmd, env=env, **more)

    module.launch_kernel = launch_kernel


def serve(number: int) -> None:
    """In the process: load what a kernel loads, then fork for each order until the line closes."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, number)
    runner = int(os.environ["JPY_PARENT_PID"])
    try:
        _load()
    except ImportError:  # then the kernel that is started instead says so
        return
    while order := line.recv(_LARGEST):
        inner, outer = os.pipe()
        between = os.fork()
        if not between:
            if os.fork():
                os._exit(0)
            _become_kernel(json.loads(order), line, inner, outer, runner)
        os.close(outer)
        os.waitpid(between, 0)
        line.send(os.read(inner, 20))
        os.close(inner)


def _load() -> None:
    """What every kernel imports while it starts, but for the debugger, to which nobody can talk here.

    It would be more than half of a kernel's start. A notebook that imports `debugpy` itself finds it.
    """
    import importlib

    hidden = {} if _DEBUGGER in sys.modules else {_DEBUGGER: None}
    sys.modules.update(hidden)  # type: ignore[arg-type]
    try:
        for name in _OF_EVERY_KERNEL:
            importlib.import_module(name)
        for name in _OF_MOST_KERNELS:
            with contextlib.suppress(ImportError):  # another version's
                importlib.import_module(name)
    finally:
        for name in hidden:
            del sys.modules[name]


def _become_kernel(order: dict[str, Any], line: socket.socket, inner: int, outer: int, runner: int) -> None:
    os.setsid()
    line.close()
    os.close(inner)
    while os.getppid() != runner:  # until the process between has gone
        time.sleep(_MOMENT / 10)
    os.environ.clear()
    os.environ.update(order["environment"], JPY_PARENT_PID=str(runner))
    os.chdir(order["folder"])
    os.write(outer, b"%d" % os.getpid())
    os.close(outer)
    sys.path[:] = [place for place in sys.path if not place.endswith("runner.pyz")]
    sys.argv[:] = [f"{_LAUNCHER}.py", *order["arguments"]]
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()
    sys.exit()
