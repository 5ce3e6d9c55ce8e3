"""Where the engine's numbers end: the first order that is refused, the last that is not, and no product that wraps on the way.

What no stream of orders reaches in a test's time is put into the state beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from engine_bridge import Asking, Engine, Written, compiled
from engine_worlds import AMOUNT_FEN_MAX, Asked, PacketFacts, PlanFacts, PoolFacts, RateFacts, ReleaseFacts, ShareFacts
from oracle import Order

from rangli.engine import state as columns
from rangli.engine.out import LINES_MAX
from rangli.plan import check, compile_plan
from rangli.plan.terms import PER_ORDER_MAX, SHARES_MAX
from rangli.settle import Programme

MICRO_MAX = 2**60
ALL_PACKETS = (ShareFacts("packets", RateFacts("concession", 10_000)),)
ALL_POOL = (ShareFacts("pool", RateFacts("concession", 10_000)),)
ALL_DIVIDEND = (ShareFacts("dividend", RateFacts("concession", 10_000)),)
OF_CONCESSION = (("consumer", RateFacts("concession", 10_000)),)
OF_AMOUNT = (("consumer", RateFacts("amount", 10_000)),)


def bought(paid_fen: int, concession_bp: int, consumer: str = "A", days_ahead: int = 0) -> Asked:
    """An order at M of nobody's consumer."""
    return Asked(days_ahead, paid_fen, concession_bp, (consumer, "M", *[None] * 7))


class Both:
    """Oracle and engine, order by order."""

    def __init__(self, facts: PlanFacts) -> None:
        self.asking = Asking(facts)
        self.engine = Engine(compiled(facts))

    def settle(self, asked: Asked) -> tuple[Written, Written]:
        """What each wrote."""
        order = self.asking.order(asked)
        expected = self.asking.settle(order)
        [actual] = self.engine.settle([order])
        return expected, actual

    @property
    def state(self) -> Any:  # noqa: ANN401 (its parts may be None, which a test knows to be there)
        """The engine's state, to be tampered with."""
        return self.engine.programme.state


# ---------------------------------------------------------------- refusals


def put_pot(engine: Engine, micro: int) -> None:
    """The pot of the first queue."""
    engine.programme.state.queues.rows[0, columns.POT] = micro  # type: ignore[union-attr]


def put_pool(engine: Engine, micro: int) -> None:
    """The pool, at a price of one."""
    engine.programme.state.pool.totals[[columns.POOL_MICRO, columns.SUPPLY]] = micro, 1  # type: ignore[union-attr]


def put_supply(engine: Engine, micro: int) -> None:
    """The supply, at a price below a fen."""
    totals = engine.programme.state.pool.totals  # type: ignore[union-attr]
    totals[[columns.POOL_MICRO, columns.SUPPLY]] = MICRO_MAX // 128, micro


def put_limit(engine: Engine, micro: int) -> None:
    """The limit of consumer A."""
    holder = engine.programme.accounts.find(0, "A")
    engine.programme.state.pool.members[holder, columns.MEMBER_LIMIT] = micro  # type: ignore[union-attr]


def put_inflow(engine: Engine, micro: int) -> None:
    """The inflow of the period."""
    engine.programme.state.release.clock[columns.INFLOW] = micro  # type: ignore[union-attr]


def put_promised(engine: Engine, micro: int) -> None:
    """All promises."""
    engine.programme.state.release.clock[columns.PROMISED] = micro  # type: ignore[union-attr]


def put_dividend(engine: Engine, micro: int) -> None:
    """The dividend pot."""
    engine.programme.state.release.clock[columns.DIVIDEND_MICRO] = micro  # type: ignore[union-attr]


RELEASE = PlanFacts((1, 10_000), ALL_DIVIDEND, release=ReleaseFacts(OF_CONCESSION, 5, None, 366))
BROKEN = [
    pytest.param(
        RELEASE,
        put_dividend,
        MICRO_MAX - 10**8,
        id="dividend",
    ),
    pytest.param(
        PlanFacts((1, 10_000), ALL_DIVIDEND, release=ReleaseFacts(OF_CONCESSION, 10_000, None, 366)),
        put_promised,
        MICRO_MAX - 10**8 - 1,  # a micro for the rounding of its one line of points
        id="promised",
    ),
]


