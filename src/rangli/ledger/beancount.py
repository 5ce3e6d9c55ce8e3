"""The books as a beancount file, for an independent auditor.

``bean-check`` proves on it that every transaction balances, that every account keeps to its unit, and that the closing
balances are ours to the micro.

Account names
-------------
The five kinds of path become beancount's five roots. A word of a path is capitalised; a name is written after an ``N``,
and every character in it but letters and decimal digits as its UTF-8 bytes in hex, each after a hyphen::

    consumer:老王%3A面馆 7:wallet    Consumer:N老王-3A面馆-207:Wallet
    programme:packets:kfc:2          Programme:Packets:Nkfc:2

So two paths never share an account, and ``path_of`` gives the path back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote

import numpy as np

from rangli.ledger.accounts import KIND_NAMES, Accounts, decode_name, encode_name
from rangli.ledger.transfers import CODES, REFUND, UNIT_NAMES, Transfers, code_name
from rangli.money import print_micro

OPENED_ON: Final = "1970-01-01"
"""Every account is open from here on, so orders may come in any sequence of dates."""

HEADER: Final = (
    'option "title" "Rangli"',
    'option "operating_currency" "CNY"',
    'option "name_assets" "Programme"',
    'option "name_liabilities" "Consumer"',
    'option "name_income" "Merchant"',
    'option "name_expenses" "Agent"',
    'option "name_equity" "Platform"',
    *(f"{OPENED_ON} commodity {unit}" for unit in UNIT_NAMES),
)


class Leg(NamedTuple):
    """One transfer by its paths; the columns of a transfers file."""

    source: str
    destination: str
    amount_micro: int
    unit: str
    code: str


class Decision(NamedTuple):
    """What was booked together: an order, a refund, another request, or a period closing."""

    date: str
    """ISO, as 2026-01-05."""
    order_id: str | None
    """None for a period closing."""
    legs: Sequence[Leg]
    kind: str = "order"
    """What it is; unless it is an order, ``order_id`` is an id of its own."""


def decisions(
    transfers: Transfers, order_ids: Sequence[str], dates: Sequence[str], accounts: Accounts, *, closed_on: str
) -> Iterator[Decision]:
    """One batch of transfers as decisions: each run of rows of one order.

    order_ids, dates : by index of the order in the batch
    closed_on        : date of a period closing that no order follows; one before an order has that order's date
    """
    if not len(transfers.order):
        return
    starts = np.flatnonzero(np.diff(transfers.order, prepend=-2)).tolist()
    runs = [int(transfers.order[start]) for start in starts]
    path_by_account: dict[int, str] = {}

    def path(account: int) -> str:
        known = path_by_account.get(account)
        if known is None:
            known = path_by_account[account] = accounts.path(account)
        return known

    for start, end, order, following in zip(starts, [*starts[1:], len(transfers.order)], runs, [*runs[1:], -1], strict=True):
        columns = (column[start:end].tolist() for column in transfers[1:])
        legs = [
            Leg(path(source), path(destination), amount, UNIT_NAMES[CODES[code & (REFUND - 1)][1]], code_name(code))
            for source, destination, amount, code in zip(*columns, strict=True)
        ]
        if order >= 0:
            yield Decision(dates[order], order_ids[order], legs)
        else:
            yield Decision(dates[following] if following >= 0 else closed_on, None, legs)


def beancount_lines(made: Iterable[Decision], closing: Iterable[tuple[str, str, int]], *, closing_on: str) -> Iterator[str]:
    """The lines of the file, without line ends; memory grows with the accounts and not with the decisions.

    made       : the decisions, in any order of dates
    closing    : (path, unit, amount_micro) of every account, as ``Books.rows`` gives them
    closing_on : ISO date after the last decision; balances are asserted as that day begins
    """
    yield from HEADER
    name_by_path: dict[str, str] = {}
    for decision in made:
        assert decision.date < closing_on, "closing_on comes after every decision"
        for leg in decision.legs:
            for path in (leg.source, leg.destination):
                if path not in name_by_path:
                    name_by_path[path] = account_of(path)
                    yield f"{OPENED_ON} open {name_by_path[path]} {leg.unit}"
        yield from _transaction(decision, name_by_path)
    yield ""
    for path, unit, amount_micro in closing:
        if path not in name_by_path:
            yield f"{OPENED_ON} open {account_of(path)} {unit}"
        # Without "~ 0" bean-check would let a balance pass that is one micro off.
        yield f"{closing_on} balance {name_by_path.get(path) or account_of(path)} {six_decimals(amount_micro)} ~ 0 {unit}"


def _transaction(decision: Decision, name_by_path: dict[str, str]) -> Iterator[str]:
    """One decision: two postings for each leg, the second with the leg's code."""
    yield ""
    if decision.order_id is None:
        yield f'{decision.date} * "period closing"'
    else:
        yield f'{decision.date} * "{decision.kind}"'
        yield f'  {"order" if decision.kind == "order" else "id"}: "{_escaped(decision.order_id)}"'
    for leg in decision.legs:
        amount = six_decimals(leg.amount_micro)
        yield f"  {name_by_path[leg.source]} -{amount} {leg.unit}"
        yield f"  {name_by_path[leg.destination]} {amount} {leg.unit}"
        yield f'    code: "{leg.code}"'


_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def _escaped(text: str) -> str:
    """A text as it stands between the quotes of a beancount string."""
    return text.translate(_ESCAPES)


def six_decimals(micro: int) -> str:
    """Micro with all six decimals: bean-check takes its tolerance from the decimals that are written.

    >>> six_decimals(1_500_000), six_decimals(-1)
    ('1.500000', '-0.000001')
    """
    whole, _, part = print_micro(micro).partition(".")
    return f"{whole}.{part:0<6}"


# ---------------------------------------------------------------- account names


def account_of(path: str) -> str:
    """The beancount account of a path.

    >>> account_of("consumer:老王%3A面馆 7:wallet"), account_of("programme:packets:kfc:2")
    ('Consumer:N老王-3A面馆-207:Wallet', 'Programme:Packets:Nkfc:2')
    """
    parts = path.split(":")
    at = _place_of_name(parts[0])
    return ":".join(_component(decode_name(part)) if i == at else part.capitalize() for i, part in enumerate(parts))


def path_of(account: str) -> str:
    """The path that ``account_of`` was given.

    >>> path_of("Consumer:N老王-3A面馆-207:Wallet")
    'consumer:老王%3A面馆 7:wallet'
    """
    parts = account.split(":")
    at = _place_of_name(parts[0].lower())
    return ":".join(encode_name(unquote(part[1:].replace("-", "%"))) if i == at else part.lower() for i, part in enumerate(parts))


def _place_of_name(root: str) -> int:
    """Where in a path the name stands: second for a person, third for an institution, which may have none."""
    return 1 if root in KIND_NAMES else 2


def _component(name: str) -> str:
    """A name as a part of a beancount account: letters and decimal digits stay, anything else is hyphen and hex."""
    return "N" + "".join(
        letter if letter.isalpha() or letter.isdecimal() else "".join(f"-{byte:02X}" for byte in letter.encode())
        for letter in name
    )
