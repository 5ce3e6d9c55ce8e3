"""State: everything that the next order depends on, as arrays; with freeze, thaw and hash.

A part that the plan does not have is None, so that a kernel compiled for the plan leaves it out. Arrays grow by whole blocks
between steps (``reserve``), never inside a kernel. What is frozen is the used part of each, so neither spare room nor the way
a file was cut into batches shows in the bytes or in the hash.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Final, NamedTuple

import numpy as np

from rangli.plan.terms import PER_ORDER_MAX, SHARES_MAX, Ints, Terms

# Holdings.tally.
ORDERS, PAID_FEN, RETURNED_MICRO, PACKETS_SENT = range(4)

# Columns of Queues.rows, Queues.lots, and Queues.used.
START, ROOM_LOTS, HEAD, OPEN, POT, POT_ACCOUNT = range(6)
LOT_ORDER, LOT_WALLET, LOT_PAID, LOT_ROOM, LOT_LEFT = range(5)
QUEUES_USED, LOTS_USED = range(2)
LOT_BLOCK: Final = 32
"""Lots that a new queue has room for: a window of 20 and some to slide."""

# Columns of Pool.members, and Pool.totals.
MEMBER_POINTS, MEMBER_LIMIT, MEMBER_OUT, MEMBER_PLACE, MEMBER_HOLDER, MEMBER_NUMBER, CYCLE_FROM = range(7)
POOL_MICRO, SUPPLY, LAST_POOL, LAST_SUPPLY, HEAP_USED, MEMBERS_USED, EXITS, FIRST_EXIT = range(8)

# Columns of Release.lots, and Release.clock.
RELEASE_HOLDER, RELEASE_POINTS, RELEASE_DONE, RELEASE_PERIOD, RELEASE_AGE, RELEASE_FIRST, RELEASE_LAST, RELEASE_DUE = range(8)
PERIOD, OPENED_ON, INFLOW, LAST_INFLOW, WAITING, CLOSED_ON, DAY, DIVIDEND_MICRO, PROMISED, POINTS_OPEN, RELEASE_USED = range(11)
NEVER: Final = -(2**40)
"""A day before all days."""


class Holdings(NamedTuple):
    """What every plan keeps."""

    tally: Ints
    """(4,) orders, paid fen, returned to consumers in micro, packets sent."""
    bonus_paid: Ints
    """(holders,) bit i: bonus i has been paid for this holder."""
    vouchers: Ints
    """(holders,) vouchers held."""
    taken: Ints
    """(SHARES_MAX,) what each share of one order paid to a party that was there; not part of the state."""


class Queues(NamedTuple):
    """Red packets: one queue per (merchant, tier). Its open lots stand side by side in ``lots``, oldest first."""

    rows: Ints
    """(queues, 6) START of its block, ROOM_LOTS in it, HEAD (first open lot in the block), OPEN lots, POT micro, POT_ACCOUNT."""
    lots: Ints
    """(lots, 5) order number, wallet account, paid fen, room fen, packets left. A lot is one row, so that a window is one stretch
    of memory: with many queues, an order's time is that of fetching it."""
    used: Ints
    """(2,) queues and lots in use."""
    first_of: Ints
    """(holders,) a merchant's first queue, -1 before its first order."""
    tier_row: Ints
    """(holders,) a merchant's row in the tier table."""
    scratch: Ints
    """(3, PER_ORDER_MAX + 1) places, cuts and points of one cut; not part of the state."""


class Pool(NamedTuple):
    """The priced pool, its members, and a heap of members by the price at which each exits."""

    totals: Ints
    """(8,) pool micro, supply, last price as pool and supply, heap size, members, exits, order of the first exit (from 1)."""
    members: Ints
    """(members, 7) points, limit, paid out, place in the heap (-1: none), holder, number by first purchase (from 1), number of
    the order with which the present cycle begins. Row = holder number, or one row an order."""
    heap: Ints
    """(members,) member numbers."""


class Release(NamedTuple):
    """Points waiting for release, in lots of one holder and one period."""

    clock: Ints
    """(11,) period, opened day, inflow, last inflow, period waiting (-1) and the day it closed, day reached, dividend pot,
    promised and not yet released, points of open lots, lots in use."""
    inflow: Ints
    """(periods,) inflow of each closed period."""
    lots: Ints
    """(lots, 8) holder, points, released, period joined, releases seen, first and last order number, due (scratch)."""
    lot_of: Ints
    """(holders,) the lot that the holder's next points join, -1 for none."""


