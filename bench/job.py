"""The file job in a process of its own, so that its time and its memory are its own: ``python -m bench.job settle ORDERS OUT``.

The answer is one line of JSON. ``measure`` shows that memory does not follow the length of the file.
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow.parquet as pq
from rich.console import Console

from bench import report

PLAN: Final = "weituanbao"
SECRET: Final = bytes(range(32))


class Sizes(NamedTuple):
    """How much."""

    orders: int = 1_000_000
    shops: int = 1_000
    seed: int = 7


TINY: Final = Sizes(4_000, 10)


def peak_bytes() -> int:
    """The most memory that this process has had.

    Linux says it per address space. ``getrusage`` would also count what the parent held when it started us.
    """
    status = Path("/proc/self/status")
    peak = re.search(r"^VmHWM:\s*(\d+) kB$", status.read_text(), re.MULTILINE) if status.exists() else None
    if peak:
        return int(peak[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def settle(orders: Path, out: Path) -> dict[str, Any]:
    """Settle a file with its transfers written, and say how it went; what was loaded before is not counted as time."""
    from rangli.files.orders import OrderFile  # noqa: PLC0415 (the parent of this process needs none of it)
    from rangli.files.settling import settle_file  # noqa: PLC0415
    from rangli.plan import load, preset_text  # noqa: PLC0415

    start = perf_counter()
    source = OrderFile(orders)
    with report.progress(Console(stderr=True)) as bar:
        task = bar.add_task("settle", total=source.rows)
        summary = settle_file(
            load(PLAN), preset_text(PLAN), source, out, secret=SECRET, progress=lambda done: bar.advance(task, done)
        )
    return {
        "seconds": perf_counter() - start,
        "peak_bytes": peak_bytes(),
        "orders": summary.orders,
        "rejected": summary.rejected,
        "transfers": summary.transfers,
        "trial_balance_micro": summary.trial_balance_micro,
        "state_hash": summary.state_hash,
    }


def audit(orders: Path, out: Path) -> dict[str, Any]:
    """Audit what ``settle`` wrote, and say how it went."""
    from rangli.files.audit import audit as audit_directory  # noqa: PLC0415
    from rangli.files.orders import OrderFile  # noqa: PLC0415

    start = perf_counter()
    with report.progress(Console(stderr=True)) as bar:
        task = bar.add_task("audit", total=OrderFile(orders).rows)
        found = audit_directory(out, orders, progress=lambda done: bar.advance(task, done))
    return {
        "seconds": perf_counter() - start,
        "peak_bytes": peak_bytes(),
        "ok": found.ok,
        "checked": found.checked,
        "broken": [str(one) for one in found.broken],
    }


WORK: Final = {"settle": settle, "audit": audit}


def in_a_process(what: str, orders: Path, out: Path) -> dict[str, Any]:
    """The answer of a new process."""
    command = [sys.executable, "-m", "bench.job", what, str(orders), str(out)]
    said = subprocess.run(command, cwd=report.ROOT, stdout=subprocess.PIPE, check=True).stdout
    answer: dict[str, Any] = msgspec.json.decode(said)
    return answer


def warm_up(folder: Path) -> None:
    """Settle a small file, so that nothing compiles in what is measured."""
    in_a_process("settle", _example(folder / "small", Sizes(2_000, 5)), folder / "small-out")


def _example(folder: Path, sizes: Sizes) -> Path:
    """An example world's orders."""
    from rangli.files.example import write_example  # noqa: PLC0415

    return write_example(folder, sizes.orders, sizes.shops, sizes.seed, suffix="parquet")


def measure(sizes: Sizes, tick: report.Tick) -> report.Section:
    """The table: all orders of a world, and the first quarter of them."""
    rows = []
    with TemporaryDirectory(prefix="rangli-bench-") as name:
        folder = Path(name)
        warm_up(folder)
        whole = _example(folder / "world", sizes)
        quarter = folder / "quarter.parquet"
        pq.write_table(pq.read_table(whole).slice(0, sizes.orders >> 2), quarter)
        tick("world written")
        peaks = []
        for orders in (quarter, whole):
            told = in_a_process("settle", orders, folder / f"{orders.stem}-out")
            assert told["trial_balance_micro"] == 0
            assert told["rejected"] == 0
            peaks.append(told["peak_bytes"])
            rows.append(
                (
                    report.count(told["orders"]),
                    report.seconds(told["seconds"]),
                    f"**{report.count(told['orders'] / told['seconds'])}**",
                    report.count(told["transfers"] / told["seconds"]),
                    report.mebibytes(told["peak_bytes"]),
                )
            )
            tick(f"{told['orders']:,} orders")
    growth = peaks[1] / peaks[0]
    return report.Section(
        "Files: orders in, books out",
        f"An example world of {sizes.shops:,} shops as Parquet, settled under {PLAN} by `settle_file` with transfers, lots, "
        "balances and summary written; a process each, compiled kernels cached. The first row is the first quarter of the "
        "second's file.",
        ("orders", "time", "orders/s", "transfers/s", "peak memory"),
        rows,
        [f"Four times the orders take {growth:.2f} times the memory: it holds a batch, the open lots and the names met so far."],
    )


def main() -> None:
    """Do the work and answer in JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=sorted(WORK))
    parser.add_argument("orders", type=Path)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    sys.stdout.write(msgspec.json.encode(WORK[asked.what](asked.orders, asked.out)).decode() + "\n")


if __name__ == "__main__":
    main()
