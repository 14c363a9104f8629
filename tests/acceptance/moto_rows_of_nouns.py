"""Differences from moto in definitions, queues, environments, policies and tags."""

from __future__ import annotations

from moto_difference import (
    Difference,
    Observe,
    Right,
    calling,
    creating_a_queue,
    creating_an_environment,
    registering,
)
from moto_service import ACCOUNT, TAKEN, Service, answer

NONE = "nothing found"
VCPU_1 = {"type": "VCPU", "value": "1"}
MEMORY = {"type": "MEMORY", "value": "128"}
REPORTED = "text that AWS answers"


def requiring(name: str, *requirements: dict[str, str], **more: object) -> Observe:
    return registering(name, container={"resourceRequirements": list(requirements)}, **more)


def definition_by_name_and_revision(aws: Service) -> str:
    aws.register("by-list")
    found = aws.batch.describe_job_definitions(jobDefinitions=["by-list:1"])["jobDefinitions"]
    return ", ".join(f"revision {known['revision']}" for known in found) or NONE


def order_of_revisions(aws: Service) -> str:
    aws.register("ordered"), aws.register("ordered")
    found = aws.batch.describe_job_definitions(jobDefinitionName="ordered")["jobDefinitions"]
    return ", ".join(str(known["revision"]) for known in found)


def a_revision_without_its_forerunners_members(aws: Service) -> str:
    aws.register("bare", retryStrategy={"attempts": 2}, parameters={"a": "b"})
    aws.register("bare")
    found = aws.batch.describe_job_definitions(jobDefinitionName="bare")["jobDefinitions"]
    (second,) = [known for known in found if known["revision"] == 2]
    return f"retryStrategy {second.get('retryStrategy', {})}, parameters {second['parameters']}"


def page_of_queues(aws: Service) -> str:
    aws.queue("page-1"), aws.queue("page-2")
    page = aws.batch.describe_job_queues(maxResults=1)
    return f"{len(page['jobQueues'])} and a token" if "nextToken" in page else "all, and no token"


def environment_of_a_queue(aws: Service) -> str:
    aws.queue("order-shown")
    (queue,) = aws.batch.describe_job_queues(jobQueues=["order-shown"])["jobQueues"]
    return str(queue["computeEnvironmentOrder"][0]["computeEnvironment"])


def deleting_an_enabled_queue(aws: Service) -> str:
    aws.queue("enabled")
    return answer(aws.batch.delete_job_queue, jobQueue="enabled")


def deleting_an_attached_environment(aws: Service) -> str:
    aws.environment("attached")
    aws.queue("attached", computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "attached"}])
    aws.batch.update_compute_environment(computeEnvironment="attached", state="DISABLED")
    return answer(aws.batch.delete_compute_environment, computeEnvironment="attached")


def deleting_an_enabled_environment(aws: Service) -> str:
    aws.environment("standing")
    return answer(aws.batch.delete_compute_environment, computeEnvironment="standing")


def state_of_an_environment(aws: Service) -> str:
    aws.environment("stateless")
    (known,) = aws.batch.describe_compute_environments(computeEnvironments=["stateless"])[
        "computeEnvironments"
    ]
    return f"{known.get('state', 'no state')}, {known['statusReason']}"


def a_bigger_environment(aws: Service) -> str:
    aws.environment("growing")
    aws.batch.update_compute_environment(computeEnvironment="growing", computeResources={"maxvCpus": 16})
    (known,) = aws.batch.describe_compute_environments(computeEnvironments=["growing"])["computeEnvironments"]
    return f"maxvCpus {known['computeResources']['maxvCpus']}"


def the_same_environment_twice(aws: Service) -> str:
    aws.environment("twin")
    return answer(aws.environment, name="twin")


def an_environment_without_a_service_role(aws: Service) -> str:
    request = {"type": "MANAGED", "computeResources": aws.resources()}
    return answer(aws.batch.create_compute_environment, computeEnvironmentName="roleless", **request)


