"""Books: balances as a fold of transfers, all of a batch or none of it, to the micro."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_worlds import World, plain_balances, rows_from, transfers_of, worlds

from rangli.errors import LedgerError, LimitReached
from rangli.ledger import CODES, Accounts, Books, Transfers, unit_of_account
from rangli.ledger.accounts import CONSUMER, INSTITUTIONS, POCKETS, POINT_ISSUER, VOUCHER_ISSUER
from rangli.ledger.books import FIXED, NO_ACCOUNT, _exact_sum
from rangli.ledger.transfers import (
    BURN,
    CNY,
    INJECTION,
    MINT,
    PLATFORM,
    POINT,
    REFUND,
    UNIT_NAMES,
    VOUCHER,
    VOUCHER_OUT,
    VOUCHER_SPENT,
)
from rangli.money import MICRO_MAX

NOBODY = Transfers.empty(0)
EVA = len(INSTITUTIONS) * POCKETS
"""The wallet of the first consumer; her points and vouchers follow."""
BOB = EVA + POCKETS


@given(worlds())
def test_balances_are_the_sum_of_what_came_and_went(world: World) -> None:
    """The whole point of books; a dictionary adds them up a second time."""
    books = Books()
    books.fold(world.transfers)
    expected = plain_balances(world.transfers)

    assert expected == {account: books.balance_micro(account) for account in books.touched().tolist()}
    assert sum(map(abs, expected.values())) == int(np.abs(books.balance).sum())


@given(worlds(), st.lists(st.integers(0, 40), max_size=4))
def test_batches_do_not_matter(world: World, cuts: list[int]) -> None:
    """A live programme folds order by order, a replay by the million; both must end in the same books."""
    rows = len(world.transfers.order)
    edges = sorted({0, rows, *(min(cut, rows) for cut in cuts)})
    whole, parts = Books(), Books()
    whole.fold(world.transfers)
    for start, end in pairwise(edges):
        parts.fold(rows_from(world.transfers, start), end - start)

    assert whole.freeze() == parts.freeze()


@given(worlds())
def test_the_trial_balance_is_zero_in_every_unit(world: World) -> None:
    """Money, points and vouchers come from somewhere: what one account gains another one gave."""
    books = Books()
    books.fold(world.transfers)

    assert {"CNY": 0, "POINT": 0, "VOUCHER": 0} == books.trial_balance()


def test_the_trial_balance_shows_what_is_missing() -> None:
    """A trial balance that cannot be anything but zero proves nothing."""
    books = Books()
    books.fold(transfers_of([(0, 0, EVA, 5, PLATFORM), (0, POINT_ISSUER * POCKETS, EVA + 1, 7, MINT)]))
    books.balance[EVA + 1] += 1

    assert {"CNY": 0, "POINT": 1, "VOUCHER": 0} == books.trial_balance()


def test_a_sum_of_balances_does_not_wrap() -> None:
    """Sixteen balances at the limit are 2**64, which int64 takes for zero without a word."""
    assert 16 * MICRO_MAX == _exact_sum(np.full(16, MICRO_MAX, np.int64))
    assert -16 * MICRO_MAX - 16 == _exact_sum(np.full(16, -MICRO_MAX - 1, np.int64))


@given(worlds())
def test_rows_list_every_touched_account_by_path(world: World) -> None:
    """A list of balances is compared between programmes, so its order is that of the paths and not of arrival."""
    books = Books()
    books.fold(world.transfers)
    rows = list(books.rows(world.accounts))
    expected = {world.accounts.path(account): amount for account, amount in plain_balances(world.transfers).items()}

    assert sorted(expected.items()) == [(path, amount_micro) for path, _, amount_micro in rows]
    assert [UNIT_NAMES[unit_of_account(world.accounts.account(path))] for path, *_ in rows] == [unit for _, unit, _ in rows]


def test_an_account_that_came_back_to_zero_is_still_listed() -> None:
    """Whoever was paid and paid back has a history, and looks for it in the list."""
    accounts = Accounts()
    accounts.number(CONSUMER, "eva")
    books = Books()
    books.fold(transfers_of([(0, 0, EVA, 5, PLATFORM), (1, EVA, 0, 5, PLATFORM + REFUND)]))

    assert [("consumer:eva:wallet", "CNY", 0), ("platform:surplus", "CNY", 0)] == list(books.rows(accounts))


def test_books_that_saw_nothing_hold_nothing() -> None:
    """The empty case is the first that a new programme meets."""
    books = Books()
    books.fold(NOBODY)
    books.fold(transfers_of([(0, 0, EVA, 5, PLATFORM)]), 0)

    assert [] == list(books.rows(Accounts()))
    assert 0 == books.balance_micro(EVA) == books.balance_micro(2**31 - 1)


# ---------------------------------------------------------------- units


def test_every_account_holds_one_unit() -> None:
    """So one number by account is enough, and a path says what its amount is an amount of."""
    accounts = Accounts(["charity"])
    accounts.number(CONSUMER, "eva")
    accounts.packets_pot("kfc", 1)
    pockets = [unit_of_account(accounts.account("consumer:eva:wallet") + pocket) for pocket in range(POCKETS)]
    institutions = {path: unit_of_account(accounts.account(path)) for path in [*INSTITUTIONS, "programme:fund:charity"]}

    assert [CNY, POINT, VOUCHER, CNY, CNY, CNY, NO_ACCOUNT, NO_ACCOUNT] == pockets
    assert {"programme:points": POINT, "programme:vouchers": VOUCHER} == {p: u for p, u in institutions.items() if u != CNY}
    assert CNY == unit_of_account(accounts.account("programme:packets:kfc:1"))


def test_an_institution_has_one_pocket() -> None:
    """An amount in the pool's second pocket would be in no list of balances."""
    assert {NO_ACCOUNT} == {unit_of_account(account) for account in range(FIXED) if account & (POCKETS - 1)}


