"""Proofs: the ways in which a claim is put to the test. Each is a few parameters, as data, and answers one exact figure.

An order's shares, a stream of equal orders, a short trade at one shop, a promise of releases, a whole scenario, the law's guards,
or plain reckoning with a source's own numbers. Runs that several claims need are made once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Final, Literal

import msgspec

from rangli.lab import run as run_scenario
from rangli.lab.equal import PER_DAY, Promise, Simulation, promises, simulate
from rangli.lab.trade import Trade
from rangli.lab.truths import Month, Result
from rangli.money import BP_PER_ONE, FEN_PER_YUAN, MICRO_PER_FEN, MICRO_PER_YUAN, parse_percent
from rangli.plan import explain, judge, load
from rangli.plan.law import VERDICTS

Unit = Literal[
    "percent", "number", "verdict", "yuan", "times",
    "orders", "packets", "points", "periods", "days", "amounts", "names", "people",
]  # fmt: skip

SEED: Final = 7
GROWTH_BP_MAX: Final = 2500
"""Forty periods of it are as far as a promise can be reckoned."""


def exact(text: str | int) -> Fraction:
    """A number as data has it: whole, decimal, a percentage, or a fraction of whole numbers.

    >>> exact(3), exact("0.4%"), exact("1.425"), exact("1/3")
    (Fraction(3, 1), Fraction(1, 250), Fraction(57, 40), Fraction(1, 3))
    """
    plain = str(text)
    return Fraction(plain[:-1]) * Fraction(1, 100) if plain.endswith("%") else Fraction(plain)


# ---------------------------------------------------------------- runs that claims share


@cache
def simulated(
    plan: str, changes: tuple[str, ...], orders: int, paid: int, concession: str, per_day: int, seed: int
) -> Simulation:
    """A stream of equal orders."""
    return simulate(load(plan, changes), orders, paid * FEN_PER_YUAN, parse_percent(concession), seed, per_day)


@cache
def ran(plan: str | None, changes: tuple[str, ...], scenario: str, values: tuple[tuple[str, str], ...]) -> Result:
    """A scenario."""
    return run_scenario(plan, scenario, seed=SEED, changes=changes, values=dict(values))


@cache
def promised(plan: str, growth_bp: int, periods: int) -> tuple[Promise, ...]:
    """What a thousand points would release if every period took in so much more than the last, and somebody funded it."""
    return tuple(promises(load(plan), 1000 * MICRO_PER_YUAN, growth_bp, periods))


# ---------------------------------------------------------------- the kinds


class Proof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="by"):
    """Parameters that answer a figure."""

    unit: Unit
    places: int = 0
    """Decimals that are shown; bounds hold against the exact figure."""

    def figure(self) -> Fraction:
        """What comes out, exactly."""
        raise NotImplementedError


class Share(Proof, frozen=True, tag="share"):
    """What these parties get of an order, as ``rangli explain`` reckons it: a part of the amount or of the concession."""

    plan: str
    concession: str
    parties: tuple[str, ...]
    of: Literal["amount", "concession"] = "amount"
    changes: tuple[str, ...] = ()

    def figure(self) -> Fraction:
        """Their part."""
        concession_bp = parse_percent(self.concession)
        told = explain(load(self.plan, self.changes), 1000 * FEN_PER_YUAN, concession_bp)
        got = sum(line.amount_micro for line in told.lines if line.party in self.parties)
        return Fraction(got, told.concession_micro if self.of == "concession" else told.paid_fen * MICRO_PER_FEN)


class Equal(Proof, frozen=True, tag="equal"):
    """A figure of a stream of equal orders, each of a new consumer, as ``rangli simulate`` runs it."""

    plan: str
    orders: int
    concession: str
    read: str
    of: Literal["", "concession"] = ""
    """What a part of the amount is shown as a part of."""
    paid: int = 1000
    changes: tuple[str, ...] = ()
    per_day: int = PER_DAY

    def figure(self) -> Fraction:
        """The figure that is asked for."""
        key = (self.plan, self.changes, self.orders, self.paid, self.concession, self.per_day, SEED)
        figure = EQUAL[self.read](simulated(*key))
        return figure * Fraction(1, exact(self.concession)) if self.of == "concession" else figure


EQUAL: Final[dict[str, Callable[[Simulation], Fraction]]] = {
    "returned": lambda run: Fraction(run.returned_micro, run.paid_fen * MICRO_PER_FEN),
    "exits": lambda run: Fraction(run.exits),
    "exits share": lambda run: Fraction(run.exits, run.orders),
    "exit paid": lambda run: Fraction(run.by_code.get("exit", 0), MICRO_PER_YUAN * max(run.exits, 1)),
    "first exit": lambda run: Fraction(run.first_exit),
    "pool": lambda run: Fraction(run.pool_micro, MICRO_PER_YUAN),
    "backed": lambda run: Fraction(run.pool_micro) * Fraction(1, run.supply_micro * Fraction(*run.price)),
    "pool share": lambda run: Fraction(run.pool_micro, run.paid_fen * MICRO_PER_FEN),
    "supply": lambda run: Fraction(run.supply_micro, MICRO_PER_YUAN),
    "price": lambda run: Fraction(*run.price),
    "minted": lambda run: Fraction(run.by_code.get("mint", 0), MICRO_PER_YUAN),
    "bonus": lambda run: Fraction(run.by_code.get("bonus", 0), MICRO_PER_YUAN),
    "periods": lambda run: Fraction(len(run.periods)),
    "packet": lambda run: Fraction(run.returned_micro, MICRO_PER_YUAN * run.packets),
    "orders an exit": lambda run: Fraction(run.orders, run.exits),
    "pool less supply": lambda run: Fraction(run.pool_micro - run.supply_micro, MICRO_PER_YUAN),
    "supply of pool": lambda run: Fraction(run.supply_micro, run.pool_micro),
    "minted of paid": lambda run: Fraction(run.by_code["mint"], run.paid_fen * MICRO_PER_FEN),
    "worth": lambda run: Fraction(run.pool_micro + run.returned_micro, run.paid_fen * MICRO_PER_FEN),
    "exit of paid": lambda run: Fraction(run.by_code["exit"], run.exits) * Fraction(run.orders, run.paid_fen * MICRO_PER_FEN),
}


class Grown(Proof, frozen=True, tag="grown"):
    """How a figure of equal orders differs between two lengths of the stream."""

    plan: str
    orders: tuple[int, int]
    concession: str
    read: str
    how: Literal["difference", "ratio", "rise"]
    paid: int = 1000

    def figure(self) -> Fraction:
        """The later less the earlier, the later in parts of the earlier, or the same less one."""
        before, after = (
            EQUAL[self.read](simulated(self.plan, (), count, self.paid, self.concession, PER_DAY, SEED)) for count in self.orders
        )
        if self.how == "difference":
            return after - before
        return after * Fraction(1, before) - (1 if self.how == "rise" else 0)


class Draws(Proof, frozen=True, tag="draws"):
    """By how much the money that packets return differs between two seeds of the draws, as a part of it."""

    plan: str
    orders: int
    concession: str
    paid: int = 1000

    def figure(self) -> Fraction:
        """The difference, without sign."""
        one, other = (
            simulated(self.plan, (), self.orders, self.paid, self.concession, PER_DAY, seed).returned_micro
            for seed in (SEED, SEED + 1)
        )
        return Fraction(abs(one - other), one)


class Queue(Proof, frozen=True, tag="queue"):
    """What the first order of a queue has received when so many equal ones have followed."""

    plan: str
    concession: str
    followers: int
    read: Literal["packets", "received", "packet"]
    """How many packets, their part of what it paid, or the mean packet in yuan."""
    paid: int = 1000
    first_paid: int = 0
    """What the first order paid, if it was another amount."""

    def figure(self) -> Fraction:
        """The figure that is asked for."""
        trade = Trade(load(self.plan), self.paid * FEN_PER_YUAN, parse_percent(self.concession))
        first_paid = self.first_paid or self.paid
        orders = [trade.order(0, paid_fen=first_paid * FEN_PER_YUAN), *map(trade.order, range(1, self.followers + 1))]
        packets = [order["packet:0"] for order in orders if "packet:0" in order]
        if self.read == "packets":
            return Fraction(len(packets))
        whole = first_paid if self.read == "received" else max(len(packets), 1)
        return Fraction(sum(packets), whole * MICRO_PER_YUAN)


class Sale(Proof, frozen=True, tag="sale"):
    """The first buyer sells all points after so many equal orders."""

    plan: str
    orders: int
    concession: str
    read: Literal["paid", "price", "pool", "supply"]
    """Cash in parts of the points' value, or how price, pool or supply rise."""
    paid: int = 1000

    def figure(self) -> Fraction:
        """The figure that is asked for."""
        trade = Trade(load(self.plan, ["pool.exit.at=9999%"]), self.paid * FEN_PER_YUAN, parse_percent(self.concession))
        for number in range(self.orders):
            trade.order(number)
        price, points = trade.price(), trade.points_of(0)
        pool, supply = trade.pool_and_supply()
        cash = trade.sell(0)
        if self.read == "paid":
            return Fraction(cash) * Fraction(1, price * points)
        if self.read == "price":
            return trade.price() * Fraction(1, price) - 1
        pool_after, supply_after = trade.pool_and_supply()
        return Fraction(pool_after - pool, pool) if self.read == "pool" else Fraction(supply_after - supply, supply)


