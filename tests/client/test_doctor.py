"""The doctor tells what is in order and what is not, and faints at nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from docker_image import IMAGE

from nbbatch.client.backend import Backend
from nbbatch.client.daemon_process import LOCK
from nbbatch.client.doctor import machine as doctor_local
from nbbatch.client.doctor.checkup import Finding, Health, Report, bad, doctor, examine, good, note
from nbbatch.client.doctor.permissions import Statement


def found(report: list[Finding], check: str) -> Finding:
    """The last finding of a check: the worst of one that goes on is told last."""
    return [finding for finding in report if finding.check == check][-1]


def test_a_machine_in_order_is_well(daemon: Backend) -> None:
    """With a daemon that runs, every check of this machine is told and none is bad."""
    report = doctor()
    assert report.is_well, report
    checks = [finding.check for finding in report]
    assert checks[:4] == ["python", "settings", "home", "disk"]
    assert {"docker", "daemon", "image", "queue"} <= set(checks)
    assert daemon.address.endpoint.url in found(report, "daemon").said
    assert "default is ENABLED and VALID" in found(report, "queue").said
    assert report.policy is None


def test_nothing_is_started_by_looking(home: Path) -> None:
    """Where no daemon runs, the doctor says so, and none runs afterwards."""
    report = doctor()
    assert "the first job starts it" in found(report, "daemon").said
    assert not (home / LOCK).exists()
    assert report.is_well


def test_a_killed_daemon_is_told(home: Path) -> None:
    """An endpoint file without a daemon is what a killed one leaves."""
    home.mkdir(parents=True, exist_ok=True)
    known = dict.fromkeys(("url", "region", "account", "access_key_id", "secret_access_key", "executor"), "x")
    (home / "endpoint.json").write_text(json.dumps({**known, "version": "0", "pid": 1, "started_at": 1}))
    finding = found(doctor(), "daemon")
    assert finding.health is Health.NOTE
    assert "killed" in finding.said
    assert "daemon.log" in finding.cure


def test_ill_settings_end_the_examination(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """A file of settings that cannot be read is told with its path, and nothing is asked by them."""
    (tmp_path / "nbbatch.toml").write_text("qeue = 'x'\n")
    monkeypatch.chdir(tmp_path)
    report = doctor()
    assert not report.is_well
    assert "nbbatch.toml" in report[-1].said
    assert "'queue'" in report[-1].cure
    assert found(report, "settings") is report[-1]
    assert not (home / LOCK).exists()


def test_an_unknown_backend_is_told_with_the_known_ones(home: Path) -> None:
    """Asked about a backend that nobody configured, it names those that are."""
    report = doctor("prod")
    assert not report.is_well
    assert "local" in report[-1].cure
    assert not (home / LOCK).exists()


def test_a_home_that_cannot_be_written_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    """A home below a place that takes no files keeps every job from running."""
    monkeypatch.setenv("NBBATCH_HOME", "/proc/nbbatch")
    finding = found(doctor(), "home")
    assert (finding.health, "NBBATCH_HOME" in finding.cure) == (Health.BAD, True)


def test_a_home_on_the_network_is_bad(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's write-ahead log needs a local disk: the file system of the home is looked at."""
    home.mkdir(parents=True, exist_ok=True)
    kind = doctor_local._file_system(home)
    assert kind
    monkeypatch.setattr(doctor_local, "NETWORK_FILE_SYSTEMS", frozenset({kind}))
    finding = found(doctor(), "home")
    assert finding.health is Health.BAD
    assert kind in finding.said


@pytest.mark.parametrize(
    ("limit", "health"), [("TOO_TIGHT", Health.BAD), ("TIGHT", Health.NOTE)], ids=["full", "tight"]
)
def test_a_full_disk_is_told(home: Path, monkeypatch: pytest.MonkeyPatch, limit: str, health: Health) -> None:
    """Little space is worth a word, none keeps jobs from running."""
    monkeypatch.setattr(doctor_local, limit, 1e18)
    finding = found(doctor(), "disk")
    assert (finding.health, "NBBATCH_HOME" in finding.cure) == (health, True)
    assert not (home / LOCK).exists()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("wanted", "health"), [("docker", Health.BAD), ("", Health.NOTE)])
def test_no_engine_is_bad_only_where_containers_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, wanted: str, health: Health
) -> None:
    """Without Docker jobs run as processes, unless the setting says that they must not."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    monkeypatch.setenv("NBBATCH_EXECUTOR", wanted)
    finding = found(doctor(), "docker")
    assert finding.health is health
    assert finding.cure


@pytest.mark.usefixtures("home")
def test_an_image_without_an_engine_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configured image cannot run where no engine answers."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    monkeypatch.setenv("NBBATCH_IMAGE", "python:3.11-slim")
    assert found(doctor(), "image").health is Health.BAD


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that is busy is waited for."""
    monkeypatch.setattr(doctor_local, "_ENGINE_SECONDS", 60)


@pytest.mark.docker
@pytest.mark.usefixtures("patient")
def test_an_engine_that_the_daemon_does_not_use_is_told(
    daemon: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that was started with processes keeps them, whatever the variable says by now."""
    assert daemon.address.endpoint.executor == "process"
    monkeypatch.delenv("NBBATCH_EXECUTOR")
    finding = found(doctor(), "docker")
    assert finding.health is Health.NOTE
    assert "started with processes" in finding.said
    assert "nbbatch local stop" in finding.cure


@pytest.mark.docker
@pytest.mark.usefixtures("home", "patient")
@pytest.mark.parametrize(
    ("image", "health"),
    [(IMAGE, Health.GOOD), ("nbbatch-test/nowhere:1", Health.NOTE)],
)
def test_an_image_is_looked_for(monkeypatch: pytest.MonkeyPatch, image: str, health: Health) -> None:
    """An image that is here is fine, another one will be pulled."""
    monkeypatch.setenv("NBBATCH_IMAGE", image)
    finding = found(doctor(), "image")
    assert finding.health is health
    assert image in finding.said


def test_a_job_that_fits_nowhere_is_told(daemon: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Default resources that no host of the default queue has are found before the first job."""
    monkeypatch.setenv("NBBATCH_MEMORY", "4000G")
    report = doctor()
    assert not report.is_well
    assert "4000 GB" in found(report, "queue").said
    assert daemon.batch.describe_job_queues()["jobQueues"]


def test_a_check_that_fails_is_a_finding() -> None:
    """Whatever a check trips over, the others are still told."""

    def trip():
        yield good("x", "first")
        raise RuntimeError("the floor")

    assert [finding.said for finding in examine("x", trip)] == [
        "could not be looked at: RuntimeError: the floor"
    ]


def test_the_report_is_read_in_three_ways() -> None:
    """As text with signs and cures, as a table, and as JSON; each holds the missing policy."""
    missing = Statement(sid="SubmitJobs", actions=("batch:SubmitJob",), resources=("*",))
    report = Report([good("a", "fine"), note("b", "so so", "look"), bad("c", "<no>", "do", needs=[missing])])
    assert not report.is_well
    assert repr(report).splitlines()[:4] == ["✓ a  fine", "· b  so so", "     → look", "✗ c  <no>"]
    assert "batch:SubmitJob" in repr(report)
    assert "&lt;no&gt;" in report._repr_html_()
    assert "batch:SubmitJob" in report._repr_html_()
    known = json.loads(json.dumps(report.to_dict()))
    assert known["policy"]["Statement"][0]["Action"] == ["batch:SubmitJob"]
    assert [finding["health"] for finding in known["findings"]] == ["ok", "note", "bad"]
