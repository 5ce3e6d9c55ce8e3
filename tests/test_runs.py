"""Runs: the same bits wherever they ran, nothing lost and nothing double when they are broken off, failures as rows."""

from __future__ import annotations

import random
import subprocess
import sys
from concurrent.futures import Executor, Future
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_runs import SLOW_LANE, run
from runs_worlds import JOBS, MANY, PACKETS, POOL, SCENARIO, SWEEP

from rangli.errors import FileRefused
from rangli.lab import economy
from rangli.lab.runs import DONE, FAILED, SCHEMA, Job, processes, read, replications, result_of, run_all, run_id, run_row, threads

SCRIPT = Path(__file__).with_name("runs_worlds.py")
in_other_processes = pytest.mark.skipif(SLOW_LANE, reason="other processes run the other lane's kernels no differently")


@pytest.fixture(scope="module")
def serial() -> pa.Table:
    """JOBS, one after the other, in this thread."""
    return run_all(JOBS)


def files(into: Path) -> dict[str, bytes]:
    """All files of a directory, hidden ones too."""
    return {path.name: path.read_bytes() for path in into.iterdir()}


# ---------------------------------------------------------------- the same bits


def test_every_job_ends_as_a_row_with_its_figures_and_its_whole_result(serial: pa.Table) -> None:
    """What is asked later of a finished sweep must not need another run."""
    rows = serial.to_pylist()

    assert SCHEMA == serial.schema
    assert sorted(run_id(job) for job in JOBS) == sorted(row["run"] for row in rows)
    for row in rows:
        result = result_of(row)
        assert (DONE, result.run, result.replication, result.seed) == (row["state"], row["run"], row["replication"], row["seed"])
        assert sum(month.paid_micro for month in result.months) == row["paid_micro"] > 0


def test_eight_replications_are_eight_different_worlds(serial: pa.Table) -> None:
    """Copies of one run look like certainty; other simulators have shipped them."""
    results = [result_of(row) for row in serial.to_pylist() if row["plan"] == "weituanbao"]

    assert 8 == len({result.state_hash for result in results}) == len({result.balance_micro["consumers"] for result in results})
    assert list(range(8)) == [result.replication for result in results]


def test_plans_are_compared_in_the_same_world() -> None:
    """Common random numbers: replication k of two plans has the same orders, so that the plan is all that differs."""
    pool = POOL._replace(changes=())
    rows = [row for job in (PACKETS, pool) for row in run_all(replications([job], 2)).to_pylist()]
    spent = [(row["orders"], row["paid_micro"]) for row in rows]

    assert spent[:2] == spent[2:]
    assert spent[0] != spent[1]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_threads_give_the_same_bits(serial: pa.Table, tmp_path: Path, workers: int) -> None:
    """In memory, and in every file."""
    with threads(workers) as executor:
        assert serial.equals(run_all(JOBS, executor, tmp_path))
    assert serial.equals(read(tmp_path))


def test_the_order_of_the_jobs_does_not_show(serial: pa.Table, tmp_path: Path) -> None:
    """Whatever finishes first: the table is sorted by what its rows are about, and a file has one row."""
    shuffled = random.Random(7).sample(JOBS, len(JOBS))
    run_all(JOBS, None, tmp_path.joinpath("a"))

    assert serial.equals(run_all(shuffled, None, tmp_path.joinpath("b")))
    assert files(tmp_path.joinpath("a")) == files(tmp_path.joinpath("b"))


@in_other_processes
def test_processes_give_the_same_bits(serial: pa.Table, tmp_path: Path) -> None:
    """Spawned ones, which have nothing of this process but the job."""
    with processes(2) as executor:
        assert serial.equals(run_all(JOBS, executor, tmp_path))
    assert serial.equals(read(tmp_path))


@in_other_processes
def test_a_cluster_that_loses_a_worker_in_mid_run_gives_the_same_bits(serial: pa.Table, tmp_path: Path) -> None:
    """Two worker processes of Dask, one killed with -9 while it works; its runs are done by the other.

    ``rangli sweep --cluster`` prints what it prints anywhere.
    """
    done = subprocess.run([sys.executable, str(SCRIPT), "cluster", str(tmp_path)], capture_output=True, text=True, check=False)

    assert (0, "False\n" + run(SWEEP).out) == (done.returncode, done.stdout), done.stderr
    assert serial.equals(read(tmp_path))


# ---------------------------------------------------------------- broken off and continued


@in_other_processes
def test_what_is_killed_in_mid_run_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """kill -9 at any moment: finished rows are whole and stay, and only the others are run when it goes on."""
    with subprocess.Popen([sys.executable, str(SCRIPT), "serial", str(tmp_path)]) as process:
        until = monotonic() + 120
        while len(list(tmp_path.glob("[!.]*.parquet"))) < 5:
            assert process.poll() is None
            assert monotonic() < until
            sleep(0.002)
        process.kill()
    finished = {name: text for name, text in files(tmp_path).items() if not name.startswith(".")}
    seen: list[int] = []
    whole = run_all(MANY, None, tmp_path, seen.append)

    assert 5 <= len(finished) < len(MANY) == whole.num_rows == len(set(whole["run"].to_pylist()))
    assert [len(finished), *[1] * (len(MANY) - len(finished))] == seen
    assert finished.items() <= files(tmp_path).items()
    assert whole.equals(run_all(MANY)) == whole.equals(read(tmp_path)) == True  # noqa: E712 (both, and that they are)