class Rise(Proof, frozen=True, tag="rise"):
    """The least rise of the price of points at an order, at a sale, or in a day without either."""

    plan: str
    orders: int
    concession: str
    of: Literal["orders", "sales", "rest"]
    sell_each: int = 10
    """After so many orders the oldest holder sells all."""
    paid: int = 1000

    def figure(self) -> Fraction:
        """The least of all steps; negative if the price ever fell."""
        trade = Trade(load(self.plan, ["pool.exit.at=9999%"]), self.paid * FEN_PER_YUAN, parse_percent(self.concession))
        steps: dict[str, list[Fraction]] = {"orders": [], "sales": [], "rest": []}
        trade.order(0)
        sold = 0
        for number in range(1, self.orders):
            before = trade.price()
            trade.order(number)
            steps["orders"].append(trade.price() * Fraction(1, before) - 1)
            if len(steps["orders"]) == self.sell_each * (sold + 1):
                before = trade.price()
                trade.sell(sold)
                sold += 1
                steps["sales"].append(trade.price() * Fraction(1, before) - 1)
        before = trade.price()
        list(trade.programme.close(self.orders))
        steps["rest"].append(trade.price() * Fraction(1, before) - 1)
        return min(steps[self.of])


class Released(Proof, frozen=True, tag="released"):
    """Days until releases: one order a day in the first period, then so many a day."""

    plan: str
    concession: str
    faster: int
    read: Literal["after the mark", "longest wait"]
    """Days from the order of the second period that reached the growth to its release, or the most days between two releases."""
    growth: str = "15%"
    days: int = 100
    paid: int = 1000

    def figure(self) -> Fraction:
        """The figure that is asked for."""
        trade = Trade(load(self.plan), self.paid * FEN_PER_YUAN, parse_percent(self.concession))
        inflow, marks = [0, 0], []
        for day in range(self.days):
            for _ in range(self.faster if trade.released_on else 1):
                trade.order(trade.count, day)
                period = min(len(trade.released_on), 1)
                inflow[period] += 1
                if period and inflow[1] >= inflow[0] * (1 + exact(self.growth)):
                    marks.append(day)
        if self.read == "after the mark":
            return Fraction(trade.released_on[1] - marks[0])
        return Fraction(max(after - before for before, after in pairwise([0, *trade.released_on])))


