"""What this machine gives to jobs, read from files and tools that a test can write."""

import math
import os

import pytest

from nbbatch.daemon import machine


def test_this_machine_gives_something_but_keeps_some_memory():
    """At least a core and some memory, less than all of it."""
    found = machine.this_machine()
    assert 1 <= found.vcpus <= (os.cpu_count() or 1)
    assert 0 < found.memory < machine.physical_memory()


@pytest.mark.parametrize(
    ("name", "text", "limit"),
    [
        ("memory.max", f"{512 << 20}\n", 512),
        ("memory.max", "max\n", math.inf),
        ("memory/memory.limit_in_bytes", f"{2 << 30}\n", 2048),
        ("nothing", "", math.inf),
    ],
)
def test_memory_of_a_control_group_counts(tmp_path, name, text, limit):
    """Both versions' files are read; no file and no limit are the same."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert machine.memory_limit(tmp_path) == limit


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"cpu.max": "250000 100000\n"}, 3),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        ({}, math.inf),
    ],
)
def test_cores_of_a_control_group_count(tmp_path, files, limit):
    """A quota is rounded up to whole cores, and is at least one."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert machine.cpu_limit(tmp_path) == limit


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Put a tool of that name, with the given body, first on the path."""

    def put(body):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{body}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    return put


def test_gpus_are_those_that_the_drivers_tool_lists(nvidia_smi):
    """Slices of a GPU, listed below it, are not GPUs."""
    nvidia_smi(
        "echo 'GPU 0: A (UUID: GPU-1)'; echo '  MIG 1g Device 0: (UUID: MIG-1)'; echo 'GPU 1: A (UUID: GPU-2)'"
    )
    assert machine.gpus() == 2


def test_a_tool_that_fails_means_no_gpus(nvidia_smi, caplog):
    """A broken driver is noted, and does not keep the daemon from starting."""
    nvidia_smi("exit 9")
    assert machine.gpus() == 0
    assert "nvidia-smi failed" in caplog.text


def test_a_machine_without_the_tool_has_no_gpus(tmp_path, monkeypatch):
    """No driver, no GPU."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.gpus() == 0