def test_what_is_finished_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when another sweep, by other changes, comes to the same plan in the same world."""
    table = run_all([PACKETS], None, tmp_path)
    monkeypatch.setattr(economy, "run", None)
    same = PACKETS._replace(changes=("concession.min=6%", "scenario:months=2"))

    assert table.equals(run_all([PACKETS], None, tmp_path))
    assert [list(same.changes)] == run_all([same], None, tmp_path)["changes"].to_pylist()


def test_a_row_that_was_being_written_is_no_row(tmp_path: Path) -> None:
    """Half a file is hidden until it is whole."""
    tmp_path.joinpath(f".{run_id(PACKETS)}.parquet").write_bytes(b"PAR1 half")

    assert 0 == read(tmp_path).num_rows
    assert 1 == run_all([PACKETS], None, tmp_path).num_rows == read(tmp_path).num_rows


def test_a_directory_that_is_not_ours_is_refused_in_words(tmp_path: Path) -> None:
    """Better than a stack of calls after an hour."""
    other, third = tmp_path.joinpath("other.parquet"), tmp_path.joinpath("third.parquet")
    other.write_bytes(b"no parquet")
    for fault in ("is not the result of a run: ", "of a run of this version"):
        with pytest.raises(FileRefused, match=fault):
            read(tmp_path)
        other.unlink(missing_ok=True)
        pq.write_table(pa.table({"a": [1]}), third)
    with pytest.raises(FileRefused, match="as a directory"):
        run_all([PACKETS], None, third)


# ---------------------------------------------------------------- failures


FAULTY = [
    (Job(PACKETS.plan, SCENARIO, changes=("shares[0].rate=95% of amount",)), "PlanFaulty"),
    (Job(PACKETS.plan, SCENARIO, changes=("scenario:months=0",)), "ScenarioFaulty"),
    (Job(PACKETS.plan, SCENARIO, changes=("no.such[3].path=1",)), "InputRefused"),
    (Job("plan: [", SCENARIO), "PlanFaulty"),
]


@pytest.mark.parametrize(("job", "error"), FAULTY)
def test_a_job_that_cannot_run_is_a_row_that_says_why(job: Job, error: str) -> None:
    """In both languages; the runs beside it go on."""
    rows = {row["run"]: row for row in run_all([job, PACKETS]).to_pylist()}
    row = rows[run_id(job)]

    assert {FAILED, DONE} == {each["state"] for each in rows.values()}
    assert (error, list(job.changes), None) == (row["error"], row["changes"], row["result"])
    assert row["zh"]
    assert row["en"] != row["zh"]
    assert all(row[name] is None for name in ("orders", "return_bp", "unfunded_from"))


def test_a_run_that_broke_is_kept_and_tried_again_only_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that ran out may be there tomorrow; a plan that is faulty stays so."""

    def broken(*_: Any) -> None:  # noqa: ANN401 (whatever it is given)
        message = "no memory"
        raise MemoryError(message)

    with monkeypatch.context() as patch:
        patch.setattr(economy, "run", broken)
        failed = run_all([PACKETS], None, tmp_path).to_pylist()[0]

    assert (FAILED, "MemoryError", "no memory", "no memory") == tuple(failed[name] for name in ("state", "error", "zh", "en"))
    assert [FAILED] == run_all([PACKETS], None, tmp_path)["state"].to_pylist()
    assert [DONE] == run_all([PACKETS], None, tmp_path, retry=True)["state"].to_pylist()
    assert [DONE] == read(tmp_path)["state"].to_pylist()


class Dying(Executor):
    """Its workers die with every job whose replication is odd."""

    def submit(self, function: Any, job: Job) -> Any:  # type: ignore[override]  # noqa: ANN401 (as Executor has it)
        """A future that is done."""
        future: Future[Any] = Future()
        if job.replication & 1:
            future.set_exception(ConnectionError("the worker is gone"))
        else:
            future.set_result(function(job))
        return future


def test_a_worker_that_dies_with_its_run_leaves_a_row_and_the_others_go_on() -> None:
    """A sweep of a night must not end at two o'clock."""
    table = run_all(replications([PACKETS], 5), Dying())

    assert [DONE, FAILED, DONE, FAILED, DONE] == [
        row["state"] for row in sorted(table.to_pylist(), key=lambda r: r["replication"])
    ]
    assert {None, "ConnectionError"} == set(table["error"].to_pylist())


# ---------------------------------------------------------------- ids


def test_an_id_is_of_what_the_result_hangs_on_and_of_nothing_else() -> None:
    """Titles and the way numbers are spelt do not matter; plan, scenario, replication and seed do."""
    same = [PACKETS, PACKETS._replace(plan=PACKETS.plan + "\n# later\n"), PACKETS._replace(changes=("title.en=Other",))]
    other = [
        PACKETS._replace(replication=1),
        PACKETS._replace(seed=8),
        PACKETS._replace(changes=("concession.min=7%",)),
        PACKETS._replace(changes=("scenario:months=3",)),
        *(job for job, _ in FAULTY),
    ]

    assert 1 == len({run_id(job) for job in same})
    assert 1 + len(other) == len({run_id(job) for job in [PACKETS, *other]})
    assert run_id(PACKETS) == run_row(PACKETS)["run"]
