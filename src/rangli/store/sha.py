"""SHA-256 of many stretches of bytes: by the library behind ``hashlib``, called from a kernel.

``hashlib`` costs more for the objects around a short text than for hashing it, and keeps every other thread waiting meanwhile.
Where its library cannot be reached (it may be built into Python), and without a compiler, ``hashlib`` does it; a test holds the
two together.
"""

from __future__ import annotations

import ctypes
import hashlib
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rangli.engine.kernel import kernel
from rangli.engine.memory import IS_COMPILED, address_of, call
from rangli.store.rows import HASH_BYTES, Bytes, Ints

_FUNCTIONS: Final = ("SHA256_Init", "SHA256_Update", "SHA256_Final")
_CONTEXT_BYTES: Final = 512
"""More than any version's SHA256_CTX, which has 112."""


def _library() -> Ints | None:
    """The addresses of the library's functions, None when they are out of reach."""
    if not IS_COMPILED:
        return None
    try:
        import _hashlib  # noqa: PLC0415 -- CPython's own; not every Python has it

        library = ctypes.CDLL(_hashlib.__file__)
        found = [ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in _FUNCTIONS]
    except (ImportError, OSError, AttributeError):
        return None
    return None if None in found else np.array(found, np.int64)


_functions: Ints | None = _library()


def digests(data: Bytes, ends: Ints) -> Bytes:
    """(n, 32) the hash of each stretch; ``ends`` says where each begins, and at last the end."""
    out = np.empty((len(ends) - 1, HASH_BYTES), np.uint8)
    if _functions is None:
        view = memoryview(data)  # type: ignore[arg-type]  # NumPy's arrays are buffers
        for i, (start, stop) in enumerate(pairwise(ends.tolist())):
            out[i] = np.frombuffer(hashlib.sha256(view[start:stop]).digest(), np.uint8)
    else:
        hash_stretches(_functions, data, ends, np.empty(_CONTEXT_BYTES, np.uint8), out)
    return out


def chain(data: Bytes, ends: Ints, head: bytes) -> Bytes:
    """Write each row's hash into its end; (n, 32) all of them.

    A hash is of the one before and of the row without it, which are neighbours: the room before the first row takes the head.
    """
    first = int(ends[0])
    data[first - HASH_BYTES : first] = np.frombuffer(head, np.uint8)
    if _functions is None:
        view = memoryview(data)  # type: ignore[arg-type]  # as above
        for start, stop in pairwise((ends - HASH_BYTES).tolist()):
            view[stop : stop + HASH_BYTES] = hashlib.sha256(view[start:stop]).digest()
    else:
        chain_rows(_functions, data, ends, np.empty(_CONTEXT_BYTES, np.uint8))
    hashes: Bytes = data[ends[1:, None] + np.arange(-HASH_BYTES, 0)]
    return hashes


@kernel
def _hash(functions: Ints, context: int, start: int, size: int, out: int) -> None:
    """The hash of ``size`` bytes from address ``start`` on to address ``out``."""
    call(functions[0], context, 0, 0)
    call(functions[1], context, start, size)
    call(functions[2], out, context, 0)


@kernel
def hash_stretches(functions: Ints, data: Bytes, ends: Ints, context: Bytes, out: NDArray[np.uint8]) -> None:
    """Write the hash of each stretch of ``data``. context : uint8, scratch     out : uint8 (n, 32) written."""
    base, to = address_of(data), address_of(out)
    for i in range(out.shape[0]):
        _hash(functions, address_of(context), base + ends[i], ends[i + 1] - ends[i], to + HASH_BYTES * i)


@kernel
def chain_rows(functions: Ints, data: Bytes, ends: Ints, context: Bytes) -> None:
    """Write the hash of each row and of what stands before it into the row's end. context : uint8, scratch."""
    base = address_of(data)
    for i in range(ends.shape[0] - 1):
        start, stop = ends[i] - HASH_BYTES, ends[i + 1] - HASH_BYTES
        _hash(functions, address_of(context), base + start, stop - start, base + stop)
