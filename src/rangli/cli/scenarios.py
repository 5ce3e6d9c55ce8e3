"""Commands on scenarios: list, begin, check; and what a run of one comes to, as ``rangli simulate --scenario`` shows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from rangli.cli import face as faces
from rangli.cli import lane
from rangli.cli.face import Face
from rangli.cli.options import AsJson, Lang, compiled, text_of
from rangli.cli.refusals import NO
from rangli.errors import FileRefused, ScenarioFaulty, ScenarioNotFound
from rangli.money import mul_div, print_percent, print_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from rangli.lab import Result, Scenario
    from rangli.plan import CompiledPlan

scenario_app = typer.Typer(help="列出、新建、检查场景 · List, begin and check scenarios.", rich_markup_mode="rich")
"""Sub-commands; ``cli`` hangs them up."""

MONTHS_SHOWN: Final = 12

ScenarioName = Annotated[str, typer.Argument(metavar="SCENARIO", help="场景名或 YAML 文件 · a scenario's name or a YAML file")]
Values = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="改动场景中的一个值,可多次 · change one value of the scenario; repeatable"),
]

ROLE_WORDS: Final = {
    "platform": ("平台", "the platform"),
    "investors": ("投资人", "investors"),
    "pool": ("盈利池", "the pool"),
    "dividend": ("分红池", "the dividend pot"),
    "reserve": ("券储备", "the voucher reserve"),
    "pots": ("红包池", "packet pots"),
    "merchants": ("商家", "merchants"),
    "consumers": ("消费者", "consumers"),
    "recruiters": ("招商人", "recruiters"),
    "agents.district": ("区代", "district agents"),
    "agents.city": ("市代", "city agents"),
    "agents.province": ("省代", "province agents"),
    "agents.region": ("大区代", "region agents"),
    "referrers": ("直推人", "referrers"),
    "referrers2": ("间推人", "second referrers"),
    "washer": ("自买自卖者", "the washer"),
    "small_accounts": ("小号", "small accounts"),
    "farmers": ("刷小单者", "farmers"),
}
"""Roles in flows; of referrers, what stands before the dot."""


def scenario_text_of(name_or_file: str) -> str:
    """The document of a scenario that ships, or of a file. Raises ScenarioNotFound, or FileRefused for what is not UTF-8."""
    from rangli.lab import scenario_text, scenarios

    path = Path(name_or_file)
    if name_or_file in scenarios() or (not path.is_file() and path.suffix not in {".yaml", ".yml"}):
        return scenario_text(name_or_file)
    if not path.is_file():
        raise ScenarioNotFound(f"没有场景文件 {path}", f"there is no scenario file {path}")
    return text_of(path)


@scenario_app.command("list")
def list_scenarios(json: AsJson = False, lang: Lang = None) -> None:
    """列出自带的场景 · List the scenarios that ship with the product.

    例 Example: rangli scenario list
    """
    from rangli.lab import load_scenario, scenarios

    face = Face(lang, json=json)
    known = [load_scenario(name) for name in scenarios()]
    if json:
        face.document({"scenarios": [_about(one) for one in known]})
        return
    made = faces.table(
        "", face.words("名称", "title"), face.words("月", "months"), face.words("方案", "plan"), right=(2,), fold=(1,)
    )
    for one in known:
        plan = one.plan.name if one.plan else ""
        made.add_row(one.name, face.words(one.title.zh, one.title.en), str(one.months), plan)
    face.show(made)
    face.show("")
    face.note(
        "跑其中一个:rangli simulate weituanbao --scenario default", "run one: rangli simulate weituanbao --scenario default"
    )


def _about(one: Scenario) -> dict[str, object]:
    """A scenario's facts for programs."""
    return {
        "name": one.name,
        "title": {"zh": one.title.zh, "en": one.title.en},
        "about": {"zh": one.about.zh, "en": one.about.en} if one.about else None,
        "plan": {"name": one.plan.name, "changes": list(one.plan.changes)} if one.plan else None,
        "months": one.months,
        "hash": one.hash(),
    }


