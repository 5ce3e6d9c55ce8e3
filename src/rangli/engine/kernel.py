"""The one decorator of all kernels: no reference counting, and every kernel inlined into the one that calls it.

A kernel allocates nothing and keeps nothing, so it is compiled without Numba's reference counting. Counting costs two locked
instructions for every view of an array, which made a step four times slower (docs/decisions/0007-kernels-count-no-references.md);
and without it, code that would allocate does not compile, so the rule keeps itself. Inlining spares handing some two hundred
words (an array is seven) from a kernel to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def kernel(function: Callable[..., Any]) -> Any:  # noqa: ANN401 (a dispatcher, of whatever Numba infers)
    """Compile a function on its first call, cached on disk, free of the GIL."""
    return njit(cache=True, nogil=True, _nrt=False, forceinline=True)(function)  # type: ignore[call-overload]  # Numba's own switch, not in its stubs


def passage(function: Callable[..., Any]) -> Any:  # noqa: ANN401 (as above)
    """A long passage of one kernel, given a name for its readers: it is pasted into that kernel and never compiled by itself."""
    return njit(nogil=True, _nrt=False, inline="always")(function)  # type: ignore[call-overload]  # as above
