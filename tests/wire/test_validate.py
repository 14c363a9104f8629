import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbatch.errors import ClientException
from nbbatch.wire.operations import load_model
from nbbatch.wire.validate import validate

BATCH, LOGS = load_model("batch").operations, load_model("logs").operations
SUBMIT = {"jobName": "a", "jobQueue": "q", "jobDefinition": "d"}


def refusal(operation, request) -> str:
    with pytest.raises(ClientException) as caught:
        validate(operation, request)
    return caught.value.message


def test_unknown_members_and_nulls_are_left_out():
    """What the model does not know, and what is null, is as if it were absent."""
    request = {**SUBMIT, "timeout": None, "novelty": 1, "containerOverrides": {"command": None, "x": {}}}
    assert validate(BATCH["SubmitJob"], request) == {**SUBMIT, "containerOverrides": {}}


def test_the_request_itself_is_not_changed():
    """Cleaning makes a new object."""
    request = {**SUBMIT, "timeout": None}
    validate(BATCH["SubmitJob"], request)
    assert "timeout" in request


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"jobQueue": "q", "jobDefinition": "d"}, "jobName: is required, and missing"),
        ({**SUBMIT, "jobName": None}, "jobName: is required, and missing"),
        ({**SUBMIT, "jobName": 5}, "jobName: 5 is not a string"),
        ([], "request: [] is not an object"),
        ({**SUBMIT, "arrayProperties": {"size": "5"}}, "arrayProperties.size: '5' is not an integer"),
        ({**SUBMIT, "arrayProperties": {"size": True}}, "arrayProperties.size: True is not an integer"),
        ({**SUBMIT, "arrayProperties": {"size": 2.5}}, "arrayProperties.size: 2.5 is not an integer"),
        (
            {**SUBMIT, "arrayProperties": {"size": 2**31}},
            "arrayProperties.size: 2147483648 is not between -2147483648 and 2147483647",
        ),
        ({**SUBMIT, "propagateTags": "yes"}, "propagateTags: 'yes' is not true or false"),
        ({**SUBMIT, "dependsOn": [{"jobId": "x"}, None]}, "dependsOn[1]: null is not an object"),
        ({**SUBMIT, "dependsOn": {"jobId": "x"}}, "dependsOn: {'jobId': 'x'} is not a list"),
        ({**SUBMIT, "parameters": {"a": 1}}, "parameters.a: 1 is not a string"),
        (
            {**SUBMIT, "containerOverrides": {"resourceRequirements": [{"type": "CPU", "value": "1"}]}},
            "containerOverrides.resourceRequirements[0].type: 'CPU' is not one of GPU, VCPU, MEMORY",
        ),
        (
            {**SUBMIT, "containerOverrides": {"resourceRequirements": [{"type": "VCPU"}]}},
            "containerOverrides.resourceRequirements[0].value: is required, and missing",
        ),
        ({**SUBMIT, "tags": {"k": "v" * 257}}, "tags.k: has 257 characters, and may have at most 256"),
        (
            {**SUBMIT, "tags": {str(i): "" for i in range(51)}},
            "tags: has 51 entries, and may have at most 50",
        ),
    ],
)
def test_a_mismatch_names_the_member_and_its_value(request_, text):
    """The message has the path, the value and what it should have been."""
    assert refusal(BATCH["SubmitJob"], request_) == text


def test_a_long_value_is_cut_in_the_message():
    """A message does not carry a whole payload."""
    text = refusal(BATCH["SubmitJob"], {**SUBMIT, "arrayProperties": {"size": "x" * 10_000}})
    assert len(text) < 200


def test_patterns_and_ranges_of_the_model_count():
    """Log stream names have a pattern, limits have a range."""
    request = {"logStreamName": "a/b", "logGroupName": "g"}
    assert validate(LOGS["GetLogEvents"], request) == request
    assert "does not match" in refusal(LOGS["GetLogEvents"], {**request, "logStreamName": "a:b"})
    assert "is not between 1 and 10000" in refusal(LOGS["GetLogEvents"], {**request, "limit": 0})


@pytest.mark.parametrize("action", ["RETRY", "retry", "Exit"])
def test_retry_actions_come_in_any_case(action):
    """AWS takes `RETRY` and `retry`."""
    strategy = {"attempts": 1, "evaluateOnExit": [{"action": action, "onReason": "*"}]}
    assert validate(BATCH["SubmitJob"], {**SUBMIT, "retryStrategy": strategy})["retryStrategy"] == strategy


def test_an_empty_map_of_tags_passes():
    """Clients send empty maps where the model wants one entry."""
    assert validate(BATCH["SubmitJob"], {**SUBMIT, "tags": {}})["tags"] == {}


def test_no_body_is_an_empty_request():
    """An operation without required members needs no body."""
    assert validate(BATCH["DescribeJobQueues"], None) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


@given(
    st.sampled_from(sorted(BATCH)),
    st.dictionaries(
        st.sampled_from(["jobName", "containerProperties", "dependsOn", "tags", "nodeProperties", "jobs"]),
        JSON,
    )
    | JSON,
)
def test_any_json_is_cleaned_or_refused(name, request):
    """No JSON value makes the checks fail in another way than with a ClientException."""
    try:
        cleaned = validate(BATCH[name], request)
    except ClientException as error:
        assert ": " in error.message  # noqa: PT017
    else:
        assert validate(BATCH[name], cleaned) == cleaned
