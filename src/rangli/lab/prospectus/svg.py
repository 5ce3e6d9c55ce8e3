"""Drawing: the few shapes that charts are made of. Places and sizes are tenths of a pixel, whole numbers all of them.

Colours, fonts and strokes are classes of style.css, so that a drawing follows light, dark and print. A text is there in both
languages, and the page shows one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from markupsafe import Markup

from rangli.lab.prospectus.type import full_width
from rangli.money import mul_div, print_ratio
from rangli.plan.parts import Words

PX: Final = 10
"""A pixel."""
WIDE: Final = 1000 * PX
HALF: Final = 484 * PX
NARROW: Final = 358 * PX
"""What a phone of 390 pixels leaves between its margins."""

Point = tuple[int, int]
Draw = Callable[[int], Markup]


class Figure(NamedTuple):
    """A chart with its words: the finding, then what is measured and in what unit."""

    title: Words
    measure: Words
    wide: Markup
    narrow: Markup
    is_half: bool
    note: Words | None = None


def figure(title: Words, measure: Words, draw: Draw, *, is_half: bool = False, note: Words | None = None) -> Figure:
    """A chart, drawn once for a desk and once for a phone."""
    return Figure(title, measure, draw(HALF if is_half else WIDE), draw(NARROW), is_half, note)


# ---------------------------------------------------------------- shapes


def px(tenths: int) -> str:
    """A length in pixels.

    >>> px(125), px(-30)
    ('12.5', '-3')
    """
    return print_ratio(tenths, PX, 1).removesuffix(".0")


def drawing(width: int, height: int, words: Words, parts: Iterable[Markup]) -> Markup:
    """The whole, with what it shows in words for those who do not see it."""
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        px(width), px(height), f"{words.zh} · {words.en}", Markup("").join(parts)
    )


def stroke(kind: str, *points: Point) -> Markup:
    """A line through these points."""
    return Markup('<path class="{}" d="M{}"/>').format(kind, "L".join(f"{px(x)} {px(y)}" for x, y in points))


def area(kind: str, upper: Sequence[Point], lower: Sequence[Point]) -> Markup:
    """What lies between two lines."""
    points = [*upper, *reversed(lower)]
    return Markup('<path class="{}" d="M{}Z"/>').format(kind, "L".join(f"{px(x)} {px(y)}" for x, y in points))


def box(kind: str, corner: Point, width: int, height: int) -> Markup:
    """A rectangle from its upper left corner."""
    x, y = corner
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(kind, px(x), px(y), px(width), px(height))


def dot(kind: str, centre: Point) -> Markup:
    """A point that is meant."""
    return Markup('<circle class="{}" cx="{}" cy="{}" r="3.5"/>').format(kind, px(centre[0]), px(centre[1]))


def ribbon(kind: str, source: Point, sink: Point, thickness: int) -> Markup:
    """A flow from the right edge of one node to the left edge of another; points are its upper corners."""
    (x0, y0), (x1, y1) = source, sink
    middle, down = (x0 + x1) >> 1, thickness
    return Markup('<path class="ribbon {}" d="M{} {}C{} {} {} {} {} {}L{} {}C{} {} {} {} {} {}Z"/>').format(
        kind,
        *map(px, (x0, y0, middle, y0, middle, y1, x1, y1)),
        *map(px, (x1, y1 + down, middle, y1 + down, middle, y0 + down, x0, y0 + down)),
    )


def text(words: Words | str, place: Point, anchor: str = "start", kind: str = "") -> Markup:
    """A text in both languages; ``anchor`` is start, middle or end."""
    one = Markup('<text{} class="{} {}" x="{}" y="{}">{}</text>')
    x, y = map(px, place)
    if isinstance(words, str):
        return one.format("", anchor, kind, x, y, words)
    return one.format(Markup(' lang="zh"'), anchor, kind, x, y, full_width(words.zh)) + one.format(
        Markup(' lang="en"'), anchor, kind, x, y, words.en
    )


# ---------------------------------------------------------------- places


class Plot(NamedTuple):
    """Where values stand: x from ``first`` to ``last`` between left and right, y from 0 to ``most`` between bottom and top."""

    left: int
    right: int
    top: int
    bottom: int
    first: int
    last: int
    most: int

    def x(self, value: int) -> int:
        """Across."""
        return self.left + mul_div(value - self.first, self.right - self.left, max(self.last - self.first, 1))

    def y(self, value: int) -> int:
        """Up."""
        return self.bottom - mul_div(value, self.bottom - self.top, max(self.most, 1))


def apart(wanted: Sequence[int], gap: int, last: int) -> list[int]:
    """Places from top to bottom near those wanted, none nearer than ``gap`` to the next and none below ``last``.

    >>> apart([10, 12, 40], 10, 45)
    [10, 20, 40]
    >>> apart([30, 40, 41], 10, 45)
    [25, 35, 45]
    """
    places: list[int] = []
    for place in wanted:
        places.append(max(place, places[-1] + gap) if places else place)
    floor = last
    for at in range(len(places) - 1, -1, -1):
        places[at] = min(places[at], floor)
        floor = places[at] - gap
    return places
