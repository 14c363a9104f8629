"""What to do when the service refuses a request: by its own words, which say what is wrong and no more. Pure."""

from __future__ import annotations

import re

_CURES = (
    (
        r"(?i)(dependsOn|jobId)\b.*(does not exist|not found)|\bjob\b.*does not exist",
        "nbbatch.jobs() lists the newest jobs; a job of another backend, or one that has expired, is not known here.",
    ),
    (
        r"(?i)shareIdentifier or schedulingPriority",
        "Leave share and priority out, or name a queue that has a scheduling policy: nbbatch.queues() lists them.",
    ),
    (r"(?i)shareIdentifier", "A queue with a scheduling policy wants share=, and one without it wants none."),
    (
        r"(?i)JobDefinition.*(does not exist|not in ACTIVE)",
        "Name one that is registered, as NAME or NAME:REVISION.",
    ),
    (
        r"(?i)job ?queue.*(DISABLED|not enabled|not in (a )?VALID|INVALID)",
        "Name another queue (nbbatch.queues() lists them), or enable this one by UpdateJobQueue.",
    ),
    (r"(?i)job ?queue.*(does not exist|not found)", "nbbatch.queues() lists those that are there."),
    (r"(?i)prefix aws: is reserved", "Choose another name for the tag."),
    (r"may have at most|too long|length less than or equal", "Give a shorter one."),
    (
        r"(?i)is a required field|cannot be empty|length greater than or equal",
        "Give a text that is not empty.",
    ),
    (
        r"(?i)is no host, no job that runs on one",
        'nbbatch.jobs(status="RUNNING") lists jobs that have one; this one has ended or waits.',
    ),
    (r"(?i)is not between|greater than or equal to|less than or equal to", "Give a number in that range."),
    (r"(?i)not authorized|AccessDenied", "`nbbatch doctor` names the permissions that are missing."),
)
_ELSE = "Correct the value that it names; `nbbatch doctor` looks at the set-up as a whole."


def cure_of(message: str) -> str:
    """What to do about a request that was refused with this message."""
    return next((cure for words, cure in _CURES if re.search(words, message)), _ELSE)
