"""SHA-256 by kernel and by ``hashlib``: the same for any bytes, so it does not matter which a machine has."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rangli.engine.memory import IS_COMPILED
from rangli.store import sha

STRETCHES = st.lists(
    st.one_of(
        st.binary(max_size=300), st.sampled_from([b"", bytes(55), bytes(56), bytes(63), bytes(64), bytes(65), bytes(5000)])
    ),
    max_size=9,
)
"""Either side of where the padding needs another block."""


@pytest.fixture(params=["library", "hashlib"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How hashes are made."""
    if request.param == "hashlib":
        monkeypatch.setattr(sha, "_functions", None)
    elif sha._functions is None:
        pytest.skip("the library is out of reach here")
    return str(request.param)


@pytest.mark.usefixtures("way")
@given(STRETCHES)
def test_every_stretch_has_its_hash(parts: list[bytes]) -> None:
    """And nothing beside it is read."""
    data = np.frombuffer(bytearray(b"".join(parts)), np.uint8)
    ends = np.cumsum([0, *map(len, parts)]).astype(np.int64)

    assert [hashlib.sha256(part).digest() for part in parts] == [bytes(one) for one in sha.digests(data, ends)]


@pytest.mark.usefixtures("way")
@given(STRETCHES, st.binary(min_size=32, max_size=32))
def test_each_row_is_hashed_with_the_hash_before_it(parts: list[bytes], head: bytes) -> None:
    """It is written into the row's end, and nothing else is."""
    data = np.frombuffer(bytearray(bytes(32) + b"".join(part + bytes(32) for part in parts)), np.uint8)
    ends = 32 + np.cumsum([0, *(len(part) + 32 for part in parts)]).astype(np.int64)
    expected = []
    for part in parts:
        expected.append(hashlib.sha256((expected[-1] if expected else head) + part).digest())

    assert expected == [bytes(one) for one in sha.chain(data, ends, head)]
    assert [part + digest for part, digest in zip(parts, expected, strict=True)] == [
        data[start:stop].tobytes() for start, stop in pairwise(ends.tolist())
    ]


@pytest.mark.skipif(not IS_COMPILED, reason="kernels are plain Python here")
def test_a_python_without_the_library_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be built in, or be another library."""
    monkeypatch.setattr(sha, "_FUNCTIONS", ("SHA256_Init", "no_such_function"))

    assert sha._library() is None
