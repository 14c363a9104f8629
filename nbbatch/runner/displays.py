"""`display` and its friends in the job, and the libraries that must find them there.

IPython's own `display` prints where no shell runs, and matplotlib's `show` does nothing without a
screen. Both modules are mended in the moment the job imports them, and never imported for it.
"""

from __future__ import annotations

import builtins
import os
import sys

from . import failures, formats, pickling

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from .outputs import Recorder


class Displays:
    """Shows objects in the record.

    Parameters
    ----------
    recorder : Recorder
        Where they appear.
    chosen : mapping
        The notebook's settings.
    """

    def __init__(self, recorder: Recorder, chosen: Mapping[str, Any]) -> None:
        self.settings = chosen
        self._recorder = recorder
        self._formatter = formats.Formatter(chosen, self._show_error)
        self._count = 0

    def display(
        self,
        *objects: Any,
        include: Any = None,
        exclude: Any = None,
        metadata: Any = None,
        display_id: Any = None,
        raw: bool = False,
        clear: bool = False,
        update: bool = False,
        **_others: Any,
    ) -> Any:
        """Show objects, as `IPython.display.display` does."""
        if clear:
            self._recorder.clear(wait=True)
        if display_id is True:
            self._count += 1
            display_id = f"nbbatch-{os.getpid()}-{self._count}"
        for thing in objects:
            if raw:
                self.publish(thing, metadata, display_id, update)
            else:
                self._show(thing, include, exclude, metadata, display_id, update)
        return self._handle(str(display_id)) if display_id and not update else None

    def _handle(self, display_id: str) -> Any:
        module = sys.modules.get("IPython.core.display_functions")
        return DisplayHandle(self, display_id) if module is None else module.DisplayHandle(display_id)

    def _show(self, thing: Any, include: Any, exclude: Any, metadata: Any, name: Any, update: Any) -> None:
        if self._shows_itself(thing):
            return
        data, found = self._formatter.bundle(thing, include, exclude)
        if data:
            self.publish(data, {**found, **(metadata or {})}, name, update)

    def _shows_itself(self, thing: Any) -> bool:
        if formats.is_plotly_figure(thing):
            self.publish(self._formatter.plotly_bundle(thing))
            return True
        own = formats.method_of(thing, "_ipython_display_")
        if own is None:
            return False
        try:
            own()
        except NotImplementedError:
            return False
        except Exception as error:
            self._show_error(error)
        return True

    def _show_error(self, error: Exception) -> None:
        """What a display method raised is shown, and the cell goes on, as in the notebook."""
        self._recorder.error(failures.describe(error, {}))

    def publish(self, data: Any, metadata: Any = None, display_id: Any = None, update: Any = False) -> None:  # noqa: FBT002
        """Show a MIME bundle."""
        if update:
            self._recorder.update(dict(data), dict(metadata or {}), str(display_id))
        else:
            self._recorder.display(dict(data), dict(metadata or {}), str(display_id) if display_id else None)

    def update_display(self, thing: Any, *, display_id: Any, **options: Any) -> None:
        """Show it in the place of an earlier display, as IPython's does."""
        self.display(thing, display_id=display_id, update=True, **options)

    def clear_output(self, wait: bool = False) -> None:  # noqa: FBT001, FBT002 - IPython's own signature
        """Forget what was shown, as IPython's does."""
        self._recorder.clear(wait)

    def result(self, value: Any) -> None:
        """Show the cell's last value; None is not shown."""
        if value is None:
            return
        if self._shows_itself(value):
            return
        data, metadata = self._formatter.bundle(value)
        if data:
            self._recorder.result(data, metadata)

    def show_figures(self) -> None:
        """Show matplotlib's open figures and close them: `plt.show()`, and the end of each cell."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        for number in pyplot.get_fignums():
            self.display(pyplot.figure(number))
        pyplot.close("all")

    def keep_widgets(self) -> None:
        """Let the widgets that were shown travel as they are at the end of the cell."""
        widgets = sys.modules.get("ipywidgets.widgets.widget")
        if widgets is not None:
            self._recorder.add_widgets(widgets.Widget.get_manager_state)


class DisplayHandle:
    """What `display(..., display_id=...)` returns; in the notebook it is IPython's own again."""

    def __init__(self, displays: Displays, display_id: str) -> None:
        self.display_id = display_id
        self._displays = displays

    def display(self, thing: Any, **options: Any) -> None:
        """Show another object under the same id."""
        self._displays.display(thing, display_id=self.display_id, **options)

    def update(self, thing: Any, **options: Any) -> None:
        """Replace what is shown under this id."""
        self._displays.update_display(thing, display_id=self.display_id, **options)

    def __reduce__(self) -> Any:
        return (_IPythonsHandle(), (self.display_id,))


