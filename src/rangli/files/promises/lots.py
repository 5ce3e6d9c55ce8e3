"""lots.parquet beside the lots that the replay of the queues came to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rangli.files.promises.facts import prefixes
from rangli.files.promises.faults import Findings
from rangli.files.promises.pages import open_parquet, read_groups
from rangli.files.promises.queues import COUNT, ID_HASH, NEXT, PAID, POT_OF, RECEIVED, WALLET, Queues
from rangli.files.promises.register import Register, hashes_of
from rangli.money import BP_PER_ONE, mul_div
from rangli.plan.parts import Packets
from rangli.plan.terms import Ints

FILE: Final = "lots.parquet"
_TEXT: Final = pa.dictionary(pa.int32(), pa.string())
TYPES: Final = {
    "order_id": pa.string(),
    "consumer": _TEXT,
    "merchant": _TEXT,
    "tier": pa.int32(),
    "paid_fen": pa.int64(),
    "packets": pa.int64(),
    "received_fen": pa.int64(),
    "open": pa.bool_(),
}
HANDFUL: Final = 1 << 17
IS_OPEN: Final = NEXT
"""Where the replay keeps the lot behind, the tables compared here keep whether it is open."""
COLUMNS: Final = {
    IS_OPEN: "open",
    WALLET: "consumer",
    PAID: "paid_fen",
    RECEIVED: "received_fen",
    COUNT: "packets",
    ID_HASH: "order_id",
    POT_OF: "merchant, tier",
}
"""What is compared, and the columns of the file that hold it."""


class Lots:
    """The file, read beside the replay: first the lots that closed, in that order, then those still open."""

    def __init__(self, path: Path, rules: Packets, register: Register, findings: Findings) -> None:
        self.rules = rules
        self.register = register
        self.findings = findings
        self._rows = self._read(path)
        self._kept = np.empty((0, POT_OF + 1), np.int64)
        self._seen = 0
        self._compared = 0

    def closed(self, lots: Ints) -> None:
        """These lots closed: the rows of the replay from WALLET on."""
        self._compare(np.column_stack([np.zeros(len(lots), np.int64), lots]), self._take(len(lots)))

    def finish(self, queues: Queues) -> None:
        """The lots that are open at the end, in whatever order, and nothing more."""
        ours = queues.lots[: int(queues.free[1])].copy()
        ours = ours[ours[:, WALLET] >= 0]
        ours[:, IS_OPEN] = 1
        theirs = np.concatenate([self._kept, *self._rows])
        self._compare(*(rows[np.lexsort((rows[:, PAID], rows[:, ID_HASH]))] for rows in (ours, theirs)))

    def _compare(self, ours: Ints, theirs: Ints) -> None:
        """Row by row; a row more or less on either side is a difference too."""
        common = min(len(ours), len(theirs))
        self.findings.check("lots", len(ours))
        columns = list(COLUMNS)
        differs = ours[:common][:, columns] != theirs[:common][:, columns]
        for i in np.flatnonzero(differs.any(axis=1)).tolist():
            names = ", ".join(COLUMNS[columns[place]] for place in np.flatnonzero(differs[i]).tolist())
            zh, en = f"与转账推算的不同:{names}", f"differs from what the transfers come to in {names}"
            self.findings.add("lots", f"{FILE}, lot {self._compared + i + 1}", zh, en)
        if len(ours) != len(theirs):
            zh, en = f"应有 {len(ours)} 笔,实有 {len(theirs)} 笔", f"there should be {len(ours)} lots, there are {len(theirs)}"
            self.findings.add("lots", f"{FILE}, lot {self._compared + common + 1}", zh, en)
        self._compared += len(ours)

    def _take(self, count: int) -> Ints:
        """The next rows of the file, as many as there are."""
        parts, have = [self._kept], len(self._kept)
        while have < count:
            more = next(self._rows, None)
            if more is None:
                break
            parts.append(more)
            have += len(more)
        rows = np.concatenate(parts) if len(parts) > 1 else self._kept
        self._kept = rows[count:]
        return rows[:count]

    def _read(self, path: Path) -> Iterator[Ints]:
        """The file's rows as tables with the columns of the replay's lots."""
        with open_parquet(path, TYPES) as file:
            for numbers in _handfuls([file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]):
                rows = self._table(read_groups(file, numbers, path, list(TYPES)))
                self._check_limits(rows)
                yield rows

    def _table(self, table: pa.Table) -> Ints:
        """Rows as numbers."""
        column = {name: table[name].chunk(0) if len(table) else pa.array([], kind) for name, kind in TYPES.items()}
        rows = np.zeros((len(table), POT_OF + 1), np.int64)
        wallets = self.register.numbers(
            pc.binary_join_element_wise(prefixes("consumer", column["consumer"].dictionary), "wallet", ":")
        )
        rows[:, IS_OPEN] = column["open"].to_numpy(zero_copy_only=False)
        rows[:, WALLET] = np.array([*wallets, -1])[column["consumer"].indices.fill_null(-1).to_numpy()]
        rows[:, PAID] = column["paid_fen"].fill_null(-1).to_numpy()
        rows[:, RECEIVED] = column["received_fen"].fill_null(-1).to_numpy()
        rows[:, COUNT] = column["packets"].fill_null(-1).to_numpy()
        rows[:, ID_HASH] = hashes_of(column["order_id"])
        merchant = pc.utf8_slice_codeunits(prefixes("merchant", column["merchant"].dictionary), len("merchant:"))
        tier = column["tier"].cast(pa.string())
        pots = pc.binary_join_element_wise("programme:packets", merchant.take(column["merchant"].indices), tier, ":")
        rows[:, POT_OF] = self.register.numbers(pots)
        return rows

    def _check_limits(self, rows: Ints) -> None:
        """No lot says that it has more packets or more money than the plan lets it have."""
        most = self.rules.exit.packets
        if most is not None:
            self.findings.check("packets_at_most", len(rows))
            for i in np.flatnonzero(rows[:, COUNT] > most).tolist():
                zh, en = f"收到 {rows[i, COUNT]} 个红包,至多 {most} 个", f"it has {rows[i, COUNT]} packets of at most {most}"
                self.findings.add("packets_at_most", f"{FILE}, row {self._seen + i + 1}", zh, en)
        self.findings.check("never_above_paid", len(rows))
        above = rows[:, RECEIVED] * BP_PER_ONE > rows[:, PAID] * self.rules.exit.received_bp
        for i in np.flatnonzero(above).tolist():
            cap = mul_div(int(rows[i, PAID]), self.rules.exit.received_bp, BP_PER_ONE)
            zh, en = f"收到 {rows[i, RECEIVED]} 分,至多 {cap} 分", f"it has received {rows[i, RECEIVED]} fen of at most {cap}"
            self.findings.add("never_above_paid", f"{FILE}, row {self._seen + i + 1}", zh, en)
        self._seen += len(rows)


def _handfuls(sizes: list[int]) -> Iterator[list[int]]:
    """Row groups one after another that come to some HANDFUL of rows together; those of open lots are very small."""
    numbers: list[int] = []
    rows = 0
    for number, size in enumerate(sizes):
        numbers.append(number)
        rows += size
        if rows >= HANDFUL:
            yield numbers
            numbers, rows = [], 0
    if numbers:
        yield numbers
