"""What stands between a request's bytes and the loop: views, operations, routes, server, put together.

The server and the shapes of the wire are half of what a daemon imports, and no job needs them to go
on. So this module is imported last, while the executor comes up (`nbbatch.daemon.app`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from nbbatch.daemon.api import Api
from nbbatch.daemon.auth import Verifier
from nbbatch.daemon.home import Identity
from nbbatch.daemon.log_views import LogViews
from nbbatch.daemon.logs import LogStore
from nbbatch.daemon.loop import Loop
from nbbatch.daemon.paging import Paging
from nbbatch.daemon.private import Private
from nbbatch.daemon.server import Server
from nbbatch.daemon.store import Store
from nbbatch.daemon.views import Views
from nbbatch.daemon.watch import Watch
from nbbatch.wire.operations import load_model


def make_server(
    *,
    identity: Identity,
    account: str,
    loop: Loop,
    store: Store,
    logs: LogStore,
    watch: Watch,
    about: Callable[[], Mapping[str, Any]],
    stop: Callable[[], None],
) -> Server:
    """A server that does not listen yet, before the parts that answer.

    Parameters
    ----------
    identity : Identity
        Whose key opens it.
    account : str
        Account number in ARNs.
    loop, store, logs, watch : Loop, Store, LogStore, Watch
        What there is to ask and to change.
    about, stop : callable
        See `Private`.
    """
    load_model("batch")  # the first request needs it, and now nobody waits for it alone
    views = Views(loop, store, Paging(identity.secret_access_key.encode()))
    return Server(
        verifier=Verifier(identity.access_key_id, identity.secret_access_key, time.time),
        api=Api(loop=loop, store=store, views=views, logs=LogViews(loop, logs), account=account),
        private=Private(loop=loop, store=store, views=views, watch=watch, about=about, stop=stop),
    )
