"""ARNs: how AWS Batch names its resources to the outside, and how a name is read out of one.

Formats are those of the service authorization reference, "Resource types defined by AWS Batch".
Region and account are the caller's; nothing is kept under them.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import md5

from nbbatch.model.jobs import task_id

_PARTITIONS = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"))


class Arns:
    """Makes the ARNs of one region and account.

    Parameters
    ----------
    region, account : str
        As they shall appear; the partition (`aws`, `aws-cn`, `aws-us-gov`) follows from the region.
    """

    __slots__ = ("account", "ecs_prefix", "logs_prefix", "partition", "prefix", "region")

    def __init__(self, region: str, account: str) -> None:
        self.region = region
        self.account = account
        self.partition = next((name for start, name in _PARTITIONS if region.startswith(start)), "aws")
        self.prefix = f"arn:{self.partition}:batch:{region}:{account}:"
        self.ecs_prefix = f"arn:{self.partition}:ecs:{region}:{account}:"
        self.logs_prefix = f"arn:{self.partition}:logs:{region}:{account}:"

    def job(self, job_id: str) -> str:
        """ARN of a job or array child."""
        return f"{self.prefix}job/{job_id}"

    def definition(self, key: str) -> str:
        """ARN of a definition, given `name:revision`."""
        return f"{self.prefix}job-definition/{key}"

    def queue(self, name: str) -> str:
        """ARN of a job queue."""
        return f"{self.prefix}job-queue/{name}"

    def environment(self, name: str) -> str:
        """ARN of a compute environment."""
        return f"{self.prefix}compute-environment/{name}"

    def policy(self, name: str) -> str:
        """ARN of a scheduling policy."""
        return f"{self.prefix}scheduling-policy/{name}"

    def consumable(self, name: str) -> str:
        """ARN of a consumable resource."""
        return f"{self.prefix}consumable-resource/{name}"

    def service_environment(self, name: str) -> str:
        """ARN of a service environment."""
        return f"{self.prefix}service-environment/{name}"

    def quota_share(self, queue: str, share: str) -> str:
        """ARN of a quota share [?]: AWS documents no format."""
        return f"{self.prefix}job-queue/{queue}/quota-share/{share}"

    def cluster(self, environment: str) -> str:
        """ARN of the ECS cluster behind a compute environment."""
        return f"{self.ecs_prefix}cluster/{cluster_name(environment)}"

    def log_group(self, name: str) -> str:
        """ARN of a log group of CloudWatch Logs."""
        return f"{self.logs_prefix}log-group:{name}"

    def task(self, environment: str, job_id: str, attempt: int) -> str:
        """ARN of the ECS task behind an attempt."""
        return f"{self.ecs_prefix}task/{cluster_name(environment)}/{task_id(job_id, attempt)}"

    def container_instance(self, environment: str, host: str) -> str:
        """ARN of the ECS container instance behind a host."""
        return f"{self.ecs_prefix}container-instance/{cluster_name(environment)}/{_digest(host)}"


@lru_cache(maxsize=256)
def cluster_name(environment: str) -> str:
    """The name AWS Batch gives the cluster of an environment, with a stand-in for the UUID."""
    digest = _digest(environment)
    parts = (digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:])
    return f"{environment}_Batch_{'-'.join(parts)}"


def name_of(reference: str, kind: str) -> str:
    """The name that a name or ARN means.

    Parameters
    ----------
    reference : str
        `name`, or an ARN that ends in `<kind>/name`.
    kind : str
        `job-queue`, `job-definition`, `compute-environment` or `job`.

    Returns
    -------
    str
        The reference itself when it is no ARN of that kind.
    """
    if not reference.startswith("arn:"):
        return reference
    head, slash, name = reference.rpartition("/")
    return name if slash and head.endswith(f":{kind}") else reference


def quota_share_of(arn: str) -> str:
    """`queue/share` of a quota share's ARN, as `Arns.quota_share` makes it; empty when it is none."""
    queue, _, share = arn.rpartition("/quota-share/")
    name = name_of(queue, "job-queue")
    return f"{name}/{share}" if share and name != queue else ""


@lru_cache(maxsize=4096)
def _digest(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()
