from __future__ import annotations

import pytest
from IPython.core.completer import CompletionContext

from nbbatch.jupyter.completion import Live, candidates, line_before_cursor, make_matcher


def fail():
    raise ConnectionError("nobody there")


LIVE = Live(
    queues=lambda: ["default", "spot", "gpu"],
    jobs=lambda: ["3f2a91c0", "77aa0011"],
    variables=lambda: ["df", "model", "data"],
    backends=lambda: ["local", "aws"],
    presets=lambda: ["gpu", "big"],
    definitions=lambda: ["train", "train:3"],
    images=lambda: ["python:3.12", "team/base:1"],
)
DEAD = Live(
    queues=fail,
    jobs=fail,
    variables=lambda: ["df"],
    backends=fail,
    presets=fail,
    definitions=fail,
    images=fail,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("%%batch --qu", ["--queue"]),
        ("%%batch --queue ", ["default", "gpu", "spot"]),
        ("%%batch --queue=s", ["spot"]),
        ("%%batch --in d", ["data", "df"]),
        ("%%batch --in df,m", ["model"]),
        ("%%batch --depends 3", ["3f2a91c0"]),
        ("%%batch --after ", ["3f2a91c0", "77aa0011"]),
        ("%%batch --preset ", ["big", "gpu"]),
        ("%%batch --backend a", ["aws"]),
        ("%%batch --definition tr", ["train", "train:3"]),
        ("%%batch --definition train:", ["train:3"]),
        ("%%batch --image team/", ["team/base:1"]),
        ("%%batch --image='py", ["python:3.12"]),
        ("%%gpu --mem", ["--memory"]),
        ("%%gpu --queue s", ["spot"]),
        ("%%time --mem", []),
        ("%%batch --vcpus 2 --vc", []),
        ("%%batch --env A=1 --en", ["--env"]),
        ("%batch lo", ["logs"]),
        ("%batch logs ", ["--follow", "--tail", "-f", "3f2a91c0", "77aa0011"]),
        ("%batch logs 3f2a91c0 -", ["--follow", "--tail", "-f"]),
        ("%batch jobs --queue sp", ["spot"]),
        ("j = %batch job 7", ["77aa0011"]),
        ("%batch backend ", ["aws", "local"]),
        ("%batch cost 3", ["3f2a91c0"]),
        ("%batch config --preset b", ["big"]),
        ("%batch jobs --status RUNN", ["RUNNABLE", "RUNNING"]),
        ("print(--qu", []),
        ("batch = 3", []),
    ],
)
def test_what_may_follow(text, words):
    """Flags, commands and live values complete where they may stand, and nowhere else."""
    assert candidates(text, LIVE) == words


def test_paths_complete_where_files_are_meant(tmp_path, monkeypatch):
    """Flags that take paths offer files and folders here; hidden ones only when asked for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for name in ("data/one.csv", "data/.secret", "days.txt", "other"):
        (tmp_path / name).touch()
    assert candidates("%%batch --files da", LIVE) == ["data/", "days.txt"]
    assert candidates("%%batch --files days.txt,data/", LIVE) == ["data/one.csv"]
    assert candidates("%%batch --files data/.", LIVE) == ["data/.secret"]
    assert candidates("%%batch --files nowhere/", LIVE) == []


def test_a_used_flag_is_not_offered_again():
    """Flags that are given once disappear from the list."""
    assert "--queue" not in candidates("%%batch --queue spot --", LIVE)
    assert "--env" in candidates("%%batch --env A=1 --", LIVE)


def test_a_tab_never_fails():
    """When nobody answers there is nothing to suggest, and no error."""
    matcher = make_matcher(DEAD)
    text = "%%batch --queue "
    context = CompletionContext(
        token="", full_text=text, cursor_position=len(text), cursor_line=0, limit=None
    )
    assert list(matcher(context)["completions"]) == []


def test_only_the_first_line_of_a_cell_is_the_magic_s():
    """Text that looks like the magic further down in a cell is left alone."""
    assert line_before_cursor("%%batch --qu\nx = 1", 0, 12) == "%%batch --qu"
    assert line_before_cursor("x = 1\n%%batch --qu", 1, 12) == ""
    assert line_before_cursor("x = 1\n%batch lo", 1, 9) == "%batch lo"
