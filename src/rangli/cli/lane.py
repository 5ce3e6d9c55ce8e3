"""Which lane the kernels of a command run in: compiled, or the same source interpreted when the job is small.

Compiling costs ten seconds once; a thousand orders take one second without. Both lanes are the same to the byte, which the tests
of either lane prove. ``NUMBA_DISABLE_JIT`` decides instead when it is set: 0 compiles, 1 interprets.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

SMALL_BYTES: Final = 150_000
"""A CSV of about a thousand orders, or the Parquet file of their transfers."""
SMALL_ORDERS: Final = 1_000

_owns_process = False


def own_process() -> None:
    """This process runs one command and ends, so that its lane is the command's to choose."""
    global _owns_process  # noqa: PLW0603 (a process has one lane)
    _owns_process = True


def choose_for_file(path: Path) -> None:
    """Interpret if this file of orders or transfers is small. To be called before anything that imports the engine."""
    _choose(is_small=path.is_file() and path.stat().st_size <= SMALL_BYTES)


def choose_for_orders(orders: int) -> None:
    """Interpret if these are few orders."""
    _choose(is_small=orders <= SMALL_ORDERS)


def _choose(*, is_small: bool) -> None:
    """Numba reads its setting when a kernel is declared, which is when the engine is imported."""
    if is_small and _owns_process and "NUMBA_DISABLE_JIT" not in os.environ:
        from numba import config

        config.DISABLE_JIT = 1  # type: ignore[attr-defined]  # set while Numba starts, so not in its stubs
