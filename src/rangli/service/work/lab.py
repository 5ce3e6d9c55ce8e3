"""Work: what jobs do in the lab. Each function is called with a ``Progress`` in a worker process and answers what JSON can hold.

Documents are given by their texts (or the names of those that ship), so a result hangs on nothing but its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from shlex import join
from typing import Final

import msgspec

from rangli.errors import InputRefused
from rangli.lab import load_scenario
from rangli.lab.claims import SAID_WORDS, Verdict, check_claims, proofs_text
from rangli.lab.claims import claims as of_sources
from rangli.lab.scenario import Scenario, orders_expected
from rangli.plan import CompiledPlan, load
from rangli.plan.parts import Words
from rangli.service.work.report import Report, report_of
from rangli.service.work.worker import Progress

SEED: Final = 7
ORDERS_MAX: Final = 50_000_000
"""Of one job, so that a slip of the pen does not occupy the worker for hours."""
REPLICATIONS_MAX: Final = 100
PLANS_MIN, PLANS_MAX = 2, 4
VERDICTS: Final[dict[str, tuple[str, str]]] = {str(code): words for code, words in SAID_WORDS.items()}
"""What may come of a claim, in words."""
SOURCES: Final = {"000": ("微团宝与某店", "Weituanbao and Moudian"), "001": ("消费增值", "Appreciating points")}
"""The articles that claims are taken from."""


class Side(msgspec.Struct, frozen=True):
    """One figure of every plan that was compared, and the second less the first if there are two."""

    name: Words
    values: list[Words]
    change: str


class Guarded(msgspec.Struct, frozen=True):
    """What one guard says of every plan."""

    guard: str
    check: Words
    verdicts: list[str]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Plans side by side in one scenario."""

    reports: list[Report]
    gets: list[Side]
    """Yuan of each 100 yuan of orders, by role."""
    truths: list[Side]
    guards: list[Guarded]
    change: Words | None
    """What changes for whom from the first to the second, if there are two."""
    page: str
    """The same as one offline HTML file."""


class Tested(msgspec.Struct, frozen=True):
    """A claim of the sources, and what came of it; the verdict is empty before it is tested."""

    claim: str
    source: str
    line: int
    chapter: Words
    quote: str
    says: Words
    verdict: str
    verdict_words: Words
    figure: Words | None
    found: Words
    tests: list[str]


class Tests(msgspec.Struct, frozen=True):
    """All claims, tested by one version of the engine."""

    engine: str
    claims: list[Tested]


# ---------------------------------------------------------------- what jobs do


def run(progress: Progress, *, plan: str, scenario: str = "default", replications: int = 1, seed: int = SEED) -> Report:
    """A plan in a scenario: all truths of so many runs, as a ``Report``.

    plan, scenario : a document's text, or the name of one that ships
    Raises PlanFaulty, ScenarioFaulty and what else makes a document unusable.
    """
    from rangli.lab.prospectus import study  # noqa: PLC0415 -- the engine, in the worker only

    where, compiled = load_scenario(scenario), load(plan)
    check_size(where, replications)
    return report_of(study(compiled, where, replications, seed, _months(progress, where, [compiled], replications)))


def compare(
    progress: Progress,
    *,
    plans: Sequence[str],
    scenario: str,
    replications: int = 1,
    seed: int = SEED,
    date: str = "",
    command: str = "",
) -> Comparison:
    """Two to four plans in the same scenario, with the same people doing the same things, as a ``Comparison``.

    date, command : stand on the page
    """
    from rangli.lab import compare as side  # noqa: PLC0415 -- as above
    from rangli.lab.prospectus.words import plain  # noqa: PLC0415 -- as above

    if not PLANS_MIN <= len(plans) <= PLANS_MAX:
        raise InputRefused(f"请选 {PLANS_MIN} 到 {PLANS_MAX} 个方案来比", f"choose {PLANS_MIN} to {PLANS_MAX} plans to compare")
    where, compiled = load_scenario(scenario), [load(plan) for plan in plans]
    check_size(where, replications * len(plans))
    studies = side.compare(compiled, where, replications, seed, _months(progress, where, compiled, replications))
    return Comparison(
        reports=[report_of(one) for one in studies],
        gets=[_side(row) for row in side.who_gets(studies)],
        truths=[_side(row) for row in side.truths(studies)],
        guards=[Guarded(row.guard, row.check, list(row.verdicts)) for row in side.guarded(studies)],
        change=plain(side.change(*studies)) if len(studies) == PLANS_MIN else None,
        page=side.page(studies, date=date, command=command),
    )