class State(NamedTuple):
    """All that the next order depends on."""

    holdings: Holdings
    queues: Queues | None
    pool: Pool | None
    release: Release | None


def _zeros(*shape: int) -> Ints:
    return np.zeros(shape, np.int64)


def new_state(terms: Terms) -> State:
    """The state before the first order."""
    queues = pool = release = None
    if terms.packets.per_order:
        queues = Queues(_zeros(0, 6), _zeros(0, 5), _zeros(2), _zeros(0), _zeros(0), _zeros(3, PER_ORDER_MAX + 1))
    if terms.pool.mint_bp:
        pool = Pool(_zeros(8), _zeros(0, 7), _zeros(0))
        pool.totals[LAST_POOL], pool.totals[LAST_SUPPLY] = terms.pool.price_num, terms.pool.price_den
    if terms.release.rate_den:
        release = Release(_zeros(11), _zeros(0), _zeros(0, 8), _zeros(0))
        release.clock[OPENED_ON] = release.clock[DAY] = NEVER
        release.clock[WAITING] = -1
    return State(Holdings(_zeros(4), _zeros(0), _zeros(0), _zeros(SHARES_MAX)), queues, pool, release)


# ---------------------------------------------------------------- growing between steps


def _longer(array: Ints, size: int, fill: int = 0) -> Ints:
    """The array with at least ``size`` rows, grown by doubling."""
    have = array.shape[0]
    if have >= size:
        return array
    longer = np.full((max(size, 2 * have, 64), *array.shape[1:]), fill, np.int64)
    longer[:have] = array
    return longer


def reserve(terms: Terms, state: State, holders: int, orders: int) -> State:
    """Room for this many holders in all and this many more orders. A queue grows by ``move_queue``."""
    holdings, queues, pool, release = state
    holdings = holdings._replace(bonus_paid=_longer(holdings.bonus_paid, holders), vouchers=_longer(holdings.vouchers, holders))
    if queues is not None:
        queues = queues._replace(first_of=_longer(queues.first_of, holders, -1), tier_row=_longer(queues.tier_row, holders))
    if pool is not None:
        members = int(pool.totals[MEMBERS_USED]) + orders if terms.pool.by_order else holders
        have = pool.members.shape[0]
        grown = _longer(pool.members, members)
        grown[have:, MEMBER_PLACE] = -1
        pool = pool._replace(members=grown, heap=_longer(pool.heap, members))
    if release is not None:
        release = release._replace(
            lots=_longer(release.lots, int(release.clock[RELEASE_USED]) + orders * terms.points.shape[0]),
            inflow=_longer(release.inflow, int(release.clock[PERIOD]) + 2),
            lot_of=_longer(release.lot_of, holders, -1),
        )
    return State(holdings, queues, pool, release)


def add_queues(state: State, pots: list[int]) -> State:
    """New queues with these pot accounts, empty, at the end."""
    queues = state.queues
    assert queues is not None
    first = int(queues.used[QUEUES_USED])
    rows = _longer(queues.rows, first + len(pots))
    lots = _longer(queues.lots, int(queues.used[LOTS_USED]) + len(pots) * LOT_BLOCK)
    for at, pot in enumerate(pots, first):
        rows[at] = (queues.used[LOTS_USED], LOT_BLOCK, 0, 0, 0, pot)
        queues.used[LOTS_USED] += LOT_BLOCK
    queues.used[QUEUES_USED] += len(pots)
    return state._replace(queues=queues._replace(rows=rows, lots=lots))


def move_queue(state: State, queue: int, room: int) -> State:
    """The queue in a new block at the end, with room for this many lots."""
    queues = state.queues
    assert queues is not None
    start, _, head, count = (int(x) for x in queues.rows[queue, :POT])
    block = int(queues.used[LOTS_USED])
    lots = _longer(queues.lots, block + room)
    lots[block : block + count] = lots[start + head : start + head + count]
    queues.rows[queue, :POT] = (block, room, 0, count)
    queues.used[LOTS_USED] = block + room
    return state._replace(queues=queues._replace(lots=lots))


