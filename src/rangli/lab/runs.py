"""Runs: many jobs through any ``concurrent.futures.Executor``, each ending as one row of integers, the same bits wherever it ran.

    Job ─▶ run_row (in a thread, a process, a machine of a cluster) ─▶ Row ─▶ DIR/<run id>.parquet ─▶ read(DIR)

A run's id is made of what its result depends on, so what is finished is never run again. Only this process writes: a row goes to
a hidden file that is renamed when it is whole, so a kill at any moment leaves finished rows and nothing else. A run that fails is
a row too, with the error's class and words. No order of finishing, number of workers or resumption shows in what is read.

Threads do: kernels release the GIL. Processes are spawned; on a cluster pass ``client.get_executor()`` of dask.distributed.
Where several worker processes share a disk, give each its own ``NUMBA_CACHE_DIR`` unless a first run has filled the common one:
two processes that compile different plans into one empty cache at the same time may take each other's code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from functools import lru_cache
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from rangli.errors import FileRefused, RangliError
from rangli.lab.parts import Scenario
from rangli.lab.truths import Result
from rangli.lab.truths import run_id as id_of
from rangli.money import BP_PER_ONE, mul_div
from rangli.plan import CompiledPlan, load

OF_SCENARIO: Final = "scenario:"
"""A change that begins with this is one of the scenario; any other is one of the plan."""
DONE: Final = "done"
FAILED: Final = "failed"

Progress = Callable[[int], None]
Runner = Callable[[Iterable["Job"]], pa.Table]
"""``run_all``, or a partial of it that says where."""


class Job(NamedTuple):
    """One run that is asked for. Only texts and numbers, so that it can be sent anywhere."""

    plan: str
    """Its document."""
    scenario: str
    """Its document."""
    replication: int = 0
    seed: int = 7
    changes: tuple[str, ...] = ()
    """``path=value`` in the plan, ``scenario:path=value`` in the scenario."""


def replications(jobs: Iterable[Job], count: int) -> list[Job]:
    """Each job this many times; replication k of every job lives in the same world as far as their scenarios agree."""
    return [job._replace(replication=number) for job in jobs for number in range(count)]


# ---------------------------------------------------------------- figures


def _of_last(name: str) -> Callable[[Result], int]:
    return lambda result: int(getattr(result.months[-1], name)) if result.months else 0


def _of_months(name: str) -> Callable[[Result], int]:
    return lambda result: sum(getattr(month, name) for month in result.months)


def _of_cohorts(name: str) -> Callable[[Result], int]:
    return lambda result: sum(getattr(cohort, name) for cohort in result.cohorts)


def _of_run(name: str) -> Callable[[Result], int | None]:
    return lambda result: getattr(result, name)


def return_bp(result: Result) -> int:
    """Cash and vouchers that consumers got back, as a share of what they spent."""
    back = sum(cohort.cash_micro + cohort.vouchers_micro for cohort in result.cohorts)
    return mul_div(back, BP_PER_ONE, max(sum(cohort.spent_micro for cohort in result.cohorts), 1))


FIGURES: Final[dict[str, Callable[[Result], int | None]]] = {
    "return_bp": return_bp,
    **{name: _of_run(name) for name in ("orders", "orders_made_whole", "consumers", "consumers_made_whole")},
    **{name: _of_cohorts(name) for name in ("spent_micro", "cash_micro", "vouchers_micro")},
    **{name: _of_months(name) for name in ("paid_micro", "concession_micro", "promised_new_micro", "funded_new_micro", "exits")},
    **{name: _of_last(name) for name in ("promised_micro", "pool_micro", "supply_micro", "backing_micro")},
    **{name: _of_run(name) for name in ("unfunded_from", "growth_needed_bp", "wash_micro", "surplus_gross_micro")},
    **{name: _of_run(name) for name in ("channel_fee_micro", "bounties_micro", "tax_micro", "surplus_net_micro")},
}
"""What a row says of a finished run, by name; the whole Result stands beside it."""

SCHEMA: Final = pa.schema(
    [
        *[pa.field(name, pa.string()) for name in ("run", "state", "plan", "version", "scenario", "scenario_hash")],
        *[pa.field(name, pa.int64()) for name in ("replication", "seed")],
        pa.field("engine", pa.string()),
        pa.field("changes", pa.list_(pa.string())),
        *[pa.field(name, pa.string()) for name in ("error", "zh", "en")],
        *[pa.field(name, pa.int64()) for name in FIGURES],
        pa.field("result", pa.binary()),
    ]
)
"""``state`` is done or failed. A failed run has the ``error``'s class and its words in ``zh`` and ``en``; one that is done has
figures and, as JSON, its whole ``result``."""

Row = dict[str, Any]


# ---------------------------------------------------------------- one run


@lru_cache(maxsize=4096)
def compiled_of(plan: str, changes: tuple[str, ...]) -> CompiledPlan:
    """The plan of a job. Raises PlanFaulty or InputRefused."""
    return load(plan, [change for change in changes if not change.startswith(OF_SCENARIO)])


@lru_cache(maxsize=4096)
def scenario_of(scenario: str, changes: tuple[str, ...]) -> Scenario:
    """The scenario of a job. Raises ScenarioFaulty or InputRefused."""
    from rangli.lab.scenario import changed, read  # noqa: PLC0415 (the vocabulary, for whoever reads one)

    pairs = [change.removeprefix(OF_SCENARIO).partition("=") for change in changes if change.startswith(OF_SCENARIO)]
    return read(changed(scenario, {path: value for path, _, value in pairs}))


def run_id(job: Job) -> str:
    """The id of a job's run: SHA-256 of plan version, scenario hash, replication, seed and engine version; 16 hex digits.

    A job whose documents are faulty has one too, of their texts.
    """
    facts: tuple[str, ...]
    try:
        facts = compiled_of(job.plan, job.changes).version, scenario_of(job.scenario, job.changes).hash()
    except RangliError:
        facts = (job.plan, job.scenario, *job.changes)
    return id_of(*facts, job.replication, job.seed)


def run_row(job: Job) -> Row:
    """Run one job; what it came to or why it failed, as a row of SCHEMA. The function that executors are given."""
    row: Row = dict.fromkeys(SCHEMA.names)
    row |= {"run": run_id(job), "state": FAILED, "replication": job.replication, "seed": job.seed, "changes": list(job.changes)}
    row["engine"] = version("rangli")
    try:
        compiled, scenario = compiled_of(job.plan, job.changes), scenario_of(job.scenario, job.changes)
        row |= {"plan": compiled.plan.name, "version": compiled.version}
        row |= {"scenario": scenario.name, "scenario_hash": scenario.hash()}
        return row | _done(_run(compiled, scenario, job))
    except Exception as fault:  # noqa: BLE001 (whatever stops one run must not stop the others: it is that run's row)
        return row | _failed(fault)


def _run(compiled: CompiledPlan, scenario: Scenario, job: Job) -> Result:
    """The run itself."""
    from rangli.lab.economy import run  # noqa: PLC0415 (the engine, for whoever runs)

    return run(compiled, scenario, job.replication, job.seed)


def _done(result: Result) -> Row:
    """The columns of a finished run."""
    figures = {name: of(result) for name, of in FIGURES.items()}
    return {"state": DONE, **figures, "result": msgspec.json.encode(result, order="sorted")}


def _failed(fault: BaseException) -> Row:
    """The columns of a failed run."""
    zh, en = (fault.zh, fault.en) if isinstance(fault, RangliError) else (str(fault), str(fault))
    return {"state": FAILED, "error": type(fault).__name__, "zh": zh, "en": en}


# ---------------------------------------------------------------- many runs


def threads(workers: int) -> Executor:
    """This many runs at a time in this process."""
    return ThreadPoolExecutor(workers)


def processes(workers: int) -> Executor:
    """This many processes of their own."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def run_all(
    jobs: Iterable[Job],
    executor: Executor | None = None,
    into: Path | None = None,
    progress: Progress | None = None,
    *,
    retry: bool = False,
) -> pa.Table:
    """Run what is not finished yet and answer the rows of all these jobs, in an order of their own.

    executor : where; None is here, one after the other
    into     : a directory that keeps each row as it is finished; jobs whose rows are there are not run again
    progress : told how many runs are done, those found in the directory first
    retry    : run failed ones again, whose errors may have passed

    Raises FileRefused for a directory that cannot be used.
    """
    wanted = {run_id(job): job for job in jobs}
    rows = {run: row for run, row in _kept(into, wanted).items() if not (retry and row["state"] == FAILED)}
    waiting = {run: job for run, job in wanted.items() if run not in rows}
    if progress is not None and rows:
        progress(len(rows))
    for row in _finished(list(waiting.values()), executor):
        rows[row["run"]] = row
        if into is not None:
            _keep(into, row)
        if progress is not None:
            progress(1)
    # A row on the disk may have been written for a sweep that came to the same plan by other changes.
    return _table(rows[run] | {"changes": list(job.changes)} for run, job in wanted.items())


