"""Guards and meters of a live programme: what the law's guards find in its active plan, and how far its exposure goes.

A meter reads the plan's document (the most that it can come to) or the books as they are now. What nothing measures while orders
are settled is listed as not measured: a run of the lab measures it, and nobody may take the silence for an all-clear.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from rangli.ledger.accounts import POCKETS, RESERVE, VOUCHER_ISSUER
from rangli.money import mul_div
from rangli.plan import CompiledPlan, exposure
from rangli.plan.guards import BEYOND, Finding, judge, verdict
from rangli.plan.law import VERDICTS, Guard, Source, Threshold, guards, shown
from rangli.service.settling.recovery import compiled
from rangli.store import programmes
from rangli.store.database import Database

if TYPE_CHECKING:
    from rangli.service.running import Running

UNMEASURED: Final = "unmeasured"
FULL: Final = 1_000
"""Of a meter that has reached its limit."""


class Meter(msgspec.Struct, frozen=True):
    """One figure against its limit."""

    zh: str
    en: str
    guard: str
    """The guard whose threshold is the limit; empty for a rule of the books themselves."""
    value: str
    """Empty when it is not measured."""
    limit: str
    """From where on a sign-off is needed, and from where on it is refused."""
    state: str
    """ok, sign-off, refuse or unmeasured."""
    source: str
    """plan: the most that the document allows; books: what is so now; empty when it is not measured."""
    filled: int
    """Of FULL, how far towards the limit; 0 where that has no meaning."""


class Found(msgspec.Struct, frozen=True):
    """What a guard found, with its rule and where that is written."""

    finding: Finding
    check_zh: str
    check_en: str
    rule_zh: str
    rule_en: str
    source_zh: str
    source_en: str
    url: str
    date: str
    """Of the source; empty when it was not found."""
    checked: str
    """The day on which rule and thresholds were last looked at."""


class Watched(msgspec.Struct, frozen=True):
    """A programme's active plan as the law sees it."""

    plan: str
    version: str
    number: int
    findings: list[Found]
    meters: list[Meter]


class _Reading(NamedTuple):
    """A figure for a threshold; None: it has no end."""

    guard: str
    threshold: str
    zh: str
    en: str
    figure: int | Fraction | None


_NOT_MEASURED: Final = (
    ("G2", "people", "付佣链条上的人数", "people in the largest paid chain"),
    ("G8", "unfunded", "未备资金的承诺", "promised without funds"),
    ("G8", "people", "得到未备资金承诺的人数", "people who were promised without funds"),
    ("G8", "loss", "会员损失", "members' losses"),
    ("G10", "daily", "每人每天付款", "paid to one person a day"),
    ("G11", "principal", "平台账上的货款", "merchants' principal on the platform's books"),
    ("G12", "moved", "余额的充值和转让", "balances topped up or passed on"),
    ("G13", "vouchers", "券的出售和兑现", "vouchers sold or cashed"),
    ("G15", "early", "退款期内的付款", "paid out before refunds end"),
)
"""Guard, threshold and words of what only a run of the lab, or the payment channel, can measure."""


def watched(database: Database, running: Running) -> Watched:
    """The active plan, judged, with its meters. Without a settler here the plan is read from the database."""
    plan = _active(database, running)
    law = guards()
    findings = judge(plan.compiled)
    found = [_found(finding, law.guard(finding.guard)) for finding in findings]
    meters = [
        *(_metered(one, [finding for finding in findings if finding.guard == one.guard]) for one in _readings(plan.compiled)),
        *_backing(running),
        *(_unmeasured(*one) for one in _NOT_MEASURED),
    ]
    return Watched(plan.compiled.plan.name, plan.compiled.version, plan.number, found, meters)


class _Active(NamedTuple):
    number: int
    compiled: CompiledPlan


def _active(database: Database, running: Running) -> _Active:
    recovered = running.settler.recovered
    if recovered is not None:
        number = recovered.standing.plan
        return _Active(number, recovered.standing.plans[number])
    with database.reading() as connection:
        row = programmes.plans(connection, running.number)[-1]
    return _Active(row.number, compiled(row))


def _found(finding: Finding, guard: Guard) -> Found:
    source: Source = guard.sources[0]
    return Found(
        finding, guard.check.zh, guard.check.en, guard.rule.zh, guard.rule.en, source.name.zh, source.name.en, source.url,
        source.date or "", guard.checked,
    )  # fmt: skip


# ---------------------------------------------------------------- meters


def _readings(compiled: CompiledPlan) -> list[_Reading]:
    """The most that the document lets each figure come to."""
    plan = compiled.plan
    depth = exposure.upline(plan)[0]
    promise = exposure.worst_promise(plan)
    benefit = exposure.benefit(plan)
    bounty = max((bonus.amount_fen for bonus, _ in exposure.bounties(plan)), default=0)
    return [
        _Reading("G1", "depth", "付佣的推荐层级", "levels of referrers that are paid", depth),
        _Reading("G2", "levels", "付佣链条的层级", "levels of paid chains", 1 + max(depth, exposure.ladder(plan)[0])),
        _Reading("G4", "bounty", "按人头的奖励", "paid by the head", bounty),
        _Reading("G5", "ratio", "一单最多分出", "split off an order at most", plan.concession.bp_max),
        _Reading("G6", "promised", "承诺与资金之比", "promised ÷ funded", Fraction(0) if promise is None else promise.ratio_bp),
        _Reading("G7", "benefit", "一单带来的好处与消费之比", "benefit ÷ spend", None if benefit is None else benefit.figure),
        _Reading(
            "G9", "prize", "单个随机红包", "one random packet",
            exposure.largest_packet_fen(plan) if exposure.has_chance(plan) else 0,
        ),
    ]  # fmt: skip


def _metered(one: _Reading, findings: Sequence[Finding]) -> Meter:
    """A figure of the document against its threshold. Its guard may know why it is less grave than it looks."""
    edge = guards().guard(one.guard).thresholds[one.threshold]
    figure = one.figure
    alone = edge.verdict(BEYOND if figure is None else figure)
    state = min(alone, verdict(findings), key=VERDICTS.index)
    value, filled = ("∞", FULL) if figure is None else (shown(figure, edge.unit), _filled(figure, edge))
    return Meter(one.zh, one.en, one.guard, value, edge.text(), state, "plan", filled)


def _filled(figure: int | Fraction, edge: Threshold) -> int:
    """How far towards the refusal, or towards the sign-off where nothing is refused."""
    limit = edge.block if edge.block is not None else edge.warn
    if not limit or edge.trips == "below":
        return 0
    exact = Fraction(figure) * FULL
    return min(FULL, mul_div(exact.numerator, 1, exact.denominator * limit))


def _backing(running: Running) -> list[Meter]:
    """Vouchers that the reserve does not cover, which must be none; left out where the books are not known."""
    zh, en, limit = "没有储备的券", "vouchers without a reserve", "> ¥0.00"
    if running.settler.recovered is None:
        return [Meter(zh, en, "", "", limit, UNMEASURED, "", 0)]
    seen = running.settler.published
    with seen.lock:
        out = -seen.books.balance_micro(VOUCHER_ISSUER * POCKETS)
        reserve = seen.books.balance_micro(RESERVE * POCKETS)
    short = max(0, out - reserve)
    return [Meter(zh, en, "", shown(short, "micro"), limit, "refuse" if short else "ok", "books", FULL if short else 0)]


def _unmeasured(guard: str, threshold: str, zh: str, en: str) -> Meter:
    return Meter(zh, en, guard, "", guards().guard(guard).thresholds[threshold].text(), UNMEASURED, "", 0)
