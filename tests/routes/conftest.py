"""A real Jupyter server in a process of its own, asked over HTTP as a browser asks it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from aws_account import KEYS

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-of-the-tests"
OTHERS = ("jupyterlab", "notebook", "notebook_shim", "jupyter_lsp", "jupyter_server_terminals")
EXTENSIONS = {"nbbatch": True, **dict.fromkeys(OTHERS, False)}
UP_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered."""

    status: int
    body: Any
    text: str
    headers: dict[str, str]


@dataclass(slots=True)
class Site:
    """A server that runs: where it listens, its root, and what it wrote."""

    port: int
    root: Path
    log: Path
    process: subprocess.Popen[bytes]
    base: str = "/base/"
    headers: dict[str, str] = field(default_factory=lambda: {"Authorization": f"token {TOKEN}"})

    def ask(
        self,
        method: str,
        route: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
        timeout: float = 60.0,
        **query: Any,
    ) -> Reply:
        """Send a request below `nbbatch/`, or with a slash of the server; a body is JSON unless `raw`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        path = f"{self.base}{route[1:]}" if route.startswith("/") else f"{self.base}nbbatch/{route}"
        if query:
            path += "?" + urllib.parse.urlencode(query)
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, body=data, headers=self.headers if headers is None else headers)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        finally:
            connection.close()
        is_json = response.getheader("Content-Type", "").startswith("application/json")
        parsed = json.loads(text) if is_json and text else None
        return Reply(response.status, parsed, text, dict(response.getheaders()))

    def get(self, route: str, **query: Any) -> Any:
        """The body of an answer that must be 200."""
        reply = self.ask("GET", route, **query)
        assert reply.status == 200, (route, reply.status, reply.text)
        return reply.body

    def post(self, route: str, body: Any = None, **query: Any) -> Any:
        """The same for POST."""
        reply = self.ask("POST", route, {} if body is None else body, **query)
        assert reply.status == 200, (route, reply.status, reply.text)
        return reply.body

    def until(self, job_id: str, *statuses: str, seconds: float = 200.0, **query: Any) -> Any:
        """The detail of a job once it has one of these statuses; waits for news, not by the clock."""
        deadline, cursor = time.monotonic() + seconds, ""
        while time.monotonic() < deadline:
            detail = self.get(f"jobs/{job_id}", **query)
            if detail["job"]["status"] in statuses:
                return detail
            cursor = self.get("news", cursor=cursor, wait=5, **query)["cursor"]
        raise AssertionError(f"{job_id} is {detail['job']['status']}")

    def notebook(self, name: str, *cells: str, parameters: str = "") -> str:
        """Write a notebook below the root; its path."""
        node = nbformat.v4.new_notebook(
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        )
        if parameters:
            node.cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
        node.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
        place = self.root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(node, place)
        return name


def serve(folder: Path, environment: dict[str, str], *settings: str) -> Site:
    """Start a server whose root is `folder/root`, and wait until it takes requests."""
    root = folder / "root"
    root.mkdir(exist_ok=True)
    log, runtime = folder / "server.log", folder / "runtime"
    command = [
        *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--port=0"),
        f"--ServerApp.jpserver_extensions={EXTENSIONS}",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={root}",
        "--ServerApp.base_url=/base/",
        *settings,
    ]
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")},
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)]),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_PLATFORM_DIRS": "1",
        **KEYS,
        "AWS_EC2_METADATA_DISABLED": "true",
        **environment,
    }
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=variables, cwd=folder)
    deadline = time.monotonic() + UP_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        for ready in runtime.glob("jpserver-*.json"):
            facts = json.loads(ready.read_text() or "{}")
            if facts and _answers(facts["port"]):
                return Site(facts["port"], root, log, process)
        time.sleep(0.05)
    process.kill()
    process.wait(20)
    raise AssertionError(log.read_text())


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/base/api")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def end(site: Site) -> None:
    """Stop a server, and wait until it has gone."""
    site.process.terminate()
    try:
        site.process.wait(20)
    except subprocess.TimeoutExpired:
        site.process.kill()
        site.process.wait(20)


@pytest.fixture(scope="module")
def site(shared_daemon: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One server for all tests of a file, beside one daemon on processes."""
    found = serve(tmp_path_factory.mktemp("site"), {})
    yield found
    end(found)


@pytest.fixture
def new_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Make servers of this test's own."""
    made: list[Site] = []

    def make(*settings: str, **environment: str) -> Site:
        folder = tmp_path / f"site{len(made)}"
        folder.mkdir(exist_ok=True)
        made.append(serve(folder, environment, *settings))
        return made[-1]

    yield make
    for one in made:
        end(one)
