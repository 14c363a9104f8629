"""The kernel of a notebook: found in the job's Python, driven by nbclient, as papermill does it.

A kernel is a process of its own. Of nbclient only what papermill has used for years is used here,
so any version that an image may have will do.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from . import failures, notes
from .payload import EnvironmentMismatchError

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NATIVE = "python3"
"""The kernel of the Python that looks for kernels, wherever ipykernel is installed."""
CURE = 'Use an image that has papermill and ipykernel, or have one made: nbbatch.image(["papermill", "ipykernel"]).'
_SLOW = "rfc3987_syntax"
"""jsonschema checks IRIs by it where it is there; it compiles grammars for two seconds, and no notebook has any."""
_NOTE = "@nbbatch "
_GRACE = 10
"""Seconds in which a kernel may end the cell it is asked to interrupt."""
_OFFER = """\
import sys; sys.path.append({archive!r})
import nbbatch; from {package} import inside as _inside, notes as _notes, recording as _recording
_notes.place["item"] = {item!r}; _inside.lend_to(nbbatch); nbbatch.record = _recording.record
del sys, nbbatch, _inside, _notes, _recording
"""
"""Gives a kernel of Python what jobs use of nbbatch; the archive has a little `nbbatch` for images without one."""
_LEAVE = "__import__('sys').modules['{package}.inside'].leave()"


class DeadKernelError(failures.ExitCodeError):
    """The kernel's process ended under a cell; named as in nbclient."""


class CellTimeoutError(Exception):
    """A cell ran longer than it may; named as in nbclient."""


class CellError(Exception):
    """A cell raised; its output says what."""


def load_nbclient() -> Any:
    """nbclient, with the formats and kernels it brings along.

    Raises
    ------
    EnvironmentMismatchError
        The job's Python does not have it.
    """
    was_there = _SLOW in sys.modules
    try:
        sys.modules.setdefault(_SLOW, None)  # type: ignore[arg-type]
        import nbclient
        import nbclient.exceptions
        import nbformat  # noqa: F401 - for those who follow
    except ImportError as error:
        raise EnvironmentMismatchError(
            f"The job's Python ({sys.executable}) has no {error.name or 'nbclient'}, which executes notebooks. {CURE}"
        ) from None
    finally:
        if not was_there:
            del sys.modules[_SLOW]
    return nbclient


def warm(settings: dict[str, Any], archive: str) -> None:
    """Begin to load a kernel of Python, while nbclient is loaded here."""
    from . import zygote

    if settings["language"] != "python":
        return
    started = zygote.start(archive, _environment(is_python=True))
    if started is None:
        return
    with contextlib.suppress(ImportError, EnvironmentMismatchError):  # whoever needs it says so
        load_nbclient()
        from jupyter_client.provisioning import local_provisioner

        zygote.offer(started, local_provisioner)


def find_kernel(wanted: str, *, is_python: bool) -> str:
    """Name of the kernel to start: the one wanted, or for Python that of this interpreter.

    Raises
    ------
    EnvironmentMismatchError
        There is neither.
    """
    from jupyter_client.kernelspec import KernelSpecManager

    there = sorted(KernelSpecManager().find_kernel_specs())
    if wanted in there:
        return wanted
    if is_python and NATIVE in there:
        return NATIVE
    raise EnvironmentMismatchError(
        f"There is no kernel {wanted!r} in the job; it has: {', '.join(there) or 'none at all'}. {CURE}"
    )


