"""Refunds: the engine against the oracle, and every leg returned exactly however a refund is cut up."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from engine_bridge import Asking, Engine, compiled
from engine_worlds import Action, Asked, PlanFacts, Sale, worlds
from hypothesis import given
from hypothesis import strategies as st
from oracle import Order, RowRefused, Transfer

from rangli.engine.out import LINES_MAX
from rangli.engine.refund import reversed_parts
from rangli.errors import RefundTooLarge
from rangli.ledger.accounts import CONSUMER, MERCHANT
from rangli.ledger.transfers import Transfers
from rangli.money import reversed_of
from rangli.plan import load
from rangli.plan.terms import ORDER_PARTIES, RECRUITER, REFERRER
from rangli.settle import Orders, Programme, Settled

YUAN = 10**6


class Refunding:
    """Both programmes side by side, order by order, with what the engine needs for refunds."""

    def __init__(self, facts: PlanFacts) -> None:
        self.asking = Asking(facts)
        self.engine = Engine(compiled(facts))
        self.settled: dict[str, Settled] = {}

    def act(self, action: Action) -> None:
        """An order or a sale in both; what the engine's order left is kept."""
        if isinstance(action, Asked):
            self._order(self.asking.order(action))
        elif isinstance(action, Sale):
            points = self.asking.points_for(action)
            try:
                expected = self.asking.programme.sell(action.consumer, points) if points else None
            except RowRefused:
                return
            if expected is not None:
                assert expected == self.engine.sell(action.consumer, points).lines

    def _order(self, order: Order) -> None:
        expected = self.asking.settle(order)
        programme = self.engine.programme
        batch = self.engine.batch([order])
        status = np.zeros(1, np.uint8)
        number = programme.order_count
        chunks = []
        for chunk in programme.run(batch, status):
            lines = Transfers(*(column.copy() for column in chunk.transfers))
            if len(lines.order) and lines.order[0] >= 0:
                chunks.append(lines)
            self.engine.read(lines)
            if status[0] == 0 and number == len(self.engine.settled_ids) and chunk.settled[1]:
                self.engine.settled_ids.append(order.order_id)
            self.engine.closed += [self.engine._closed_lot(row) for row in chunk.closed.tolist()]
        assert (expected.reason == "settled") == (status[0] == 0)
        if status[0] == 0:
            lines = (
                Transfers(*(np.concatenate(columns) for columns in zip(*chunks, strict=True))) if chunks else Transfers.empty(0)
            )
            self.settled[order.order_id] = Settled.of(programme, batch, 0, number, lines)

    def refund(self, order_id: str, refund_fen: int) -> tuple[list[Transfer], list[Transfer]]:
        """What the oracle and the engine write for the same refund."""
        record = self.settled[order_id]
        received = [lot.received_fen for lot in self.engine.closed if lot.order_id == order_id]
        if received:
            record.received_fen = received[0]
        expected = self.asking.programme.refund(order_id, refund_fen)
        chunk = self.engine.programme.refund(record, refund_fen)
        self.engine.closed += [self.engine._closed_lot(row) for row in chunk.closed.tolist()]
        return expected, self.engine.read(chunk.transfers)


