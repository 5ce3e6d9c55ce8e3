"""The lean pool of sweeps is the engine's pool: the same totals, to the last integer, and first of all the same exits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import oracle
import pytest
from cli_runs import SLOW_LANE
from hypothesis import given
from hypothesis import strategies as st
from oracle_plans import bought, of_code

from rangli import lab
from rangli.engine.draw import uniform
from rangli.engine.state import RETURNED_MICRO
from rangli.errors import InputRefused
from rangli.lab.pools import Case, End, case_of, run_pools
from rangli.ledger.accounts import MERCHANT as MERCHANT_KIND
from rangli.money import BP_PER_ONE, print_percent
from rangli.plan import CompiledPlan, load
from rangli.plan.terms import CONSUMER, MERCHANT, ORDER_PARTIES, Ints
from rangli.settle import Orders, Programme

PRICES = ((1, 1), (3, 1), (1, 4), (41, 20))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Pools of every kind: that mint or pay nothing, and force out at once, late or never."""
    paid_fen = draw(st.integers(1, 300) | st.integers(1, 10**7))
    return Case(
        paid_fen=paid_fen,
        paid_fen_max=paid_fen + draw(st.just(0) | st.integers(1, 10**6)),
        seed=draw(st.integers(0, 2**62)),
        share_bp=draw(st.sampled_from([1, 1600]) | st.integers(1, 1600)),
        mint_bp=draw(st.sampled_from([1, BP_PER_ONE]) | st.integers(1, BP_PER_ONE)),
        pays_bp=draw(st.sampled_from([1, BP_PER_ONE]) | st.integers(1, BP_PER_ONE)),
        price_num=(price := draw(st.sampled_from(PRICES)))[0],
        price_den=price[1],
        exit_bp=draw(st.just(0) | st.integers(100, 3000) | st.integers(100, 20_000)),
        basis_mint=draw(st.integers(0, 1)),
    )


def plan_of(case: Case, scope: str = "member") -> CompiledPlan:
    """The preset with the terms of a case; terms are set where no document can say them."""
    plan = load("zengzhi", [f"shares[0].rate={print_percent(case.share_bp)} of amount", f"pool.exit.scope={scope}"])
    pool = plan.terms.pool._replace(
        mint_bp=case.mint_bp,
        pays_bp=case.pays_bp,
        price_num=case.price_num,
        price_den=case.price_den,
        exit_bp=case.exit_bp,
        basis_mint=case.basis_mint,
    )
    return plan._replace(terms=plan.terms._replace(pool=pool))


def amounts_of(case: Case, orders: int) -> list[int]:
    """What the orders of a case pay."""
    paid, seed = [], case.seed
    for _ in range(orders):
        more, seed = (int(each) for each in uniform(seed, case.paid_fen_max - case.paid_fen + 1))
        paid.append(case.paid_fen + more)
    return paid


def by_engine(plan: CompiledPlan, paid_fen: list[int]) -> list[int]:
    """Orders of these amounts, each of a new consumer, settled as live ones are: the pool's totals, and what came back."""
    count = len(paid_fen)
    programme = Programme(plan, bytes(32))
    party = np.full((count, ORDER_PARTIES), -1, np.int32)
    party[:, MERCHANT] = programme.holder(MERCHANT_KIND, "m")
    party[:, CONSUMER] = len(programme.accounts) + np.arange(count)
    programme.nameless = count
    none: Ints = np.zeros(count, np.int64)
    status = np.zeros(count, np.uint8)
    for _ in programme.run(Orders(np.array(paid_fen, np.int64), none + 2000, none, none + 20_454, none, party), status):
        pass
    assert not status.any()
    assert programme.state.pool is not None
    return [*map(int, programme.state.pool.totals), int(programme.state.holdings.tally[RETURNED_MICRO])]


# ---------------------------------------------------------------- the same integers


@given(case=cases(), orders=st.integers(1, 250), scope=st.sampled_from(["member", "order"]))
def test_the_lean_pool_ends_as_the_engine_does(case: Case, orders: int, scope: str) -> None:
    """Pool, supply, last price, members waiting, exits, the first of them, and the cash: all of it, for equal and drawn orders.

    Whatever a sweep says about a pool, live settlement would have done.
    """
    expected = by_engine(plan_of(case, scope), amounts_of(case, orders))

    assert expected == run_pools([case], orders)[0].tolist()


@given(case=cases(), orders=st.integers(1, 60))
def test_the_lean_pool_ends_as_the_oracle_does(case: Case, orders: int) -> None:
    """The oracle is plain Python from the rules and shares nothing with the engine, so both would have to be wrong alike."""
    pool = {"mint_bp": case.mint_bp, "pays_bp": case.pays_bp, "opening_price": (case.price_num, case.price_den)}
    basis = {"exit_bp": case.exit_bp, "exit_basis": "mint_value" if case.basis_mint else "spend"}
    shares = [{"to": "pool", "of": "amount", "rate": case.share_bp}]
    programme = oracle.Programme({"concession": (2000, 2000), "shares": shares, "pool": {**pool, **basis}}, bytes(32))
    exits = []
    for number, paid_fen in enumerate(amounts_of(case, orders), 1):
        settled = programme.settle(bought(str(number), paid_fen, 2000, f"c{number}"))
        exits += [(number, each.amount) for each in of_code(settled.order, "burn")]
    held = programme.pool_state()
    end = End.of(run_pools([case], orders)[0])

    assert (held.pool, held.supply) == (end.pool_micro, end.supply_micro)
    assert Fraction(*end.price) == programme.price()
    assert (len(exits), exits[0][0] if exits else 0) == (end.exits, end.first_exit)
    assert end.pool_micro + end.returned_micro == sum(paid * case.share_bp for paid in amounts_of(case, orders))


