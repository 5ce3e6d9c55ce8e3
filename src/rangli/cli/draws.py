"""Chance told again: from the secret of the day to the packets of one order (docs/rules.md, section 3)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from rangli.engine.arith import MASK32
from rangli.engine.draw import commitment, cut_points, day_secret, draw_next, sip_key, siphash
from rangli.money import mul_div, whole_fen

if TYPE_CHECKING:
    from rangli.cli.directory import Settled

WORD_DIGITS: Final = 16
"""Hexadecimal digits of 64 bits."""


class Packet(NamedTuple):
    """One packet of an order."""

    destination: str
    cut_fen: int
    sent_fen: int
    """What was sent, after the caps."""


class Draw(NamedTuple):
    """All that an order's chance hangs on."""

    order_id: str
    day: str
    commitment: str
    day_secret: str
    order_key: str
    draws: list[str]
    """64 bits each, in hex: one for each place but the last, which takes what is left."""
    issue_fen: int
    packets: list[Packet]
    matches: bool
    """Whether the cut is what was sent, no cap having bitten."""


def draw_of(settled: Settled, order_id: str, orders: Path) -> Draw:
    """An order's draws and cut, from the secret in the summary and the transfers.

    Raises InputRefused for an order that is not there.
    """
    day = settled.day_of(order_id, orders)
    secret = day_secret(bytes.fromhex(settled.claims.secret), day)
    name = np.frombuffer(order_id.encode(), np.uint8)
    key = int(siphash(name, 0, len(name), *sip_key(secret)))
    sent = [leg for leg in settled.legs_of_order(order_id) if leg["code"] == "packet"]
    issue_fen = _issue(settled, sent[0]["source"], order_id, len(sent)) if sent else 0
    cuts = _cut(key, issue_fen, len(sent))
    packets = [
        Packet(leg["destination"], cut_fen, whole_fen(leg["amount_micro"])) for leg, cut_fen in zip(sent, cuts, strict=True)
    ]
    matches = all(packet.cut_fen == packet.sent_fen for packet in packets)
    return Draw(
        order_id, day, commitment(secret), secret.hex(), word(key), _draws(key, len(sent) - 1), issue_fen, packets, matches
    )


def word(value: int) -> str:
    """64 bits in hex.

    >>> word(-1)
    'ffffffffffffffff'
    """
    return f"{value & (MASK32 << 32 | MASK32):0{WORD_DIGITS}x}"


def _issue(settled: Settled, pot: str, order_id: str, packets: int) -> int:
    """What the pot issued at this order, in fen: by what it held then and by how many lots were waiting."""
    held_micro = 0
    for _, leg in settled.legs_of(pot):
        if leg["order_id"] == order_id and leg["code"] == "packet":
            break
        held_micro += leg["amount_micro"] if leg["destination"] == pot else -leg["amount_micro"]
    # With fewer fen than lots waiting there are as many packets as fen.
    return max(whole_fen(mul_div(held_micro, packets, settled.plan().terms.packets.per_order)), packets)


def _cut(key: int, issue_fen: int, packets: int) -> list[int]:
    """The parts of an issue, as the engine cuts it."""
    if packets == 0:
        return []
    points, cuts = np.zeros(packets, np.int64), np.zeros(packets, np.int64)
    cut_points(key, issue_fen, packets - 1, points, cuts)
    cuts[packets - 1] = issue_fen
    return [int(part) for part in np.diff(cuts, prepend=0)]


def _draws(key: int, count: int) -> list[str]:
    """The first draws of an order."""
    found = []
    for _ in range(max(count, 0)):
        value, key = draw_next(key)
        found.append(word(int(value)))
    return found
