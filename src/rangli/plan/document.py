"""Reading a document: text to a tree that knows its lines, tree to the typed parts of a plan.

YAML guesses types (``no`` is false, ``1:30`` is 90, ``010`` is 8), so nothing is guessed here: every scalar is its own text, and
the vocabulary says how to read it. A faulty value is reported and replaced by a sound example of its kind, so that the rest
of the document can still be read and checked; such a plan never leaves ``check``.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

import yaml

from rangli.errors import FAULTS, AmountMalformed, Problem, RateMalformed
from rangli.money import BP_PER_ONE, parse_percent, parse_yuan
from rangli.plan.kinds import (
    ByKey,
    Choice,
    Field,
    Flag,
    Kind,
    ListOf,
    MapOf,
    Multiple,
    Name,
    Party,
    Percent,
    RateOf,
    Section,
    Text,
    Whole,
    Yuan,
    words,
)
from rangli.plan.parts import Plan, Rate
from rangli.plan.problems import problem
from rangli.plan.vocabulary import FUND, FUND_PREFIX, PLAN

TEXT_LENGTH_MAX: Final = 1_000_000
NAME_BYTES_MAX: Final = 200
"""As for accounts: a merchant's name in a plan is the name in its orders."""

_WHOLE = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)


class Tree(NamedTuple):
    """A part of a document: the text of a scalar, a list, or a mapping by key; ``line`` counts from 1."""

    line: int
    value: str | list[Tree] | dict[str, Tree]


class Draft(NamedTuple):
    """A plan as far as it could be read."""

    plan: Plan
    problems: list[Problem]
    lines: dict[str, int]
    """Line of every path of the document."""
    misspelt: list[str]
    """Paths that are probably meant by an unknown key."""

    def sound(self, *paths: str) -> bool:
        """Whether nothing at these paths or inside them is faulty, so that one may reason about them."""
        faulty = [*(found.where for found in self.problems), *self.misspelt]
        return not any(where == path or where.startswith((f"{path}.", f"{path}[")) for path in paths for where in faulty)

    def problem(self, code: str, where: str, **facts: str | int | tuple[str, str]) -> Problem:
        """A problem at a path, with its line; of a path that is not written, the line of the nearest part that is."""
        written = max((path for path in self.lines if where.startswith(path)), key=len)
        return problem(code, where, self.lines[written], **facts)


# ---------------------------------------------------------------- text to tree


def parse(text: str) -> tuple[Tree | None, list[Problem]]:
    """The tree of a text and what is wrong with it; no tree if it is not YAML at all."""
    if len(text) > TEXT_LENGTH_MAX:
        why = (f"超过 {TEXT_LENGTH_MAX} 个字符", f"it is longer than {TEXT_LENGTH_MAX} characters")
        return None, [problem("not_yaml", "", 1, why=why)]
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return None, [problem("not_yaml", "", 1, why=("文件为空", "it is empty"))]
        problems: list[Problem] = []
        return _tree(node, "", 0, problems, set()), problems
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line = mark.line + 1 if mark else 1
        return None, [problem("not_yaml", "", line, why=fault.problem or fault.context or "")]
    except yaml.reader.ReaderError as fault:
        return None, [problem("not_yaml", "", text.count("\n", 0, fault.position) + 1, why=f"U+{ord(text[fault.position]):04X}")]
    except RecursionError:
        return None, [problem("not_yaml", "", 1, why=("嵌套过深", "it is nested too deeply"))]


def _tree(node: yaml.Node, where: str, line: int, problems: list[Problem], seen: set[int]) -> Tree:
    """The tree of a node; a value has the line of its key."""
    line = line or node.start_mark.line + 1
    if id(node) in seen or not str(node.tag).startswith("tag:yaml.org,2002:"):
        problems.append(problem("alias_refused", where, line))
        return Tree(line, "")
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return Tree(line, [_tree(item, f"{where}[{i}]", 0, problems, seen) for i, item in enumerate(node.value)])
    if not isinstance(node, yaml.MappingNode):
        return Tree(line, str(node.value))
    entries: dict[str, Tree] = {}
    for key_node, value_node in node.value:
        key_line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append(problem("wrong_type", where, key_line, kind=("单行文字作键", "a mapping with plain words as keys")))
            continue
        key = str(key_node.value)
        if key in entries:
            problems.append(problem("duplicate_key", join(where, key), key_line, key=key))
            continue
        entries[key] = _tree(value_node, join(where, key), key_line, problems, seen)
    return Tree(line, entries)


def join(where: str, key: str) -> str:
    """The path of a key inside a path."""
    return f"{where}.{key}" if where else key


# ---------------------------------------------------------------- tree to parts


