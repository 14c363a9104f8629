from __future__ import annotations

import platformdirs
import pytest

from nbbatch.client import session
from nbbatch.client.arrays.indexes import INDEXES, RETRY_BASE
from nbbatch.client.config import Config, default_names, home, load_config, variable_of
from nbbatch.client.files.fetched import FETCH_VARIABLE
from nbbatch.client.options import Options
from nbbatch.client.origins import line_of, settings_of
from nbbatch.client.packing.digest import CODE_VARIABLE
from nbbatch.client.spec import BUNDLE_VARIABLE
from nbbatch.client.submission import resolve
from nbbatch.errors import ConfigurationError, OptionError, UnknownNameError


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder; the user has no file of their own, the environment and session no setting."""
    for name in default_names():
        monkeypatch.delenv(variable_of(name), raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    (tmp_path / "work" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path / "work"
    session.forget()


def write_user_file(text):
    path = platformdirs.user_config_path("nbbatch") / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def source_of(name, **which):
    """Value and source of one setting."""
    (found,) = (one for one in settings_of(load_config(), **which) if one.name == name)
    return found.value, found.source


def test_without_any_file_everything_is_left_open(project):
    """The local backend, and no default for anything else."""
    assert load_config(project) == Config()
    assert load_config(project).defaults() == Options(backend="local")


def test_the_nearest_project_file_counts_also_from_below(project):
    """A notebook in a sub-folder belongs to the project."""
    (project / "nbbatch.toml").write_text('queue = "gpu"\nvcpus = 2\nmemory = "4G"\nvalue_limit = "100M"\n')
    found = load_config(project / "deep").defaults()
    assert (found.queue, found.vcpus, found.memory, found.value_limit) == ("gpu", 2.0, 4096, 100 << 20)


def test_later_sources_win_in_the_documented_order(project, monkeypatch):
    """Each source takes the queue over from the one before it; `origins` says who has it."""
    assert source_of("queue") == ("default", "default")
    mine = write_user_file('queue = "a"\n')
    assert source_of("queue") == ("a", f"{mine}:1")
    file = project / "nbbatch.toml"
    file.write_text('queue = "b"\n[presets.p]\nqueue = "f"\n')
    assert source_of("queue") == ("b", f"{file}:1")
    file.write_text('[presets.p]\nqueue = "f"\n[backends.local]\n\nqueue = "c"\n')
    assert source_of("queue") == ("c", f"{file}:5")
    monkeypatch.setenv("NBBATCH_QUEUE", "d")
    assert source_of("queue") == ("d", "NBBATCH_QUEUE")
    session.set_defaults({"queue": "e"})
    assert source_of("queue") == ("e", "BatchMagics.queue")
    assert source_of("queue", preset="p") == ("f", f"{file}:2")
    assert resolve({"queue": "g", "preset": "p"}).queue == "g"
    assert [resolve({"preset": "p"}).queue, resolve({}).queue] == ["f", "e"]


ONE_OF_EACH = {
    "backend": ("prod", "prod"),
    "queue": ("q", "q"),
    "vcpus": ("2", 2.0),
    "memory": ("4G", 4096),
    "gpus": ("1", 1),
    "spot": ("yes", True),
    "image": ("python:3.12", "python:3.12"),
    "definition": ("d:1", "d:1"),
    "env": ('A=1 B="x y"', {"A": "1", "B": "x y"}),
    "tags": ("team=blue", {"team": "blue"}),
    "timeout": ("2h", 7200),
    "retries": ("3", 3),
    "max_cost": ("1.5", 1.5),
    "priority": ("7", 7),
    "share": ("s", "s"),
    "value_limit": ("8M", 8 << 20),
    "files": ("a.csv,b", (("", "a.csv"), ("", "b"))),
    "workdir": ("src", "src"),
    "fetch": ("out/", ("out/",)),
    "fetch_to": ("here", "here"),
    "cache": ("yes", True),
}


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_every_default_can_be_set_in_every_source(project, monkeypatch, name):
    """File, environment, session and preset take the same options and read them alike."""
    given, read = ONE_OF_EACH[name]
    pairs = name in ("env", "tags")
    lines = (
        f"[{name}]\n" + "".join(f'{k} = "{v}"\n' for k, v in read.items())
        if pairs
        else f'{name} = "{given}"\n'
    )
    table = lines.replace("[", "[presets.p.") if pairs else f"[presets.p]\n{lines}"
    prod = "[backends.prod]\nkind = 'aws'\n"
    file = project / "nbbatch.toml"
    file.write_text(lines + prod)
    assert getattr(load_config().defaults(), name) == read
    file.write_text(prod)
    with monkeypatch.context() as patch:
        patch.setenv(variable_of(name), given)
        assert getattr(load_config().defaults(), name) == read
    session.set_defaults({name: read if pairs else given})
    assert getattr(load_config().defaults(), name) == read
    session.forget()
    file.write_text(table + prod)
    assert getattr(resolve({"preset": "p"}), name) == read


def test_no_setting_is_a_variable_of_jobs():
    """What nbbatch sets in a job is no setting for the nbbatch inside it."""
    own = {BUNDLE_VARIABLE, INDEXES, RETRY_BASE, CODE_VARIABLE, FETCH_VARIABLE}
    assert not own & {variable_of(name) for name in default_names()}


def test_no_option_is_forgotten():
    """The test above has a case for each option that may be a default."""
    assert set(ONE_OF_EACH) == set(default_names())


def test_environment_and_tags_are_merged_not_replaced(project, monkeypatch):
    """Every source adds its pairs; one of the same name is the stronger source's."""
    (project / "nbbatch.toml").write_text(
        '[env]\nA = "file"\nB = "file"\n[backends.local]\ntags = {by = "b"}\n'
    )
    monkeypatch.setenv("NBBATCH_ENV", "B=variable")
    options = resolve({"env": {"C": "line"}, "tags": {"job": "j"}})
    assert options.env == {"A": "file", "B": "variable", "C": "line"}
    assert options.tags == {"by": "b", "job": "j"}
    assert source_of("env.A") == ("file", f"{project / 'nbbatch.toml'}:2")
    assert source_of("env.B") == ("variable", "NBBATCH_ENV")


