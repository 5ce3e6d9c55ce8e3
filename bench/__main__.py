"""``python -m bench``: all of it in one run. ``--write`` records it in RESULTS.md, ``--tiny`` only shows that it works."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Final

from rich.progress import Progress, TaskID

from bench import job, kernels, plain, report, shapes, start
from bench.reference import has_compiler
from bench.report import Section, Tick

PARTS: Final = ("kernels", "shapes", "plain", "start", "job")


def main() -> None:
    """Measure the parts asked for, show them, and perhaps record them."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="some of the parts")
    parser.add_argument("--tiny", action="store_true", help="sizes that say nothing about speed, to see that it works")
    parser.add_argument("--write", action="store_true", help="record the results in bench/RESULTS.md")
    asked = parser.parse_args()

    console = report.terminal()
    console.print(report.machine())
    sections = []
    for name, measure in _measures(tiny=asked.tiny).items():
        if name in asked.only:
            with report.progress(console) as bar:
                task = bar.add_task(name, total=None)
                section = measure(partial(_tick, bar, task, name))
            report.show(console, section)
            sections.append(section)
    if asked.write:
        assert not asked.tiny, "tiny sizes say nothing"
        assert tuple(asked.only) == PARTS, "all of it, or the record would be of two days"
        report.write("benchmark", "Benchmark", "python -m bench --write", sections)


def _tick(bar: Progress, task: TaskID, name: str, step: str) -> None:
    """Show that a step of a part is done."""
    bar.update(task, advance=1, description=f"{name}: {step}")


def _measures(*, tiny: bool) -> dict[str, Callable[[Tick], Section]]:
    """The parts by name, in the order of PARTS."""
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