def read(text: str) -> tuple[Draft | None, list[Problem]]:
    """The plan as far as it can be read, and everything that is wrong with single values and keys."""
    tree, problems = parse(text)
    if tree is None:
        return None, problems
    if not isinstance(tree.value, dict):
        return None, [*problems, problem("wrong_type", "", tree.line, kind=words(PLAN))]
    reader = Reader(problems)
    plan = reader.read(PLAN, tree, "")
    assert isinstance(plan, Plan)
    return Draft(plan, problems, reader.lines, reader.misspelt), problems


def nearest(text: str, known: list[str] | tuple[str, ...]) -> tuple[str, str]:
    """A hint at the nearest known word, or nothing."""
    close = get_close_matches(text, known, 1)
    return (f"(是否指 {close[0]!r})", f" (did you mean {close[0]!r}?)") if close else ("", "")


class Reader:
    """Reads trees by kind; collects problems and the line of every path."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.lines: dict[str, int] = {}
        self.misspelt: list[str] = []
        self.refused = {found.where for found in problems if found.code == "alias_refused"}

    def read(self, kind: Kind, tree: Tree, where: str) -> Any:  # noqa: ANN401 - each kind has its own type
        """The value of a tree; if it is faulty, a sound example instead."""
        self.lines[where] = tree.line
        if where in self.refused:
            return example(kind)
        match kind, tree.value:
            case ByKey(key, section, otherwise), dict(entries):
                return self._section(section if key in entries else otherwise, tree.line, entries, where)
            case Section(), dict(entries):
                return self._section(kind, tree.line, entries, where)
            case RateOf(_, Section() as slide), dict(entries):
                return self._section(slide, tree.line, entries, where)
            case MapOf(), dict(entries):
                return self._map(kind, tree.line, entries, where)
            case ListOf(), list(items):
                return self._list(kind, tree.line, items, where)
            case ((ByKey() | Section() | MapOf() | ListOf()), _):
                pass
            case _, str(text):
                value = self._scalar(kind, text, tree.line, where)
                return example(kind) if value is None else value
        self._say("wrong_type", where, tree.line, kind=words(kind))
        return example(kind)

    def _say(self, code: str, where: str, line: int, **facts: str | int | tuple[str, str]) -> None:
        """Report a problem."""
        self.problems.append(problem(code, where, line, **facts))

    def _section(self, section: Section, line: int, entries: dict[str, Tree], where: str) -> Any:  # noqa: ANN401 - the section's own
        """The typed part of a mapping."""
        keys = [field.key for field in section.fields]
        meant = []
        for key, tree in entries.items():
            if key not in keys:
                meant += get_close_matches(key, [known for known in keys if known not in entries], 1)
                hint = nearest(key, keys)
                kinds = (f"{hint[0]};这里可写 {', '.join(keys)}", f"{hint[1]}; known here: {', '.join(keys)}")
                self._say("unknown_key", join(where, key), tree.line, key=key, hint=kinds)
        self.misspelt += [join(where, key) for key in meant]
        values = {field.attribute: self._field(field, line, entries, where, meant) for field in section.fields}
        return section.into(**values)

    def _field(self, field: Field, line: int, entries: dict[str, Tree], where: str, meant: list[str]) -> Any:  # noqa: ANN401
        """The value of one key, its default, or None."""
        path = join(where, field.key)
        if field.key in entries:
            return self.read(field.kind, entries[field.key], path)
        if field.required:
            if field.key not in meant:
                self._say("missing_key", path, line, key=field.key, kind=words(field.kind))
            return example(field.kind)
        return None if field.default is None else default(field)

    def _list(self, kind: ListOf, line: int, items: list[Tree], where: str) -> tuple[Any, ...]:
        """The values of a list."""
        values = tuple(self.read(kind.item, item, f"{where}[{i}]") for i, item in enumerate(items[: kind.length_max]))
        if len(items) > kind.length_max:
            self._say("too_many", where, line, count=len(items), most=kind.length_max)
        elif len(items) < kind.length_min:
            self._say("too_few", where, line, count=len(items), least=kind.length_min)
        else:
            return values
        return values if kind.length_min == 0 else tuple(example(kind))

    def _map(self, kind: MapOf, line: int, entries: dict[str, Tree], where: str) -> dict[str, Any]:
        """The values of a mapping by merchant."""
        if len(entries) > kind.length_max:
            self._say("too_many", where, line, count=len(entries), most=kind.length_max)
        for name, tree in entries.items():
            if not 1 <= len(name.encode()) <= NAME_BYTES_MAX:
                facts = (f"1 到 {NAME_BYTES_MAX} 字节的商家名", f"a merchant's name of 1 to {NAME_BYTES_MAX} bytes")
                self._say("name_malformed", join(where, name), tree.line, text=name, kind=facts)
        return {name: self.read(kind.item, tree, join(where, name)) for name, tree in entries.items()}

    def _scalar(self, kind: Kind, text: str, line: int, where: str) -> Any:  # noqa: ANN401 - each kind has its own type
        """The value of a scalar; None when it is faulty, which has been said."""

        def fault(code: str, **facts: str | int | tuple[str, str]) -> None:
            self._say(code, where, line, **{"text": text, "kind": words(kind), **facts})

        match kind:
            case Text(length_max):
                return text if 1 <= len(text.strip()) <= length_max else fault("text_length")
            case Name(pattern):
                return text if re.fullmatch(pattern, text) else fault("name_malformed")
            case Choice(options):
                return text if text in options else fault("not_one_of", hint=nearest(text, options))
            case Flag():
                return text == "true" if text in {"true", "false"} else fault("not_one_of", hint="")
            case Party(names, funds):
                if text in names or (
                    funds and text.startswith(FUND_PREFIX) and re.fullmatch(FUND.pattern, text[len(FUND_PREFIX) :])
                ):
                    return text
                return fault("unknown_party", hint=nearest(text, names))
            case Whole(low, high):
                if _WHOLE.fullmatch(text) is None:
                    return fault("number_malformed")
                return int(text) if low <= int(text) <= high else fault("out_of_range")
            case Yuan(low, high):
                fen = _amount(text, "amount_malformed", fault)
                return fen if fen is None or low <= fen <= high else fault("out_of_range")
            case Multiple(low, high):
                hundredths = _amount(text, "number_malformed", fault)
                bp = None if hundredths is None else hundredths * 100
                return bp if bp is None or low <= bp <= high else fault("out_of_range")
            case Percent(low, high):
                return _percent(text, (low, high), "20%", fault)
            case RateOf(bases):
                return _rate(text, bases, fault)
        return fault("wrong_type")


def _amount(text: str, code: str, fault: Any) -> int | None:  # noqa: ANN401 - the reader's own
    """Fen, or hundredths of a plain number."""
    try:
        return parse_yuan(text)
    except AmountMalformed as refused:
        fault(code, fault=FAULTS[refused.fault])
        return None


def _percent(text: str, span: tuple[int, int], right: str, fault: Any) -> int | None:  # noqa: ANN401 - the reader's own
    """Basis points of a percentage inside a span."""
    low, high = span
    try:
        bp = parse_percent(text)
    except RateMalformed as refused:
        fault("rate_too_fine" if refused.fault == "too_fine" else "rate_malformed", fault=FAULTS[refused.fault], right=right)
        return None
    if low <= bp <= high:
        return bp
    fault("rate_over_100" if bp > high == BP_PER_ONE else "out_of_range")
    return None


def _rate(text: str, bases: tuple[str, ...], fault: Any) -> Rate | None:  # noqa: ANN401 - the reader's own
    """A rate, as ``20% of amount``."""
    right = ", ".join(f"20% of {base}" for base in bases)
    match text.split():
        case [percent, "of", base] if base in bases:
            bp = _percent(percent, (0, BP_PER_ONE), right, fault)
            return None if bp is None else Rate(bp, base)
        case [_, "of", base]:
            zh, en = nearest(base, bases)
            fault("rate_malformed", fault=(f"的基数 {base!r} 不存在{zh}", f"has an unknown base {base!r}{en}"), right=right)
        case _:
            fault("rate_malformed", fault=("不是“百分比 of 基数”", "is not a percentage of a base"), right=right)
    return None


# ---------------------------------------------------------------- defaults and stand-ins


def default(field: Field) -> Any:  # noqa: ANN401 - each kind has its own type
    """The value that a field has when it is not written."""
    assert field.default is not None
    tree, problems = parse(field.default)
    assert tree is not None
    value = Reader(problems).read(field.kind, tree, field.key)
    assert not problems, f"the default of {field.key} is faulty: {problems}"
    return value


def example(kind: Kind) -> Any:  # noqa: ANN401 - each kind has its own type
    """A sound value of a kind, to stand in for a faulty one while the rest is checked."""
    match kind:
        case Text():
            return "?"
        case Name(_, name):
            return name
        case Whole(low) | Yuan(low) | Multiple(low) | Percent(low):
            return low
        case Choice(options) | Party(options):
            return options[0]
        case Flag():
            return False
        case RateOf(bases):
            return Rate(0, bases[0])
        case ListOf(item, _, length_min):
            return (example(item),) * length_min
        case MapOf():
            return {}
        case ByKey(_, _, otherwise):
            return example(otherwise)
        case Section(_, into, fields):
            return into(**{f.attribute: example(f.kind) if f.required else _absent(f) for f in fields})


def _absent(field: Field) -> Any:  # noqa: ANN401 - each kind has its own type
    """The value of a field that is neither required nor written."""
    return None if field.default is None else default(field)
