"""Writing transfers and lots to Parquet: account paths and order ids as dictionaries, one row group a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rangli.engine.out import SETTLED
from rangli.engine.packets import cap_fen
from rangli.engine.state import (
    LOT_LEFT,
    LOT_ORDER,
    LOT_PAID,
    LOT_ROOM,
    LOT_WALLET,
    OPEN,
    POT_ACCOUNT,
    packed,
)
from rangli.files.columns import compact, number_lines
from rangli.files.orders import OrderRows
from rangli.ledger.accounts import INSTITUTION, POCKET_BITS, POCKET_NAMES, POCKETS, Accounts
from rangli.ledger.transfers import CODE_NAMES, UNIT_NAMES, UNIT_OF_CODE, Transfers, concatenated
from rangli.plan.terms import Ints
from rangli.settle import Programme

_TEXT: Final = pa.dictionary(pa.int32(), pa.string())
TRANSFERS_SCHEMA: Final = pa.schema(
    [
        ("order_id", _TEXT),
        ("line", pa.int32()),
        ("source", _TEXT),
        ("destination", _TEXT),
        ("amount_micro", pa.int64()),
        ("unit", _TEXT),
        ("code", _TEXT),
    ]
)
LOTS_SCHEMA: Final = pa.schema(
    [
        ("order_id", pa.string()),
        ("consumer", pa.string()),
        ("merchant", pa.string()),
        ("tier", pa.int32()),
        ("paid_fen", pa.int64()),
        ("packets", pa.int64()),
        ("received_fen", pa.int64()),
        ("open", pa.bool_()),
    ]
)
_WRITING: Final[dict[str, Any]] = {
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": ["order_id", "source", "destination", "unit", "code", "line", "consumer", "merchant"],
    "dictionary_pagesize_limit": 1 << 27,
    "write_statistics": False,
}
_UNITS: Final = pa.array(UNIT_NAMES)
_CODES: Final = pa.array(CODE_NAMES)
_UNIT_INDEX: Final = UNIT_OF_CODE.astype(np.int32)
_POCKETS: Final = pa.array(["", *(f":{name}" for name in POCKET_NAMES)])


class Register:
    """The register of holders as Arrow columns, kept up as it grows."""

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts
        self._prefixes = pa.array([], pa.string())
        self._names = pa.array([], pa.string())
        self._institution = np.empty(0, np.bool_)

    def _catch_up(self) -> None:
        new = self.accounts.holders[len(self._prefixes) :]
        if new:
            self._prefixes = pa.concat_arrays([self._prefixes, pa.array([holder.prefix() for holder in new], pa.string())])
            self._names = pa.concat_arrays([self._names, pa.array([holder.name for holder in new], pa.string())])
            kinds = np.array([holder.kind == INSTITUTION for holder in new])
            self._institution = np.concatenate([self._institution, kinds])

    def paths(self, account: NDArray[np.int32]) -> pa.StringArray:
        """The paths of these accounts."""
        self._catch_up()
        holder = account >> POCKET_BITS
        pocket = np.where(self._institution[holder], 0, (account & (POCKETS - 1)) + 1)
        return pc.binary_join_element_wise(self._prefixes.take(pa.array(holder)), _POCKETS.take(pa.array(pocket)), "")

    def names(self, holder: NDArray[np.int64]) -> pa.StringArray:
        """The names of these holders."""
        self._catch_up()
        return self._names.take(pa.array(holder))


class Gathered(NamedTuple):
    """The transfers of one batch, ready to be written by another thread."""

    transfers: Transfers
    order_id: pa.StringArray
    source: NDArray[np.int32]
    destination: NDArray[np.int32]
    paths: pa.StringArray


class Sink(Protocol):
    """Where tables go: a Parquet file that grows, or one that they are compared with."""

    def write_table(self, table: pa.Table, row_group_size: int | None = None) -> None:
        """Take one row group."""

    def close(self) -> None:
        """Nothing more comes."""


def parquet(path: Path, schema: pa.Schema) -> Sink:
    """A Parquet file that grows."""
    writer: Sink = pq.ParquetWriter(path, schema, **_WRITING)
    return writer


class TransfersFile:
    """transfers.parquet while it grows."""

    def __init__(self, sink: Sink, register: Register) -> None:
        self._file = sink
        self.register = register
        self._parts: list[Transfers] = []
        self._place_of = np.empty(0, np.int32)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def gather(self, transfers: Transfers) -> None:
        """Keep a copy of a chunk's transfers."""
        if len(transfers.code):
            self._parts.append(concatenated([transfers]))

    def take(self, order_id: pa.StringArray) -> Gathered:
        """All that was gathered since, with its accounts renumbered to those that occur."""
        parts, self._parts = self._parts or [Transfers.empty(0)], []
        transfers = concatenated(parts)
        accounts = len(self.register.accounts) * POCKETS
        if len(self._place_of) < accounts:
            self._place_of = np.full(2 * accounts, -1, np.int32)
        size = len(transfers.code)
        used = np.empty(min(2 * size, accounts), np.int32)
        source, destination = np.empty(size, np.int32), np.empty(size, np.int32)
        count = compact(transfers.source, self._place_of, used, 0, source)
        count = compact(transfers.destination, self._place_of, used, count, destination)
        self._place_of[used[:count]] = -1
        return Gathered(transfers, order_id, source, destination, self.register.paths(used[:count]))

    def write(self, gathered: Gathered) -> None:
        """One row group."""
        transfers, order_id, source, destination, paths = gathered
        if not len(transfers.code):
            return
        line = np.empty(len(transfers.code), np.int32)
        number_lines(transfers.order, line)
        closing = transfers.order < 0
        code = transfers.code.astype(np.int32)
        columns = [
            pa.DictionaryArray.from_arrays(pa.array(transfers.order, mask=closing if closing.any() else None), order_id),
            pa.array(line),
            pa.DictionaryArray.from_arrays(pa.array(source), paths),
            pa.DictionaryArray.from_arrays(pa.array(destination), paths),
            pa.array(transfers.amount),
            pa.DictionaryArray.from_arrays(pa.array(_UNIT_INDEX[code]), _UNITS),
            pa.DictionaryArray.from_arrays(pa.array(code), _CODES),
        ]
        self._file.write_table(pa.table(columns, schema=TRANSFERS_SCHEMA), row_group_size=len(code))


