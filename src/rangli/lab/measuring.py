"""Measuring: from running sums and the engine's state to the truths. Each is defined, with its formula, in docs/truths.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from rangli.engine.state import EXITS, POOL_MICRO, POT, PROMISED, QUEUES_USED, RELEASE_HOLDER, RELEASE_USED, SUPPLY, price_pair
from rangli.lab import counting
from rangli.lab.counting import Tally, ratios
from rangli.lab.growth import growth_needed
from rangli.lab.parts import Costs, Scenario
from rangli.lab.truths import PERCENTILES, Cohort, Flow, Month, Result
from rangli.lab.world import World
from rangli.ledger import accounts
from rangli.ledger import transfers as codes
from rangli.ledger.transfers import CNY, REFUND, UNIT_OF_CODE, VOUCHER
from rangli.money import BP_PER_ONE, MICRO_PER_FEN, mul_div
from rangli.plan import CompiledPlan
from rangli.plan.terms import Ints
from rangli.settle import Programme

TAX_BP: Final = 2000
"""On incidental income."""

ROLES: Final = {
    accounts.SURPLUS: "platform",
    accounts.FUNDING: "investors",
    accounts.POOL: "pool",
    accounts.DIVIDEND: "dividend",
    accounts.RESERVE: "reserve",
    counting.POTS: "pots",
    counting.MERCHANTS: "merchants",
    counting.RECRUITERS: "recruiters",
    counting.DISTRICT: "agents.district",
    counting.CITY: "agents.city",
    counting.PROVINCE: "agents.province",
    counting.REGION: "agents.region",
    counting.WASHER: "washer",
    counting.SMALL: "small_accounts",
    counting.FARMERS: "farmers",
    counting.EARLIER: "consumers",
    counting.CONSUMERS: "consumers",
}
"""What a group is called in flows. A dot parts a role from who holds it: whoever earns as a referrer is ``referrers.<group>``."""

_MONEY: Final = [code for code in range(counting.CODES_ROOM) if UNIT_OF_CODE[code] == CNY]
_WORTH: Final = [code for code in range(counting.CODES_ROOM) if UNIT_OF_CODE[code] in {CNY, VOUCHER}]
_REFERRED: Final = {codes.REFERRER: "referrers", codes.REFERRER2: "referrers2"}
_OWN_NAME: Final = {counting.WASHER, counting.SMALL}
"""Whose earnings are theirs under whatever title."""


class Account(NamedTuple):
    """What truths are computed from."""

    compiled: CompiledPlan
    scenario: Scenario
    programme: Programme
    world: World
    tally: Tally
    total: Ints
    """The cube of all that ever happened."""
    before: Ints
    """... and of what happened before the first month."""
    lots_whole: int


# ---------------------------------------------------------------- reading a cube


def moved(cube: Ints, which: Iterable[int], giver: int | None = None, taker: int | None = None) -> int:
    """What transfers of these codes came to, from and to these groups (None: all)."""
    gives = slice(None) if giver is None else giver
    gets = slice(None) if taker is None else taker
    return sum(int(np.sum(cube[code, gives, gets])) for code in which)


def net(cube: Ints, code: int, giver: int | None = None, taker: int | None = None) -> int:
    """What transfers of this code came to, less those that were reversed."""
    return moved(cube, (code,), giver, taker) - moved(cube, (code + REFUND,), taker, giver)


def held(cube: Ints, group: int) -> int:
    """The cash that a group got, less what it gave."""
    return moved(cube, _MONEY, taker=group) - moved(cube, _MONEY, giver=group)


def gained(cube: Ints, group: int) -> int:
    """The cash and vouchers that a group got, less what it gave."""
    return moved(cube, _WORTH, taker=group) - moved(cube, _WORTH, giver=group)


def returned(cube: Ints) -> int:
    """Cash and vouchers that people were given back as customers: packets, sales, exits, releases, shares of their own."""
    given = moved(cube, (codes.PACKET, codes.SALE, codes.EXIT, codes.CONSUMER, codes.VOUCHER_OUT))
    taken = moved(cube, (codes.TAKEBACK, codes.CONSUMER + REFUND, codes.VOUCHER_OUT + REFUND))
    release = net(cube, codes.RELEASE) - net(cube, codes.RELEASE, taker=accounts.RESERVE)
    return given - taken + release


def channel_fee(costs: Costs, cash_fen: int, concession_micro: int) -> int:
    """What the payment channel takes, in micro, rounded down."""
    if costs.fee_of == "amount":
        return cash_fen * costs.channel_fee_bp
    return mul_div(concession_micro, costs.channel_fee_bp, BP_PER_ONE)


# ---------------------------------------------------------------- a month


def month_of(account: Account, month: int, refunds: int, exits: int, periods: Sequence[tuple[int, int]]) -> Month:
    """The month that has just ended; ``exits`` are those of before, ``periods`` its releases."""
    terms, state, sums = account.programme.terms, account.programme.state, account.tally.sums
    cube, total = account.tally.cube, account.total
    pool, supply = (int(state.pool.totals[POOL_MICRO]), int(state.pool.totals[SUPPLY])) if state.pool else (0, 0)
    promised = int(state.release.clock[PROMISED]) if state.release else pool if supply else 0
    minted = moved(cube, (codes.MINT,))
    promised_new = mul_div(minted, terms.release.multiple_bp, BP_PER_ONE) if state.release else 0
    into_pool, into_pots = moved(cube, (codes.POOL,)), moved(cube, (codes.POT,))
    promised_new += mul_div(into_pool, terms.pool.mint_bp, BP_PER_ONE) + into_pots
    pots, dividend, reserve = (held(total, group) for group in (counting.POTS, accounts.DIVIDEND, accounts.RESERVE))
    lots = len(state.release.lots) if state.release else 0
    return Month(
        month=month,
        consumers=account.world.consumers[month],
        shops=account.world.open[month],
        orders=int(sums[counting.ORDERS]),
        refused=int(sums[counting.REFUSED]),
        refunds=refunds,
        paid_micro=int(sums[counting.PAID_FEN]) * MICRO_PER_FEN,
        concession_micro=int(sums[counting.CONCESSION]),
        vouchers_spent_micro=int(sums[counting.VOUCHERS_FEN]) * MICRO_PER_FEN,
        returned_micro=returned(cube),
        promised_micro=promised,
        promised_new_micro=promised_new,
        funded_new_micro=into_pool + into_pots + moved(cube, (codes.DIVIDEND,)),
        pool_micro=pool,
        supply_micro=supply,
        price=price_pair(state.pool) if state.pool else (1, 1),
        exits=(int(state.pool.totals[EXITS]) if state.pool else 0) - exits,
        backing_micro=pots + dividend + reserve + pool,
        surplus_micro=held(cube, accounts.SURPLUS),
        reserve_micro=reserve,
        uncovered_micro=max(promised - dividend - pool, 0),
        releases=len(periods),
        emptied=sum(before - released < lots for released, before in periods) if promised else 0,
    )


# ---------------------------------------------------------------- the whole


def result_of(
    account: Account,
    months: tuple[Month, ...],
    wash: Callable[[], int | None],
    *,
    run: str,
    replication: int,
    seed: int,
    engine: str,
) -> Result:
    """All truths of a run that is over. ``wash`` is asked last, since it trades on."""
    scenario, tally, total = account.scenario, account.tally, account.total
    _assert_books(account)
    flows = _flows(total, account.compiled.funds)
    whole = (tally.cash >= tally.spent) & (tally.spent > 0)
    lived = total - account.before
    packets = moved(lived, (codes.PACKET,)) - moved(lived, (codes.TAKEBACK,))
    gross = net(lived, codes.PLATFORM) + _other_surplus(lived)
    cash_fen = sum(mul_div(month.paid_micro - month.vouchers_spent_micro, 1, MICRO_PER_FEN) for month in months)
    fee = channel_fee(scenario.costs, cash_fen, sum(month.concession_micro for month in months))
    bounties = net(lived, codes.BONUS)
    tax = mul_div(packets, TAX_BP, BP_PER_ONE - TAX_BP) if scenario.costs.tax == "incidental" else 0
    uncovered = [month.month for month in months if not month.uncovered_micro]
    return Result(
        run=run,
        plan=account.compiled.plan.name,
        version=account.compiled.version,
        scenario=scenario.name,
        scenario_hash=scenario.hash(),
        replication=replication,
        seed=seed,
        engine=engine,
        orders=sum(month.orders for month in months),
        orders_made_whole=account.lots_whole if account.programme.state.queues else int(tally.made[whole].sum()),
        consumers=int(np.count_nonzero(tally.spent > 0)),
        consumers_made_whole=int(np.count_nonzero(whole)),
        cohorts=_cohorts(account, whole),
        months=months,
        flows=flows,
        balance_micro=_balances(flows),
        unfunded_from=next(iter(range(max(uncovered, default=-1) + 1, len(months))), None),
        short_from=next((month.month for month in months if month.emptied), None),
        growth_needed_bp=growth_needed(account.compiled, account.programme.state, months, scenario.horizon),
        surplus_gross_micro=gross,
        channel_fee_micro=fee,
        bounties_micro=bounties,
        tax_micro=tax,
        surplus_net_micro=gross - fee - bounties - tax,
        meters=_meters(account, months, bounties),
        state_hash=account.programme.hash(),
        wash_micro=wash(),
    )


def _other_surplus(cube: Ints) -> int:
    """What the platform's surplus got and gave beside its own share and bonuses: what refunds left to it."""
    own = {codes.PLATFORM, codes.PLATFORM + REFUND, codes.BONUS, codes.BONUS + REFUND}
    others = [code for code in _MONEY if code not in own]
    return moved(cube, others, taker=accounts.SURPLUS) - moved(cube, others, giver=accounts.SURPLUS)


