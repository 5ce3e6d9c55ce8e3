"""Red packets: each order pays the twenty before it (docs/rules.md, section 3)."""

from __future__ import annotations

import numpy as np

from rangli.engine.arith import div, mul_div
from rangli.engine.book import PACKET_CODE
from rangli.engine.draw import cut_points
from rangli.engine.kernel import kernel
from rangli.engine.memory import fetch
from rangli.engine.out import CLOSED, WRITTEN
from rangli.engine.state import (
    HEAD,
    LOT_LEFT,
    LOT_ORDER,
    LOT_PAID,
    LOT_ROOM,
    LOT_WALLET,
    OPEN,
    POT,
    POT_ACCOUNT,
    ROOM_LOTS,
    START,
)
from rangli.money import BP_PER_ONE, MICRO_PER_FEN


@kernel
def tier_of(bounds_fen, paid_fen):
    """The tier of an amount, from 0: the first whose inclusive upper bound is not below it."""
    tier = 0
    while tier < bounds_fen.shape[0] and paid_fen > bounds_fen[tier]:
        tier += 1
    return tier


@kernel
def cap_fen(packets, paid_fen):
    """The most that an order of ``paid_fen`` may receive in packets; the fraction of a fen is nobody's."""
    if packets.exit_received_bp == BP_PER_ONE:  # nearly every plan; spares a division
        return paid_fen
    return mul_div(paid_fen, packets.exit_received_bp, BP_PER_ONE)


@kernel
def has_room(row, lots):
    """Whether one more lot fits into the queue's block, after sliding its open lots to the front if need be."""
    if row[HEAD] + row[OPEN] < row[ROOM_LOTS]:
        return True
    if row[HEAD] == 0:
        return False
    to = row[START]
    first = to + row[HEAD]
    for i in range(row[OPEN]):
        _move(lots, first + i, to + i)
    row[HEAD] = 0
    return True


@kernel
def fetch_window(packets, row, lots):
    """Ask the memory for the lots that the queue's next order pays, and for the place that it joins."""
    first = row[START] + row[HEAD]
    for at in range(first, first + min(row[OPEN], packets.per_order) + 1):
        fetch(lots, at)


@kernel
def _move(lots, at, to):
    """Copy one lot to another place."""
    for column in range(lots.shape[1]):
        lots[to, column] = lots[at, column]


@kernel
def hand_out(packets, row, lots, scratch, payer, seed, order, out):
    """Cut the queue's pot among its window and write one transfer for each packet.

    row     : int64 (6,)        the queue's row of Queues.rows, written
    lots    : int64 (lots, 5)   Queues.lots, written
    scratch : int64 (3, 101)    Queues.scratch
    payer   : wallet account of the one who pays        seed : the order's key for draws
    order   : index of the order in its batch
    Returns the fen handed out and in how many packets.
    """
    first, count, pot = row[START] + row[HEAD], row[OPEN], row[POT]
    places, cuts = scratch[0], scratch[1]
    window = _window(packets, lots, first, count, payer, places)
    issue = div(mul_div(pot, window, packets.per_order), MICRO_PER_FEN)
    if issue == 0:
        return np.int64(0), np.int64(0)
    window = min(window, issue)
    cut_points(seed, issue, window - 1, scratch[2], cuts)
    cuts[window - 1] = issue

    source = row[POT_ACCOUNT]
    to, n = out.transfers, out.count[WRITTEN]
    orders, sources, amounts = to.order[n : n + window], to.source[n : n + window], to.amount[n : n + window]
    destinations, codes = to.destination[n : n + window], to.code[n : n + window]
    cut_off = np.int64(0)
    before = np.int64(0)
    for i in range(window):
        at = places[i]
        part = cuts[i] - before
        before = cuts[i]
        paid = min(part, lots[at, LOT_ROOM])
        cut_off += part - paid
        lots[at, LOT_ROOM] -= paid
        lots[at, LOT_LEFT] -= 1
        amounts[i] = paid * MICRO_PER_FEN
        destinations[i] = lots[at, LOT_WALLET]
        orders[i] = order
        sources[i] = source
        codes[i] = PACKET_CODE
    if cut_off:
        cut_off = _spread(places, lots, cut_off, amounts)
    row[POT] = pot - (issue - cut_off) * MICRO_PER_FEN
    out.count[WRITTEN] = n + window
    _close(packets, row, lots, places[window - 1] + 1 - first, out)
    return issue - cut_off, window


