"""Commands on plans: list, show, check, explain, and the promise of a release."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final

import typer

from rangli.cli import face as faces
from rangli.cli.face import Face
from rangli.cli.options import AsJson, Changes, Concession, Lang, PlanName, compiled, plan_text
from rangli.cli.refusals import NO
from rangli.errors import InputRefused
from rangli.money import mul_div, parse_percent, parse_yuan, print_micro, print_percent, print_ratio, print_yuan

if TYPE_CHECKING:
    from rangli.lab import Promise
    from rangli.plan import CompiledPlan, Explanation

POINTS_MICRO: Final = 10**9
"""A thousand points, for the schedule of a release: enough for six exact decimals."""
EXAMPLE_FEN: Final = 100_000
"""The order of 1000 yuan that the sources reckon with."""


def plans(json: AsJson = False, lang: Lang = None) -> None:
    """列出预置方案 · List the plans that ship with the product.

    例 Example: rangli plans
    """
    from rangli.plan import preset_text, presets

    face = Face(lang, json=json)
    made = [compiled(name)[0] for name in presets()]
    if json:
        face.document({"plans": [{**_about(one), "lines": preset_text(one.plan.name).count("\n")} for one in made]})
        return
    for one in made:
        show_headline(face, one)
        if one.plan.about is not None:
            face.show(faces.paragraph(face.words(one.plan.about.zh, one.plan.about.en), indent=2))
    face.show("")
    face.note("看其中一个:rangli explain weituanbao", "look into one: rangli explain weituanbao")


def _about(one: CompiledPlan) -> dict[str, object]:
    """A plan's facts for programs."""
    plan = one.plan
    return {
        "name": plan.name,
        "title": {"zh": plan.title.zh, "en": plan.title.en},
        "about": {"zh": plan.about.zh, "en": plan.about.en} if plan.about else None,
        "concession": {"min": print_percent(plan.concession.bp_min), "max": print_percent(plan.concession.bp_max)},
        "version": one.version,
    }


def show_headline(face: Face, one: CompiledPlan) -> None:
    """A plan's name, title and range of concessions, after an empty line."""
    from rich.text import Text

    plan = one.plan
    low, high = print_percent(plan.concession.bp_min), print_percent(plan.concession.bp_max)
    bounds = low if low == high else f"{low}–{high}"
    title = face.words(plan.title.zh, plan.title.en)
    face.show("", Text.assemble((plan.name, "bold green"), f"  {title}  ", (bounds, "dim")))


# ---------------------------------------------------------------- rangli plan


def show(plan: PlanName, changes: Changes = None, json: AsJson = False, lang: Lang = None) -> None:
    """显示方案文件 · Show the plan's document.

    文件里引有来源的原文;存下来改一改,就是自己的方案。

    It quotes the clauses of its source; save it and change it to make a plan of your own.

    例 Example: rangli plan show weituanbao
    """
    from rangli.plan import override

    face = Face(lang, json=json)
    if json:
        one, text = compiled(plan, changes)
        face.document({**_about(one), "text": text})
        return
    text = override(plan_text(plan), changes or ())
    if not face.out.is_terminal:
        sys.stdout.write(text)
        return
    from rich.syntax import Syntax

    face.show(Syntax(text, "yaml", theme="ansi_dark", background_color="default", word_wrap=True))


def check(plan: PlanName, changes: Changes = None, json: AsJson = False, lang: Lang = None) -> None:
    """检查方案,一次列出所有问题 · Check a plan, every problem at once.

    有问题时退出码为 1。

    Exit status 1 if there is any problem.

    例 Example: rangli plan check zengzhi --set "pool.mint=100%"
    """
    from rangli.plan import check as check_text
    from rangli.plan import override, version

    face = Face(lang, json=json)
    sound, problems = check_text(override(plan_text(plan), changes or ()))
    if json:
        rows = [{"code": one.code, "where": one.where, "line": one.line, "message": one.message(face.lang)} for one in problems]
        face.document({"ok": not problems, "problems": rows, "version": version(sound) if sound else None})
    elif sound is not None:
        face.line(f"✓ {sound.name} 没有问题", f"✓ {sound.name} has no problem", "green")
        face.show(faces.facts((face.words("版本", "version"), version(sound))))
    else:
        face.line(f"✗ {len(problems)} 处问题", f"✗ {len(problems)} problem(s)", "red")
        for one in problems:
            place = face.words(f"第 {one.line} 行", f"line {one.line}")
            face.show("", f"{place}  {one.where or '.'}  ({one.code})", faces.paragraph(one.message(face.lang), indent=2))
    if problems:
        raise typer.Exit(NO)


