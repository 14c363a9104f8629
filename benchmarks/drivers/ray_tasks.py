"""Ray on this machine with two CPUs: a task runs `true` in a process of its own."""

import subprocess

import ray
from talk import serve


@ray.remote(num_cpus=1)
def run() -> int:
    return subprocess.call(["true"])


ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
serve(lambda size: ray.get([run.remote() for _ in range(size)]))
ray.shutdown()