@kernel
def _window(packets, lots, first, count, payer, places):
    """Write the places of the oldest open lots, at most ``per_order``, without the payer's under ``skip_own``; how many."""
    if not packets.skip_own:
        window = min(count, packets.per_order)
        for i in range(window):
            places[i] = first + i
        return window
    window = np.int64(0)
    for at in range(first, first + count):
        if window == packets.per_order:
            break
        if lots[at, LOT_WALLET] != payer:
            places[window] = at
            window += 1
    return window


@kernel
def _spread(places, lots, cut_off, amounts):
    """Give what the caps cut off to lots with room, oldest first, on top of their packets; what still remains."""
    for i in range(amounts.shape[0]):
        more = min(cut_off, lots[places[i], LOT_ROOM])
        lots[places[i], LOT_ROOM] -= more
        amounts[i] += more * MICRO_PER_FEN
        cut_off -= more
    return cut_off


@kernel
def _close(packets, row, lots, span, out):
    """Take the closed lots out of the first ``span``, oldest first, and move the open ones up behind them."""
    first = row[START] + row[HEAD]
    closed = np.int64(0)
    last = np.int64(-1)
    for i in range(span):
        if lots[first + i, LOT_LEFT] == 0 or lots[first + i, LOT_ROOM] == 0:
            _write_closed(packets, row, lots, first + i, out)
            closed += 1
            last = i
    if last >= closed:  # an open one stands before a closed one
        gap = np.int64(0)
        for i in range(last, -1, -1):
            if lots[first + i, LOT_LEFT] == 0 or lots[first + i, LOT_ROOM] == 0:
                gap += 1
            else:
                _move(lots, first + i, first + i + gap)
    row[HEAD] += closed
    row[OPEN] -= closed


@kernel
def drop_lot(packets, row, lots, place, out):
    """Close the open lot at this place of the queue (0: the oldest), whatever it still might have received."""
    first = row[START] + row[HEAD]
    _write_closed(packets, row, lots, first + place, out)
    for at in range(first + place, first, -1):
        _move(lots, at - 1, at)
    row[HEAD] += 1
    row[OPEN] -= 1


@kernel
def _write_closed(packets, row, lots, at, out):
    """One row of Out.closed."""
    closed = out.closed[out.count[CLOSED]]
    paid_fen = lots[at, LOT_PAID]
    closed[0] = lots[at, LOT_ORDER]
    closed[1] = lots[at, LOT_WALLET]
    closed[2] = row[POT_ACCOUNT]
    closed[3] = paid_fen
    closed[4] = packets.exit_packets - lots[at, LOT_LEFT]
    closed[5] = cap_fen(packets, paid_fen) - lots[at, LOT_ROOM]
    out.count[CLOSED] += 1


@kernel
def join(packets, row, lots, order_number, wallet, paid_fen, out):
    """The order joins its queue last. The caller has made sure of room (``has_room``)."""
    at = row[START] + row[HEAD] + row[OPEN]
    lots[at, LOT_ORDER] = order_number
    lots[at, LOT_WALLET] = wallet
    lots[at, LOT_PAID] = paid_fen
    lots[at, LOT_ROOM] = cap_fen(packets, paid_fen)
    lots[at, LOT_LEFT] = packets.exit_packets
    if lots[at, LOT_ROOM] == 0:
        _write_closed(packets, row, lots, at, out)
    else:
        row[OPEN] += 1