def read(into: Path) -> pa.Table:
    """All rows of a directory, in the same order as ``run_all``'s. Raises FileRefused for a file that is none of ours."""
    return _table(_row_in(path) for path in into.glob("*.parquet") if not path.name.startswith("."))


def result_of(row: Row) -> Result:
    """The whole result of a row that is done."""
    return msgspec.json.decode(row["result"], type=Result)


def _finished(jobs: list[Job], executor: Executor | None) -> Iterator[Row]:
    """The rows, as they are finished."""
    if executor is not None and not isinstance(executor, ThreadPoolExecutor):
        # One run of each kind of plan here first: its compiled kernels are on the disk when several processes ask for them.
        first = {_kind(job): job for job in reversed(jobs)}
        for job in first.values():
            yield run_row(job)
        jobs = [job for job in jobs if job not in first.values()]
    if executor is None:
        yield from map(run_row, jobs)
        return
    asked: dict[Future[Row], Job] = {executor.submit(run_row, job): job for job in jobs}
    try:
        for future in as_completed(asked):
            fault = future.exception()
            yield _lost(asked[future], fault) if fault else future.result()
    finally:
        for future in asked:
            future.cancel()


def _lost(job: Job, fault: BaseException) -> Row:
    """The row of a run whose worker died with it."""
    row: Row = dict.fromkeys(SCHEMA.names)
    facts = {"run": run_id(job), "replication": job.replication, "seed": job.seed, "changes": list(job.changes)}
    return row | facts | {"engine": version("rangli")} | _failed(fault)


