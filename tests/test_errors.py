import pickle

import pytest

from nbbatch import errors


def tree(kind):
    """A class and all below it that this module defines; others keep small ones of their own."""
    children = [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
    return [kind, *(below for child in children for below in tree(child))]


def test_the_drawn_tree_names_every_error():
    """The picture at the top of the module is the truth."""
    drawn = errors.__doc__
    assert [kind.__name__ for kind in tree(errors.NbbatchError) if kind.__name__ not in drawn] == []


@pytest.mark.parametrize("kind", tree(errors.NbbatchError))
def test_every_error_travels_by_pickle(kind):
    """Errors cross processes with message and cure."""
    again = pickle.loads(pickle.dumps(kind("it broke", cure="mend it")))
    assert (type(again), str(again)) == (kind, "it broke. mend it")


def test_a_remote_error_shows_the_remote_traceback():
    """IPython prints where the cell failed, then what to do."""
    error = errors.RemoteError("boom", remote_traceback="Cell line 3", cure="look there")
    assert error._render_traceback_() == ["Cell line 3\n\nboom\nlook there"]


def test_a_job_error_shows_the_tail_of_the_log():
    """The last lines are part of the text."""
    assert "out of disk" in str(errors.JobFailedError("exit 1", log_tail="out of disk"))


@pytest.mark.parametrize("message", ["it broke", "it broke."])
def test_message_and_cure_are_two_sentences(message):
    """Whatever a message ends with, as the text of an exception of the user's does."""
    assert str(errors.OptionError(message, cure="Mend it.")) == "it broke. Mend it."