def an_environment_without_resources(aws: Service) -> str:
    request = {"type": "MANAGED", "serviceRole": aws.role}
    return answer(aws.batch.create_compute_environment, computeEnvironmentName="nothing", **request)


def a_queue_without_a_state(aws: Service) -> str:
    order = [{"order": 1, "computeEnvironment": "beside"}]
    request = {"priority": 1, "computeEnvironmentOrder": order}
    return answer(aws.batch.create_job_queue, jobQueueName="stateless", **request)


def the_same_queue_twice(aws: Service) -> str:
    aws.queue("twin")
    return answer(aws.queue, name="twin")


def the_same_policy_twice(aws: Service) -> str:
    aws.batch.create_scheduling_policy(name="twin")
    return answer(aws.batch.create_scheduling_policy, name="twin")


def a_policy_in_use(aws: Service) -> str:
    arn = aws.batch.create_scheduling_policy(name="in-use")["arn"]
    aws.queue("follower", schedulingPolicyArn=arn)
    return answer(aws.batch.delete_scheduling_policy, arn=arn)


def tagging_with_awss_prefix(aws: Service) -> str:
    arn = aws.queue("tagged-by-aws")["jobQueueArn"]
    return answer(aws.batch.tag_resource, resourceArn=arn, tags={"aws:mine": "x"})


OVERLAP = {"shareDistribution": [{"shareIdentifier": "A*"}, {"shareIdentifier": "AB"}]}
TWO_TIMES = [{"order": n, "computeEnvironment": "beside"} for n in (1, 2)]
ELSEWHERE = [{"order": 1, "computeEnvironment": "nosuch"}]

# fmt: off
DEFINITIONS = (
    Difference("Definition: `image` empty", registering("no-image", container={"image": ""}), "refused: ECS Container Image must be provided.", TAKEN, REPORTED),
    Difference("Definition: no VCPU", requiring("no-vcpu", MEMORY), "refused: vCPU is required.", "refused: containerProperties must contain vcpus", REPORTED),
    Difference("Definition: 2 MiB of memory", requiring("little", VCPU_1, {"type": "MEMORY", "value": "2"}), "refused: Memory must be at least 4 Mib, got 2 Mib.", "refused: container memory limit must be greater than 4", REPORTED),
    Difference("Definition: half a vCPU on EC2", requiring("half", {"type": "VCPU", "value": "0.5"}, MEMORY), "refused: vCPU must be a whole number on EC2, got 0.5.", TAKEN, "API reference, ResourceRequirement"),
    Difference("Definition: 1 vCPU and 128 MiB on Fargate", registering("fargate", container={"executionRoleArn": "arn:aws:iam::123456789012:role/x"}, platformCapabilities=["FARGATE"]), "refused: Fargate resource requirements (1.00 vCPU, 128 MiB) not valid.", TAKEN, "API reference, ResourceRequirement"),
    Difference("Definition: 11 attempts", registering("attempts", retryStrategy={"attempts": 11}), "refused: RetryAttempts must be between 1 and 10.", TAKEN, "API reference, RetryStrategy"),
    Difference("Definition: six `evaluateOnExit` entries", registering("conditions", retryStrategy={"attempts": 2, "evaluateOnExit": [{"onExitCode": "1", "action": "RETRY"}] * 6}), "refused: Up to 5 evaluateOnExit condition can be specified.", TAKEN, "API reference, RetryStrategy"),
    Difference("Definition: a timeout of 59 seconds", registering("timeout", timeout={"attemptDurationSeconds": 59}), "refused: AttemptDurationSeconds in Timeout must be at least 60 seconds.", TAKEN, "API reference, JobTimeout"),
    Difference("Definition: a variable `AWS_BATCH_X`", registering("reserved", container={"environment": [{"name": "AWS_BATCH_X", "value": "1"}]}), "refused: Environment variable AWS_BATCH_X cannot be set: names that start with AWS_BATCH are reserved.", TAKEN, "API reference, ContainerProperties"),
    Difference("Definition: a name with a space", registering("bad name"), "refused: Job Definition name should match a valid pattern.", TAKEN, "API reference, RegisterJobDefinition"),
    Difference("Definition: 51 tags", registering("tags", tags={f"k{n}": "v" for n in range(51)}), "refused: tags: has 51 entries, and may have at most 50", TAKEN, "API reference, RegisterJobDefinition"),
    Difference("DescribeJobDefinitions by `name:revision`", definition_by_name_and_revision, "revision 1", NONE, "API reference, DescribeJobDefinitions"),
    Difference("DescribeJobDefinitions: order of two revisions", order_of_revisions, "2, 1", "1, 2", "not in the API reference", Right.OPEN),
    Difference("Definition: what revision 2 has of revision 1", a_revision_without_its_forerunners_members, "retryStrategy {}, parameters {}", "retryStrategy {'attempts': 2}, parameters {'a': 'b'}", "API reference, RegisterJobDefinition: a revision is what was sent"),
    Difference("Deregistering an unknown definition", calling("deregister_job_definition", jobDefinition="nosuch:1"), "refused: JobDefinition name nosuch:1 does not exist or is not in ACTIVE status", TAKEN, "not in the API reference", Right.OPEN),
)

