import pytest

from nbbatch.errors import ClientException
from nbbatch.scheduler.commands.parameters import substitute

KNOWN = {"a": "1", "codec": "mp4", "a.b": "2"}


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ("Ref::codec", "mp4"),
        ("plain", "plain"),
        ("--codec=Ref::codec", "--codec=mp4"),
        ("Ref::codec/Ref::a", "mp4/1"),
        ("Ref::a.b", "2"),
        ("Ref::a.c", "1.c"),
        ("Ref::", "Ref::"),
        ("", ""),
    ],
)
def test_references_are_replaced(element, expected):
    """As a whole, and inside an element by the longest known name."""
    assert substitute((element,), KNOWN) == (expected,)


def test_a_value_is_not_looked_into_again():
    """A parameter whose value looks like a reference stays as it is."""
    assert substitute(("Ref::x",), {"x": "Ref::y"}) == ("Ref::y",)


def test_an_unknown_reference_is_refused():
    """The text names it."""
    with pytest.raises(ClientException, match="No parameter found for reference nope"):
        substitute(("Ref::nope",), KNOWN)
