"""Shapes of submitting a notebook: what it accepts, what it would cost, and the request itself."""

from __future__ import annotations

from typing import Any, Literal

from nbbatch.jupyter.routes.shapes import Answer, JobRow, Request

OptionKind = Literal["text", "number", "integer", "memory", "duration", "flag", "pairs", "list"]
"""How an option of a job is asked for."""


class Parameter(Answer, kw_only=True, frozen=True):
    """What the notebook's cell tagged `parameters` assigns.

    Parameters
    ----------
    name : str
        Of the variable.
    type, help : str
        As annotated or commented there; may be empty.
    default : str
        The expression that is assigned, as it stands there.
    value : Any
        The same as a JSON value, null where it is none.
    """

    name: str
    type: str = ""
    help: str = ""
    default: str = ""
    value: Any = None


class OptionField(Answer, kw_only=True, frozen=True):
    """An option of the job, for a field of the form.

    Parameters
    ----------
    name, flag, help : str
        As a keyword, as in `%%batch`, and in one sentence.
    kind : OptionKind
        How to ask for it.
    default, source : str
        What holds where it is left empty, and who says so (`default`, `/path/nbbatch.toml:3`).
    choices : list of str
        Values that there are, where they are known: queues, definitions, images, presets.
    is_advanced : bool
        Whether most people do without.
    """

    name: str
    flag: str
    help: str
    kind: OptionKind
    default: str = ""
    source: str = ""
    choices: list[str] = []
    is_advanced: bool = False


class Notebook(Answer, kw_only=True, frozen=True):
    """GET `notebooks`: what a form for this notebook needs.

    Parameters
    ----------
    path, name, kernel, language : str
        From the server's root; the file's name without the ending.
    backend : str
        Where it would run.
    parameters : list of Parameter
        In the order of the cell.
    has_parameters : bool
        Whether it has a cell tagged `parameters`.
    options : list of OptionField
        In the order of a form.
    warnings : list of str
        What a user should know before, such as that the notebook's language has no parameters.
    """

    path: str
    name: str
    kernel: str
    language: str
    backend: str
    parameters: list[Parameter] = []
    has_parameters: bool = False
    options: list[OptionField] = []
    warnings: list[str] = []


class SubmitNotebook(Request, kw_only=True, frozen=True):
    """POST `notebooks`.

    Parameters
    ----------
    path : str
        From the server's root.
    parameters : dict
        Values by name (JSON). What is left out keeps its default.
    expressions : dict of str to str
        Values by name as a person types them: JSON or a Python literal, else text.
    grid : dict of str to list
        A sweep: every combination runs once, all as one array.
    options : dict
        By the magic's words: `{"vcpus": "2", "memory": "4G", "timeout": "2h", "spot": true}`; empty
        texts count as not given.
    output : str
        Where the executed notebook is wanted, from the server's root; `{name}` and parameters as in
        `nbbatch.run_notebook`. Empty: the sidebar saves it beside its source when it is opened.
    kernel : str
        Instead of the notebook's own.
    """

    path: str
    parameters: dict[str, Any] = {}
    expressions: dict[str, str] = {}
    grid: dict[str, list[Any]] = {}
    options: dict[str, Any] = {}
    output: str = ""
    kernel: str = ""


class Submitted(Answer, kw_only=True, frozen=True):
    """A job that was accepted.

    Parameters
    ----------
    job : JobRow
        As it is now.
    backend : str
        Where it is.
    code : str
        The Python lines that would have done the same.
    warnings : list of str
        Said on the way.
    """

    job: JobRow
    backend: str
    code: str
    warnings: list[str] = []


class AskEstimate(Request, kw_only=True, frozen=True):
    """POST `estimate`: what a submission would cost; nothing is sent.

    Parameters
    ----------
    path : str
        Notebook whose own options hold, too; may be empty.
    options : dict
        As in `SubmitNotebook`.
    items : int
        Runs of a sweep.
    seconds : float or str or None
        How long one run takes, also as typed (`20m`); None or empty: as earlier runs did.
    """

    path: str = ""
    options: dict[str, Any] = {}
    items: int = 1
    seconds: float | str | None = None


class PriceRange(Answer, kw_only=True, frozen=True):
    """Dollars on one kind of capacity.

    Parameters
    ----------
    per_hour, low, expected, high, worst : float or None
        As in `nbbatch.estimate`; None where nobody knows, or nothing limits `worst`.
    """

    per_hour: float | None = None
    low: float | None = None
    expected: float | None = None
    high: float | None = None
    worst: float | None = None


class Estimate(Answer, kw_only=True, frozen=True):
    """What a submission would cost.

    Parameters
    ----------
    queue : str
        Where it would go.
    chosen, on_demand, spot : PriceRange
        At the queue's price, and at each.
    is_spot : bool
        Which of the two the queue has.
    basis : "measured", "given" or "unknown"
        Where the duration comes from.
    because, worst_because, words : str
        The same in words; `words` is one line with all of it.
    """

    queue: str
    chosen: PriceRange
    on_demand: PriceRange
    spot: PriceRange
    is_spot: bool
    basis: Literal["measured", "given", "unknown"]
    because: str
    worst_because: str
    words: str