class Kernel:
    """A kernel that executes the cells of one notebook.

    Parameters
    ----------
    notebook : NotebookNode
        Its cells get the outputs.
    settings : mapping
        `kernel`, `language`, `cell_timeout`, `start_timeout` of the manifest.
    on_output : callable
        Called after every message of the kernel with True, and every second with False.
    """

    def __init__(self, notebook: Any, settings: dict[str, Any], on_output: Callable[[bool], None]) -> None:
        self._nbclient = load_nbclient()
        self._is_python = settings["language"] == "python"
        self._settings = settings
        self._is_in_cell = False
        self._was_stopped = False
        self._answers = False
        self._client = self._new_client(notebook, on_output)

    def __enter__(self) -> Kernel:  # noqa: PYI034 - Python 3.9 has no Self
        self._before = signal.signal(signal.SIGTERM, self._stop)
        self._open = contextlib.ExitStack()
        try:
            self._open.enter_context(self._client.setup_kernel(env=_environment(is_python=self._is_python)))
        except (RuntimeError, OSError) as error:
            signal.signal(signal.SIGTERM, self._before)
            raise EnvironmentMismatchError(f"The kernel does not start: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._is_in_cell = False
        try:
            self._open.close()
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGTERM, self._before)

    def prepare(self, archive: str, item: int | None) -> None:
        """Let the kernel find `nbbatch` whatever the image has, and know for which item of the array it tells."""
        if self._is_python:
            package = __name__.rpartition(".")[0]
            code = _OFFER.format(archive=archive, package=package, item=item)
            self._client.kc.execute(code, silent=True, store_history=False)

    def execute(self, cell: Any, index: int) -> None:
        """Run a cell.

        Raises
        ------
        CellError, CellTimeoutError, DeadKernelError
            What became of it; a job that is stopped interrupts the cell first.
        """
        known = self._nbclient.exceptions
        self._is_in_cell, self._answers = True, False
        try:
            self._client.execute_cell(cell, index)
            self._answers = True
        except known.CellExecutionError as error:
            self._answers = True
            raise CellError(str(error)) from None
        except known.CellTimeoutError:
            raise CellTimeoutError(f"A cell ran longer than {self._settings['cell_timeout']} s.") from None
        except known.DeadKernelError:
            raise self._death() from None
        finally:
            self._is_in_cell = False
            if self._was_stopped:
                raise failures.StopSignal("the job was stopped (SIGTERM)")

    def leave(self) -> dict[str, Any]:
        """The last value of each metric that was logged; notes that were held back are told now.

        A kernel that did not end its cell is not asked, and it gets no time to tell by itself.
        """
        if not (self._answers and self._is_python) or self._was_stopped:
            return {}
        import ast
        import json

        package = __name__.rpartition(".")[0]
        wish = {"left": _LEAVE.format(package=package)}
        asked = self._client.kc.execute("", silent=True, user_expressions=wish)
        reply = self._client.wait_for_reply(asked) or {"content": {}}
        left = reply["content"].get("user_expressions", {}).get("left", {})
        if left.get("status") != "ok":  # the notebook has taken the module away
            return {}
        told = json.loads(ast.literal_eval(left["data"]["text/plain"]))
        for kind, body in told["held"]:
            notes.note(kind, **body)
        return dict(told["metrics"])

    def finish(self) -> dict[str, Any]:
        """Keep the widgets' state in the notebook; gives what the kernel says of its language."""
        self._client.set_widgets_metadata()
        reply = self._client.wait_for_reply(self._client.kc.kernel_info()) or {"content": {}}
        return dict(reply["content"].get("language_info") or {})

    def _new_client(self, notebook: Any, on_output: Callable[[bool], None]) -> Any:
        class Client(self._nbclient.NotebookClient):  # type: ignore[misc,name-defined]
            def process_message(self, msg: Any, *args: Any, **kwargs: Any) -> Any:
                if msg["msg_type"] == "stream":
                    msg["content"]["text"] = _without_notes(msg["content"]["text"])
                    if not msg["content"]["text"]:
                        return None
                output = super().process_message(msg, *args, **kwargs)
                _log(output)
                on_output(True)
                return output

            async def _async_check_alive(self) -> None:
                on_output(False)
                await super()._async_check_alive()

        settings = self._settings
        name = find_kernel(settings["kernel"], is_python=self._is_python)
        given = {"timeout": settings["cell_timeout"], "startup_timeout": settings["start_timeout"]}
        # what a cell showed last may come long after its reply where a machine is busy: nbclient drops it after 4 s
        more = {"coalesce_streams": True, "shutdown_kernel": "immediate", "iopub_timeout": 60}
        known = {key: value for key, value in more.items() if hasattr(self._nbclient.NotebookClient, key)}
        client = Client(notebook, kernel_name=name, **given, **known)
        client.km = client.create_kernel_manager()
        if self._is_python:
            _use_sockets(client.km)
        return client

    def _stop(self, *_: object) -> None:
        """SIGTERM: the cell gets a chance to end by itself, as by the stop button; then the kernel goes."""
        if not self._is_in_cell:
            raise failures.StopSignal("the job was stopped (SIGTERM)")
        self._was_stopped = True
        signal.signal(signal.SIGALRM, lambda *_: self._signal(signal.SIGKILL))
        signal.alarm(_GRACE)
        self._signal(signal.SIGINT)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(AttributeError, ProcessLookupError):
            os.kill(self._process().pid, number)

    def _process(self) -> Any:
        manager = self._client.km
        provisioner = getattr(manager, "provisioner", None)
        return manager.kernel if provisioner is None else provisioner.process

    def _death(self) -> DeadKernelError:
        """The kernel's end in words; its signal becomes the job's exit code."""
        try:
            code = self._process().poll()
        except AttributeError:
            code = None
        if code is None or code >= 0:
            return DeadKernelError(code or 1, f"The kernel ended under the cell (exit code {code}).")
        why = ", perhaps for using more memory than the job has" if code == -signal.SIGKILL else ""
        return DeadKernelError(128 - code, f"The kernel was killed by signal {-code}{why}.")


def _use_sockets(manager: Any) -> None:
    """Talk to the kernel by files: ports of this machine may be taken by a neighbour's kernel meanwhile.

    Their path is short, because that of a socket may have no more than a hundred letters.
    """
    import tempfile

    manager.transport = "ipc"
    manager.ip = os.path.join(tempfile.mkdtemp(prefix="nbbatch-"), "k")


def _environment(*, is_python: bool) -> dict[str, str]:
    """The kernel's variables; a kernel of Python finds the modules that this process finds."""
    environment = dict(os.environ)
    if is_python:
        mine = [folder for folder in sys.path if folder in _ADDED]
        before = environment.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [*mine, before]))
    return environment


_ADDED: list[str] = []


def remember_paths(before: list[str]) -> None:
    """Note which folders of `sys.path` came from the bundle and not from this interpreter."""
    _ADDED[:] = [folder for folder in sys.path if folder not in before]


def _without_notes(text: str) -> str:
    """Text of a stream; what `nbbatch.progress` and the like told in it goes to the job's log."""
    if _NOTE not in text:
        return text
    lines = text.splitlines(keepends=True)
    told = [line for line in lines if line.startswith(_NOTE)]
    sys.__stdout__.write("".join(told))  # type: ignore[union-attr]
    return "".join(line for line in lines if not line.startswith(_NOTE))


def _log(output: Any) -> None:
    """Streams of the notebook are the job's log, too."""
    if output is not None and output.get("output_type") == "stream":
        stream = sys.__stderr__ if output["name"] == "stderr" else sys.__stdout__
        stream.write("".join(output["text"]))  # type: ignore[union-attr]
