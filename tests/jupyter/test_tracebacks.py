"""A remote traceback looks as this notebook's own does, and its exception is there to be looked at."""

from __future__ import annotations

import re

import pytest

from nbbatch.errors import RemoteError

ERRS = "%%batch\nx = 1\nx / 0"


def run(shell, cell):
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
    return result


def failure(shell, cell) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        run(shell, cell)
    return caught.value


def shown(error) -> list[str]:
    """The lines that IPython shows."""
    return "".join(error._render_traceback_()).splitlines()


def test_the_mode_of_the_notebook_counts(batch_shell):
    """`%xmode` says how a remote traceback is drawn, as for any other."""
    error = failure(batch_shell, ERRS)
    assert "----> 3 x / 0" in shown(error)
    run(batch_shell, "%xmode Minimal")
    assert shown(error)[0] == "ZeroDivisionError: division by zero"
    run(batch_shell, "%xmode Context")


@pytest.mark.parametrize("variable", ["NO_COLOR", "CI"])
def test_colours_are_the_notebooks_unless_plain_text_is_asked_for(batch_shell, monkeypatch, variable):
    """With NO_COLOR or in CI a traceback has no colours."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    error = failure(batch_shell, ERRS)
    run(batch_shell, "%colors linux")
    assert "\x1b[" in "".join(error._render_traceback_())
    monkeypatch.setenv(variable, "1")
    assert "\x1b[" not in "".join(error._render_traceback_())
    run(batch_shell, "%colors nocolor")


def test_what_the_cell_raised_is_the_cause(batch_shell):
    """An exception that can travel is there as itself, of the notebook's own class."""
    run(batch_shell, "class Odd(Exception):\n    pass")
    error = failure(batch_shell, "%%batch\nraise Odd(3)")
    assert type(error.__cause__) is batch_shell.user_ns["Odd"]
    assert error.__cause__.args == (3,)
    assert failure(batch_shell, "%%batch\nimport json; json.loads('{')").__cause__.pos == 1


def test_an_exception_that_cannot_travel_is_told_by_name(batch_shell):
    """One that does not pickle leaves its type, text and traceback."""
    error = failure(
        batch_shell, "%%batch\nimport threading\nclass Held(Exception): pass\nraise Held(threading.Lock())"
    )
    assert (error.__cause__, error.remote_type) == (None, "Held")
    assert any("raise Held(threading.Lock())" in line for line in shown(error))


def test_a_local_module_is_shown_under_its_own_path(batch_shell, tmp_path, monkeypatch):
    """Lines of a module of the project are shown with the file it has here."""
    (tmp_path / "helpers.py").write_text("def half(x):\n    return x / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    run(batch_shell, "import helpers")
    lines = "\n".join(failure(batch_shell, "%%batch\nhelpers.half(1)")._render_traceback_())
    assert re.search(r"helpers\.py:2, in half\(x\)", lines)
    assert "blobs" not in lines
    assert "----> 2     return x / 0" in lines


def test_without_ipython_the_traceback_is_pythons(batch_shell):
    """Where no shell runs, or the facts are gone, the text that Python printed is shown."""
    from nbbatch.jupyter.tracebacks import traceback_lines

    error = failure(batch_shell, ERRS)
    assert traceback_lines(error.remote_traceback, {})[0] == "Traceback (most recent call last):"
    assert traceback_lines(error.remote_traceback, {"trace": {}, "files": {}})[-1].startswith(
        "ZeroDivisionError"
    )