class Vouchers(Proof, frozen=True, tag="vouchers"):
    """An order that is paid in vouchers altogether: the points that it gives its consumer, in parts of what it concedes."""

    plan: str
    concession: str
    paid: int = 1000

    def figure(self) -> Fraction:
        """Points of both sides over twice the concession."""
        trade = Trade(load(self.plan), self.paid * FEN_PER_YUAN, parse_percent(self.concession))
        day = 0
        while trade.vouchers_of(0) < MICRO_PER_YUAN:
            trade.order(0, day)
            day += 1
        paid_fen = FEN_PER_YUAN
        minted = trade.order(0, day, paid_fen, paid_fen)["mint"]
        return Fraction(minted, 2 * paid_fen * parse_percent(self.concession))


class Promised(Proof, frozen=True, tag="promised"):
    """What a point releases in so many periods if each takes in so much more than the last and nobody asks who funds it."""

    plan: str
    growth: str
    periods: int

    def figure(self) -> Fraction:
        """Times the point."""
        row = promised(self.plan, parse_percent(self.growth), self.periods)[-1]
        return Fraction(row.total_micro, 1000 * MICRO_PER_YUAN)


class Reached(Proof, frozen=True, tag="reached"):
    """The first period after which a point has released this many times itself; 0 if it never does."""

    plan: str
    growth: str
    times: str

    def figure(self) -> Fraction:
        """The period, from 1."""
        last = load(self.plan).terms.release.extended
        due = exact(self.times) * 1000 * MICRO_PER_YUAN
        rows = promised(self.plan, parse_percent(self.growth), last)
        return Fraction(next((row.period for row in rows if row.total_micro >= due), 0))


