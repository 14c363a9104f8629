"""The client and its daemon: found, started, followed, replaced."""

import contextlib
import json
import multiprocessing
import os
import signal
import stat

import psutil
import pytest

from nbbatch.client.backend import boto3_client, get_backend, translate
from nbbatch.errors import (
    AccessDeniedError,
    BackendUnreachableError,
    ClientException,
    DaemonVersionError,
    OptionError,
)


def endpoint(home):
    return json.loads((home / "endpoint.json").read_text())


def kill(home):
    process = psutil.Process(endpoint(home)["pid"])
    process.send_signal(signal.SIGKILL)
    psutil.wait_procs([process], timeout=60)


def test_the_first_use_starts_a_daemon_and_the_next_finds_it(daemon, home):
    """One per home, whoever asks."""
    pid = daemon.private("status", {})["pid"]
    assert get_backend("local") is daemon
    assert daemon.private("status", {})["pid"] == pid == endpoint(home)["pid"]


def test_what_the_daemon_keeps_is_the_users_alone(daemon, home):
    """Folder 0700; key, rows and log 0600; 127.0.0.1 only."""
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for name in ("endpoint.json", "identity.json", "nbbatch.db", "daemon.log"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600, name
    pid = endpoint(home)["pid"]
    listening = [
        one for one in psutil.Process(pid).net_connections("inet") if one.status == psutil.CONN_LISTEN
    ]
    assert {one.laddr.ip for one in listening} == {"127.0.0.1"}


def test_no_key_is_on_a_command_line_or_in_the_log(daemon, home):
    """Neither process lists nor logs tell the secret."""
    daemon.batch.describe_job_queues()
    known = endpoint(home)
    process = psutil.Process(known["pid"])
    words = process.cmdline()
    for child in process.children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended since
            words += child.cmdline()
    assert not any(known["secret_access_key"] in word for word in words)
    assert known["secret_access_key"] not in (home / "daemon.log").read_text()


def test_a_killed_daemon_is_started_again_by_the_next_call(daemon, home):
    """The same client goes on, with boto3 and on the private routes."""
    kill(home)
    assert daemon.batch.describe_job_queues()["jobQueues"]
    kill(home)
    assert daemon.private("status", {})["jobs"] is not None


def test_a_daemon_at_another_port_is_found_again(daemon, home):
    """When the old port was taken meanwhile, clients read the new address."""
    import socket

    before = endpoint(home)
    kill(home)
    with socket.create_server(("127.0.0.1", int(before["url"].rpartition(":")[2]))):
        get_backend("local")
        assert endpoint(home)["url"] != before["url"]
        assert daemon.batch.describe_job_queues()["jobQueues"]
        assert endpoint(home)["access_key_id"] == before["access_key_id"]


def test_a_stopped_daemon_stays_stopped_until_it_is_needed(daemon, home):
    """Only the user's own gesture starts it again."""
    process = psutil.Process(endpoint(home)["pid"])
    daemon.private("stop", {})
    psutil.wait_procs([process], timeout=60)
    with pytest.raises(BackendUnreachableError, match="was stopped"):
        get_backend("local", start=False)
    assert get_backend("local").private("status", {})["pid"]


def test_a_damaged_endpoint_file_of_a_dead_daemon_is_set_aside(daemon, home):
    """Nobody is asked to clean up."""
    kill(home)
    (home / "endpoint.json").write_text("{ not json")
    assert get_backend("local").batch.describe_job_queues()["jobQueues"]
    assert (home / "endpoint.json.damaged").exists()


def test_a_damaged_endpoint_file_of_a_running_daemon_is_told_with_the_cure(daemon, home):
    """What to do is in the message."""
    (home / "endpoint.json").write_text("{ not json")
    with pytest.raises(BackendUnreachableError, match=r"damaged.*nbbatch local stop"):
        get_backend("local")


def test_an_older_daemon_gives_way(daemon, home):
    """After an upgrade the next use replaces the daemon; its rows stay."""
    known = endpoint(home)
    (home / "endpoint.json").write_text(json.dumps({**known, "version": "0.0.1"}))
    assert get_backend("local").private("status", {})["pid"] != known["pid"]


def test_a_newer_daemon_is_not_touched(daemon, home):
    """An old client beside a new one is told to upgrade."""
    (home / "endpoint.json").write_text(json.dumps({**endpoint(home), "version": "99.0"}))
    with pytest.raises(DaemonVersionError, match=r"99\.0.*Upgrade"):
        get_backend("local")


def test_two_processes_at_once_get_one_daemon(home, monkeypatch):
    """Who comes second uses the first one's."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", "process")
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pids = set(pool.map(_pid_of_daemon, range(3)))
    assert len(pids) == 1


def _pid_of_daemon(_number):
    return get_backend("local").private("status", {})["pid"]


def test_a_home_that_cannot_be_is_told(monkeypatch, tmp_path):
    """A file in the way of the folder is named."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NBBATCH_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(BackendUnreachableError, match="NBBATCH_HOME"):
        get_backend("local")


def test_a_daemon_that_cannot_start_says_why(home, monkeypatch):
    """Its last words reach the client."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", "magic")
    with pytest.raises(BackendUnreachableError, match=r"NBBATCH_EXECUTOR is 'magic'"):
        get_backend("local")


def test_what_the_system_refuses_the_daemon_is_told(home):
    """The file, and how much room there is: a full disk would not take it into the log."""
    (home / "daemon.lock").mkdir()
    with pytest.raises(BackendUnreachableError, match=r"daemon\.lock.* MiB free"):
        get_backend("local")


def test_a_log_that_cannot_be_written_is_told(home):
    """Before anything is started."""
    (home / "daemon.log").mkdir()
    with pytest.raises(BackendUnreachableError, match=r"daemon\.log.*NBBATCH_HOME"):
        get_backend("local")


def test_settings_that_are_for_aws_do_not_matter_here(home, monkeypatch, tmp_path):
    """A profile that is missing, a file that is broken, a proxy: the local backend needs none of them."""
    (tmp_path / "broken").write_text("[not a file")
    monkeypatch.setenv("AWS_PROFILE", "missing")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "broken"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of another account")
    assert get_backend("local").batch.describe_job_queues()["jobQueues"]


def test_a_damaged_database_is_told_and_left_alone(home, monkeypatch):
    """Rows that cannot be read are never overwritten."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", "process")
    (home / "nbbatch.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(BackendUnreachableError, match=r"nbbatch\.db"):
        get_backend("local")
    assert (home / "nbbatch.db").read_bytes().startswith(b"this is no database")


def test_a_forked_child_makes_its_own_connections(daemon):
    """Sockets are not shared with a child process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            ok = get_backend("local") is not daemon
            os.write(writer, b"y" if ok else b"n")
        finally:
            os._exit(0)  # whatever happens, it must not go on as a second run of all tests
    os.waitpid(child, 0)
    assert os.read(reader, 1) == b"y"
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ClientException", ClientException),
        ("ResourceNotFoundException", ClientException),
        ("InvalidSignatureException", AccessDeniedError),
        ("UnknownOperationException", DaemonVersionError),
    ],
)
def test_boto3s_errors_become_nbbatchs(code, kind):
    """By AWS's name, with AWS's message."""
    from botocore.exceptions import ClientError

    error = translate(ClientError({"Error": {"Code": code, "Message": "words"}}, "SubmitJob"))
    assert type(error) is kind
    assert "words" in str(error)


def test_a_plain_boto3_client_is_given_out(daemon):
    """For what is made once; of services that a backend does not have it says so."""
    assert boto3_client().describe_job_queues()["jobQueues"]
    assert boto3_client("logs", backend="local").meta.service_model.service_name == "logs"
    with pytest.raises(OptionError, match=r"'s3' .*boto3\.client"):
        boto3_client("s3")
