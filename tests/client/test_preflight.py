"""An image is looked at before a job is sent there."""

from __future__ import annotations

import pytest
from docker_image import IMAGE

import nbbatch
from nbbatch.client.backend import get_backend
from nbbatch.client.images.facts import ImageFacts, note_facts
from nbbatch.client.images.preflight import PYTHON, cell_needs, function_needs, missing_modules
from nbbatch.client.options import Options
from nbbatch.client.packing.names import to_python
from nbbatch.client.packing.payloads import Cell
from nbbatch.client.submission import pack_for, resolve
from nbbatch.errors import EnvironmentMismatchError


@pytest.fixture
def known(home, monkeypatch, tmp_path):
    """A backend that runs images, of which one is known and lacks pandas."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NBBATCH_EXECUTOR", "docker")
    note_facts(("some:1",), ImageFacts(python=PYTHON, modules=("numpy",)))
    note_facts(("old:1",), ImageFacts(python="3.8"))
    note_facts(("bare:1",), ImageFacts())
    return get_backend("local")


def test_only_certain_imports_count() -> None:
    """Not those in try, if, functions, nor of a cell that installs or changes the path first."""
    source = (
        "import a.b, c\nfrom d.e import f\nfrom . import g\ntry:\n    import h\nexcept ImportError: pass\n"
        "if x:\n    import i\ndef f():\n    import j\nwith x:\n    import k\nraise x\nimport l"
    )
    assert cell_needs(source) == {
        "a.b": "line 1: import a.b, c",
        "c": "line 1: import a.b, c",
        "d.e": "line 2: from d.e import f",
        "k": "line 12: import k",
    }
    for opens in ("get_ipython().system('pip install a')", "import sys; sys.path.append('x')"):
        assert cell_needs(f"{opens}\nimport a") == {}


@pytest.mark.parametrize(
    ("cell", "needs"),
    [
        ("x = 1\n%timeit -n1 x", {"IPython": "line 2: %timeit"}),
        ("%%capture out\n1", {"IPython": "line 1: %%capture"}),
        ("x?", {"IPython": "line 1: %pinfo"}),
        ("%%bash --out text\ntrue", {"IPython": "line 1: %%bash"}),
        ("%%time\n!true", {"IPython": "line 1: %%time"}),
        ("if x:\n    %timeit 1", {}),
        ("!ls\nx = !ls\n%time 1\n%env A=1\n%cd /\n%matplotlib inline", {}),
        ("%%time\n1", {}),
        ("%%bash\ntrue", {}),
    ],
)
def test_a_cell_needs_ipython_for_what_only_that_can_do(cell, needs) -> None:
    """Whatever the runner does by itself needs nothing; the magic is told as it was written."""
    assert cell_needs(to_python(cell)[0]) == needs


@pytest.mark.docker
def test_ipython_syntax_is_refused_where_the_image_has_none(home, monkeypatch) -> None:
    """Nothing is sent, and the cure builds an image that has it; what needs none runs there."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", "docker")
    with pytest.raises(EnvironmentMismatchError, match=r"IPython \(line 1: %timeit\)") as caught:
        pack_for(Cell(source="%timeit 1"), resolve({"image": IMAGE}))
    assert f'nbbatch.image(["imported", "ipython"], base="{IMAGE}")' in caught.value.cure
    assert not any((home / "bundles").glob("*"))
    assert pack_for(Cell(source="%%time\n1"), resolve({"image": IMAGE}))


def test_a_function_needs_what_it_imports_first() -> None:
    """Before it decides anything; nothing is said of one that catches errors."""

    def plain(x):
        import first

        if x:
            import second  # noqa: F401
        return first

    def guarded():
        try:
            import first
        except ImportError:
            return None
        return first

    assert function_needs(plain) == {"first": "plain imports it"}
    assert function_needs(guarded) == function_needs(len) == {}


@pytest.mark.docker
def test_missing_modules_are_told_in_order(known) -> None:
    """Standard library, what the runner brings and local modules are never missing; unknown images tell nothing."""
    modules = ["pandas.core", "json", "numpy", "nbbatch", "cloudpickle", "torch", "pandas"]
    assert missing_modules(known, Options(image="some:1"), modules) == ("pandas", "torch")
    assert missing_modules(known, Options(image="unknown:1"), modules) == ()
    assert missing_modules(known, Options(), modules) == ()


