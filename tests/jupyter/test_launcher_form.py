"""The launcher's model: texts of a form to a line, which the magic's own parser reads back; no widget."""

from __future__ import annotations

import ast
import string

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nbbatch.client.config import Config, Layer
from nbbatch.client.options import Options
from nbbatch.errors import OptionError
from nbbatch.jupyter.flags import parse_cell_line
from nbbatch.jupyter.launcher.draft import MAGIC, draft_of, in_force
from nbbatch.jupyter.launcher.form import FIELDS, OPTIONS, Form, Kind, form_of, form_of_line, texts_of
from nbbatch.jupyter.launcher.reading import Scene
from nbbatch.jupyter.words import quoted, split_line

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=12)
NAME = st.text(string.ascii_lowercase, min_size=1, max_size=6)
WORDS = st.lists(st.text(string.ascii_letters + "/._- ", min_size=1, max_size=8), min_size=1, max_size=3)
TEXTS = {
    "queue": TEXT,
    "image": TEXT,
    "vcpus": st.sampled_from(["0.25", "0.5", "1", "2", "16", "3.0", "0.3", "x"]),
    "memory": st.sampled_from(["512M", "4G", "2048", "1.5g", "2 G", "1M", "much"]),
    "gpus": st.integers(-1, 4).map(str),
    "spot": st.sampled_from(["yes", "no"]),
    "retries": st.integers(-1, 12).map(str),
    "timeout": st.sampled_from(["90s", "10m", "2h", "1d", "5"]),
    "max_cost": st.sampled_from(["1", "$2.50", "0.001", "0", "dear"]),
    "name": st.one_of(NAME, TEXT),
    "env": st.dictionaries(NAME.map(str.upper), TEXT, min_size=1, max_size=3).map(
        lambda pairs: " ".join(quoted(f"{key}={value}") for key, value in pairs.items())
    ),
    "tags": TEXT.map(lambda text: quoted(f"team={text}")),
    "files": WORDS.map(",".join),
    "fetch": WORDS.map(",".join),
    "workdir": TEXT,
    "depends": st.lists(NAME, min_size=1, max_size=3).map(",".join),
    "priority": st.integers(-5, 10_100).map(str),
    "share": NAME,
    "like": st.one_of(NAME, NAME.map("{}.resized()".format)),
    "cache": st.sampled_from(["yes", "no"]),
    "value_limit": st.sampled_from(["1M", "2G", "0"]),
    "array": st.sampled_from(["range(20)", "df", '["a b", "c"]', "{'lr': [1, 2]}", "range(", "x y"]),
    "item": st.one_of(NAME, TEXT),
    "bind": st.one_of(NAME, TEXT),
    "in": st.lists(NAME, min_size=1, max_size=3).map(",".join),
    "out": NAME,
    "flow": st.just("detach"),
}
IN_FORCE = st.builds(
    Options,
    queue=st.sampled_from([None, "default", "gpu"]),
    vcpus=st.sampled_from([None, 1.0, 4.0]),
    memory=st.sampled_from([None, 2048, 8192]),
    spot=st.sampled_from([None, True, False]),
    timeout=st.sampled_from([None, 600, 7200]),
    env=st.sampled_from([{}, {"A": "1"}]),
    cache=st.sampled_from([None, True]),
)

BRIEF = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def forms(kind: Kind) -> st.SearchStrategy[Form]:
    shown = {one.name for one in FIELDS if kind in one.kinds}
    texts = {name: strategy for name, strategy in TEXTS.items() if name in shown}
    return st.fixed_dictionaries({}, optional=texts).map(lambda chosen: Form(kind=kind).having(**chosen))


def scene_of(options: Options) -> Scene:
    layer = Layer(source="this session", options=options)
    return Scene(config=Config(session=layer), names=frozenset({"train"}), module="nb")


