"""Multi-node parallel jobs as plain boto3 sees them, with real containers and real processes."""

import contextlib
import json
import random
import socket
import subprocess
import time

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.acceptance

SIZE = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
ENDLESS = ["sh", "-c", "trap 'exit 143' TERM; sleep 600 & wait"]
"""Until it is told to stop; a bare sleep, as a container's first process, would not hear of it."""
MAIN = """
import os, socket
server = socket.create_server(("0.0.0.0", int(os.environ["PORT"])))
server.settimeout(60)
for _ in range(int(os.environ["AWS_BATCH_JOB_NUM_NODES"]) - 1):
    peer, _ = server.accept()
    with peer:
        print("node", peer.recv(100).decode(), flush=True)
print("mine:", os.environ.get("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"))
"""
OTHER = """
import os, socket, time
place = os.environ["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"], int(os.environ["PORT"])
deadline = time.monotonic() + 60
while True:
    try:
        with socket.create_connection(place, timeout=10) as main:
            main.sendall(os.environ["AWS_BATCH_JOB_NODE_INDEX"].encode())
        break
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.05)
print("told", place[0], "of", os.environ["AWS_BATCH_JOB_MAIN_NODE_INDEX"], flush=True)
"""


def free_port() -> str:
    """A port that nobody has, and that the system gives to nobody who asks for any."""
    while True:
        port = random.randrange(20_000, 30_000)
        with contextlib.suppress(OSError), socket.create_server(("0.0.0.0", port)):
            return str(port)


@pytest.fixture
def register_nodes(batch, image):
    """Register a definition of nodes: range -> argument vector; gives its name."""

    def register(ranges, count, main=0, name="gang", environment=None, folder=None, **more):
        shared = {
            "volumes": [{"name": "here", "host": {"sourcePath": str(folder)}}],
            "mountPoints": [{"sourceVolume": "here", "containerPath": str(folder)}],
        }
        variables = [{"name": key, "value": value} for key, value in (environment or {}).items()]
        batch.register_job_definition(
            jobDefinitionName=name,
            type="multinode",
            nodeProperties={
                "numNodes": count,
                "mainNode": main,
                "nodeRangeProperties": [
                    {
                        "targetNodes": target,
                        "container": {
                            "image": image,
                            "command": command,
                            "resourceRequirements": SIZE,
                            "environment": variables,
                            **(shared if folder else {}),
                        },
                    }
                    for target, command in ranges.items()
                ],
            },
            **more,
        )
        return name

    return register


def submit(batch, definition, **more):
    return batch.submit_job(jobName="gang", jobQueue="default", jobDefinition=definition, **more)["jobId"]


def nodes_in(batch, job_id, status):
    pages = batch.get_paginator("list_jobs").paginate(multiNodeJobId=job_id, jobStatus=status)
    return [job["jobId"] for page in pages for job in page["jobSummaryList"]]


def lines_of(logs, job):
    page = logs.get_log_events(
        logGroupName="/aws/batch/job", logStreamName=job["container"]["logStreamName"], startFromHead=True
    )
    return [event["message"] for event in page["events"]]


