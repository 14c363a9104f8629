import pytest

from nbbatch.errors import ClientException
from nbbatch.model.jobs import Dependency, DependencyType, EvaluateOnExit, RetryStrategy
from nbbatch.model.requests import NO_OVERRIDES
from nbbatch.wire.decode import decode_definition, decode_job, decode_reason

CONTAINER = {
    "image": "busybox",
    "resourceRequirements": [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "512"}],
}
DEFINITION = {"jobDefinitionName": "d", "type": "container", "containerProperties": CONTAINER}
JOB = {"jobName": "a", "jobQueue": "q", "jobDefinition": "d"}


def refused(decode, request) -> str:
    with pytest.raises(ClientException) as caught:
        decode(request)
    return caught.value.message


def test_a_definition_keeps_what_was_registered():
    """The request is kept as it came; the revision comes later."""
    definition = decode_definition(DEFINITION)
    assert (definition.name, definition.revision, definition.platform) == ("d", 0, "EC2")
    assert definition.request == DEFINITION
    assert definition.retry_strategy is None
    assert definition.timeout is None


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"jobDefinitionName": "a b"}, "Job Definition name should match a valid pattern."),
        ({"jobDefinitionName": "../x"}, "Job Definition name should match a valid pattern."),
        ({"jobDefinitionName": "x" * 129}, "Job Definition name should match a valid pattern."),
        ({"ecsProperties": {}}, "Cannot use both ECS containerProperties and ecsProperties"),
        ({"eksProperties": {}}, "Cannot use both ECS containerProperties and eksProperties"),
        ({"type": "multinode"}, "Node properties of multinode job is required."),
        ({"platformCapabilities": ["EC2", "FARGATE"]}, "Exactly 1 capability must be provided."),
        ({"schedulingPriority": 10_000}, "Scheduling priority must be between 0 and 9999."),
        (
            {"timeout": {"attemptDurationSeconds": 59}},
            "AttemptDurationSeconds in Timeout must be at least 60 seconds.",
        ),
        ({"retryStrategy": {}}, "RetryAttempts must be provided with retry strategy."),
        ({"retryStrategy": {"attempts": 11}}, "RetryAttempts must be between 1 and 10."),
        ({"tags": {"aws:x": "y"}}, "tags: 'aws:x' cannot be set: the prefix aws: is reserved."),
    ],
)
def test_a_definition_is_refused_in_aws_words(change, text):
    """Each rule has AWS's own text."""
    assert refused(decode_definition, {**DEFINITION, **change}) == text


def test_a_definition_without_a_container_is_refused():
    """Type container needs containerProperties."""
    request = {"jobDefinitionName": "d", "type": "container"}
    assert "containerProperties is required" in refused(decode_definition, request)


def strategy(*rules, attempts=3):
    return {**DEFINITION, "retryStrategy": {"attempts": attempts, "evaluateOnExit": list(rules)}}


def test_retry_rules_are_read_in_lower_case():
    """Actions are kept as the service shows them."""
    rule = {"action": "RETRY", "onStatusReason": "Host EC2*", "onExitCode": "13*"}
    assert decode_definition(strategy(rule)).retry_strategy == RetryStrategy(
        attempts=3,
        evaluate_on_exit=(EvaluateOnExit(action="retry", on_status_reason="Host EC2*", on_exit_code="13*"),),
    )


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ([{"action": "EXIT", "onReason": "x"}] * 6, "Up to 5 evaluateOnExit condition can be specified."),
        (
            [{"action": "EXIT"}],
            "EvaluateOnExit should contain at least one of onExitCode, onReason or onStatusReason.",
        ),
        (
            [{"action": "EXIT", "onExitCode": "1x"}],
            "Evaluate on exit condition contains restricted characters.",
        ),
        (
            [{"action": "EXIT", "onReason": "a*b"}],
            "Evaluate on exit condition contains restricted characters.",
        ),
        (
            [{"action": "EXIT", "onReason": "a" * 513}],
            "Evaluate on exit condition cannot exceed 512 characters.",
        ),
    ],
)
def test_retry_rules_are_refused_in_aws_words(rules, text):
    """Number, conditions, characters and length of rules are checked."""
    assert refused(decode_definition, strategy(*rules)) == text


