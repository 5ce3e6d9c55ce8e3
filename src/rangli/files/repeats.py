"""Repeats: which of very many hashes occur more than once, in memory that does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray

HELD_MAX: Final = 2**22
"""Hashes held in memory (32 MiB) before they go to disk."""

_PARTS: Final = 256
_PART_STARTS: Final = np.array([-(2**63) + part * 2**56 for part in range(1, _PARTS)], np.int64)
"""Parts are by the first eight bits, so that equal hashes meet in one part."""


def repeated(batches: Iterable[NDArray[np.int64]], held_max: int = HELD_MAX) -> NDArray[np.int64]:
    """The hashes that occur more than once, ascending.

    More than ``held_max`` hashes are sorted into 256 parts in a temporary directory, eight bytes each.
    """
    with TemporaryDirectory(prefix="rangli-") as name:
        folder = Path(name)
        held: list[NDArray[np.int64]] = []
        for hashes in batches:
            held.append(hashes)
            if sum(map(len, held)) > held_max:
                _put_away(np.concatenate(held), folder)
                held.clear()
        rest = np.concatenate([np.empty(0, np.int64), *held])
        if not any(folder.iterdir()):
            return _twice(rest)
        _put_away(rest, folder)
        return np.concatenate([_twice(np.fromfile(part, np.int64)) for part in sorted(folder.iterdir())])


def _put_away(hashes: NDArray[np.int64], folder: Path) -> None:
    """Appends each hash to the file of its part; the files sort as the hashes do."""
    hashes.sort()
    for part, some in enumerate(np.split(hashes, np.searchsorted(hashes, _PART_STARTS))):
        if len(some):
            with (folder / f"{part:02x}").open("ab") as file:
                file.write(some.tobytes())


def _twice(hashes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The hashes that occur more than once among these, ascending; sorts them in place."""
    hashes.sort()
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