class _IPythonsHandle:
    """Unpickles as IPython's class of handles, which the job need not have."""

    def __reduce__(self) -> Any:
        return (getattr, (pickling.Module("IPython.display"), "DisplayHandle"))

    def __call__(self, display_id: str) -> None:
        """Only for pickle, which wants to see that it could be called."""


def install(displays: Displays, sources: Mapping[str, str]) -> None:
    """Make the job's libraries show their things here, and find the notebook's sources."""
    builtins.display = displays.display  # type: ignore[attr-defined]
    builtins.input = failures.refuse_to_ask
    if os.environ.get("MPLBACKEND", "inline").startswith(("inline", "module://matplotlib_inline")):
        os.environ["MPLBACKEND"] = "agg"
    os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype")
    hooks: dict[str, Callable[[Any], None]] = {
        "linecache": lambda module: failures.fill_linecache(module, sources),
        "matplotlib.pyplot": lambda module: _mend_pyplot(module, displays),
        "IPython.core.display_functions": lambda module: _mend_ipython(module, displays),
        "getpass": lambda module: setattr(module, "getpass", failures.refuse_to_ask),
        **_as_in_the_notebook(displays.settings),
        "nbbatch": _lend_inside,
    }
    for name in hooks.keys() & sys.modules.keys():
        hooks.pop(name)(sys.modules[name])
    sys.meta_path.insert(0, _AfterImport(hooks))


def _lend_inside(module: Any) -> None:
    from . import inside

    inside.lend_to(module)


def _as_in_the_notebook(chosen: Mapping[str, Any]) -> dict[str, Callable[[Any], None]]:
    """Set the notebook's settings; gives what is left to do when a library is imported."""
    if not chosen:
        return {}
    from . import settings

    settings.filter_warnings(chosen.get("warnings", []))
    return settings.hooks(chosen)


def _mend_pyplot(module: Any, displays: Displays) -> None:
    def show(*_args: Any, **_options: Any) -> None:  # a function, which pyplot gives a signature later
        displays.show_figures()

    module.show = show


def _mend_ipython(module: Any, displays: Displays) -> None:
    for name in ("display", "update_display", "clear_output"):
        setattr(module, name, _as_function_of(module.__name__, name, getattr(displays, name)))
    module.publish_display_data = lambda data, metadata=None, *, transient=None, update=False, **_others: (
        displays.publish(data, metadata, (transient or {}).get("display_id"), update)
    )


def _as_function_of(module: str, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method so that it travels by name: a cell's `display` is IPython's own in the notebook."""

    def function(*things: Any, **options: Any) -> Any:
        return method(*things, **options)

    function.__module__, function.__qualname__ = module, name
    return function


class _AfterImport:
    """An import finder that lets the others find, and calls a hook when a module has been executed."""

    def __init__(self, hooks: dict[str, Callable[[Any], None]]) -> None:
        self._hooks = hooks

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name not in self._hooks:
            return None
        hook = self._hooks.pop(name)
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        if spec is not None and spec.loader is not None:
            _call_after(spec.loader, hook)
        return spec


def _call_after(loader: Any, hook: Callable[[Any], None]) -> None:
    execute = loader.exec_module

    def exec_module(module: Any) -> None:
        execute(module)
        hook(module)

    loader.exec_module = exec_module
