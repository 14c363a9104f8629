"""Run a cell, or calls of a function, and keep what comes of them.

`__main__` becomes the notebook's: a module whose variables are the inputs, in which the cell runs
and in which the notebook's functions look up their globals.
"""

from __future__ import annotations

import builtins
import sys
import time
from types import ModuleType

from . import execute, failures, notes, report
from .payload import EnvironmentMismatchError, UnpicklableError
from .pickling import Rules

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from typing import Any

    from .displays import Displays
    from .payload import Payload
    from .report import Report


class Run:
    """A Python payload on its way.

    Parameters
    ----------
    payload : Payload
        What to run.
    taken : Report
        Keeps values.
    displays : Displays
        Shows them.
    done : dict
        Entries of items that an earlier attempt has done, by position.
    """

    def __init__(
        self, payload: Payload, taken: Report, displays: Displays, done: dict[int, dict[str, Any]]
    ) -> None:
        self._payload = payload
        self._report = taken
        self._displays = displays
        self._manifest = payload.manifest
        self._done = done
        self._main: Main | None = None
        self._is_over = False
        self._started = 0.0
        self._budget = self._until = 0.0
        self.error: BaseException | None = None

    def items(self, positions: range | None, budget: float = 0.0) -> list[dict[str, Any]]:
        """Run the payload for each position of the array, or once; gives one entry for each.

        With a budget in seconds no item is begun after that.

        An item that fails does not keep the next ones from running, unless it ends the process.
        """
        entries: list[dict[str, Any]] = []
        self._budget = budget
        for position in (None,) if positions is None else positions:
            entries.append(self._done[position] if position in self._done else self._entry(position))
            self._report.take_files(position, entries[-1])
            if positions is not None and len(positions) > 1:
                self._report.keep_item(positions[len(entries) - 1], entries[-1])
            if self._is_over or (budget and time.monotonic() > self._until):
                break
        return entries

    def _entry(self, position: int | None) -> dict[str, Any]:
        run = self._cell if self._manifest["kind"] == "cell" else self._call
        self._started = time.monotonic()
        try:
            if self._main is None or self._manifest["kind"] == "cell":
                self._main = None  # if it cannot be made there is none
                self._main = self._enter_main()
            self._enter(self._main, position)
            return _finished(run(self._main, position), position, self._started)
        except BaseException as error:
            self._is_over = not isinstance(error, Exception)
            if failures.exit_code_of(error) == 0:
                return _finished({}, position, self._started)
            self.error = error
            return _finished(self._failed(error, self._main), position, self._started)

    def _enter(self, main: Main, position: int | None) -> None:
        """Say what `nbbatch_runner.inside` has to know while an item runs."""
        main.rules.offer_cloudpickle = self._payload.offer_cloudpickle
        notes.place.update(report=self._report, item=position, rules=main.rules)

    def _enter_main(self) -> Main:
        main = Main()
        if self._manifest.get("upstream"):
            from . import upstream

            upstream.settle(self._payload, main)
        for name, module in self._manifest["modules"].items():
            main.add(name, _import(name, module))
        for module in self._manifest["submodules"]:
            _import(module, module)
        for name, entry in self._manifest["inputs"].items():
            main.add(name, self._payload.load(entry, name))
        return main

    def _cell(self, main: Main, position: int | None) -> dict[str, Any]:
        if position is not None:
            main.add(self._manifest["item_name"], self._payload.item(position))
        interactivity = self._displays.settings.get("interactivity", "last_expr")
        program = execute.Program(self._manifest["source"], self._manifest["label"], interactivity)
        if self._manifest.get("is_ipython"):
            self._offer_shell(main)
        shows_all = interactivity == "all" and not program.is_quiet
        self._started = time.monotonic()  # how long an item takes is not how long it takes to get ready
        value = program.run(main.namespace, self._displays.result if shows_all else None)
        if not program.is_quiet:
            self._displays.result(value)
        self._displays.show_figures()
        self._displays.keep_widgets()
        return self._taken_back(main, value)

    def _offer_shell(self, main: Main) -> None:
        from . import shell

        made = shell.make_shell(main.namespace, self._displays)
        builtins.get_ipython = lambda: made  # type: ignore[attr-defined]

    def _taken_back(self, main: Main, value: Any) -> dict[str, Any]:
        wanted = self._manifest["outputs"]
        variables: dict[str, Any] = {}
        left: dict[str, str] = {}
        for name in self._manifest["candidates"] if wanted is None else wanted:
            self._take(name, main, variables, left)
        if wanted is not None and left:
            raise UnpicklableError("; ".join(f"{name} cannot come back: {why}" for name, why in left.items()))
        entry = {"variables": variables, "left_behind": left}
        return {**entry, **self._last_value(main, value, entry)}

    def _take(self, name: str, main: Main, variables: dict[str, Any], left: dict[str, str]) -> None:
        if name not in main.namespace:
            left[name] = "the cell did not assign it"
            return
        value = main.namespace[name]
        if isinstance(value, ModuleType):
            variables[name] = {"module": value.__name__}
            return
        try:
            variables[name] = self._keep(value, main.rules)
        except OSError:
            raise
        except Exception as error:
            left[name] = _why(value, error)

    def _last_value(self, main: Main, value: Any, entry: dict[str, Any]) -> dict[str, Any]:
        """The last expression's value: by name if it is a variable that comes back anyway."""
        if value is None:
            return {}
        for name in entry["variables"]:
            if main.namespace[name] is value:
                return {"value": {"same_as": name}}
        try:
            limit = None if self._manifest.get("items") else report.VALUE_LIMIT
            return {"value": self._keep(value, main.rules, limit)}
        except report.TooLargeError:
            why = f"its pickle is larger than {report.VALUE_LIMIT >> 20} MB; assign it to a name"
        except OSError:
            raise
        except Exception as error:
            why = _why(value, error)
        return {"left_behind": {**entry["left_behind"], report.LAST_VALUE: why}}

    def _call(self, main: Main, position: int | None) -> dict[str, Any]:
        load = self._payload.load
        if main.function is None:
            main.function = load(self._manifest["function"], "the function")
            main.args = [
                load(entry, f"argument {n}") for n, entry in enumerate(self._manifest["args"], start=1)
            ]
            main.kwargs = {
                name: load(entry, f"argument {name}") for name, entry in self._manifest["kwargs"].items()
            }
        args, kwargs = ((), {}) if position is None else self._payload.item(position)
        self._started = time.monotonic()
        if self._budget and not self._until:  # who waits for the first item waits from here on
            self._report.lock()
            self._until = self._started + self._budget
        value = main.function(*args, *main.args, **{**main.kwargs, **kwargs})
        self._displays.show_figures()
        try:
            return {"value": self._keep(value, main.rules)}
        except OSError:
            raise
        except Exception as error:
            raise UnpicklableError(f"The function's value cannot come back: {_why(value, error)}") from None

    def _keep(self, value: Any, rules: Rules, limit: int | None = None) -> dict[str, Any]:
        rules.offer_cloudpickle = self._payload.offer_cloudpickle
        return self._report.keep(value, rules, limit)

    def _failed(self, error: BaseException, main: Main | None) -> dict[str, Any]:
        self._displays.show_figures()
        self._displays.keep_widgets()
        entry = failures.describe(error, self._manifest)
        failures.print_failure(entry)
        try:
            entry["exception"] = self._keep(
                error.with_traceback(None), main.rules if main else Rules({}, {}), report.VALUE_LIMIT
            )
        except Exception:
            entry["exception"] = None  # its text and traceback travel in any case
        return {"error": entry}


