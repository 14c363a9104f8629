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
    from typing import Any

    from .displays import Displays


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
    return shell


class LittleShell:
    """The part of IPython's shell that needs no IPython."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.user_ns = namespace

    def system(self, command: str) -> None:
        """`!command`: its output goes to standard output, its exit code to `_exit_code`."""
        code, text = self._run(command)
        sys.stdout.write(text)
        self.user_ns["_exit_code"] = code

    def getoutput(self, command: str) -> list[str]:
        """`x = !command`: the lines of its output."""
        return self._run(command)[1].splitlines()

    def run_line_magic(self, name: str, line: str, **_options: Any) -> Any:
        """`%time` and `%env`; `%matplotlib` is not needed."""
        if name == "time":
            return self._time(line)
        if name == "env":
            return self._env(line)
        if name == "matplotlib":
            return None
        raise _missing(f"%{name}")

    def run_cell_magic(self, name: str, line: str, body: str) -> Any:
        """`%%time`; `%%bash` and `%%sh`."""
        if name == "time":
            return self._time(body)
        if name in ("bash", "sh") and not line:
            return self.system(body)
        raise _missing(f"%%{name}")

    def _run(self, command: str) -> tuple[int, str]:
        import subprocess

        sys.stdout.flush()
        done = subprocess.run(  # noqa: S602 - a shell command is what the user typed
            self._expanded(command), shell=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        return done.returncode, done.stdout.decode("utf-8", "replace")

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
        cpu, wall = time.process_time(), time.perf_counter()
        value = program.run(self.user_ns)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        print(f"CPU times: {cpu:.3g} s\nWall time: {wall:.3g} s")
        return value

    def _env(self, line: str) -> Any:
        name, equals, value = line.partition("=")
        if equals:
            os.environ[name.strip()] = value.strip()
            return None
        return os.environ.get(name.strip()) if name.strip() else dict(os.environ)


def _missing(magic: str) -> Exception:
    return RuntimeError(
        f"{magic} needs IPython, which the job's image does not have. Use an image that has it."
    )
