"""``python -m bench``: all of it in one run. ``--write`` records it in RESULTS.md, ``--tiny`` only shows that it works."""

from __future__ import annotations

import argparse
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.report import Section, Tick

ROOT: Final = Path(__file__).parents[1]
PARTS: Final = ("kernels", "shapes", "plain", "start", "job")


def own_cache() -> str:
    """A directory of compiled kernels that belongs to these sources alone: Numba does not see a change in a callee's file."""
    sources = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "bench").glob("*.py")])
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()
    return str(ROOT.joinpath(".cache", "numba", f"bench-{digest[:16]}"))


def main() -> None:
    """Measure the parts asked for, show them, and perhaps record them."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="some of the parts")
    parser.add_argument("--tiny", action="store_true", help="sizes that say nothing about speed, to see that it works")
    parser.add_argument("--write", action="store_true", help="record the results in bench/RESULTS.md")
    asked = parser.parse_args()
    os.environ.setdefault("NUMBA_CACHE_DIR", own_cache())  # before anything imports Numba

    from bench import report  # noqa: PLC0415

    console = report.terminal()
    console.print(report.machine())
    sections = []
    for name, measure in _measures(tiny=asked.tiny).items():
        if name in asked.only:
            with report.progress(console) as bar:
                task = bar.add_task(name, total=None)

                def tick(step: str, bar=bar, task=task, name=name) -> None:  # noqa: ANN001 (bound here, loop and all)
                    bar.update(task, advance=1, description=f"{name}: {step} done")

                section = measure(tick)
            report.show(console, section)
            sections.append(section)
    if asked.write:
        assert not asked.tiny, "tiny sizes say nothing"
        assert tuple(asked.only) == PARTS, "all of it, or the record would be of two days"
        report.write("benchmark", "Benchmark", "make bench", sections)


def _measures(*, tiny: bool) -> dict[str, Callable[[Tick], Section]]:
    """The parts by name, in the order of PARTS."""
    from bench import job, kernels, plain, shapes, start  # noqa: PLC0415
    from bench.reference import has_compiler  # noqa: PLC0415

    parts = {
        "kernels": lambda tick: kernels.measure(kernels.TINY if tiny else kernels.Sizes(), tick),
        "shapes": lambda tick: shapes.measure(shapes.TINY if tiny else shapes.Sizes(), tick),
        "plain": lambda tick: plain.measure(plain.TINY if tiny else plain.Sizes(), tick),
        "start": lambda tick: start.measure(start.TINY if tiny else start.Sizes(), tick),
        "job": lambda tick: job.measure(job.TINY if tiny else job.Sizes(), tick),
    }
    if not has_compiler():
        print("no cc on the path: the kernels are not compared with C")
        del parts["kernels"]
    return parts


if __name__ == "__main__":
    main()