@pytest.mark.parametrize("orders", [1, 3, 1136, 1137, 3000])
def test_a_run_of_equal_orders_is_the_simulation(orders: int) -> None:
    """The sources' pool: the lean one and ``rangli simulate`` tell one story, the first exit at order 1,137 in it."""
    plan = load("zengzhi")
    simulated = lab.simulate(plan, orders, 100_000, 2000, 7)
    end = End.of(run_pools([case_of(plan, 100_000, 2000)], orders)[0])

    assert (simulated.orders, simulated.pool_micro, simulated.supply_micro) == end[:3]
    assert (simulated.price, simulated.exits, simulated.first_exit) == (end.price, end.exits, end.first_exit)
    assert simulated.returned_micro == end.returned_micro


@given(many=st.lists(cases(), min_size=1, max_size=9), parts=st.integers(1, 12), orders=st.integers(1, 40))
def test_the_parts_of_a_sweep_do_not_show(many: list[Case], parts: int, orders: int) -> None:
    """Threads are there for speed; an answer that hangs on their number is no answer."""
    one_by_one = [run_pools([case], orders)[0].tolist() for case in many]
    with ThreadPoolExecutor(3) as threads:
        assert one_by_one == run_pools(many, orders, threads, parts).tolist()
    assert one_by_one == run_pools(many, orders).tolist()


# ---------------------------------------------------------------- what a plan says


def test_a_case_is_read_from_the_plan() -> None:
    """Its rates are the document's, wherever the share of the pool is written."""
    case = case_of(load("zengzhi", ["pool.exit.at=200%", "pool.exit.basis=mint_value"]), 50_000, 2000)

    assert Case(50_000, 50_000, 0, 1600, 7000, 8000, 1, 1, 20_000, 1) == case
    assert case._replace(share_bp=900) == case_of(
        load("zengzhi", ["pool.exit.at=200%", "pool.exit.basis=mint_value", "shares[0].rate=45% of concession"]), 50_000, 2000
    )


@pytest.mark.parametrize(
    ("plan", "changes", "word"),
    [
        ("moudian", [], "no pool"),
        ("zengzhi", ["shares[0].rate=33.33% of concession"], "finer than 0.01 %"),
    ],
)
def test_a_plan_that_has_no_such_case_is_refused_in_words(plan: str, changes: list[str], word: str) -> None:
    """A rounded share would be another plan's answer."""
    with pytest.raises(InputRefused, match=word):
        case_of(load(plan, changes), 100_000, 2000)


@pytest.mark.parametrize(
    "change", [{"mint_bp": 10_001}, {"paid_fen": 0}, {"paid_fen": 11}, {"paid_fen_max": 10**10 + 1}, {"pays_bp": -1}]
)
def test_a_case_that_no_pool_can_have_is_refused_before_anything_runs(change: dict[str, int]) -> None:
    """With more minted than comes in, the price could fall, and the queue would no longer be the heap."""
    case = Case(10, 10, 0, 1600, 7000, 8000, 1, 1, 12_000, 0)
    with pytest.raises(InputRefused, match="0 to 100 %"):
        run_pools([case, case._replace(**change)], 5)


def test_more_orders_than_the_books_hold_are_refused() -> None:
    """The lean pool looks at no limit while it runs, so it has to know beforehand that none will be passed."""
    case = Case(100_000, 100_000, 0, 1600, 7000, 8000, 1, 1, 12_000, 0)
    with pytest.raises(InputRefused, match="limits of the books"):
        run_pools([case], 10**10)


@pytest.mark.skipif(SLOW_LANE, reason="a million orders, compiled")
def test_one_order_in_2625_still_exits_after_a_million() -> None:
    """At 1.2 x the share of forced exits stays what it was in the first hundred thousand."""
    end = End.of(run_pools([case_of(load("zengzhi"), 100_000, 2000)], 1_000_000)[0])

    assert 1137 == end.first_exit
    assert 381 == end.exits
    assert 2625 == (end.orders * 2 + end.exits) // (2 * end.exits)


# ---------------------------------------------------------------- what the source's own pool comes to


@pytest.mark.skipif(SLOW_LANE, reason="ten million orders")
@pytest.mark.parametrize(
    ("mint", "orders", "exits", "first"),
    [("70%", 100_000, 38, 1_137), ("70%", 10_000_000, 3_810, 1_137), ("20%", 10_000_000, 664_835, 14)],
)
def test_exits_of_equal_orders_are_those_that_the_models_name(mint: str, orders: int, exits: int, first: int) -> None:
    """One order in 2,625 ever exits at 1.2 times; of a fifth minted 6.6 %; never more than 16.7 %: an exit pays six shares."""
    (row,) = run_pools([case_of(load("zengzhi", [f"pool.mint={mint}"]), 100_000, 2000)], orders)
    end = End.of(row)

    assert (exits, first) == (end.exits, end.first_exit)
    assert 6 * exits <= orders
