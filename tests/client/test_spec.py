"""Specs: options and a payload as AWS Batch requests, checked against botocore's own model."""

from __future__ import annotations

import botocore.session
import pytest
from botocore.validate import ParamValidator

from nbbatch.client import host
from nbbatch.client.options import Options
from nbbatch.client.spec import (
    JobSpec,
    host_definition,
    image_definition,
    job_name,
    mounted_folders,
    queue_of,
    resources_of,
    resubmission,
)
from nbbatch.errors import OptionError


def spec(**given) -> JobSpec:
    options = Options.parse(given)
    return JobSpec(
        options=options,
        name="train",
        command=["python3", "-V"],
        environment=options.env,
        bundle="file:///h/bundles/b1",
    )


def complaints(operation: str, request: dict) -> str:
    """What botocore's model says against a request; empty when it is well-formed."""
    model = botocore.session.get_session().get_service_model("batch")
    report = ParamValidator().validate(request, model.operation_model(operation).input_shape)
    return report.generate_report()


def test_a_bare_job_asks_for_nothing_but_its_command_and_bundle():
    """Resources, timeout and retries that nobody gave stay the definition's."""
    assert spec().submission("d:1") == {
        "jobName": "train",
        "jobQueue": "default",
        "jobDefinition": "d:1",
        "containerOverrides": {
            "command": ["python3", "-V"],
            "environment": [{"name": "NBBATCH_BUNDLE", "value": "file:///h/bundles/b1"}],
        },
    }


def test_every_option_reaches_its_member():
    """What differs from job to job goes into SubmitJob, in AWS's words."""
    request = spec(
        queue="q",
        vcpus=2,
        memory="4G",
        gpus=1,
        env={"A": "1"},
        timeout="10m",
        retries=2,
        tags={"team": "x"},
        priority=7,
        share="a",
    ).submission("d")
    assert complaints("SubmitJob", request) == ""
    overrides = request.pop("containerOverrides")
    assert overrides["resourceRequirements"] == [
        {"type": "VCPU", "value": "2"},
        {"type": "MEMORY", "value": "4096"},
        {"type": "GPU", "value": "1"},
    ]
    assert overrides["environment"][0] == {"name": "A", "value": "1"}
    assert request == {
        "jobName": "train",
        "jobQueue": "q",
        "jobDefinition": "d",
        "retryStrategy": {"attempts": 3},
        "timeout": {"attemptDurationSeconds": 600},
        "shareIdentifier": "a",
        "schedulingPriorityOverride": 7,
        "tags": {"team": "x"},
    }


def test_a_cap_travels_as_a_tag_beside_the_others():
    """The local backend reads it there; AWS Batch keeps it as a tag."""
    request = spec(max_cost="$0.5", tags={"team": "x"}).submission("d:1")
    assert request["tags"] == {"team": "x", "nbbatch:maxCost": "0.5"}
    assert complaints("SubmitJob", request) == ""


def test_no_retries_is_one_attempt():
    """`retries` counts the attempts after the first."""
    assert spec(retries=0).submission("d")["retryStrategy"] == {"attempts": 1}


def test_only_the_given_resource_is_overridden():
    """A definition's own memory stays when only vCPUs are asked for."""
    overrides = spec(definition="mine", vcpus=0.5).submission("mine")["containerOverrides"]
    assert overrides["resourceRequirements"] == [{"type": "VCPU", "value": "0.5"}]


def test_an_array_has_a_size():
    """The size goes into arrayProperties."""
    array = JobSpec(options=Options(), name="n", command=["x"], size=20)
    assert array.submission("d")["arrayProperties"] == {"size": 20}


def test_overrides_that_ecs_would_drop_are_refused_before_sending():
    """More than 8192 bytes would fail at dispatch, long after the submission was accepted."""
    with pytest.raises(OptionError, match="8192"):
        spec(env={"LONG": "x" * 9000}).submission("d")


@pytest.mark.parametrize(
    ("options", "queue"),
    [({}, "default"), ({"spot": True}, "spot"), ({"gpus": 1}, "gpu"), ({"gpus": 1, "queue": "q"}, "q")],
)
def test_the_queue_follows_from_the_kind_of_job(options, queue):
    """Who names no queue gets the default world's one for Spot, GPUs, or the rest."""
    assert queue_of(Options.parse(options)) == queue


def test_resources_default_to_one_vcpu_and_two_gib():
    """The receipt can say what a job will be given."""
    assert str(resources_of(Options())) == "1 vCPU, 2048 MiB"
    assert str(resources_of(Options(vcpus=4, memory=512, gpus=1))) == "4 vCPU, 512 MiB, 1 GPU"