def _assert_books(account: Account) -> None:
    """The sums agree with the engine's state, and all cash together is none."""
    state, total = account.programme.state, account.total
    if state.pool is not None:
        assert held(total, accounts.POOL) == state.pool.totals[POOL_MICRO]
        assert -moved(total, (codes.BURN,)) + moved(total, (codes.MINT,)) == state.pool.totals[SUPPLY]
    if state.queues is not None:
        assert held(total, counting.POTS) == state.queues.rows[: int(state.queues.used[QUEUES_USED]), POT].sum()
    assert sum(held(total, group) for group in range(total.shape[1])) == 0


def _cohorts(account: Account, whole: np.ndarray) -> tuple[Cohort, ...]:
    """Those who came in each month, in which anybody did."""
    tally, ends = account.tally, account.world.consumers
    bp = np.empty(len(tally.spent), np.int64)
    ratios(tally.cash, tally.spent, bp)
    cohorts = []
    for month, (start, stop) in enumerate(zip([0, *ends], ends, strict=False)):
        if start == stop:
            continue
        those = slice(start, stop)
        ranked = np.sort(bp[those][bp[those] >= 0])
        cohorts.append(
            Cohort(
                month=month,
                consumers=len(ranked),
                spent_micro=int(tally.spent[those].sum()),
                cash_micro=int(tally.cash[those].sum()),
                vouchers_micro=int(tally.vouchers[those].sum()),
                made_whole=int(np.count_nonzero(whole[those])),
                percentiles_bp=tuple(int(ranked[_rank(p, len(ranked))]) if len(ranked) else 0 for p in PERCENTILES),
            )
        )
    return tuple(cohorts)


