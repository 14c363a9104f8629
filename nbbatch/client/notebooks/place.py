"""Whether the place where a notebook will run can execute it: kernel, nbclient; told before submitting."""

from __future__ import annotations

from collections.abc import Sequence

from nbbatch.client.backend import Backend
from nbbatch.client.options import Options
from nbbatch.client.images.preflight import Preflight, cell_needs, missing_modules
from nbbatch.errors import EnvironmentMismatchError

_NEEDED = ("nbclient", "nbformat")
_KERNEL_OF_PYTHON = ("ipykernel",)


def check_place(backend: Backend, options: Options, *, kernel: str, language: str) -> None:
    """Refuse a place that lacks what executes the notebook.

    Of an image that is not known on this machine nothing can be said; then the job says it.

    Raises
    ------
    EnvironmentMismatchError
        Names what is missing, and how to get an image that has it.
    """
    if backend.sees_this_python(options):
        _check_here(kernel, language)
        return
    needed = _NEEDED + (_KERNEL_OF_PYTHON if language == "python" else ())
    missing = missing_modules(backend, options, needed)
    if missing:
        raise EnvironmentMismatchError(
            f"Image {options.image} cannot execute notebooks: it has no {' and no '.join(missing)}.",
            cure=f'Have one made: env = nbbatch.image(["papermill", "ipykernel"], base="{options.image}"), then image=env.',
        )


def check_imports(backend: Backend, options: Options, cells: Sequence[str]) -> None:
    """Refuse an image that lacks what the cells import whatever happens.

    Files that go along may be modules, so with any of them the job itself finds out.

    Raises
    ------
    EnvironmentMismatchError
        Names the modules and the lines that import them.
    """
    if options.files or options.workdir or not cell_needs("\n".join(cells)):
        return
    needs = {
        name: f"cell {place}, {why}"
        for place, cell in enumerate(cells)
        for name, why in cell_needs(cell).items()
    }
    Preflight(backend, options).check(needs)


def _check_here(kernel: str, language: str) -> None:
    from jupyter_client.kernelspec import KernelSpecManager  # noqa: PLC0415 - only notebooks need it

    there = KernelSpecManager().find_kernel_specs()
    if kernel not in there and language != "python":
        raise EnvironmentMismatchError(
            f"There is no kernel {kernel!r} on this machine; it has: {', '.join(sorted(there)) or 'none'}.",
            cure="Install it, name another one with kernel=, or use an image that has it.",
        )
