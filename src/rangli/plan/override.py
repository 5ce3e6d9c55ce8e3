"""Overrides: ``path=value`` changes to a document's text, for designers who ask what if.

Only what is named changes; comments and the lines of everything else stay, so a problem still points to where it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import yaml

from rangli.errors import InputRefused, PlanFaulty
from rangli.plan.document import Tree, join, parse

_STEP = re.compile(r"([^.\[\]=]+)|\[([0-9]+)\]")
_PATH = re.compile(r"[^.\[\]=]+(\.[^.\[\]=]+|\[[0-9]+\])*")

_PLAIN = re.compile(r"\w([\w .%-]*[\w%])?")


def override(text: str, changes: Sequence[str]) -> str:
    """The text with each change made: ``pool.exit.at=200%``, ``shares[2].rate=1% of amount``, ``packets.tiers=[50, 100]``.

    A key that is not there yet is added, with the mappings above it. Raises InputRefused for a path that leads nowhere,
    saying what is there, and PlanFaulty if the text or a value is not YAML at all.
    """
    for change in changes:
        path, equals, value = change.partition("=")
        if not equals or not _PATH.fullmatch(path.strip()):
            raise InputRefused(
                f"改动 {change!r} 应写成 路径=值,如 pool.exit.at=200%",
                f"the change {change!r} is not path=value; write it as pool.exit.at=200%",
            )
        text = _changed(text, path.strip(), _plain(_tree(value)))
    return text


def _tree(text: str) -> Tree:
    """The tree of a text that has to be YAML."""
    tree, problems = parse(text)
    if tree is None or problems:
        raise PlanFaulty(problems)
    return tree


def _plain(tree: Tree) -> object:
    """A tree without its lines; every scalar is its text."""
    if isinstance(tree.value, dict):
        return {key: _plain(inner) for key, inner in tree.value.items()}
    return [_plain(inner) for inner in tree.value] if isinstance(tree.value, list) else tree.value


def _changed(text: str, path: str, value: object) -> str:
    """The text with one value replaced or added."""
    _tree(text)
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    assert node is not None
    steps = [match[1] or int(match[2]) for match in _STEP.finditer(path)]
    where = ""
    for i, step in enumerate(steps):
        inner = _inner(node, step)
        if inner is None:
            if not isinstance(node, yaml.MappingNode) or isinstance(step, int) or any(isinstance(s, int) for s in steps[i:]):
                raise _nowhere(path, where, node)
            for key in reversed(steps[i + 1 :]):
                value = {key: value}
            return _with_key(text, node, step, value)
        where = f"{where}[{step}]" if isinstance(step, int) else join(where, step)
        node = inner
    start, end = node.start_mark.index, node.end_mark.index
    end = start + len(text[start:end].rstrip())
    # A block list may stand as far left as its key, a value in one line may not; an empty value follows its colon.
    is_block = isinstance(node, yaml.CollectionNode) and not node.flow_style
    space = " " if is_block or start == end else ""
    return text[:start] + space + _flow(value) + text[end:]


def _inner(node: yaml.Node, step: str | int) -> yaml.Node | None:
    """The node one step inside, if there is one."""
    if isinstance(step, int):
        return node.value[step] if isinstance(node, yaml.SequenceNode) and step < len(node.value) else None
    entries = node.value if isinstance(node, yaml.MappingNode) else []
    return next((inner for key, inner in entries if key.value == step), None)


def _with_key(text: str, node: yaml.MappingNode, key: str, value: object) -> str:
    """The text with a key added at the start of a mapping."""
    start = node.start_mark.index
    if node.flow_style:
        comma = ", " if node.value else ""
        return f"{text[: start + 1]}{_flow(key)}: {_flow(value)}{comma}{text[start + 1 :]}"
    indent = " " * node.start_mark.column
    return f"{text[:start]}{_flow(key)}: {_flow(value)}\n{indent}{text[start:]}"


def _flow(value: object) -> str:
    """A value in one line that is YAML wherever it stands; words that cannot be mistaken stay unquoted."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _nowhere(path: str, where: str, node: yaml.Node) -> InputRefused:
    """A path that leads nowhere, and what there is."""
    place = where or "."
    if isinstance(node, yaml.SequenceNode):
        there = f"[0]..[{len(node.value) - 1}]" if node.value else "[]"
    elif isinstance(node, yaml.MappingNode):
        there = ", ".join(str(key.value) for key, _ in node.value)
    else:
        there = repr(node.value)
    return InputRefused(f"路径 {path!r} 不存在:{place} 处有 {there}", f"there is no {path!r}; at {place} there is {there}")