def _rank(percentile: int, count: int) -> int:
    """The place of a percentile among so many, from 0: that of the first of whom this share is at or below it."""
    return max(-mul_div(-percentile * count, 1, 100), 1) - 1


def _flows(cube: Ints, funds: Sequence[str]) -> tuple[Flow, ...]:
    """Who paid whom, what went back taken off; the greatest first."""
    roles = ROLES | {counting.FIRST_FUND + i: f"fund:{name}" for i, name in enumerate(funds)}
    flows: dict[tuple[str, str], int] = defaultdict(int)
    for code in _MONEY:
        for giver, taker in np.argwhere(cube[code]).tolist():
            is_back = code >= REFUND or code == codes.TAKEBACK
            source, sink = (taker, giver) if is_back else (giver, taker)
            title = _REFERRED.get(code - REFUND if is_back else code)
            name = f"{title}.{roles[sink]}" if title and sink not in _OWN_NAME else roles[sink]
            amount = int(cube[code, giver, taker])
            flows[roles[source], name] += -amount if is_back else amount
    forward = [Flow(source, sink, micro) if micro > 0 else Flow(sink, source, -micro) for (source, sink), micro in flows.items()]
    return tuple(sorted((flow for flow in forward if flow.micro), key=lambda flow: (-flow.micro, flow.source, flow.sink)))


