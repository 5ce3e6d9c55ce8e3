"""The promises' own code: that it is its own, that it reads plans as they are written, and that it copes with every clause."""

from __future__ import annotations

import ast
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
import oracle_draws
import pyarrow as pa
import pytest
from audit_worlds import SECRET, Books, Row, orders_of, settled
from hypothesis import given
from hypothesis import strategies as st

from rangli.files.audit import audit
from rangli.files.promises import draws, faults
from rangli.files.promises.facts import rates_of, shares_of
from rangli.files.promises.register import NO_ACCOUNT, Register, nature
from rangli.ledger.transfers import CNY, POINT, VOUCHER
from rangli.money import Ratio
from rangli.plan import load, presets
from rangli.plan.shares import flat, form_of

PROMISES: Final = Path(__file__).parents[1] / "src" / "rangli" / "files" / "promises"

# ---------------------------------------------------------------- its own


def engine_imports(source: str) -> set[str]:
    """What a module imports from the engine, from the settlement, and of the compiled terms."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    banned = ("rangli.engine", "rangli.settle", "rangli.lab", "rangli.plan.compile", "rangli.plan.shares")
    return {name for name in found if name.startswith(banned)}


def test_the_checks_share_nothing_with_what_they_check() -> None:
    """A fault that both have is found by neither. They share the decorator that compiles them, and nothing else."""
    assert {"rangli.engine.draw.siphash"} == engine_imports("from rangli.engine.draw import siphash")
    imported = {path.name: engine_imports(path.read_text("utf-8")) for path in PROMISES.glob("*.py")}

    assert {"rangli.engine.kernel.kernel"} == set().union(*imported.values())


# ---------------------------------------------------------------- draws


@given(st.binary(min_size=32, max_size=32), st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable()))
def test_the_key_of_an_order_is_that_of_the_rules(secret: bytes, order_id: str) -> None:
    """Whoever knows the day's secret can tell every packet of the day; so it must be one number, however it is computed."""
    assert oracle_draws.siphash24(secret[:16], order_id.encode()) == draws.order_key(secret, order_id)


@given(st.integers(0, 2**64 - 1), st.integers(1, 30), st.integers(0, 2**40))
def test_an_issue_is_cut_as_the_rules_cut_it(key: int, lots: int, more: int) -> None:
    """With room for all, the packets are the parts of the cut."""
    issue = lots + more

    assert oracle_draws.cut(oracle_draws.draws(key), issue, lots) == draws.packets(key, issue, [issue] * lots)


def test_what_a_cap_cuts_off_goes_to_the_oldest_with_room() -> None:
    """The third rule of section 3: nobody gets more than he has room for, and what he cannot take is not lost to the others."""
    assert [3, 40, 57] == draws.packets(1, 100, [3, 40, 57])
    assert [1, 1, 1] == draws.packets(1, 100, [1, 1, 1])
    got = draws.packets(1, 100, [200, 1, 200])

    assert 1 == got[1]
    assert 100 == sum(got)


def test_the_commitment_of_a_day_is_known() -> None:
    """It is what was published before the day, and cannot be anything else after it."""
    assert "2026-01-05" == draws.day_text(20458)
    expected = oracle_draws.commitment(oracle_draws.day_secret(SECRET, date(2026, 1, 5))).hex()

    assert expected == draws.commitment(draws.day_secret(SECRET, 20458))


# ---------------------------------------------------------------- plans


@pytest.mark.parametrize("name", presets())
def test_rates_read_from_the_document_are_those_of_its_proof(name: str) -> None:
    """Two readings of one document: as fractions here, as linear forms where the plan is proved to fit."""
    plan = load(name).plan
    table = rates_of(plan, shares_of(plan))
    forms = [form_of(share.rate) for share in flat(plan) if share.to != "platform"]

    for row, bp in enumerate(range(plan.concession.bp_min, plan.concession.bp_max + 1)):
        read = [Fraction(int(num), int(den)) for num, den in zip(table.num[row], table.den[row], strict=True)]
        assert [form.bp(bp) for form in forms] == read


def test_the_products_of_rates_stay_in_64_bits() -> None:
    """The checks multiply what was paid by a numerator; a wrapped product would pass a wrong share as right."""
    widest = Ratio.of(10_000 * 9_999 + 1, 9_999)

    assert 10**10 * widest.num < 2**63


# ---------------------------------------------------------------- accounts


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("consumer:甲%3A乙:wallet", CNY),
        ("consumer:甲:points", POINT),
        ("merchant:店:vouchers", VOUCHER),
        ("merchant:店:concession", CNY),
        ("programme:packets:店:3", CNY),
        ("programme:fund:promotion", CNY),
        ("programme:points", POINT),
        ("programme:vouchers", VOUCHER),
        ("platform:surplus", CNY),
        ("", NO_ACCOUNT),
        ("consumer:甲", NO_ACCOUNT),
        ("consumer:甲:乙:wallet", NO_ACCOUNT),
        ("consumer:甲:purse", NO_ACCOUNT),
        ("nobody:甲:wallet", NO_ACCOUNT),
        ("programme:packets", NO_ACCOUNT),
    ],
)
def test_a_path_says_what_its_account_holds(path: str, unit: int) -> None:
    """A line whose accounts do not hold its unit moves money into something that is none."""
    assert unit == nature(path).unit


