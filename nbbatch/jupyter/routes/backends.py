"""Answers about backends: which there are, and starting a local daemon."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from nbbatch.client.backend import Backend, Standing, find_backend
from nbbatch.client.config import load_config, working_in
from nbbatch.errors import NbbatchError, OptionError
from nbbatch.jupyter.routes.actions import start
from nbbatch.jupyter.routes.asked import Asked
from nbbatch.jupyter.routes.problems import NO_DAEMON, at
from nbbatch.jupyter.routes.shapes import BackendRow, Backends, BackendState
from nbbatch.version import __version__

_STATES: dict[Standing, BackendState] = {
    Standing.READY: "ready",
    Standing.STOPPED: "stopped",
    Standing.ABSENT: "absent",
    Standing.KILLED: "stopped",
}


async def backends(asked: Asked) -> Backends:
    """GET `backends`; asks none of them anything that takes long."""

    def answer() -> Backends:
        with working_in(asked.folder):
            config = load_config()
            default = config.find_backend(None).name
            names = sorted(config.backends, key=lambda name: (name != default, name))
            rows = [_row(name, default, str(config.backend_paths.get(name, ""))) for name in names]
        return Backends(backends=rows, default=default, version=__version__)

    return await asked.lanes.aside(answer)


async def start_backend(asked: Asked) -> BackendRow:
    """POST `backends/start`."""
    with at("backend"):
        lane = asked.lane
        if asked.body.backend and asked.query.get("backend", asked.body.backend) != asked.body.backend:
            raise OptionError("Body and address name two backends.", cure="Name one.")
        if asked.body.backend:
            lane = await asked.lanes.find(asked.body.backend, asked.folder)

    def act() -> BackendRow:
        start(lane.backend)
        default = load_config().find_backend(None).name
        source = load_config().backend_paths.get(lane.backend.name, "")
        return _row(lane.backend.name, default, str(source))

    return await lane.run(asked.folder, act, needs_daemon=False)


def _row(name: str, default: str, source: str) -> BackendRow:
    settings = load_config().find_backend(name)
    row = BackendRow(name=name, kind=settings.kind, is_default=name == default, source=source)
    try:
        backend = find_backend(name)
        return _told(backend, backend.standing(), row)
    except NbbatchError as error:
        return replace(row, state="unreachable", message=error.message, cure=error.cure)


def _told(backend: Backend, standing: Standing, row: BackendRow) -> BackendRow:
    if standing is not Standing.READY:
        return replace(
            row,
            state=_STATES[standing],
            message=NO_DAEMON[standing],
            cure="Start it: no job is lost, and it waits for work.",
            can_start=True,
            is_pushing=backend.tells_changes,
            home=_home(backend),
        )
    about = backend.private("status", {}) if backend.tells_changes else {}
    return replace(
        row,
        region=backend.region,
        is_pushing=backend.tells_changes,
        executor=str((about.get("executor") or {}).get("name", "")),
        version=str(about.get("version", "")),
        home=_home(backend),
    )


def _home(backend: Backend) -> str:
    home: Path | None = backend.home
    return "" if home is None else str(home)
