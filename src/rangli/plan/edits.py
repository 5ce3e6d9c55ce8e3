"""Edits of a document's text at one place: a value set, an entry added, an entry taken out. All else stays, to the letter.

    steps ("shares", 2, "rate") ─▶ the place of that value in the text ─▶ the text with this place changed

After an edit the text is read again: had anything but the place changed, the edit would be refused and the text stay as it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Final

import yaml

from rangli.errors import InputRefused, PlanFaulty
from rangli.plan.document import Tree, parse

Steps = tuple[str | int, ...]
Value = str | list["Value"] | dict[str, "Value"]
"""A document without its lines; every scalar is its own text."""
Order = Callable[[Steps], Sequence[str]]
"""The keys of the mapping at a place, in the order in which they are written."""

_PLAIN: Final = re.compile(r"\w([\w .%-]*[\w%])?")
_UNSEEN: Final = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON leaves as it is and YAML takes for a line's end, or refuses."""


def put(text: str, steps: Steps, value: Value, order: Order = lambda _: (), *, insert: bool = False) -> str:
    """The text with this value at a place; what is missing on the way is added, each key where ``order`` has it.

    insert : an entry of a list is put before the one that is there

    Raises PlanFaulty for a text that is not YAML at all, InputRefused for a place that cannot be written without touching others.
    """
    before = value_of(text)
    if insert:
        *outer, at = steps
        parent = _at(_root(text), tuple(outer))
        items = written(before, tuple(outer))
        assert isinstance(at, int)
        assert isinstance(items, list)
        meant = _with(before, tuple(outer), [*items[:at], value, *items[at:]])
        return _only(_inserted(text, parent, at, flow(value)), meant, steps)
    return _only(_put(text, steps, value, order), _with(before, steps, value), steps)


def cut(text: str, steps: Steps) -> str:
    """The text without the entry at a place, which is there. Raises as ``put`` does."""
    before = value_of(text)
    *outer, last = steps
    parent = _at(_root(text), tuple(outer))
    entries = _entries(parent)
    at = last if isinstance(last, int) else next((i for i, (key, _) in enumerate(entries) if key == last), len(entries))
    if at >= len(entries):
        raise _refused(steps)
    cut_out = _cut_flow if parent.flow_style else _cut_block
    return _only(cut_out(text, parent, at), _without(before, steps), steps)


def value_of(text: str) -> Value:
    """What a text says. Raises PlanFaulty when it is not YAML, or has aliases or tags."""
    tree, problems = parse(text)
    faults = [found for found in problems if found.code in {"not_yaml", "alias_refused"}]
    if tree is None or faults:
        raise PlanFaulty(faults)
    return plain(tree)


def plain(tree: Tree) -> Value:
    """A tree without its lines."""
    if isinstance(tree.value, dict):
        return {key: plain(inner) for key, inner in tree.value.items()}
    return [plain(inner) for inner in tree.value] if isinstance(tree.value, list) else tree.value


def written(value: Value, steps: Steps) -> Value | None:
    """What stands at a place; None for nothing."""
    found: Value | None = value
    for step in steps:
        if isinstance(step, int):
            found = found[step] if isinstance(found, list) and step < len(found) else None
        else:
            found = found.get(step) if isinstance(found, dict) else None
    return found


def flow(value: Value) -> str:
    """A value in one line that is YAML wherever it stands; words that cannot be mistaken stay unquoted.

    >>> flow({"to": "platform", "rate": "20% of amount", "tiers": ["100", "a: b"]})
    '{to: platform, rate: 20% of amount, tiers: [100, "a: b"]}'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if _PLAIN.fullmatch(value):
        return value
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


# ---------------------------------------------------------------- what is meant


def _with(before: Value, steps: Steps, value: Value) -> Value:
    """The value with another at a place."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        items = list(before) if isinstance(before, list) else []
        return [*items[:step], _with(items[step] if step < len(items) else "", rest, value), *items[step + 1 :]]
    entries = before if isinstance(before, dict) else {}
    return {**entries, step: _with(entries.get(step, ""), rest, value)}


def _without(before: Value, steps: Steps) -> Value:
    """The value without the entry at a place."""
    step, rest = steps[0], steps[1:]
    if isinstance(before, list) and isinstance(step, int):
        return [*before[:step], *([_without(before[step], rest)] if rest else []), *before[step + 1 :]]
    assert isinstance(before, dict)
    return {key: _without(inner, rest) if key == step else inner for key, inner in before.items() if rest or key != step}


def _only(after: str, meant: Value, steps: Steps) -> str:
    """The edited text, if it says what is meant. Raises InputRefused."""
    try:
        said = value_of(after)
    except PlanFaulty:
        said = ""
    if said != meant:
        raise _refused(steps)
    return after


def _refused(steps: Steps) -> InputRefused:
    place = ".".join(map(str, steps)) or "?"
    return InputRefused(
        f"这里({place})的写法不便自动修改;请直接在文档里改",
        f"the document is written so that this place ({place}) cannot be changed by itself; change it in the document",
    )


# ---------------------------------------------------------------- places in a text


def _root(text: str) -> yaml.Node:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    assert node is not None, "the text has been read before"
    return node


def _at(node: yaml.Node, steps: Steps) -> yaml.CollectionNode:
    """The list or mapping at a place. Raises InputRefused."""
    found: yaml.Node | None = node
    for step in steps:
        found = None if found is None else _inner(found, step)
    if not isinstance(found, yaml.CollectionNode):
        raise _refused(steps)
    return found


