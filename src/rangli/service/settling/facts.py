"""What a decision was asked for, read back from its row, field by field, as its caller would write it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import numpy as np

from rangli.errors import FieldRefused
from rangli.files import parse
from rangli.files.orders import NAMES
from rangli.files.settling import KIND_OF_MEANING, MEANING_OF_COLUMN
from rangli.ledger.accounts import KIND_NAMES, Holder
from rangli.money import MICRO_PER_FEN, print_micro, print_percent, print_yuan, whole_fen
from rangli.service.settling.standing import Standing
from rangli.store import journal, programmes, rows
from rangli.store.database import Connection
from rangli.store.journal import Row

EPOCH: Final = date(1970, 1, 1)


def day_of(text: str) -> int:
    """Days since 1970-01-01 of a date. Raises FieldRefused."""
    data = np.frombuffer(text.encode(), np.uint8)
    instant, day, status = np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int8)
    parse.parse_instant_texts(np.array([0, len(data)], np.int32), data, instant, day, status)
    if status[0] != parse.OK or len(text) != len("2026-01-05"):
        raise FieldRefused(
            "on", f"{text[:40]!r} 不是日期;正确写法如 2026-01-05", f"{text[:40]!r} is no date; write it as 2026-01-05"
        )
    return int(day[0])


def day_text(day: int) -> str:
    """A day as a date."""
    return (EPOCH + timedelta(days=day)).isoformat()


def instant_text(instant_ns: int) -> str:
    """An instant in Beijing's time."""
    text = str(np.datetime64(instant_ns + parse.BEIJING_SECONDS * parse.NANOS_PER_SECOND, "ns")).rstrip("0").removesuffix(".")
    return f"{text.ljust(len('2026-01-05T12:30:00'), '0')}+08:00"


def party_name(field: str, holder: Holder) -> str:
    """A holder as a column of an order names it."""
    kind, name = holder
    return name if kind == KIND_OF_MEANING[MEANING_OF_COLUMN[field]] else f"{KIND_NAMES[kind]}:{name}"


def order_facts(standing: Standing, row: Row) -> dict[str, str]:
    """The fields of a settled order."""
    _, paid_fen, concession_bp, voucher_fen, _, paid_at_ns = row.facts
    holders = standing.programme.accounts.holders
    facts = {"order_id": row.key, "paid_at": instant_text(paid_at_ns)}
    for field, number in zip(NAMES, row.party, strict=True):
        facts[field] = "" if number < 0 else party_name(field, holders[number])
    facts |= {"amount": print_yuan(paid_fen), "concession": print_percent(concession_bp), "voucher": print_yuan(voucher_fen)}
    return facts


def asked_facts(standing: Standing, connection: Connection, programme: int, row: Row) -> dict[str, str]:
    """The fields of any decision that was asked for."""
    if row.kind == rows.ORDER:
        return order_facts(standing, row)
    holders = standing.programme.accounts.holders
    if row.kind == rows.REFUND:
        order = journal.read(connection, programme, [row.facts[0]])[row.facts[0]]
        return {"refund_id": row.key, "order_id": order.key, "amount": print_yuan(row.facts[2])}
    if row.kind == rows.SALE:
        return {"sale_id": row.key, "consumer": holders[row.party[0]].name, "points": print_micro(row.facts[0])}
    if row.kind == rows.INJECTION:
        assert row.facts[0] == whole_fen(row.facts[0]) * MICRO_PER_FEN
        return {"injection_id": row.key, "amount": print_yuan(whole_fen(row.facts[0]))}
    if row.kind == rows.CLOSING:
        return {"closing_id": row.key, "on": day_text(row.facts[0])}
    if row.kind == rows.CANCELLATION:
        return {"refund_id": row.key, "amount": print_yuan(row.facts[0])}
    assert row.kind == rows.ACTIVATION
    plan = programmes.plan(connection, programme, row.facts[0])
    return {"activation_id": row.key, "plan": plan.version, "signed": plan.signed}