def _kind(job: Job) -> tuple[bool, ...]:
    """Which parts the plan has: kernels are compiled anew for each kind."""
    try:
        terms = compiled_of(job.plan, job.changes).terms
    except RangliError:
        return ()
    return bool(terms.packets.per_order), bool(terms.pool.mint_bp), bool(terms.release.rate_den)


# ---------------------------------------------------------------- rows on the disk


def _table(rows: Iterable[Row]) -> pa.Table:
    """The rows as a table, in an order that does not depend on how they came about."""
    return pa.Table.from_pylist(sorted(rows, key=_place), SCHEMA)


def _place(row: Row) -> tuple[Any, ...]:
    """Where a row stands: by plan, scenario, what was changed, replication; the id decides."""
    return row["plan"] or "", row["scenario"] or "", row["changes"], row["replication"], row["seed"], row["run"]


def _keep(into: Path, row: Row) -> None:
    """Write a row so that it is there whole or not at all."""
    hidden = into.joinpath(f".{row['run']}.parquet")
    pq.write_table(pa.Table.from_pylist([row], SCHEMA), hidden)
    hidden.replace(into.joinpath(f"{row['run']}.parquet"))


def _kept(into: Path | None, wanted: Iterable[str]) -> dict[str, Row]:
    """The rows of these runs that a directory has; it is made if it is not there."""
    if into is None:
        return {}
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise FileRefused(f"{into} 不能用作目录:{fault}", f"{into} cannot be used as a directory: {fault}") from fault
    paths = {run: into.joinpath(f"{run}.parquet") for run in wanted}
    return {run: _row_in(path) for run, path in paths.items() if path.exists()}


def _row_in(path: Path) -> Row:
    """The row of a file."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as fault:
        raise FileRefused(f"{path} 不是一次模拟的结果:{fault}", f"{path} is not the result of a run: {fault}") from fault
    if table.schema != SCHEMA or table.num_rows != 1:
        raise FileRefused(f"{path} 不是本版本一次模拟的结果", f"{path} is not the result of a run of this version")
    row: Row = table.to_pylist()[0]
    return row
