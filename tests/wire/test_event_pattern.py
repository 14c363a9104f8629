"""EventBridge's event patterns against events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbatch.errors import ClientException
from nbbatch.wire.event_pattern import compile_pattern

EVENT = {
    "source": "aws.batch",
    "detail-type": "Batch Job State Change",
    "resources": ["arn:1", "arn:2"],
    "detail": {
        "status": "FAILED",
        "attempts": 3,
        "tags": {"team": "Blue"},
        "isTerminated": False,
        "none": None,
    },
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({}, True),
        ({"source": ["aws.batch"]}, True),
        ({"source": ["aws.ec2", "aws.batch"], "detail": {"status": ["FAILED"]}}, True),
        ({"detail": {"status": ["SUCCEEDED"]}}, False),
        ({"resources": ["arn:2"]}, True),
        ({"detail": {"status": [{"prefix": "FA"}]}}, True),
        ({"detail": {"status": [{"suffix": "ED"}]}}, True),
        ({"detail": {"tags": {"team": [{"equals-ignore-case": "blue"}]}}}, True),
        ({"detail": {"tags": {"team": [{"prefix": {"equals-ignore-case": "bL"}}]}}}, True),
        ({"detail-type": [{"wildcard": "Batch*Change"}]}, True),
        ({"detail-type": [{"wildcard": "Batch*Blocked"}]}, False),
        ({"detail": {"status": [{"anything-but": ["SUCCEEDED", "RUNNING"]}]}}, True),
        ({"detail": {"status": [{"anything-but": {"prefix": "FA"}}]}}, False),
        ({"detail": {"absent": [{"anything-but": "x"}]}}, False),
        ({"detail": {"attempts": [{"numeric": [">", 2, "<=", 3]}]}}, True),
        ({"detail": {"attempts": [{"numeric": ["=", 2]}]}}, False),
        ({"detail": {"absent": [{"exists": False}]}}, True),
        ({"detail": {"status": [{"exists": True}]}}, True),
        ({"detail": {"absent": {"deep": [{"exists": False}]}}}, True),
        ({"detail": {"isTerminated": [False]}}, True),
        ({"detail": {"isTerminated": [0]}}, False),
        ({"detail": {"none": [None]}}, True),
        ({"$or": [{"source": ["x"]}, {"detail": {"attempts": [3]}}]}, True),
        ({"$or": [{"source": ["x"]}, {"detail": {"attempts": [4]}}]}, False),
    ],
)
def test_patterns(pattern, expected):
    """Members must all match; of the values in a list, one."""
    assert compile_pattern(pattern)(EVENT) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        [],
        "x",
        {"a": "b"},
        {"a": []},
        {"a": [["b"]]},
        {"a": [{"cidr": "10.0.0.0/8"}]},
        {"a": [{"prefix": 1}]},
        {"a": [{"prefix": "x", "suffix": "y"}]},
        {"a": [{"numeric": [">"]}]},
        {"a": [{"numeric": ["~", 1]}]},
        {"a": [{"numeric": []}]},
        {"a": [{"numeric": [[], 1]}]},
        {"a": [{"exists": "yes"}]},
        {"$or": {}},
        {"$or": []},
    ],
)
def test_what_cannot_be_understood_is_refused(pattern):
    """A malformed pattern is told where it is set, not taken for one that never matches."""
    with pytest.raises(ClientException, match="pattern"):
        compile_pattern(pattern)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "prefix", "numeric", "exists", "$or", "anything-but", "b"]), inner
        )
    ),
    max_leaves=8,
)


@given(JSON, JSON)
def test_any_pattern_is_either_refused_or_works(pattern, event):
    """No JSON makes the matcher fail in another way."""
    try:
        matches = compile_pattern(pattern)
    except ClientException:
        return
    assert matches(event) in (True, False)