def _balances(flows: Sequence[Flow]) -> dict[str, int]:
    """What each role got, less what it gave."""
    balance: dict[str, int] = defaultdict(int)
    for flow in flows:
        balance[flow.sink] += flow.micro
        balance[flow.source] -= flow.micro
    assert sum(balance.values()) == 0
    return dict(sorted(balance.items()))


# ---------------------------------------------------------------- the law's meters


def _meters(account: Account, months: Sequence[Month], bounties: int) -> dict[str, int]:
    """Exposure against the law, named as the guards name it."""
    tally, release = account.tally, account.programme.state.release
    got = tally.cash + tally.vouchers
    bp = np.empty(len(got), np.int64)
    ratios(got, tally.spent + tally.used, bp)
    waiting = _waiting(account) if release else np.empty(0, np.int64)
    lost = tally.spent[waiting] - got[waiting]
    promised, funded = (sum(one) for one in zip(*((m.promised_new_micro, m.funded_new_micro) for m in months), strict=True))
    levels, people = _chain(account)
    return {
        "levels": levels,
        "people": people,
        "bounties_micro": bounties,
        "promised_bp_max": mul_div(promised, BP_PER_ONE, funded) if funded else 0,
        "benefit_bp_max": int(bp.max(initial=0)),
        "unfunded_micro": max(month.uncovered_micro for month in months),
        "unfunded_people": len(waiting) if months[-1].uncovered_micro else 0,
        "loss_micro": int(lost[lost > 0].sum()) if months[-1].uncovered_micro else 0,
        "prize_micro_max": int(tally.most[counting.PACKET_MOST]),
        "payout_micro_max": int(tally.most[counting.PAYOUT_MOST]),
    }


def _waiting(account: Account) -> Ints:
    """Consumers, from 0, whose points are not all released."""
    release = account.programme.state.release
    assert release is not None
    holders = np.unique(release.lots[: int(release.clock[RELEASE_USED]), RELEASE_HOLDER]) - account.world.cast.first_consumer
    return holders[holders >= 0]


def _chain(account: Account) -> tuple[int, int]:
    """Of the chains that were paid: levels of the deepest, people of the largest, both with the one on top."""
    people, total = account.world.people, account.total
    paid = [
        column
        for column, code in ((people.referrer, codes.REFERRER), (people.referrer2, codes.REFERRER2))
        if moved(total, (code,))
    ]
    bound = [column[column >= 0] for column in paid]
    below = np.bincount(np.concatenate(bound)) if bound else np.zeros(1, np.int64)
    return (1 + len(paid) if paid else 0), (1 + int(below.max(initial=0)) if paid else 0)
