"""The economy: a scenario under a plan, month after month through the engine that settles live orders.

    arrive ─▶ inject ─▶ orders in order of time (and refunds on their days) ─▶ sales, run ─▶ periods close ─▶ the month's truths

Nothing is kept but the engine's state and running sums, so memory is that of the people and not of what they did.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from importlib.metadata import version
from typing import Final, NamedTuple

import numpy as np

from rangli.engine.out import SETTLED, Orders
from rangli.engine.state import EXITS, MEMBER_HOLDER, MEMBER_POINTS, MEMBERS_USED, reserve
from rangli.lab import counting
from rangli.lab.chance import threshold
from rangli.lab.counting import MEANING, Tally, count_orders, count_transfers, pay_with_vouchers, whole_lots
from rangli.lab.measuring import Account, channel_fee, gained, month_of, moved, result_of
from rangli.lab.parts import Scenario
from rangli.lab.truths import Month, Result, run_id
from rangli.lab.visits import DAYS, sellers
from rangli.lab.world import BATCH, FIRST_DAY, Batch, Cast, World
from rangli.ledger import transfers as codes
from rangli.ledger.accounts import INSTITUTIONS
from rangli.money import MICRO_PER_FEN, mul_div
from rangli.plan import CompiledPlan
from rangli.plan import terms as parties
from rangli.plan.terms import ORDER_PARTIES, Ints
from rangli.settle import Chunk, Programme, Settled

Progress = Callable[[int], None]
Watch = Callable[[Chunk], None]

SEED: Final = 7
WASH_FEN: Final = 10_000
"""100 yuan."""
NOBODY: Final = np.full((1, ORDER_PARTIES), -1, np.int32)
"""The parties of what is no order."""


class Returning(NamedTuple):
    """An order that will be refunded."""

    day: int
    order: Settled


def run(
    compiled: CompiledPlan,
    scenario: Scenario,
    replication: int = 0,
    seed: int = SEED,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Result:
    """All truths of one run of a scenario under a plan.

    ``progress`` is told of each month that is done; ``watch`` sees every chunk of transfers as it is written, for whoever wants a
    history. The same arguments give the same result, on any machine and in any process.
    """
    economy = Economy(compiled, scenario, replication, seed, watch)
    months = []
    for month in range(scenario.months):
        months.append(economy.live(month))
        if progress is not None:
            progress(1)
    return result_of(
        economy.account(),
        tuple(months),
        economy.wash,
        run=run_id(compiled.version, scenario.hash(), replication, seed),
        replication=replication,
        seed=seed,
        engine=version("rangli"),
    )


class Economy:
    """One run: the programme, its world, and what has been counted."""

    def __init__(
        self, compiled: CompiledPlan, scenario: Scenario, replication: int, seed: int, watch: Watch | None = None
    ) -> None:
        self.compiled, self.scenario, self.watch = compiled, scenario, watch
        self.programme = Programme(compiled, hashlib.sha256(f"rangli lab {seed} {replication}".encode()).digest())
        self.world = World(self.programme, scenario, replication, seed)
        self.tally = _tally(self.world, len(compiled.funds))
        self.total = np.zeros_like(self.tally.cube)
        """The cube of all months, and of what was before."""
        self.before = self.total
        self.lots_whole = 0
        self._returning: deque[Returning] = deque()
        self._open: dict[int, Settled] = {}
        """Orders that will be refunded, by number, while their lots may close."""
        self._first_order = scenario.start.orders.count if scenario.start.orders else 0
        self._begin()

    # ------------------------------------------------------------ before

    def _begin(self) -> None:
        """Funds and orders of before the first month; they are in nobody's month."""
        start = self.scenario.start
        if start.pool_fen:
            self._inject(start.pool_fen)
        if start.orders is not None:
            cast = self.world.cast
            row = np.full((1, ORDER_PARTIES), -1, np.int32)
            row[0, parties.MERCHANT] = cast.first_merchant
            for first in range(0, start.orders.count, BATCH):
                rows = min(BATCH, start.orders.count - first)
                party = np.repeat(row, rows, axis=0)
                party[:, parties.CONSUMER] = cast.first_earlier + first + np.arange(rows)
                orders = Orders(
                    paid_fen=np.full(rows, start.orders.amount_fen, np.int64),
                    concession_bp=np.full(rows, start.orders.concession_bp, np.int64),
                    voucher_fen=np.zeros(rows, np.int64),
                    day=np.full(rows, FIRST_DAY, np.int64),
                    key=first + np.arange(rows, dtype=np.int64),
                    party=party,
                )
                for chunk in self.programme.run(orders, np.zeros(rows, np.uint8)):
                    self._count(chunk, party)
        self.before = self.tally.cube.copy()
        self.total += self.before

    # ------------------------------------------------------------ a month

    def live(self, month: int) -> Month:
        """One month, from its newcomers to its truths."""
        scenario, tally = self.scenario, self.tally
        tally.cube[:] = 0
        tally.sums[:] = 0
        periods, refunds, exits = len(self.programme.periods), 0, self._exits()
        self.world.arrive(month)
        for injection in scenario.injections:
            if injection.month == month:
                self._inject(injection.amount_fen)
        by_day = scenario.behaviour.refunds is not None
        for batch in self.world.events(month, by_day=by_day):
            refunds += self._refund_until(int(batch.orders.day[0]))
            self._settle(batch)
        refunds += self._refund_until(FIRST_DAY + DAYS * (month + 1) - 1)
        self._sell(month)
        for chunk in self.programme.close(FIRST_DAY + DAYS * (month + 1)):
            self._count(chunk)
        self.total += tally.cube
        return month_of(self.account(), month, refunds, exits, self.programme.periods[periods:])

    def account(self) -> Account:
        """What truths are computed from."""
        return Account(
            self.compiled, self.scenario, self.programme, self.world, self.tally, self.total, self.before, self.lots_whole
        )

    def _exits(self) -> int:
        """Forced exits so far."""
        pool = self.programme.state.pool
        return 0 if pool is None else int(pool.totals[EXITS])

    def _inject(self, amount_fen: int) -> None:
        """Put funds into the pool, if the plan has one."""
        if self.programme.state.pool is not None:
            self._count(self.programme.inject(amount_fen * MICRO_PER_FEN))

    def _settle(self, batch: Batch) -> None:
        """Settle a batch of the month's orders and count what it wrote."""
        orders, programme, terms = batch.orders, self.programme, self.programme.terms
        if terms.offset_bp:
            first_consumer = self.world.cast.first_consumer
            programme.state = reserve(terms, programme.state, programme.holders, 0)
            held = programme.state.holdings.vouchers
            pay_with_vouchers(orders, held, terms.offset_bp, batch.with_vouchers, first_consumer)
        status = np.zeros(len(orders.paid_fen), np.uint8)
        number = programme.order_count
        wanted = np.flatnonzero(batch.refunded) if self.scenario.behaviour.refunds else None
        for chunk in programme.run(orders, status):
            self._count(chunk, orders.party)
            start, stop = chunk.settled
            count_orders(orders, status, start, stop, self.tally, self.world.cast.first_consumer)
            if wanted is not None:
                self._note_returning(orders, status, chunk, number, wanted)
                number += int(np.count_nonzero(status[start:stop] == SETTLED))

    def _count(self, chunk: Chunk, party: np.ndarray = NOBODY) -> None:
        """Add a chunk to the running sums; ``party`` is that of the orders it settled."""
        count_transfers(chunk.transfers, self.tally, self.world.cast.first_consumer, MEANING, party)
        if len(chunk.closed):
            self.lots_whole += int(whole_lots(chunk.closed, self._first_order))
            if self._open:
                for lot in chunk.closed[np.isin(chunk.closed[:, 0], list(self._open))]:
                    self._open[int(lot[0])].received_fen = int(lot[5])
        if self.watch is not None:
            self.watch(chunk)

    # ------------------------------------------------------------ refunds

    def _note_returning(self, orders: Orders, status: np.ndarray, chunk: Chunk, number: int, wanted: Ints) -> None:
        """Remember those orders of a chunk that will be refunded, with what they wrote; its first is order ``number``."""
        refunds = self.scenario.behaviour.refunds
        assert refunds is not None
        start, stop = chunk.settled
        for row in wanted[(wanted >= start) & (wanted < stop)].tolist():
            if status[row] != SETTLED:
                continue
            place = number + int(np.count_nonzero(status[start:row] == SETTLED))
            first, last = np.searchsorted(chunk.transfers.order, (row, row + 1))
            order = Settled.of(self.programme, orders, row, place, chunk.transfers.part(int(first), int(last)))
            self._returning.append(Returning(int(orders.day[row]) + refunds.delay_days, order))
            self._open[place] = order

    def _refund_until(self, day: int) -> int:
        """Refund whole what is due by this day; how many."""
        count = 0
        while self._returning and self._returning[0].day <= day:
            order = self._returning.popleft().order
            del self._open[order.number]
            party = np.full((1, ORDER_PARTIES), -1, np.int32)
            party[0, parties.CONSUMER] = order.consumer
            self._count(self.programme.refund(order, order.paid_fen), party)
            consumer = order.consumer - self.world.cast.first_consumer
            self.tally.used[consumer] -= order.voucher_fen * MICRO_PER_FEN
            self.tally.spent[consumer] -= (order.paid_fen - order.voucher_fen) * MICRO_PER_FEN
            self.tally.made[consumer] -= 1
            count += 1
        return count

    # ------------------------------------------------------------ sales

    def _sell(self, month: int) -> None:
        """At the month's end: who sells, sells all; and a run, if it is the month."""
        pool, sell, rush = self.programme.state.pool, self.scenario.behaviour.sell, self.scenario.run
        limit = threshold(sell.share_bp) if sell is not None and month >= sell.start else 0
        rushing = threshold(rush.share_bp) if rush is not None and month == rush.month else 0
        if pool is None or not limit + rushing:
            return
        if self.programme.terms.pool.by_order:
            members = pool.members[: int(pool.totals[MEMBERS_USED])]
            holders = np.unique(members[members[:, MEMBER_POINTS] > 0, MEMBER_HOLDER])
        else:
            holders = np.flatnonzero(pool.members[:, MEMBER_POINTS])
        place = np.empty(len(holders), np.int64)
        sellers(self.world.key, month, holders, self.world.cast.first_consumer, (limit, rushing), place)
        chosen = place >= 0
        for chunk in self.programme.sell_out(holders[chosen][np.argsort(place[chosen], kind="stable")]):
            self._count(chunk)

    # ------------------------------------------------------------ one more question

    def wash(self) -> int | None:
        """What a trade of 100 yuan with himself costs one who holds every role, when all is over; None: the plan refuses it.

        His queue is full of his own orders, he gives the least concession, and sells at once what he gets; the bonus for bringing
        himself, which is paid once, is left out. What this changes, nobody sees any more.
        """
        terms, cast, tally = self.programme.terms, self.world.cast, self.tally
        self.watch = None
        rows = max(terms.packets.per_order, 1)
        party = np.full((rows, ORDER_PARTIES), -1, np.int32)
        party[:, parties.CONSUMER] = cast.first_farmer - 1
        party[:, parties.MERCHANT] = party[:, parties.REFERRER] = party[:, parties.REFERRER2] = cast.washer[0]
        party[:, parties.RECRUITER :] = cast.washer[1:]
        orders = Orders(
            paid_fen=np.full(rows, WASH_FEN, np.int64),
            concession_bp=np.full(rows, terms.concession_bp_min, np.int64),
            voucher_fen=np.zeros(rows, np.int64),
            day=np.full(rows, FIRST_DAY + DAYS * self.scenario.months, np.int64),
            key=np.arange(rows, dtype=np.int64),
            party=party,
        )
        for _ in ("to fill the queue", "to measure"):
            status = np.zeros(rows, np.uint8)
            tally.cube[:] = 0
            for chunk in self.programme.run(orders, status):
                self._count(chunk, party)
            if status.any():
                return None
            for chunk in self.programme.sell_out(np.array([cast.first_farmer - 1])):
                self._count(chunk)
        got = gained(tally.cube, counting.WASHER) - moved(tally.cube, (codes.BONUS,), taker=counting.WASHER)
        fee = channel_fee(self.scenario.costs, rows * WASH_FEN, rows * WASH_FEN * terms.concession_bp_min)
        return mul_div(fee - got, 1, rows)


