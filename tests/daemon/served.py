"""A real server over a real loop and store, in a thread of its own, with an executor that obeys.

The executor starts nothing: a test says with `start` and `exit` what became of an attempt. Clients
talk to it over real HTTP.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from functools import partial
from pathlib import Path

import boto3
import botocore.config
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import nbbatch.model
from nbbatch.daemon.api import Api
from nbbatch.daemon.auth import Verifier
from nbbatch.daemon.costs import Costs
from nbbatch.daemon.delivery import Delivery
from nbbatch.daemon.events_feed import EventsFeed
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
from nbbatch.model.events import AttemptExited, AttemptStarted
from nbbatch.model.fleet import parse_catalogue
from nbbatch.scheduler.restore import restore

KEY, SECRET = "AKIALOCAL", "a-secret-of-this-test"
REGION = "eu-central-1"


class ObedientExecutor:
    """Keeps orders; the test reports what became of them."""

    name = "obedient"
    runs_tasks = True

    def __init__(self) -> None:
        self.orders = {}
        self.stops = []

    async def adopt(self, expected):
        assert not expected

    def start(self, orders):
        self.orders |= {order.job_id: order for order in orders}

    def stop(self, orders):
        self.stops += orders

    def settled(self, attempts):
        pass

    async def close(self):
        pass


class SystemClock:
    """The wall clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000