def networks(home):
    """Networks that this home's daemon has made."""
    label = f"label=nbbatch.daemon={json.loads((home / 'identity.json').read_text())['daemon_id']}"
    listed = subprocess.run(
        ["docker", "network", "ls", "--format", "{{.Name}}", "--filter", label],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(listed.stdout.split())


def settled(is_true):
    """Wait for what the daemon does after the job has ended."""
    deadline = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_nodes_reach_their_main_node_and_the_job_is_as_aws_shows_it(
    batch, logs, register_nodes, ended, executor, home
):
    """Two nodes connect to the main one over TCP at the address they are told; it succeeds, so the job does."""
    definition = register_nodes(
        {"0": ["python3", "-c", MAIN], "1:": ["python3", "-c", OTHER]}, 3, environment={"PORT": free_port()}
    )
    job_id = submit(batch, definition)
    job = ended(job_id)
    assert (job["status"], job["statusReason"]) == ("SUCCEEDED", "Essential container in task exited")
    assert job["nodeProperties"]["numNodes"] == 3
    assert "container" not in job
    main, first, second = batch.describe_jobs(jobs=[f"{job_id}#{index}" for index in range(3)])["jobs"]
    assert main["nodeDetails"] == {"nodeIndex": 0, "isMainNode": True}
    assert second["nodeDetails"] == {"nodeIndex": 2, "isMainNode": False}
    assert sorted(lines_of(logs, main)) == ["mine: None", "node 1", "node 2"]
    assert (main["startedAt"], main["stoppedAt"]) == (job["startedAt"], job["stoppedAt"])
    assert first["startedAt"] >= main["startedAt"]
    assert job["attempts"][0]["container"]["logStreamName"] == main["container"]["logStreamName"]
    assert nodes_in(batch, job_id, "SUCCEEDED") == [f"{job_id}#{index}" for index in range(3)]
    (summary,) = batch.list_jobs(jobQueue="default", jobStatus="SUCCEEDED")["jobSummaryList"]
    assert (summary["jobId"], summary["nodeProperties"]) == (job_id, {"numNodes": 3})
    if executor == "docker":
        settled(lambda: not networks(home))


def test_the_main_nodes_end_stops_the_others_and_decides(batch, register_nodes, ended):
    """Exit 3 of the main node fails the job; nodes that would run for ever are stopped."""
    definition = register_nodes({"0": ["sh", "-c", "exit 3"], "1:": ENDLESS}, 2)
    job = ended(submit(batch, definition))
    assert job["status"] == "FAILED"
    assert job["attempts"][0]["container"]["exitCode"] == 3
    assert nodes_in(batch, job["jobId"], "FAILED") == [f"{job['jobId']}#0", f"{job['jobId']}#1"]


def test_a_child_nodes_death_changes_nothing_and_overrides_reach_their_range(
    batch, register_nodes, ended, reached
):
    """The main node waits for the other's end and succeeds; commands come from nodeOverrides."""
    definition = register_nodes({"0": ENDLESS, "1:": ENDLESS}, 2, main=1)
    job_id = submit(
        batch,
        definition,
        nodeOverrides={
            "numNodes": 3,
            "nodePropertyOverrides": [
                {"targetNodes": "0", "containerOverrides": {"command": ["sh", "-c", "exit 9"]}}
            ],
        },
    )
    reached(f"{job_id}#0", "FAILED")
    (job,) = batch.describe_jobs(jobs=[job_id])["jobs"]
    assert (job["status"], job["nodeProperties"]["numNodes"]) == ("RUNNING", 3)
    assert nodes_in(batch, job_id, "FAILED") == [f"{job_id}#0"]
    reached(f"{job_id}#2", "RUNNING")
    with pytest.raises(ClientError, match="is a node"):
        batch.terminate_job(jobId=f"{job_id}#2", reason="x")
    batch.terminate_job(jobId=job_id, reason="seen enough")
    job = ended(job_id)
    assert (job["status"], job["statusReason"]) == ("FAILED", "seen enough")
    assert nodes_in(batch, job_id, "RUNNING") == []


def test_a_retry_runs_all_nodes_again_under_the_same_job(batch, register_nodes, ended, tmp_path):
    """The main node fails once; each node has two attempts with a log stream of its own."""
    tmp_path.chmod(0o777)  # containers may run as another user
    here = f"{tmp_path}/$AWS_BATCH_JOB_ATTEMPT"
    main = f"while [ ! -e {here} ]; do sleep 0.05; done; exit $((2 - AWS_BATCH_JOB_ATTEMPT))"
    definition = register_nodes(
        {"0": ["sh", "-c", main], "1:": ["sh", "-c", f"touch {here}; {ENDLESS[-1]}"]},
        2,
        folder=tmp_path,
        retryStrategy={"attempts": 3},
    )
    job = ended(submit(batch, definition))
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [1, 0]
    (node,) = batch.describe_jobs(jobs=[f"{job['jobId']}#1"])["jobs"]
    streams = {attempt["container"]["logStreamName"] for attempt in node["attempts"]}
    assert len(node["attempts"]) == len(streams) == 2


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"numNodes": 0}, "Number of nodes must be between 1 and 1000."),
        ({"mainNode": 2}, "Main node index is out of range, must be less than numNodes."),
        ({"nodeRangeProperties": [{"targetNodes": "x"}]}, "targetNodes should contain only digits."),
        ({"nodeRangeProperties": [{"targetNodes": ":"}]}, "Must specify container for node range :"),
    ],
)
def test_wrong_node_properties_are_client_exceptions_in_awss_words(batch, properties, text):
    """HTTP 400 with the text of section 27."""
    container = {"image": "busybox", "resourceRequirements": SIZE}
    given = {
        "numNodes": 2,
        "mainNode": 0,
        "nodeRangeProperties": [{"targetNodes": "0:", "container": container}],
    }
    with pytest.raises(ClientError) as caught:
        batch.register_job_definition(
            jobDefinitionName="x", type="multinode", nodeProperties=given | properties
        )
    assert caught.value.response["Error"]["Code"] == "ClientException"
    assert text in caught.value.response["Error"]["Message"]


def test_what_cannot_hold_nodes_refuses_them(batch, register_nodes):
    """Spot queues, arrays, foreign override targets."""
    definition = register_nodes({"0:": ["true"]}, 2)
    for change, text in (
        ({"jobQueue": "spot"}, "On-Demand"),
        ({"arrayProperties": {"size": 2}}, "arrayProperties"),
        (
            {"nodeOverrides": {"nodePropertyOverrides": [{"targetNodes": "0:0"}]}},
            "Non matching targets - 0:0",
        ),
    ):
        request = {"jobName": "x", "jobQueue": "default", "jobDefinition": definition} | change
        with pytest.raises(ClientError, match=text):
            batch.submit_job(**request)