QUEUES = (
    Difference("Queue: no `state` given", a_queue_without_a_state, TAKEN, "refused: state must be provided", "API reference, CreateJobQueue: ENABLED by default"),
    Difference("Queue: a name that is taken", the_same_queue_twice, "refused: Object already exists: job queue twin", "refused: Job queue twin already exists", "both refuse; the text is not documented", Right.OPEN),
    Difference("Queue: an unknown environment", creating_a_queue("lost", computeEnvironmentOrder=ELSEWHERE), "refused: Compute Environments must be created and valid before attaching them to a job queue: nosuch is not there", "refused: computeEnvironmentOrder is malformed", REPORTED),
    Difference("Queue: one environment twice", creating_a_queue("twice", computeEnvironmentOrder=TWO_TIMES), "refused: Duplicate ComputeEnvironments within order list.", TAKEN, REPORTED),
    Difference("Queue: no environment", creating_a_queue("empty", computeEnvironmentOrder=[]), "refused: computeEnvironmentOrder is required.", "refused: At least 1 compute environment must be provided", REPORTED),
    Difference("Queue: its environment, given by name, is shown as", environment_of_a_queue, f"{ACCOUNT}:compute-environment/beside", "beside", "API reference, JobQueueDetail"),
    Difference("DescribeJobQueues: `maxResults` of 1", page_of_queues, "1 and a token", "all, and no token", "API reference, DescribeJobQueues"),
    Difference("DescribeJobQueues: a made-up token", calling("describe_job_queues", nextToken="made-up"), "refused: nextToken: 'made-up' is not a token of this list.", TAKEN, "API reference, DescribeJobQueues: a token is opaque"),
    Difference("Deleting an ENABLED queue", deleting_an_enabled_queue, "refused: Cannot delete, state must be DISABLED: job queue enabled is ENABLED; disable it with UpdateJobQueue first.", TAKEN, "API reference, DeleteJobQueue"),
    Difference("Deleting an unknown queue", calling("delete_job_queue", jobQueue="nosuch"), "refused: Job Queue nosuch does not exist", TAKEN, "not in the API reference", Right.OPEN),
)