def test_a_queue_and_what_chooses_one_give_way_to_each_other(project):
    """Spot or GPUs asked for later drop an earlier queue here; a later queue drops an earlier Spot."""
    (project / "nbbatch.toml").write_text('queue = "big"\n[presets.cheap]\nspot = true\n')
    assert resolve({"spot": True}).queue is None
    assert resolve({"gpus": 1}).queue is None
    assert resolve({"preset": "cheap"}).queue is None
    assert (resolve({"preset": "cheap", "queue": "big"}).spot) is None


def test_a_backend_chosen_by_preset_brings_its_own_table(project):
    """Queue, image and tags of the backend that is used hold, not those of another."""
    (project / "nbbatch.toml").write_text(
        'queue = "q"\n[backends.prod]\nkind = "aws"\nqueue = "p"\nimage = "i"\n[presets.there]\nbackend = "prod"\n'
    )
    there = resolve({"preset": "there"})
    assert (there.backend, there.queue, there.image) == ("prod", "p", "i")
    assert (resolve({}).queue, resolve({}).image) == ("q", None)


def test_a_changed_file_is_read_again(project):
    """No setting of an earlier version of a file lives on."""
    (project / "nbbatch.toml").write_text('queue = "a"\n')
    assert resolve({}).queue == "a"
    (project / "nbbatch.toml").write_text('queue = "other"\n')
    assert resolve({}).queue == "other"


def test_a_line_is_found_in_its_table(tmp_path):
    """The same key in another table is another setting; inline and dotted forms give the file only."""
    file = tmp_path / "nbbatch.toml"
    file.write_text('queue = "a"\n\n[presets.x]\n"queue" = "b"\n[env]\nA = "1"\n[presets.x.tags]\nt = "1"\n')
    assert line_of(file, "", "queue") == 1
    assert line_of(file, "presets.x", "queue") == 4
    assert line_of(file, "", "env", "A") == 6
    assert line_of(file, "presets.x", "tags", "t") == 8
    assert line_of(file, "presets.y", "queue") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('qeue = "x"\n', "'qeue'.*nbbatch.toml.*'queue'"),
        ('memory = "lots"\n', "memory = 'lots'"),
        ("queue = 3\n", "queue = 3"),
        ("queue = \n", "cannot be read"),
        ('[backends.x]\nkind = "gcp"\n', "kind = 'gcp'.*local or aws"),
        ('[backends.x]\nqeue = "q"\n', r"'qeue' in \[backends.x\].*'queue'"),
        ('backends = "x"\n', "no table"),
        ('name = "x"\n', "'name'.*not a setting"),
        ("[presets.gpu]\nqeue = 1\n", r"'qeue' in \[presets.gpu\]"),
        ("[presets.batch]\n", "'batch' cannot be the name of a preset"),
        ("[presets.my-gpu]\n", "'my-gpu' cannot be the name"),
        ('[presets.x]\nimage = "i"\ndefinition = "d"\n', "already names its image"),
    ],
)
def test_a_wrong_file_is_named_with_key_and_cure(project, text, told):
    """File, key and value are in the message."""
    (project / "nbbatch.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=told):
        load_config(project)


def test_a_wrong_variable_is_named(project, monkeypatch):
    """The message says which environment variable is not right."""
    monkeypatch.setenv("NBBATCH_MAX_COST", "much")
    with pytest.raises(ConfigurationError, match="NBBATCH_MAX_COST = 'much' in the environment"):
        load_config()


def test_unknown_names_name_the_nearest(project):
    """A typing mistake in a backend's or preset's name is told."""
    (project / "nbbatch.toml").write_text("[presets.gpu]\ngpus = 1\n")
    with pytest.raises(UnknownNameError, match=r"'locl'.*'local'"):
        load_config(project).find_backend("locl")
    with pytest.raises(UnknownNameError, match=r"'gpus'.*'gpu'"):
        resolve({"preset": "gpus"})


def test_a_wrong_default_of_the_session_changes_nothing(project):
    """What cannot be read is refused, and what held before holds on."""
    session.set_defaults({"queue": "q"})
    with pytest.raises(OptionError):
        session.set_defaults({"memory": "lots"})
    assert resolve({}).queue == "q"


def test_the_home_is_where_the_environment_says(monkeypatch, tmp_path):
    """NBBATCH_HOME wins; without it there is a folder of the user's."""
    monkeypatch.setenv("NBBATCH_HOME", str(tmp_path / "x" / ".." / "y"))
    assert home() == tmp_path / "y"
    monkeypatch.delenv("NBBATCH_HOME")
    assert home().is_absolute()
