"""Commands that write a prospectus, and set plans side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Annotated, Final

import typer

from rangli.cli import face as faces
from rangli.cli.face import Face
from rangli.cli.options import AsJson, Changes, Lang, PlanName, compiled
from rangli.cli.scenarios import scenario_text_of
from rangli.errors import FileRefused, InputRefused

if TYPE_CHECKING:
    from rangli.lab import Scenario
    from rangli.lab.compare import Row
    from rangli.lab.prospectus import Study

SEED: Final = 7
REPLICATIONS_MAX: Final = 1000
PLANS_MIN: Final = 2
PLANS_MAX: Final = 6
ENOUGH: Final = 2
"""Plans whose difference is shown."""

InScenario = Annotated[
    str, typer.Option("--scenario", metavar="SCENARIO", help="场景名或 YAML 文件 · a scenario's name or a YAML file")
]
Replications = Annotated[
    int, typer.Option("--replications", metavar="N", min=1, max=REPLICATIONS_MAX, help="重复几次 · how many runs")
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="种子 · the seed of the draws")]
On = Annotated[
    str,
    typer.Option(
        "--date", metavar="DATE", help="写在页上的日期,默认今天 · the date on the page, today by default", show_default=False
    ),
]


def prospectus(
    plan: PlanName,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="要写的 HTML 文件 · the HTML file to write")],
    scenario: InScenario = "default",
    replications: Replications = 3,
    seed: Seed = SEED,
    date: On = "",
    changes: Changes = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """写出方案说明书 · Write the prospectus of a plan.

    在一个场景里模拟方案,写成一个离线文件:谁收回本钱,谁付给谁,何时必须停,法律怎么看,
    以及怎样重新算出它。中英文都在里面,可打印;同样的参数得到同样的字节。

    Runs the plan in a scenario and writes one offline HTML file: who is made whole, who pays whom,
    when it must stop, what the law says, and how to come to it again. In Chinese and English,
    and printable; the same arguments give the same bytes.

    例 Example: rangli prospectus zengzhi --replications 1 --date 2026-11-22 --out zengzhi.html
    """
    from rangli.lab.prospectus import page

    face = Face(lang, json=json)
    on, options = _day(date), _options(scenario, replications, seed, changes)
    (one,) = _studies(face, [plan], scenario, replications, seed, changes)
    command = join(["rangli", "prospectus", plan, *options, "--date", on, "--out", out.name])
    size = _write(out, page(one, date=on, command=command))
    if json:
        from rangli.lab.compare import facts

        face.document({**facts([one]), "file": str(out), "bytes": size})
        return
    _show_lines(face, one)
    face.show("")
    face.line(f"已写出 {out}({faces.count(size)} 字节)", f"{out} is written ({faces.count(size)} bytes)")


def compare(
    plans: Annotated[
        list[str],
        typer.Argument(metavar="PLAN PLAN...", help="预置方案名或 YAML 文件,两个以上 · names or YAML files, two or more"),
    ],
    *,
    scenario: InScenario = "default",
    replications: Replications = 1,
    seed: Seed = SEED,
    date: On = "",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="再写成一个 HTML 文件 · write an HTML file as well")
    ] = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """几个方案放在一起比 · Plans side by side.

    同样的人、同样的店、同样的抽取,只有方案不同。与合规孪生放在一起,就看得出法律的代价由谁承担。

    The same people, shops and draws; only the plans differ. A plan beside its lawful twin shows
    what the law costs, and whom.

    例 Example: rangli compare zengzhi zengzhi-lawful
    """
    from rangli.lab import compare as side

    face = Face(lang, json=json)
    if not PLANS_MIN <= len(plans) <= PLANS_MAX:
        raise InputRefused(
            f"给了 {len(plans)} 个方案;请给 {PLANS_MIN} 到 {PLANS_MAX} 个",
            f"{len(plans)} plan(s) were given; compare {PLANS_MIN} to {PLANS_MAX}",
        )
    on = _day(date)
    studies = _studies(face, plans, scenario, replications, seed, None)
    written = None
    if out is not None:
        options = _options(scenario, replications, seed, None)
        command = join(["rangli", "compare", *plans, *options, "--date", on, "--out", out.name])
        written = _write(out, side.page(studies, date=on, command=command))
    if json:
        face.document({**side.facts(studies), **({"file": str(out), "bytes": written} if out else {})})
        return
    _show_sides(face, studies)
    if written is not None:
        face.show("")
        face.line(f"已写出 {out}({faces.count(written)} 字节)", f"{out} is written ({faces.count(written)} bytes)")


# ---------------------------------------------------------------- runs and files


def _studies(
    face: Face, plans: Sequence[str], scenario: str, replications: int, seed: int, changes: Sequence[str] | None
) -> tuple[Study, ...]:
    """Every plan, run with a bar on stderr."""
    from rangli.lab.prospectus import study

    where = _scenario(scenario)
    all_plans = [compiled(plan, changes)[0] for plan in plans]
    with face.progress("模拟", "Simulating", len(plans) * replications * where.months) as advance:
        return tuple(study(one, where, replications, seed, advance) for one in all_plans)


def _scenario(name_or_file: str) -> Scenario:
    """The scenario of a name or a file. Raises ScenarioNotFound, ScenarioFaulty or FileRefused."""
    from rangli.lab import load_scenario

    return load_scenario(scenario_text_of(name_or_file))


def _options(scenario: str, replications: int, seed: int, changes: Sequence[str] | None) -> list[str]:
    """What has to be said to come to the same again."""
    sets = [part for change in changes or () for part in ("--set", change)]
    return ["--scenario", scenario, "--replications", str(replications), "--seed", str(seed), *sets]


def _day(text: str) -> str:
    """A date as it is written on the page. Raises InputRefused for what is none."""
    from datetime import UTC, datetime

    if not text:
        return datetime.now(UTC).astimezone().date().isoformat()
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date().isoformat()
    except ValueError as fault:
        raise InputRefused(
            f"日期 {text!r} 不对;请写成 2026-11-22 的样子", f"the date {text!r} is none; write one as 2026-11-22"
        ) from fault


def _write(out: Path, text: str) -> int:
    """Write the page; answer how many bytes it has."""
    data = text.encode()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(data)
    except OSError as fault:
        raise FileRefused(f"无法写入 {out}:{fault.strerror}", f"cannot write {out}: {fault.strerror}") from fault
    return len(data)


# ---------------------------------------------------------------- words


def _show_lines(face: Face, one: Study) -> None:
    """The three first lines, and the law's."""
    from rangli.lab.prospectus.words import MEANING, VERDICTS, first_lines

    face.title(
        f"{one.compiled.plan.title.zh} · {one.scenario.title.zh}", f"{one.compiled.plan.title.en} · {one.scenario.title.en}"
    )
    for line in first_lines(one):
        face.line(line.plain.zh, line.plain.en)
    said, means = VERDICTS[one.verdict], MEANING[one.verdict]
    face.line(f"法律:{said.zh}。{means.zh}", f"The law: {said.en}. {means.en}")


