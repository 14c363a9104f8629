"""The page about the routes of the Jupyter server, from their table and shapes; `scripts/docs` writes it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import msgspec
from typescript import MODULES, documented, structs_of, typescript_of

from nbbatch.jupyter.routes.shapes import Request
from nbbatch.jupyter.routes.table import EVERYWHERE, ROUTES, Route

PAGE = """# Routes of the server

Written by `scripts/docs` from `nbbatch/jupyter/routes/table.py` and the shapes beside it. The sidebar of
JupyterLab asks these routes of the Jupyter server, which asks Batch, so that it works without a kernel.

- Every route is below `<base_url>/nbbatch/`, wants a user that the server knows, and, where the server has
  an authorizer, one who may `read` (GET) or `write` (POST) the resource `nbbatch`. POST needs the server's
  XSRF token, as all of Jupyter's do.
- Backends are those of the server's configuration: the `nbbatch.toml` of `folder` or above it, and the user's
  own. Changes of these files hold from the next request on.
- Starting the server starts no daemon. Where none runs the answer is 503 with the reason `NoDaemon`, of
  `news` an ordinary one whose `noDaemon` says why, and POST `backends/start` starts it. A daemon that this
  server has seen and that was killed is started again, as by every client; one that the user stopped is not.
- Bodies are JSON. Members are camelCase, times epoch milliseconds, memory MiB, money dollars. Unknown members
  of a request are refused.
- A path is one of the server's contents, from its root, and reaches as far as the contents manager does: none
  leads out of the root, what it hides is not there, and links are followed where it follows them.
- A mistake of the user's is answered with 400, 403, 404, 409 or 413, a backend that does not answer with 503, and the body
  is a [`Problem`](#problem).

## The table

Every route takes {everywhere}.

{table}

## The shapes

{shapes}
"""


def server_page() -> str:
    """The whole page."""
    words = " and ".join(f"`{name}` ({about})" for name, about in EVERYWHERE.items())
    head = "| route | asks | answers | |\n|---|---|---|---|\n"
    return PAGE.format(
        everywhere=words, table=head + "\n".join(map(_row, ROUTES)), shapes="\n".join(_shapes())
    )


def _row(route: Route) -> str:
    query = "".join(f"<br>`{name}`: {about}" for name, about in route.query.items())
    request = "" if route.request is None else _link(route.request)
    return f"| `{route.method} {route.path}` | {request} | {_link(route.answer)} | {route.about}{query} |"


def _link(kind: type) -> str:
    return f"[`{kind.__name__}`](#{kind.__name__.lower()})"


def _shapes() -> Iterator[str]:
    for kind in structs_of(MODULES):
        about, members = documented(inspect.getdoc(kind) or "")
        yield f"### {kind.__name__}\n\n{about}\n\n| member | type | |\n|---|---|---|"
        for one in msgspec.structs.fields(kind):
            may = " (may be left out)" if issubclass(kind, Request) and not one.required else ""
            type_ = typescript_of(kind, one.name).replace("|", "\\|")
            yield f"| `{one.encode_name}` | `{type_}` | {members[one.name]}{may} |"
        yield ""
