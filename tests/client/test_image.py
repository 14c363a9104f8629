"""Images with a notebook's environment: tags, builds by a real engine, and Amazon ECR."""

from __future__ import annotations

import contextlib
import io
import json
import time
from pathlib import Path
from uuid import uuid4

import docker.errors
import pytest
from click.testing import CliRunner
from docker_image import IMAGE, MINOR
from moto_server import moto_server

import nbbatch
from nbbatch.cli.main import main
from nbbatch.client.backend import get_backend
from nbbatch.client.images.built import Image
from nbbatch.client.images.facts import engine, facts_of, image_id
from nbbatch.client.images.former import remove_former
from nbbatch.client.images.image import REPOSITORY, image, images
from nbbatch.client.images.push import ecr_client, has_tag, login, repository_uri
from nbbatch.client.images.recipe import LABEL, Recipe, steps
from nbbatch.client.options import Options
from nbbatch.errors import (
    AccessDeniedError,
    BackendError,
    EnvironmentMismatchError,
    OptionError,
    UnknownNameError,
)

BACKEND = """\
import zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "myproj-0.1-py3-none-any.whl"
    info = "myproj-0.1.dist-info"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        wheel.write("myproj.py")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: myproj\\nVersion: 0.1\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\\nmyproj=myproj:main\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


@pytest.fixture
def project(tmp_path, monkeypatch, home) -> Path:
    """A project of the user's, installed editable, that builds without a network."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "backend.py").write_text(BACKEND)
    (folder / "myproj.py").write_text(
        f"# {uuid4()}: no image of another test is this one's\nanswer = 42\ndef main():\n    print('the answer is', answer)\n"
    )
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "myproj"\nversion = "0.1"\n'
    )
    info = tmp_path / "site" / "myproj-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: myproj\nVersion: 0.1\n")
    (info / "top_level.txt").write_text("myproj")
    origin = {"url": folder.as_uri(), "dir_info": {"editable": True}}
    (info / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("NBBATCH_EXECUTOR", "docker")
    monkeypatch.chdir(tmp_path)
    return folder


def of_builds(name, **filters):
    """Ids of what builds of that name have left, without names of their own too."""
    wanted = {"label": f"{LABEL}={REPOSITORY}{name}", **filters}
    return {one["Id"] for one in engine().api.images(filters=wanted)}


def of_failures():
    """Ids of what builds that failed have left."""
    return {one["Id"] for one in engine().api.images(filters={"label": f"{LABEL}=", "dangling": True})}


def remove_builds(name) -> None:
    """Nothing of these builds stays on the machine; a daemon may still have containers of them."""
    for _ in range(3):  # who stands on another one goes before it
        for one in of_builds(name):
            with contextlib.suppress(docker.errors.DockerException):
                engine().api.remove_image(one, force=True)


@pytest.fixture
def name():
    """Part of the names of the images that a test builds, all of which are removed."""
    name = f"test-{uuid4().hex[:8]}"
    yield name
    remove_builds(name)


@pytest.fixture
def build(project, name):
    """Build an image of the project; removes what was built at the end."""

    def build(**options):
        said: list[str] = []
        built = image(**{"packages": ["myproj"], "base": IMAGE, "name": name, "say": said.append, **options})
        return built, said

    return build


def recipe(**changes) -> Recipe:
    facts = {
        "base": "b",
        "python": "3.11",
        "system": ("a", "b"),
        "packages": ("p==1", "q==2"),
        "files": {"/f": "x"},
    }
    return Recipe(**{**facts, **changes})


def test_a_tag_is_a_hash_of_all_that_goes_in() -> None:
    """The order does not count; any change does."""
    assert recipe(system=("b", "a"), packages=("q==2", "p==1")).digest == recipe().digest
    changes = ({"base": "c"}, {"python": "3.12"}, {"system": ()}, {"packages": ()}, {"files": {"/f": "y"}})
    assert len({recipe(**change).digest for change in ({}, *changes)}) == len(changes) + 1


def test_layers_go_from_steady_to_changing() -> None:
    """System packages come first, then groups in order, then the files; no wheel is in the last stage."""
    made = [
        step.instruction
        for step in steps(
            recipe(), {"large": ["t"], "own": ["p"]}, pip="pip.whl", has_ca=True, repository="r"
        )
    ]
    last = made[len(made) - made[::-1].index("FROM base") - 1 :]
    assert [line.split(" ")[1] for line in last if line.startswith("COPY")] == [
        "--from=group0",
        "--from=group1",
        "files/",
    ]
    assert not any("wheels" in line for line in last)
    assert "apt-get" in made[4]
    assert not any(
        "apt-get" in step.instruction
        for step in steps(recipe(system=()), {}, pip="", has_ca=False, repository="r")
    )


@pytest.mark.slow
@pytest.mark.docker
def test_an_image_has_the_notebooks_packages(build, project, tmp_path) -> None:
    """A job in it imports the user's own project and finds programs and files."""
    (tmp_path / "model.bin").write_text("weights")
    built, said = build(files={"/models/m": "model.bin", "rel": "model.bin"})
    assert built.is_new
    assert any("installs myproj" in line for line in said)

    def look():
        import subprocess

        import myproj

        words = subprocess.run(["myproj"], capture_output=True, text=True, check=True).stdout
        return myproj.answer, words, open("/models/m").read(), open("/data/rel").read()  # noqa: PTH123

    assert nbbatch.submit(look, image=built).result() == (42, "the answer is 42\n", "weights", "weights")
    assert nbbatch.command(["myproj"], image=built).result().output == "the answer is 42"
    facts = facts_of(get_backend("local"), str(built))
    assert (facts.python, facts.versions) == (MINOR, {"myproj": "0.1"})


@pytest.mark.slow
@pytest.mark.docker
def test_what_is_there_is_used_again_and_a_changed_project_is_built_again(build, project) -> None:
    """The same wishes give the same image; a change of the project's source gives another one."""
    first, _ = build()
    again, said = build()
    assert (again.tag, again.is_new) == (first.tag, False)
    assert "nothing has changed" in said[-1]
    (project / "myproj.py").write_text("answer = 43\ndef main(): pass\n")
    changed, _ = build()
    assert changed.tag != first.tag
    job = nbbatch.script("import myproj; print(myproj.answer)", lang="python", image=changed)
    assert job.result().output == "43"


@pytest.mark.slow
@pytest.mark.docker
def test_builds_leave_what_the_next_one_takes_over_and_no_more(build, project, name) -> None:
    """Stages of earlier builds go with the next one that has others; images with a tag stay."""
    first, _ = build()
    stages = of_builds(name, dangling=True)
    assert len(stages) == 1
    tags = {first.tag}
    for answer in range(2):
        (project / "myproj.py").write_text(f"answer = {answer}  # {uuid4()}\ndef main(): pass\n")
        built, said = build()
        tags.add(built.tag)
        assert said[-1] == "1 image of earlier builds removed"
        assert len(of_builds(name, dangling=True)) == 1
    assert not stages & of_builds(name)
    assert tags <= {tag for tag, _, _ in images()}
    _, said = build(rebuild=True)
    assert "removed" not in said[-1]


@pytest.mark.slow
@pytest.mark.docker
def test_the_former_image_of_a_tag_goes_when_nothing_uses_it(build, name) -> None:
    """A rebuild on a changed base takes its tag; what a container has, and what is not ours, stays."""
    base = f"nbbatch-test/base-{name}:1"

    def change_base():
        text = f"FROM {IMAGE}\nLABEL changed={uuid4()}\n"
        assert [*engine().api.build(fileobj=io.BytesIO(text.encode()), tag=base, rm=True)]
        bases.append(image_id(base))

    bases: list[str] = []
    change_base()
    try:
        built, _ = build(base=base)
        former = image_id(built.tag)
        holder = engine().api.create_container(former, ["true"])
        change_base()
        again, said = build(base=base, rebuild=True)
        assert (again.tag, image_id(again.tag) != former) == (built.tag, True)
        assert former in of_builds(name, dangling=True)
        engine().api.remove_container(holder)
        change_base()
        _, said = build(base=base, rebuild=True)
        assert "removed" in said[-1]
        assert former not in of_builds(name)
        assert set(bases) <= {one["Id"] for one in engine().api.images(all=True)}
    finally:
        remove_builds(name)
        for one in bases:
            engine().api.remove_image(one, force=True)


@pytest.mark.slow
@pytest.mark.docker
def test_a_failing_build_says_what_failed(build, project) -> None:
    """A system package that does not exist, a project that does not build, a base with another Python."""
    with pytest.raises(EnvironmentMismatchError, match="no-such-package-here"):
        build(system=["no-such-package-here"])
    (project / "backend.py").write_text("def build_wheel(*_, **__): raise RuntimeError('broken on purpose')")
    with pytest.raises(EnvironmentMismatchError, match="broken on purpose"):
        build()
    with pytest.raises(EnvironmentMismatchError, match="no python3"):
        build(base="nbbatch/pause:1", packages=[])
    remove_former("nobody", {"?"}, time.time())
    assert of_failures()  # for whoever tries again
    remove_former("nobody", {"?"}, time.time() + 2 * 86_400)
    assert not of_failures()


@pytest.mark.docker
def test_the_terminal_builds_lists_shows_and_removes(project, name) -> None:
    """`nbbatch image ...`; the build's last line is the tag alone."""

    def run(*words):
        done = CliRunner().invoke(main, ["image", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    (project.parent / "script.py").write_text("import myproj")
    tag = run("build", "script.py", "--base", IMAGE, "--name", name).strip()
    try:
        assert tag in run("list")
        assert tag in [one[0] for one in images()]
        assert run("show", tag) == f"python {MINOR}\nmyproj==0.1\n"
    finally:
        assert "is gone" in run("remove", tag)
    assert not image_id(tag)
    assert CliRunner().invoke(main, ["image", "remove", tag]).exit_code == 1


@pytest.mark.parametrize("wrong", [{"name": "Upper"}, {"system": "a;b"}, {"packages": ["a b"]}])
@pytest.mark.docker
def test_mistakes_are_refused(build, wrong) -> None:
    """Names that no image or package can have."""
    with pytest.raises(OptionError):
        build(**wrong)


def test_an_image_is_an_option() -> None:
    """The registry's name where it was pushed, else this machine's."""
    assert Options.parse({"image": Image(tag="a:1")}).image == "a:1"
    assert Options.parse({"image": Image(tag="a:1", uri="r/a:1")}).image == "r/a:1"


@pytest.fixture
def ecr(monkeypatch):
    """Moto's ECR, found by boto3's own variables."""
    with moto_server() as url:
        for name, value in {
            "AWS_ENDPOINT_URL_ECR": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-central-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield ecr_client(None, "env")


def test_a_repository_is_found_or_created(ecr, home) -> None:
    """By its name or URI; a missing one is created only when asked for."""
    with pytest.raises(UnknownNameError, match="creates_repository=True"):
        repository_uri(ecr, "env", create=False)
    uri = repository_uri(ecr, "env", create=True)
    assert uri.endswith(".dkr.ecr.eu-central-1.amazonaws.com/env")
    assert repository_uri(ecr, uri, create=False) == uri
    with pytest.raises(OptionError, match="has a tag"):
        repository_uri(ecr, "env:1", create=False)
    assert ecr_client(None, uri.replace("eu-central-1", "us-west-2")).meta.region_name == "us-west-2"


def test_a_tag_that_was_pushed_is_known(ecr, home) -> None:
    """What is in the repository under the content's hash is not pushed again."""
    repository_uri(ecr, "env", create=True)
    assert not has_tag(ecr, "env", "abc")
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {"digest": "sha256:0", "size": 1},
        "layers": [],
    }
    ecr.put_image(repositoryName="env", imageManifest=json.dumps(manifest), imageTag="abc")
    assert has_tag(ecr, "env", "abc")
    assert set(login(ecr)) == {"username", "password"}
    assert login(ecr)["username"] == "AWS"


@pytest.mark.slow
@pytest.mark.docker
def test_a_push_that_the_registry_refuses_is_an_error(build, ecr) -> None:
    """The repository is made and the login is there, but nothing answers at its address."""
    with pytest.raises((BackendError, AccessDeniedError), match="cannot be pushed"):
        build(repository="env", creates_repository=True)
