import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbatch.daemon.paging import Paging, page_size
from nbbatch.errors import ClientException

PAGING = Paging(b"key")
ASKED = {"jobQueue": "q", "maxResults": 5}


def test_a_token_brings_its_position_back():
    """Another page size is still the same question; a restarted daemon knows it too."""
    token = PAGING.token("ListJobs", ASKED, [1, 2])
    assert PAGING.position("ListJobs", {"jobQueue": "q", "maxResults": 9, "nextToken": token}) == [1, 2]
    assert Paging(b"key").position("ListJobs", {"jobQueue": "q", "nextToken": token}) == [1, 2]


def test_no_token_is_the_first_page():
    """Absent or empty."""
    assert PAGING.position("ListJobs", ASKED) is None
    assert PAGING.position("ListJobs", {"nextToken": ""}) is None


@pytest.mark.parametrize("other", [Paging(b"other"), PAGING])
def test_a_token_is_good_for_its_own_question_and_key(other):
    """Other filters or another key: refused."""
    token = other.token("ListJobs", ASKED, 1)
    asked = {"jobQueue": "other" if other is PAGING else "q", "nextToken": token}
    with pytest.raises(ClientException, match="nextToken"):
        PAGING.position("ListJobs", asked)


@given(st.text() | st.binary().map(lambda raw: raw.hex()))
def test_no_made_up_token_passes(token):
    """Whatever it is, it is refused cleanly."""
    if token:
        with pytest.raises(ClientException, match="nextToken"):
            PAGING.position("ListJobs", {**ASKED, "nextToken": token})


def test_page_sizes_are_bounded():
    """Less than one is an error, more than the maximum is the maximum."""
    assert [page_size({}, 100), page_size({"maxResults": 7}, 100), page_size({"maxResults": 999}, 100)] == [
        100,
        7,
        100,
    ]
    with pytest.raises(ClientException, match="maxResults"):
        page_size({"maxResults": 0}, 100)
