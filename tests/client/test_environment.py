"""What a notebook needs of what is installed here."""

from __future__ import annotations

import json
from types import ModuleType

import pytest

from nbbatch.client.images.environment import Package, choose_packages, imported_modules, sources_of
from nbbatch.errors import OptionError, UnknownNameError


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Make a distribution of some metadata appear installed."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(site)

    def install(name, *, version="1.0", requires=(), origin=None, module=None):
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {one}" for one in requires)]
        (info / "METADATA").write_text("\n".join(lines) + "\n")
        (info / "top_level.txt").write_text(module or name)
        if origin is not None:
            (info / "direct_url.json").write_text(json.dumps(origin))

    return install


def names(*wanted, namespace=None, sources=()) -> list[str]:
    return [each.name for each in choose_packages(wanted, namespace=namespace or {}, sources=sources)]


def test_packages_come_with_what_they_require(install) -> None:
    """By exact versions; markers and extras decide, and what is not installed is left out."""
    install(
        "Top_Level",
        requires=["middle>=1", 'extra-one ; extra == "more"', 'never ; python_version < "3"', "absent"],
    )
    install("middle", version="2.1", requires=["Top.Level"])
    install("extra-one")
    install("never")
    assert [each.requirement for each in choose_packages(["top-level"], namespace={})] == [
        "middle==2.1",
        "top-level==1.0",
    ]
    assert "extra-one" in names("top-level[more]")


def test_the_origin_of_a_package_is_kept(install, tmp_path) -> None:
    """A commit, an archive, a project's folder; a wheel that is gone is looked for in the index."""
    git = {"url": "https://git/x.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}, "subdirectory": "py"}
    install("from-git", origin=git)
    install("from-archive", origin={"url": "https://host/a.tar.gz", "archive_info": {}})
    install("from-folder", origin={"url": tmp_path.as_uri(), "dir_info": {"editable": True}})
    install("from-wheel", origin={"url": "file:///gone.whl", "archive_info": {}})
    found = choose_packages(["from-git", "from-archive", "from-folder", "from-wheel"], namespace={})
    assert {each.name: each.requirement for each in found} == {
        "from-git": "from-git @ git+https://git/x.git@abc#subdirectory=py",
        "from-archive": "from-archive @ https://host/a.tar.gz",
        "from-folder": str(tmp_path),
        "from-wheel": "from-wheel==1.0",
    }


def test_a_notebook_needs_what_its_cells_and_values_use(install, tmp_path, monkeypatch) -> None:
    """Imports of every cell, modules of its variables, and what its local modules import."""
    (tmp_path / "helper_here.py").write_text("import third\nimport json\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = ModuleType("second.inner")
    namespace = {
        "In": ["import first", "%%batch --vcpus 2\nfrom fourth.x import y", "%%bash\nls", "!ls", "import os"],
        "m": module,
        "h": type("H", (), {"__module__": "fifth.deep"})(),
        "exit": type("E", (), {"__module__": "shell"})(),
        "x": 3,
    }
    found = imported_modules(namespace, ["import helper_here", "import nbbatch"])
    assert found - {"builtins"} == {"first", "second", "third", "fourth", "fifth"}


def test_imported_modules_become_distributions(install) -> None:
    """A module may come from a distribution of another name; nbbatch itself is left out."""
    install("py-yamlish", module="yamlish")
    assert names("imported", sources=["import yamlish, nbbatch"]) == ["py-yamlish"]
    assert "py-yamlish" in names("all")
    assert "nbbatch" not in names("all")


def test_a_version_that_is_not_here_is_asked_for(install) -> None:
    """A requirement that this environment meets is pinned; any other goes to pip as it is written."""
    install("thing", version="1.5")
    assert choose_packages(["thing>=1"], namespace={})[0].requirement == "thing==1.5"
    assert choose_packages(["thing==2.0"], namespace={}) == (Package(name="thing", asked="thing==2.0"),)
    assert choose_packages(["other==2.0"], namespace={})[0].requirement == "other==2.0"


def test_mistakes_are_told(install) -> None:
    """A malformed requirement, and a package whose version nobody knows, with the nearest name."""
    install("pandalike")
    with pytest.raises(OptionError, match="is not a package"):
        choose_packages(["a b"], namespace={})
    with pytest.raises(UnknownNameError, match="'pandalike'"):
        choose_packages(["pandalik"], namespace={})


def test_sources_of_notebooks_and_files(tmp_path) -> None:
    """A notebook gives its code cells, a file itself."""
    cells = [
        {"cell_type": "code", "source": ["import a\n", "import b"]},
        {"cell_type": "markdown", "source": "import c"},
    ]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    (tmp_path / "m.py").write_text("import d")
    assert sources_of(tmp_path / "n.ipynb") == ["import a\nimport b"]
    assert sources_of(tmp_path / "m.py") == ["import d"]
