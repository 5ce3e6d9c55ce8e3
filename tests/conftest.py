"""What every test stands on: closed sockets, profiles for Hypothesis, golden files, and a compile cache that is never stale."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"


# ---------------------------------------------------------------- compile cache


def _numba_cache() -> Path:
    """A directory for compiled kernels that no other lane, source or test process shares.

    Numba recompiles a kernel when its own file changes, but not when a kernel that it calls, or a constant that it
    reads, changes in another file; it does not tell code with and without bounds checks apart; and two processes that
    compile at the same time may take each other's code. So the directory is named by all three.
    """
    package = ROOT / "src" / "rangli"
    sources = [
        *package.glob("engine/**/*.py"),
        *package.glob("files/**/*.py"),
        *package.glob("lab/*.py"),
        *package.glob("ledger/*.py"),
        package / "plan" / "terms.py",
        package / "money.py",
    ]
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sorted(sources))).hexdigest()[:16]
    lane = "bounds" if os.environ.get("NUMBA_BOUNDSCHECK") == "1" else "plain"
    return ROOT / ".cache" / "numba" / f"{lane}-{digest}" / os.environ.get("PYTEST_XDIST_WORKER", "main")


os.environ["NUMBA_CACHE_DIR"] = str(_numba_cache())
"""Set before anything imports Numba; commands that a test starts inherit it."""


# ---------------------------------------------------------------- Hypothesis

# A kernel compiles on its first call, so no deadline, and a slow first example is no sign of a bad strategy.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True, database=None)
settings.register_profile("nojit", settings.get_profile("default"), max_examples=20)
settings.register_profile("small", settings.get_profile("default"), max_examples=20)


def _profile() -> str:
    """The profile asked for, or the one that fits the lane."""
    fits = "nojit" if os.environ.get("NUMBA_DISABLE_JIT") == "1" else "ci" if os.environ.get("CI") else "default"
    return os.environ.get("HYPOTHESIS_PROFILE") or fits


settings.load_profile(_profile())


pytest_plugins = ["databases"]
"""Servers and databases; imported after the cache's place is set."""


# ---------------------------------------------------------------- sockets


def _refuse(*_: object) -> NoReturn:
    """Stands in for every way out of this process."""
    message = "a test opened a socket; tests reach no network"
    raise AssertionError(message)


@pytest.fixture(autouse=True, scope="session")
def _closed_sockets() -> Iterator[None]:
    """No test reaches a network."""
    with pytest.MonkeyPatch.context() as patch:
        for way in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, way, _refuse)
        yield


# ---------------------------------------------------------------- golden files


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--golden``."""
    parser.addoption("--golden", action="store_true", help="rewrite the golden files instead of comparing with them")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``--golden`` only tests that have a golden file run."""
    if config.getoption("--golden"):
        items[:] = [item for item in items if "golden" in getattr(item, "fixturenames", ())]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden(name, actual)`` compares a text with tests/golden/<name>; ``make golden`` rewrites the file."""

    def compare(name: str, actual: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(actual, encoding="utf-8")
        expected = path.read_text(encoding="utf-8") if path.exists() else ""

        assert expected == actual, f"tests/golden/{name} differs; if that is meant, run `make golden` and read the difference"

    return compare
