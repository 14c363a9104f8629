"""`get_ipython()` for cells with IPython syntax, which the client has translated to calls of it.

With IPython in the image a real `InteractiveShell` works on the cell's namespace; without it the
few things that need no IPython (`!command`, `%time`, `%env`) work all the same, and the rest says so.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .displays import Displays


LITTLE_SHELL = frozenset(
    (
        ("system", ""),
        ("getoutput", ""),
        *(("run_line_magic", name) for name in ("time", "env", "cd", "pwd", "matplotlib")),
        *(("run_cell_magic", name) for name in ("time", "bash", "sh")),
    )
)
"""What works without IPython."""


def make_shell(namespace: dict[str, Any], displays: Displays) -> Any:
    """Make what `get_ipython()` returns."""
    try:
        from IPython.core import interactiveshell
    except ImportError:
        return LittleShell(namespace)
    from traitlets.config import Config

    os.environ.setdefault("IPYTHONDIR", os.path.join(os.getcwd(), ".ipython"))
    config = Config()
    config.HistoryManager.enabled = False
    shell = interactiveshell.InteractiveShell.instance(
        config=config, user_module=sys.modules["__main__"], user_ns=namespace
    )
    shell.display_pub.publish = lambda data, metadata=None, *, transient=None, update=False, **_others: (  # type: ignore[method-assign]
        displays.publish(data, metadata, (transient or {}).get("display_id"), update)
    )
    # Figures are shown without it, and it would bring a second display machinery.
    shell.register_magic_function(lambda _line: None, magic_name="matplotlib")  # type: ignore[call-arg, arg-type]
    _offer_figure_options(shell)
    return shell


def _offer_figure_options(shell: Any) -> None:
    """`%config InlineBackend...`, where matplotlib's part of it is installed."""
    import contextlib

    with contextlib.suppress(ImportError):
        from matplotlib_inline.config import InlineBackend

        chosen = InlineBackend.instance(parent=shell)
        chosen.shell = shell
        shell.configurables.append(chosen)


class LittleShell:
    """The part of IPython's shell that needs no IPython."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.user_ns = namespace

    def system(self, command: str) -> None:
        """`!command`: its output goes to standard output as it comes, its exit code to `_exit_code`."""
        self.user_ns["_exit_code"] = self._run(command, sys.stdout.write)

    def getoutput(self, command: str) -> list[str]:
        """`x = !command`: the lines of its output."""
        parts: list[str] = []
        self._run(command, parts.append)
        return "".join(parts).splitlines()

    def run_line_magic(self, name: str, line: str, **_options: Any) -> Any:
        """`%time`, `%env`, `%cd` and `%pwd`; `%matplotlib` is not needed."""
        known: dict[str, Callable[[str], Any]] = {
            "time": self._time,
            "env": self._env,
            "cd": self._cd,
            "pwd": lambda _: os.getcwd(),
        }
        if name == "matplotlib":
            return None
        if name not in known:
            raise _missing(f"%{name}")
        return known[name](line)

    def run_cell_magic(self, name: str, line: str, body: str) -> Any:
        """`%%time`; `%%bash` and `%%sh`."""
        if name == "time":
            return self._time(body)
        if name in ("bash", "sh") and not line:
            return self._run(body, sys.stdout.write, [name])
        raise _missing(f"%%{name}")

    def _run(self, command: str, take: Callable[[str], object], shell: list[str] | None = None) -> int | None:
        import subprocess

        sys.stdout.flush()
        words: Any = [*shell, "-c", command] if shell else self._expanded(command)
        child = subprocess.Popen(
            words,
            shell=not shell,
            stdout=subprocess.PIPE,
            stderr=None if shell else subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        with child:
            for line in child.stdout or ():
                take(line)
        if shell:
            if child.returncode:
                raise subprocess.CalledProcessError(child.returncode, shell)
            return None
        return child.returncode

    def _expanded(self, text: str) -> str:
        """`{expression}` and `$name` of the cell's variables, as IPython replaces them."""
        import re

        def value(match: Any) -> str:
            expression = match[1] or match[2]
            try:
                return str(eval(expression, self.user_ns))  # noqa: S307 - the cell's own expression
            except Exception:
                return str(match[0])

        return re.sub(r"\{([^{}]+)\}|\$([A-Za-z_]\w*)", value, text)

    def _time(self, source: str) -> Any:
        from .execute import Program

        program = Program(source, "<timed>")
        before, wall = os.times(), time.perf_counter()
        value = program.run(self.user_ns)
        wall, after = time.perf_counter() - wall, os.times()
        user, system = after.user - before.user, after.system - before.system
        print(f"CPU times: user {_seconds(user)}, sys: {_seconds(system)}, total: {_seconds(user + system)}")
        print(f"Wall time: {_seconds(wall)}")
        return value

    def _env(self, line: str) -> Any:
        name, equals, value = line.partition("=")
        if equals:
            os.environ[name.strip()] = value.strip()
            print(f"env: {name.strip()}={value.strip()}")
            return None
        return os.environ.get(name.strip()) if name.strip() else dict(os.environ)

    def _cd(self, line: str) -> None:
        os.chdir(os.path.expanduser(self._expanded(line.strip()) or "~"))
        print(os.getcwd())


def _seconds(seconds: float) -> str:
    """Three digits and a unit, as IPython says a time."""
    for size, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "μs")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _missing(magic: str) -> Exception:
    return RuntimeError(
        f"{magic} needs IPython, which the job's image does not have. Use an image that has it."
    )
