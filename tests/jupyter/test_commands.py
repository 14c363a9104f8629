from __future__ import annotations

import pytest

from nbbatch.errors import OptionError
from nbbatch.jupyter.commands import COMMANDS, command_help, parse_command


def test_a_line_is_read():
    """Command, job and options, with the ellipsis of a shortened id taken off."""
    call = parse_command("logs 3f2a91c0… -f --tail 20")
    assert (call.command.name, call.job, call.options) == ("logs", "3f2a91c0", {"follow": True, "tail": 20})
    assert parse_command("jobs --queue=spot").options == {"queue": "spot"}


def test_an_empty_line_asks_for_help():
    """%batch alone shows what there is."""
    assert parse_command("").command.name == "help"
    shown = " ".join(command_help().split())
    assert all(f"%batch {command.usage} {command.help}" in shown for command in COMMANDS)
    assert all(len(line) < 110 for line in command_help().splitlines())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("job", "id or name"),
        ("lgos x", "%batch logs"),
        ("frobnicate", "jobs"),
        ("logs a b", "'b'"),
        ("logs a --tails 3", "--tail"),
        ("logs a --tail", "value"),
        ("logs a --tail many", "many"),
        ("cancel a -f", "-f"),
    ],
)
def test_a_mistake_is_refused_and_named(line, said):
    """A wrong line raises and says how it is written."""
    with pytest.raises(OptionError) as caught:
        parse_command(line)
    assert said in str(caught.value)


def test_the_doctor_is_a_word_and_completes_backends():
    """`%batch doctor prod` looks at that backend; without a name at the one in use."""
    assert parse_command("doctor prod").job == "prod"
    assert parse_command("doctor").job == ""
