"""Cold starts: from nothing but an empty compile cache to the first settled order, in a new process each time."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from bench import report
from bench.timing import Spread, timed

COLD_SECONDS: Final = 10.0
WARM_SECONDS: Final = 1.5
ONE_ORDER: Final = """order_id,paid_at,merchant,consumer,amount,concession
1,2026-01-05 12:00:00,面馆,张三,100,20%
"""


class Sizes(NamedTuple):
    """How often."""

    cold: int = 3
    warm: int = 7


TINY: Final = Sizes(1, 1)


class Start(NamedTuple):
    """A way to settle the first order."""

    name: str
    command: list[str]
    writes: Path | None = None
    """A directory that must not be there before."""
    compiles: bool = False
    """Whether it has to compile what a small job would interpret."""


def starts(folder: Path) -> list[Start]:
    """By the Python API; and by the command line, if there is one."""
    found = [Start("`load`, `Programme`, one order", ["-m", "bench.first_order"])]
    if find_spec("rangli.cli") is not None:
        orders, out = folder / "orders.csv", folder / "out"
        orders.write_text(ONE_ORDER, encoding="utf-8")
        command = ["-m", "rangli", "settle", "weituanbao", str(orders), "--out", str(out), "--seed", "00" * 32]
        found.append(Start("`rangli settle` on a file of one order: interpreted, as every small job", command, out))
        found.append(Start("the same, made to compile (`NUMBA_DISABLE_JIT=0`)", command, out, compiles=True))
    return found


def seconds(start: Start, cache: Path) -> float:
    """Wall seconds of the whole process, its interpreter's start included."""
    if start.writes is not None and start.writes.exists():
        for path in start.writes.iterdir():
            path.unlink()
        start.writes.rmdir()

    def work() -> None:
        environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)} | ({"NUMBA_DISABLE_JIT": "0"} if start.compiles else {})
        command = [sys.executable, *start.command]
        ended = subprocess.run(command, cwd=report.ROOT, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr

    return timed(work)


def measure(sizes: Sizes, tick: report.Tick) -> report.Section:
    """The table of both ways, cold and warm."""
    rows, missed = [], []
    with TemporaryDirectory(prefix="rangli-bench-") as name:
        folder = Path(name)
        for place, start in enumerate(starts(folder)):
            caches = [folder / f"cache-{place}-{again}" for again in range(sizes.cold)]
            cold = Spread.of([seconds(start, cache) for cache in caches])
            warm = Spread.of([seconds(start, caches[0]) for _ in range(sizes.warm)])
            for what, spread, most in (("cold", cold, COLD_SECONDS), ("warm", warm, WARM_SECONDS)):
                if spread.median >= most and not start.compiles:
                    missed.append(f"{start.name}, {what}")
            rows.append((start.name, *(f"**{s.median:.2f} s** ({s.least:.2f}–{s.most:.2f})" for s in (cold, warm))))
            tick(start.name)
    target = f"Target: less than {COLD_SECONDS:g} s cold and {WARM_SECONDS:g} s warm"
    return report.Section(
        "Cold start",
        "A new process from its start to its end. Cold: no compiled kernel in the cache; the median of "
        f"{sizes.cold}. Warm: all of them; of {sizes.warm} (least–most). "
        "The last line has no target: it is what the first larger job waits.",
        ("way", "cold", "warm"),
        rows,
        [report.verdict(target, is_met=not missed) + (f" by {'; '.join(missed)}" if missed else "")],
    )
