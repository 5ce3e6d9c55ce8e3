"""What every command shows by: the language, two consoles, JSON, progress bars, tables, exact amounts, bars.

Reports go to stdout, and so does JSON; everything that is said about the work itself goes to stderr. Nothing is coloured when the
output is no terminal or ``NO_COLOR`` is set: that is rich's own habit.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from rangli.money import mul_div, print_micro, print_ratio

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table
    from rich.text import Text

Language = Literal["zh", "en"]
Advance = Callable[[int], None]

PIPE_WIDTH: Final = 100
"""Columns when the output is no terminal and COLUMNS does not say."""
BAR_WIDTH: Final = 16
UNIT_WORDS: Final = {"CNY": ("元", "yuan"), "POINT": ("积分", "points"), "VOUCHER": ("元的券", "in vouchers")}
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_DECIMALS: Final = 2
"""Of an amount, those that are always there; up to four more are for fractions of a fen."""


# ---------------------------------------------------------------- language


def language(asked: str | None = None, env: Mapping[str, str] = os.environ) -> Language:
    """The language: the one asked for, else RANGLI_LANG, else that of the locale; Chinese when it begins with zh.

    >>> language("zh", {}), language(None, {"LANG": "zh_CN.UTF-8"}), language(None, {"LANG": "zh_CN", "RANGLI_LANG": "en"})
    ('zh', 'zh', 'en')
    """
    names = ("RANGLI_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    said = asked if asked in {"zh", "en"} else next((env[name] for name in names if env.get(name)), "")
    return "zh" if said.lower().startswith("zh") else "en"


class Wish(NamedTuple):
    """What a command line asks of the face, known even when the rest of it cannot be read."""

    lang: Language
    json: bool

    @classmethod
    def of(cls, arguments: Sequence[str]) -> Wish:
        """The wish in these arguments."""
        joined = [text.removeprefix("--lang=") for text in arguments if text.startswith("--lang=")]
        apart = [after for before, after in pairwise(arguments) if before == "--lang"]
        return cls(language(next(iter([*joined, *apart]), None)), "--json" in arguments)


# ---------------------------------------------------------------- the face


class Face:
    """The way one command speaks."""

    def __init__(self, lang: str | None = None, *, json: bool = False) -> None:
        self.lang = language(lang)
        self.json = json
        self.out = console(stderr=False)
        self.err = console(stderr=True)

    def words(self, zh: str, en: str) -> str:
        """The text in the language of this face."""
        return zh if self.lang == "zh" else en

    def show(self, *shown: RenderableType) -> None:
        """Parts of a report; without the spaces that rich leaves at the ends of lines when nobody sees colours there."""
        for part in shown:
            if self.out.is_terminal:
                self.out.print(part)
                continue
            with self.out.capture() as captured:
                self.out.print(part)
            self.out.file.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())

    def line(self, zh: str, en: str, style: str = "") -> None:
        """One paragraph of a report."""
        self.show(paragraph(self.words(zh, en), style=style))

    def title(self, zh: str, en: str) -> None:
        """A heading between empty lines."""
        self.show("")
        self.line(zh, en, "bold")
        self.show("")

    def document(self, facts: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """The report as JSON on stdout."""
        sys.stdout.write(json_text(facts))

    def note(self, zh: str, en: str) -> None:
        """A word about the work, on stderr; silent for programs."""
        if not self.json:
            self.out.file.flush()
            self.err.print(self.words(zh, en), style="dim")

    @contextmanager
    def progress(self, zh: str, en: str, total: int) -> Iterator[Advance]:
        """A bar on stderr while the block runs; none for programs and pipes."""
        if self.json or not self.err.is_terminal:
            yield lambda _: None
            return
        from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

        bar = BarColumn(bar_width=30, complete_style="green", finished_style="green")
        left = TimeRemainingColumn(elapsed_when_finished=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), bar, TaskProgressColumn(), left)
        with Progress(*columns, console=self.err, transient=True) as progress:
            task = progress.add_task(self.words(zh, en), total=total)
            yield lambda count: progress.advance(task, count)


def console(*, stderr: bool) -> Console:
    """A console that shows a text as it is written and breaks no line that a program will read."""
    from rich.console import Console

    plain = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not plain.is_terminal and not os.environ.get("COLUMNS"):
        return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=PIPE_WIDTH)
    return plain


def json_text(facts: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """JSON with two spaces of indent, Decimal as a number, and a line end."""
    import msgspec

    encoded = msgspec.json.Encoder(decimal_format="number").encode(facts)
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


# ---------------------------------------------------------------- tables


def table(*columns: str, right: Sequence[int] = (), fold: Sequence[int] = ()) -> Table:
    """A table with a rule under its head. Columns keep their words together unless they may ``fold``."""
    from rich import box
    from rich.table import Table

    made = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", border_style="dim"
    )
    for at, name in enumerate(columns):
        made.add_column(name, justify="right" if at in right else "left", no_wrap=at not in fold, overflow="fold")
    return made


def facts(*rows: tuple[str, RenderableType]) -> Table:
    """Names and values beside each other."""
    from rich.table import Table
    from rich.text import Text

    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(Text(name, style="dim"), value)
    return made


_WIDE = "\u2e80-\uffef"
_PIECES: Final = re.compile(rf"[(“《]*(?:[{_WIDE}]|[^\s{_WIDE}]+)[,。;:、)”》!?]*|\s+")
"""What a line may be broken between: Chinese characters, words, spaces; no line begins or ends with the wrong mark."""


class Paragraph(NamedTuple):
    """A text that wraps inside a margin; Chinese breaks between any two characters, and not only at spaces as rich has it."""

    text: str
    indent: int = 0
    style: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """The lines."""
        from rich.text import Text

        for line in self.text.split("\n"):
            for part in wrapped(line, options.max_width - self.indent):
                yield Text(" " * self.indent + part, style=self.style, no_wrap=True, overflow="fold")


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text, none wider than ``width`` cells unless a single word is.

    >>> wrapped("红包:10.00 元进入本店的红包池。", 16)
    ['红包:10.00 元进', '入本店的红包池。']
    """
    from rich.cells import cell_len

    lines = [""]
    for piece in _PIECES.findall(text):
        if lines[-1] and cell_len((lines[-1] + piece).rstrip()) > width:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        if lines[-1] or not piece.isspace() or len(lines) == 1:
            lines[-1] += piece
    return lines