ENVIRONMENTS = (
    Difference("Environment: no `serviceRole`", an_environment_without_a_service_role, TAKEN, "refused: Error executing request, Exception : ServiceRole is required.", "API reference, CreateComputeEnvironment: the service-linked role is used"),
    Difference("Environment: created DISABLED", lambda aws: answer(aws.environment, name="disabled", state="DISABLED"), "refused: Compute Environment must be created in ENABLED state.", TAKEN, REPORTED),
    Difference("Environment: a name that is taken", the_same_environment_twice, "refused: Object already exists: compute environment twin", "refused as InvalidParameterValue: A compute environment already exists with the name twin", "API reference: every refusal is a ClientException"),
    Difference("Environment: MANAGED without `computeResources`", an_environment_without_resources, "refused: computeResources must be provided for a MANAGED compute environment", "refused as InvalidParameterValue: computeResources must be specified when creating a None environment", REPORTED),
    Difference("Environment: `minvCpus` over `maxvCpus`", creating_an_environment("upside-down", minvCpus=8), "refused: maxvCpus should be greater than or equal to minvCpus.", "refused as InvalidParameterValue: maxVCpus must be greater than minvCpus", REPORTED),
    Difference("Environment: a name of one letter", lambda aws: answer(aws.environment, name="x"), TAKEN, "refused as InvalidParameterValue: Compute environment name does not match ^[A-Za-z0-9][A-Za-z0-9_-]{1,126}[A-Za-z0-9]$", "API reference, CreateComputeEnvironment: up to 128 characters"),
    Difference("Environment: `state` and reason, no state given", state_of_an_environment, "ENABLED, ComputeEnvironment Healthy", "no state, Compute environment is available", "API reference, CreateComputeEnvironment"),
    Difference("UpdateComputeEnvironment: `maxvCpus` from 4 to 16", a_bigger_environment, "maxvCpus 16", "maxvCpus 4", "API reference, UpdateComputeEnvironment"),
    Difference("Updating an unknown environment", calling("update_compute_environment", computeEnvironment="nosuch", state="DISABLED"), "refused: Compute environment nosuch does not exist", "refused: Compute environment {0} does not exist", "both refuse; the text is not documented", Right.OPEN),
    Difference("Deleting an environment that a queue has", deleting_an_attached_environment, "refused: Cannot delete, found existing JobQueue relationship", TAKEN, "API reference, DeleteComputeEnvironment"),
    Difference("Deleting an ENABLED environment", deleting_an_enabled_environment, "refused: Cannot delete, compute environment standing is ENABLED: disable it first.", TAKEN, "API reference, DeleteComputeEnvironment"),
)

POLICIES_AND_TAGS = (
    Difference("Policy: a name that is taken", the_same_policy_twice, "refused: Object already exists: scheduling policy twin", TAKEN, "not in the API reference", Right.OPEN),
    Difference("Policy: `shareDecaySeconds` of -1", calling("create_scheduling_policy", name="decay", fairsharePolicy={"shareDecaySeconds": -1}), "refused: shareDecaySeconds: -1 is not between 0 and 604800", TAKEN, "API reference, FairsharePolicy"),
    Difference("Policy: shares `A*` and `AB`", calling("create_scheduling_policy", name="overlap", fairsharePolicy=OVERLAP), "refused: Share identifier AB matches another share identifier A*", TAKEN, "API reference, ShareAttributes"),
    Difference("Deleting a policy that a queue follows", a_policy_in_use, "refused: Cannot delete, found existing JobQueue relationship: in-use is used by follower.", TAKEN, "API reference, DeleteSchedulingPolicy"),
    Difference("Updating an unknown policy", calling("update_scheduling_policy", arn=f"{ACCOUNT}:scheduling-policy/nosuch", fairsharePolicy={}), f"refused: SchedulingPolicy {ACCOUNT}:scheduling-policy/nosuch not found.", "HTTP 500", REPORTED),
    Difference("Tagging what does not exist", calling("tag_resource", resourceArn=f"{ACCOUNT}:job-queue/nosuch", tags={"a": "b"}), f"refused: Resource {ACCOUNT}:job-queue/nosuch does not exist.", TAKEN, "not in the API reference", Right.OPEN),
    Difference("A tag with the prefix `aws:`", tagging_with_awss_prefix, "refused: tags: 'aws:mine' cannot be set: the prefix aws: is reserved.", TAKEN, "API reference, TagResource"),
)
# fmt: on

NOUNS = (*DEFINITIONS, *QUEUES, *ENVIRONMENTS, *POLICIES_AND_TAGS)
