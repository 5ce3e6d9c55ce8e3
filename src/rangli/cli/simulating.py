"""The command that runs a plan: on equal orders, or in a scenario."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rangli.cli import face as faces
from rangli.cli import lane
from rangli.cli.face import Face
from rangli.cli.options import AsJson, Changes, Lang, PlanName, compiled
from rangli.cli.scenarios import simulate_scenario
from rangli.errors import InputRefused
from rangli.money import MICRO_PER_FEN, parse_percent, parse_yuan, print_percent, print_ratio, print_yuan

if TYPE_CHECKING:
    from rangli.lab import Simulation
    from rangli.plan import CompiledPlan

ORDERS_MAX: Final = 50_000_000
PERIODS_SHOWN: Final = 12


def simulate(
    plan: PlanName,
    *,
    orders: Annotated[int | None, typer.Option("--orders", metavar="N", min=1, max=ORDERS_MAX, help="订单数 · orders")] = None,
    concession: Annotated[str | None, typer.Option("--concession", metavar="PERCENT", help="让利比例 · the concession")] = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            "--scenario", metavar="SCENARIO", help="改跑一个场景:名称或 YAML 文件 · run a scenario instead: a name or a YAML file"
        ),
    ] = None,
    replication: Annotated[
        int, typer.Option("--replication", metavar="N", min=0, help="场景的第几次重复 · which replication")
    ] = 0,
    amount: Annotated[str, typer.Option("--amount", metavar="YUAN", help="每单实付,元 · what each pays, in yuan")] = "1000",
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="种子 · the seed of the draws")] = 7,
    per_day: Annotated[int, typer.Option("--per-day", metavar="N", min=1, help="每天几单 · orders a day")] = 1000,
    changes: Changes = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """模拟相同的订单,或一个场景 · Simulate equal orders, or a scenario.

    同样的订单一笔接一笔,每笔来自新的消费者,走的就是结算真实订单的引擎。用 --scenario 则跑一整个场景(见 rangli scenario list)。

    One after the other, each of a new consumer, through the very engine that settles real ones. With --scenario a whole
    scenario is run instead (see rangli scenario list).

    例 Example: rangli simulate zengzhi --orders 2000 --amount 1000 --concession 20%
    """
    face = Face(lang, json=json)
    if scenario is not None:
        simulate_scenario(face, plan, changes, scenario, replication, seed)
        return
    if orders is None or concession is None:
        raise InputRefused(
            "请写 --orders 和 --concession(相同的订单),或 --scenario(一个场景);用法见 `rangli simulate --help`",
            "write --orders and --concession for equal orders, or --scenario; see `rangli simulate --help`",
        )
    lane.choose_for_orders(orders)
    from rangli.lab import simulate as run

    one, _ = compiled(plan, changes)
    paid_fen, concession_bp = parse_yuan(amount), parse_percent(concession)
    with face.progress("模拟", "Simulating", orders) as advance:
        came_to = run(one, orders, paid_fen, concession_bp, seed, per_day, advance)
    if json:
        face.document(_facts(one, came_to))
        return
    face.title(
        f"{one.plan.title.zh}:{faces.count(orders)} 笔 {print_yuan(paid_fen)} 元的订单,让利 {print_percent(concession_bp)}",
        f"{one.plan.title.en}: {faces.count(orders)} orders of {print_yuan(paid_fen)} yuan,"
        f" {print_percent(concession_bp)} conceded",
    )
    _show(face, one, came_to)


def _facts(one: CompiledPlan, came_to: Simulation) -> dict[str, Any]:
    """The figures for programs."""
    return {
        "plan": one.plan.name,
        "version": one.version,
        "orders": came_to.orders,
        "transfers": came_to.transfers,
        "paid_fen": came_to.paid_fen,
        "returned_micro": came_to.returned_micro,
        "mean_return": Decimal(print_ratio(came_to.returned_micro, max(came_to.paid_fen * MICRO_PER_FEN, 1))),
        "packets": came_to.packets,
        "surplus_micro": came_to.surplus_micro,
        "pool_micro": came_to.pool_micro,
        "supply_micro": came_to.supply_micro,
        "price": Decimal(print_ratio(came_to.price[0], max(came_to.price[1], 1))),
        "exits": {"count": came_to.exits, "first_order": came_to.first_exit or None},
        "periods": [{"released_micro": released, "held_micro": held} for released, held in came_to.periods],
        "promised_micro": came_to.promised_micro,
        "by_code": came_to.by_code,
        "state_hash": came_to.state_hash,
    }


def _show(face: Face, one: CompiledPlan, came_to: Simulation) -> None:
    """The figures for people; only those that the plan has."""
    paid_micro = came_to.paid_fen * MICRO_PER_FEN
    sums = [
        (face.words("实付", "paid"), paid_micro),
        (face.words("返还", "returned"), came_to.returned_micro),
        (face.words("平台盈余", "kept by the platform"), came_to.surplus_micro),
    ]
    if one.plan.pool is not None:
        sums.append((face.words("盈利池", "in the pool"), came_to.pool_micro))
    if one.plan.release is not None:
        sums.append((face.words("已承诺、尚未释放", "promised, not yet released"), came_to.promised_micro))
    amounts = faces.table("", face.words("元", "yuan"), face.words("占实付", "of the amount"), right=(1, 2))
    for name, micro in sums:
        amounts.add_row(name, faces.yuan(micro), faces.percent(micro, paid_micro, 2))
    face.show(amounts)
    others = [(face.words("转账", "transfers"), faces.count(came_to.transfers))]
    if came_to.packets:
        others.append((face.words("红包", "packets"), faces.count(came_to.packets)))
    if one.plan.pool is not None:
        first = face.words(
            f"(首次在第 {faces.count(came_to.first_exit)} 单)", f" (the first at order {faces.count(came_to.first_exit)})"
        )
        others += [
            (face.words("积分价格", "price of a point"), print_ratio(*came_to.price)),
            (face.words("强制退出", "forced exits"), faces.count(came_to.exits) + (first if came_to.exits else "")),
        ]
    face.show("", faces.facts(*others), "", faces.facts((face.words("状态哈希", "state hash"), came_to.state_hash)))
    if came_to.periods:
        _show_periods(face, came_to.periods)


def _show_periods(face: Face, periods: list[tuple[int, int]]) -> None:
    """The last periods: what the pot held and what was released."""
    face.title(f"释放了 {len(periods)} 期", f"{len(periods)} periods released")
    head = face.words("期", "period"), face.words("池中", "held"), face.words("释放", "released"), ""
    made = faces.table(*head, right=(0, 1, 2))
    for number, (released, held) in list(enumerate(periods, 1))[-PERIODS_SHOWN:]:
        made.add_row(str(number), faces.yuan(held), faces.yuan(released), faces.bar(released, held, faces.BAR_WIDTH))
    face.show(made)