@given(st.lists(st.lists(st.text(max_size=12), max_size=40), max_size=8))
def test_the_register_numbers_texts_as_a_dictionary_would(batches: list[list[str]]) -> None:
    """Two accounts taken for one would balance each other's faults."""
    register = Register()
    expected: dict[str, int] = {}
    for batch in batches:
        numbers = [expected.setdefault(text, len(expected)) for text in batch]

        assert numbers == register.numbers(pa.array(batch, pa.string())).tolist()
    assert list(expected) == register.paths().to_pylist()
    assert list(expected) == [register.path(number) for number in range(len(expected))]


def test_every_fault_has_its_number_and_its_words() -> None:
    """The compiled checks write numbers; a number past the table would be put into no words."""
    numbers = [int(value) for name, value in vars(faults).items() if isinstance(value, np.int64)]

    assert list(range(len(faults.FAULTS))) == sorted(numbers)
    assert all(fault.zh and fault.en for fault in faults.FAULTS)


# ---------------------------------------------------------------- every clause

QUEUES = """
plan: queues
title: {zh: 排队, en: queues}
concession: {min: 0%, max: 40%}
funds: [promotion]
shares:
  - {to: packets, rate: 40% of concession}
  - {to: referrer, rate: 10% of concession, else: packets}
  - {to: recruiter, rate: 5% of concession, as: vouchers, else: fund.promotion}
  - {to: fund.promotion, rate: 3.33% of concession}
  - {to: merchant, rate: 2% of concession}
  - {to: consumer, rate: 1% of concession}
  - {to: agent.region, rate: 1% of concession, else: merchant}
packets:
  {per_order: 3, tiers: [50], merchant_tiers: {面馆: [10, 100, 500]}, exit: {packets: 4, received: 0.33%}, own_orders: skip}
bonus:
  - {to: referrer, amount: 1, once_per: consumer}
  - {to: agent.city, amount: 2.5, once_per: merchant}
offset: {vouchers: 50%}
"""
POOL = """
plan: pool
title: {zh: 池, en: pool}
concession: {min: 10%, max: 20%}
shares:
  - {to: pool, rate: 50% of concession}
  - {to: referrer, rate: {of: amount, by: concession, from: [12%, 0.1%], to: [19%, 1.03%]}, else: pool}
  - {to: agent.district, rate: 0.1% of amount}
  - {to: agent.city, rate: 0.2% of amount, differential: true}
  - {to: agent.province, rate: 0.3% of amount, differential: true}
pool: {mint: 60%, pays: 77.77%, opening_price: 0.03, exit: {at: 250%, scope: order, basis: mint_value}}
"""
CASH = """
plan: cash
title: {zh: 现金, en: cash}
concession: {min: 10%, max: 20%}
shares:
  - {to: dividend, rate: 30% of concession}
  - {to: packets, rate: 30% of concession}
points:
  - {to: consumer, rate: 3.33% of amount}
  - {to: merchant, rate: 100% of concession}
packets: {per_order: 20, tiers: [100], exit: {packets: 2}}
release: {rate: 30% of points, close: {growth: 5%, days: 3}, periods: 2, extended: 3, pays: cash}
"""


def with_concessions(*percents: str) -> list[Row]:
    """Orders that take turns at these concessions."""
    return [{**row, "concession": percents[i % len(percents)]} for i, row in enumerate(orders_of("weituanbao"))]


@pytest.mark.parametrize(
    ("text", "rows", "codes"),
    [
        (
            QUEUES,
            with_concessions("0%", "40%", "7.77%"),
            {"packet", "fund", "merchant", "consumer", "backing", "voucher", "bonus"},
        ),
        (POOL, with_concessions("10%", "13.37%", "20%"), {"mint", "exit", "burn", "agent.city", "agent.province", "pool"}),
        (CASH, with_concessions("10%", "20%"), {"release", "burn", "zeroed", "mint", "packet"}),
    ],
    ids=["queues", "pool", "cash"],
)
def test_honest_books_of_every_clause_pass(tmp_path: Path, text: str, rows: list[Row], codes: set[str]) -> None:
    """The presets use a part of the vocabulary; a plan may use all of it."""
    directory = settled(tmp_path, "weituanbao", text, rows)
    report = audit(directory)
    there = {row["code"] for row in Books(directory).transfers}

    assert [] == report.broken
    assert codes <= there


def test_books_of_no_orders_pass(tmp_path: Path) -> None:
    """A day without business is settled and audited like any other."""
    report = audit(settled(tmp_path, "weituanbao", rows=[]))

    assert report.ok
    assert 0 == report.checked.get("orders", 0)
