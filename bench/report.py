"""Reporting: a table for the terminal and the same for RESULTS.md, whose sections are each replaced by name."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.metadata import version
from os import cpu_count
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

RESULTS: Final = Path(__file__).with_name("RESULTS.md")
ROOT: Final = Path(__file__).parents[1]
TITLE: Final = """# What was measured

Written by the benchmark itself; [README.md](README.md) says what each table means and how to run it again.
"""

Tick = Callable[[str], None]
"""Called with the name of a step that is done."""


class Section(NamedTuple):
    """One table with what there is to say about it."""

    title: str
    about: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    """Verdicts, and what a reader must know to trust the numbers."""


def terminal() -> Console:
    """The terminal; where there is none, as wide as the tables want."""
    console = Console()
    return console if console.is_terminal else Console(width=150)


def show(console: Console, section: Section) -> None:
    """The section in the terminal."""
    table = Table(title=section.title, title_justify="left", title_style="bold", caption=section.about, caption_justify="left")
    for place, column in enumerate(section.columns):
        table.add_column(column, justify="right" if place else "left", no_wrap=not place)
    for row in section.rows:
        table.add_row(*(re.sub(r"\*\*(.+?)\*\*", r"[bold]\1[/]", cell) for cell in row))
    console.print()
    console.print(table)
    for note in section.notes:
        console.print(f"  {note}")


def in_markdown(section: Section) -> str:
    """The section as Markdown."""
    lines = [f"### {section.title}", "", section.about, "", _row(section.columns)]
    lines.append(_row(["---", *("---:" for _ in section.columns[1:])]))
    lines += [_row(row) for row in section.rows]
    if section.notes:
        lines += ["", *(f"- {note}" for note in section.notes)]
    return "\n".join([*lines, ""])


def _row(cells: Sequence[str]) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def write(name: str, heading: str, command: str, sections: Sequence[Section], path: Path = RESULTS) -> None:
    """Replace the part ``name`` of RESULTS.md, or append it."""
    said = f"\n{machine()}\n\n```\n{command}\n```\n"
    part = "\n".join([f"## {heading}", said, *(in_markdown(section) for section in sections)])
    whole = path.read_text(encoding="utf-8") if path.exists() else TITLE
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    marked = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if marked.search(whole):
        whole = marked.sub(lambda _: begin + part + end, whole)
    else:
        whole += "\n" + begin + part + end
    path.write_text(whole, encoding="utf-8")


def machine() -> str:
    """What it ran on and with, and when; no name of a host and no path."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numba", "numpy", "pyarrow", "sqlalchemy"))
    today = datetime.now().astimezone().date().isoformat()
    return (
        f"{today}. {_processor()}, {cpu_count()} cores, {_memory_gib()} GiB. {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {packages}."
    )


def _processor() -> str:
    """The processor's model, as Linux knows it."""
    facts = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*:\s*(.+)$", facts.read_text(), re.MULTILINE) if facts.exists() else None
    return named[1] if named else platform.processor() or platform.machine()


def _memory_gib() -> str:
    """The machine's memory."""
    facts = Path("/proc/meminfo")
    total = re.search(r"^MemTotal:\s*(\d+) kB$", facts.read_text(), re.MULTILINE) if facts.exists() else None
    return f"{int(total[1]) / 2**20:.0f}" if total else "?"


def progress(console: Console) -> Progress:
    """A bar with counts and the time elapsed."""
    columns = TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, console=console, transient=True)


# ---------------------------------------------------------------- numbers as people read them


def count(number: float) -> str:
    """1,234,567."""
    return f"{number:,.0f}"


def seconds(number: float) -> str:
    """Three digits and the unit that fits."""
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number * 1e9:.3g} ns"


def times(number: float) -> str:
    """How many times."""
    return f"{number:,.0f} x" if number >= 100 else f"{number:.2f} x"


def mebibytes(number: float) -> str:
    """Bytes in MiB."""
    return f"{number / 2**20:,.0f} MiB"


def verdict(what: str, *, is_met: bool) -> str:
    """A target and whether it was met."""
    return f"{what}: {'met' if is_met else 'NOT met'}"
