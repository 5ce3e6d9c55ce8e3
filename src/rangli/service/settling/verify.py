"""Verify: the whole journal decided again, and everything kept beside it compared. The first difference ends it.

What is compared: every byte of every row and the chain of hashes; the digest of each order with the names in the register; closed
lots, refunds, versions of the plan; and at every checkpoint on the way the state, balances and the accounts' last positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from time import perf_counter
from typing import Final, NamedTuple, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from rangli.errors import Broken, ProgrammeNotFound
from rangli.files.orders import NAMES
from rangli.files.settling import KIND_OF_MEANING, MEANING_OF_COLUMN
from rangli.service.settling.approval import signed_facts
from rangli.service.settling.facts import party_name
from rangli.service.settling.lots import ClosedLots
from rangli.service.settling.orders import digest, order_digest
from rangli.service.settling.packed import Facts, digests_of
from rangli.service.settling.recovery import add_holders, compiled, key_hashes, standing_of
from rangli.service.settling.replay import Replay
from rangli.service.settling.standing import GENESIS_KEY, NO_REQUEST, Standing, Written
from rangli.store import journal, programmes, rows
from rangli.store.apart import Scan, scan_apart, see
from rangli.store.database import Connection, Database
from rangli.store.programmes import PlanRow, ProgrammeRow
from rangli.store.rows import HASH_BYTES, Bytes, Heads, Ints

APART_ROWS: Final = 50_000
"""A longer scan is read by a process of its own."""

Progress = Callable[[int], None]


class Verified(msgspec.Struct, frozen=True):
    """A journal that is what it should be."""

    programme: str
    since: int
    position: int
    orders: int
    transfers: int
    checkpoints: int
    """Checkpoints met on the way."""
    head: str
    state_hash: str
    seconds: float
    engine_seconds: float
    """Of these, the engine's: without reading, writing again, hashing and comparing."""


class _Beside:
    """What the journal implies about the tables beside it, gathered on the way."""

    def __init__(self, kept_upto: int) -> None:
        self.closed = ClosedLots()
        """As far as a checkpoint has taken them along."""
        self.kept_upto = kept_upto
        """Position of the newest checkpoint."""
        self.refunded: dict[int, tuple[int, int, list[int]]] = {}

    def note(self, written: Written, upto: int) -> None:
        """The lots and refunds of the decisions up to a position; no block goes past a checkpoint."""
        if upto <= self.kept_upto:
            self.closed.add(written.closed)
        for number, refunded_fen, received_fen, position in written.refunded:
            positions = self.refunded.get(number, (0, 0, []))[2]
            self.refunded[number] = (refunded_fen, received_fen, [*positions, position])


