"""Replay: what the journal says, decided again by the same engine and written again; equal bytes or the first difference.

    journal rows ──▶ heads (kind, facts, parties) ──▶ Standing ──▶ rows ──▶ compared with what was read

Restarting from a checkpoint and verifying the whole journal are the same walk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from rangli.errors import Broken, RangliError
from rangli.files.parse import DAY_MAX, DAY_MIN
from rangli.ledger.accounts import MERCHANT
from rangli.ledger.transfers import CODES, REFUND, Transfers
from rangli.plan import terms as parties
from rangli.service.settling.standing import Asked, OrderRows, Standing, Written
from rangli.settle import Orders, Settled
from rangli.store import rows
from rangli.store.journal import Row
from rangli.store.rows import HASH_BYTES, Bytes, Heads, Ints, shared_bytes

ReadRow = Callable[[int], Row]
"""The decision at a position."""

assert len(CODES) <= REFUND
_DAY: Final = rows.FACTS[rows.ORDER].index("day")


class Replay:
    """Lets a standing go forward by rows of the journal."""

    def __init__(self, standing: Standing, read_row: ReadRow) -> None:
        self.standing = standing
        self._read_row = read_row
        self._waiting: list[Bytes] = []
        """Rows read whose decision is not complete: releases that come before an order of the next block."""

    def feed(self, data: Bytes, ends: Ints, heads: Heads | None = None) -> Written:
        """Decide these rows again. Raises Broken with the first row that comes out otherwise.

        heads : of these rows, if they have been read
        """
        if self._waiting:
            held = b"".join(part.tobytes() for part in self._waiting)
            lengths = [len(part) for part in self._waiting]
            data = np.frombuffer(held + data.tobytes(), np.uint8)
            ends = np.concatenate([[0], np.cumsum([*lengths, *np.diff(ends).tolist()])]).astype(np.int64)
            self._waiting, heads = [], None
        heads = heads or rows.decode_heads(data, ends)
        first = self.standing.position + 1
        if heads is None:
            raise Broken(first + rows.well_formed(data, ends), "格式不对", "it has the wrong form")
        wrong = np.flatnonzero(heads.position != first + np.arange(len(heads.position)))
        if len(wrong):
            at = first + int(wrong[0])
            raise Broken(at, "缺失,或位置不连续", "it is missing, or positions are not consecutive")
        count = self._complete(heads)
        self._waiting = [data[ends[i] : ends[i + 1]] for i in range(count, len(ends) - 1)]
        out = Written()
        self._decide(data, ends, heads, count, out)
        return out

    def finish(self) -> None:
        """Nothing may be waiting at the end. Raises Broken."""
        if self._waiting:
            raise Broken(self.standing.position + 1, "没有由它引起的决定", "a release without the decision that it came with")

    @staticmethod
    def _complete(heads: Heads) -> int:
        """How many of the rows can be decided now: all but the releases at the end."""
        others = np.flatnonzero(heads.kind != rows.RELEASE)
        return int(others[-1]) + 1 if len(others) else 0

    # ------------------------------------------------------------ deciding

    def _decide(self, data: Bytes, ends: Ints, heads: Heads, count: int, out: Written) -> None:
        """Orders in a row under one plan together, all else one by one; releases come of themselves.

        What came out is compared before anything follows from it: a refund, say, takes its order's row for true.
        """
        asked = np.flatnonzero(heads.kind[:count] != rows.RELEASE)
        kinds, plans = heads.kind[asked], heads.plan[asked]
        start, row = 0, 0
        while start < len(asked):
            stop = start + 1
            if kinds[start] == rows.ORDER:
                same = (kinds[start:] == rows.ORDER) & (plans[start:] == plans[start])
                stop = len(asked) if same.all() else start + int(np.argmin(same))
            some = asked[start:stop]
            written = len(out.data)
            try:
                self._decide_some(data, heads, some, out)
            except Broken:
                raise
            except (RangliError, ArithmeticError, LookupError, ValueError, AssertionError) as fault:
                position = int(heads.position[some[0]])
                raise Broken(
                    position, f"或其后一行不能重算:{fault}", f"it, or one soon after it, cannot be decided again: {fault}"
                ) from fault
            row, first = int(some[-1]) + 1, row
            _compare(out.data[written:], data, ends[first : row + 1], heads.position[first:row])
            start = stop

    def _decide_some(self, data: Bytes, heads: Heads, some: Ints, out: Written) -> None:
        standing = self.standing
        i = int(some[0])
        kind, plan, facts = int(heads.kind[i]), int(heads.plan[i]), heads.facts[i].tolist()
        if kind == rows.ORDER:
            self._check_parties(heads, some)
            days = heads.facts[some, _DAY]
            for place in (int(days.argmin()), int(days.argmax())):
                _check_day(int(heads.position[some[place]]), int(days[place]))
            standing.orders(plan, _order_rows(data, heads, some), out)
            return
        begin, end = heads.key[i].tolist()
        request = data[int(heads.request[i]) :][:HASH_BYTES].tobytes()
        asked = Asked(int(heads.at[i]), data[begin:end].tobytes().decode(), request)
        if kind == rows.REFUND:
            order = settled_of(standing, self._read_row(facts[0]))
            order.refunded_fen, order.received_fen = facts[3], facts[4]
            standing.refund(order, facts[0], plan, facts[2], asked, out)
        elif kind == rows.SALE:
            standing.sell(int(heads.party[i, 0]), facts[0], asked, out)
        elif kind == rows.INJECTION:
            standing.inject(facts[0], asked, out)
        elif kind == rows.CLOSING:
            _check_day(int(heads.position[i]), facts[0])
            standing.close(facts[0], asked, out)
        elif kind == rows.ACTIVATION:
            standing.activate(facts[0], asked, out)
        elif kind == rows.CANCELLATION:
            standing.cancel(plan, facts[0], asked, out)
        else:
            raise Broken(int(heads.position[i]), f"没有种类 {kind}", f"there is no kind {kind}")

    def _check_parties(self, heads: Heads, some: Ints) -> None:
        """That every party is a holder, and the merchant a merchant: kernels trust these numbers. Raises Broken."""
        party, holders = heads.party[some], self.standing.programme.accounts.holders
        wrong = ((party < -1) | (party >= len(holders))).any(axis=1) | (party[:, : parties.MERCHANT + 1] < 0).any(axis=1)
        merchants = party[:, parties.MERCHANT]
        known = {number for number in set(merchants[~wrong].tolist()) if holders[number].kind == MERCHANT}
        wrong |= ~np.isin(merchants, list(known))
        if wrong.any():
            position = int(heads.position[some[int(np.argmax(wrong))]])
            raise Broken(position, "订单的某一方不是账户持有人", "a party of the order is no holder")


def _compare(made: list[Bytes], data: Bytes, ends: Ints, positions: Ints) -> None:
    """What was made now against the rows that were read. Raises Broken with the first that differs."""
    read, at = data[ends[0] : ends[-1]], 0
    for block in made:
        if shared_bytes(block, read[at:]) < len(block):
            break
        at += len(block)
    else:
        if at == len(read):
            return
    written = np.concatenate(made) if made else np.zeros(0, np.uint8)
    place = int(ends[0]) + int(shared_bytes(written, read))
    row = min(int(np.searchsorted(ends, place, side="right")), len(positions)) - 1
    raise Broken(
        int(positions[row]),
        f"重算的内容与所存不同(该行第 {place - int(ends[row])} 字节)",
        f"decided again it is not what is stored (byte {place - int(ends[row])} of its row)",
    )


def _check_day(position: int, day: int) -> None:
    """That a day is one of ours, or periods would close until the end of time. Raises Broken."""
    if not DAY_MIN <= day <= DAY_MAX:
        raise Broken(position, f"日期 {day} 超出范围", f"the day {day} is out of range")


def _order_rows(data: Bytes, heads: Heads, some: Ints) -> OrderRows:
    """The rows of these orders as they were asked for."""
    ends, keys = rows.texts_of(data, heads.key[some, 0], heads.key[some, 1])
    request = data[heads.request[some][:, None] + np.arange(HASH_BYTES)]
    return OrderRows(heads.at[some], ends, keys, request, heads.facts[some], heads.party[some])


def settled_of(standing: Standing, row: Row) -> Settled:
    """A settled order as its refund needs it."""
    number, paid_fen, concession_bp, voucher_fen, day, _ = row.facts
    holders = standing.programme.accounts.holders
    assert all(-1 <= holder < len(holders) for holder in row.party)
    assert holders[row.party[parties.MERCHANT]].kind == MERCHANT
    standing.programme.adopt(standing.plans[row.plan])
    paid, concession, voucher, on, key = (np.array([value], np.int64) for value in (paid_fen, concession_bp, voucher_fen, day, 0))
    party = np.full((1, parties.ORDER_PARTIES), -1, np.int32)
    party[0, : len(row.party)] = row.party
    legs = Transfers(
        np.zeros(len(row.code), np.int32),
        np.array(row.source, np.int32),
        np.array(row.destination, np.int32),
        np.array(row.amount, np.int64),
        np.array(row.code, np.int8),
    )
    return Settled.of(standing.programme, Orders(paid, concession, voucher, on, key, party), 0, number, legs)
