"""An image needs nothing but python3: the runner in a container that has no packages at all."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from docker_image import IMAGE

from nbbatch.client.notes import split_line
from nbbatch.client.packing.payloads import Call, Cell
from nbbatch.client.results import load_result


def run_in_image(packed, *options: str, index: int | None = None):
    """The bundle mounted at its own path and nothing else, as the user who runs this."""
    import docker

    folder = packed.url.removeprefix("file://")
    variables = {} if index is None else {"AWS_BATCH_JOB_ARRAY_INDEX": str(index)}
    client = docker.from_env()
    try:
        container = client.containers.run(
            IMAGE,
            list(packed.command),
            environment={**packed.environment, **variables},
            volumes={folder: {"bind": folder, "mode": "rw"}},
            user=f"{os.getuid()}:{os.getgid()}",
            network_mode="none",
            detach=True,
        )
        try:
            return container.wait(timeout=120)["StatusCode"], container.logs().decode()
        finally:
            container.remove(force=True)
    finally:
        client.close()


def pack_for_image(desk, payload):
    from nbbatch.client.bundle import pack

    return pack(payload, desk.store, namespace=desk.namespace, python="python3")


@pytest.fixture(autouse=True)
def _needs_image() -> None:
    import docker

    client = docker.from_env()
    try:
        client.images.get(IMAGE)
    except docker.errors.ImageNotFound:
        pytest.skip(f"the image {IMAGE} is not here")
    finally:
        client.close()


@pytest.mark.docker
def test_bare_image_runs_functions_of_the_notebook(desk) -> None:
    """Functions by value, standard library values and rich outputs need no package in the image."""
    desk.write(
        "k = 2\nclass P:\n    def __init__(self, x): self.x = x\ndef f(p): print('there'); return P(p.x * k)"
    )
    packed = pack_for_image(desk, desk.cell("p = f(P(4))\ndef g(): return k\n{'x': p.x}"))
    code, log = run_in_image(packed)
    result = load_result(desk.store, packed.bundle_id)
    assert (code, log) == (0, "there\n"), log
    assert result.value == {"x": 8}
    assert isinstance(result.variables["p"], desk.namespace["P"])
    assert result.variables["g"]() == 2


@pytest.mark.docker
def test_bare_image_without_a_package_says_which(desk) -> None:
    """A DataFrame sent to an image without pandas fails with the package's name."""
    desk.write("import pandas as pd\ndf = pd.DataFrame({'a': [1]})")
    packed = pack_for_image(desk, desk.cell("df"))
    code, _ = run_in_image(packed)
    error = load_result(desk.store, packed.bundle_id).error
    assert code == 1
    assert error.type == "EnvironmentMismatchError"
    assert "df needs the package" in error.message


@pytest.mark.docker
def test_bare_image_runs_calls_and_scripts(desk) -> None:
    """A child of an array and a bash cell run in the same image."""
    packed = pack_for_image(desk, Call(function=lambda x: x + 1, calls=[((n,), {}) for n in range(3)]))
    assert run_in_image(packed, index=2)[0] == 0
    assert load_result(desk.store, packed.bundle_id, index=2).items[0].value == 3
    script = pack_for_image(desk, Cell(source="who=$(id -u)", language="bash", outputs=["who"]))
    assert run_in_image(script)[0] == 0
    assert load_result(desk.store, script.bundle_id).variables["who"] == str(os.getuid())


@pytest.mark.docker
def test_bare_image_has_what_jobs_use_of_nbbatch(desk) -> None:
    """`import nbbatch` finds progress and its like, also in a spawned process; the rest says why it is missing."""
    source = (
        "import nbbatch, subprocess, sys\n"
        "from nbbatch import log_metric, restore\n"
        "nbbatch.progress(1, 2)\n"
        "log_metric('loss', 0.5)\n"
        "before = restore('none')\n"
        "nbbatch.checkpoint({'a': [1]})\n"
        "after = restore()\n"
        "try:\n    nbbatch.submit\nexcept AttributeError as error:\n    why = str(error)"
    )
    packed = pack_for_image(desk, desk.cell(source))
    variables = {**packed.environment, "AWS_BATCH_JOB_ID": "j"}
    code, log = run_in_image(replace(packed, environment=variables))
    found = load_result(desk.store, packed.bundle_id).variables
    assert code == 0, log
    assert (found["before"], found["after"]) == ("none", {"a": [1]})
    assert "image has no nbbatch" in found["why"]
    kinds = [split_line(line)[1].kind for line in log.splitlines()]
    assert kinds == ["progress", "metric", "checkpoint"]
