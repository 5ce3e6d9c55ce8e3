"""Which lane a command runs its kernels in: a small job compiles nothing, and comes to the same books."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import run

from rangli.cli import lane

SEED = "00" * 32


def _settle(folder: Path, name: str, **environment: str) -> tuple[dict[str, bytes], set[Path]]:
    """What a process of its own wrote, by file name, and the kernels that it compiled."""
    cache = folder / "cache" / name
    inherited = {key: value for key, value in os.environ.items() if key != "NUMBA_DISABLE_JIT"}
    command = [sys.executable, "-m", "rangli", "settle", "weituanbao", str(folder / "orders.csv"), "--out", str(folder / name)]
    done = subprocess.run(
        [*command, "--seed", SEED],
        env=inherited | {"NUMBA_CACHE_DIR": str(cache)} | environment,
        capture_output=True,
        check=False,
    )
    assert (0, b"") == (done.returncode, done.stderr.partition(b"next: ")[0])
    return {path.name: path.read_bytes() for path in (folder / name).iterdir()}, set(cache.rglob("*.nbc"))


def test_a_small_job_compiles_nothing_and_writes_the_same(tmp_path: Path) -> None:
    """Ten seconds of compiling for one order is what a newcomer would remember; the setting overrules."""
    run(f"example --orders 200 --shops 5 --out {tmp_path}")
    small, compiled = _settle(tmp_path, "small")
    again, compiled_again = _settle(tmp_path, "again", NUMBA_DISABLE_JIT="0")

    assert set() == compiled
    assert compiled_again
    assert small == again


def test_a_large_job_compiles(tmp_path: Path) -> None:
    """A million orders interpreted would take a quarter of an hour."""
    run(f"example --orders 1200 --shops 5 --out {tmp_path}")
    assert (tmp_path / "orders.csv").stat().st_size > lane.SMALL_BYTES
    _, compiled = _settle(tmp_path, "large")

    assert compiled


@pytest.mark.parametrize("orders", [lane.SMALL_ORDERS, lane.SMALL_ORDERS + 1])
def test_simulate_goes_by_the_number_of_orders(orders: int, tmp_path: Path) -> None:
    """One more than a small job is compiled."""
    command = [sys.executable, "-m", "rangli", "simulate", "zengzhi", "--orders", str(orders), "--concession", "20%", "--json"]
    inherited = {key: value for key, value in os.environ.items() if key != "NUMBA_DISABLE_JIT"}
    subprocess.run(command, env=inherited | {"NUMBA_CACHE_DIR": str(tmp_path)}, capture_output=True, check=True)

    assert (orders > lane.SMALL_ORDERS) == bool(list(tmp_path.rglob("*.nbc")))
