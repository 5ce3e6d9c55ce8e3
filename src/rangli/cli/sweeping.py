"""The commands that run a plan many times: sweeps over rates and worlds, the search for the best rates, and sensitivity."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from rangli.cli import face as faces
from rangli.cli.face import Face
from rangli.cli.options import AsJson, Changes, Lang, PlanName, compiled
from rangli.cli.scenarios import scenario_text_of
from rangli.errors import InputRefused
from rangli.money import mul_div

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from rich.table import Table

    from rangli.lab.designs import Levels, Study
    from rangli.lab.runs import Row, Runner
    from rangli.lab.search import Found, Tried
    from rangli.lab.sensitivity import Sensitivity

POINTS_SHOWN: Final = 40
FIGURES_SHOWN: Final = ("return_bp", "surplus_net_micro")
WORKERS: Final = os.cpu_count() or 1

ScenarioOption = Annotated[
    str, typer.Option("--scenario", metavar="SCENARIO", help="场景名或 YAML 文件 · a scenario's name or a YAML file")
]
Over = Annotated[
    list[str],
    typer.Option(
        "--over",
        metavar="PATH=A..B[:N]",
        help="变动的值和范围,网格再加档数,可多次;场景中的值前加 scenario: · a value and its range, for a grid with a number of"
        " levels; repeatable; with scenario: before it, one of the scenario",
    ),
]
Replications = Annotated[
    int, typer.Option("--replications", metavar="K", min=1, help="每点在几个世界里各跑一次 · worlds that each point runs in")
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="种子 · the seed of worlds and design")]
Into = Annotated[
    Path | None,
    typer.Option(
        "--into", metavar="DIR", help="每次模拟存一行 Parquet,中断后接着跑 · keep each run as Parquet, and continue from it"
    ),
]
Workers = Annotated[int, typer.Option("--workers", metavar="N", min=1, show_default=False, help="同时几个 · how many at a time")]
Processes = Annotated[bool, typer.Option("--processes", show_default=False, help="用进程而不用线程 · in processes, not threads")]
Cluster = Annotated[
    str | None, typer.Option("--cluster", metavar="ADDRESS", help="Dask 调度器的地址 · the address of a Dask scheduler")
]


def sweep(
    plan: PlanName,
    *,
    over: Over,
    scenario: ScenarioOption = "default",
    design: Annotated[
        Literal["grid", "lhs", "sobol", "best"],
        typer.Option(
            "--design",
            help="网格、拉丁超立方、Sobol;best 寻找从不违约的最优费率 · best: search the best rates that never default",
        ),
    ] = "grid",
    runs: Annotated[
        int,
        typer.Option(
            "--runs", metavar="N", min=1, help="lhs、sobol 的点数,best 起初的点数 · points of lhs and sobol, first ones of best"
        ),
    ] = 16,
    replications: Replications = 1,
    seed: Seed = 7,
    into: Into = None,
    retry: Annotated[bool, typer.Option("--retry", show_default=False, help="重跑失败的 · run failed ones again")] = False,
    workers: Workers = WORKERS,
    processes: Processes = False,
    cluster: Cluster = None,
    changes: Changes = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """在许多费率和世界里各跑一遍 · Run a plan at many rates and in many worlds.

    每点各跑 K 个世界,同号的世界对所有的点都相同,所以差别只来自方案。存入 --into 的结果不会重跑,随时可以中断。

    Each point runs in K worlds; world k is the same for all points, so that what differs is the plan. What is kept by --into is
    not run again, and it may be broken off at any time.

    例 Example: rangli sweep zengzhi --over pool.exit.at=100%..200%:3 --scenario three-orders
    """
    from rangli.lab import designs, search

    face = Face(lang, json=json)
    study = _study(plan, scenario, over, replications, seed, changes)
    if design == "best":
        total = search.POINTS_MAX * replications
        with _running(face, total, workers, into, processes=processes, cluster=cluster, retry=retry) as run:
            found = search.best_rates(study, runs, run=run)
        _show_best(face, study, found)
        return
    points = designs.design(design, study.factors, runs, seed)
    with _running(face, len(points) * replications, workers, into, processes=processes, cluster=cluster, retry=retry) as run:
        rows = study.rows(points, run)
    if json:
        face.document(_facts(study) | {"design": design, "runs": [_run_facts(row) for each in rows for row in each]})
    else:
        _show_points(face, study, points, rows)


def sensitivity(
    plan: PlanName,
    *,
    over: Over,
    figure: Annotated[
        list[str] | None,
        typer.Option(
            "--figure",
            metavar="NAME",
            show_default=False,
            help="指标,可多次,默认返还率和平台净盈余 · a figure, by default what is returned and the net surplus; repeatable",
        ),
    ] = None,
    scenario: ScenarioOption = "default",
    runs: Annotated[int, typer.Option("--runs", metavar="N", min=1, help="基数,2 的幂 · the base, a power of two")] = 64,
    replications: Replications = 1,
    seed: Seed = 7,
    into: Into = None,
    workers: Workers = WORKERS,
    processes: Processes = False,
    cluster: Cluster = None,
    changes: Changes = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """哪个参数最要紧 · Which value matters most.

    Sobol 指数:只知道这个值时,指标的方差少掉几成(一阶);其余都知道时,还剩几成(总)。共跑 N ×(参数数 + 2)个点。

    Sobol's indices: how much of a figure's variance goes away when this value is known (first), and how much stays when all
    others are (total). N x (values + 2) points are run.

    例 Example: rangli sensitivity zengzhi --over scenario:months=1..9 --over scenario:consumers.new=1..9 --scenario three-orders
    """
    from rangli.lab import sensitivity as study_of

    face = Face(lang, json=json)
    figures = figure or FIGURES_SHOWN
    study_of.check_figures(figures)
    study = _study(plan, scenario, over, replications, seed, changes)
    total = runs * (len(study.factors) + 2) * replications
    with _running(face, total, workers, into, processes=processes, cluster=cluster) as run:
        found = study_of.sensitivity(study, figures, runs, run)
    if json:
        indices = {name: [one._asdict() for one in of] if of else None for name, of in found.indices.items()}
        face.document(_facts(study) | {"points": found.points, "runs": found.runs, "indices": indices})
    else:
        _show_indices(face, found)


# ---------------------------------------------------------------- what is run, and where


def _study(plan: str, scenario: str, over: Sequence[str], replications: int, seed: int, changes: Sequence[str] | None) -> Study:
    """The study that a command line asks for; its documents are sound as they are."""
    from rangli.lab import designs
    from rangli.lab.scenario import read

    _, plan_text = compiled(plan, changes)
    scenario_text = scenario_text_of(scenario)
    read(scenario_text)
    factors = tuple(designs.factor(text) for text in over)
    designs.check_factors(factors)
    return designs.Study(plan_text, scenario_text, factors, replications, seed)


@contextmanager
def _running(
    face: Face, total: int, workers: int, into: Path | None, *, processes: bool, cluster: str | None, retry: bool = False
) -> Iterator[Runner]:
    """``run_all`` on the workers asked for, with a bar that says how long it still takes."""
    from rangli.lab.runs import run_all

    with _executor(workers, cluster, processes=processes) as executor, face.progress("模拟", "Simulating", total) as advance:
        yield partial(run_all, executor=executor, into=into, progress=advance, retry=retry)


@contextmanager
def _executor(workers: int, cluster: str | None, *, processes: bool) -> Iterator[Executor]:
    """Threads, processes, or a cluster's."""
    from rangli.lab import runs

    if cluster is None:
        with (runs.processes if processes else runs.threads)(workers) as executor:
            yield executor
        return
    try:
        from distributed import Client
    except ModuleNotFoundError as fault:
        raise InputRefused(
            f"缺少 {fault.name};请安装 rangli[cluster]:pip install 'rangli[cluster]'",
            f"{fault.name} is missing; install rangli[cluster]: pip install 'rangli[cluster]'",
        ) from fault
    client: Any = Client(cluster)  # type: ignore[no-untyped-call]  # Dask's
    with client:
        yield client.get_executor()


