"""A row of the table of differences from moto: a rule, what each server answers, who is right by which source.

The rows are data: a test asks both servers, so no row can outlive its difference, and another holds
docs/compatibility.md against them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from moto_service import Service, answer

Observe = Callable[[Service], str]


class Right(StrEnum):
    """Who does what AWS does."""

    NBBATCH = "nbbatch"
    MOTO = "moto"
    OPEN = "not documented"


@dataclass(frozen=True, slots=True)
class Difference:
    """One rule on which the servers differ.

    Parameters
    ----------
    rule : str
        What is asked, as the page shows it.
    observe : callable
        Asks a server, and gives its answer in words.
    nbbatch, moto : str
        Those words.
    source : str
        Where AWS says what is right, or why it cannot be said.
    """

    rule: str
    observe: Observe
    nbbatch: str
    moto: str
    source: str
    right: Right = Right.NBBATCH

    def as_markdown(self) -> str:
        """The row of docs/compatibility.md."""
        cells = (self.rule, self.nbbatch, self.moto, self.right, self.source)
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def registering(name: str, **request: object) -> Observe:
    """Observe whether RegisterJobDefinition takes this."""
    return lambda aws: answer(aws.register, name=name, **request)


def submitting(**request: object) -> Observe:
    """Observe whether SubmitJob takes this."""
    return lambda aws: answer(aws.submit, **request)


def creating_a_queue(name: str, **request: object) -> Observe:
    """Observe whether CreateJobQueue takes this."""
    return lambda aws: answer(aws.queue, name=name, **request)


def creating_an_environment(name: str, **resources: object) -> Observe:
    """Observe whether CreateComputeEnvironment takes these resources."""
    return lambda aws: answer(aws.environment, name=name, computeResources=aws.resources(**resources))


def calling(operation: str, **request: object) -> Observe:
    """Observe whether an operation takes this."""
    return lambda aws: answer(getattr(aws.batch, operation), **request)
