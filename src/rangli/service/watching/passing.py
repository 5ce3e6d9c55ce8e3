"""Orders as they pass: the newest decisions of a live programme, few enough to be looked at while thousands a second are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from rangli.errors import NotSettling
from rangli.ledger.accounts import POCKET_BITS, SURPLUS, Holder
from rangli.ledger.transfers import PACKET
from rangli.money import print_micro, print_percent, print_yuan
from rangli.service.clock import rfc3339
from rangli.store import journal, rows
from rangli.store.database import Database
from rangli.store.journal import Row

if TYPE_CHECKING:
    from rangli.service.running import Running

ROWS_MAX: Final = 20
"""Decisions that are told at once; of more, the newest."""
PACKETS_MAX: Final = 3
"""Packets of an order that are named, the greatest first."""
LETTERS_MAX: Final = 40
"""Of a name."""
_CONSUMER, _MERCHANT = 0, 1


class PacketPassed(msgspec.Struct, frozen=True):
    """A packet and who got it."""

    to: str
    yuan: str


class Passed(msgspec.Struct, frozen=True):
    """One decision, in short."""

    position: int
    kind: str
    id: str
    at: str
    merchant: str
    consumer: str
    yuan: str
    """Paid for an order, or refunded of one; empty for other decisions."""
    concession: str
    """As a percentage of what was paid; empty for other decisions than orders."""
    conceded_yuan: str
    surplus_yuan: str
    """What the platform got, or gave."""
    packets: int
    packets_yuan: str
    """All packets that it sent."""
    largest: list[PacketPassed]


class Passing(msgspec.Struct, frozen=True):
    """What has been decided since somebody last asked."""

    position: int
    rows: list[Passed]
    """Newest first."""
    left_out: int
    """Decisions meanwhile that are not among them."""


def passing(database: Database, running: Running, after: int | None) -> Passing:
    """The newest decisions after a position (None: whatever was the last), in one statement. Raises NotSettling."""
    recovered = running.settler.recovered
    if recovered is None:
        raise NotSettling(f"项目 {running.name} 此刻不由本进程结算", f"this process does not settle {running.name} now")
    upto = running.position()
    start = max(upto - ROWS_MAX, 0 if after is None else after)
    if start >= upto:
        return Passing(upto, [], 0)
    with database.reading() as connection:
        found = journal.after(connection, running.number, start, upto, ROWS_MAX)
    holders = recovered.standing.programme.accounts.holders
    told = [_passed(row, holders) for row in reversed(found)]
    return Passing(upto, told, 0 if after is None else start - after)


def _passed(row: Row, holders: list[Holder]) -> Passed:
    """A decision in short."""
    is_order = row.kind == rows.ORDER
    refund_fen = row.facts[2] if row.kind == rows.REFUND else None
    paid_fen, bp = (row.facts[1], row.facts[2]) if is_order else (refund_fen, 0)
    packets = sorted(
        ((amount, to) for to, amount, code in zip(row.destination, row.amount, row.code, strict=True) if code == PACKET),
        reverse=True,
    )
    return Passed(
        position=row.position,
        kind=rows.KIND_NAMES[row.kind],
        id=row.key,
        at=rfc3339(row.at),
        merchant=_name(row, holders, _MERCHANT),
        consumer=_name(row, holders, _CONSUMER),
        yuan="" if paid_fen is None else print_yuan(paid_fen),
        concession=print_percent(bp) if is_order else "",
        conceded_yuan=print_micro(row.facts[1] * bp) if is_order else "",
        surplus_yuan=print_micro(_surplus(row)),
        packets=len(packets),
        packets_yuan=print_micro(sum(amount for amount, _ in packets)),
        largest=[
            PacketPassed(_short(holders[to >> POCKET_BITS].name), print_micro(amount)) for amount, to in packets[:PACKETS_MAX]
        ],
    )


def _surplus(row: Row) -> int:
    """What a decision brought the platform."""
    account = SURPLUS << POCKET_BITS
    legs = zip(row.source, row.destination, row.amount, strict=True)
    return sum(amount * ((to == account) - (from_ == account)) for from_, to, amount in legs)


def _name(row: Row, holders: list[Holder], party: int) -> str:
    """Who it is about, of orders and their refunds."""
    if row.kind not in {rows.ORDER, rows.REFUND} or len(row.party) <= party or row.party[party] < 0:
        return ""
    return _short(holders[row.party[party]].name)


def _short(text: str) -> str:
    """A text of at most LETTERS_MAX letters."""
    return text if len(text) <= LETTERS_MAX else f"{text[: LETTERS_MAX - 1]}…"
