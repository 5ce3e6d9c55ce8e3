"""The priced pool alone: mint, price and forced exits of a stream of orders, each of a new member, for sweeps of many runs.

It computes with the engine's own functions and leaves out what a sweep of pools does not look at: parties, accounts, transfers.
At the end the pool's totals are the engine's, to the last integer.

Equal orders need no heap. An order mints ⌊value × supply ÷ pool⌋ points, and the price pool ÷ supply never falls:

* a mint adds ``share`` to the pool and at most ``value`` at the present price to the points, and value <= share;
* an exit takes out at most its points at the present price;
* when no points are left, the next mint is at the last price.

So later members have as many points as earlier ones or fewer, and with equal limits their exit prices limit ÷ points rise: who
came first exits first. Members are a queue, and as neighbours mostly have equal points, a queue of runs (points, members), which
stays small however many orders there are. Drawn orders differ in their limits, and wait in the engine's heap.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from itertools import pairwise
from typing import Final, NamedTuple, Self

import numpy as np

from rangli.engine.arith import mul_div as times
from rangli.engine.arith import mul_less, place
from rangli.engine.book import EXIT_CODE
from rangli.engine.draw import uniform
from rangli.engine.kernel import kernel
from rangli.engine.out import LINES_MAX, Orders
from rangli.engine.pool import burn_for_cash, exit_due, limit_of, mint, minted_of, sell
from rangli.engine.shares import pay_shares
from rangli.engine.state import (
    EXITS,
    FIRST_EXIT,
    HEAP_USED,
    LAST_POOL,
    LAST_SUPPLY,
    MEMBER_PLACE,
    MEMBER_POINTS,
    MEMBERS_USED,
    POOL_MICRO,
    SUPPLY,
    Pool,
)
from rangli.errors import InputRefused
from rangli.lab.equal import check_order
from rangli.ledger.transfers import Transfers
from rangli.money import AMOUNT_FEN_MAX, BP_PER_ONE, INT64_MAX, MICRO_MAX, mul_div, print_yuan
from rangli.plan import CompiledPlan
from rangli.plan.terms import ORDER_PARTIES, SHARES_MAX, Ints, PoolTerms

# Columns of what a run came to: Pool.totals, then one more.
TOTALS: Final = 8
RETURNED: Final = 8
"""Cash paid to members who were forced out, in micro."""

NEVER: Final = INT64_MAX
"""More than any pool may hold."""
_PROBE_FEN: Final = 10**8
"""An order so large that no rate of a plan rounds."""


class Case(NamedTuple):
    """One run: the orders and the pool's terms. All numbers, so that many cases are the rows of an array."""

    paid_fen: int
    paid_fen_max: int
    """Amounts are drawn evenly from ``paid_fen`` to this; equal to it when all orders are the same."""
    seed: int
    share_bp: int
    """Share of the amount that enters the pool."""
    mint_bp: int
    pays_bp: int
    price_num: int
    price_den: int
    exit_bp: int
    basis_mint: int


# Columns of an array of cases.
PAID, PAID_MAX, SEED, SHARE, MINT, PAYS, PRICE_NUM, PRICE_DEN, EXIT, BASIS = range(10)


class End(NamedTuple):
    """What a run came to."""

    orders: int
    pool_micro: int
    supply_micro: int
    price: tuple[int, int]
    """As (pool, supply); of no points, the last price."""
    waiting: int
    """Members that have points and have not been forced out; 0 for a plan that forces nobody out."""
    exits: int
    first_exit: int
    """Number of the order, from 1; 0 for none."""
    returned_micro: int

    @classmethod
    def of(cls, row: Ints) -> Self:
        """Of a row that ``run_pools`` wrote."""
        end = [int(each) for each in row]
        price = (end[POOL_MICRO], end[SUPPLY]) if end[SUPPLY] else (end[LAST_POOL], end[LAST_SUPPLY])
        return cls(
            end[MEMBERS_USED], end[POOL_MICRO], end[SUPPLY], price, end[HEAP_USED], end[EXITS], end[FIRST_EXIT], end[RETURNED]
        )


# ---------------------------------------------------------------- kernels


@kernel
def equal_orders(cases, orders, queue, ends):
    """This many equal orders of each case.

    cases : int64 (runs, 10)   rows of ``Case``; PAID_MAX and SEED are not looked at
    queue : int64 (room, 2)    written; scratch: (points, members) of each run of neighbours with equal points
    ends  : int64 (runs, 9)    written
    """
    for run in range(cases.shape[0]):
        _equal_run(cases[run], orders, queue, ends[run])


