import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbatch.errors import OptionError
from nbbatch.model.resources import Resources, parse_duration, parse_memory, parse_vcpus

amounts = st.builds(
    Resources,
    vcpus=st.integers(0, 400).map(lambda quarters: quarters / 4),
    memory=st.integers(0, 1_000_000),
    gpus=st.integers(0, 16),
)


@given(amounts, amounts)
def test_what_is_added_can_be_taken_away_again(left, right):
    """Adding and subtracting are exact, quarters of a vCPU included."""
    assert left + right - right == left


@given(amounts, amounts)
def test_what_fits_leaves_nothing_below_zero(wanted, room):
    """An amount fits exactly when what is left of the room is none of it negative."""
    left = room - wanted
    assert wanted.fits(room) == (min(left.vcpus, left.memory, left.gpus) >= 0)


@pytest.mark.parametrize(
    ("text", "mib"),
    [("4G", 4096), ("4GiB", 4096), ("512M", 512), ("1.5g", 1536), (2048, 2048), ("8192K", 8), (" 4 MB ", 4)],
)
def test_memory_is_read_as_mib(text, mib):
    """Units are binary, a bare number is MiB."""
    assert parse_memory(text) == mib


@pytest.mark.parametrize("text", ["4X", "", "-1G", "lots", "3M", "0"])
def test_memory_that_makes_no_sense_is_refused_with_its_text(text):
    """The error names the value and how to write it."""
    with pytest.raises(OptionError, match=f"{text!r}"):
        parse_memory(text)


@pytest.mark.parametrize(("text", "vcpus"), [("0.25", 0.25), ("0.5", 0.5), ("1", 1), (16, 16), ("2.0", 2)])
def test_vcpus_are_sizes_of_aws_batch(text, vcpus):
    """Fractions only as Fargate has them."""
    assert parse_vcpus(text) == vcpus


@pytest.mark.parametrize("text", ["0", "1.5", "many", "-2", "0.1", "inf", "nan"])
def test_other_vcpus_are_refused(text):
    """The error names the value."""
    with pytest.raises(OptionError, match=text):
        parse_vcpus(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400)]
)
def test_durations_are_read_as_seconds(text, seconds):
    """A bare number is seconds."""
    assert parse_duration(text) == seconds


def test_a_duration_without_sense_is_refused():
    """The error names the value."""
    with pytest.raises(OptionError, match="soon"):
        parse_duration("soon")