def verify(database: Database, name: str, *, since: int = 0, progress: Progress | None = None) -> Verified:
    """Decide everything again after the checkpoint at or before ``since`` (0: from the first decision).

    progress : called with how many decisions are done
    Raises Broken with the first difference, ProgrammeNotFound.
    """
    started = perf_counter()
    with database.connect() as reader:
        snapshot = _snapshot(reader)
        programme = _programme(reader, name)
        plans = {plan.number: compiled(plan) for plan in programmes.plans(reader, programme.number)}
        for plan in programmes.plans(reader, programme.number):
            if plan.version != plans[plan.number].version or plan.name != plans[plan.number].plan.name:
                raise Broken(
                    0, f"方案 {plan.number} 的内容与其版本不符", f"the document of plan {plan.number} is not that of its version"
                )
        kept_plans = {plan.number: plan for plan in programmes.plans(reader, programme.number)}
        upto = journal.head(reader, programme.number)
        _check_end(reader, programme.number, upto)
        checkpoint = programmes.newest(reader, programme.number, since) if since else None
        standing = standing_of(programme, plans, checkpoint)
        if checkpoint is not None:
            _check_standing(standing, checkpoint.state_hash)
        else:
            add_holders(standing, programmes.holders(reader, programme.number, -1, 0))
        first, orders = standing.position, standing.programme.order_count
        replay = Replay(standing, lambda position: journal.read(reader, programme.number, [position])[position])
        kept = _checkpoints(reader, programme.number)
        beside, register, transfers, met = _Beside(max(kept, default=0)), _Register(standing), 0, 0
        ids = _Ids.of(reader, programme.number, upto)
        stops = [stop for stop in kept if first < stop < upto]
        scan = Scan(database.url, snapshot, programme.number, [first, *stops, upto])
        for data, ends, heads in _ahead(_blocks(database, scan)):
            add_holders(standing, programmes.holders(reader, programme.number, standing.position, int(heads.position[-1])))
            written = replay.feed(data, ends, heads)
            register.check(data, heads)
            _check_ids(ids, data, heads)
            _check_activations(kept_plans, data, heads)
            beside.note(written, int(heads.position[-1]))
            transfers += sum(len(legs.code) for legs in written.moved)
            if progress is not None:
                progress(len(heads.position))
            if int(heads.position[-1]) in stops:
                met += _check_checkpoint(reader, standing)
        replay.finish()
        met += _check_checkpoint(reader, standing)
        _check_beside(reader, programme.number, beside, first)
        return Verified(
            name, first, standing.position, standing.programme.order_count - orders, transfers, met, standing.head.hex(),
            standing.programme.hash(), perf_counter() - started, standing.engine_seconds,
        )  # fmt: skip


def _snapshot(reader: Connection) -> str:
    """Let a connection see the database as it is now until it is closed, whatever the service writes; the name of that moment."""
    reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    row = reader.execute("SELECT pg_export_snapshot()").fetchone()
    assert row is not None
    return str(row[0])


def _programme(connection: Connection, name: str) -> ProgrammeRow:
    for programme in programmes.programmes(connection):
        if programme.name == name:
            return programme
    raise ProgrammeNotFound(f"没有项目 {name[:60]!r}", f"there is no programme {name[:60]!r}")


def _blocks(database: Database, scan: Scan) -> Iterator[tuple[Bytes, Ints, Heads]]:
    """Rows with their heads. Raises Broken for a row of another form, or when the last ones are missing."""
    position, upto = scan.bounds[0], scan.bounds[-1]
    for data, ends in scan_apart(scan) if upto - position > APART_ROWS else _scan_here(database, scan):
        heads = rows.decode_heads(data, ends)
        if heads is None:
            raise Broken(position + 1 + rows.well_formed(data, ends), "格式不对", "it has the wrong form")
        position = int(heads.position[-1])
        yield data, ends, heads
    if position != upto:
        raise Broken(position + 1, "缺失", "it is missing")


def _scan_here(database: Database, scan: Scan) -> Iterator[tuple[Bytes, Ints]]:
    """The same rows, read by this process: another one would take longer to start than they to be read."""
    with database.connect() as connection:
        see(connection, scan.snapshot)
        for after, upto in pairwise(scan.bounds):
            yield from journal.scan(connection, scan.programme, after, upto)


def _ahead(blocks: Iterator[tuple[Bytes, Ints, Heads]]) -> Iterator[tuple[Bytes, Ints, Heads]]:
    """The same blocks, read by a thread of its own while the last one is being decided."""
    with ThreadPoolExecutor(1, "reading") as reader:
        coming = reader.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = reader.submit(next, blocks, None)
            yield block


def _check_end(connection: Connection, programme: int, upto: int) -> None:
    """That nothing is kept of decisions after the last one. Raises Broken."""
    row = connection.execute(
        """
        SELECT greatest((SELECT max(position) FROM balances WHERE programme = %(number)s),
                        (SELECT max(position) FROM checkpoint WHERE programme = %(number)s),
                        (SELECT max(first + length(hashes) / 8 - 1) FROM key_block WHERE programme = %(number)s),
                        (SELECT max(since) FROM holder WHERE programme = %(number)s))
        """,
        {"number": programme},
    ).fetchone()
    if row is not None and row[0] is not None and row[0] > upto:
        raise Broken(
            upto + 1, f"缺失:流水到此为止,而检查点、编号或账户持有人记到第 {row[0]} 条",
            f"it is missing: the journal ends before it, and a checkpoint, an id or a holder is of decision {row[0]}",
        )  # fmt: skip