class Growth(Proof, frozen=True, tag="growth"):
    """The least growth of every period with which a point releases this many times itself in so many periods."""

    plan: str
    times: str
    periods: int

    def figure(self) -> Fraction:
        """The growth, to a hundredth of a percent."""
        due = exact(self.times) * 1000 * MICRO_PER_YUAN
        low, high = -1, GROWTH_BP_MAX
        while high - low > 1:
            middle = (low + high) >> 1
            enough = promised(self.plan, middle, self.periods)[-1].total_micro >= due
            low, high = (low, middle) if enough else (middle, high)
        assert high < GROWTH_BP_MAX, "less growth than can be reckoned is enough"
        return Fraction(high, BP_PER_ONE)


class Scene(Proof, frozen=True, tag="scene"):
    """A truth of a scenario's run."""

    scenario: str
    read: str
    plan: str | None = None
    changes: tuple[str, ...] = ()
    values: dict[str, str] = {}
    month: int = -1
    """Of truths that are a month's; the last by default."""

    def result(self) -> Result:
        """The run."""
        return ran(self.plan, self.changes, self.scenario, tuple(sorted(self.values.items())))

    def figure(self) -> Fraction:
        """The truth that is asked for."""
        return SCENE[self.read](self.result(), self.month)


def _paid(result: Result) -> int:
    """All that was paid, in micro."""
    return sum(month.paid_micro for month in result.months)


def _moved(before: Month, after: Month, name: str) -> Fraction:
    """How the pool or the supply differs from one month to the other, in parts of it."""
    was, now = getattr(before, name), getattr(after, name)
    return Fraction(now - was, was)


SCENE: Final[dict[str, Callable[[Result, int], Fraction]]] = {
    "orders whole": lambda run, _: Fraction(run.orders_made_whole, run.orders),
    "consumers whole": lambda run, _: Fraction(run.consumers_made_whole, run.consumers),
    "net surplus": lambda run, _: Fraction(run.surplus_net_micro, _paid(run)),
    "merchants": lambda run, _: Fraction(run.balance_micro["merchants"], _paid(run)),
    "consumers cash": lambda run, _: Fraction(sum(one.cash_micro for one in run.cohorts), _paid(run)),
    "uncovered": lambda run, at: Fraction(run.months[at].uncovered_micro, run.months[at].promised_micro),
    "backing": lambda run, at: Fraction(run.months[at].backing_micro, MICRO_PER_YUAN),
    "backing of paid": lambda run, at: Fraction(run.months[at].backing_micro, _paid(run)),
    "vouchers": lambda run, _: Fraction(sum(flow.micro for flow in run.flows if flow.sink == "reserve"), _paid(run)),
    "price rise": lambda run, at: Fraction(*run.months[at].price) * Fraction(1, Fraction(*run.months[at - 1].price)) - 1,
    "pool change": lambda run, at: _moved(run.months[at - 1], run.months[at], "pool_micro"),
    "supply change": lambda run, at: _moved(run.months[at - 1], run.months[at], "supply_micro"),
    "least price rise": lambda run, _: min(
        Fraction(*after.price) * Fraction(1, Fraction(*before.price)) - 1 for before, after in pairwise(run.months)
    ),
}


