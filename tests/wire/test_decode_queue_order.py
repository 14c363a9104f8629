import pytest

from nbbatch.errors import ClientException
from nbbatch.model.fleet import Switch
from nbbatch.wire.decode_queue import decode_queue_request


def queue(*entries, **more):
    order = [{"order": place, "computeEnvironment": name} for place, name in entries]
    return decode_queue_request(
        {"jobQueueName": "q", "priority": 5, "computeEnvironmentOrder": order, **more}
    )


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
