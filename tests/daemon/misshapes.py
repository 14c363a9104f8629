"""Requests for the fuzz: shaped as the service's model says, and then bent in one place.

Names are mostly those of things that exist, so that a request gets past the first look and into the
rules.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from nbbatch.wire.operations import Operation, load_model

ACCOUNT = "arn:aws:batch:eu-central-1:123456789012"
JOB = "00000000-0000-4000-8000-000000000000"
WORDS = {
    "jobQueue": ["q", f"{ACCOUNT}:job-queue/q", "other", "nope", ""],
    "jobDefinition": ["true", "true:1", f"{ACCOUNT}:job-definition/true:1", "true:99", ":", "true:"],
    "computeEnvironment": ["ce", f"{ACCOUNT}:compute-environment/ce", "nope"],
    "schedulingPolicyArn": [f"{ACCOUNT}:scheduling-policy/fair", "fair"],
    "resourceArn": [
        f"{ACCOUNT}:job-queue/q",
        f"{ACCOUNT}:job/{JOB}",
        "arn:",
        f"{ACCOUNT}:job/{JOB}:1",
        f"{ACCOUNT}:scheduling-policy/fair",
        f"{ACCOUNT}:consumable-resource/token",
        f"{ACCOUNT}:service-environment/se",
        f"{ACCOUNT}:job-queue/sage/quota-share/team",
        f"{ACCOUNT}:job-queue/q/quota-share/",
    ],
    "quotaShareArn": [f"{ACCOUNT}:job-queue/sage/quota-share/team", f"{ACCOUNT}:job-queue/q", "team"],
    "serviceEnvironment": ["se", f"{ACCOUNT}:service-environment/se", "nope"],
    "image": ["busybox", "", "a b"],
    "targetNodes": ["0:", ":1", "0:1", "1", "9:1", "x"],
    "logGroupName": ["/aws/batch/job", "/else"],
    "logStreamName": ["true/default/0", "../../etc/passwd", "a:b", ""],
    "logStreamNames": ["true/default/0", "../.."],
    "instanceTypes": ["m6i.large", "optimal", "m6g", "nope.large"],
    "type": ["container", "multinode", "MANAGED", "VCPU", "MEMORY", "EC2", "SPOT", "FARGATE"],
    "value": ["1", "64", "0.25", "-1", "1e3", "x", ""],
    "nextToken": ["", "x", "e30="],
}
"""What stands for a string under a member of this name; the plural of a name goes with it."""
NAMES = ["true", "q", "ce", "fair", "a-b_c", "-a", "", "x" * 129, "ä", "a b", JOB, f"{JOB}:0", f"{JOB}#0"]
NUMBERS = [0, 1, 2, 3, 60, 100, 10_000, -1, 2**31 - 1, 2**31, 2**63 - 1, -(2**63)]
ODD = [
    None,
    True,
    0,
    -1,
    2**63,
    2**70,
    1e308,
    0.1,
    "",
    "\0",
    "x" * 20_000,
    "\U0001f4a5" * 300,
    "../../../etc/passwd",
    "'; DROP TABLE jobs; --",
    "Ref::",
    [],
    {},
    [None],
    [[]] * 300,
    {"": None},
    {"x" * 300: {"y": 1}},
]

_CONTAINER = {
    "image": "busybox",
    "command": ["echo", "Ref::x"],
    "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
}
_INSTANCES = {
    "type": "EC2",
    "maxvCpus": 16,
    "instanceTypes": ["m6i.large"],
    "instanceRole": "ecsInstanceRole",
    "subnets": ["subnet-1"],
    "securityGroupIds": ["sg-1"],
}
GOOD: dict[str, Any] = {
    "SubmitJob": {"jobName": "n", "jobQueue": "q", "jobDefinition": "true"},
    "RegisterJobDefinition": {
        "jobDefinitionName": "true",
        "type": "container",
        "parameters": {"x": "1"},
        "containerProperties": _CONTAINER,
    },
    "CreateComputeEnvironment": {
        "computeEnvironmentName": "more",
        "type": "MANAGED",
        "computeResources": _INSTANCES,
    },
    "UpdateComputeEnvironment": {"computeEnvironment": "ce"},
    "CreateJobQueue": {
        "jobQueueName": "more",
        "priority": 1,
        "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": "ce"}],
    },
    "UpdateJobQueue": {"jobQueue": "other"},
    "ListJobs": {"jobQueue": "q"},
    "CreateSchedulingPolicy": {"name": "fair", "fairsharePolicy": {"shareDecaySeconds": 60}},
    "UpdateSchedulingPolicy": {"arn": f"{ACCOUNT}:scheduling-policy/fair"},
    "CreateConsumableResource": {"consumableResourceName": "token", "totalQuantity": 5},
    "UpdateConsumableResource": {"consumableResource": "token", "operation": "ADD", "quantity": 1},
    "CancelJobs": {"jobs": [JOB, f"{JOB}:1"], "reason": "r"},
    "TerminateJobs": {"jobs": [JOB], "reason": "r"},
    "CreateServiceEnvironment": {
        "serviceEnvironmentName": "se",
        "serviceEnvironmentType": "SAGEMAKER_TRAINING",
        "capacityLimits": [{"maxCapacity": 4, "capacityUnit": "NUM_INSTANCES"}],
    },
    "UpdateServiceEnvironment": {"serviceEnvironment": "se"},
    "TagResource": {"tags": {"a": "1"}},
    "UntagResource": {"tagKeys": ["a"]},
    "GetJobQueueSnapshot": {"jobQueue": "q"},
    "GetLogEvents": {"logGroupName": "/aws/batch/job", "logStreamName": "true/default/0"},
    "FilterLogEvents": {"logGroupName": "/aws/batch/job"},
}
"""Requests that get through, to be bent: by chance alone nearly none would."""


@st.composite
def nearly_good(draw: st.DrawFn, operation: Operation) -> Any:
    """A request that gets through, with up to two members more and up to one that is odd."""
    request = deepcopy(GOOD.get(operation.name, {}))
    others = draw(shaped(operation))
    for name in draw(st.lists(st.sampled_from(sorted(others)), max_size=2)) if others else ():
        request[name] = others[name]
    if draw(st.booleans()):
        _bend(draw, request)
    return request


def shaped(operation: Operation) -> st.SearchStrategy[Any]:
    """Requests that the model allows, as far as types go."""
    shapes = load_model(operation.service).shapes
    if operation.input_shape is None:
        return st.just({})
    return _Shaper(shapes).of(operation.input_shape, "", 0)


@st.composite
def misshaped(draw: st.DrawFn, operation: Operation) -> Any:
    """Requests with one value replaced by something else, wherever it is."""
    request = draw(shaped(operation))
    return request if _bend(draw, request) else draw(st.sampled_from(ODD))


def _bend(draw: st.DrawFn, request: Any) -> bool:
    places = list(_places(request))
    if places:
        holder, key = draw(st.sampled_from(places))
        holder[key] = draw(st.sampled_from([*ODD, _deep(200)]))
    return bool(places)


class _Shaper:
    def __init__(self, shapes: Any) -> None:
        self._shapes = shapes

    def of(self, name: str, member: str, depth: int) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one for each type
        shape = self._shapes[name]
        match shape["type"]:
            case "structure":
                return self._structure(shape, depth)
            case "list":
                entry = self.of(shape["member"]["shape"], member, depth + 1)
                return st.lists(entry, min_size=min(shape.get("min", 0), 3), max_size=3)
            case "map":
                keys = st.sampled_from(["a", "nbbatch:x", "aws:x", ""])
                return st.dictionaries(keys, self.of(shape["value"]["shape"], member, depth + 1), max_size=2)
            case "integer" | "long":
                return st.sampled_from(NUMBERS)
            case "boolean":
                return st.booleans()
            case "float" | "double":
                return st.sampled_from([0.0, 0.5, 1, -1.0, 1e300])
            case _:
                return st.sampled_from(shape.get("enum") or _words(member))

    def _structure(self, shape: Any, depth: int) -> st.SearchStrategy[Any]:
        needed = set(shape.get("required", ()))
        deep = depth > 6
        return st.fixed_dictionaries(
            {key: self.of(shape["members"][key]["shape"], key, depth + 1) for key in sorted(needed)},
            optional={
                key: self.of(known["shape"], key, depth + 1)
                for key, known in shape["members"].items()
                if key not in needed and not deep
            },
        )


def _words(member: str) -> list[str]:
    return WORDS.get(member) or WORDS.get(member.removesuffix("s")) or NAMES


def _places(value: Any) -> Any:
    """Every (container, key) inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from _places(inner)


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value