def schema(json: AsJson = True, lang: Lang = None) -> None:
    """方案文件的 JSON Schema · The JSON Schema of plans, for editors.

    例 Example: rangli plan schema
    """
    from rangli.plan import schema as schema_of

    Face(lang, json=json).document(schema_of())


# ---------------------------------------------------------------- rangli explain


def explain(
    plan: PlanName,
    amount: Annotated[str, typer.Option("--amount", metavar="YUAN", help="实付金额,元 · what was paid, in yuan")],
    concession: Concession,
    changes: Changes = None,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="PARTY", help="这笔订单没有的一方,可多次 · a party that is not there; repeatable"),
    ] = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """解释一笔订单 · Explain who gets what of one order.

    谁得多少,为什么,以后会怎样。

    Who gets how much and why, and what follows from it.

    例 Example: rangli explain weituanbao --amount 100 --concession 20% --without referrer
    """
    from rangli.plan import explain as explain_order

    face = Face(lang, json=json)
    one, _ = compiled(plan, changes)
    told = explain_order(one, parse_yuan(amount), parse_percent(concession), _present(without or []))
    if not json:
        _show_explanation(face, one, told)
        return
    columns = ("party", "base", "rate", "amount_micro", "destination", "zh", "en")
    face.document(
        {
            "plan": one.plan.name,
            "version": one.version,
            "paid_fen": told.paid_fen,
            "concession_bp": told.concession_bp,
            "concession_micro": told.concession_micro,
            "lines": [{name: getattr(line, name) for name in columns} for line in told.lines],
            "zh": told.zh,
            "en": told.en,
        }
    )


def _present(without: list[str]) -> list[str]:
    """The parties that are there when these are not."""
    from rangli.plan.vocabulary import HOLDERS

    absent = [party for party in HOLDERS if party not in {"consumer", "merchant"}]
    for party in without:
        if party not in absent:
            raise InputRefused(
                f"--without 后面应是 {'、'.join(absent)} 之一,不能是 {party!r}",
                f"--without takes one of {', '.join(absent)}, not {party!r}",
            )
    return [party for party in absent if party not in without]


def _show_explanation(face: Face, one: CompiledPlan, told: Explanation) -> None:
    """The order, its lines with bars, their sum, and what follows."""
    from rich.text import Text

    show_headline(face, one)
    face.title(
        f"实付 {print_yuan(told.paid_fen)} 元,让利 {print_percent(told.concession_bp)}",
        f"{print_yuan(told.paid_fen)} yuan paid, {print_percent(told.concession_bp)} of it conceded",
    )
    lines = faces.table(
        face.words("谁得,怎么算", "who gets it, and why"), face.words("元", "yuan"), "", "", right=(1, 3), fold=(0,)
    )
    for line in told.lines:
        share = faces.percent(line.amount_micro, told.concession_micro)
        bar = faces.bar(line.amount_micro, told.concession_micro, faces.BAR_WIDTH >> 1)
        lines.add_row(Text(face.words(line.zh, line.en)), faces.yuan(line.amount_micro), bar, share)
    lines.add_section()
    lines.add_row(face.words("让利合计", "the concession"), faces.yuan(told.concession_micro), "", "100%", style="bold")
    face.show(lines)
    for zh, en in zip(told.zh[1:], told.en[1:], strict=True):
        face.show("")
        face.line(zh, en)


# ---------------------------------------------------------------- rangli schedule


