"""Events to real commands and a real HTTP server, with failures, from a durable place."""

import http.server
import json
import threading
import time
from pathlib import Path

import pytest
from served import submit

from nbbatch.daemon.delivery import GIVE_UP_SECONDS

DEADLINE = 60


@pytest.fixture
def listener():
    """An HTTP server that keeps what it gets and answers with the statuses it is told."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = server.statuses.pop(0) if server.statuses else 200
            server.got.append((status, json.loads(body)))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.got, server.statuses = [], []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def until(done):
    deadline = time.monotonic() + DEADLINE
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def url(listener) -> str:
    return f"http://127.0.0.1:{listener.server_port}/hook"


def got(listener, status=200):
    return [event["detail"]["status"] for code, event in listener.got if code == status]


def test_a_command_gets_events_as_json_lines(served, batch, tmp_path):
    """From the moment the rule was added, and only those that its pattern matches."""
    submit(batch)
    target = tmp_path / "events"
    pattern = {"detail": {"status": ["RUNNING", "SUCCEEDED"]}}
    served.private("add-rule", {"name": "keep", "command": f"cat >> {target}", "pattern": pattern})
    job_id = submit(batch)
    served.start(job_id)
    served.exit(job_id)
    until(lambda: target.exists() and target.read_text().count("\n") == 2)
    events = [json.loads(line) for line in target.read_text().splitlines()]
    assert [(event["detail"]["jobId"], event["detail"]["status"]) for event in events] == [
        (job_id, "RUNNING"),
        (job_id, "SUCCEEDED"),
    ]


def test_a_url_gets_each_event_in_order_until_it_takes_it(served, batch, listener):
    """A refused event is sent again after longer and longer pauses; those behind it wait."""
    listener.statuses = [500, 503, 302]
    served.private("add-rule", {"name": "hook", "url": url(listener)})
    job_id = submit(batch)
    served.exit(job_id)
    until(lambda: got(listener) == ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"])
    assert [code for code, _ in listener.got] == [500, 503, 302, 200, 200, 200, 200]
    assert served.pauses == [1.0, 2.0, 4.0]
    assert len({event["id"] for _, event in listener.got}) == 4


def test_a_failing_rule_says_so_and_harms_no_other(served, batch, listener):
    """The list of rules tells what is wrong; another rule and the jobs go on."""
    served.private("add-rule", {"name": "bad", "command": "exit 7"})
    served.private("add-rule", {"name": "good", "url": url(listener)})
    submit(batch)
    until(lambda: got(listener) == ["RUNNABLE", "STARTING"])

    def rules():
        return {rule["name"]: rule for rule in served.private("rules", {})["rules"]}

    until(lambda: "trouble" in rules()["bad"])
    assert rules()["bad"]["trouble"] == "The command ended with exit code 7."
    assert "trouble" not in rules()["good"]
    served.private("remove-rule", {"name": "bad"})
    assert list(rules()) == ["good"]


def test_an_event_that_nobody_takes_is_given_up_after_a_day(served, batch, listener, monkeypatch):
    """Then the next ones have their turn."""
    served.private("add-rule", {"name": "hook", "url": url(listener)})
    real = time.time
    listener.statuses = [500]
    monkeypatch.setattr("nbbatch.daemon.delivery.time.time", lambda: real() + GIVE_UP_SECONDS + 60)
    submit(batch)
    until(lambda: got(listener) == ["STARTING"])


def test_a_restart_goes_on_behind_the_last_delivered_event(served, batch, listener, tmp_path):
    """Nothing is lost while nobody delivers, and what was delivered does not come again."""
    from nbbatch.daemon.delivery import Delivery

    served.private("add-rule", {"name": "hook", "url": url(listener)})
    first = submit(batch)
    until(lambda: len(listener.got) == 2)
    until(lambda: served.on_loop(lambda: served.store.deliveries.load(dict)[0][1]) >= (1, 2))
    stop_and_start(served, lambda: submit(batch), Delivery)
    until(lambda: len(listener.got) == 4)
    assert got(listener) == ["RUNNABLE", "STARTING"] * 2
    assert [event["detail"]["jobId"] for _, event in listener.got[:2]] == [first, first]


def stop_and_start(served, meanwhile, make):
    """Take the deliveries down, let something happen, bring them up from the rows."""
    import asyncio

    asyncio.run_coroutine_threadsafe(served.delivery.close(), served._loop).result(60)
    meanwhile()

    def again():
        served.delivery = make(served.feed, served.store.deliveries, served._pause)
        served.delivery.start()

    served.on_loop(again)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"name": "x"}, "either a command or a url"),
        ({"name": "x", "command": "a", "url": "http://h/"}, "either a command or a url"),
        ({"name": "x", "url": "file:///etc/passwd"}, "not one of http or https"),
        ({"name": "x", "url": "http://"}, "not one of http or https"),
        ({"name": "x y", "command": "a"}, "name"),
        ({"name": "x", "command": "a", "pattern": {"detail": "x"}}, "pattern.detail"),
        ({"command": "a"}, "name"),
    ],
)
def test_a_wrong_rule_is_refused(served, rule, problem):
    """Rules are checked when they are made, not when the first event comes."""
    status, _, reply = served.send_signed("POST", "/nbbatch/v1/add-rule", json.dumps(rule).encode())
    assert status == 400
    assert problem in reply["message"]


def test_a_rule_that_is_not_there_cannot_be_removed(served):
    """It is named."""
    status, _, reply = served.send_signed("POST", "/nbbatch/v1/remove-rule", b'{"name": "none"}')
    assert (status, "'none'" in reply["message"]) == (400, True)


def test_a_command_that_hangs_is_killed_with_its_children(served, batch, tmp_path, monkeypatch):
    """It counts as failed and is tried again."""
    monkeypatch.setattr("nbbatch.daemon.delivery.PATIENCE_SECONDS", 0.3)
    flag = tmp_path / "tried"
    script = f"if [ -e {flag} ]; then cat > {tmp_path}/done; else touch {flag}; sleep 1000; fi"
    served.private("add-rule", {"name": "slow", "command": script})
    submit(batch)
    until(lambda: Path(tmp_path / "done").exists() and (tmp_path / "done").read_text().count("\n") >= 1)
    assert served.pauses[:1] == [1.0]