def test_a_job_without_overrides_has_none():
    """What is not given is left to the definition."""
    draft = decode_job(JOB)
    assert draft.overrides is NO_OVERRIDES
    assert (draft.array_size, draft.retry_strategy, draft.timeout, draft.propagate_tags) == (None,) * 4


def test_dependencies_are_read():
    """All three forms of dependsOn."""
    entries = [{"jobId": "x"}, {"type": "SEQUENTIAL"}, {"jobId": "y", "type": "N_TO_N"}]
    assert decode_job({**JOB, "dependsOn": entries}).depends_on == (
        Dependency(job_id="x"),
        Dependency(type=DependencyType.SEQUENTIAL),
        Dependency(job_id="y", type=DependencyType.N_TO_N),
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"jobName": "-a"}, "Job name should match valid pattern"),
        ({"jobName": "a/b"}, "Job name should match valid pattern"),
        ({"jobName": "a" * 129}, "Job name should match valid pattern"),
        ({"dependsOn": [{"jobId": "x"}] * 21}, "dependsOn: has 21 entries, and may have at most 20"),
        ({"shareIdentifier": "a-b"}, "shareIdentifier: 'a-b' is not 1 to 255 letters and digits."),
        (
            {"containerOverrides": {"environment": [{"name": "AWS_BATCH_X", "value": "1"}]}},
            "Environment variable AWS_BATCH_X cannot be set: names that start with AWS_BATCH are reserved.",
        ),
        ({"containerOverrides": {"environment": [{"value": "1"}]}}, "Environment variable name is required."),
        (
            {"containerOverrides": {"command": ["a", ""]}},
            "containerOverrides.command may not contain an empty string.",
        ),
        ({"containerOverrides": {"vcpus": 0}}, "vCPU must be at least 1, got 0."),
        (
            {"eksPropertiesOverride": {"podProperties": {}}},
            (
                "eksPropertiesOverride: EKS jobs cannot run here: the local backend starts containers on this "
                "machine and has no Kubernetes cluster; use containerProperties or ecsProperties."
            ),
        ),
    ],
)
def test_a_job_is_refused_with_a_reason(change, text):
    """What can be told from the request alone is told before anything is looked up."""
    assert refused(decode_job, {**JOB, **change}) == text


CONTAINERS = {
    "image": "busybox",
    "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
}
KINDS = {
    "containerProperties": CONTAINERS,
    "ecsProperties": {"taskProperties": [{"containers": [CONTAINERS]}]},
    "eksProperties": {"podProperties": {}},
}


@pytest.mark.parametrize(
    ("kinds", "text"),
    [
        (["containerProperties", "ecsProperties"], "Cannot use both ECS containerProperties and ecsProperties"),
        (["containerProperties", "eksProperties"], "Cannot use both ECS containerProperties and eksProperties"),
        (["ecsProperties", "eksProperties"], "Cannot use both ecsProperties and eksProperties"),
        (["eksProperties"], "eksProperties: EKS jobs cannot run here: the local backend starts containers on this machine and has no Kubernetes cluster; use containerProperties or ecsProperties."),
    ],
)  # fmt: skip
def test_a_definition_is_of_one_kind(kinds, text):
    """Containers are given in one way, and not to Kubernetes."""
    request = {"jobDefinitionName": "d", "type": "container"} | {kind: KINDS[kind] for kind in kinds}
    assert refused(decode_definition, request) == text


def test_an_eks_override_is_refused():
    """It says why, not only that."""
    request = {
        "jobName": "n",
        "jobQueue": "q",
        "jobDefinition": "d",
        "eksPropertiesOverride": {"podProperties": {}},
    }
    assert "has no Kubernetes" in refused(decode_job, request)


@pytest.mark.parametrize("member", ["jobId", "reason"])
def test_stopping_needs_an_id_and_a_reason(member):
    """CancelJob and TerminateJob refuse empty ones in AWS's words; the bulk forms have no `jobId`."""
    request = {"jobId": "j", "reason": "enough"}
    text = f"'{member}' is a required field (cannot be an empty string)"
    assert refused(decode_reason, request | {member: ""}) == text
    assert decode_reason(request) == decode_reason({"jobs": ["j"], "reason": "enough"}) == "enough"