@kernel
def _equal_run(case, orders, queue, end):
    """One case. Pool and supply are held in registers; only an exit, which is rare, goes through the engine's array.

    Whoever is first is due when points x pool >= limit x supply. Until somebody exits the supply only grows, so while the pool is
    below ⌊limit x supply ÷ points⌋ of some time before, nobody is due, and most orders are spared two products of 128 bits.
    """
    terms = _open(case, end)
    share = case[PAID] * case[SHARE]
    value, _ = minted_of(terms, end, share)
    limit = limit_of(terms, case[PAID], value)
    pool, supply, waiting, not_below = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    head, tail, newest = np.int64(0), np.int64(-1), np.int64(-1)
    for order in range(orders):
        points = times(value, supply, pool) if supply > 0 else times(value, end[LAST_SUPPLY], end[LAST_POOL])
        pool += share
        supply += points
        if terms.exit_bp == 0:
            continue
        if points > 0:
            if head > tail:
                head, tail, newest = np.int64(0), np.int64(-1), np.int64(-1)
            if points != newest:
                newest = points
                tail += 1
                queue[place(tail), 0], queue[place(tail), 1] = points, 0
            queue[place(tail), 1] += 1
            waiting += 1
        while pool >= not_below and head <= tail:
            first = queue[place(head), 0]
            if mul_less(first, pool, limit, supply):
                not_below = times(limit, supply, first)
                not_below = not_below if not_below >= 0 else NEVER
                break
            end[POOL_MICRO], end[SUPPLY] = pool, supply
            end[RETURNED] += burn_for_cash(terms, end, first)
            pool, supply, not_below = end[POOL_MICRO], end[SUPPLY], np.int64(0)
            _note_exit(end, order)
            waiting -= 1
            queue[place(head), 1] -= 1
            if queue[place(head), 1] == 0:
                head += 1
    end[POOL_MICRO], end[SUPPLY], end[HEAP_USED], end[MEMBERS_USED] = pool, supply, waiting, orders


@kernel
def drawn_orders(cases, orders, pool, transfers, ends):
    """This many orders of each case, their amounts drawn evenly, through the engine's own members and heap.

    cases     : int64 (runs, 10)   rows of ``Case``
    pool      : Pool               with room for so many members; written; scratch
    transfers : Transfers          room for 4; written over and over; scratch
    ends      : int64 (runs, 9)    written
    """
    for run in range(cases.shape[0]):
        case, end = cases[run], ends[run]
        terms = _open(case, end)
        pool.members[:orders] = 0
        seed = case[SEED]
        for each in range(TOTALS):
            pool.totals[each] = end[each]
        for order in range(orders):
            more, seed = uniform(seed, case[PAID_MAX] - case[PAID] + 1)
            paid_fen = case[PAID] + more
            pool.members[order, MEMBER_PLACE] = -1
            mint(terms, pool, order, paid_fen, paid_fen * case[SHARE], order, transfers, 0)
            while terms.exit_bp and exit_due(pool):
                member = pool.heap[0]
                _, cash = sell(terms, pool, member, pool.members[member, MEMBER_POINTS], EXIT_CODE, order, transfers, 0)
                end[RETURNED] += cash
                _note_exit(pool.totals, order)
        for each in range(TOTALS):
            end[each] = pool.totals[each]


@kernel
def _open(case, end):
    """The pool before the first order; its terms."""
    end[:] = 0
    end[LAST_POOL], end[LAST_SUPPLY] = case[PRICE_NUM], case[PRICE_DEN]
    by_order = np.int64(0)
    return PoolTerms(case[MINT], case[PAYS], case[PRICE_NUM], case[PRICE_DEN], case[EXIT], by_order, case[BASIS])


@kernel
def _note_exit(totals, order):
    """Count an exit at this order (from 0)."""
    if totals[EXITS] == 0:
        totals[FIRST_EXIT] = order + 1
    totals[EXITS] += 1


# ---------------------------------------------------------------- runs