def _inner(node: yaml.Node, step: str | int) -> yaml.Node | None:
    """The node one step inside, if there is one."""
    entries = _entries(node)
    if isinstance(step, int):
        return entries[step][1] if isinstance(node, yaml.SequenceNode) and step < len(entries) else None
    return next((inner for key, inner in entries if key == step), None)


def _entries(node: yaml.Node) -> list[tuple[str, yaml.Node]]:
    """The entries of a mapping by key, of a list by nothing."""
    if isinstance(node, yaml.MappingNode):
        return [(str(key.value), inner) for key, inner in node.value]
    return [("", inner) for inner in node.value] if isinstance(node, yaml.SequenceNode) else []


def _end(text: str, node: yaml.Node) -> int:
    """Where a node's last letter ends; YAML's own end of a block is where the next one begins, with the comments between."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        return _end(text, _entries(node)[-1][1])
    start: int = node.start_mark.index
    return start + len(text[start : node.end_mark.index].rstrip())


def _spans(text: str, node: yaml.CollectionNode) -> list[tuple[int, int]]:
    """Start and end of each entry: from its key, or from its dash in a block, to its last letter."""
    if isinstance(node, yaml.MappingNode):
        return [(key.start_mark.index, max(_end(text, inner), key.end_mark.index)) for key, inner in node.value]
    if node.flow_style:
        return [(item.start_mark.index, _end(text, item)) for item in node.value]
    spans, dash = [], node.start_mark.index
    for item in node.value:
        spans.append((dash, max(_end(text, item), dash + 1)))
        dash = _next_dash(text, spans[-1][1], node.start_mark.column)
    return spans


def _next_dash(text: str, after: int, column: int) -> int:
    """The first line after a place that has a dash in this column; the text's end for none."""
    at = text.find("\n", after)
    while at >= 0:
        if text[at + 1 + column : at + 2 + column] == "-" and not text[at + 1 : at + 1 + column].strip():
            return at + 1 + column
        at = text.find("\n", at + 1)
    return len(text)


def _line_end(text: str, at: int) -> int:
    """Where the line of a place ends."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end


# ---------------------------------------------------------------- putting


def _put(text: str, steps: Steps, value: Value, order: Order) -> str:
    node = _root(text)
    for depth, step in enumerate(steps):
        inner = _inner(node, step)
        if inner is None:
            rest = _with("", steps[depth + 1 :], value)
            if not isinstance(node, yaml.CollectionNode):
                return _replaced(text, node, _with("", (step,), rest))
            if isinstance(step, str) != isinstance(node, yaml.MappingNode):
                raise _refused(steps)
            entry = flow(rest) if isinstance(step, int) else f"{flow(step)}: {flow(rest)}"
            return _inserted(text, node, _place(node, step, order(steps[:depth])), entry)
        node = inner
    return _replaced(text, node, value)


def _place(node: yaml.CollectionNode, step: str | int, keys: Sequence[str]) -> int:
    """Before which entry a new one stands."""
    entries = _entries(node)
    if isinstance(step, int) or step not in keys:
        return len(entries)
    there = [key for key, _ in entries]
    return next((there.index(key) + 1 for key in reversed(keys[: keys.index(step)]) if key in there), 0)


def _replaced(text: str, node: yaml.Node, value: Value) -> str:
    """The text with a node's value replaced."""
    start, end = node.start_mark.index, _end(text, node)
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        # A block may stand below its key and as far left, a value in one line may not: it follows the key unless a comment does.
        key_line = text[: len(text[:start].rstrip())].rpartition("\n")[2]
        start = len(text[:start].rstrip()) if key_line.endswith(":") and "#" not in key_line else start
        return f"{text[:start]} {flow(value)}{text[end:]}"
    return text[:start] + (" " if start == end else "") + flow(value) + text[end:]


def _inserted(text: str, node: yaml.CollectionNode, at: int, entry: str) -> str:
    """The text with an entry before the one at ``at``, after all that belongs to the one before."""
    spans = _spans(text, node)
    if node.flow_style:
        if at:
            return f"{text[: spans[at - 1][1]]}, {entry}{text[spans[at - 1][1] :]}"
        start = node.start_mark.index + 1
        return f"{text[:start]}{entry}{', ' if spans else ''}{text[start:]}"
    indent = " " * node.start_mark.column
    line = entry if isinstance(node, yaml.MappingNode) else f"- {entry}"
    if not at:
        start = spans[0][0]
        return f"{text[:start]}{line}\n{indent}{text[start:]}"
    end = _line_end(text, spans[at - 1][1])
    return f"{text[:end]}\n{indent}{line}{text[end:]}"


# ---------------------------------------------------------------- cutting


def _cut_flow(text: str, node: yaml.CollectionNode, at: int) -> str:
    """The text without an entry of a list or mapping in brackets, and without its comma."""
    spans = _spans(text, node)
    start, end = spans[at]
    if at + 1 < len(spans):
        end = spans[at + 1][0]
    elif at:
        start = spans[at - 1][1]
    return text[:start] + text[end:]


def _cut_block(text: str, node: yaml.CollectionNode, at: int) -> str:
    """The text without the lines of an entry; comments above and below stay."""
    spans = _spans(text, node)
    if len(spans) == 1:
        return _replaced(text, node, {} if isinstance(node, yaml.MappingNode) else [])
    start, end = spans[at]
    line_start, line_end = text.rfind("\n", 0, start) + 1, _line_end(text, end)
    if not text[line_start:start].strip():
        return text[:line_start] + text[line_end + 1 :]
    following = spans[at + 1][0]  # the first key behind a dash: the next takes its place
    if "#" in text[end:following]:
        raise _refused(())
    return text[:start] + text[following:]
