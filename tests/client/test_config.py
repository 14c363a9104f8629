import pytest

from nbbatch.client import config
from nbbatch.client.config import Config, home, load_config
from nbbatch.errors import ConfigurationError, UnknownNameError


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder; the user has no file of their own, the environment no setting."""
    for name in ("BACKEND", "QUEUE", "VCPUS", "MEMORY", "IMAGE", "VALUE_LIMIT"):
        monkeypatch.delenv(f"NBBATCH_{name}", raising=False)
    monkeypatch.setattr(config, "_user_file", lambda: None)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    return tmp_path


def test_without_any_file_everything_is_left_open(project):
    """The local backend, and no default for anything else."""
    assert load_config(project) == Config()


def test_the_nearest_project_file_counts_also_from_below(project):
    """A notebook in a sub-folder belongs to the project."""
    (project / "nbbatch.toml").write_text('queue = "gpu"\nvcpus = 2\nmemory = "4G"\nvalue_limit = "100M"\n')
    found = load_config(project / "deep" / "er")
    assert (found.queue, found.vcpus, found.memory, found.value_limit) == ("gpu", 2.0, 4096, 100 << 20)


def test_the_environment_wins_over_files(project, monkeypatch):
    """Later sources win."""
    (project / "nbbatch.toml").write_text('queue = "gpu"\n')
    monkeypatch.setenv("NBBATCH_QUEUE", "spot")
    assert load_config(project).queue == "spot"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('qeue = "x"\n', "'qeue'.*nbbatch.toml.*'queue'"),
        ('memory = "lots"\n', "memory = 'lots'"),
        ("queue = 3\n", "queue = 3"),
        ("queue = \n", "cannot be read"),
        ('[backends.x]\nkind = "gcp"\n', "kind = 'gcp'.*local or aws"),
        ('backends = "x"\n', "no table"),
    ],
)
def test_a_wrong_file_is_named_with_key_and_cure(project, text, told):
    """File, key and value are in the message."""
    (project / "nbbatch.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=told):
        load_config(project)


def test_an_unknown_backend_names_the_nearest(project):
    """A typing mistake is told."""
    with pytest.raises(UnknownNameError, match=r"'locl'.*'local'"):
        load_config(project).find_backend("locl")


def test_the_home_is_where_the_environment_says(monkeypatch, tmp_path):
    """NBBATCH_HOME wins; without it there is a folder of the user's."""
    monkeypatch.setenv("NBBATCH_HOME", str(tmp_path / "x" / ".." / "y"))
    assert home() == tmp_path / "y"
    monkeypatch.delenv("NBBATCH_HOME")
    assert home().is_absolute()
