"""A programme as its journal leaves it: the newest checkpoint and the decisions after it, decided again."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from rangli.errors import Broken, LedgerError, NameRefused
from rangli.ledger import Books
from rangli.ledger.accounts import CONSUMER, INSTITUTION, POCKETS
from rangli.plan import CompiledPlan, check, compile_plan
from rangli.service.settling.lots import ClosedLots
from rangli.service.settling.names import Names
from rangli.service.settling.replay import Replay
from rangli.service.settling.standing import Standing, with_room
from rangli.settle import Programme
from rangli.store import journal, programmes, rows
from rangli.store.database import Connection
from rangli.store.keys import Keys, hashes_of
from rangli.store.programmes import Checkpoint, PlanRow, ProgrammeRow
from rangli.store.rows import Bytes, Ints

log = logging.getLogger("rangli.recovery")

NAMESPACE = {rows.CANCELLATION: rows.REFUND}
"""Kinds whose ids share those of another: a refund that cancels a held order."""


class Recovered(NamedTuple):
    """What a settler starts from."""

    standing: Standing
    names: Names
    keys: Keys
    unsaved: list[Ints]
    """Hashes of the ids after the checkpoint, in order."""
    closed: ClosedLots
    """Lots that closed after it."""
    checkpoint: int
    """Its position; 0 for none."""


def compiled(plan: PlanRow) -> CompiledPlan:
    """A stored version, compiled. Raises Broken."""
    document, problems = check(plan.document)
    if document is None:
        raise Broken(0, f"方案 {plan.number} 有误:{problems[0].zh}", f"plan {plan.number} is faulty: {problems[0].en}")
    return compile_plan(document)


def recover(connection: Connection, programme: ProgrammeRow) -> Recovered:
    """The programme after its last decision. Raises Broken when the journal says otherwise than its checkpoint."""
    plans = {plan.number: compiled(plan) for plan in programmes.plans(connection, programme.number)}
    head = journal.head(connection, programme.number)
    standing = _newest_sound(connection, programme, plans, head)
    keys = Keys()
    start = standing.position
    known = 0
    for first, hashes in programmes.key_blocks(connection, programme.number, start):
        _read_keys(connection, programme.number, known, first - 1, keys)
        keys.add(hashes, first)
        known = first + len(hashes) - 1
    _read_keys(connection, programme.number, known, start, keys)
    unsaved, closed = [], ClosedLots()
    replay = Replay(standing, lambda position: journal.read(connection, programme.number, [position])[position])
    add_holders(standing, programmes.holders(connection, programme.number, start, head))
    for data, ends in list(journal.scan(connection, programme.number, start, head)):
        heads = rows.decode_heads(data, ends)
        closed.add(replay.feed(data, ends, heads).closed)
        assert heads is not None
        unsaved.append(key_hashes(data, heads))
        keys.add(unsaved[-1], int(heads.position[0]))
    replay.finish()
    return Recovered(standing, Names(standing.programme), keys, unsaved, closed, start)


def _newest_sound(connection: Connection, programme: ProgrammeRow, plans: dict[int, CompiledPlan], upto: int) -> Standing:
    """The programme at its newest checkpoint; at an older one, or at the beginning, when that is damaged."""
    while True:
        try:
            return standing_of(programme, plans, programmes.newest(connection, programme.number, upto))
        except Broken as damaged:
            if not damaged.position:
                raise
            log.warning("programme %s starts from before a damaged checkpoint: %s", programme.name, damaged.en)
            upto = damaged.position - 1


def _read_keys(connection: Connection, programme: int, after: int, upto: int, keys: Keys) -> None:
    """The ids of decisions that no block holds, from the journal itself: what a checkpoint that was not kept leaves open."""
    for data, ends in journal.scan(connection, programme, after, upto) if upto > after else ():
        heads = rows.decode_heads(data, ends)
        assert heads is not None
        keys.add(key_hashes(data, heads), int(heads.position[0]))


def standing_of(programme: ProgrammeRow, plans: dict[int, CompiledPlan], checkpoint: Checkpoint | None) -> Standing:
    """The programme at a checkpoint, or before its first decision. Raises Broken when the checkpoint is damaged."""
    if 1 not in plans:
        raise Broken(0, "没有第 1 号方案", "there is no plan 1")
    if checkpoint is None:
        return Standing(programme.number, Programme(plans[1], programme.secret), plans)
    state_hash = hashlib.sha256(checkpoint.state + checkpoint.names).hexdigest()  # as engine.state has it
    if state_hash != checkpoint.state_hash or checkpoint.plan not in plans:
        raise Broken(checkpoint.position, "检查点的状态与其哈希不符", "the checkpoint's state is not that of its hash")
    thawed = Programme.thaw(plans[checkpoint.plan], programme.secret, checkpoint.names, checkpoint.state)
    standing = Standing(programme.number, thawed, plans)
    standing.plan = checkpoint.plan
    standing.last = with_room(standing.last, thawed.holders * POCKETS)
    try:
        standing.books = Books.thaw(checkpoint.books)
        standing.last[standing.books.touched()] = checkpoint.last
    except (LedgerError, LookupError, ValueError) as fault:
        raise Broken(checkpoint.position, "检查点的余额已损坏", "the checkpoint's balances are damaged") from fault
    standing.position = checkpoint.position
    standing.head = checkpoint.head
    return standing


def checkpoint_of(standing: Standing) -> Checkpoint:
    """What ``standing_of`` starts from."""
    names, state = standing.programme.freeze()
    return Checkpoint(
        standing.position,
        standing.plan,
        standing.head,
        standing.programme.hash(),
        names,
        state,
        standing.books.freeze(),
        standing.last[standing.books.touched()],
    )


def add_holders(standing: Standing, holders: Iterable[tuple[int, int, str, int]]) -> None:
    """Number holders as they were numbered; a merchant's pots are numbered with it. Raises Broken."""
    for number, kind, name, since in holders:
        try:
            found = standing.programme.holder(kind, name) if CONSUMER <= kind <= INSTITUTION else -1
        except NameRefused:
            found = -1
        if found != number:
            raise Broken(since, f"第 {number} 号账户持有人被改动", f"the name, kind or number of holder {number} was changed")


def key_hashes(data: Bytes, heads: rows.Heads) -> Ints:
    """The hash of each row's id, 0 where it has none."""
    out = np.zeros(len(heads.position), np.int64)
    lengths = heads.key[:, 1] - heads.key[:, 0]
    for kind in np.unique(heads.kind).tolist():
        some = np.flatnonzero((heads.kind == kind) & (lengths > 0))
        if len(some):
            out[some] = hashes_of(NAMESPACE.get(kind, kind), *rows.texts_of(data, heads.key[some, 0], heads.key[some, 1]))
    return out