@pytest.mark.docker
def test_a_cell_is_refused_with_its_line_and_the_cure(known) -> None:
    """Nothing is kept of it; with the file sent along, or in try, it goes."""
    options = resolve({"image": "some:1"})
    with pytest.raises(
        EnvironmentMismatchError, match=r"does not have pandas \(line 2: import pandas as pd\)"
    ) as caught:
        pack_for(Cell(source="x = 1\nimport pandas as pd"), options)
    assert 'nbbatch.image(base="some:1")' in caught.value.cure
    assert pack_for(Cell(source="try:\n    import pandas\nexcept ImportError:\n    pass"), options)


@pytest.mark.docker
def test_a_value_is_refused_where_its_package_is_missing(known) -> None:
    """A DataFrame needs pandas, wherever it is imported."""
    import pandas as pd

    with pytest.raises(EnvironmentMismatchError, match="pandas"):
        nbbatch.submit(len, pd.DataFrame({"a": [1]}), image="some:1")


@pytest.mark.docker
def test_modules_that_are_sent_along_are_there(known, tmp_path) -> None:
    """A file of the working directory is importable in the job."""
    (tmp_path / "sent_helper.py").write_text("x = 1")
    cell = Cell(source="import sent_helper")
    with pytest.raises(EnvironmentMismatchError, match="sent_helper"):
        pack_for(cell, resolve({"image": "some:1"}), local_modules=False)
    assert pack_for(cell, resolve({"image": "some:1", "files": "sent_helper.py"}))


@pytest.mark.docker
@pytest.mark.parametrize(("image", "said"), [("old:1", "Python 3.8"), ("bare:1", "no python3")])
def test_another_python_is_refused(known, image, said) -> None:
    """Before anything is sent, for cells and functions; a script may run there."""
    with pytest.raises(EnvironmentMismatchError, match=said):
        pack_for(Cell(source="1"), resolve({"image": image}))
    with pytest.raises(EnvironmentMismatchError, match=said):
        nbbatch.submit(abs, 1, image=image)
    assert pack_for(Cell(source="true", language="bash"), resolve({"image": image}))


@pytest.mark.docker
def test_what_is_not_known_is_said(known) -> None:
    """The receipt names the modules nobody could look for."""
    packed = pack_for(Cell(source="import pandas, json"), resolve({"image": "unknown:1"}))
    assert packed.receipt.warnings == (
        "image unknown:1 is not known here: whether it has pandas will show when the job runs",
    )
    assert pack_for(Cell(source="import json"), resolve({"image": "unknown:1"})).receipt.warnings == ()


def test_where_jobs_are_processes_an_image_is_not_looked_at(daemon) -> None:
    """Nothing is refused, nothing is said: the job meets this environment."""
    note_facts(("old:1",), ImageFacts(python="3.8"))
    packed = pack_for(Cell(source="import pandas"), resolve({"image": "old:1"}))
    assert packed.receipt.warnings == ()


@pytest.mark.docker
def test_an_official_image_of_python_has_no_packages(known) -> None:
    """That is known without having it here."""
    for image in (f"python:{PYTHON}-slim", f"public.ecr.aws/docker/library/python:{PYTHON}.4"):
        assert missing_modules(known, Options(image=image), ["pip", "json", "pandas"]) == ("pandas",)
    with pytest.raises(EnvironmentMismatchError, match=r"has Python 3\.8"):
        pack_for(Cell(source="1"), resolve({"image": "python:3.8"}))
    assert missing_modules(known, Options(image=f"my/python:{PYTHON}"), ["pandas"]) == ()


@pytest.mark.docker
def test_the_image_itself_is_asked(home, monkeypatch) -> None:
    """A container of it tells what it has, before a job is sent there."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", "docker")
    assert missing_modules(get_backend("local"), Options(image=IMAGE), ["sqlite3", "pandas"]) == ("pandas",)
    with pytest.raises(EnvironmentMismatchError, match="pandas"):
        pack_for(Cell(source="import pandas"), resolve({"image": IMAGE}))
