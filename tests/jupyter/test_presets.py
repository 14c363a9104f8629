"""Presets as magics, settings as traits, and the words that show them."""

from __future__ import annotations

import pytest
from traitlets import TraitError
from traitlets.config import Config

import nbbatch
from nbbatch.client.config import default_names
from nbbatch.client.submission import resolve
from nbbatch.errors import ConfigurationError, OptionError, UnknownNameError
from nbbatch.jupyter.magics import BatchMagics

PROJECT = """\
memory = "1G"

[presets.big]
vcpus = 2
tags = {size = "big"}

[backends.prod]
kind = "aws"
region = "eu-central-1"
queue = "analysis"
"""


@pytest.fixture
def project(batch_shell, tmp_path, monkeypatch):
    """A shell in a folder with an `nbbatch.toml`, the extension loaded."""
    (tmp_path / "nbbatch.toml").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    run(batch_shell, "%reload_ext nbbatch")
    return batch_shell


def run(shell, cell):
    """Run a cell, raise what it raised."""
    result = shell.run_cell(cell)
    result.raise_error()
    return result


def test_a_preset_of_the_file_is_a_magic(project, capsys):
    """`%%big` runs a cell with its options; what the line says stands over them."""
    run(project, "%%big --memory 512M --as job\n1")
    job = project.user_ns["job"]
    job.wait(60)
    asked = {one["type"]: one["value"] for one in job.detail()["container"]["resourceRequirements"]}
    assert asked == {"VCPU": "2", "MEMORY": "512"}
    assert job.detail()["tags"] == {"size": "big"}


def test_a_preset_is_made_by_code(project, capsys):
    """`nbbatch.magic` makes a magic at once, and replaces its own; functions take it by name."""
    run(project, "import nbbatch\nnbbatch.magic('tiny', vcpus=0.5)\nnbbatch.magic('tiny', vcpus=0.25)")
    run(project, "%%tiny --dry-run\n1")
    assert "$0.0" in capsys.readouterr().out
    assert resolve({"preset": "tiny"}).vcpus == 0.25
    run(project, "%unload_ext nbbatch")
    assert project.find_cell_magic("tiny") is None
    with pytest.raises(UnknownNameError):
        resolve({"preset": "tiny"})


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("time", {}, "There is a magic time already"),
        ("batch", {}, "cannot be the name"),
        ("my gpu", {}, "cannot be the name"),
        ("class", {}, "cannot be the name"),
        ("gpu", {"memroy": "1G"}, "'memory'"),
        ("gpu", {"depends": "x"}, "depends belongs to one job"),
    ],
)
def test_a_wrong_preset_is_refused(project, name, options, told):
    """Its name and options are checked; then there is no such magic."""
    before = project.find_cell_magic(name)
    with pytest.raises(OptionError, match=told):
        nbbatch.magic(name, **options)
    assert project.find_cell_magic(name) is before


