"""Differences from moto in jobs: how they are submitted, run, stopped, described and listed.

moto's server here runs no jobs: it marks them SUCCEEDED. What its mode with Docker does is not asked.
"""

from __future__ import annotations

import time

from moto_difference import Difference, Observe, Right, calling, submitting
from moto_service import TAKEN, Service, answer

UNKNOWN = "00000000-0000-0000-0000-000000000000"
REPORTED = "text that AWS answers"
FAILS = {"environment": [{"name": "CODE", "value": "3"}]}
TOMORROW = 86_400


def outcome(aws: Service, **request: object) -> str:
    job = aws.run(**request)
    reason = job.get("statusReason", "no reason")
    return f"{job['status']}, {reason}, attempts: {len(job['attempts'])}"


def failing(**request: object) -> Observe:
    return lambda aws: outcome(aws, containerOverrides=FAILS, **request)


def exit_code(aws: Service) -> str:
    job = aws.run(containerOverrides=FAILS)
    return str(job["container"].get("exitCode", "none"))


def after_a_failure(aws: Service) -> str:
    return outcome(aws, dependsOn=[{"jobId": aws.submit(containerOverrides=FAILS)}])


def a_reference(aws: Service) -> str:
    aws.register("reference", container={"command": ["echo", "Ref::word"]})
    job = aws.run(jobDefinition="reference", parameters={"word": "hi"})
    return " ".join(job["container"]["command"])


def a_reference_to_nothing(aws: Service) -> str:
    aws.register("unresolved", container={"command": ["echo", "Ref::word"]})
    return answer(aws.submit, jobDefinition="unresolved")


def an_inactive_revision(aws: Service) -> str:
    aws.register("inactive")
    aws.batch.deregister_job_definition(jobDefinition="inactive:1")
    return answer(aws.submit, jobDefinition="inactive:1")


def the_revision_of_a_name(aws: Service) -> str:
    aws.register("latest"), aws.register("latest")
    aws.batch.deregister_job_definition(jobDefinition="latest:2")
    return str(aws.run(jobDefinition="latest")["jobDefinition"].rpartition("/")[2])


def into_a_disabled_queue(aws: Service) -> str:
    aws.queue("closed", state="DISABLED")
    return answer(aws.submit, jobQueue="closed")


def without_a_share(aws: Service) -> str:
    arn = aws.batch.create_scheduling_policy(name="shares")["arn"]
    aws.queue("shares", schedulingPolicyArn=arn)
    return answer(aws.submit, jobQueue="shares")


def retry_strategy_shown(aws: Service) -> str:
    return str(aws.run(retryStrategy={"attempts": 3}).get("retryStrategy", "none"))


def environment_shown(aws: Service) -> str:
    names = [one["name"] for one in aws.run()["container"]["environment"]]
    return ", ".join(names) or "none"


def memory_overridden(aws: Service) -> str:
    needs = [{"type": "MEMORY", "value": "256"}]
    container = aws.run(containerOverrides={"resourceRequirements": needs})["container"]
    shown = {need["type"]: need["value"] for need in container.get("resourceRequirements", [])}
    return f"MEMORY {shown['MEMORY']}" if shown else f"memory {container['memory']}"


def child_shown(aws: Service) -> str:
    parent = aws.run(arrayProperties={"size": 2})
    return str(aws.describe(f"{parent['jobId']}:1").get("arrayProperties", "none"))


def parents_start(aws: Service) -> str:
    return "startedAt" if "startedAt" in aws.run(arrayProperties={"size": 2}) else "no startedAt"


def array_in_its_queue(aws: Service) -> str:
    aws.run(jobName="family", arrayProperties={"size": 2})
    return f"{len(named(aws, 'family'))} listed"


def terminating_a_sleeper(aws: Service) -> str:
    job_id = aws.submit(containerOverrides={"command": ["sleep", "60"]})
    aws.batch.terminate_job(jobId=job_id, reason="enough")
    job = aws.ended(job_id)
    return f"{job['status']}, {job['statusReason']}"


def terminating_what_has_ended(aws: Service) -> str:
    job_id = aws.run()["jobId"]
    aws.batch.terminate_job(jobId=job_id, reason="late")
    return str(aws.describe(job_id)["statusReason"])


def described_by_arn(aws: Service) -> str:
    arn = aws.run()["jobArn"]
    return "found" if aws.batch.describe_jobs(jobs=[arn])["jobs"] else "left out"


def named(aws: Service, name: str, **more: object) -> list[str]:
    filters = [{"name": "JOB_NAME", "values": [name]}]
    page = aws.batch.list_jobs(jobQueue="beside", filters=filters, **more)
    return [job["jobName"] for job in page["jobSummaryList"]]


def order_of_a_list(aws: Service) -> str:
    for name in ("order-a", "order-b"):
        aws.run(jobName=name)
        _pass_a_millisecond()
    return ", ".join(named(aws, "order-*"))


def _pass_a_millisecond() -> None:
    until = time.time() + 0.002
    while time.time() < until:
        pass


