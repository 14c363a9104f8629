"""What stands between the loop and the outside: views, operations, routes, server, deliveries, put together.

The server and the shapes of the wire are half of what a daemon imports, and no job needs them to go
on. So this module is imported last, while the executor comes up (`nbbatch.daemon.app`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from nbbatch.daemon.api import Api
from nbbatch.daemon.auth import Verifier
from nbbatch.daemon.costs import Costs
from nbbatch.daemon.delivery import Delivery
from nbbatch.daemon.events_feed import EventsFeed
from nbbatch.daemon.home import Identity
from nbbatch.daemon.log_views import LogViews
from nbbatch.daemon.logs import LogStore
from nbbatch.daemon.loop import Loop
from nbbatch.daemon.metrics import Metrics
from nbbatch.daemon.paging import Paging
from nbbatch.daemon.private import Private
from nbbatch.daemon.private_children import ChildrenRoutes
from nbbatch.daemon.private_feed import FeedRoutes
from nbbatch.daemon.private_listing import ListingRoutes
from nbbatch.daemon.private_now import NowRoutes
from nbbatch.daemon.private_numbers import NumberRoutes
from nbbatch.daemon.prometheus import is_token
from nbbatch.daemon.server import Server
from nbbatch.daemon.store import Store
from nbbatch.daemon.views import Views
from nbbatch.daemon.watch import Watch
from nbbatch.model.arns import Arns
from nbbatch.wire.operations import load_model


class Front(NamedTuple):
    """A server that does not listen yet, and deliveries that have not begun."""

    server: Server
    delivery: Delivery


def make_front(
    *,
    home: Path,
    identity: Identity,
    account: str,
    loop: Loop,
    store: Store,
    logs: LogStore,
    watch: Watch,
    feed: EventsFeed,
    metrics: Metrics,
    arns: Arns,
    now: Callable[[], int],
    about: Callable[[], Mapping[str, Any]],
    stop: Callable[[], None],
) -> Front:
    """Put it together; it opens nothing and starts nothing.

    Parameters
    ----------
    home, identity : Path, Identity
        Where Prometheus' token is, and whose key opens the server.
    account : str
        Account number in ARNs.
    loop, store, logs, watch, feed, metrics : Loop, Store, LogStore, Watch, EventsFeed, Metrics
        What there is to ask and to change.
    arns : Arns
        Region and account that private routes show.
    now : callable
        Epoch ms.
    about, stop : callable
        See `Private`.
    """
    load_model("batch")  # the first request needs it, and now nobody waits for it alone
    paging = Paging(identity.secret_access_key.encode())
    views = Views(loop, store, paging)
    delivery = Delivery(feed, store.deliveries)
    numbers = NumberRoutes(store.samples, metrics, Costs(loop, store.ledger, now))
    server = Server(
        verifier=Verifier(identity.access_key_id, identity.secret_access_key, time.time),
        api=Api(loop=loop, store=store, views=views, logs=LogViews(loop, logs, paging), account=account),
        private=Private(
            loop=loop,
            store=store,
            views=views,
            watch=watch,
            about=about,
            stop=stop,
            more={
                **FeedRoutes(feed, delivery).routes,
                **numbers.routes,
                **ChildrenRoutes(loop, store).routes,
                **ListingRoutes(views, watch, arns).routes,
                **NowRoutes(loop, store).routes,
            },
        ),
        scraped=numbers.prometheus,
        is_token=partial(is_token, home),
    )
    return Front(server=server, delivery=delivery)
