"""Cells in other languages, and commands with their files."""

from __future__ import annotations

import signal

import pytest

from nbbatch.client.packing.payloads import Cell
from nbbatch.client.results import load_result
from nbbatch.errors import OptionError


def test_bash_gets_variables_and_gives_some_back(desk) -> None:
    """Text and numbers are variables of the script; `--out` brings shell variables and files back."""
    source = 'echo "$who $n"\nlines=$(echo one; echo two)\necho content > made'
    ran = desk.run(
        Cell(source=source, language="bash", inputs={"who": "you & me", "n": 3}, outputs=["lines", "made"])
    )
    assert (ran.code, ran.stdout) == (0, "you & me 3\n")
    assert dict(ran.result.variables) == {"lines": "one\ntwo", "made": "content\n"}


def test_bash_stops_at_the_first_failing_line(desk) -> None:
    """The script runs under -e, and its exit code is the job's."""
    ran = desk.run(Cell(source="echo a\n(exit 7)\necho b", language="bash"))
    assert (ran.code, ran.result.exit_code, ran.stdout) == (7, 7, "a\n")
    assert ran.result.error.message == "bash exited with code 7."


def test_script_that_gives_nothing_back_is_an_error(desk) -> None:
    """`--out` with a name the script never set is told."""
    ran = desk.run(Cell(source="true", language="bash", outputs=["gone"]))
    assert ran.code == 1
    assert "gone cannot come back" in ran.result.error.message


def test_item_of_a_script(desk) -> None:
    """An array's item is `$ITEM`, the item's own name, and the first argument."""
    packed = desk.pack(Cell(source='echo "$ITEM $f $1"', language="bash", items=["a b", 2], item_name="f"))
    assert desk.run_packed(packed, 0).stdout == "a b a b a b\n"
    assert desk.run_packed(packed, 1).stdout == "2 2 2\n"


def test_any_command_line_is_a_language(desk) -> None:
    """A language that is a command line gets the script file as its last word."""
    ran = desk.run(Cell(source="print $0;", language="awk 'BEGIN {print 42; exit}' -f"))
    assert ran.stdout == "42\n"


def test_unknown_program_is_code_127(desk) -> None:
    """A program that is not there ends with a shell's code for it."""
    ran = desk.run(Cell(source="", language="no-such-program"))
    assert ran.code == 127
    assert "no-such-program cannot be started" in ran.result.error.message


@pytest.mark.parametrize("fields", [{"inputs": {"x": [1]}}, {"outputs": ["a; rm"]}, {"inputs": {"é": 1}}])
def test_what_a_shell_cannot_take_is_refused(desk, fields) -> None:
    """Values and names that no shell variable can have are refused before anything is sent."""
    with pytest.raises(OptionError):
        desk.pack(Cell(source="true", language="bash", **fields))


def test_stopping_a_script_stops_its_program(desk) -> None:
    """SIGTERM goes on to the script, and the result says stopped."""
    packed = desk.pack(
        Cell(source="trap 'echo bye; kill $!; exit 0' TERM\nsleep 60 &\necho ready\nwait", language="bash")
    )
    child = desk.start(packed)
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGTERM)
    out, _ = child.communicate(timeout=120)
    assert out == "bye\n"
    assert child.returncode == 143
    assert load_result(desk.store, packed.bundle_id).status == "stopped"