class _Ids(NamedTuple):
    """What the blocks of ids say, by position. Where no block is, a start reads the journal."""

    hash: Ints
    is_kept: NDArray[np.bool_]

    @classmethod
    def of(cls, connection: Connection, programme: int, upto: int) -> Self:
        """All of them."""
        ids = cls(np.zeros(upto + 1, np.int64), np.zeros(upto + 1, np.bool_))
        for first, hashes in programmes.key_blocks(connection, programme, upto):
            ids.hash[first : first + len(hashes)] = hashes
            ids.is_kept[first : first + len(hashes)] = True
        return ids


def _check_ids(ids: _Ids, data: Bytes, heads: Heads) -> None:
    """That the blocks of ids hold those of these decisions. Raises Broken."""
    wrong = np.flatnonzero(ids.is_kept[heads.position] & (ids.hash[heads.position] != key_hashes(data, heads)))
    if len(wrong):
        position = int(heads.position[wrong[0]])
        raise Broken(position, "编号块中的编号与流水的不同", "its id is not the one in the block of ids")


def _check_activations(plans: dict[int, PlanRow], data: Bytes, heads: Heads) -> None:
    """That plans are the documents that were activated, signed by who signed for them. Raises Broken."""
    for i in np.flatnonzero(heads.kind == rows.ACTIVATION).tolist():
        plan = plans[int(heads.facts[i, 0])]
        begin, end = heads.key[i].tolist()
        key, signed = data[begin:end].tobytes().decode(), signed_facts(plan.signed)
        is_asked = key != GENESIS_KEY or signed
        made = digest(rows.ACTIVATION, key, plan.document, *signed) if is_asked else NO_REQUEST
        if made != data[int(heads.request[i]) :][:HASH_BYTES].tobytes():
            raise Broken(
                int(heads.position[i]),
                f"方案 {plan.number} 的文本或签字不是启用时的",
                f"the document of plan {plan.number}, or who signed for it, is not what was activated",
            )


def _checkpoints(connection: Connection, programme: int) -> list[int]:
    """Positions at which balances were kept."""
    found = connection.execute("SELECT position FROM balances WHERE programme = %s ORDER BY position", [programme])
    return [int(row[0]) for row in found]


class _Register:
    """The holders' names in a run of bytes, and the digests of orders that name them."""

    def __init__(self, standing: Standing) -> None:
        self._holders = standing.programme.accounts.holders
        self._data = b""
        self._ends = np.zeros(1, np.int64)
        self._kinds = np.zeros(0, np.int64)

    def _read_on(self) -> None:
        """Holders that are new since the last time."""
        new = self._holders[len(self._kinds) :]
        texts = [holder.name.encode() for holder in new]
        self._data += b"".join(texts)
        self._ends = np.append(self._ends, self._ends[-1] + np.cumsum([len(text) for text in texts], dtype=np.int64))
        self._kinds = np.append(self._kinds, [holder.kind for holder in new]).astype(np.int64)

    def check(self, data: Bytes, heads: Heads) -> None:
        """That the names in the register are those that were asked for. Raises Broken."""
        orders = np.flatnonzero(heads.kind == rows.ORDER)
        if not len(orders):
            return
        self._read_on()
        party = heads.party[orders, : len(NAMES)].T
        begin, stop = self._ends[party] * (party >= 0), self._ends[party + 1] * (party >= 0)
        key, facts = heads.key[orders], heads.facts[orders]
        keys = np.ascontiguousarray(key[:, 0]), np.ascontiguousarray(key[:, 1])
        made = digests_of(Facts(data, keys, facts, np.frombuffer(self._data, np.uint8), (begin, stop)))
        for k in np.flatnonzero(((party >= 0) & (self._kinds[party] != _KIND_OF_NAME[:, None])).any(axis=0)).tolist():
            names = [
                party_name(field, self._holders[number]) if number >= 0 else ""
                for field, number in zip(NAMES, party[:, k].tolist(), strict=True)
            ]
            _, paid, rate, used, _, instant = facts[k].tolist()
            id_text = data[key[k, 0] : key[k, 1]].tobytes().decode()
            made[k] = np.frombuffer(order_digest(id_text, instant, paid, rate, used, names), np.uint8)
        there = data[heads.request[orders][:, None] + np.arange(HASH_BYTES)]
        wrong = np.flatnonzero((made != there).any(axis=1))
        if len(wrong):
            raise Broken(
                int(heads.position[orders[wrong[0]]]),
                "订单内容与提交时的摘要不符:某一方的名称或字段被改动",
                "the order is not what was asked for: a party's name or a field was changed",
            )


