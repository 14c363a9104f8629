"""Files of a `%%batch` cell: sent along, brought back, and named where they are missing."""

from __future__ import annotations

import pytest

from nbbatch.errors import JobFailedError, OptionError, RemoteError, UnknownNameError


@pytest.fixture
def run(batch_shell, tmp_path, monkeypatch):
    """Run a cell in a notebook whose working directory holds a table."""
    folder = tmp_path / "notebook"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "data.csv").write_text("a,b\n1,2\n")

    def run(cell):
        result = batch_shell.run_cell(cell, store_history=True)
        result.raise_error()
        return batch_shell.user_ns

    run.folder = folder
    return run


@pytest.mark.parametrize("flags", ["--files data.csv", "--workdir", "--workdir ."])
def test_a_cell_reads_a_relative_path_as_it_would_here(run, flags):
    """A table in the notebook's folder is found by its name."""
    names = run(f"%%batch {flags}\nimport pandas as pd\ntable = pd.read_csv('data.csv')")
    assert names["table"].to_dict("list") == {"a": [1], "b": [2]}


def test_a_missing_file_is_told_with_its_cure(run):
    """Without the flag the error names it."""
    with pytest.raises(RemoteError, match=r"send it with --files data\.csv"):
        run("%%batch\nopen('data.csv')")


def test_files_come_back_and_are_told(run, capsys):
    """What matches is here when the cell has ended, also after a failure."""
    run("%%batch --fetch out/,*.txt\nimport os\nos.mkdir('out')\nopen('out/a', 'w').write('1')")
    assert (run.folder / "out" / "a").read_text() == "1"
    assert "nbbatch › brought out/a (1 B)" in capsys.readouterr().out
    with pytest.raises(RemoteError):
        run("%%batch --fetch *.txt --fetch-to kept\nopen('b.txt', 'w').write('2')\n1 / 0")
    assert (run.folder / "kept" / "b.txt").read_text() == "2"


def test_a_bash_cell_gets_variables_and_gives_some_back(run):
    """Small values are variables of the script; its own come back by --out; several lines are a script."""
    run("n, who = 3, 'you & me'")
    cell = '%%batch --lang bash --in n,who --out said --fetch log\nfor i in $(seq $n)\ndo echo $i >> log\ndone\nsaid="$who"'
    assert run(cell)["said"] == "you & me"
    assert (run.folder / "log").read_text() == "1\n2\n3\n"
    with pytest.raises(UnknownNameError, match="nn"):
        run("%%batch --lang bash --in nn\ntrue")
    run("table = [1]")
    with pytest.raises(OptionError, match="table is a list"):
        run("%%batch --lang bash --in table\ntrue")


def test_an_exit_code_is_kept(run):
    """The script's own exit code is the job's and the error's."""
    with pytest.raises(JobFailedError) as caught:
        run("%%batch --lang bash\nexit 7")
    assert caught.value.exit_code == 7