@pytest.mark.parametrize(
    ("facts", "put", "fits"),
    [
        pytest.param(PlanFacts((1, 10_000), ALL_PACKETS, packets=PacketFacts(1)), put_pot, MICRO_MAX - 10**8, id="pot"),
        pytest.param(PlanFacts((1, 10_000), ALL_POOL, pool=PoolFacts(7000, 8000)), put_pool, MICRO_MAX - 10**8, id="pool"),
        pytest.param(
            PlanFacts((1, 10_000), ALL_POOL, pool=PoolFacts(7000, 8000, exit_bp=20_000)),
            put_limit,
            MICRO_MAX - 2 * 10**8,
            id="limit",
        ),
        pytest.param(RELEASE, put_inflow, 2**62 // 2000 - 10**8, id="inflow"),
        *BROKEN,
    ],
)
def test_the_last_micro_fits_and_one_more_is_refused_without_a_trace(
    facts: PlanFacts, put: Callable[[Engine, int], None], fits: int
) -> None:
    """An order of 100 yuan at 100 % adds 10^8 micro: limits are checked as if the whole concession went into each."""
    for micro, reason in [(fits, "settled"), (fits + 1, "limit_reached")]:
        both = Both(facts)
        both.settle(bought(1, 1))
        engine, order = both.engine, both.asking.order(bought(10_000, 10_000))
        put(engine, micro)
        before = engine.programme.hash()
        [written] = engine.settle([order])

        assert reason == written.reason
        assert (reason != "settled") == (before == engine.programme.hash())


def test_a_supply_beyond_its_limit_is_refused() -> None:
    """At a price below one more points are minted than micro enter; they end at the same limit."""
    facts = PlanFacts((1, 10_000), ALL_POOL, pool=PoolFacts(7000, 8000, 1))
    for supply, reason in [(MICRO_MAX - 128 * 70_000_000, "settled"), (MICRO_MAX, "limit_reached")]:
        both = Both(facts)
        both.settle(bought(1, 10_000))
        put_supply(both.engine, supply)
        [written] = both.engine.settle([both.asking.order(bought(10_000, 10_000))])

        assert reason == written.reason


@pytest.mark.parametrize("kind", ["shares", "packets", "pool", "release"])
@pytest.mark.parametrize(
    ("paid_fen", "concession_bp", "voucher_fen", "reason"),
    [
        (1, 300, 0, "settled"),
        (AMOUNT_FEN_MAX, 2000, 0, "settled"),
        (0, 300, 0, "amount_out_of_range"),
        (-1, 300, 0, "amount_out_of_range"),
        (-(2**63), 300, 0, "amount_out_of_range"),
        (AMOUNT_FEN_MAX + 1, 300, 0, "amount_out_of_range"),
        (2**63 - 1, -1, -1, "amount_out_of_range"),
        (1, 299, 0, "concession_out_of_range"),
        (1, 2001, 10**9, "concession_out_of_range"),
        (1, -(2**63), 0, "concession_out_of_range"),
        (1, 2**63 - 1, 0, "concession_out_of_range"),
        (100, 300, 51, "vouchers_over_limit"),
        (1, 300, 1, "vouchers_over_limit"),
        (100, 300, -1, "vouchers_over_limit"),
        (100, 300, 2**63 - 1, "vouchers_over_limit"),
        (100, 300, 50, "vouchers_short"),
    ],
)
def test_a_row_is_refused_by_the_first_limit_it_breaks(
    kind: str, paid_fen: int, concession_bp: int, voucher_fen: int, reason: str
) -> None:
    """Whatever int64 stands in a row; and nothing of a refused row is left in the state."""
    backed = (ShareFacts("consumer", RateFacts("concession", 1), vouchers=True),)
    facts = {
        "shares": PlanFacts((300, 2000), backed, offset_bp=5000),
        "packets": PlanFacts((300, 2000), (*half("packets"), *backed), packets=PacketFacts(3), offset_bp=5000),
        "pool": PlanFacts((300, 2000), (*half("pool"), *backed), pool=PoolFacts(7000, 8000, exit_bp=12_000), offset_bp=5000),
        "release": PlanFacts((300, 2000), (*half("dividend"), *backed), release=ReleaseFacts(OF_CONCESSION, 50), offset_bp=5000),
    }[kind]
    both = Both(facts)
    both.settle(bought(100, 300, "B"))
    order = Order("x", both.asking.day, paid_fen, concession_bp, "M", "B", voucher_fen=voucher_fen)
    before = both.engine.programme.hash()
    [written] = both.engine.settle([order])

    assert reason == written.reason
    assert (reason != "settled") == (before == both.engine.programme.hash())
    assert (reason != "settled") == (written.lines == [])


def half(party: str) -> tuple[ShareFacts, ...]:
    """Half of the concession."""
    return (ShareFacts(party, RateFacts("concession", 5000)),)


# ---------------------------------------------------------------- products


def test_a_pot_near_its_limit_times_a_window_does_not_wrap() -> None:
    """A pot of 2^64 / 20 micro, which is below its limit of 2^60, and a window of 20 of 100."""
    both = Both(PlanFacts((0, 10_000), ALL_PACKETS, packets=PacketFacts(100)))
    for i in range(20):
        both.settle(bought(AMOUNT_FEN_MAX, 0, f"c{i}"))
    pot = 2**64 // 20 + 10**7
    both.state.queues.rows[0, columns.POT] = pot
    both.asking.programme.state.balances["programme:packets:M:1", "CNY"] = pot
    expected, actual = both.settle(bought(1, 0))

    assert pot < MICRO_MAX
    assert expected == actual


def test_points_of_a_small_multiple_times_the_rate_do_not_wrap() -> None:
    """Points x 9999 just past 2^64 where no more than a hundredth of the points is promised: 19 of the largest orders."""
    release = ReleaseFacts(OF_AMOUNT, 9999, None, 1, None, 100)
    both = Both(PlanFacts((100, 100), ALL_DIVIDEND, release=release))
    fen = -(-(2**64) // 9999 // 10_000)
    while fen:
        paid_fen = min(fen, AMOUNT_FEN_MAX)
        both.settle(bought(paid_fen, 100))
        fen -= paid_fen
    expected, actual = both.settle(bought(1, 100, "B", 1))

    assert expected == actual


@pytest.mark.parametrize("rate_bp", [1, 5, 9999, 10_000])
def test_the_largest_orders_release_what_the_oracle_says(rate_bp: int) -> None:
    """As many of the largest orders as the limits let in, in one period and over several."""
    both = Both(PlanFacts((1000, 10_000), ALL_DIVIDEND, release=ReleaseFacts(OF_CONCESSION, rate_bp, 1500, 2, None, 50_000)))
    answers = [both.settle(bought(AMOUNT_FEN_MAX, (1000, 10_000)[i % 2], "AB"[i % 2], i % 3 // 2)) for i in range(40)]

    assert [expected for expected, _ in answers] == [actual for _, actual in answers]
    assert "settled" in {actual.reason for _, actual in answers}


def test_a_pool_at_its_limit_sells_and_lets_out_exactly() -> None:
    """Pool x points near 2^120: bought, sold and let out at amounts where every product needs its 128 bits."""
    both = Both(PlanFacts((10_000, 10_000), ALL_POOL, pool=PoolFacts(9999, 9999, 1, 20_000)))
    assert both.engine.inject(1) == Written("settled", [], both.asking.programme.inject(1))
    for i in range(90):
        expected, actual = both.settle(bought(AMOUNT_FEN_MAX - i, 10_000, f"c{i}"))
        assert expected == actual
    micro = MICRO_MAX - int(both.state.pool.totals[columns.POOL_MICRO])

    assert both.engine.sell("c1", 10**15 + 7) == Written("settled", [], both.asking.programme.sell("c1", 10**15 + 7))
    assert both.engine.inject(micro) == Written("settled", [], both.asking.programme.inject(micro))
    assert both.asking.facts() == both.engine.facts()


# ---------------------------------------------------------------- room


def test_no_order_writes_more_lines_than_are_kept_free_for_it() -> None:
    """A step starts an order when LINES_MAX are free; what a plan within the vocabulary writes beyond is written past the end."""
    backed = ["  - {to: consumer, rate: 1% of concession, as: vouchers}" for _ in range(SHARES_MAX - 2)]
    points = ["  - {to: consumer, rate: 1% of concession}" for _ in range(SHARES_MAX)]
    bonus = ["  - {to: consumer, amount: 1, once_per: consumer}" for _ in range(SHARES_MAX)]
    text = "\n".join(
        [
            "plan: widest\ntitle: {zh: 宽, en: wide}\nconcession: {min: 10%, max: 10%}\nshares:",
            "  - {to: packets, rate: 10% of concession}\n  - {to: dividend, rate: 10% of concession}",
            *backed,
            f"packets: {{per_order: {PER_ORDER_MAX}, tiers: []}}\npoints:",
            *points,
            "release: {rate: 1% of points, close: {days: 30}, pays: vouchers}\nbonus:",
            *bonus,
        ]
    )
    plan, problems = check(text)
    assert [] == problems
    assert plan is not None
    engine = Engine(compile_plan(plan), Programme(compile_plan(plan), bytes(32)))
    asking = Asking(PlanFacts((1000, 1000), ALL_PACKETS, packets=PacketFacts(1)))
    orders = [asking.order(bought(10**6, 1000, f"c{i}")) for i in range(PER_ORDER_MAX + 1)]
    written = engine.settle(orders)

    assert PER_ORDER_MAX == sum(line.code == "packet" for line in written[-1].lines)
    assert max(len(each.lines) for each in written) <= LINES_MAX


# ---------------------------------------------------------------- ends of lots


@pytest.mark.parametrize("ages", [None, (1, 1)])
def test_a_lot_paid_in_cash_leaves_no_points_behind(ages: tuple[int, int] | None) -> None:
    """100 points at a multiple of 0.5: when the lot ends, at its multiple or by age, the rest of its points goes with it."""
    release = ReleaseFacts(OF_CONCESSION, 2500 if ages else 5000, None, 1, ages, 5000, cash=True)
    both = Both(PlanFacts((10_000, 10_000), ALL_DIVIDEND, release=release))
    both.settle(bought(100, 10_000))
    both.settle(bought(100, 10_000, "B", 1))
    held = both.engine.facts().balances.get(("consumer:A:points", "POINT"), 0)

    assert 0 == held