def listed(aws: Service, **request: object) -> str:
    aws.run(jobName="listed")
    page = aws.batch.list_jobs(jobQueue="beside", **request)
    return "some" if page["jobSummaryList"] else "none"


def listed_by(name: str, value: str) -> Observe:
    return lambda aws: listed(aws, filters=[{"name": name, "values": [value]}])


def created_from_tomorrow_on(aws: Service) -> str:
    tomorrow = int((time.time() + TOMORROW) * 1000)
    return listed(aws, filters=[{"name": "AFTER_CREATED_AT", "values": [str(tomorrow)]}])


def page_of_jobs(aws: Service) -> str:
    aws.run(), aws.run()
    page = aws.batch.list_jobs(jobQueue="beside", jobStatus="SUCCEEDED", maxResults=1)
    return "1 and a token" if "nextToken" in page else "all, and no token"


def listing(**request: object) -> Observe:
    return calling("list_jobs", **request)


ONE_OF = "refused: Exactly one of jobQueue, arrayJobId and multiNodeJobId is required."
FAIR = "refused: Job with shareIdentifier or schedulingPriority can onlybe submitted to job queue with fair share scheduling policy."  # fmt: skip
HUNDRED_AND_ONE = [f"00000000-0000-0000-0000-{n:012d}" for n in range(101)]
TWO_FILTERS = [{"name": "JOB_NAME", "values": [name]} for name in ("a", "b")]

# fmt: off
SUBMITTED = (
    Difference("Job: a name that starts with `-`", submitting(jobName="-bad"), "refused: Job name should match valid pattern", TAKEN, "API reference, SubmitJob"),
    Difference("Job: an unknown queue", submitting(jobQueue="nosuch"), "refused: Job Queue nosuch does not exist", "refused: Job queue nosuch does not exist", "both refuse; the text is not documented", Right.OPEN),
    Difference("Job: an unknown definition", submitting(jobDefinition="nosuch"), "refused: JobDefinition name nosuch does not exist or is not in ACTIVE status", "refused: Job definition nosuch does not exist", REPORTED),
    Difference("Job: an INACTIVE revision", an_inactive_revision, "refused: JobDefinition name inactive:1 does not exist or is not in ACTIVE status", TAKEN, "user guide, Job definitions"),
    Difference("Job: a name whose revision 2 is INACTIVE", the_revision_of_a_name, "latest:1", "latest:2", "API reference, SubmitJob: the latest active revision"),
    Difference("Job: into a DISABLED queue", into_a_disabled_queue, "refused: Job Queue closed is DISABLED and takes no jobs.", TAKEN, "API reference, JobQueueDetail"),
    Difference("Job: an array of one", submitting(arrayProperties={"size": 1}), "refused: arrayProperties.size: 1 is not between 2 and 10000", TAKEN, "API reference, ArrayProperties"),
    Difference("Job: 11 attempts", submitting(retryStrategy={"attempts": 11}), "refused: RetryAttempts must be between 1 and 10.", TAKEN, "API reference, RetryStrategy"),
    Difference("Job: a timeout of 59 seconds", submitting(timeout={"attemptDurationSeconds": 59}), "refused: AttemptDurationSeconds in Timeout must be at least 60 seconds.", TAKEN, "API reference, JobTimeout"),
    Difference("Job: a variable `AWS_BATCH_X`", submitting(containerOverrides={"environment": [{"name": "AWS_BATCH_X", "value": "1"}]}), "refused: Environment variable AWS_BATCH_X cannot be set: names that start with AWS_BATCH are reserved.", TAKEN, "API reference, ContainerOverrides"),
    Difference("Job: depends on an unknown job", submitting(dependsOn=[{"jobId": UNKNOWN}]), f"refused: dependsOn: job {UNKNOWN} does not exist.", TAKEN, "not in the API reference", Right.OPEN),
    Difference("Job: a share in a queue without a policy", submitting(shareIdentifier="me"), FAIR, TAKEN, REPORTED),
    Difference("Job: a scheduling priority in a queue without a policy", submitting(schedulingPriorityOverride=3), FAIR, TAKEN, REPORTED),
    Difference("Job: no share in a queue with a policy", without_a_share, "refused: shareIdentifier is required: job queue shares has a fair share scheduling policy.", TAKEN, "API reference, SubmitJob"),
    Difference("Job: `Ref::word` without a parameter `word`", a_reference_to_nothing, "refused: Unable to substitute value. No parameter found for reference word", TAKEN, REPORTED),
)