class Main:
    """The job's `__main__`, and what the notebook knows of it."""

    def __init__(self) -> None:
        module = ModuleType("__main__")
        sys.modules["__main__"] = module
        self.namespace = vars(module)
        self.namespace["__builtins__"] = __builtins__
        self.rules = Rules(self.namespace, known={})
        self.function: Any = None
        self.args: list[Any] = []
        self.kwargs: dict[str, Any] = {}

    def add(self, name: str, value: Any) -> None:
        """Set a variable that the notebook has, too."""
        self.namespace[name] = value
        self.rules.known[name] = value


def _finished(entry: dict[str, Any], position: int | None, started: float) -> dict[str, Any]:
    """The entry with what else is known of an item that ended: how long it took, its last metrics."""
    if position is not None:
        entry["seconds"] = round(time.monotonic() - started, 6)
    inside = sys.modules.get(f"{__package__}.inside")
    return entry if inside is None else {**entry, **inside.end_item(is_done="error" not in entry)}


def _import(name: str, module: str) -> ModuleType:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise EnvironmentMismatchError(
            f"The cell uses {name}, the module {module}, which the job's image cannot import ({error})."
            " Use an image that has it."
        ) from error


def _why(value: Any, error: BaseException) -> str:
    return f"{type(value).__name__} does not pickle: {type(error).__name__}: {error}"