_KIND_OF_NAME: Final = np.array([KIND_OF_MEANING[MEANING_OF_COLUMN[name]] for name in NAMES], np.int64)
"""Which kind of holder is named without its kind in each of NAMES."""


def _check_standing(standing: Standing, state_hash: str) -> None:
    """That a checkpoint holds the state whose hash it names."""
    if standing.programme.hash() != state_hash:
        raise Broken(standing.position, "检查点的状态与其哈希不符", "the checkpoint's state is not that of its hash")


def _check_checkpoint(connection: Connection, standing: Standing) -> int:
    """What was kept at this position against what came out; how many checkpoints that were."""
    found = connection.execute(
        "SELECT books, last FROM balances WHERE programme = %s AND position = %s", [standing.number, standing.position]
    ).fetchone()
    if found is None:
        return 0
    books, last = standing.books.freeze(), standing.last[standing.books.touched()].astype("<i4").tobytes()
    if books != bytes(found[0]) or last != bytes(found[1]):
        raise Broken(standing.position, "检查点的余额与重算的不同", "the checkpoint's balances are not those that come out")
    kept = programmes.newest(connection, standing.number, standing.position)
    if kept is not None and kept.position == standing.position:
        names, state = standing.programme.freeze()
        if (names, state, standing.head, standing.plan) != (kept.names, kept.state, kept.head, kept.plan):
            raise Broken(standing.position, "检查点的状态与重算的不同", "the checkpoint's state is not the one that comes out")
        _check_standing(standing, kept.state_hash)
    return 1


def _check_beside(connection: Connection, programme: int, beside: _Beside, since: int) -> None:
    """Closed lots and refunds against their tables."""
    closed = beside.closed.all()
    closed = closed[np.argsort(closed[:, 0], kind="stable")]
    there = journal.all_lots(connection, programme) if not since else journal.lots_of(connection, programme, closed[:, 0])
    if not np.array_equal(closed, there):
        common = min(len(closed), len(there))
        differs = np.flatnonzero((closed[:common] != there[:common]).any(axis=1))
        number = int((closed if len(closed) > common else there)[differs[0] if len(differs) else common - 1, 0]) if common else 0
        raise Broken(
            since,
            f"第 {number} 号订单的排队记录与重算的不同",
            f"the closed lot of order number {number} is not the one that comes out",
        )
    found = connection.execute(
        "SELECT number, refunded_fen, received_fen, positions FROM refunded WHERE programme = %s", [programme]
    )
    kept_refunds = {number: (fen, received, list(positions)) for number, fen, received, positions in found}
    for number, (fen, received, positions) in beside.refunded.items():
        *kept_fen, kept_positions = kept_refunds.get(number, (0, 0, []))
        if (*kept_fen, [position for position in kept_positions if position > since]) != (fen, received, positions):
            raise Broken(
                positions[0], f"第 {number} 号订单的退款记录不符", f"the refunds of order number {number} are not those recorded"
            )
    if not since and len(kept_refunds) != len(beside.refunded):
        raise Broken(0, "退款记录多于流水", "there are more refunds recorded than the journal has")