def case_of(compiled: CompiledPlan, paid_fen: int, concession_bp: int) -> Case:
    """Equal orders of this amount under a plan, every party being there, as ``lab.simulate`` runs them.

    Raises InputRefused for a plan without a pool, or whose pool gets a share finer than a basis point.
    """
    terms = compiled.terms
    if not terms.pool.mint_bp:
        raise InputRefused("该方案没有盈利池(pool)", "this plan has no pool")
    check_order(terms, paid_fen, concession_bp)
    share_micro = _pool_share(compiled, concession_bp)
    share_bp = mul_div(share_micro, 1, _PROBE_FEN)
    if share_bp * _PROBE_FEN != share_micro:
        raise InputRefused(
            "进入盈利池的比例细于0.01%;请直接用 rangli simulate",
            "the pool's share is finer than 0.01 %; use rangli simulate instead",
        )
    pool = terms.pool
    return Case(
        paid_fen=paid_fen,
        paid_fen_max=paid_fen,
        seed=0,
        share_bp=share_bp,
        mint_bp=pool.mint_bp,
        pays_bp=pool.pays_bp,
        price_num=pool.price_num,
        price_den=pool.price_den,
        exit_bp=pool.exit_bp,
        basis_mint=pool.basis_mint,
    )


def _pool_share(compiled: CompiledPlan, concession_bp: int) -> int:
    """What an order of _PROBE_FEN brings the pool, by the engine's own lines."""
    one = np.ones(1, np.int64)
    party = np.arange(1, 1 + ORDER_PARTIES, dtype=np.int32).reshape(1, -1)
    order = Orders(_PROBE_FEN * one, concession_bp * one, 0 * one, 0 * one, 0 * one, party)
    transfers = Transfers.empty(LINES_MAX)
    _, _, into_pool, _, _ = pay_shares(compiled.terms.shares, order, 0, np.int64(0), np.zeros(SHARES_MAX, np.int64), transfers, 0)
    return int(into_pool)


def check_case(case: Case, orders: int) -> None:
    """Raises InputRefused unless the rates are rates and so many orders stay below every limit of the books.

    No limit is looked at again. Points are the most at the opening price, since the price never falls.
    """
    rates = (case.share_bp, case.mint_bp, case.pays_bp)
    if not (all(0 <= bp <= BP_PER_ONE for bp in rates) and 1 <= case.paid_fen <= case.paid_fen_max <= AMOUNT_FEN_MAX):
        raise InputRefused(
            f"进池、铸造、到手比例须在0到100%之间,金额须在0.01至{print_yuan(AMOUNT_FEN_MAX)}元之间,下限不大于上限:{case}",
            f"what enters, is minted and is paid are shares of 0 to 100 %, amounts 0.01 to {print_yuan(AMOUNT_FEN_MAX)} yuan, "
            f"the least not above the most: {case}",
        )
    share = case.paid_fen_max * case.share_bp
    points = mul_div(share, case.price_den, case.price_num)
    limit = case.paid_fen_max * case.exit_bp
    if max(orders * max(share, points), limit) > MICRO_MAX:
        raise InputRefused(
            f"{orders} 单会超出账本的上限;请减少订单或金额",
            f"{orders} orders would pass the limits of the books; ask for fewer or smaller",
        )


def run_pools(cases: Sequence[Case], orders: int, executor: Executor | None = None, parts: int = 1) -> Ints:
    """``orders`` orders of each case, the cases in so many parts side by side; a row each (``End.of`` reads it), in their order.

    The result does not depend on the parts. Kernels release the GIL, so threads are enough.
    Raises InputRefused, before anything runs, for cases that no pool can have.
    """
    for case in cases:
        check_case(case, orders)
    rows = np.array(cases, np.int64).reshape(-1, len(Case._fields))
    ends = np.zeros((len(rows), RETURNED + 1), np.int64)
    cut = [mul_div(len(rows), part, parts) for part in range(parts + 1)]
    places = [slice(low, high) for low, high in pairwise(cut)]
    if executor is None:
        for at in places:
            _run_part(rows[at], orders, ends[at])
    else:
        for done in [executor.submit(_run_part, rows[at], orders, ends[at]) for at in places]:
            done.result()
    return ends


def _first_points(case: Ints) -> int:
    """Points of the first order: its whole share at the opening price, of which no more than all is minted."""
    return mul_div(int(case[PAID]) * int(case[SHARE]), int(case[PRICE_DEN]), int(case[PRICE_NUM]))


def _run_part(cases: Ints, orders: int, ends: Ints) -> None:
    """Neighbouring cases of one kind, one after the other."""
    equal = cases[:, PAID] == cases[:, PAID_MAX]
    if equal.all():
        # Runs of the queue have ever fewer points, so there are no more of them than the first order has points.
        room = min(orders, max(map(_first_points, cases), default=0))
        equal_orders(cases, orders, np.empty((room + 1, 2), np.int64), ends)
    else:
        pool = Pool(np.zeros(TOTALS, np.int64), np.zeros((orders, 7), np.int64), np.zeros(orders, np.int64))
        drawn_orders(cases, orders, pool, Transfers.empty(4), ends)
