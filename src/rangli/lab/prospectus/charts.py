"""Charts over time: lines, columns, and the fan of what came back, drawn for the width they are given, labels at the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from markupsafe import Markup

from rangli.lab.prospectus.figures import percent_of_bp, ticks
from rangli.lab.prospectus.svg import NARROW, PX, Draw, Plot, Point, apart, area, box, dot, drawing, stroke, text
from rangli.lab.truths import PERCENTILES, Cohort
from rangli.money import mul_div
from rangli.plan.parts import Words

PRINT_ROOM: Final = 14 * PX
"""What labels take more on paper, where letters are larger; a phone is never printed."""
STEPS_UP: Final = 5
"""Of a value axis, at most."""
GAP: Final = 15 * PX
"""Between two lines of text."""
MONTH: Final = Words("月", "month")
STEPS: Final = (1, 2, 3, 6, 12, 24, 36, 60)
"""Of a time axis, in months."""
MONTH_TICKS: Final = 8

Show = Callable[[int], Words | str]


class Series(NamedTuple):
    """A line: its colour's class, its values month by month, and the label at its end."""

    kind: str
    values: Sequence[int]
    label: Words


class Frame(NamedTuple):
    """What charts over time share."""

    months: Sequence[int]
    show: Show
    """A value of the axis in words."""
    marks: Sequence[tuple[int, Words]] = ()
    """Months in which something happened."""
    end: int = 92 * PX
    """Room for labels behind the last month."""
    most: int = 0
    """The axis reaches at least this value."""


def _plot(frame: Frame, width: int, most: int) -> tuple[Plot, list[int]]:
    """Where values stand, and the values that get a line of their own."""
    steps = ticks(max(most, frame.most), STEPS_UP)
    right = width - frame.end + (PRINT_ROOM if width == NARROW else 0)
    bottom = height_of(width) - 28 * PX
    return Plot(50 * PX, right, 26 * PX, bottom, frame.months[0], frame.months[-1], steps[-1]), steps


def height_of(width: int) -> int:
    """A wide chart is flat, a narrow one is not."""
    return (340 if width > 600 * PX else 250) * PX


def _grid(frame: Frame, plot: Plot, steps: Sequence[int]) -> Iterator[Markup]:
    """Lines at round values, months below, and what happened."""
    for value in steps:
        y = plot.y(value)
        yield stroke("axis" if value == 0 else "grid", (plot.left, y), (plot.right, y))
        yield text(frame.show(value), (plot.left - 8 * PX, y + 4 * PX), "end", "soft")
    span = plot.last - plot.first
    step = next((step for step in STEPS if step * MONTH_TICKS >= span), STEPS[-1])
    for month in range(plot.first, plot.last + 1, step):
        yield stroke("axis", (plot.x(month), plot.bottom), (plot.x(month), plot.bottom + 4 * PX))
        yield text(str(month), (plot.x(month), plot.bottom + 19 * PX), "middle", "soft")
    yield text(MONTH, (plot.right + 14 * PX, plot.bottom + 19 * PX), "start", "soft")
    for month, words in frame.marks:
        x = plot.x(month)
        yield stroke("mark", (x, plot.top - 8 * PX), (x, plot.bottom))
        yield text(words, (x - 5 * PX, plot.top - 12 * PX), "end", "soft")


def lines(frame: Frame, series: Sequence[Series], words: Words) -> Draw:
    """Lines with their names at their ends."""

    def draw(width: int) -> Markup:
        plot, steps = _plot(frame, width, max(max(one.values) for one in series))
        parts = list(_grid(frame, plot, steps))
        ends = []
        for one in series:
            points = [(plot.x(month), plot.y(value)) for month, value in zip(frame.months, one.values, strict=True)]
            parts += [stroke(f"line {one.kind}", *points), dot(f"end {one.kind}", points[-1])]
            ends.append((points[-1][1], one))
        ends.sort(key=lambda end: end[0])
        for y, (_, one) in zip(apart([y for y, _ in ends], GAP, plot.bottom), ends, strict=True):
            parts.append(text(one.label, (plot.right + 9 * PX, y + 4 * PX), "start", f"strong {one.kind}"))
        return drawing(width, height_of(width), words, parts)

    return draw


def columns(frame: Frame, values: Sequence[int], words: Words) -> Draw:
    """A column for each month, the greatest with its number."""

    def draw(width: int) -> Markup:
        plot, steps = _plot(frame, width, max(values))
        thick = max(mul_div(plot.right - plot.left, 3, 4 * len(values)), 2 * PX)
        plot = plot._replace(left=plot.left + thick, right=plot.right - thick)
        parts = list(_grid(frame, plot, steps))
        for month, value in zip(frame.months, values, strict=True):
            if value:
                parts.append(box("fill-blue", (plot.x(month) - (thick >> 1), plot.y(value)), thick, plot.bottom - plot.y(value)))
        greatest = max(range(len(values)), key=values.__getitem__)
        place = plot.x(frame.months[greatest]), plot.y(values[greatest]) - 5 * PX
        parts.append(text(frame.show(values[greatest]), place, "middle", "strong blue"))
        return drawing(width, height_of(width), words, parts)

    return draw


BANDS: Final = ((1, 99, "band-1"), (5, 95, "band-2"), (10, 90, "band-3"), (25, 75, "band-4"))


def fan(frame: Frame, cohorts: Sequence[Cohort], words: Words) -> Draw:
    """Bands of what came back, by month of arrival; the median is the line."""

    def draw(width: int) -> Markup:
        room = frame._replace(end=(126 if width > NARROW else 114) * PX)
        plot, steps = _plot(room, width, max(max(cohort.percentiles_bp) for cohort in cohorts))
        parts = list(_grid(room, plot, steps))

        def edge(percentile: int) -> list[Point]:
            at = PERCENTILES.index(percentile)
            return [(plot.x(cohort.month), plot.y(cohort.percentiles_bp[at])) for cohort in cohorts]

        parts += [area(kind, edge(high), edge(low)) for low, high, kind in BANDS]
        parts.append(stroke("line blue", *edge(50)))
        parts += _fan_labels(plot, cohorts[-1])
        return drawing(width, height_of(width), words, parts)

    return draw


def _fan_labels(plot: Plot, last: Cohort) -> Iterator[Markup]:
    """Behind the last cohort: which line is which, those that coincide together."""
    ends = [(plot.y(bp), percentile, bp) for percentile, bp in zip(PERCENTILES, last.percentiles_bp, strict=True)]
    groups = [list(group) for _, group in groupby(reversed(ends), key=lambda end: end[0])]
    places = apart([group[0][0] for group in groups], GAP, plot.bottom)
    for y, group in zip(places, groups, strict=True):
        low, high = group[-1][1], group[0][1]
        name = f"P{low}" if low == high else f"P{low}–P{high}"
        is_median = low <= 50 <= high  # noqa: PLR2004 (the median is the fiftieth percentile)
        words = Words(f"{name} {percent_of_bp(group[0][2])}", f"{name} {percent_of_bp(group[0][2])}")
        if is_median and low == high:
            words = Words(f"中位 {percent_of_bp(group[0][2])}", f"median {percent_of_bp(group[0][2])}")
        yield text(words, (plot.right + 9 * PX, y + 4 * PX), "start", "strong blue" if is_median else "soft")