@given(worlds(most=25), st.data())
def test_a_refund_writes_what_the_oracle_writes(world: tuple[PlanFacts, list[Action]], data: st.DataObject) -> None:
    """Orders, sales and refunds in any order, each refund compared line by line, and all that both know at the end."""
    facts, actions = world
    both = Refunding(facts)
    for action in actions:
        both.act(action)
        open_ids = [name for name, record in both.settled.items() if record.refunded_fen < record.paid_fen]
        if open_ids and data.draw(st.integers(0, 2)) == 0:
            name = data.draw(st.sampled_from(open_ids))
            left = both.settled[name].paid_fen - both.settled[name].refunded_fen
            expected, actual = both.refund(name, data.draw(st.sampled_from([left, 1, 1 + left // 3])))

            assert expected == actual

    assert both.asking.facts() == both.engine.facts()


def test_more_than_was_paid_is_refused_and_changes_nothing() -> None:
    """A second full refund is what double clicks and retried callbacks ask for."""
    programme = Programme(load("weituanbao"), bytes(32))
    record = _one_order(programme, paid_fen=10_000, concession_bp=2000)
    programme.refund(record, 4_000)
    before = programme.hash()
    for refund_fen in (6_001, 0, -1, 10_000):
        with pytest.raises(RefundTooLarge, match=r"60\.00"):
            programme.refund(record, refund_fen)

    assert before == programme.hash()
    assert record.refunded_fen == 4_000
    assert programme.refund(record, 6_000).transfers.amount.sum() > 0


def _one_order(programme: Programme, paid_fen: int, concession_bp: int) -> Settled:
    """One order with every party that weituanbao and zengzhi ask for."""
    party = np.full((1, ORDER_PARTIES), -1, np.int32)
    party[0, 0], party[0, 1] = programme.holder(CONSUMER, "A"), programme.holder(MERCHANT, "M")
    for column in range(REFERRER, ORDER_PARTIES):
        party[0, column] = programme.holder(CONSUMER if column < RECRUITER else 2, f"party {column}")
    number = programme.order_count
    one = (np.array([value], np.int64) for value in (paid_fen, concession_bp, 0, 20_000, 7))
    orders = Orders(*one, party)
    lines = [Transfers(*(column.copy() for column in chunk.transfers)) for chunk in programme.run(orders, np.zeros(1, np.uint8))]
    return Settled.of(programme, orders, 0, number, lines[-1])


@pytest.mark.parametrize("name", ["weituanbao", "moudian", "zengzhi", "zhongdian"])
def test_random_partial_refunds_that_end_in_a_full_one_return_every_leg_exactly(name: str) -> None:
    """2,000 orders, 500 a plan: no negative step, no leg over-reversed, every leg returned to the micro."""
    chance = random.Random(f"refunds of {name}")
    programme = Programme(load(name), bytes(32))
    low, high = programme.terms.concession_bp_min, programme.terms.concession_bp_max
    for _ in range(500):
        paid_fen = chance.choice([chance.randint(1, 30), chance.randint(1, 100_000), chance.randint(1, 10**10)])
        record = _one_order(programme, paid_fen, chance.randint(low, high))
        legs = Counter[int]()
        for leg in record.legs:
            legs[leg.code] += leg.amount_micro
        returned = Counter[int]()
        left = paid_fen
        for _ in range(6):
            if left == 0:
                break
            part = min(left, chance.choice([1, chance.randint(1, left), left // 2 + 1]))
            left -= part
            _take(programme, record, part, returned)
            assert all(returned[code] <= amount for code, amount in legs.items()), "over-reversed"
        if left:
            _take(programme, record, left, returned)

        assert legs == +returned


def _take(programme: Programme, record: Settled, refund_fen: int, returned: Counter[int]) -> None:
    """Refund and count what came back to the merchant's concession by code."""
    concession = record.merchant * 8 + 3
    transfers = programme.refund(record, refund_fen).transfers
    for to, amount, code in zip(transfers.destination, transfers.amount, transfers.code, strict=True):
        assert amount > 0, "a negative step"
        if to == concession:
            returned[int(code) - 32] += int(amount)


@given(st.lists(st.integers(0, 10**14), min_size=1, max_size=24), st.integers(0, 10**6))
def test_the_compiled_divisor_rule_is_the_one_of_money(amounts: list[int], permyriad: int) -> None:
    """Two texts of one rule, or the ledger and the plan's paper disagree by a micro."""
    total = sum(amounts) * permyriad // 10**6
    legs = np.zeros((len(amounts), 4), np.int64)
    legs[:, 1] = amounts
    parts = np.zeros(len(amounts), np.int64)
    reversed_parts(legs, total, parts)

    assert reversed_of(amounts, total) == parts.tolist()


def test_a_refunded_lot_leaves_its_queue_and_gives_back_what_it_received() -> None:
    """The next order pays the lots that are left, and the pot has what the refunded one had got."""
    programme = Programme(load("weituanbao"), bytes(32))
    first = _one_order(programme, 10_000, 2000)
    second = _one_order(programme, 10_000, 2000)
    chunk = programme.refund(first, 10_000)
    queues = programme.state.queues
    assert queues is not None

    assert [[first.number, 10_000, 1, first.received_fen]] == chunk.closed[:, [0, 3, 4, 5]].tolist()
    assert first.received_fen == 100, "the second order finds 20 yuan in the pot and pays a twentieth to the one in its window"
    assert [second.number] == queues.lots[queues.rows[0, 0] + queues.rows[0, 2] :, 0][:1].tolist()
    assert LINES_MAX > len(chunk.transfers.code)