RUN = (
    Difference("A container that exits with 3", failing(), "FAILED, Essential container in task exited, attempts: 1", "SUCCEEDED, no reason, attempts: 1", "user guide, Job states"),
    Difference("Its `container.exitCode`", exit_code, "3", "none", "API reference, ContainerDetail"),
    Difference("The same with `retryStrategy.attempts` of 2", failing(retryStrategy={"attempts": 2}), "FAILED, Essential container in task exited, attempts: 2", "SUCCEEDED, no reason, attempts: 1", "user guide, Automated job retries"),
    Difference("A job that depends on it", after_a_failure, "FAILED, Dependent Job failed, attempts: 0", "SUCCEEDED, no reason, attempts: 1", "user guide, Job dependencies"),
    Difference("An array of it", failing(arrayProperties={"size": 2}), "FAILED, Array Child Job failed, attempts: 0", "SUCCEEDED, no reason, attempts: 0", "user guide, Array jobs"),
    Difference("`echo Ref::word`, the parameter is `hi`", a_reference, "echo hi", "echo Ref::word", "user guide, Parameters"),
    Difference("DescribeJobs: `retryStrategy` of the job", retry_strategy_shown, "{'attempts': 3, 'evaluateOnExit': []}", "none", "API reference, JobDetail"),
    Difference("DescribeJobs: variables of a job that has none", environment_shown, "none", "AWS_BATCH_JOB_ID", "replies of AWS: only the user's own"),
    Difference("DescribeJobs: memory, overridden with 256", memory_overridden, "MEMORY 256", "memory 128", "API reference, ContainerOverrides"),
    Difference("DescribeJobs: `arrayProperties` of child 1", child_shown, "{'index': 1}", "none", "API reference, ArrayPropertiesDetail"),
    Difference("DescribeJobs: an array's parent", parents_start, "no startedAt", "startedAt", "user guide, Array jobs: the parent never runs"),
    Difference("DescribeJobs by ARN", described_by_arn, "left out", "found", "the API reference speaks of ids only", Right.OPEN),
    Difference("DescribeJobs: 101 ids", calling("describe_jobs", jobs=HUNDRED_AND_ONE), "refused: Maximum number of jobs supported is  100", TAKEN, REPORTED),
    Difference("TerminateJob on a job that sleeps", terminating_a_sleeper, "FAILED, enough", "SUCCEEDED, enough", "API reference, TerminateJob"),
    Difference("TerminateJob on a job that has ended", terminating_what_has_ended, "Essential container in task exited", "late", "API reference, TerminateJob: nothing changes"),
)

LISTED = (
    Difference("ListJobs without a status, nothing runs", listed, "none", "some", "API reference, ListJobs: RUNNING by default"),
    Difference("ListJobs: children beside their array, by name", array_in_its_queue, "1 listed", "3 listed", "API reference, ListJobs: children by `arrayJobId`"),
    Difference("ListJobs: order of two jobs, by name", order_of_a_list, "order-b, order-a", "order-a, order-b", "API reference, ListJobs: newest first"),
    Difference("ListJobs: neither queue nor array", listing(), ONE_OF, TAKEN, "API reference, ListJobs"),
    Difference("ListJobs: queue and array", listing(jobQueue="beside", arrayJobId=UNKNOWN), ONE_OF, TAKEN, "API reference, ListJobs"),
    Difference("ListJobs: two filters", listing(jobQueue="beside", filters=TWO_FILTERS), "refused: filters: has 2 entries, and may have at most 1", TAKEN, "API reference, ListJobs"),
    Difference("ListJobs: a filter that is none", listing(jobQueue="beside", filters=[{"name": "WRONG", "values": ["x"]}]), "refused: filters[0].name: 'WRONG' is not one of JOB_NAME, JOB_DEFINITION, BEFORE_CREATED_AT, AFTER_CREATED_AT, SHARE_IDENTIFIER", TAKEN, "API reference, ListJobs"),
    Difference("ListJobs: by an unknown JOB_DEFINITION", listed_by("JOB_DEFINITION", "nosuch"), "none", "some", "API reference, ListJobs"),
    Difference("ListJobs: AFTER_CREATED_AT tomorrow", created_from_tomorrow_on, "none", "some", "API reference, ListJobs"),
    Difference("ListJobs: `maxResults` of 1", page_of_jobs, "1 and a token", "all, and no token", "API reference, ListJobs"),
    Difference("ListJobs: a made-up token", listing(jobQueue="beside", jobStatus="SUCCEEDED", nextToken="zz"), "refused: nextToken: 'zz' is not a token of this list.", TAKEN, "API reference, ListJobs: a token is opaque"),
)

OPERATIONS = (
    Difference("CancelJobs, TerminateJobs", calling("cancel_jobs", jobs=[UNKNOWN], reason="x"), TAKEN, "HTTP 404", "API reference"),
    Difference("GetJobQueueSnapshot", calling("get_job_queue_snapshot", jobQueue="beside"), TAKEN, "HTTP 404", "API reference"),
    Difference("Consumable resources", calling("create_consumable_resource", consumableResourceName="seat", totalQuantity=2), TAKEN, "HTTP 404", "API reference"),
    Difference("Service environments", calling("describe_service_environments"), TAKEN, "HTTP 404", "API reference"),
)
# fmt: on

JOBS = (*SUBMITTED, *RUN, *LISTED, *OPERATIONS)
