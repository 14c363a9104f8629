"""Magics in a cell that is to run as a job: refused before it is sent, where the job could not know them."""

from __future__ import annotations

import pytest

from nbbatch.errors import UserError


def run(shell, cell):
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
    return result


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%pip install x", r"%pip does not work inside a job\..*cell of its own"),
        ("if 1:\n    %debug", "%debug does not work"),
        ("%batch jobs", "cannot submit another"),
        ("%matplotlib qt", "no screen"),
        ("%tiem 1 + 1", r"no magic %tiem\. Did you mean %time\?"),
        ("%%nosuchmagic\n1", "no magic %%nosuchmagic.*%load_ext"),
    ],
)
def test_a_magic_the_job_cannot_know_is_refused(batch_shell, cell, said):
    """The error names it and says what to do; nothing was sent."""
    with pytest.raises(UserError, match=said):
        run(batch_shell, f"%%batch\n{cell}")


def test_a_magic_of_the_notebook_is_refused_by_its_name(batch_shell):
    """One that a cell has registered is told to be the notebook's."""
    run(
        batch_shell,
        "from IPython.core.magic import register_line_magic\n@register_line_magic\ndef shout(line):\n    return line.upper()",
    )
    with pytest.raises(UserError, match="%shout is a magic of this notebook"):
        run(batch_shell, "%%batch\nx = 1\n%shout hey")


def test_an_extension_loaded_in_the_cell_brings_its_magics(batch_shell, capsys, tmp_path, monkeypatch):
    """What follows %load_ext is left to the job, which loads it, too."""
    (tmp_path / "shouting.py").write_text(
        "def load_ipython_extension(shell):\n    shell.register_magic_function(lambda line: print(line.upper()), magic_name='shout')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    run(batch_shell, "%%batch\n%load_ext shouting\n%shout hey")
    assert "HEY\n" in capsys.readouterr().out


def test_names_behind_a_magic_s_options_are_sent(batch_shell, capsys):
    """What %timeit runs and what `?` asks about travels as if it stood in the cell."""
    run(batch_shell, "def work():\n    'Works.'\n    return 1\nn = 2")
    run(batch_shell, "%%batch\n%timeit -n1 -r 1 work() + n\nwork?")
    said = capsys.readouterr().out
    assert "sends n" in said
    assert "per loop" in said
    assert "Works." in said


def test_what_the_job_needs_ipython_for_is_known_before(batch_shell):
    """A cell counts as importing IPython exactly where the runner could not do without."""
    from nbbatch.client.packing.names import read_names

    assert "IPython" not in read_names("!ls\nx = !ls\n%time 1\n%env A=1\n%cd /\n%matplotlib inline").imports
    assert "IPython" not in read_names("%%time\n1").imports
    assert "IPython" in read_names("%timeit 1").imports
    assert "IPython" in read_names("%%html\n<b>").imports