def test_a_definition_of_nodes_is_described_as_registered(batch, register_nodes, image):
    """Find-or-register clients compare; absent lists come back empty."""
    definition = register_nodes({"0": ["a"], "1:": ["b"]}, 4, main=2)
    (found,) = batch.describe_job_definitions(jobDefinitionName=definition)["jobDefinitions"]
    assert found["type"] == "multinode"
    nodes = found["nodeProperties"]
    assert (nodes["numNodes"], nodes["mainNode"]) == (4, 2)
    assert [(one["targetNodes"], one["container"]["command"]) for one in nodes["nodeRangeProperties"]] == [
        ("0", ["a"]),
        ("1:", ["b"]),
    ]
    assert nodes["nodeRangeProperties"][0]["container"]["image"] == image


def test_a_nodes_several_containers_are_one_task_in_the_gangs_network(
    batch, logs, image, ended, executor, home
):
    """They share their localhost, all are told of the main node, and the job ends as its main container does."""
    port = free_port()
    listen = f"import socket; s = socket.create_server(('127.0.0.1', {port}))"
    side = f"{listen}; print('hello', flush=True)\nwhile True: s.accept()[0].close()"
    ask = (
        f"import socket, time\nfor _ in range(600):\n try: socket.create_connection(('127.0.0.1', {port})); break\n"
        " except OSError: time.sleep(0.05)\n"
    )
    request = {"jobDefinitionName": "pairs", "type": "multinode"}
    request["nodeProperties"] = {
        "numNodes": 2,
        "mainNode": 0,
        "nodeRangeProperties": [
            {"targetNodes": "0", "ecsProperties": task_of(image, ask + MAIN, side)},
            {"targetNodes": "1", "ecsProperties": task_of(image, ask + OTHER, side)},
        ],
    }
    batch.register_job_definition(**request)
    if executor == "process":
        with pytest.raises(ClientError, match="has 2 containers, which need Docker"):
            submit(batch, "pairs")
        return
    peers = [{"name": "app", "environment": [{"name": "PORT", "value": free_port()}]}]
    override = {"taskProperties": [{"containers": peers}]}
    job_id = submit(
        batch,
        "pairs",
        nodeOverrides={
            "nodePropertyOverrides": [
                {"targetNodes": target, "ecsPropertiesOverride": override} for target in ("0", "1")
            ]
        },
    )
    job = ended(job_id)
    assert (job["status"], job["statusReason"]) == ("SUCCEEDED", "Essential container in task exited")
    main, other = batch.describe_jobs(jobs=[f"{job_id}#0", f"{job_id}#1"])["jobs"]
    assert lines_of_container(logs, main, "app") == ["node 1", "mine: None"]
    assert lines_of_container(logs, main, "side") == ["hello"]
    told = lines_of_container(logs, other, "app")
    assert told[0].startswith("told ")
    assert told[0].split()[1] != "127.0.0.1"
    assert job["attempts"][0]["taskProperties"][0]["containers"][0]["exitCode"] == 0
    settled(lambda: not networks(home))


def test_nodes_of_one_container_in_a_task_run_on_either_executor(batch, logs, image, ended):
    """`ecsProperties` with a single container need no Docker."""
    request = {"jobDefinitionName": "alone", "type": "multinode"}
    request["nodeProperties"] = {
        "numNodes": 2,
        "mainNode": 0,
        "nodeRangeProperties": [
            {"targetNodes": ":", "ecsProperties": task_of(image, "print('here', flush=True)")}
        ],
    }
    batch.register_job_definition(**request)
    job = ended(submit(batch, "alone"))
    assert job["status"] == "SUCCEEDED"
    (main,) = batch.describe_jobs(jobs=[f"{job['jobId']}#0"])["jobs"]
    assert lines_of_container(logs, main, "app") == ["here"]


def task_of(image, script, side=""):
    """`ecsProperties`: Python code, and beside it, perhaps, some that goes on until it is stopped."""
    code = {"app": script, **({"side": side} if side else {})}
    containers = [
        {
            "name": name,
            "image": image,
            "command": ["python3", "-c", text],
            "essential": name == "app",
            "resourceRequirements": SIZE,
        }
        for name, text in code.items()
    ]
    return {"taskProperties": [{"containers": containers}]}


def lines_of_container(logs, job, name):
    (container,) = [
        known for known in job["ecsProperties"]["taskProperties"][0]["containers"] if known["name"] == name
    ]
    page = logs.get_log_events(
        logGroupName="/aws/batch/job", logStreamName=container["logStreamName"], startFromHead=True
    )
    return [event["message"] for event in page["events"]]
