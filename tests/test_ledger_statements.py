"""Statements: what happened on one account, entry by entry, at any point in time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_worlds import World, accounts_by_unit, rows_from, transfers_of, worlds

from rangli.ledger import CODES, Accounts, Books, Entry, Transfers, code_words, statement
from rangli.ledger.accounts import CONSUMER, INSTITUTIONS, POCKETS
from rangli.ledger.transfers import CODE_NAMES, PACKET, PLATFORM, POT, REFUND, TAKEBACK

EVA = len(INSTITUTIONS) * POCKETS


def world_of_eva() -> tuple[Accounts, list[Transfers]]:
    """Eva has two packets from one pot; the second order is refunded and the packet that it had is taken back."""
    accounts = Accounts()
    accounts.number(CONSUMER, "eva")
    pot = accounts.packets_pot("kfc", 2) * POCKETS
    day_1 = transfers_of([(0, 0, pot, 900, POT), (0, pot, EVA, 300, PACKET), (1, pot, EVA, 200, PACKET)])
    day_2 = transfers_of([(-1, pot, 0, 50, PLATFORM), (0, EVA, pot, 200, TAKEBACK)])
    return accounts, [day_1, day_2]


def test_a_statement_tells_what_happened_in_order() -> None:
    """Each entry says where the money came from or went, why, in both languages, and what there was then."""
    accounts, batches = world_of_eva()
    told = statement(batches, EVA, accounts)
    pot = "programme:packets:kfc:2"
    packet, takeback = CODES[PACKET][2:], CODES[TAKEBACK][2:]

    assert ("consumer:eva:wallet", "CNY", 0, 300) == (told.path, told.unit, told.opening_micro, told.closing_micro)
    assert [
        Entry(1, 0, 0, pot, 300, 300, "packet", *packet),
        Entry(2, 0, 1, pot, 200, 500, "packet", *packet),
        Entry(4, 1, 0, pot, -200, 300, "takeback", *takeback),
    ] == told.entries


@pytest.mark.parametrize(
    ("since", "until", "opening", "positions", "closing"),
    [
        (0, 0, 0, [], 0),
        (0, 1, 0, [], 0),
        (0, 2, 0, [1], 300),
        (2, 3, 300, [2], 500),
        (3, 4, 500, [], 500),
        (2, None, 300, [2, 4], 300),
        (5, None, 300, [], 300),
        (99, None, 300, [], 300),
    ],
)
def test_a_statement_may_begin_and_end_anywhere(
    since: int, until: int | None, opening: int, positions: list[int], closing: int
) -> None:
    """Yesterday's statement must read today as it did yesterday."""
    accounts, batches = world_of_eva()
    told = statement(batches, EVA, accounts, since=since, until=until)

    assert (opening, positions, closing) == (told.opening_micro, [entry.position for entry in told.entries], told.closing_micro)


@given(worlds(), st.data())
def test_a_statement_agrees_with_the_books_at_every_position(world: World, data: st.DataObject) -> None:
    """The fold and the walk are two ways to one balance."""
    rows = len(world.transfers.order)
    cut, since, until = sorted(data.draw(st.lists(st.integers(0, rows), min_size=3, max_size=3)))
    batches = [world.transfers.first(cut), rows_from(world.transfers, cut)]
    before, after = Books(), Books()
    before.fold(world.transfers, since)
    after.fold(world.transfers, until)
    for account in chain(*accounts_by_unit(world.accounts)):
        told = statement(batches, account, world.accounts, since=since, until=until)
        balances = [told.opening_micro, *(entry.balance_micro for entry in told.entries)]

        assert (before.balance_micro(account), after.balance_micro(account)) == (told.opening_micro, told.closing_micro)
        assert balances[-1] == told.closing_micro
        assert [entry.amount_micro for entry in told.entries] == [b - a for a, b in pairwise(balances)]
        assert all(since <= entry.position < until for entry in told.entries)


@given(worlds())
def test_every_entry_stands_in_the_statement_of_its_counterparty_with_the_other_sign(world: World) -> None:
    """Two people who compare their statements find the same transfers."""
    accounts = chain(*accounts_by_unit(world.accounts))
    seen = sorted(
        (entry.position, told.path, entry.counterparty, entry.amount_micro)
        for told in (statement([world.transfers], account, world.accounts) for account in accounts)
        for entry in told.entries
    )

    assert seen == sorted((position, other, path, -amount) for position, path, other, amount in seen)
    assert 2 * len(world.transfers.order) == len(seen)


def test_batches_past_the_end_are_not_asked_for() -> None:
    """A statement of the first day must not read a year of transfers."""
    accounts, batches = world_of_eva()

    def only_the_first() -> Iterator[Transfers]:
        yield batches[0]
        message = "the second batch was asked for"
        raise AssertionError(message)

    assert 500 == statement(only_the_first(), EVA, accounts, until=3).closing_micro


def test_every_code_has_words_in_both_languages_and_a_reversal_has_its_own() -> None:
    """An entry that says only "refund" does not say of what."""
    codes = [code for code, name in enumerate(CODE_NAMES) if name]
    words = [code_words(code) for code in codes]

    assert len({zh for zh, _ in words}) == len({en for _, en in words}) == 2 * len(CODES)
    assert [code for code in codes if code >= REFUND] == [
        code for code, (zh, en) in zip(codes, words, strict=True) if zh.startswith("退款") and "refund" in en
    ]
