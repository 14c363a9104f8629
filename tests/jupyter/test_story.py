from __future__ import annotations

import pytest

from nbbatch.client.bundle import Receipt
from nbbatch.client.format import clock, dollars, memory, plural, size
from nbbatch.client.handles.handle import Account
from nbbatch.client.money.estimate import Basis, Estimate, Range
from nbbatch.client.packing.parcel import Sent
from nbbatch.jupyter.receipts import cost_lines, in_receipt
from nbbatch.jupyter.story import (
    Place,
    final_line,
    phase,
    receipt_line,
    receipt_notes,
    status_line,
)

JOB = "3f2a91c0-0000-4000-8000-000000000000"
ASKED = {"resourceRequirements": [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "4096"}]}


def single(status, **more):
    return {
        "jobId": JOB,
        "jobName": "cell",
        "status": status,
        "createdAt": 1_000_000,
        "container": ASKED,
        **more,
    }


def account(**known):
    nothing = {"on_demand": 0.0, "spot": 0.0, "seconds": 0.0, "cpu_seconds": None, "peak_memory": None}
    return Account(**nothing | {"instance_type": ""} | known)


def array(size, status="PENDING", **counts):
    properties = {"size": size, "statusSummary": counts}
    return {"jobId": JOB, "status": status, "createdAt": 1_000_000, "arrayProperties": properties}


def test_numbers_are_written_as_people_read_them():
    """Sizes, memory, clocks, dollars and counts."""
    assert [size(n) for n in (0, 340_000, 1_230_000, 99e6)] == ["0 B", "340 kB", "1.2 MB", "99 MB"]
    assert [memory(n) for n in (310, 4096, 1536)] == ["310 MB", "4 GB", "1.5 GB"]
    assert [clock(n) for n in (4, 3723)] == ["00:04", "1:02:03"]
    assert [dollars(n) for n in (0, 0.0004, 0.00006, 0.5, 1234.5)] == [
        "$0",
        "$0.0004",
        "$0.00006",
        "$0.50",
        "$1,234.50",
    ]
    assert [plural(1, "class"), plural(2, "class"), plural(2, "function")] == [
        "1 class",
        "2 classes",
        "2 functions",
    ]


SENT = Receipt(
    sent=(
        Sent(name="df", kind="value", size=1_200_000),
        Sent(name="model", kind="value", size=340_000),
        Sent(name="f", kind="function", size=100),
        Sent(name="g", kind="function", size=100),
    ),
    back=("scores",),
    held_back={"api_key": "it looks like a credential"},
    warnings=("df is large",),
)


def test_the_receipt_names_what_travels():
    """Values with sizes, definitions counted, names that come back, the place and the price."""
    place = Place(queue="default", where="local, docker", price=(0.048, 0.018))
    assert receipt_line(SENT, place) == (
        "sends df (1.2 MB), model (340 kB), 2 functions · back: scores · "
        "queue default (local, docker) · $0.048/h ($0.018/h spot)"
    )
    assert "array of 20 items" in receipt_line(SENT, place, 20)


def test_an_estimate_never_assumes_an_hour():
    """The receipt gives a rate, because nobody knows yet how long the cell runs."""
    line = receipt_line(SENT, Place(queue="q", price=(0.1, 0.03)))
    assert "est." not in line
    assert "$0.10/h" in line


def test_what_is_held_back_is_named_with_the_way_to_send_it():
    """A variable that stays here is told, with the option that sends it."""
    kept, warning = receipt_notes(SENT)
    assert "api_key" in kept
    assert "--in df,model,api_key" in kept
    assert warning == "df is large"


def test_the_status_tells_state_place_time_and_cost():
    """A running job shows its host, how long it runs and what it cost."""
    detail = single("RUNNING", startedAt=1_004_000)
    line = status_line(detail, 1008.0, account(instance_type="m6i.large", on_demand=0.0001))
    assert line == "job 3f2a91c0 RUNNING on m6i.large · 00:04 · $0.0001"


def test_a_waiting_job_says_why():
    """The reason of a waiting job stands in its status."""
    assert status_line(single("RUNNABLE"), 1001.0, why="no host has 64 vCPU").endswith("no host has 64 vCPU")


