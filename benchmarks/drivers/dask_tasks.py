"""Dask's local cluster, two processes of one thread: a task runs `true` in a process of its own."""

import subprocess

from distributed import Client, LocalCluster
from talk import serve


def main() -> None:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        serve(lambda size: client.gather(client.map(run, range(size), pure=False)))


def run(_: int) -> int:
    return subprocess.call(["true"])


if __name__ == "__main__":
    main()
