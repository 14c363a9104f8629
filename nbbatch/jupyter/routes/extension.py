"""The server extension: puts the routes into a Jupyter server when it loads; its threads end with the process."""

from __future__ import annotations

from typing import Any

from nbbatch.jupyter.routes.handlers import LANES, handlers
from nbbatch.jupyter.routes.lanes import Lanes


def _load_jupyter_server_extension(server: Any) -> None:
    """Add the routes; nothing is asked of any backend, and no daemon is started."""
    web_app = server.web_app
    web_app.settings[LANES] = Lanes()
    web_app.add_handlers(".*$", handlers(web_app.settings["base_url"]))
