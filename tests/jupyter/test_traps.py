"""Traps that other tools fell into, those of a cell's line and its inputs: one test each."""

from __future__ import annotations

import pytest


def run(shell, cell):
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
    return result


def test_only_what_a_cell_reads_is_sent(batch_shell, capsys):
    """A notebook full of variables sends none that the cell does not name."""
    run(batch_shell, "used = 1\n" + "\n".join(f"unread_{n} = bytearray(1000)" for n in range(20)))
    run(batch_shell, "%%batch\nhere = sorted(name for name in globals() if name.startswith('unread'))\nused")
    said = capsys.readouterr().out
    assert "sends used (" in said
    assert "unread" not in said
    assert batch_shell.user_ns["here"] == []


@pytest.mark.parametrize("magic", ["%%batch", "%%small"])
def test_quote_marks_do_not_reach_the_job(batch_shell, magic):
    """A quoted value arrives as it was meant, in a preset's cell as well."""
    run(batch_shell, "import nbbatch\nnbbatch.magic('small', vcpus=0.25)")
    run(
        batch_shell,
        f"{magic} --env A=\"x y\" --env 'B=\"q\"' --name 'quoted-name'\nimport os\ngot = os.environ['A'], os.environ['B']",
    )
    assert batch_shell.user_ns["got"] == ("x y", '"q"')


@pytest.mark.parametrize("magic", ["%%batch", "%%small"])
def test_nothing_on_the_line_is_expanded(batch_shell, magic):
    """IPython would put its own variables into `$x` and `{x}`; the job gets what stands there."""
    run(batch_shell, "x = 'from here'\nimport nbbatch\nnbbatch.magic('small', vcpus=0.25)")
    run(
        batch_shell,
        f"{magic} --env A=$x --env B={{x}} --env C='$HOME {{x}}'\nimport os\ngot = [os.environ[k] for k in 'ABC']",
    )
    assert batch_shell.user_ns["got"] == ["$x", "{x}", "$HOME {x}"]


def test_nothing_in_a_script_is_expanded(batch_shell, capsys):
    """Braces and dollars of a shell script are the shell's."""
    run(batch_shell, "x = 'from here'")
    run(batch_shell, '%%batch --lang bash\nx=there\necho "$x ${x}s {x}"')
    assert "there theres {x}\n" in capsys.readouterr().out


def test_a_word_of_the_command_line_is_not_expanded(batch_shell):
    """`%batch` leaves its words alone, too."""
    batch_shell.user_ns["name"] = "default"
    with pytest.raises(Exception, match=r"\{name\}"):
        run(batch_shell, "%batch jobs --queue {name}")