def schedule(
    plan: PlanName,
    growth: Annotated[str, typer.Option("--growth", metavar="PERCENT", help="让利每期增长 · growth of the inflow a period")],
    periods: Annotated[int, typer.Option("--periods", metavar="N", min=1, max=1000, help="期数 · periods")] = 40,
    changes: Changes = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """积分释放承诺了什么 · What a release of points promises.

    让利每期都增长、分红池永不见底时,各期累计释放几倍,和钱从哪来。

    Period by period, if the inflow grew every period and the pot never ran dry; and what would pay for it.

    例 Example: rangli schedule moudian --growth 15%
    """
    from rangli.lab import promises

    face = Face(lang, json=json)
    one, _ = compiled(plan, changes)
    rows = promises(one, POINTS_MICRO, parse_percent(growth), periods)
    if not json:
        _show_schedule(face, one, growth, rows)
        return
    face.document(
        {
            "plan": one.plan.name,
            "version": one.version,
            "growth": growth,
            "points_micro": POINTS_MICRO,
            "periods": [
                {**row._asdict(), "multiple": Decimal(print_ratio(row.total_micro, POINTS_MICRO)).normalize()} for row in rows
            ],
            **dict(zip(("promised_micro", "funded_micro"), _promised_and_funded(one), strict=True)),
        }
    )


def _promised_and_funded(one: CompiledPlan) -> tuple[int, int]:
    """What an order of 1000 yuan at the highest concession promises by its points, and what it puts into the dividend pot."""
    from rangli.plan import explain as explain_order
    from rangli.plan.shares import form_of

    plan, top_bp = one.plan, one.plan.concession.bp_max
    assert plan.release is not None
    earned_micro = sum(form_of(line.rate).micro(EXAMPLE_FEN, top_bp) for line in plan.points)
    funded_micro = sum(line.amount_micro for line in explain_order(one, EXAMPLE_FEN, top_bp).lines if line.party == "dividend")
    return mul_div(earned_micro, plan.release.multiple_bp, 10_000), funded_micro


def _show_schedule(face: Face, one: CompiledPlan, growth: str, rows: list[Promise]) -> None:
    """The periods with bars, and what pays for them."""
    show_headline(face, one)
    face.title(
        f"若让利每期增长 {growth},且分红池永不见底,每 1 积分累计释放",
        f"If the inflow grew by {growth} every period and the pot never ran dry, one point would have released",
    )
    head = face.words("期", "period"), face.words("本期", "this period"), face.words("累计", "in all"), ""
    shown = faces.table(*head, right=(0, 1, 2))
    most = max(row.total_micro for row in rows)
    for row in rows:
        released, total = (faces.nearest(micro, POINTS_MICRO, 2) for micro in (row.released_micro, row.total_micro))
        bar = faces.bar(row.capped_micro, most, 2 * faces.BAR_WIDTH)
        bar.rstrip()
        beyond = faces.bar(row.total_micro - row.capped_micro, most, 2 * faces.BAR_WIDTH).plain.rstrip()
        shown.add_row(str(row.period), released, f"{total} ×", bar.append("░" * len(beyond), style="yellow"))
    face.show(shown)
    promised, funded = _promised_and_funded(one)
    face.show("")
    if any(row.capped_micro < row.total_micro for row in rows):
        most_bp = one.plan.release.multiple_bp if one.plan.release else 0
        face.line(
            f"░ 超过方案自己的上限 {faces.nearest(most_bp, 10_000, 2)} 倍,不会释放。",
            f"░ is past the plan's own end of {faces.nearest(most_bp, 10_000, 2)} × and is never released.",
            "dim",
        )
    if funded:
        face.line(
            f"钱从哪来:1000 元的订单最多承诺 {print_micro(promised)} 元,进分红池的只有 {print_micro(funded)} 元,"
            f"承诺是资金的 {faces.nearest(promised, funded, 1)} 倍。池里没有的,任何一期都不会释放。",
            f"Where it would come from: an order of 1000 yuan promises up to {print_micro(promised)} yuan and puts"
            f" {print_micro(funded)} into the dividend pot: promised ÷ funded = {faces.nearest(promised, funded, 1)}."
            " No period ever releases more than the pot holds.",
        )
