"""HyperQueue's own server and one worker with two cores: a task is the program `true`.

Its client looks for the end once a second, so a short array is mostly that second.
"""

import tempfile

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig
from talk import serve

with tempfile.TemporaryDirectory() as folder, LocalCluster(server_dir=folder) as cluster:
    cluster.start_worker(WorkerConfig(cores=2))
    client = cluster.client()

    def array(size: int) -> None:
        job = Job(folder)
        for _ in range(size):
            job.program(["true"], stdout=None, stderr=None)
        client.wait_for_jobs([client.submit(job)])

    serve(array)
