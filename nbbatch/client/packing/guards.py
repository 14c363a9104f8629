"""What may leave the notebook without being named: not credentials, and nothing that is not there.

Held back is not an error: the receipt names what stayed and the option that sends it. Sizes are
checked while packing, where they are known.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import FunctionType, ModuleType
from typing import Any

from nbbatch.client.packing.names import Names
from nbbatch.errors import UnknownNameError

_TELLING_NAME = re.compile(
    r"passw(or)?d|passphrase|secret|credential|api_?key|access_?key|private_?key|auth_?key|(^|_)tokens?($|_)|(^|_)pwd($|_)",
    re.IGNORECASE,
)
_TELLING_TEXTS = {
    mark: re.compile(pattern)
    for marks, pattern in {
        ("AKIA", "ASIA"): r"\b(AKIA|ASIA)[0-9A-Z]{16}\b",  # AWS access key ids
        ("PRIVATE KEY",): r"-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"): r"\bgh[pousr]_[A-Za-z0-9]{36,}",
        ("github_pat_",): r"\bgithub_pat_\w{40,}",
        ("glpat-",): r"\bglpat-[\w-]{20,}",
        ("sk-",): r"\bsk-[A-Za-z0-9_-]{32,}",
        ("k_live_",): r"\b[sr]k_live_[A-Za-z0-9]{20,}",
        ("xox",): r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
        ("hf_",): r"\bhf_[A-Za-z0-9]{30,}",
        ("npm_",): r"\bnpm_[A-Za-z0-9]{36}",
        ("pypi-",): r"\bpypi-[\w-]{50,}",
        ("AIza",): r"\bAIza[\w-]{35}",
        ("dapi",): r"\bdapi[0-9a-f]{32}\b",
        ("eyJ",): r"\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{20,}",  # a JSON web token
        ("://",): r"://[^\s:/@]{1,200}:[^\s:/@]{3,200}@",  # a password in an address
        ("AccountKey=",): r"\bAccountKey=[A-Za-z0-9+/=]{40,}",
        ("Bearer ",): r"\bBearer [\w.~+/-]{20,}",
    }.items()
    for mark in marks
}
"""What keys look like, by a piece of text that each has: looking for that is quick, matching is not."""
_TELLING_MODULES = ("boto3.session", "botocore.session", "botocore.credentials")
_LOOKED_AT = 100_000
"""Characters of a text that are searched; a key file is far shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Inputs of a cell: values and modules by name, what was held back and why, what was named."""

    values: Mapping[str, Any]
    modules: Mapping[str, str]
    held_back: Mapping[str, str]
    named: frozenset[str] = frozenset()


def choose_inputs(names: Names, namespace: Mapping[str, Any], *, named: Collection[str] = ()) -> Chosen:
    """Pick from the namespace what the cell reads, or what the user named.

    Parameters
    ----------
    names : Names
        From `read_names`; names that are not in the namespace are left to the job (its NameError).
    namespace : mapping
        The notebook's variables.
    named : collection of str
        Names the user gave. If there are any, no other values go; the functions, classes and
        modules that the cell reads still do.

    Raises
    ------
    UnknownNameError
        A name the user gave is not in the namespace; says which ones are close.
    """
    found = {name: namespace[name] for name in names.reads if name in namespace}
    if named:
        values = named_values(named, namespace)
        found = {name: value for name, value in found.items() if _is_code(value)} | values
    modules = {name: value.__name__ for name, value in found.items() if isinstance(value, ModuleType)}
    held = held_back({name: value for name, value in found.items() if name not in named})
    values = {name: value for name, value in found.items() if name not in modules and name not in held}
    return Chosen(values=values, modules=modules, held_back=held, named=frozenset(named))


def named_values(named: Collection[str], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The variables the user named.

    Raises
    ------
    UnknownNameError
        One of them is not in the namespace; says which ones are close.
    """
    _check_names(named, namespace)
    return {name: namespace[name] for name in named}


def held_back(values: Mapping[str, Any]) -> dict[str, str]:
    """Find, of values nobody named, those that stay here; gives the reason."""
    reasons = {name: looks_secret(name, value) for name, value in values.items()}
    return {name: f"it looks like a credential ({why})" for name, why in reasons.items() if why}


def looks_secret(name: str, value: Any) -> str:
    """Say why a variable looks like a credential; empty where it does not.

    Only text can be one, alone or in a mapping under a telling key, and the sessions that hold one:
    a list of `tokens` or a `tokenizer` is none.
    """
    if value is os.environ:
        return "the environment"
    if type(value).__module__ in _TELLING_MODULES:
        return "an AWS session"
    if isinstance(value, str | bytes):
        return _telling(name, value)
    if isinstance(value, Mapping) and len(value) <= _LOOKED_AT:
        return _first(looks_secret_entry(key, each) for key, each in value.items())
    return ""


def looks_secret_entry(key: Any, value: Any) -> str:
    """The same for one entry of a mapping."""
    if isinstance(key, str) and isinstance(value, str | bytes) and (why := _telling(key, value)):
        return f"{why} under {key!r}"
    return ""


def _telling(name: str, value: str | bytes) -> str:
    if not value:
        return ""
    if _TELLING_NAME.search(name):
        return "by its name"
    start = value[:_LOOKED_AT]
    text = start if isinstance(start, str) else start.decode("latin-1")
    is_key = any(mark in text and pattern.search(text) for mark, pattern in _TELLING_TEXTS.items())
    return "it contains a key" if is_key else ""


def _first(reasons: Iterable[str]) -> str:
    return next(filter(None, reasons), "")


def _is_code(value: Any) -> bool:
    return isinstance(value, FunctionType | ModuleType | type)


def _check_names(named: Collection[str], namespace: Mapping[str, Any]) -> None:
    for name in named:
        if name not in namespace:
            close = get_close_matches(name, [each for each in namespace if _is_users(each)])
            hint = f"Did you mean {' or '.join(close)}?" if close else "Run the cell that defines it first."
            raise UnknownNameError(f"There is no variable {name!r} in the notebook.", cure=hint)


def _is_users(name: str) -> bool:
    """Whether a name of the notebook is none that IPython put there."""
    return not name.startswith("_") and name not in ("In", "Out", "exit", "quit", "open", "get_ipython")