def test_an_array_counts_its_children_and_the_time_left():
    """Progress of an array is one line, with the time left once a tenth has ended."""
    line = status_line(array(20, SUCCEEDED=10, FAILED=1, RUNNING=4, RUNNABLE=5), 1022.0)
    assert "10 of 20 done · 1 failed · 4 running · 5 waiting · 00:22 · about 00:18 left" in line
    assert "left" not in status_line(array(20, RUNNING=2, RUNNABLE=18), 1022.0)


def test_the_phase_changes_when_something_happened():
    """States, attempts and tenths of an array are phases; the clock is not."""
    assert phase(single("RUNNING")) == phase(single("RUNNING", startedAt=5))
    assert phase(single("RUNNING")) != phase(single("RUNNING", attempts=[{}]))
    assert phase(array(100, SUCCEEDED=11)) == phase(array(100, SUCCEEDED=19))
    assert phase(array(100, SUCCEEDED=19)) != phase(array(100, SUCCEEDED=20))


def test_the_final_line_tells_time_use_and_cost():
    """Duration, use of what was asked for, cost on demand and Spot."""
    detail = single("SUCCEEDED", startedAt=1_000_000, stoppedAt=1_006_200)
    used = account(on_demand=0.0002, spot=0.00006, cpu_seconds=5.58, peak_memory=310, seconds=6.2)
    assert final_line(detail, used) == (
        "SUCCEEDED in 6.2 s · used 0.9 of 2 vCPU, 310 MB of 4 GB · $0.0002 on demand ($0.00006 spot)"
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"container": {"exitCode": 3}, "startedAt": 1, "attempts": [{}]}, "FAILED (exit code 3)"),
        ({"statusReason": "Job attempt duration exceeded timeout"}, "FAILED (timed out)"),
        ({"isTerminated": True, "statusReason": "enough"}, "FAILED (terminated)"),
        ({"container": {"reason": "OutOfMemoryError: x"}, "startedAt": 1}, "FAILED (out of memory)"),
        ({"statusReason": "Dependent Job failed"}, "FAILED (dependency failed)"),
    ],
)
def test_kinds_of_failure_are_told_apart(more, said):
    """FAILED says what kind of failure it was."""
    assert final_line(single("FAILED", **more)).startswith(said)


def test_the_final_line_of_an_array_counts_failures():
    """A failed array says how many of its items failed."""
    detail = array(20, status="FAILED", SUCCEEDED=18, FAILED=2) | {"stoppedAt": 1_012_000}
    assert final_line(detail).startswith("FAILED: 2 of 20 items in 12 s")


def test_an_estimate_is_told_only_from_earlier_runs():
    """What was measured stands beside the rate, and says from where it is."""
    known = Range(per_hour=0.1, low=0.0003, expected=0.0004, high=0.0006, worst=0.8)
    seen = Estimate(
        on_demand=known,
        spot=Range(per_hour=0.03, expected=0.0001, low=0.0001, high=0.0001),
        is_spot=False,
        basis=Basis.MEASURED,
        because="14 s in 2 earlier runs",
        worst_because="timeout of 2 h x 4 attempts",
    )
    line = receipt_line(SENT, Place(queue="q", price=(0.1, 0.03)), estimate=in_receipt(seen))
    assert line.endswith("· $0.10/h ($0.03/h spot) · est. $0.0004: 14 s in 2 earlier runs")
    assert list(cost_lines(seen)) == [
        "cost on demand: $0.0004 expected ($0.0003 to $0.0006), $0.10/h, at worst $0.80 ← this queue",
        "cost spot: $0.0001 expected, $0.03/h",
        "expected from 14 s in 2 earlier runs",
        "worst case: timeout of 2 h x 4 attempts",
    ]


def test_nothing_is_estimated_where_nothing_has_run():
    """A dry run says that nobody knows, and what would limit the cost."""
    unknown = Range(per_hour=0.1)
    never = Estimate(
        on_demand=unknown, spot=unknown, is_spot=True, basis=Basis.UNKNOWN, because="", worst_because=""
    )
    assert in_receipt(never) == in_receipt(None) == ""
    lines = list(cost_lines(never))
    assert "← this queue" in lines[1]
    assert "nobody knows" in lines[2]
    assert "--timeout or --max-cost" in lines[3]
