"""The benchmark: our kernels beside C, the main job beside the plain oracle and an ORM, cold starts, files, and real shops.

Importing it says where Numba keeps what it compiles: a directory that belongs to these sources alone, since Numba does not see a
change in the file of a function that a kernel calls.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def _own_cache() -> str:
    """That directory."""
    root = Path(__file__).parents[1]
    sources = sorted([*root.joinpath("src").rglob("*.py"), *root.joinpath("bench").glob("*.py")])
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()
    return str(root.joinpath(".cache", "numba", f"bench-{digest[:16]}"))


os.environ.setdefault("NUMBA_CACHE_DIR", _own_cache())
