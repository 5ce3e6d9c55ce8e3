"""The C reference, compiled now and called on the engine's own arrays.

``Reference.step`` and ``Reference.release_period`` take exactly what ``engine.step.step`` and ``engine.release.release_period``
take, so that one driver runs either, and one checksum and one hash of the state compare them.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Final

import numpy as np

from rangli.engine.out import LINES_MAX, Orders, Out
from rangli.engine.state import Holdings, Pool, Queues, Release
from rangli.plan.terms import Ints, ReleaseTerms, Terms

SOURCE: Final = Path(__file__).with_name("reference.c")
COMMAND: Final = ("cc", "-O3", "-march=native", "-shared", "-fPIC")


def has_compiler() -> bool:
    """Whether there is a ``cc``."""
    return shutil.which(COMMAND[0]) is not None


def compiler() -> str:
    """The compiler's own name and version."""
    said = subprocess.run([COMMAND[0], "--version"], capture_output=True, text=True, check=True).stdout
    return said.splitlines()[0]


class Record:
    """A C struct whose members are all pointers or int64, which is to say 64 bits wide, as an array of words."""

    def __init__(self, *members: np.ndarray | int) -> None:
        assert ctypes.sizeof(ctypes.c_void_p) == ctypes.sizeof(ctypes.c_int64)
        self.words = np.array([_address(m) if isinstance(m, np.ndarray) else int(m) for m in members], np.int64)
        self.members = members
        """Kept, so that no array goes away while C has its address."""


def _address(array: np.ndarray) -> int:
    """Where an array begins; a slice of columns has no C form."""
    assert array.flags.c_contiguous
    return array.ctypes.data


class Reference:
    """The compiled reference."""

    def __init__(self, folder: Path) -> None:
        assert LINES_MAX == 199, "LINES_MAX of reference.c"
        library = folder / "reference.so"
        subprocess.run([*COMMAND, "-o", str(library), str(SOURCE)], check=True)
        self._library = ctypes.CDLL(str(library))

    def _call(self, name: str, *arguments: Record | np.ndarray | int) -> int:
        """The C function's answer."""
        function = getattr(self._library, name)
        function.restype = ctypes.c_int64
        words = [
            ctypes.c_void_p(_address(a.words if isinstance(a, Record) else a))
            if isinstance(a, Record | np.ndarray)
            else ctypes.c_int64(a)
            for a in arguments
        ]
        return int(function(*words))

    def draws(self, count: int, whole: int, points: int) -> int:
        """See ``kernels.draws``."""
        return self._call("draw_run", count, whole, points)

    def siphash(self, offsets: np.ndarray, data: np.ndarray, key_row: Ints, keys: Ints, out: Ints) -> None:
        """See ``engine.draw.siphash_strings``."""
        self._call("siphash_run", len(out), offsets, data, key_row, keys, out)

    def shares(self, terms: Terms, orders: Orders, pot_account: int, taken: Ints, out: Out) -> int:
        """See ``kernels.shares``."""
        return self._call("shares_run", _plan(terms), _orders(orders), pot_account, taken, _out(out))

    def step(
        self,
        terms: Terms,
        holdings: Holdings,
        queues: Queues | None,
        pool: Pool | None,
        release: Release | None,
        orders: Orders,
        start: int,
        out: Out,
    ) -> int:
        """See ``engine.step.step``; for plans of packets or of a pool."""
        assert release is None
        assert terms.shares[:, 9].sum() == 0, "the reference backs no vouchers"
        common = Record(*holdings), _orders(orders), start, _out(out)
        if queues is not None:
            assert not terms.packets.skip_own
            packets, state = _packet_terms(terms), _queues(queues)
            return self._call("packets_step", _plan(terms), packets, common[0], state, *common[1:])
        assert pool is not None
        assert terms.pool.exit_bp
        assert not terms.pool.by_order
        assert not terms.pool.basis_mint
        rates = Record(terms.pool.mint_bp, terms.pool.pays_bp, terms.pool.exit_bp)
        return self._call("pool_step", _plan(terms), rates, common[0], Record(*pool), *common[1:])

    def release_period(self, terms: ReleaseTerms, release: Release, vouchers: Ints, tally: Ints, out: Out) -> int:
        """What was released; see ``engine.release.release_period``; for points times growth, released as vouchers."""
        assert not terms.by_balance
        assert not terms.pays_cash
        rates = Record(terms.rate_num, terms.rate_den, terms.days, terms.extended, terms.multiple_bp)
        return self._call("release_period", rates, Record(*release), vouchers, tally, _out(out))


def _plan(terms: Terms) -> Record:
    return Record(
        terms.concession_bp_min,
        terms.concession_bp_max,
        terms.offset_bp,
        len(terms.shares),
        terms.shares,
        len(terms.bonus),
        terms.bonus,
    )


def _packet_terms(terms: Terms) -> Record:
    packets = terms.packets
    bounds = packets.tiers_fen
    return Record(packets.per_order, packets.exit_packets, packets.exit_received_bp, bounds.shape[1], bounds)


def _queues(queues: Queues) -> Record:
    return Record(queues.rows, queues.lots, queues.first_of, queues.tier_row, *queues.scratch)


def _orders(orders: Orders) -> Record:
    return Record(len(orders.paid_fen), orders.paid_fen, orders.concession_bp, orders.voucher_fen, orders.key, orders.party)


def _out(out: Out) -> Record:
    room = min(len(out.transfers.amount), len(out.closed))
    return Record(*out.transfers, room, out.closed, out.status, out.count)
