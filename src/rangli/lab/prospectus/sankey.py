"""Who paid whom, as ribbons: payers on the left, what keeps money in the middle, people on the right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from markupsafe import Markup

from rangli.lab.prospectus.figures import of_hundred
from rangli.lab.prospectus.study import BEHIND_VOUCHERS, group_of, shares_bp, turnover_micro
from rangli.lab.prospectus.svg import NARROW, PX, Point, box, drawing, ribbon, text
from rangli.lab.prospectus.words import PAYERS, role_label
from rangli.lab.truths import Flow, Result
from rangli.money import BP_PER_ONE, mul_div
from rangli.plan.parts import Words

KEEPERS: Final = ("pots", "pool", "dividend")
COLOURS: Final = {
    "consumers": "blue",
    "vouchers": "blue",
    "merchants": "ink",
    "investors": "ink",
    "platform": "orange",
    "pots": "teal",
    "pool": "teal",
    "dividend": "teal",
    "reserve": "teal",
}
"""Of a node and of what flows into it; all others are of one colour."""
OTHERS: Final = "purple"
THICK: Final = 12 * PX
LEAST: Final = 2 * PX
NOTE: Final = Words(
    "每 100 元订单中的元数;不到 0.01 元的、往回流的、出自平台的不画,净额见下表。",
    "Yuan of each 100 yuan of orders. What is under 0.01, flows back or comes from the platform is not drawn; the table has"
    " the net.",
)


LOWER: Final = {1: (0,), 2: (0, 0), 3: (0, 1, 0), 4: (0, 2, 0, 4)}
"""How much lower each column begins, in half gaps, so that no label meets another."""


class Node(NamedTuple):
    """A group in its column."""

    group: str
    column: int
    comes: int
    goes: int

    @property
    def size(self) -> int:
        """The greater of what comes and goes."""
        return max(self.comes, self.goes)


Links = Mapping[tuple[str, str], int]


def links_of(result: Result) -> dict[tuple[str, str], int]:
    """Flows between groups, in micro, from left to right only."""
    links: dict[tuple[str, str], int] = {}
    for flow in result.flows:
        pair = _pair(flow)
        if _column(pair[0]) < _column(pair[1]):
            links[pair] = links.get(pair, 0) + flow.micro
    return links


def _pair(flow: Flow) -> tuple[str, str]:
    if (flow.source, flow.sink) == BEHIND_VOUCHERS:
        return "reserve", "vouchers"
    return group_of(flow.source), group_of(flow.sink)


def _column(group: str) -> int:
    if group in PAYERS:
        return 0
    if group in KEEPERS:
        return 1
    return 2 if group == "reserve" else 3


def sankey(result: Result, words: Words, width: int) -> Markup:
    """The drawing."""
    links, turnover, nets = links_of(result), turnover_micro(result), shares_bp(result)
    columns = _columns(links, mul_div(turnover, 1, 20_000))
    gap, height = (38 if width == NARROW else 30) * PX, (300 if width == NARROW else 330) * PX
    most = max(sum(node.size for node in column) for column in columns)
    tall = {node.group: max(mul_div(node.size, height, most), LEAST) for column in columns for node in column}
    places = _places(columns, links, tall, width, gap)
    left, entered = {group: y for group, (_, y) in places.items()}, {group: y for group, (_, y) in places.items()}
    parts = []
    order = [node.group for column in columns for node in column]
    drawn = [pair for pair in links if pair[0] in places and pair[1] in places]
    for source, sink in sorted(drawn, key=lambda pair: (order.index(pair[0]), order.index(pair[1]))):
        thick = max(mul_div(links[source, sink], height, most), PX)
        start, end = (places[source][0] + THICK, left[source]), (places[sink][0], entered[sink])
        parts.append(ribbon(f"fill-{COLOURS.get(sink, OTHERS)}", start, end, thick))
        left[source] += thick
        entered[sink] += thick
    for column in columns:
        for node in column:
            x, y = places[node.group]
            parts.append(box(f"fill-{COLOURS.get(node.group, OTHERS)}", (x, y), THICK, tall[node.group]))
            parts += _label(node, (x, y), len(columns), columns.index(column), turnover, nets, is_narrow=width == NARROW)
    return drawing(width, max(y + tall[group] for group, (_, y) in places.items()) + 6 * PX, words, parts)


def _columns(links: Links, least: int) -> list[list[Node]]:
    """The nodes above half a fen from left to right, empty columns left out; first whom the pots pay, then the greatest."""
    groups = {group for pair in links for group in pair}
    nodes = [
        Node(
            group,
            _column(group),
            sum(micro for (_, sink), micro in links.items() if sink == group),
            sum(micro for (source, _), micro in links.items() if source == group),
        )
        for group in groups
    ]
    nodes = [node for node in nodes if node.size > least]
    nodes.sort(key=lambda node: (node.column, _is_direct(node.group, links), -node.size, node.group))
    return [column for column in ([node for node in nodes if node.column == at] for at in range(4)) if column]


def _is_direct(group: str, links: Links) -> bool:
    """Whether payers pay it past the pots."""
    return group not in PAYERS and not any(sink == group and source not in PAYERS for source, sink in links)


def _places(columns: Sequence[Sequence[Node]], links: Links, tall: Mapping[str, int], width: int, gap: int) -> dict[str, Point]:
    """The upper left corner of each node; whom payers pay past the pots stands below the pots, and so do those flows."""
    places, floor = {}, 0
    for at, (column, lower) in enumerate(zip(columns, LOWER[len(columns)], strict=True)):
        x = mul_div(at, width - THICK, max(len(columns) - 1, 1))
        y = gap + mul_div(gap, lower, 2)
        for node in column:
            y = max(y, floor) if _is_direct(node.group, links) else y
            places[node.group] = (x, y)
            y += tall[node.group] + gap
        floor = max(floor, y) if 0 < at < len(columns) - 1 else floor
    return places


def _shown(node: Node, turnover: int, nets: Mapping[str, int]) -> str:
    """What passes a node; where money only comes or only goes, as the table has it, whose parts add up."""
    if node.goes and node.comes:
        return of_hundred(node.size, turnover)
    return of_hundred(abs(nets.get(node.group, 0)), BP_PER_ONE)


def _label(
    node: Node, corner: tuple[int, int], columns: int, at: int, turnover: int, nets: Mapping[str, int], *, is_narrow: bool
) -> Iterator[Markup]:
    """Name and amount above a node; of a keeper also what it still has."""
    x, y = corner
    anchor, place = ("start", x) if at == 0 else ("end", x + THICK) if at == columns - 1 else ("middle", x + (THICK >> 1))
    role, amount = role_label(node.group), _shown(node, turnover, nets)
    zh, en = amount, amount
    if node.goes and node.comes:
        kept = of_hundred(nets.get(node.group, 0), BP_PER_ONE)
        zh, en = f"进 {amount},留 {kept}", f"{amount} in, {kept} kept"
    if is_narrow:
        yield text(role, (place, y - 20 * PX), anchor, "halo")
        yield text(Words(zh, en), (place, y - 6 * PX), anchor, "halo strong")
    else:
        yield text(Words(f"{role.zh} {zh}", f"{role.en} {en}"), (place, y - 8 * PX), anchor, "halo")
