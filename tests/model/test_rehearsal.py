"""Settings by tags: read, or refused with the tag, the value and what it takes."""

import pytest

from nbbatch.errors import ClientException
from nbbatch.model.rehearsal import of_pool, read_rehearsal


def test_each_setting_has_its_field():
    """Numbers alone, or by pool; other tags are nobody's business here."""
    tags = {
        "nbbatch:launchSeconds": "90",
        "nbbatch:idleSeconds": "0.5",
        "nbbatch:noticeSeconds": "5",
        "nbbatch:interruptionsPerHour": "m6i=0.1 c6i.large=2",
        "nbbatch:capacity": "4",
        "team": "fleet",
    }
    assert read_rehearsal(tags) == {
        "launch_seconds": 90,
        "idle_seconds": 0.5,
        "notice_seconds": 5,
        "interruptions": {"m6i": 0.1, "c6i.large": 2},
        "pools": {"*": 4},
    }


def test_the_nearest_name_of_a_pool_counts():
    """The type before its family, that before all others."""
    pools = {"c6i.large": 1, "c6i": 2, "*": 3}
    assert [of_pool(pools, name) for name in ("c6i.large", "c6i.xlarge", "m6i.large")] == [1, 2, 3]
    assert of_pool({}, "m6i.large") is None


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("launchSeconds", "soon"),
        ("launchSeconds", "-1"),
        ("idleSeconds", "nan"),
        ("noticeSeconds", "inf"),
        ("capacity", " "),
        ("capacity", "m6i="),
        ("interruptionsPerHour", "m6i=often"),
        ("launchDelay", "3"),
    ],
)
def test_what_cannot_be_read_names_its_tag(tag, value):
    """Also a setting that does not exist."""
    with pytest.raises(ClientException, match=f"tags: nbbatch:{tag} is"):
        read_rehearsal({f"nbbatch:{tag}": value})