@BRIEF
@given(form=forms(Kind.CELL), defaults=IN_FORCE)
def test_the_line_read_by_the_magic_gives_the_options_of_the_form(form, defaults):
    """What the form says and what its line says comes to the same job, whatever the settings are."""
    scene = scene_of(defaults)
    draft = draft_of(form, scene)
    assume(not draft.problems)
    line = parse_cell_line(draft.line.removeprefix(MAGIC))
    assert in_force(line.options, scene.config) == draft.options
    assert line.array == (form.text("array") or None)
    assert line.item == (form.text("item") or "item")
    assert line.bind == (form.text("bind") or None)
    assert line.detach == bool(form.text("flow") or form.text("bind"))
    assert (line.outputs or ()) == tuple(filter(None, [form.text("out")]))


@BRIEF
@given(form=forms(Kind.FUNCTION), defaults=IN_FORCE)
def test_the_call_read_as_python_gives_the_options_of_the_form(form, defaults):
    """The keywords of the call are options that come to the same job."""
    scene = scene_of(defaults)
    draft = draft_of(form.having(function="train"), scene)
    assume(not draft.problems)
    call = ast.parse(draft.line).body[0].value
    keywords = {one.arg: ast.literal_eval(one.value) for one in call.keywords}
    assert in_force(Options.parse(keywords), scene.config) == draft.options


@BRIEF
@given(form=forms(Kind.CELL), defaults=IN_FORCE)
def test_no_word_of_the_line_could_be_left_out(form, defaults):
    """Only what differs from the settings stands in the line."""
    scene = scene_of(defaults)
    draft = draft_of(form, scene)
    assume(not draft.problems)
    options = parse_cell_line(draft.line.removeprefix(MAGIC)).options
    for name in draft.changes:
        fewer = {key: text for key, text in texts_of(options).items() if key != name}
        assert name == "preset" or in_force(form_options(fewer), scene.config) != draft.options


def form_options(texts: dict[str, str]) -> Options:
    return parse_cell_line(draft_of(Form().having(**texts), Scene()).line.removeprefix(MAGIC)).options


@BRIEF
@given(form=forms(Kind.CELL))
def test_a_form_always_has_a_line_or_a_problem_that_names_a_field(form):
    """Whatever is typed, the form says which field is wrong, and never fails."""
    draft = draft_of(form, Scene())
    assert draft.line.startswith(MAGIC)
    assert "\n" not in draft.line
    assert (draft.options is None) == bool(draft.problems)
    assert all(one.message for one in draft.problems)


@BRIEF
@given(TEXT)
def test_a_quoted_word_is_one_word(text):
    """Quoting is what the magic's splitter undoes."""
    assert split_line(f"--a {quoted(text)} b") == ["--a", text, "b"]


@BRIEF
@given(IN_FORCE)
def test_options_become_texts_that_mean_the_same(options):
    """A form that is filled in by a call says what the call said."""
    given_texts = texts_of(options)
    read = draft_of(Form().having(**given_texts), Scene())
    assume(not read.problems)
    assert read.options == in_force(options, Config())


def test_a_call_fills_the_fields_in():
    """Options as in submit, and the launcher's own words."""
    form = form_of({"queue": "gpu", "vcpus": 4, "memory": 8192, "timeout": "120m", "spot": False})
    assert {name: form.text(name) for name in ("queue", "vcpus", "memory", "timeout", "spot")} == {
        "queue": "gpu",
        "vcpus": "4",
        "memory": "8G",
        "timeout": "2h",
        "spot": "no",
    }
    assert form_of({"function": sum}).kind is Kind.FUNCTION
    assert form_of({"notebook": "a.ipynb", "parameters": {"day": "x"}}).text("parameters") == "day='x'"


def test_a_line_fills_the_fields_in():
    """`%batch launch --queue gpu` begins with what its line says."""
    line = "--queue gpu --array range(3) --item x --out y --as job --env A=1"
    form = form_of_line(parse_cell_line(line))
    assert draft_of(form, Scene()).line == (
        "%%batch --as job --queue gpu --array range(3) --item x --out y --env A=1"
    )