@scenario_app.command("new")
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="要写的文件 · the file to write")],
    like: Annotated[
        str, typer.Option("--like", metavar="SCENARIO", help="以哪个场景为底稿 · the scenario to begin with")
    ] = "default",
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """由自带的场景写出一个文件,供修改 · Write a scenario to a file, to be changed.

    每个字段的含义见 docs/scenario.md。

    docs/scenario.md says what each key means.

    例 Example: rangli scenario new town.yaml --like default
    """
    face = Face(lang, json=json)
    text = scenario_text_of(like)
    if file.exists():
        raise FileRefused(f"{file} 已存在;请换一个名字", f"{file} is there already; choose another name")
    file.write_text(text, encoding="utf-8")
    if json:
        face.document({"file": str(file), "like": like})
        return
    face.line(f"已写出 {file}", f"{file} is written")
    face.note(f"改好后:rangli scenario check {file}", f"when you have changed it: rangli scenario check {file}")


@scenario_app.command("check")
def check(scenario: ScenarioName, values: Values = None, json: AsJson = False, lang: Lang = None) -> None:
    """检查场景,一次列出所有问题 · Check a scenario, every problem at once.

    有问题时退出码为 1。

    Exit status 1 if there is any problem.

    例 Example: rangli scenario check default --set "shops.concessions=[{rate: 20%, share: 90%}]"
    """
    from rangli.lab.scenario import check as check_text
    from rangli.plan import override

    face = Face(lang, json=json)
    sound, problems = check_text(override(scenario_text_of(scenario), values or ()))
    if json:
        rows = [{"code": one.code, "where": one.where, "line": one.line, "message": one.message(face.lang)} for one in problems]
        face.document({"ok": not problems, "problems": rows, "hash": sound.hash() if sound else None})
    elif sound is not None:
        face.line(f"✓ {sound.name} 没有问题", f"✓ {sound.name} has no problem", "green")
        face.show(faces.facts((face.words("哈希", "hash"), sound.hash())))
    else:
        face.line(f"✗ {len(problems)} 处问题", f"✗ {len(problems)} problem(s)", "red")
        for one in problems:
            place = face.words(f"第 {one.line} 行", f"line {one.line}")
            face.show("", f"{place}  {one.where or '.'}  ({one.code})", faces.paragraph(one.message(face.lang), indent=2))
    if problems:
        raise typer.Exit(NO)


# ---------------------------------------------------------------- rangli simulate --scenario


def simulate_scenario(face: Face, plan: str, changes: Sequence[str] | None, scenario: str, replication: int, seed: int) -> None:
    """Run a scenario under a plan and show what it came to."""
    from rangli.lab.scenario import check as check_text
    from rangli.lab.scenario import orders_expected

    where, problems = check_text(scenario_text_of(scenario))
    if where is None:
        raise ScenarioFaulty(problems)
    lane.choose_for_orders(orders_expected(where))
    one, _ = compiled(plan, changes)
    from rangli.lab.economy import run

    with face.progress("模拟", "Simulating", where.months) as advance:
        came_to = run(one, where, replication, seed, advance)
    if face.json:
        import msgspec

        face.document(msgspec.to_builtins(came_to))
        return
    face.title(f"{one.plan.title.zh} × {where.title.zh}", f"{one.plan.title.en} × {where.title.en}")
    _show(face, one, came_to)


