"""Puts the built JupyterLab extension into wheels: where JupyterLab looks, and nowhere else.

`scripts/front-end` builds it. An editable install gets none here: that script links it instead, and
files of a wheel in its place would be removed through the link. A source archive brings it along, so
that whoever installs from one needs no node; a checkout without it gives a wheel without the sidebar.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = "nbbatch/labextension"
PLACE = "share/jupyter/labextensions/nbbatch"
ORIGIN = "install.json"
"""Tells JupyterLab that pip has brought the extension and can take it away."""


class FrontEndHook(BuildHookInterface):  # type: ignore[type-arg,misc]
    """Adds the built extension, if there is one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files of one target; `version` is `standard` or `editable`."""
        if version == "editable":
            return
        if not (Path(self.root) / BUILT / "package.json").is_file():
            self.app.display_warning(f"No {BUILT}: JupyterLab will show no sidebar. Run scripts/front-end.")
        elif self.target_name == "wheel":
            build_data["shared_data"][BUILT] = PLACE
            build_data["shared_data"][f"frontend/{ORIGIN}"] = f"{PLACE}/{ORIGIN}"
        else:
            build_data["artifacts"].append(f"/{BUILT}")