FAULTS = {
    "source is negative": ((0, -1, EVA, 5, PLATFORM), "negative"),
    "destination is negative": ((0, 0, -8, 5, PLATFORM), "negative"),
    "no such code": ((0, 0, EVA, 5, len(CODES)), "no such code"),
    "no such reversal": ((0, 0, EVA, 5, REFUND + len(CODES)), "no such code"),
    "code past the table": ((0, 0, EVA, 5, 2 * REFUND), "no such code"),
    "code is negative": ((0, 0, EVA, 5, -1), "no such code"),
    "points by a code of money": ((0, POINT_ISSUER * POCKETS, EVA + 1, 5, PLATFORM), "unit"),
    "money into points": ((0, 0, EVA + 1, 5, PLATFORM), "unit"),
    "points into a wallet": ((0, EVA + 1, EVA, 5, BURN), "unit"),
    "vouchers from the point issuer": ((0, POINT_ISSUER * POCKETS, EVA + 2, 5, VOUCHER_OUT), "unit"),
    "a pocket that nobody has": ((0, 0, EVA + 6, 5, PLATFORM), "unit"),
    "an institution's second pocket": ((0, 1, EVA, 5, PLATFORM), "unit"),
    "nothing": ((0, 0, EVA, 0, PLATFORM), "1 to"),
    "less than nothing": ((0, 0, EVA, -5, PLATFORM), "1 to"),
    "the least int64": ((0, 0, EVA, -(2**63), PLATFORM), "1 to"),
    "more than any account holds": ((0, 0, EVA, MICRO_MAX + 1, PLATFORM), "1 to"),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("before", [0, 3])
def test_a_faulty_transfer_is_refused_with_its_row_and_nothing_is_booked(name: str, before: int) -> None:
    """Half a batch in the books is worse than none: nobody knows which half."""
    row, why = FAULTS[name]
    books = Books()
    books.fold(transfers_of([(0, 0, BOB, 11, PLATFORM)]))
    frozen = books.freeze()
    with pytest.raises(LedgerError) as refused:
        books.fold(transfers_of([(0, BOB, EVA, 7, PLATFORM)] * before + [row] + [(1, 0, EVA, 7, PLATFORM)]))

    assert frozen == books.freeze()
    assert {0, BOB} == set(np.flatnonzero(books.balance).tolist())
    assert f"transfer {before} " in refused.value.en
    assert f"第 {before} 行" in refused.value.zh
    assert why in refused.value.en


def test_vouchers_and_points_move_between_their_own_accounts() -> None:
    """The checks of units refuse what is wrong and nothing else."""
    issuer, voucher_issuer = POINT_ISSUER * POCKETS, VOUCHER_ISSUER * POCKETS
    books = Books()
    books.fold(
        transfers_of(
            [
                (0, issuer, EVA + 1, 9, MINT),
                (0, EVA + 1, issuer, 4, BURN),
                (1, voucher_issuer, EVA + 2, 6, VOUCHER_OUT),
                (2, EVA + 2, voucher_issuer, 1, VOUCHER_SPENT),
            ]
        )
    )

    assert [5, 5, -5, -5] == [books.balance_micro(account) for account in (EVA + 1, EVA + 2, issuer, voucher_issuer)]


# ---------------------------------------------------------------- limits


def test_a_balance_may_reach_the_limit_and_not_pass_it() -> None:
    """Where int64 would wrap in silence, the books refuse aloud and stay as they are."""
    books = Books()
    books.fold(transfers_of([(0, 0, EVA, MICRO_MAX, INJECTION)]))
    at_limit = books.freeze()
    with pytest.raises(LimitReached):
        books.fold(transfers_of([(0, EVA, BOB, 1, INJECTION), (0, 8, BOB, 1, INJECTION), (0, 0, BOB, 2, INJECTION)]))
    with pytest.raises(LimitReached):
        books.fold(transfers_of([(0, BOB, EVA, 1, INJECTION)]))

    assert at_limit == books.freeze()
    assert (MICRO_MAX, -MICRO_MAX) == (books.balance_micro(EVA), books.balance_micro(0))


def test_limits_hold_at_each_transfer_and_not_only_at_the_end() -> None:
    """Otherwise the same transfers would pass in one batch and be refused in two."""
    there_and_back = transfers_of([(0, 0, EVA, MICRO_MAX, INJECTION), (0, 0, EVA, 1, INJECTION), (0, EVA, 0, 9, INJECTION)])
    with pytest.raises(LimitReached, match="transfer 1 "):
        Books().fold(there_and_back)


def test_a_transfer_to_itself_changes_no_balance_even_at_the_limit() -> None:
    """Taking and giving are one step."""
    books = Books()
    books.fold(transfers_of([(0, 0, EVA, MICRO_MAX, INJECTION), (0, EVA, EVA, MICRO_MAX, INJECTION), (0, 0, 0, 5, INJECTION)]))

    assert (MICRO_MAX, -MICRO_MAX) == (books.balance_micro(EVA), books.balance_micro(0))


# ---------------------------------------------------------------- freeze and thaw


@given(worlds())
def test_thawed_books_are_the_frozen_ones_and_go_on_alike(world: World) -> None:
    """A checkpoint stands in for all the transfers before it."""
    books = Books()
    books.fold(world.transfers)
    thawed = Books.thaw(books.freeze())

    assert list(books.rows(world.accounts)) == list(thawed.rows(world.accounts))
    thawed.fold(world.transfers)
    books.fold(world.transfers)

    assert books.freeze() == thawed.freeze()


def _frozen() -> bytes:
    books = Books()
    books.fold(transfers_of([(0, 0, EVA, 5, PLATFORM), (0, POINT_ISSUER * POCKETS, EVA + 1, 7, MINT)]))
    return books.freeze()


def test_damaged_books_are_never_taken_for_the_frozen_ones() -> None:
    """Whichever byte is flipped, the books are refused or differ from what was frozen."""
    for at in range(len(_frozen())):
        damaged = bytearray(_frozen())
        damaged[at] ^= 0x01
        with suppress(LedgerError):
            assert _frozen() != Books.thaw(bytes(damaged)).freeze()


@pytest.mark.parametrize("keep", [0, 1, 8, 15, 16, 40, -1])
def test_books_that_were_cut_short_are_refused(keep: int) -> None:
    """A checkpoint that was being written when the machine stopped must not pass for one."""
    with pytest.raises(LedgerError, match="the mark or the length is wrong"):
        Books.thaw(_frozen()[:keep])


def _frozen_of(accounts: list[int], balances: list[int]) -> bytes:
    return (
        b"RLBOOKS1"
        + np.array([len(accounts)], "<i8").tobytes()
        + np.array(accounts, "<i4").tobytes()
        + np.array(balances, "<i8").tobytes()
    )


@pytest.mark.parametrize(
    ("accounts", "balances", "why"),
    [
        ([0, EVA], [-5, 6], "do not sum to zero"),
        ([0, EVA, EVA + 1], [-5, 4, 1], "do not sum to zero"),
        ([EVA, 0], [5, -5], "ascending"),
        ([0, EVA, EVA], [-5, 5, 5], "ascending"),
        ([-8, EVA], [-5, 5], "ascending"),
        ([0, EVA], [-MICRO_MAX - 1, MICRO_MAX + 1], "past the limit"),
        ([0, EVA], [-(2**63), -(2**63)], "past the limit"),
    ],
)
def test_frozen_books_that_cannot_be_are_refused_and_say_why(accounts: list[int], balances: list[int], why: str) -> None:
    """What freezing promises is asked again where the books are relied on."""
    with pytest.raises(LedgerError, match=why) as refused:
        Books.thaw(_frozen_of(accounts, balances))

    assert "已损坏" in refused.value.zh
    assert _frozen_of([0, EVA], [-5, 5]) == Books.thaw(_frozen_of([0, EVA], [-5, 5])).freeze()


# ---------------------------------------------------------------- what it costs


def test_importing_the_ledger_does_not_load_numba() -> None:
    """The command line answers `--help` in a moment; Numba takes half a second before it does anything."""
    code = "import sys, rangli.ledger; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "False" == done.stdout.strip()


def test_room_grows_with_the_accounts() -> None:
    """New holders arrive between any two batches."""
    books = Books()
    far = 1_000_003 * POCKETS
    books.fold(transfers_of([(0, 0, EVA, 5, PLATFORM)]))
    books.fold(transfers_of([(0, EVA, far, 3, PLATFORM)]))

    assert [-5, 2, 3] == [books.balance_micro(account) for account in (0, EVA, far)]
