"""The promises about red packets, compiled: who waits in which queue, replayed from orders and transfers alone.

A queue is a linked list of lots, and the i-th packet of an order is taken to be that of the i-th oldest lot of its window.
Whether the transfer went there is the question.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from rangli.engine.kernel import kernel
from rangli.files.promises import faults as f
from rangli.files.promises.lines import (
    BP_PER_ONE,
    CONCESSION_MAX,
    MICRO_MAX,
    MICRO_PER_FEN,
    ONE,
    PACKETS,
    POT,
    ZERO,
    Codes,
    Facts,
    Ints,
    Page,
    next_of,
    note,
    quotient,
)


class PacketRules(NamedTuple):
    """The queues' rules."""

    per_order: np.int64
    exit_packets: np.int64
    """-1 for never."""
    received_bp: np.int64
    skip_own: np.bool_
    kind_of_code: Codes


# Columns of Queues.rows and Queues.lots.
FIRST, LAST, POT_MICRO, POT_ACCOUNT = range(4)
NEXT, WALLET, PAID, CAP, RECEIVED, COUNT, ID_HASH, POT_OF = range(8)
QUEUE_COLUMNS: Final = 4
LOT_COLUMNS: Final = 8
NONE: Final = np.int64(-1)


class Queues(NamedTuple):
    """Every queue as a linked list of its open lots, oldest first. Lots that closed have no WALLET and are chained up for use."""

    rows: Ints
    lots: Ints
    free: Ints
    """(2,) the first lot to use again, and how many have ever been used."""
    window: Ints
    """(per_order,) the lots of one window; scratch."""


class Kept(NamedTuple):
    """What the replay of the queues writes."""

    closed: Ints
    """Lots that closed, in that order: the columns of ``Queues.lots`` from WALLET on."""
    sample: Ints
    """Numbers of the orders whose draws will be looked at, ascending."""
    drawn: Ints
    """(orders of the sample, 3 + per_order) group, packets, issue, and the room of each lot before its packet."""
    tally: Ints
    """(5,) lots closed; place in the sample; rows of ``drawn``; packets seen; orders seen."""


CLOSED_LOTS, SAMPLED, DRAWN, PACKETS_SEEN, ORDERS_SEEN = range(5)
DRAWN_ROOMS: Final = 3


@kernel
def replay(page: Page, rules: PacketRules, queues: Queues, kept: Kept) -> None:
    """Attribute the i-th packet of each order to the i-th oldest lot of its window, and ask whether the rules allow it."""
    lines, groups, facts, faults = page
    for g in range(groups.start.shape[0]):
        order = groups.order[g]
        if order < 0:
            continue
        queue = queues.rows[facts.queue[order]]
        came_in = ZERO
        for i in range(groups.start[g], groups.stop[g]):
            if lines.code[i] == POT and lines.destination[i] == queue[POT_ACCOUNT]:
                came_in += min(max(lines.amount[i], 0), CONCESSION_MAX)
        queue[POT_MICRO] = min(queue[POT_MICRO] + came_in, MICRO_MAX)
        waiting = open_window(rules, queue, queues, facts.wallet[order])
        # ⌊pot × w / P⌋ without the product: the pot may be close to 2**60.
        whole = quotient(queue[POT_MICRO], ONE, rules.per_order)
        part = whole * waiting + quotient(queue[POT_MICRO] - whole * rules.per_order, waiting, rules.per_order)
        issue = quotient(max(part, 0), ONE, MICRO_PER_FEN)
        due = min(waiting, issue)
        room = sample_and_room(g, due, issue, queues, kept)
        handed = attribute(page, g, queue, due, rules, queues, kept)
        if handed != min(issue, room) * MICRO_PER_FEN:
            note(faults, f.ISSUE_DIFFERS, g, groups.start[g], min(issue, room) * MICRO_PER_FEN, handed)
        queue[POT_MICRO] = max(queue[POT_MICRO] - handed, -MICRO_MAX)
        close_full(rules, queue, queues, due, kept)
        join(rules, queues, facts, order, kept)
        kept.tally[ORDERS_SEEN] += 1


@kernel
def open_window(rules: PacketRules, queue: Ints, queues: Queues, payer: int) -> int:
    """Write the oldest lots of the queue, at most ``per_order``; how many."""
    count = 0
    lot = queue[FIRST]
    while lot >= 0 and count < rules.per_order:
        if not (rules.skip_own and queues.lots[lot, WALLET] == payer):
            queues.window[count] = lot
            count += 1
        lot = queues.lots[lot, NEXT]
    return count


@kernel
def sample_and_room(g: int, due: int, issue: int, queues: Queues, kept: Kept) -> int:
    """The room of the first ``due`` lots of the window; an order of the sample is written down with it."""
    number = kept.tally[ORDERS_SEEN]
    place = kept.tally[SAMPLED]
    wanted = place < kept.sample.shape[0] and kept.sample[place] == number
    row = kept.drawn[kept.tally[DRAWN]]
    room = 0
    for j in range(due):
        lot = queues.lots[queues.window[j]]
        room += lot[CAP] - lot[RECEIVED]
        if wanted:
            row[DRAWN_ROOMS + j] = lot[CAP] - lot[RECEIVED]
    if wanted:
        kept.tally[SAMPLED] = place + 1
        if due:
            row[0], row[1], row[2] = g, due, issue
            kept.tally[DRAWN] += 1
    return room