class LotsFile:
    """lots.parquet while it grows: lots as they close, and at the end those still open, queue by queue."""

    def __init__(self, sink: Sink, programme: Programme, register: Register) -> None:
        self._file = sink
        self.programme = programme
        self.register = register
        self._closed: list[Ints] = []
        self._open_ids: dict[int, str] = {}
        self._next = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def closed(self, closed: Ints) -> None:
        """Keep a copy of a chunk's closed lots."""
        if len(closed):
            self._closed.append(closed.copy())

    def batch(self, rows: OrderRows, status: NDArray[np.uint8]) -> None:
        """Write the lots that the batch closed; remember the ids of those that it leaves open."""
        if self.programme.state.queues is None:
            return
        settled = np.flatnonzero(status == SETTLED)
        closed = np.concatenate(self._closed) if self._closed else np.empty((0, 6), np.int64)
        self._closed = []
        numbers = closed[:, 0]
        is_new = numbers >= self._next
        ids = np.empty(len(closed), object)
        ids[~is_new] = [self._open_ids.pop(number) for number in numbers[~is_new].tolist()]
        ids[is_new] = rows.order_id.take(pa.array(settled[numbers[is_new] - self._next])).to_pylist()
        still = np.ones(len(settled), np.bool_)
        still[numbers[is_new] - self._next] = False
        open_ids = rows.order_id.take(pa.array(settled[still])).to_pylist()
        self._open_ids.update(zip((np.flatnonzero(still) + self._next).tolist(), open_ids, strict=True))
        self._next += len(settled)
        self._write(ids.tolist(), closed[:, 1], closed[:, 2], closed[:, 3:], is_open=False)

    def finish(self) -> None:
        """Write the open lots."""
        queues = self.programme.state.queues
        if queues is None:
            return
        packets = self.programme.terms.packets
        rows, lots = packed(queues)
        caps = np.array([cap_fen(packets, paid) for paid in lots[:, LOT_PAID].tolist()], np.int64)
        facts = np.stack([lots[:, LOT_PAID], packets.exit_packets - lots[:, LOT_LEFT], caps - lots[:, LOT_ROOM]], axis=1)
        ids = [self._open_ids[number] for number in lots[:, LOT_ORDER].tolist()]
        self._write(ids, lots[:, LOT_WALLET], np.repeat(rows[:, POT_ACCOUNT], rows[:, OPEN]), facts, is_open=True)

    def _write(self, ids: list[str], wallet: Ints, pot: Ints, facts: Ints, *, is_open: bool) -> None:
        """One row group; ``facts`` are paid fen, packets and received fen."""
        if not ids:
            return
        pots = np.array(self.programme.pots, np.int64).reshape(-1, 3)
        queue = np.searchsorted(pots[:, 0], pot >> POCKET_BITS)
        columns = [
            pa.array(ids, pa.string()),
            self.register.names(wallet >> POCKET_BITS),
            self.register.names(pots[queue, 1]),
            pa.array(pots[queue, 2].astype(np.int32)),
            *(pa.array(np.ascontiguousarray(column)) for column in facts.T),
            pa.array(np.full(len(ids), is_open)),
        ]
        self._file.write_table(pa.table(columns, schema=LOTS_SCHEMA))