def prospectus(
    progress: Progress,
    *,
    plan: str,
    scenario: str = "default",
    replications: int = 3,
    seed: int = SEED,
    date: str,
    command: str = "",
) -> str:
    """The prospectus of a plan: one offline HTML file, the same bytes from the same arguments."""
    from rangli.lab import prospectus as room  # noqa: PLC0415 -- as above

    where, compiled = load_scenario(scenario), load(plan)
    check_size(where, replications)
    told = _months(progress, where, [compiled], replications)
    return room.write(compiled, where, replications, seed, date=date, command=command, progress=told)


def claims(progress: Progress) -> Tests:
    """Every claim of the sources, put to its test again."""
    total, done = len(of_sources().claims), 0
    progress(0, total, "准备内核", "preparing the kernels")

    def told(more: int) -> None:
        nonlocal done
        done += more
        progress(done, total, f"检验了 {done} 条,共 {total} 条", f"{done} of {total} tested")

    verdicts = check_claims(progress=told)
    pairs = zip(untested(), verdicts, strict=True)
    return Tests(version("rangli"), [_tested(one, found) for one, found in pairs])


def untested() -> list[Tested]:
    """Every claim of the sources, as it stands before a test."""
    none = Words("", "")
    return [
        Tested(
            claim=one.claim,
            source=one.source,
            line=one.line,
            chapter=_words(of_sources().chapter_of(one).title),
            quote=one.quote,
            says=_words(one.says),
            verdict="",
            verdict_words=none,
            figure=None,
            found=none,
            tests=proofs_text(one),
        )
        for one in of_sources().claims
    ]


def _tested(one: Tested, found: Verdict) -> Tested:
    return msgspec.structs.replace(
        one,
        verdict=found.verdict,
        verdict_words=Words(*SAID_WORDS[found.verdict]),
        figure=_words(found.shown) if found.shown else None,
        found=Words(found.zh, found.en),
    )


# ---------------------------------------------------------------- before it is begun


def check_size(scenario: Scenario, runs: int) -> int:
    """How many orders so many runs of the scenario come to at most. Raises InputRefused for more than one job takes."""
    orders = orders_expected(scenario) * runs
    if orders > ORDERS_MAX:
        raise InputRefused(
            f"这里至多跑 {ORDERS_MAX:,} 笔订单,这样约有 {orders:,} 笔;请减少重复次数、月数或人数,或用命令行 rangli sweep",
            f"{ORDERS_MAX:,} orders are the most that is run here and this comes to about {orders:,};"
            " take fewer replications, months or people, or the command rangli sweep",
        )
    return orders


def again(verb: str, plans: Sequence[str], options: Mapping[str, object]) -> str:
    """The command that does the same: ``rangli simulate plan.yaml --scenario default --seed 7``."""
    return join(["rangli", verb, *plans, *(part for name, value in options.items() for part in (f"--{name}", str(value)))])


# ---------------------------------------------------------------- inside


def _months(progress: Progress, where: Scenario, plans: Sequence[CompiledPlan], replications: int) -> Callable[[int], None]:
    """What a study is told of its months by, as the progress of a job."""
    each = where.months * replications
    total, done = each * len(plans), 0
    progress(
        0,
        total,
        "准备内核;一台机器上第一次要编译,约半分钟",
        "preparing the kernels: the first time on a machine takes half a minute",
    )
    places = [
        (plan.plan.title, number, month)
        for plan in plans
        for number in range(1, replications + 1)
        for month in range(1, where.months + 1)
    ]

    def told(more: int) -> None:
        nonlocal done
        done += more
        title, number, month = places[done - 1]
        of_zh = f"第 {number} 次(共 {replications} 次),第 {month} 个月(共 {where.months} 个月)"
        of_en = f"run {number} of {replications}, month {month} of {where.months}"
        progress(done, total, f"{title.zh}:{of_zh}", f"{title.en}: {of_en}")

    return told


def _words(words: object) -> Words:
    """Words of the law's kind as those of a plan."""
    return msgspec.convert(msgspec.to_builtins(words), Words)


def _side(row: object) -> Side:
    from rangli.lab.compare import Row  # noqa: PLC0415 -- as above

    assert isinstance(row, Row)
    return Side(row.name, list(row.values), row.change)
