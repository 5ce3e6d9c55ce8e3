"""An order's packets drawn again from the day's secret, as anyone can once the day is over (docs/rules.md, section 3)."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from rangli.engine.arith import MASK32
from rangli.engine.draw import cut_points, draw_next, sip_key, siphash
from rangli.errors import OrderNotFound
from rangli.ledger.transfers import PACKET, POT
from rangli.money import mul_div, print_yuan, whole_fen
from rangli.service.looking.reading import Reading
from rangli.service.views import DrawView
from rangli.store import rows

_WORD_DIGITS: Final = 16
"""Hexadecimal digits of 64 bits."""


class Redraw(msgspec.Struct, frozen=True):
    """What an order's chance hangs on, and what came of it."""

    draw: DrawView
    order_key: str
    """SipHash-2-4 of the order's id under the day's secret, in hex; empty, as all that follows, until the day is over."""
    draws: list[str]
    """64 bits each, in hex: one for each packet but the last, which takes what is left."""
    issue: str
    """What the pot issued, in yuan."""
    cuts: list[str]
    """The parts of the issue, in yuan."""
    sent: list[str]
    """The packets that were sent, in yuan."""
    matches: bool
    """Whether each packet is its part. Where one is not, a lot had less room than its part, and others got the rest."""


class Redrawing(Reading):
    """Draws of one programme, made once more."""

    def redraw(self, order_id: str) -> Redraw:
        """An order's packets from the day's secret. Raises OrderNotFound."""
        view = self.draw(order_id)
        recovered = self._recovered()
        with self._database.reading() as connection:
            row = self._find(recovered, connection, rows.ORDER, order_id)
        if row is None:
            raise OrderNotFound(f"没有订单 {order_id[:60]!r}", f"there is no order {order_id[:60]!r}")
        sent = [whole_fen(amount) for amount, code in zip(row.amount, row.code, strict=True) if code == PACKET]
        if not view.secret or not sent:
            return Redraw(view, "", [], "", [], [print_yuan(fen) for fen in sent], matches=not sent)
        pot = row.source[row.code.index(PACKET)]
        seen = self._settler.published
        with seen.lock:
            now, position = seen.books.balance_micro(pot), seen.position
        held = self._balance_at(pot, row.position - 1, now, position)
        legs = zip(row.destination, row.amount, row.code, strict=True)
        held += sum(amount for account, amount, code in legs if account == pot and code == POT)
        per_order = recovered.standing.plans[row.plan].terms.packets.per_order
        issue_fen = max(whole_fen(mul_div(held, len(sent), per_order)), len(sent))
        data = np.frombuffer(order_id.encode(), np.uint8)
        key = int(siphash(data, 0, len(data), *sip_key(bytes.fromhex(view.secret))))
        cuts = _cut(key, issue_fen, len(sent))
        return Redraw(
            view, _word(key), _draws(key, len(sent) - 1), print_yuan(issue_fen), [print_yuan(fen) for fen in cuts],
            [print_yuan(fen) for fen in sent], matches=cuts == sent,
        )  # fmt: skip


def _cut(key: int, issue_fen: int, packets: int) -> list[int]:
    """The parts of an issue, as the engine cuts it."""
    points, cuts = np.zeros(packets, np.int64), np.zeros(packets, np.int64)
    cut_points(key, issue_fen, packets - 1, points, cuts)
    cuts[packets - 1] = issue_fen
    return [int(part) for part in np.diff(cuts, prepend=0)]


def _draws(key: int, count: int) -> list[str]:
    """The first draws of an order."""
    found = []
    for _ in range(count):
        value, key = draw_next(key)
        found.append(_word(int(value)))
    return found


def _word(value: int) -> str:
    """64 bits in hex."""
    return f"{value & (MASK32 << 32 | MASK32):0{_WORD_DIGITS}x}"
