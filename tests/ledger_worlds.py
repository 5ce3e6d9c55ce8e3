"""Small books for the tests of the ledger: holders with hostile names, and transfers between accounts of one unit."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from rangli.ledger import CODES, Accounts, Transfers, unit_of_account
from rangli.ledger.accounts import AGENT, CONSUMER, MERCHANT, NAME_BYTES_MAX, POCKETS
from rangli.ledger.transfers import REFUND

HOSTILE_NAMES = (
    "kfc",
    "KFC",
    "Kfc",
    "k-fc",
    "k.fc",
    "kfc ",
    " kfc",
    "N",
    "Nkfc",
    "-6B",
    "a:b",
    "a%3Ab",
    "a%b",
    "%",
    ":",
    "::",
    "line\nbreak",
    "line\r\nbreak",
    "tab\t",
    "nul\0",
    "next line\x85",
    "\u2028",
    '"quoted"',
    "back\\slash",
    "back\\nslash",
    "back\\",
    "delete\x7f",
    "; remark",
    "老王面馆",
    "老王:面馆 100%",
    "王",
    "🧧",
    "👨\u200d👩\u200d👧",
    "é",
    "e\u0301",
    "Å",
    "\u212b",
    "ß",
    "ǅ",
    "\u0663",
    "²",
    "9",
    "-",
    "wallet",
    "CNY",
    "merchant:kfc",
    "x" * NAME_BYTES_MAX,
    "王" * (NAME_BYTES_MAX // 3),
)
"""Names that have broken somebody's ledger: delimiters, escapes, case, line ends, letters that look alike."""

names = st.sampled_from(HOSTILE_NAMES) | st.text(min_size=1, max_size=20)
amounts = st.integers(1, 10**12) | st.sampled_from([1, 10_000, 2**52])


class World(NamedTuple):
    """A register and a batch of transfers between its accounts, with the ids of the batch's orders."""

    accounts: Accounts
    transfers: Transfers
    order_ids: list[str]


def transfers_of(rows: list[tuple[int, int, int, int, int]]) -> Transfers:
    """Transfers from rows of (order, source, destination, amount, code)."""
    made = Transfers.empty(len(rows))
    for i, row in enumerate(rows):
        for column, number in zip(made, row, strict=True):
            column[i] = number
    return made


def rows_from(transfers: Transfers, start: int) -> Transfers:
    """All rows from ``start`` on."""
    return Transfers(
        transfers.order[start:],
        transfers.source[start:],
        transfers.destination[start:],
        transfers.amount[start:],
        transfers.code[start:],
    )


def accounts_by_unit(accounts: Accounts) -> list[list[int]]:
    """The account numbers of a register, by unit; only those that its holders can have."""
    found: list[list[int]] = [[], [], []]
    for number, holder in enumerate(accounts.holders):
        pockets = {CONSUMER: 3, MERCHANT: 6, AGENT: 3}.get(holder.kind, 1)
        for account in range(number * POCKETS, number * POCKETS + pockets):
            found[unit_of_account(account)].append(account)
    return found


@st.composite
def worlds(draw: st.DrawFn, *, to_itself: bool = True) -> World:
    """Two to six people, some funds and pots, and up to forty transfers of any code."""
    accounts = Accounts(draw(st.lists(names, max_size=2, unique=True)))
    for kind, name in draw(st.lists(st.tuples(st.sampled_from([CONSUMER, MERCHANT, AGENT]), names), min_size=2, max_size=6)):
        accounts.number(kind, name)
    for name in draw(st.lists(names, max_size=2)):
        accounts.packets_pot(name, draw(st.integers(1, 16)))
    of_unit = accounts_by_unit(accounts)
    order_ids = draw(st.lists(names, min_size=1, max_size=8))
    rows = []
    for order in sorted(draw(st.lists(st.integers(-1, len(order_ids) - 1), max_size=40))):
        code = draw(st.integers(0, len(CODES) - 1))
        source, destination = (draw(st.sampled_from(of_unit[CODES[code][1]])) for _ in range(2))
        if to_itself or source != destination:
            rows.append((order, source, destination, draw(amounts), code + draw(st.sampled_from([0, REFUND]))))
    return World(accounts, transfers_of(rows), order_ids)


def plain_balances(transfers: Transfers) -> dict[int, int]:
    """The balances by account, with nothing but a dictionary; an account that was touched is there."""
    balances: dict[int, int] = {}
    for _, source, destination, amount, _ in zip(*(column.tolist() for column in transfers), strict=True):
        balances[source] = balances.get(source, 0) - amount
        balances[destination] = balances.get(destination, 0) + amount
    return balances