@pytest.mark.parametrize(("given_word", "said"), [("qeue", "queue"), ("memory", "Memory")])
def test_a_strange_word_is_refused_at_once(given_word, said):
    """A call with a mistake raises before there is a form."""
    with pytest.raises(OptionError, match=said):
        form_of({given_word: "lots"})


@pytest.mark.parametrize(
    ("kind", "texts", "field"),
    [
        (Kind.CELL, {"vcpus": "0.3"}, "vcpus"),
        (Kind.CELL, {"memory": "lots"}, "memory"),
        (Kind.CELL, {"timeout": "5"}, "timeout"),
        (Kind.CELL, {"retries": "10"}, "retries"),
        (Kind.CELL, {"name": "a b"}, "name"),
        (Kind.CELL, {"env": "A"}, "env"),
        (Kind.CELL, {"env": 'A="1'}, "env"),
        (Kind.CELL, {"backend": "prod"}, "backend"),
        (Kind.CELL, {"preset": "gpu"}, "preset"),
        (Kind.CELL, {"spot": "yes", "queue": "gpu"}, "queue"),
        (Kind.CELL, {"image": "a", "definition": "b"}, "definition"),
        (Kind.CELL, {"item": "x"}, "item"),
        (Kind.CELL, {"array": "range("}, "array"),
        (Kind.CELL, {"in": "a b"}, "in"),
        (Kind.FUNCTION, {}, "function"),
        (Kind.FUNCTION, {"function": "trian"}, "function"),
        (Kind.FUNCTION, {"function": "train", "arguments": "1)("}, "arguments"),
        (Kind.FUNCTION, {"function": "train", "arguments": "queue=1"}, "arguments"),
        (Kind.FUNCTION, {"function": "train", "arguments": "1", "array": "range(3)"}, "arguments"),
        (Kind.NOTEBOOK, {}, "notebook"),
        (Kind.NOTEBOOK, {"notebook": "a.ipynb", "parameters": "1"}, "parameters"),
    ],
)
def test_a_mistake_is_told_at_its_field(kind, texts, field):
    """The problem names the field and what to do."""
    draft = draft_of(Form(kind=kind).having(**texts), scene_of(Options()))
    assert [one.field for one in draft.problems] == [field]
    assert draft.options is None
    assert len(str(draft.problem_of(field))) > 20


def test_what_the_settings_say_already_is_left_out():
    """A value as set is no change; a queue that would give way to GPUs is one."""
    scene = scene_of(Options(queue="analysis", memory=4096))
    assert draft_of(Form().having(queue="analysis", memory="4G"), scene).line == "%%batch"
    line = draft_of(Form().having(queue="analysis", gpus="1"), scene).line
    assert line == "%%batch --queue analysis --gpus 1"


def test_calls_for_notebooks_and_arrays():
    """One function for a single one and one for many, with parameters as a mapping."""
    scene = Scene(names=frozenset({"train"}))
    assert draft_of(form_of({"notebook": "a.ipynb", "parameters": "day='x'", "vcpus": 2}), scene).line == (
        'import nbbatch\n\nrun = nbbatch.run_notebook("a.ipynb", parameters={"day": \'x\'}, vcpus=2)'
    )
    sweep = form_of({"notebook": "a.ipynb", "array": "grid", "bind": "s"})
    assert draft_of(sweep, Scene(module="nb")).line == 's = nb.map_notebook("a.ipynb", grid)'
    many = form_of({"function": "train", "array": "range(9)", "arguments": "lr=0.1"})
    assert draft_of(many, Scene(names=frozenset({"train"}), module="nb")).line == (
        "arr = nb.map(train, range(9), lr=0.1)"
    )


def test_every_option_of_a_job_has_a_field():
    """What a line can say, the form can, too."""
    from dataclasses import fields

    assert set(OPTIONS) == {one.name for one in fields(Options)}
