"""Little worlds to run many of, and a process that runs them: ``python tests/runs_worlds.py serial|cluster DIR``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from rangli.cli import main as cli
from rangli.lab.runs import Job, replications, run_all
from rangli.plan import preset_text

SCENARIO = """
scenario: little
title: {zh: 小, en: little}
about: {zh: 二十人两家店。, en: Twenty people at two shops.}
months: 2
start: {shops: 2, consumers: 20}
shops:
  concessions: [{rate: 20%}]
  tickets: [{median: 60, sigma: 40%, min: 10, max: 99}]
consumers: {new: 0, visits: 4}
"""
PACKETS = Job(preset_text("weituanbao"), SCENARIO)
POOL = Job(preset_text("zengzhi"), SCENARIO, changes=("pool.exit.at=25%", "scenario:consumers.visits=3"))
JOBS = [*replications([PACKETS], 8), *replications([POOL, POOL._replace(seed=8)], 3)]
MANY = replications([PACKETS], 40)
SWEEP = "sweep zengzhi --over pool.exit.at=100%..200%:3 --scenario three-orders --replications 2 --lang en"


def on_a_cluster(into: Path) -> None:
    """JOBS on two worker processes, of which one is killed when the fourth row has come (two are run here first); then SWEEP."""
    from distributed import LocalCluster

    done = 0
    local: Any = LocalCluster
    with local(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, cluster.get_client() as client:
        victim = min(client.run(os.getpid).values())

        def kill_in_mid_run(count: int) -> None:
            nonlocal done
            done += count
            if done == 4:
                os.kill(victim, signal.SIGKILL)

        run_all(JOBS, client.get_executor(), into, kill_in_mid_run)
        sys.stdout.write(f"{victim in client.run(os.getpid).values()}\n")
        cli([*SWEEP.split(), "--cluster", cluster.scheduler_address])


def main(where: str, into: Path) -> None:
    """Run them."""
    if where == "cluster":
        on_a_cluster(into)
    else:
        run_all(MANY, None, into)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