def test_a_preset_never_replaces_a_magic(batch_shell, tmp_path, monkeypatch):
    """A file whose preset is called like a magic of IPython's is refused when the extension loads."""
    (tmp_path / "nbbatch.toml").write_text("[presets.timeit]\nvcpus = 2\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match="magic timeit already"):
        nbbatch.load_ipython_extension(batch_shell)


def test_a_broken_file_is_told_when_the_extension_loads(batch_shell, tmp_path, monkeypatch):
    """The magics are there all the same, so that the corrected file needs no new kernel."""
    (tmp_path / "nbbatch.toml").write_text("memory = 'lots'\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="memory = 'lots'"):
        nbbatch.load_ipython_extension(batch_shell)
    assert batch_shell.find_cell_magic("batch")


@pytest.mark.parametrize("cell", ["%%batch -h", "%%big -h", "%%big --help\n"])
def test_help_needs_no_cell_below(project, capsys, cell):
    """`%%batch -h` alone shows the options; a preset's says what it stands for."""
    run(project, cell)
    said = capsys.readouterr().out
    assert "--memory AMOUNT" in said
    assert ("vcpus=2.0" in said) == cell.startswith("%%big")


def test_every_default_is_a_trait():
    """`c.BatchMagics` takes what a file takes, and whether cells have panels; its help says what each is."""
    traits = BatchMagics.class_traits(config=True)
    assert {*default_names(), "panel"} == set(traits)
    assert all(trait.help for trait in traits.values())


def test_configuration_of_ipython_holds_for_cells_and_calls(shell, shared_daemon, capsys):
    """`c.BatchMagics.queue` is the queue of cells that name none, and of `nbbatch.submit`."""
    shell.config.merge(Config({"BatchMagics": {"queue": "spot", "tags": {"team": "blue"}}}))
    run(shell, "%load_ext nbbatch")
    run(shell, "%%batch --dry-run\n1")
    assert "queue spot" in capsys.readouterr().out
    assert (resolve({}).queue, resolve({}).tags) == ("spot", {"team": "blue"})


def test_config_sets_a_default_in_the_notebook(project, capsys):
    """`%config BatchMagics.queue` holds from the next cell on, and an empty text takes it back."""
    run(project, "%config BatchMagics.queue = 'spot'")
    assert resolve({}).queue == "spot"
    run(project, "%config BatchMagics.queue = ''")
    assert resolve({}).queue is None


def test_a_wrong_setting_is_refused_at_once(project, caplog):
    """The mistake is told where it is made, by name, and nothing changes."""
    run(project, "%config BatchMagics.memory = 'lots'")
    assert "BatchMagics.memory" in caplog.text
    assert "'lots'" in caplog.text
    with pytest.raises(TraitError, match=r"BatchMagics\.retries"):
        project.magics_manager.registry["BatchMagics"].retries = 99
    assert resolve({}).memory == 1024


def test_the_settings_are_shown_with_where_they_come_from(project, tmp_path):
    """`%batch config` is a table of names, values and origins, presets among them."""
    run(project, "%config BatchMagics.timeout = '2h'")
    shown = repr(run(project, "%batch config").result)
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines()}
    assert rows["memory"] == ["1", "GB", f"{tmp_path}/nbbatch.toml:1"]
    assert rows["timeout"] == ["2", "h", "BatchMagics.timeout"]
    assert rows["presets.big"][0] == "vcpus=2.0"
    assert rows["retries"] == ["default"]
    assert f"{tmp_path}/nbbatch.toml:4" in repr(run(project, "%batch config --preset big").result)
    assert "analysis" in repr(run(project, "%batch config --backend prod").result)


def test_another_backend_for_this_session(project, capsys):
    """`%batch backend` says which is used and why, and changes it for cells and calls."""
    assert "eu-central-1" in repr(run(project, "%batch backend").result)
    assert "local is used (default)" in capsys.readouterr().out
    run(project, "%batch backend prod")
    assert (resolve({}).backend, resolve({}).queue) == ("prod", "analysis")
    run(project, "%batch backend")
    assert "prod is used (BatchMagics.backend)" in capsys.readouterr().out
    with pytest.raises(UnknownNameError, match="'prod'"):
        run(project, "%batch backend prd")
    run(project, "%batch backend local")
    assert resolve({}).backend == "local"


def test_what_was_spent_is_told(project, capsys):
    """`%batch cost` sums up days and queues; with a job it tells that one's cost."""
    run(project, "%%batch --as job\n1")
    project.user_ns["job"].wait(60)
    assert "default" in repr(run(project, "%batch cost --days 2").result)
    assert "last 2 days" in capsys.readouterr().out
    run(project, "%batch cost job")
    assert "on demand" in capsys.readouterr().out


def test_what_happened_to_a_job_is_a_table(batch_shell):
    """`%batch events` and `%batch timeline` show its states in order."""
    run(batch_shell, "%%batch --as job\n1")
    batch_shell.user_ns["job"].wait(60)
    told = repr(run(batch_shell, "%batch events job").result)
    assert told.index("RUNNABLE") < told.index("SUCCEEDED")
    states = repr(run(batch_shell, "%batch timeline job").result)
    assert states.index("RUNNABLE") < states.index("SUCCEEDED")
    run(batch_shell, "%%batch --as array --array range(2)\n1")
    batch_shell.user_ns["array"].wait(60)
    assert repr(run(batch_shell, "%batch timeline array").result).count("SUCCEEDED") == 2