def test_the_host_definition_mounts_read_only_at_the_same_paths():
    """The container sees this machine's Python where it is here, and cannot change it."""
    request = host_definition(folders=["/usr", "/home/me/env"], user="1000:1001")
    assert complaints("RegisterJobDefinition", request) == ""
    container = request["containerProperties"]
    assert container["image"] == "nbbatch/host"
    assert container["user"] == "1000:1001"
    assert container["volumes"][1] == {"name": "v1", "host": {"sourcePath": "/home/me/env"}}
    assert container["mountPoints"] == [
        {"sourceVolume": "v0", "containerPath": "/usr", "readOnly": True},
        {"sourceVolume": "v1", "containerPath": "/home/me/env", "readOnly": True},
    ]
    assert container["linuxParameters"]["tmpfs"][0]["containerPath"] == "/tmp"


def test_a_definitions_name_is_its_content():
    """The same mounts are found again by name; other mounts are another definition."""
    name = host_definition(folders=["/usr"], user="0:0")["jobDefinitionName"]
    assert name.startswith("nbbatch-host-")
    assert len(name) == len("nbbatch-host-") + 8
    assert host_definition(folders=["/usr"], user="0:0")["jobDefinitionName"] == name
    assert host_definition(folders=["/usr"], user="0:1")["jobDefinitionName"] != name


def test_a_named_image_gives_a_readable_definition_name():
    """Registry, repository and tag stay recognisable within AWS's alphabet."""
    request = image_definition("registry.example/team/tool:1.2", user="1:1")
    assert complaints("RegisterJobDefinition", request) == ""
    assert request["jobDefinitionName"].startswith("nbbatch-registry-example-team-tool-1-2-")
    assert request["containerProperties"]["user"] == "1:1"
    assert "user" not in image_definition("x", user=None)["containerProperties"]


@pytest.mark.parametrize(
    ("text", "name"),
    [("train", "train"), ("<lambda>", "lambda"), ("_f g", "f-g"), ("…", "job"), ("é" * 3, "job")],
)
def test_job_names_resemble_what_they_run(text, name):
    """Characters that AWS refuses become dashes, and an empty rest becomes `job`."""
    assert job_name(text) == name


def test_folders_inside_others_are_not_mounted_twice():
    """A virtual environment in the working directory comes with it; /tmp and / never as a whole."""
    folders = mounted_folders(
        system=["/usr", "/etc"],
        python=["/usr/lib/python3", "/home/me/work/.venv", "/opt/conda", "/tmp", "/tmp/env"],
        working_directory="/home/me/work",
    )
    assert folders == ("/etc", "/home/me/work", "/opt/conda", "/tmp/env", "/usr")
    assert mounted_folders(system=["/usr"], python=[], working_directory="/") == ("/usr",)


def test_this_machines_folders_hold_this_python(tmp_path, monkeypatch):
    """The interpreter, the packages and the working directory are all among the mounts."""
    import os
    import sys
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    mounted = [Path(folder) for folder in host.folders()]
    for needed in (sys.executable, os.path.realpath(sys.executable), pytest.__file__, str(tmp_path)):
        assert any(Path(needed).is_relative_to(folder) for folder in mounted), needed


def test_a_job_is_submitted_again_from_what_describe_jobs_says():
    """Command, environment, resources, retries and timeout stay; what is given anew wins."""
    detail = {
        "jobName": "train",
        "jobQueue": "arn:q",
        "jobDefinition": "arn:d:3",
        "status": "FAILED",
        "container": {
            "command": ["x"],
            "environment": [{"name": "A", "value": "1"}, {"name": "NBBATCH_ATTEMPT_BASE", "value": "10"}],
            "resourceRequirements": [{"type": "VCPU", "value": "2"}],
            "exitCode": 1,
        },
        "retryStrategy": {"attempts": 2, "evaluateOnExit": []},
        "timeout": {"attemptDurationSeconds": 60},
        "tags": {"a": "b"},
        "parameters": {},
    }
    again = resubmission(detail, environment={"NBBATCH_ATTEMPT_BASE": "20"}, size=None)
    assert complaints("SubmitJob", again) == ""
    assert again == {
        "jobName": "train",
        "jobQueue": "arn:q",
        "jobDefinition": "arn:d:3",
        "containerOverrides": {
            "command": ["x"],
            "environment": [{"name": "A", "value": "1"}, {"name": "NBBATCH_ATTEMPT_BASE", "value": "20"}],
            "resourceRequirements": [{"type": "VCPU", "value": "2"}],
        },
        "retryStrategy": {"attempts": 2, "evaluateOnExit": []},
        "timeout": {"attemptDurationSeconds": 60},
        "tags": {"a": "b"},
    }
    assert resubmission(detail, environment={}, size=7)["arrayProperties"] == {"size": 7}
