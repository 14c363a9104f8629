from dataclasses import replace

import pytest

from nbbatch.errors import ClientException
from nbbatch.model.fleet import AllocationStrategy, ComputeEnvironment, ResourceStatus, Switch
from nbbatch.wire.decode_environment import decode_environment_request, decode_environment_update

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


def update(known=None, **request):
    return decode_environment_update(known or environment(PROGRESSIVE), request)


PROGRESSIVE = {**EC2, "allocationStrategy": "BEST_FIT_PROGRESSIVE"}


def test_an_environment_keeps_its_settings():
    """What placement needs is read, the rest is kept as it came."""
    read = environment({**EC2, "minvCpus": 2, "scalingPolicy": {"minScaleDownDelayMinutes": 30}})
    assert (read.min_vcpus, read.max_vcpus, read.instance_types) == (2, 16, ("m6i", "optimal"))
    assert read.scale_down_minutes == 30
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


def test_rehearsal_settings_come_by_tags():
    """Beside the tags themselves, which are shown as given."""
    read = environment(
        EC2, tags={"nbbatch:launchSeconds": "90", "nbbatch:capacity": "m6i=4 *=1", "team": "x"}
    )
    assert (read.launch_seconds, read.pools) == (90, {"m6i": 4, "*": 1})
    assert read.tags["team"] == "x"


@pytest.mark.parametrize(
    ("kind", "strategy", "types", "text"),
    [
        ("EC2", "SPOT_CAPACITY_OPTIMIZED", ["m6i"], "is for compute environments of type SPOT"),
        ("SPOT", "BEST_FIT_PROGRESSIVE_ORDERED", ["m6i"], "is for compute environments of type EC2"),
        ("EC2", "BEST_FIT_PROGRESSIVE_ORDERED", ["optimal"], "takes no optimal"),
    ],
)
def test_strategies_go_with_their_kind_of_capacity(kind, strategy, types, text):
    """And the ordered ones take no bundles."""
    resources = {**EC2, "type": kind, "allocationStrategy": strategy, "instanceTypes": types}
    with pytest.raises(ClientException, match=text):
        environment(resources)


def test_a_scaling_update_replaces_no_host():
    """Only how many vCPUs there may be has changed; everything else stays as it was."""
    read = update(computeResources={"minvCpus": 1, "maxvCpus": 99, "desiredvCpus": 4}, state="DISABLED")
    assert not read.replaces_hosts
    assert read.desired_vcpus == 4
    assert (read.environment.min_vcpus, read.environment.max_vcpus) == (1, 99)
    assert read.environment.state is Switch.DISABLED
    assert read.environment.instance_types == ("m6i", "optimal")
    assert "desiredvCpus" not in read.environment.request["computeResources"]


def test_an_infrastructure_update_replaces_hosts_as_its_policy_says():
    """Thirty minutes for running jobs, what the policy says, or none."""
    read = update(computeResources={"instanceTypes": ["c6i"]})
    assert (read.replaces_hosts, read.job_seconds) == (True, 1800)
    policy = {"jobExecutionTimeoutMinutes": 5}
    read = update(computeResources={"imageId": "ami-2"}, updatePolicy=policy)
    assert read.job_seconds == 300
    later = decode_environment_update(read.environment, {"computeResources": {"imageId": "ami-3"}})
    assert later.job_seconds == 300
    assert later.environment.request["computeResources"]["imageId"] == "ami-3"
    read = update(computeResources={"type": "SPOT"}, updatePolicy={"terminateJobsOnUpdate": True})
    assert (read.job_seconds, read.environment.is_spot) == (0, True)


def test_the_same_values_again_are_no_infrastructure_update():
    """Tools that apply a whole configuration send what is there already."""
    assert not update(computeResources=dict(PROGRESSIVE)).replaces_hosts


def test_fargate_scales_and_changes_its_network():
    """And is never UPDATING for it."""
    known = environment(FARGATE)
    read = update(known, computeResources={"maxvCpus": 4, "subnets": ["s2"]})
    assert not read.replaces_hosts
    assert read.environment.request["computeResources"]["subnets"] == ["s2"]


def test_an_update_makes_an_invalid_environment_valid():
    """With AWS's word for healthy."""
    sick = replace(environment(FARGATE), status=ResourceStatus.INVALID, status_reason="CLIENT_ERROR - x")
    read = update(sick, state="ENABLED").environment
    assert (read.status, read.status_reason) == (ResourceStatus.VALID, "ComputeEnvironment Healthy")


def test_the_default_world_can_be_updated():
    """Nobody ever sent a request for it."""
    known = ComputeEnvironment(name="default", max_vcpus=8, instance_types=("m6i.large",))
    read = update(known, computeResources={"maxvCpus": 64})
    assert (read.environment.max_vcpus, read.replaces_hosts) == (64, False)
    assert read.environment.strategy is AllocationStrategy.BEST_FIT


UNMANAGED = environment(None, type="UNMANAGED", serviceRole="r")


@pytest.mark.parametrize(
    ("known", "request_", "text"),
    [
        (PROGRESSIVE, {"computeResources": {"maxvCpus": -1}}, "maxvCpus should be greater than or equal to minvCpus"),
        (PROGRESSIVE, {"computeResources": {"desiredvCpus": 17}}, "desiredvCpus should be between minvCpus and maxvCpus"),
        (PROGRESSIVE, {"computeResources": {"bidPercentage": 101}}, "Bid percentage must be between 0 to 100"),
        (PROGRESSIVE, {"computeResources": {"instanceTypes": ["m6g", "m6i"]}}, "arm-based instance type cannot"),
        (PROGRESSIVE, {"computeResources": {"type": "FARGATE"}}, "cannot be changed between Fargate and EC2"),
        (PROGRESSIVE, {"computeResources": {"scalingPolicy": {"minScaleDownDelayMinutes": 5}}}, "between 20 and 10080"),
        (PROGRESSIVE, {"unmanagedvCpus": 4}, "unmanagedvCpus is not applicable for managed"),
        (PROGRESSIVE, {"updatePolicy": {"jobExecutionTimeoutMinutes": 9000}}, "between 1 and 7200"),
        (PROGRESSIVE, {"eksConfiguration": {"eksClusterVersion": "1"}}, "nbbatch has no Kubernetes"),
        (EC2, {"computeResources": {"instanceTypes": ["c6i"]}}, "BEST_FIT, which allows no infrastructure update"),
        (FARGATE, {"computeResources": {"minvCpus": 1}}, "minvCpus is not applicable for Fargate"),
        (None, {"computeResources": {"maxvCpus": 1}}, "not applicable for unmanaged"),
    ],
)  # fmt: skip
def test_an_update_is_refused_in_aws_words(known, request_, text):
    """Each rule of the user guide, with AWS's own text where it is known."""
    with pytest.raises(ClientException, match=text):
        decode_environment_update(UNMANAGED if known is None else environment(known), request_)


def test_an_infrastructure_update_needs_the_service_linked_role():
    """Another role was given when it was created."""
    known = environment(PROGRESSIVE, serviceRole="arn:aws:iam::1:role/mine")
    with pytest.raises(ClientException, match="needs the service-linked role"):
        update(known, computeResources={"instanceTypes": ["c6i"]})
