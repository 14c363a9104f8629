import pytest

from nbbatch.errors import ClientException
from nbbatch.model.fleet import Switch
from nbbatch.wire.decode_fleet import decode_environment_request
from nbbatch.wire.decode_queue import decode_queue_request

EC2 = {
    "type": "EC2",
    "maxvCpus": 16,
    "instanceTypes": ["m6i", "optimal"],
    "instanceRole": "role",
    "subnets": ["s"],
    "securityGroupIds": ["g"],
}
FARGATE = {"type": "FARGATE", "maxvCpus": 16, "subnets": ["s"], "securityGroupIds": ["g"]}


def environment(resources=EC2, **more):
    request = {"computeEnvironmentName": "ce", "type": "MANAGED", "computeResources": resources, **more}
    return decode_environment_request({name: value for name, value in request.items() if value is not None})


def queue(*entries, **more):
    order = [{"order": place, "computeEnvironment": name} for place, name in entries]
    return decode_queue_request(
        {"jobQueueName": "q", "priority": 5, "computeEnvironmentOrder": order, **more}
    )


def test_an_environment_keeps_its_settings():
    """What placement needs is read, the rest is kept as it came."""
    read = environment({**EC2, "minvCpus": 2, "scalingPolicy": {"minScaleDownDelayMinutes": 30}})
    assert (read.min_vcpus, read.max_vcpus, read.instance_types) == (2, 16, ("m6i", "optimal"))
    assert read.idle_seconds == 1800
    assert read.request["computeResources"]["instanceRole"] == "role"


@pytest.mark.parametrize(
    ("resources", "more", "text"),
    [
        (EC2, {"computeEnvironmentName": "a b"}, "Compute Environment name should match a valid pattern."),
        (EC2, {"state": "DISABLED"}, "Compute Environment must be created in ENABLED state."),
        (None, {}, "computeResources must be provided for a MANAGED compute environment"),
        (EC2, {"unmanagedvCpus": 4}, "unmanagedvCpus is not applicable for managed Compute Environments"),
        (FARGATE, {"type": "UNMANAGED"}, "Cannot create an UNMANAGED Fargate Compute Environment."),
        (None, {"type": "UNMANAGED"}, "ServiceRole is required."),
        ({**EC2, "minvCpus": 17}, {}, "maxvCpus should be greater than or equal to minvCpus."),
        ({**EC2, "minvCpus": -1}, {}, "minvCpus should be greater than or equal to 0."),
        ({**EC2, "desiredvCpus": 17}, {}, "desiredvCpus should be between minvCpus and maxvCpus."),
        ({**EC2, "bidPercentage": 101}, {}, "Bid percentage must be between 0 to 100."),
        ({**EC2, "instanceTypes": []}, {}, "Resource instanceTypes are required."),
        ({**EC2, "instanceTypes": ["m6g.large", "m6i"]}, {}, "arm-based instance type cannot be used with other instance types"),
        ({**EC2, "instanceRole": ""}, {}, "Instance role is required."),
        ({**EC2, "securityGroupIds": []}, {}, "Security group ids are required."),
        ({**EC2, "type": "SPOT"}, {}, "compute resource spotIamFleetRole is required."),
        ({**FARGATE, "minvCpus": 1}, {}, "minvCpus is not applicable for Fargate."),
        ({**FARGATE, "securityGroupIds": list("abcdef")}, {}, "Fargate supports a maximum of 5 security groups."),
        ({**FARGATE, "subnets": ["s"] * 17}, {}, "Fargate supports a maximum of 16 subnets."),
    ],
)  # fmt: skip
def test_an_environment_is_refused_in_aws_words(resources, more, text):
    """Each rule has AWS's own text."""
    with pytest.raises(ClientException) as caught:
        environment(resources, **more)
    assert caught.value.message == text


def test_a_queue_orders_its_environments():
    """Ascending order, names or ARNs."""
    arn = "arn:aws:batch:us-east-1:1:compute-environment/b"
    assert queue((2, "a"), (1, arn), state="DISABLED").environments == ("b", "a")
    assert queue((2, "a"), state="DISABLED").state is Switch.DISABLED


@pytest.mark.parametrize(
    ("entries", "more", "text"),
    [
        ((), {}, "computeEnvironmentOrder is required."),
        ([(n, str(n)) for n in range(4)], {}, "Only 3 environments are allowed in job queue request."),
        ([(1, "a"), (2, "a")], {}, "Duplicate ComputeEnvironments within order list."),
        ([(1, "a"), (1, "b")], {}, "Duplicate ComputeEnvironment order values."),
        ([(1, "a")], {"jobQueueName": "a b"}, "Job Queue name should match a valid pattern."),
    ],
)
def test_a_queue_is_refused_in_aws_words(entries, more, text):
    """Each rule has AWS's own text."""
    with pytest.raises(ClientException) as caught:
        queue(*entries, **more)
    assert caught.value.message == text