class Served:
    """The request path of a daemon, from socket to rows."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.executor = ObedientExecutor()
        self.stopped = False
        self.pauses = []
        self._clients = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._ready.wait(60)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        try:
            await self._serve()
        finally:
            self._ready.set()

    def _note(self, events, changes):
        self.watch.note(changes.touched)
        self.feed.note()
        self.metrics.note(events, changes, self.loop.state)

    async def _serve(self) -> None:
        self.store = Store.open(self.home / "nbbatch.db")
        self.logs = LogStore(self.home / "logs")
        self.watch = watch = Watch(time.time_ns() // 1000, self.logs.size)
        catalogue = parse_catalogue(Path(nbbatch.model.__file__).with_name("instance_types.json").read_text())
        self.loop = Loop(
            restore=lambda: restore(self.store.load(), catalogue),
            store=self.store,
            clock=SystemClock(),
            on_commit=self._note,
        )
        self.feed = EventsFeed(self.store.feed, self.loop.state.seed, Arns(REGION, "123456789012"))
        self.delivery = Delivery(self.feed, self.store.deliveries, self._pause)
        self.delivery.start()
        self.metrics = Metrics(self.store.samples, self.loop.state, self.store.ledger.totals())
        numbers = NumberRoutes(
            self.store.samples, self.metrics, Costs(self.loop, self.store.ledger, SystemClock().now)
        )
        await self.loop.start(self.executor)
        paging = Paging(SECRET.encode())
        views = Views(self.loop, self.store, paging)
        api = Api(
            loop=self.loop,
            store=self.store,
            views=views,
            logs=LogViews(self.loop, self.logs, paging),
            account="123456789012",
        )
        private = Private(
            loop=self.loop,
            store=self.store,
            views=views,
            watch=watch,
            about=lambda: {"version": "test"},
            stop=self._stop,
            more={
                **FeedRoutes(self.feed, self.delivery).routes,
                **numbers.routes,
                **ChildrenRoutes(self.loop, self.store).routes,
                **NowRoutes(self.loop, self.store).routes,
                **ListingRoutes(views, watch, Arns(REGION, "123456789012")).routes,
            },
        )
        self.server = Server(
            verifier=Verifier(KEY, SECRET, time.time),
            api=api,
            private=private,
            scraped=numbers.prometheus,
            is_token=partial(is_token, self.home),
        )
        self.port = self.server.listen()
        self._ready.set()
        await self._over.wait()
        watch.close()
        await self.delivery.close()
        self.feed.close()
        await self.server.close()
        await self.loop.close()
        self.metrics.close()
        self.store.close()

    async def _pause(self, seconds: float) -> None:
        """What deliveries wait before the next try; a test sees it, and waits next to nothing."""
        self.pauses.append(seconds)
        await asyncio.sleep(0.001)

    def _stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(60)
        assert not self._thread.is_alive()

    def on_loop(self, work):
        """Do something on the thread that owns state and rows; gives its result."""

        async def do():
            return work()

        return asyncio.run_coroutine_threadsafe(do(), self._loop).result(60)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str = "batch", *, key: str = KEY, secret: str = SECRET, region: str = REGION):
        session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret, region_name=region)
        config = botocore.config.Config(retries={"max_attempts": 0})
        client = session.client(service, endpoint_url=self.url, config=config)
        self._clients.append(client)
        return client

    def world(self, batch) -> None:
        """An environment, a queue and a definition."""
        batch.create_compute_environment(
            computeEnvironmentName="ce",
            type="MANAGED",
            computeResources={
                "type": "EC2",
                "maxvCpus": 64,
                "instanceTypes": ["m6i.large"],
                "instanceRole": "ecsInstanceRole",
                "subnets": ["subnet-1"],
                "securityGroupIds": ["sg-1"],
            },
        )
        order = [{"order": 1, "computeEnvironment": "ce"}]
        batch.create_job_queue(jobQueueName="q", priority=1, computeEnvironmentOrder=order)
        self.register(batch)

    def register(self, batch, name: str = "true", **more):
        properties = {
            "image": "busybox",
            "command": ["true"],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
        }
        return batch.register_job_definition(
            jobDefinitionName=name, type="container", containerProperties=properties | more
        )

    def start(self, job_id: str) -> None:
        """Report that the job's attempt runs."""
        attempt = self._order(job_id).attempt
        self._report(AttemptStarted(job_id=job_id, attempt=attempt, started_at=SystemClock().now()))

    def exit(self, job_id: str, code: int = 0, **more) -> None:
        """Report that the job's attempt is over."""
        order, now = self._order(job_id), SystemClock().now()
        self._report(
            AttemptExited(
                job_id=job_id,
                attempt=order.attempt,
                exit_code=code,
                started_at=more.pop("started_at", now),
                stopped_at=now,
                **more,
            )
        )

    def stops(self) -> list[str]:
        """Jobs that the executor was told to stop; it is told behind the answer to whoever asked for it."""
        return self.on_loop(lambda: [stop.job_id for stop in self.executor.stops])

    def _order(self, job_id: str):
        """What the executor was told; it is told behind the answer to whoever submitted the job."""
        return self.on_loop(lambda: self.executor.orders[job_id])

    def _report(self, report) -> None:
        async def hand_over() -> None:
            self.loop.report([report])
            await self.loop.apply(lambda _state, _now: ([], None))

        asyncio.run_coroutine_threadsafe(hand_over(), self._loop).result(60)

    def send(self, method: str, path: str, body: bytes = b"", headers=None):
        """A request as it is: status, headers with lower-case names, parsed body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            text = reply.read()
            found = {name.lower(): value for name, value in reply.getheaders()}
            return reply.status, found, json.loads(text) if text else None
        finally:
            connection.close()

    def get_text(self, path: str, headers):
        """A GET: status, content type, text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path, headers=headers)
            reply = connection.getresponse()
            return reply.status, reply.getheader("Content-Type"), reply.read().decode()
        finally:
            connection.close()

    def send_signed(self, method: str, path: str, body: bytes = b"", **more):
        """A request with a good signature."""
        return self.send(method, path, body, self.signed_headers(method, path, body, **more))

    def signed_headers(self, method, path, body, *, service="batch", secret=SECRET, headers=None):
        """Headers of a request with a good signature."""
        request = AWSRequest(method=method, url=self.url + path, data=body, headers=headers or {})
        SigV4Auth(Credentials(KEY, secret), service, REGION).add_auth(request)
        signed = {name: str(value) for name, value in request.headers.items()}
        return signed | {"Host": f"127.0.0.1:{self.port}"}

    def private(self, name: str, body) -> dict:
        status, _, reply = self.send_signed("POST", f"/nbbatch/v1/{name}", json.dumps(body).encode())
        assert status == 200, reply
        return reply


def submit(batch, **more) -> str:
    """Submit a job to the world that `Served.world` makes; its id."""
    return batch.submit_job(**{"jobName": "n", "jobQueue": "q", "jobDefinition": "true", **more})["jobId"]