@kernel
def attribute(page: Page, g: int, queue: Ints, due: int, rules: PacketRules, queues: Queues, kept: Kept) -> int:
    """Give the packets of group g to the lots of the window, oldest first; the micro handed out."""
    lines, groups, _, faults = page
    kinds = rules.kind_of_code
    handed = 0
    j = 0
    i = next_of(lines, kinds, PACKETS, groups.start[g], groups.stop[g])
    while i < groups.stop[g]:
        amount = min(max(lines.amount[i], 0), MICRO_MAX)
        fen = quotient(amount, ONE, MICRO_PER_FEN)
        if fen < 1 or fen * MICRO_PER_FEN != lines.amount[i]:
            note(faults, f.PACKET_NOT_WHOLE, g, i, ZERO, lines.amount[i])
        if lines.source[i] != queue[POT_ACCOUNT]:
            note(faults, f.PACKET_SOURCE, g, i, queue[POT_ACCOUNT], lines.source[i])
        if j < due:
            lot = queues.lots[queues.window[j]]
            if lines.destination[i] != lot[WALLET]:
                note(faults, f.PACKET_ELSEWHERE, g, i, lot[WALLET], lines.destination[i])
            lot[RECEIVED] += fen
            lot[COUNT] += 1
            if lot[RECEIVED] > lot[CAP]:
                note(faults, f.LOT_RECEIVED, g, i, lot[CAP], lot[RECEIVED])
            if rules.exit_packets >= 0 and lot[COUNT] > rules.exit_packets:
                note(faults, f.LOT_PACKETS, g, i, rules.exit_packets, lot[COUNT])
        handed = min(handed + amount, MICRO_MAX)
        j += 1
        i = next_of(lines, kinds, PACKETS, i + 1, groups.stop[g])
    if j < due:
        note(faults, f.PACKETS_TOO_FEW, g, groups.start[g], due, j)
    if j > due:
        note(faults, f.PACKETS_TOO_MANY, g, groups.start[g], due, j)
    kept.tally[PACKETS_SEEN] += j
    return handed


@kernel
def close_full(rules: PacketRules, queue: Ints, queues: Queues, due: int, kept: Kept) -> None:
    """Take those of the window's first ``due`` lots out of the queue that are full."""
    j = 0
    before, lot = NONE, queue[FIRST]
    while j < due:
        row = queues.lots[lot]
        following = row[NEXT]
        is_of_window = queues.window[j] == lot
        if is_of_window:
            j += 1
        if is_of_window and is_full(rules, row):
            if before < 0:
                queue[FIRST] = following
            else:
                queues.lots[before, NEXT] = following
            if queue[LAST] == lot:
                queue[LAST] = before
            put_away(queues, lot, kept)
        else:
            before = lot
        lot = following


@kernel
def is_full(rules: PacketRules, lot: Ints) -> bool:
    """Whether a lot has all that it may get, in money or in packets."""
    return bool(lot[RECEIVED] >= lot[CAP] or (rules.exit_packets >= 0 and lot[COUNT] >= rules.exit_packets))


@kernel
def put_away(queues: Queues, lot: int, kept: Kept) -> None:
    """Write down a lot that closed, and chain it up to be used again."""
    row, closed = queues.lots[lot], kept.closed[kept.tally[CLOSED_LOTS]]
    for column in range(LOT_COLUMNS - 1):
        closed[column] = row[WALLET + column]
    kept.tally[CLOSED_LOTS] += 1
    row[NEXT], row[WALLET] = queues.free[0], NONE
    queues.free[0] = lot


@kernel
def join(rules: PacketRules, queues: Queues, facts: Facts, order: int, kept: Kept) -> None:
    """The order joins its queue last; with no room for a single fen it is closed at once."""
    lot = queues.free[0]
    if lot >= 0:
        queues.free[0] = queues.lots[lot, NEXT]
    else:
        lot = queues.free[1]
        queues.free[1] = lot + 1
    row = queues.lots[lot]
    row[NEXT], row[WALLET], row[PAID] = NONE, facts.wallet[order], facts.paid_fen[order]
    row[CAP] = quotient(facts.paid_fen[order], rules.received_bp, BP_PER_ONE)
    row[RECEIVED], row[COUNT], row[ID_HASH] = 0, 0, facts.id_hash[order]
    queue = queues.rows[facts.queue[order]]
    row[POT_OF] = queue[POT_ACCOUNT]
    if row[CAP] < 1:
        put_away(queues, lot, kept)
        return
    if queue[FIRST] < 0:
        queue[FIRST] = lot
    else:
        queues.lots[queue[LAST], NEXT] = lot
    queue[LAST] = lot