def paragraph(text: str, indent: int = 0, style: str = "") -> Paragraph:
    """A text that wraps inside a margin."""
    return Paragraph(text, indent, style)


# ---------------------------------------------------------------- numbers


def count(number: int) -> str:
    """A number with separators, for reading."""
    return f"{number:,}"


def yuan(micro: int) -> Text:
    """An exact amount whose points stand under each other; what is less than a fen is dim.

    >>> [yuan(micro).plain for micro in (1_234_500_000, -45_123)]
    ['1,234.50    ', '-0.045123']
    """
    from rich.text import Text

    whole, _, decimals = print_micro(micro).partition(".")
    sign = "-" if whole.startswith("-") else ""
    shown = Text(f"{sign}{int(whole.lstrip('-')):,}.{decimals[:_DECIMALS]}")
    return shown.append(f"{decimals[_DECIMALS:]:<4}", style="dim")


def money(micro: int) -> str:
    """The same inside a sentence.

    >>> money(1_234_500_000)
    '1,234.50'
    """
    return yuan(micro).plain.strip()


def nearest(num: int, den: int, places: int) -> str:
    """num / den to the nearest of its last decimal, halves up; for reading, never for booking.

    >>> nearest(4_405_850, 10**6, 2), nearest(2, 3, 1), nearest(1, 8, 2)
    ('4.41', '0.7', '0.13')
    """
    unit = 2 * 10**places
    return print_ratio(num * unit + den, den * unit, places)


def percent(part: int, whole: int, places: int = 1) -> str:
    """A part of a whole, as a percentage to the nearest tenth; a dash of nothing."""
    return f"{nearest(part * 100, whole, places)}%" if whole else "–"


def bar(part: int, whole: int, width: int = BAR_WIDTH, style: str = "green") -> Text:
    """A part of a whole as a bar, to an eighth of a cell."""
    from rich.text import Text

    eighths = mul_div(max(part, 0), width * 8, whole) if whole > 0 else 0
    full, rest = eighths >> 3, eighths & 7
    blocks = "█" * full + (_EIGHTHS[rest] if rest else "")
    return Text(blocks.ljust(width), style=style)
