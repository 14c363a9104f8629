"""Handles of multi-node jobs that somebody submitted with boto3: their main node tells of them."""

import pytest

import nbbatch
from nbbatch.client.handles.outcome import short_id
from nbbatch.errors import JobFailedError, UserError

DEADLINE = 120
ENDLESS = ["sh", "-c", "trap 'exit 143' TERM; sleep 600 & wait"]

pytestmark = pytest.mark.usefixtures("shared_daemon")


@pytest.fixture
def submit(shared_daemon):
    """Submit a job of two nodes whose main node, the second, runs this shell line; gives its id."""

    def submit(line: str) -> str:
        container = {
            "image": "none",
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
        }
        commands = {"0": ENDLESS, "1": ["sh", "-c", line]}
        batch = shared_daemon.batch
        batch.register_job_definition(
            jobDefinitionName="nodes",
            type="multinode",
            nodeProperties={
                "numNodes": 2,
                "mainNode": 1,
                "nodeRangeProperties": [
                    {"targetNodes": target, "container": {**container, "command": command}}
                    for target, command in commands.items()
                ],
            },
        )
        return batch.submit_job(jobName="nodes", jobQueue="default", jobDefinition="nodes")["jobId"]

    return submit


def test_a_handle_of_a_multi_node_job_shows_its_main_nodes_log_and_end(submit):
    """It waits, follows the log while it runs, and ends as any job does."""
    job = nbbatch.job(submit("echo one; sleep 0.5; echo two"))
    assert list(job.logs(follow=True)) == ["one", "two"]
    assert job.wait(DEADLINE)
    assert job.status == "SUCCEEDED"
    assert job.logs() == "one\ntwo"
    assert job.result() is None
    assert job.cost() is not None


def test_a_failed_main_node_is_the_jobs_error(submit):
    """Its exit code and the end of its log are told."""
    job = nbbatch.job(submit("echo oh no; exit 7"))
    with pytest.raises(JobFailedError, match="exit code 7") as caught:
        job.result(DEADLINE)
    assert caught.value.log_tail == "oh no"
    with pytest.raises(UserError, match="multi-node"):
        job.retry()


def test_nodes_have_handles_of_their_own(submit):
    """By id or its first letters; a node's log is its own, and listings show the job once."""
    job_id = submit("sleep 0.2; echo from the main node")
    assert nbbatch.job(job_id).wait(DEADLINE)
    node = nbbatch.job(f"{job_id}#1")
    assert node.logs() == "from the main node"
    assert nbbatch.job(f"{job_id[:13]}#0").id == f"{job_id}#0"
    assert [row.id for row in nbbatch.jobs() if row.id.startswith(job_id)] == [job_id]
    assert short_id(f"{job_id}#1") == f"{job_id[:8]}#1"


def test_a_multi_node_job_is_terminated_as_a_whole(submit):
    """The handle's terminate stops every node."""
    job = nbbatch.job(submit("trap 'exit 143' TERM; sleep 600 & wait"))
    job.terminate("enough")
    assert job.wait(DEADLINE)
    assert (job.status, job.status_reason) == ("FAILED", "enough")
    assert "enough" in str(job.why())
