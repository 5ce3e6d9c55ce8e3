"""What differs between two plans, in words: "share of the concession of the platform: 15% → 20%".

Values are compared as the vocabulary reads them, defaults included, so that order, spelling and comments make no difference. A
share is the same share when it goes to the same party, whatever stands before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from rangli.plan.document import Tree, parse
from rangli.plan.form import word
from rangli.plan.kinds import ByKey, Choice, Field, Flag, Kind, ListOf, MapOf, Party, RateOf, Section, Text, Yuan
from rangli.plan.vocabulary import PLAN

Pair = tuple[str, str]

NOTHING: Final[Pair] = ("无", "none")


class Difference(NamedTuple):
    """One thing that is otherwise; ``before`` or ``after`` is NOTHING for what came or went."""

    zh: str
    en: str
    """What it is about."""
    before: Pair
    after: Pair

    def words(self, lang: str) -> str:
        """All of it in one line."""
        i = 0 if lang == "zh" else 1
        colon = ":" if lang == "zh" else ": "
        return f"{(self.zh, self.en)[i]}{colon}{self.before[i]} → {self.after[i]}"


class _Fact(NamedTuple):
    """A value by what it is about."""

    about: Pair
    value: Pair
    is_default: bool = False
    percent: str = ""
    """Of a share's rate."""
    base: str = ""
    """What that is of."""


BASES: Final = {"amount": ("实付", "amount"), "concession": ("让利", "concession")}
_IDENTITY: Final = ("to", "envelope", "once_per")
"""What tells an entry of a list from others; it is in its name."""


def differences(before: str, after: str) -> list[Difference]:
    """How the second document differs from the first, in the order of the vocabulary; of texts that are no plans, nothing."""
    old, new = (dict(_facts_of(text)) for text in (before, after))
    keys = [*new, *(key for key in old if key not in new)]
    return [_difference(old.get(key), new.get(key)) for key in keys if _differ(old.get(key), new.get(key))]


def _differ(then: _Fact | None, now: _Fact | None) -> bool:
    """Whether there is something to tell: of what came or went, all but what stands by itself."""
    if then is None or now is None:
        return not (then or now or _Fact(NOTHING, NOTHING)).is_default
    return then.value != now.value


def _difference(then: _Fact | None, now: _Fact | None) -> Difference:
    """A value before and after; of shares that are of the same, the percentages."""
    one = now or then
    assert one is not None
    bases = {fact.base for fact in (then, now) if fact is not None}
    if one.base and len(bases) == 1:
        zh, en = BASES[one.base]
        shares = [(fact.percent, fact.percent) if fact else NOTHING for fact in (then, now)]
        return Difference(f"{one.about[0]}的{zh}份额", f"{en} share of {one.about[1]}", *shares)
    values = [fact.value if fact else NOTHING for fact in (then, now)]
    return Difference(*one.about, *values)


def _facts_of(text: str) -> Iterator[tuple[str, _Fact]]:
    """Every value of a document by a key that is the same in another one."""
    tree, _ = parse(text)
    if tree is not None:
        yield from _facts(PLAN, tree, "", ("", ""))


def _facts(kind: Kind, tree: Tree, key: str, about: Pair) -> Iterator[tuple[str, _Fact]]:
    """The values of a part."""
    match kind, tree.value:
        case ByKey(discriminator, section, otherwise), dict(entries):
            yield from _facts(section if discriminator in entries else otherwise, tree, key, about)
        case Section(_, _, fields), dict(entries):
            is_named = any(field.key in {"to", "envelope"} for field in fields)
            for field in fields:
                if not (is_named and field.key in _IDENTITY):
                    yield from _field(field, entries, f"{key}.{field.key}", about, is_share=is_named and field.key == "rate")
        case ListOf(Section() | ByKey() as item), list(items):
            seen: dict[str, int] = {}
            for entry in items:
                name, words = _name(entry)
                seen[name] = seen.get(name, 0) + 1
                number = f" #{seen[name]}" if seen[name] > 1 else ""
                inside = _join(about, words)
                yield from _facts(item, entry, f"{key}[{name}{number}]", (inside[0] + number, inside[1] + number))
        case MapOf(item), dict(entries):
            for name, entry in entries.items():
                yield from _facts(item, entry, f"{key}[{name}]", _join(about, (name, name)))
        case _:
            yield key, _Fact(about, _value(kind, tree))


def _field(field: Field, entries: dict[str, Tree], key: str, about: Pair, *, is_share: bool) -> Iterator[tuple[str, _Fact]]:
    """The values of one key; what is not written, as it stands by itself."""
    written = entries.get(field.key)
    found = written or (parse(field.default)[0] if field.default is not None else None)
    if found is None:
        return
    if is_share:
        percent, _, base = (found.value if isinstance(found.value, str) else "").partition(" of ")
        known = base.strip() if base.strip() in BASES else ""
        yield key, _Fact(about, _value(field.kind, found), percent=percent.strip(), base=known)
        return
    inside = about if field.key == "shares" else _join(about, (field.zh, field.en))
    for inner, fact in _facts(field.kind, found, key, inside):
        yield inner, fact._replace(is_default=fact.is_default or written is None)


def _join(outer: Pair, inner: Pair) -> Pair:
    return (f"{outer[0]} · {inner[0]}", f"{outer[1]} · {inner[1]}") if outer[0] else inner


def _name(entry: Tree) -> tuple[str, Pair]:
    """An entry of a list, by whom it is for."""
    entries = entry.value if isinstance(entry.value, dict) else {}
    for key in ("envelope", "to"):
        found = entries.get(key)
        if found is not None and isinstance(found.value, str):
            once = entries.get("once_per")
            name = f"{key} {found.value} {once.value if once else ''}"
            return name, word(found.value) if key == "to" else (f"预算 {found.value}", f"the envelope {found.value}")
    return "?", ("?", "?")


def _value(kind: Kind, tree: Tree) -> Pair:
    """A value in words."""
    if isinstance(tree.value, list):
        shown = [_value(kind.item if isinstance(kind, ListOf) else kind, item) for item in tree.value]
        return ("、".join(zh for zh, _ in shown) or NOTHING[0], ", ".join(en for _, en in shown) or NOTHING[1])
    if isinstance(tree.value, dict):
        corners = {key: _value(ListOf(Text(), 2), inner) for key, inner in tree.value.items()}
        low, high = corners.get("from", NOTHING), corners.get("to", NOTHING)
        return f"实付的滑动费率(让利、费率由 {low[0]} 到 {high[0]})", f"sliding, of the amount, from {low[1]} to {high[1]}"
    text = tree.value
    match kind:
        case RateOf():
            percent, _, base = text.partition(" of ")
            zh, en = word(base.strip()) if base else ("", "")
            return (f"{zh}的 {percent}", f"{percent} {en}") if base else (text, text)
        case Party() | Choice() | Flag():
            return word(text)
        case Yuan():
            return f"{text} 元", f"{text} yuan"
        case _:
            return text, text
