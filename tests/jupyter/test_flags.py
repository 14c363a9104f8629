from __future__ import annotations

import pytest

from nbbatch.client.options import option_names
from nbbatch.errors import OptionError
from nbbatch.jupyter.flags import FLAGS, cell_help, parse_cell_line


def test_a_full_line_is_read():
    """Every kind of flag arrives in AWS Batch's units."""
    line = parse_cell_line(
        '--in df,model --out scores --vcpus 2 --memory 4G --gpus 1 --queue q --timeout 2h --retries 3 --env A="x y" '
        "--env B=1 --name n-1 --tags team=blue --depends 3f2a --priority 5 --share s --backend local --as job"
    )
    assert (line.inputs, line.outputs, line.bind, line.detach) == (("df", "model"), ("scores",), "job", True)
    options = line.options
    assert (options.vcpus, options.memory, options.gpus, options.timeout, options.retries) == (
        2,
        4096,
        1,
        7200,
        3,
    )
    assert options.env == {"A": "x y", "B": "1"}
    assert (options.tags, options.depends, options.priority, options.share) == (
        {"team": "blue"},
        ("3f2a",),
        5,
        "s",
    )


def test_quote_marks_do_not_stay_in_values():
    """A quoted value arrives without its quotes."""
    assert parse_cell_line("--queue \"default\" --image='a/b:1'").options.image == "a/b:1"


def test_tags_are_given_one_by_one_or_by_commas():
    """No tag may have a comma in it; a variable's value may."""
    assert parse_cell_line("--tags team=x,kind=y --tags z=1").options.tags == {
        "team": "x",
        "kind": "y",
        "z": "1",
    }
    assert parse_cell_line("--env A=x,B=y").options.env == {"A": "x,B=y"}


def test_left_out_names_are_to_be_inferred_and_empty_ones_are_none():
    """Without --in names are inferred; an empty --in sends no variable."""
    assert parse_cell_line("").inputs is None
    assert parse_cell_line('--in "" --out=').inputs == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--vcpu 2", "--vcpus"),
        ("--memroy 2G", "--memory"),
        ("--detached", "--detach"),
        ("--queue", "expected one argument"),
        ("--vcpus 1.3", "1.3"),
        ("--memory lots", "lots"),
        ("--timeout 5s", "60"),
        ("--env NAME", "NAME"),
        ("--env AWS_BATCH_X=1", "AWS_BATCH_X"),
        ("--in 1x", "1x"),
        ("--as class", "class"),
        ("df", "df"),
        ("--item x", "--array"),
        ("--spot --on-demand", "exclude"),
        ("--local --detach", "exclude"),
        ("--local --as x", "exclude"),
        ("--cache --no-cache", "exclude"),
        ("--max-cost much", "dollars"),
        ("--value-limit lots", "lots"),
        ("--wait --detach", "exclude"),
        ("--image a --definition b", "exclude"),
        ("--retries 10", "9"),
        ("--memory -4G", "-4G"),
        ("--timeout -5m", "-5m"),
        ("--retries -1", "-1"),
        ("--tags team=x,kind", "kind"),
        ("--tags aws:x=1", "aws:"),
        ("--fetch ../x", "inside the job"),
        ("--priority high", "9999"),
        ("--share 'a b'", "a b"),
        ("--image 'not one'", "without blanks"),
        ("--name 'a b'", "a b"),
        ("--gpus 1.5", "1.5"),
        ("--max-cost 0", "above 0"),
    ],
)
def test_a_mistake_is_refused_and_named(line, said):
    """A wrong line raises, names the mistake and says what to do."""
    with pytest.raises(OptionError) as caught:
        parse_cell_line(line)
    assert said in str(caught.value)
    assert caught.value.cure


def test_the_name_a_cell_was_called_by_is_its_preset():
    """`%%gpu` has the preset gpu, unless its line names another one."""
    assert parse_cell_line("--vcpus 2", "gpu").options.preset == "gpu"
    assert parse_cell_line("--preset big", "gpu").options.preset == "big"
    assert parse_cell_line("").options.preset is None


def test_a_cache_that_is_set_can_be_refused_for_once():
    """`--cache`, `--no-cache`, and whatever the settings say."""
    said = [parse_cell_line(line).options.cache for line in ("--cache", "--no-cache", "")]
    assert said == [True, False, None]


def test_after_is_another_word_for_depends():
    """Both take one job or several, and add up."""
    assert parse_cell_line("--depends a,b --after c").options.depends == ("a", "b", "c")


def test_waiting_and_binding():
    """--as goes on with the notebook, and waits only when asked."""
    assert parse_cell_line("--as j").detach
    assert not parse_cell_line("--as j --wait").detach
    assert not parse_cell_line("").detach


def test_help_shows_every_flag():
    """-h lists each flag once, and what to type next."""
    assert parse_cell_line("-h").wants_help
    text = cell_help()
    assert all(f"{flag.word} " in text for flag in FLAGS)
    assert "%batch jobs" in text
    assert text.startswith("usage: %%batch")


def test_every_option_of_the_client_has_a_flag():
    """No option of the Python form is missing on the line."""
    known = {flag.key for flag in FLAGS}
    assert set(option_names()) <= known
