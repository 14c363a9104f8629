"""AWS's texts for a job at the head of its queue that can never start as things are.

Source: AWS Batch user guide, "Jobs stuck in RUNNABLE". What stands before ` - ` is the word for a
reason in a queue's time limits. Who finds out is `blocked`, and for multi-node jobs `gang`.
"""

from __future__ import annotations

BLOCKED_NO_ENVIRONMENT = "ACTION_REQUIRED - CE(s) associated with the job queue are invalid."
BLOCKED_TOO_LARGE = (
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher "
    "than that can be met by the CE(s) attached to the job queue."
)
BLOCKED_INSTANCE_TYPES = (
    "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED - Your compute environment associated with "
    "this job queue has an unsupported instance type configuration."
)
BLOCKED_MAX_VCPUS = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet "
    "the CPU requirement of the job."
)
BLOCKED_NO_CAPACITY = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for instance "
    "type [{instance_type}]"
)
TIME_LIMIT_REASON = "Canceled by JobStateTimeLimit action due to reason: {code}"


def code_of(reason: str) -> str:
    """What stands before ` - ` in a blocked reason: the word for it in time limits."""
    return reason.partition(" - ")[0]
