"""Presets as magics: `%%gpu` is `%%batch --preset gpu`.

A preset comes from a file of settings (`[presets.gpu]`) or from code (`nbbatch.magic`); where its
options stand among the others is in `nbbatch.client.config`. A magic of somebody else's is never
replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.core.magic import no_var_expand

from nbbatch.client import session
from nbbatch.client.config import load_config
from nbbatch.client.options import NOT_DEFAULTS, Options
from nbbatch.client.origins import in_words
from nbbatch.errors import OptionError
from nbbatch.jupyter.errors import told
from nbbatch.jupyter.flags import cell_help


@told
def magic(name: str, /, **options: Any) -> None:
    """Make a preset, and its magic: after `nbbatch.magic("gpu", queue="gpu", gpus=1)` there is `%%gpu`.

    Parameters
    ----------
    name : str
        A Python identifier that is no other magic's name. A preset of that name is replaced.
    **options
        As in `nbbatch.submit`, without `name` and `depends`, which belong to one job. What a cell's
        line says stands over them.

    Raises
    ------
    OptionError
        When the name or an option is not right; then nothing changes.

    Notes
    -----
    It lasts until the extension is unloaded or the kernel ends. `[presets.gpu]` in `nbbatch.toml`
    lasts longer. `nbbatch.submit(f, preset="gpu")` takes either.
    """
    if strange := [option for option in options if option in NOT_DEFAULTS]:
        raise OptionError(f"{strange[0]} belongs to one job, not to a preset.", cure="Leave it out.")
    read = Options.parse(options)
    session.check_preset_name(name)
    magics = _magics_of(get_ipython())
    if magics is not None:
        _register(magics, name)
    session.add_preset(name, read)


def register_all(magics: Any) -> None:
    """Make a magic for every preset there is.

    Raises
    ------
    ConfigurationError, OptionError
        When a file is wrong, or a name is another magic's.
    """
    for name in load_config().presets:
        _register(magics, name)


def is_ours(name: str) -> bool:
    """Whether `%%name` is one of nbbatch's magics in the running shell."""
    magics = _magics_of(get_ipython())
    return name == "batch" or (magics is not None and name in magics.preset_names)


def help_of(name: str) -> str:
    """What `%%gpu -h` shows: what the preset stands for, then all options."""
    options = load_config().find_preset(name).options
    return f"%%{name} is %%batch with {in_words(options)}; options of its line stand over these.\n\n" + (
        cell_help().replace("%%batch", f"%%{name}", 1)
    )


def _magics_of(shell: Any) -> Any:
    return None if shell is None else shell.magics_manager.registry.get("BatchMagics")


def _register(magics: Any, name: str) -> None:
    manager = magics.shell.magics_manager
    if name not in magics.preset_names and any(name in kind for kind in manager.magics.values()):
        raise OptionError(
            f"There is a magic {name} already, so no preset can be called like it.",
            cure="Give the preset another name.",
        )
    manager.register_function(_cell_magic(magics, name), magic_kind="cell", magic_name=name)
    magics.preset_names.add(name)


def _cell_magic(magics: Any, name: str) -> Callable[[str, str], Any]:
    @no_var_expand
    @told
    def run(line: str, cell: str) -> Any:
        return magics.run(line, cell, preset=name)

    run.__doc__ = f"Run a cell as a job, as `%%batch --preset {name}` does; `%%{name} -h` shows more."
    return run  # type: ignore[no-any-return, unused-ignore]
