"""The values of a scenario that can be set one by one: each with its path, what it means, and its text as it stands.

What is written in the document is there, and what has a default; a part that is left out (a run on the points, say) is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from rangli.errors import ScenarioFaulty
from rangli.lab.vocabulary import SCENARIO
from rangli.plan.document import Tree, join, parse
from rangli.plan.kinds import ByKey, Choice, Kind, ListOf, Multiple, Percent, Section, Whole, Yuan, words
from rangli.plan.parts import Words

NOT_ASKED: Final = ("scenario", "title", "about", "plan")
"""Keys that say what a scenario is called and for."""
TOP: Final = Words("时间", "Time")


class Value(NamedTuple):
    """One value that can be set."""

    path: str
    """As ``rangli sweep`` and ``lab.run(values=…)`` name it."""
    part: Words
    """The part of the scenario that it belongs to."""
    name: Words
    kind: Words
    """What may be written."""
    text: str


@lru_cache(maxsize=64)
def values_of(text: str) -> tuple[Value, ...]:
    """All of them, in the order of the language. Raises ScenarioFaulty for what is no document."""
    tree, problems = parse(text)
    if tree is None or not isinstance(tree.value, dict):
        raise ScenarioFaulty(problems)
    return tuple(value for value in _of_section(SCENARIO, tree.value, "", TOP) if value.path not in NOT_ASKED)


def differences(before: str, after: str) -> list[tuple[Value, str]]:
    """What was set to another text: the value as it is after, and its text before (empty: it was not there)."""
    was = {value.path: value.text for value in values_of(before)}
    return [(value, was.get(value.path, "")) for value in values_of(after) if value.text != was.get(value.path)]


def _of_section(section: Section, entries: dict[str, Tree], where: str, part: Words) -> Iterator[Value]:
    for field in section.fields:
        name, path = Words(field.zh, field.en), join(where, field.key)
        tree = entries.get(field.key)
        if tree is None and field.default == "{}":
            tree = Tree(0, {})
        if tree is not None:
            is_part = isinstance(field.kind, Section | ListOf)
            yield from _of(field.kind, tree, path, name if is_part else part, name)
        elif field.default is not None and not isinstance(field.kind, ListOf):
            yield from _of(field.kind, Tree(0, field.default), path, part, name)


def _of(kind: Kind, tree: Tree, path: str, part: Words, name: Words) -> Iterator[Value]:
    """The values in a part of the document that is of this kind."""
    match kind, tree.value:
        case Section(), dict(entries):
            yield from _of_section(kind, entries, path, part)
        case ByKey(key, section, otherwise), dict(entries):
            yield from _of_section(section if key in entries else otherwise, entries, path, part)
        case ListOf(item), list(items):
            for number, entry in enumerate(items):
                for value in _of(item, entry, f"{path}[{number}]", part, name):
                    at = Words(f"{number + 1}. {value.name.zh}", f"{number + 1}. {value.name.en}")
                    yield value._replace(name=at, part=part)
        case ((Whole() | Yuan() | Multiple() | Percent() | Choice()), str(text)):
            yield Value(path, part, name, Words(*words(kind)), text)
        case _:
            return