def _tally(world: World, funds: int) -> Tally:
    """Empty sums for this world."""
    cast, consumers = world.cast, world.consumers[-1]
    groups = counting.FIRST_FUND + funds
    return Tally(
        group=_groups(cast, world.shops.holder, funds),
        cube=np.zeros((counting.CODES_ROOM, groups, groups), np.int64),
        sums=np.zeros(5, np.int64),
        most=np.zeros(2, np.int64),
        spent=np.zeros(consumers, np.int64),
        cash=np.zeros(consumers, np.int64),
        vouchers=np.zeros(consumers, np.int64),
        used=np.zeros(consumers, np.int64),
        made=np.zeros(consumers, np.int32),
    )


def _groups(cast: Cast, merchants: Ints, funds: int) -> np.ndarray:
    """The group of every holder that is no consumer; the pots of a queue stand behind their merchant."""
    group = np.zeros(cast.first_consumer, np.uint8)
    group[: len(INSTITUTIONS)] = range(len(INSTITUTIONS))
    group[len(INSTITUTIONS) : len(INSTITUTIONS) + funds] = range(counting.FIRST_FUND, counting.FIRST_FUND + funds)
    bounds = (cast.first_recruiter, *cast.first_agent, cast.washer[0], cast.first_small, cast.first_farmer, cast.first_earlier)
    names = (
        counting.RECRUITERS,
        counting.DISTRICT,
        counting.CITY,
        counting.PROVINCE,
        counting.REGION,
        counting.POTS,
        counting.SMALL,
        counting.FARMERS,
        counting.EARLIER,
    )
    group[cast.first_merchant : cast.first_recruiter] = counting.POTS
    for name, start, stop in zip(names, bounds, (*bounds[1:], cast.first_consumer), strict=True):
        group[start:stop] = name
    group[merchants] = counting.MERCHANTS
    group[list(cast.washer)] = counting.WASHER
    group[cast.first_farmer - 1] = counting.WASHER
    return group