def _show(face: Face, one: CompiledPlan, came_to: Result) -> None:
    """The truths for people."""
    words = face.words
    face.show(
        faces.facts(
            (words("以现金全额收回的订单", "orders made whole in cash"), _part(came_to.orders_made_whole, came_to.orders)),
            (
                words("以现金全额收回的消费者", "consumers made whole in cash"),
                _part(came_to.consumers_made_whole, came_to.consumers),
            ),
            (face.words("承诺 ÷ 备付", "promised ÷ funded"), _ratio_of(came_to)),
            (face.words("从第几月起承诺没有备付", "promises unfunded from month"), _or_never(face, came_to.unfunded_from)),
            (face.words("从第几月起给得比应给的少", "less given than due from month"), _or_never(face, came_to.short_from)),
            (face.words("新人回本所需的月增长", "monthly growth that a newcomer needs"), _growth(face, came_to)),
            (face.words("自买自卖 100 元的成本", "what a wash trade of 100 yuan costs"), _or_dash(came_to.wash_micro)),
        )
    )
    face.show("", _flows(face, came_to), "", _months(face, came_to, has_pool=one.plan.pool is not None), "")
    face.show(
        faces.facts(
            (face.words("平台盈余", "the platform's surplus"), faces.money(came_to.surplus_gross_micro)),
            (face.words("渠道费", "channel fee"), faces.money(-came_to.channel_fee_micro)),
            (face.words("一次性奖励", "bounties"), faces.money(-came_to.bounties_micro)),
            (face.words("税", "tax"), faces.money(-came_to.tax_micro)),
            (face.words("平台所剩", "left to the platform"), faces.money(came_to.surplus_net_micro)),
            (face.words("编号", "run"), came_to.run),
            (face.words("状态哈希", "state hash"), came_to.state_hash),
        )
    )


def _part(some: int, of: int) -> str:
    """A number of another, and what part that is."""
    return f"{faces.count(some)} / {faces.count(of)}  {faces.percent(some, of, 2)}"


def _ratio_of(came_to: Result) -> str:
    """Promised in parts of what was set aside."""
    funded = sum(month.funded_new_micro for month in came_to.months)
    return print_ratio(sum(month.promised_new_micro for month in came_to.months), funded, 2) if funded else "–"


def _or_never(face: Face, month: int | None) -> str:
    """A month, or never."""
    return face.words("没有", "none") if month is None else str(month)


def _growth(face: Face, came_to: Result) -> str:
    """The growth, or that none does."""
    needed = came_to.growth_needed_bp
    return face.words("怎样增长都不够", "no growth is enough") if needed is None else print_percent(needed)


def _or_dash(micro: int | None) -> str:
    """An amount, or a dash."""
    return "–" if micro is None else faces.money(micro)


def _role(face: Face, role: str) -> str:
    """A role in words."""
    if role in ROLE_WORDS:
        return face.words(*ROLE_WORDS[role])
    name, _, who = role.partition(".")
    title, holder = (ROLE_WORDS.get(part, (part, part)) for part in (name, who))
    return face.words(f"{title[0]}({holder[0]})", f"{title[1]} ({holder[1]})") if who else role


def _flows(face: Face, came_to: Result) -> Table:
    """Who paid whom."""
    made = faces.table(face.words("谁付", "who paid"), face.words("给谁", "whom"), face.words("元", "yuan"), right=(2,))
    for flow in came_to.flows:
        made.add_row(_role(face, flow.source), _role(face, flow.sink), faces.yuan(flow.micro))
    return made


def _months(face: Face, came_to: Result, *, has_pool: bool) -> Table:
    """Some of the months, evenly over the run, the last one always."""
    words = face.words
    heads = [
        words("月", "month"),
        words("消费者", "consumers"),
        words("订单", "orders"),
        words("返还", "returned"),
        words("承诺", "promised"),
    ]
    made = faces.table(*heads, words("备付", "backing"), *([words("价格", "price")] if has_pool else []), right=range(7))
    count = len(came_to.months)
    shown = sorted({count - 1 - mul_div(step, count, MONTHS_SHOWN) for step in range(MONTHS_SHOWN)})
    for month in (came_to.months[at] for at in shown):
        price = [print_ratio(month.price[0], max(month.price[1], 1), 4)] if has_pool else []
        counts = [str(month.month), faces.count(month.consumers), faces.count(month.orders)]
        amounts = [faces.money(micro) for micro in (month.returned_micro, month.promised_micro, month.backing_micro)]
        made.add_row(*counts, *amounts, *price)
    return made
