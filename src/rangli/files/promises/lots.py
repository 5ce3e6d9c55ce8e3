"""lots.parquet beside the lots that the replay of the queues came to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rangli.files.promises.facts import Reader, hashes_of
from rangli.files.promises.faults import Findings
from rangli.files.promises.pages import open_parquet, read_group
from rangli.files.promises.queues import CAP, COUNT, ID_HASH, PAID, QUEUE, RECEIVED, WALLET, Queues
from rangli.ledger.accounts import encode_name
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
COLUMNS: Final = {WALLET: "consumer", PAID: "paid_fen", RECEIVED: "received_fen", COUNT: "packets", ID_HASH: "order_id", QUEUE: "tier"}
"""What is compared, and under which column a difference is reported; QUEUE is merchant and tier."""