# ---------------------------------------------------------------- what it came to


def _facts(study: Study) -> dict[str, Any]:
    """What was studied, for programs."""
    from rangli.lab.runs import compiled_of, scenario_of

    one, world = compiled_of(study.plan, ()), scenario_of(study.scenario, ())
    over = [{"path": each.path, "from": each.text(each.low), "to": each.text(each.high)} for each in study.factors]
    facts = {"plan": one.plan.name, "version": one.version, "scenario": world.name, "scenario_hash": world.hash()}
    return facts | {"over": over, "replications": study.replications, "seed": study.seed}


def _run_facts(row: Row) -> dict[str, Any]:
    """A run, for programs; its whole result stays in the file."""
    return {name: value for name, value in row.items() if name != "result" and value is not None}


def _head(face: Face, study: Study, *columns: tuple[str, str]) -> Table:
    """A table with a column for each value that is changed, and these."""
    paths = [each.path for each in study.factors]
    rest = [face.words(*column) for column in columns]
    return faces.table(*paths, *rest, right=range(len(paths) + len(rest)))


def _show_points(face: Face, study: Study, points: Sequence[Levels], rows: Sequence[Sequence[Row]]) -> None:
    """A line for each point: what its worlds came to together."""
    face.title(
        f"{faces.count(len(points))} 个点,各 {study.replications} 个世界",
        f"{faces.count(len(points))} points, in {study.replications} world(s) each",
    )
    made = _head(
        face,
        study,
        ("返还率", "returned"),
        ("回本者", "made whole"),
        ("不兑付", "unfunded"),
        ("平台净盈余", "net surplus"),
        ("失败", "failed"),
    )
    for point, runs in list(zip(points, rows, strict=True))[:POINTS_SHOWN]:
        levels = [each.text(level) for each, level in zip(study.factors, point, strict=True)]
        made.add_row(*levels, *_outcome(runs))
    face.show(made)
    if len(points) > POINTS_SHOWN:
        face.line(
            f"……共 {len(points)} 个点,--json 或 --into 有全部", f"… of {len(points)} points; --json or --into has them all", "dim"
        )
    failed = next((row for runs in rows for row in runs if row["error"]), None)
    if failed is not None:
        said = face.words(failed["zh"], failed["en"])
        face.line(
            f"首个失败 {', '.join(failed['changes'])}:{said}",
            f"the first that failed, {', '.join(failed['changes'])}: {said}",
            "yellow",
        )


