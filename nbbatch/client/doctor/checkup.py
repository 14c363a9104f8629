"""What is in order and what is not: Python, settings, Docker, daemon, disk, queue, image, AWS.

`doctor()` looks and changes nothing, but for one small object that it writes to and takes from an S3
store. Each check is a function that gives findings and never raises: what a check cannot find out
is a finding, too. The checks of this machine are in `machine`, those of an account in
`account`; here are the nouns, the order, and how it looks.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from nbbatch.client.checks import check_backend
from nbbatch.client.doctor.permissions import Statement, policy


class Health(StrEnum):
    """How a checked thing stands."""

    GOOD = "ok"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report.

    Parameters
    ----------
    check : str
        What was looked at.
    health : Health
        BAD: jobs will not run. NOTE: they will, but something should be known.
    said : str
        What was found, with the value.
    cure : str
        What to do; empty where there is nothing to do.
    needs : tuple of Statement
        IAM statements that would put it right.
    """

    check: str
    health: Health
    said: str
    cure: str = ""
    needs: tuple[Statement, ...] = ()


def good(check: str, said: str) -> Finding:
    """A finding of what is in order."""
    return Finding(check=check, health=Health.GOOD, said=said)


def note(check: str, said: str, cure: str = "", needs: Iterable[Statement] = ()) -> Finding:
    """A finding of what works, but should be known."""
    return Finding(check=check, health=Health.NOTE, said=said, cure=cure, needs=tuple(needs))


def bad(check: str, said: str, cure: str = "", needs: Iterable[Statement] = ()) -> Finding:
    """A finding of what keeps jobs from running."""
    return Finding(check=check, health=Health.BAD, said=said, cure=cure, needs=tuple(needs))


class Report(list[Finding]):
    """All findings; a notebook shows them as a table, a terminal as lines."""

    @property
    def is_well(self) -> bool:
        """Whether nothing keeps jobs from running."""
        return all(finding.health is not Health.BAD for finding in self)

    @property
    def policy(self) -> dict[str, Any] | None:
        """The IAM policy of exactly what is missing for the person; None when nothing is."""
        needed = tuple(statement for finding in self for statement in finding.needs)
        return policy(needed) if needed else None

    def to_dict(self) -> dict[str, Any]:
        """For JSON: whether all is well, the findings, and the missing policy."""
        findings = [{name: value for name, value in asdict(one).items() if name != "needs"} for one in self]
        return {"well": self.is_well, "findings": findings, "policy": self.policy}

    def __repr__(self) -> str:
        width = max((len(finding.check) for finding in self), default=0)
        return "\n".join(line for finding in self for line in _lines(finding, width)) + self._policy_text()

    def _policy_text(self) -> str:
        if self.policy is None:
            return ""
        return f"\n\nThe policy that is missing:\n{json.dumps(self.policy, indent=2)}"

    def _repr_html_(self) -> str:
        rows = "".join(_row(finding) for finding in self)
        table = f"<table><tbody>{rows}</tbody></table>"
        if self.policy is None:
            return table
        shown = html.escape(json.dumps(self.policy, indent=2))
        return f"{table}<details><summary>The policy that is missing</summary><pre>{shown}</pre></details>"


_SIGNS = {Health.GOOD: "✓", Health.NOTE: "·", Health.BAD: "✗"}


def _lines(finding: Finding, width: int) -> Iterator[str]:
    yield f"{_SIGNS[finding.health]} {finding.check:<{width}}  {finding.said}"
    if finding.cure:
        yield f"  {'':<{width}}  → {finding.cure}"


def _row(finding: Finding) -> str:
    cells = (f"{_SIGNS[finding.health]} {finding.health}", finding.check, finding.said, finding.cure)
    texts = "".join(f'<td style="text-align:left">{html.escape(cell)}</td>' for cell in cells)
    return f"<tr>{texts}</tr>"


Check = Callable[[], Iterable[Finding]]


def examine(name: str, check: Check) -> list[Finding]:
    """Run one check; what it trips over is a finding, so that the others are still told."""
    try:
        return list(check())
    except Exception as error:  # noqa: BLE001 - a doctor that faints helps nobody
        return [bad(name, f"could not be looked at: {type(error).__name__}: {error}")]


def doctor(backend: str | None = None) -> Report:
    """Look at everything that a job needs, here and on a backend.

    Parameters
    ----------
    backend : str, optional
        A configured backend; the default one otherwise.

    Returns
    -------
    Report
        Findings in the order in which things are needed; `is_well` says whether jobs will run,
        `policy` is the IAM policy of exactly what is missing.

    Raises
    ------
    OptionError
        The backend is no name.
    """
    from nbbatch.client.doctor.account import checks_of_account  # noqa: PLC0415 - boto3 is slow to import
    from nbbatch.client.doctor.machine import checks_of_machine, read_place  # noqa: PLC0415

    check_backend(backend)
    report = Report()
    place, findings = read_place(backend)
    report += findings
    if place is None:
        return report
    checks = checks_of_machine(place) if place.kind == "local" else checks_of_account(place)
    for name, check in checks:
        report += examine(name, check)
    return report