# ---------------------------------------------------------------- freeze, thaw, hash


def packed(queues: Queues) -> tuple[Ints, Ints]:
    """Queue rows with blocks of exactly their open lots, and those lots, in order of queue."""
    rows = queues.rows[: int(queues.used[QUEUES_USED])].copy()
    counts = rows[:, OPEN]
    starts = np.cumsum(counts) - counts
    where = np.repeat(rows[:, START] + rows[:, HEAD] - starts, counts) + np.arange(counts.sum())
    rows[:, START], rows[:, ROOM_LOTS], rows[:, HEAD] = starts, counts, 0
    return rows, queues.lots[where]


def _used_arrays(terms: Terms, state: State, holders: int) -> list[Ints]:
    """The used part of every array, in a fixed order."""
    holdings, queues, pool, release = state
    arrays = [holdings.tally, holdings.bonus_paid[:holders], holdings.vouchers[:holders]]
    if queues is not None:
        arrays += [*packed(queues), queues.first_of[:holders], queues.tier_row[:holders]]
    if pool is not None:
        members = int(pool.totals[MEMBERS_USED]) if terms.pool.by_order else holders
        arrays += [pool.totals, pool.members[:members], pool.heap[: int(pool.totals[HEAP_USED])]]
    if release is not None:
        used, period = int(release.clock[RELEASE_USED]), int(release.clock[PERIOD])
        arrays += [release.clock, release.inflow[:period], release.lots[:used, :RELEASE_DUE], release.lot_of[:holders]]
    return arrays


def freeze(terms: Terms, state: State, holders: int) -> bytes:
    """The state as bytes: for each array its number of rows and columns (0: flat) and its little-endian int64s."""
    parts = []
    for array in _used_arrays(terms, state, holders):
        columns = array.shape[1] if array.ndim > 1 else 0
        parts += [struct.pack("<qq", array.shape[0], columns), np.ascontiguousarray(array, "<i8").tobytes()]
    return b"".join(parts)


def thaw(terms: Terms, frozen: bytes, holders: int) -> State:
    """The state that ``freeze`` was given."""
    arrays: list[Ints] = []
    at = 0
    while at < len(frozen):
        rows, columns = struct.unpack_from("<qq", frozen, at)
        size = rows * max(columns, 1)
        flat = np.frombuffer(frozen, "<i8", size, at + 16).astype(np.int64)
        arrays.append(flat.reshape(rows, columns) if columns else flat)
        at += 16 + 8 * size
    take = iter(arrays)
    holdings = Holdings(next(take), next(take), next(take), _zeros(SHARES_MAX))
    queues = pool = release = None
    if terms.packets.per_order:
        rows_, lots = next(take), next(take)
        used = np.array([len(rows_), len(lots)], np.int64)
        queues = Queues(rows_, lots, used, next(take), next(take), _zeros(3, PER_ORDER_MAX + 1))
    if terms.pool.mint_bp:
        pool = Pool(next(take), next(take), next(take))
    if terms.release.rate_den:
        clock, inflow, lots = next(take), next(take), next(take)
        release = Release(clock, inflow, np.hstack([lots, _zeros(len(lots), 1)]), next(take))
    state = State(holdings, queues, pool, release)
    for queue in range(len(queues.rows) if queues is not None else 0):
        state = move_queue(state, queue, max(LOT_BLOCK, 2 * int(state.queues.rows[queue, OPEN])))  # type: ignore[union-attr]
    return reserve(terms, state, holders, 0)


def state_hash(terms: Terms, state: State, holders: int, names: bytes) -> str:
    """SHA-256 of the frozen state and of the register of names, in hex."""
    digest = hashlib.sha256(freeze(terms, state, holders))
    digest.update(names)
    return digest.hexdigest()


def price_pair(pool: Pool) -> tuple[int, int]:
    """The price as (pool, supply); the last one when nothing circulates."""
    if pool.totals[SUPPLY]:
        return int(pool.totals[POOL_MICRO]), int(pool.totals[SUPPLY])
    return int(pool.totals[LAST_POOL]), int(pool.totals[LAST_SUPPLY])