def _outcome(runs: Sequence[Row]) -> list[Any]:
    """Of all worlds of a point: returned, made whole, how many are unfunded, the mean surplus, and how many failed."""
    done = [row for row in runs if row["error"] is None]
    if not done:
        return ["–", "–", "–", "–", str(len(runs))]
    back = sum(row["cash_micro"] + row["vouchers_micro"] for row in done)
    whole, consumers = (sum(row[name] for row in done) for name in ("consumers_made_whole", "consumers"))
    unfunded = sum(row["unfunded_from"] is not None for row in done)
    surplus = sum(row["surplus_net_micro"] for row in done)
    mean = mul_div(abs(surplus), 1, len(done)) * (1 if surplus >= 0 else -1)
    shares = faces.percent(back, sum(row["spent_micro"] for row in done)), faces.percent(whole, consumers)
    return [*shares, f"{unfunded}/{len(done)}", faces.yuan(mean), str(len(runs) - len(done))]


def _show_best(face: Face, study: Study, found: Found) -> None:
    """The best rates and the best few that were tried."""
    if face.json:
        tried = [_tried_facts(one) for one in found.tried]
        best = _tried_facts(found.best) if found.best else None
        face.document(_facts(study) | {"design": "best", "best": best, "is_done": found.is_done, "tried": tried})
        return
    face.title(f"试了 {faces.count(len(found.tried))} 个点", f"{faces.count(len(found.tried))} points tried")
    made = _head(face, study, ("返还率", "returned"), ("不兑付", "unfunded"), ("失败", "failed"))
    for one in sorted(found.tried, key=lambda one: one.rank, reverse=True)[: POINTS_SHOWN >> 2]:
        levels = [each.text(level) for each, level in zip(study.factors, one.levels, strict=True)]
        made.add_row(*levels, faces.percent(*one.returned.as_integer_ratio(), 2), str(one.unfunded), str(one.failed))
    face.show(made)
    if found.best is None:
        face.line("试过的每一点都会违约", "every point that was tried defaults", "yellow")
    elif found.is_done:
        face.line(f"最优:{', '.join(found.best.changes)}", f"best: {', '.join(found.best.changes)}", "bold")
    else:
        face.line(
            f"到了上限,目前最优:{', '.join(found.best.changes)}",
            f"at its limit; the best so far: {', '.join(found.best.changes)}",
            "yellow",
        )


def _tried_facts(one: Tried) -> dict[str, Any]:
    """A point that was tried, for programs; what came back, in basis points."""
    back = mul_div(one.returned.numerator, 10_000, one.returned.denominator)
    facts = {"changes": list(one.changes), "return_bp": back, "unfunded": one.unfunded, "failed": one.failed}
    return facts | ({"why": one.why} if one.why else {})


def _show_indices(face: Face, found: Sensitivity) -> None:
    """A table for each figure, the greatest total first."""
    face.title(f"{faces.count(found.points)} 个点的 Sobol 指数", f"Sobol's indices of {faces.count(found.points)} points")
    for figure, indices in found.indices.items():
        if indices is None:
            face.line(f"{figure}:处处相同", f"{figure}: the same everywhere")
            continue
        made = faces.table(figure, face.words("一阶", "first"), "±", face.words("总", "total"), "±", right=(1, 2, 3, 4))
        for one in sorted(indices, key=lambda one: -one.total):
            made.add_row(one.path, *(f"{number:.2f}" for number in one[1:]))
        face.show(made, "")