class Flows(Proof, frozen=True, tag="flows"):
    """What these roles got in a scenario, in yuan, or in parts of what others got."""

    scenario: str
    sinks: tuple[str, ...]
    source: str | None = None
    """Only from this role."""
    over: tuple[str, ...] = ()
    plan: str | None = None
    changes: tuple[str, ...] = ()
    values: dict[str, str] = {}

    def figure(self) -> Fraction:
        """The sum."""
        flows = ran(self.plan, self.changes, self.scenario, tuple(sorted(self.values.items()))).flows

        def got(roles: Sequence[str]) -> int:
            return sum(flow.micro for flow in flows if flow.sink in roles and self.source in {None, flow.source})

        return Fraction(got(self.sinks), got(self.over) if self.over else MICRO_PER_YUAN)


class Law(Proof, frozen=True, tag="law"):
    """What guards say of a plan: how many refuse, how severe the worst is (0 ok, 1 sign-off, 2 refuse), or a guard's figure."""

    plan: str
    read: Literal["refusals", "worst", "figure"]
    guards: tuple[str, ...] = ()
    """All by default."""
    changes: tuple[str, ...] = ()

    def figure(self) -> Fraction:
        """The figure that is asked for."""
        found = [one for one in judge(load(self.plan, self.changes)) if not self.guards or one.guard in self.guards]
        if self.read == "refusals":
            return Fraction(len({one.guard for one in found if one.verdict == "refuse"}))
        worst = max(found, key=lambda one: VERDICTS.index(one.verdict))
        return Fraction(VERDICTS.index(worst.verdict)) if self.read == "worst" else exact(worst.figure.replace(",", ""))


class Reckon(Proof, frozen=True, tag="reckon"):
    """A source's own numbers: products that are added, products that are taken off, and what the sum is divided by."""

    plus: tuple[tuple[int | str, ...], ...]
    minus: tuple[tuple[int | str, ...], ...] = ()
    over: tuple[int | str, ...] = ()

    def figure(self) -> Fraction:
        """The sum."""
        total = sum(map(_product, self.plus), Fraction(0)) - sum(map(_product, self.minus), Fraction(0))
        return total * Fraction(1, _product(self.over))


def _product(factors: Sequence[int | str]) -> Fraction:
    """The product of numbers; 1 of none."""
    product = Fraction(1)
    for factor in factors:
        product *= exact(factor)
    return product


class Fold(Proof, frozen=True, tag="fold"):
    """What even growth comes to after so many steps."""

    growth: str
    steps: int

    def figure(self) -> Fraction:
        """Times the first."""
        return (1 + exact(self.growth)) ** self.steps


class Listed(Proof, frozen=True, tag="listed"):
    """How many names a source lists."""

    names: tuple[str, ...]

    def figure(self) -> Fraction:
        """Their number, each counted once."""
        return Fraction(len(set(self.names)))


class Gaps(Proof, frozen=True, tag="gaps"):
    """How many amounts, in fen, lie below or between ranges of whole yuan."""

    ranges: tuple[tuple[int, int], ...]
    """The last has no end."""

    def figure(self) -> Fraction:
        """Their number."""
        ends = [0, *(last for _, last in self.ranges[:-1])]
        return Fraction(sum((first - end) * FEN_PER_YUAN - 1 for end, (first, _) in zip(ends, self.ranges, strict=True)))


AnyProof = (
    Share | Equal | Grown | Draws | Queue | Sale | Rise | Released | Vouchers | Promised | Reached | Growth | Scene | Flows | Law
    | Reckon | Fold | Listed | Gaps
)  # fmt: skip