def _show_sides(face: Face, studies: Sequence[Study]) -> None:
    """The tables."""
    from rangli.lab import compare as side
    from rangli.lab.prospectus.words import VERDICTS, plain

    scenario = studies[0].scenario
    face.title(f"{scenario.title.zh}:谁付给谁,每 100 元订单", f"{scenario.title.en}: who pays whom, of each 100 yuan of orders")
    _show_rows(face, studies, side.who_gets(studies), is_changing=len(studies) == ENOUGH)
    face.title("实情", "Truths")
    _show_rows(face, studies, side.truths(studies), is_changing=False)
    face.title("法律", "The law")
    made = faces.table("", "", *(one.compiled.plan.name for one in studies), fold=(1,))
    for row in side.guarded(studies):
        words = [VERDICTS[name] for name in row.verdicts]
        made.add_row(row.guard, face.words(row.check.zh, row.check.en), *(face.words(word.zh, word.en) for word in words))
    face.show(made)
    if len(studies) == ENOUGH:
        said = plain(side.change(*studies))
        face.show("")
        face.line(said.zh, said.en)


def _show_rows(face: Face, studies: Sequence[Study], rows: Sequence[Row], *, is_changing: bool) -> None:
    """Figures of the plans beside each other."""
    heads = [one.compiled.plan.name for one in studies] + ([face.words("差", "change")] if is_changing else [])
    made = faces.table("", *heads, right=range(1, len(heads) + 1), fold=(0,))
    for row in rows:
        values = [face.words(value.zh, value.en) for value in row.values]
        made.add_row(face.words(row.name.zh, row.name.en), *values, *([row.change] if is_changing else []))
    face.show(made)
