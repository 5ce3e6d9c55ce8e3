"""A plan's document as a form, and back: every control stands for one place of the text and changes that place alone.

    text ─▶ form ─▶ groups of controls, in the words of the vocabulary
    text, control's name, value ─▶ put | add | remove ─▶ text: the other lines, comments and the order of keys stay as they are

What the form shows is derived from ``vocabulary``; its own are what a new part begins with and the words of choices.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import Final, NamedTuple

from rangli.errors import InputRefused, PlanFaulty, RateMalformed
from rangli.money import BP_PER_ONE, mul_div, parse_percent, print_percent
from rangli.plan.document import Tree, join, parse
from rangli.plan.edits import Steps, Value, cut, value_of, written
from rangli.plan.edits import put as put_value
from rangli.plan.kinds import (
    ByKey,
    Choice,
    Field,
    Flag,
    Kind,
    ListOf,
    MapOf,
    Multiple,
    Party,
    Percent,
    RateOf,
    Section,
    Text,
    Whole,
    Yuan,
    words,
)
from rangli.plan.vocabulary import FUND_PREFIX, PARTIES, PLAN, party_words

Pair = tuple[str, str]
"""Words in Chinese and English."""

OF: Final = "@of"
"""Behind a rate's name: the control that chooses what the rate is of."""
SLIDING: Final = "sliding"
MERCHANTS_SHOWN: Final = 50
"""Merchants with tiers of their own that the form shows; there may be a hundred thousand in the document."""

UNITS: Final[dict[str, Pair]] = {
    "hold": ("天", "days"),
    "days": ("天", "days"),
    "refund_days": ("天", "days"),
    "depth": ("级", "levels"),
    "per_order": ("笔", "orders"),
    "packets": ("个", "packets"),
    "periods": ("期", "periods"),
    "extended": ("期", "periods"),
    "multiple": ("倍", "times"),
}
"""What a whole number or a multiple counts, by key."""

WORDS: Final[dict[str, Pair]] = {
    "amount": ("实付", "of the amount paid"),
    "concession": ("让利", "of the concession"),
    "points": ("积分", "of the points"),
    "balance": ("余额", "of the balance"),
    SLIDING: ("实付,随让利滑动", "of the amount, sliding with the concession"),
    "cash": ("现金", "cash"),
    "vouchers": ("券", "vouchers"),
    "count": ("参与", "they take part"),
    "skip": ("不参与", "they do not"),
    "member": ("按会员", "by member"),
    "order": ("按订单", "by order"),
    "spend": ("消费额", "what was spent"),
    "mint_value": ("铸造价值", "the value minted"),
    "claim": ("本人领取", "claimed"),
    "profit_sharing": ("渠道分账给个人", "profit sharing to persons"),
    "given": ("只赠送", "given only"),
    "sold": ("出售", "sold"),
    "cashed": ("可兑现", "cashed"),
    "discount": ("按折扣", "a discount"),
    "incidental": ("按偶然所得", "incidental income"),
    "true": ("是", "yes"),
    "false": ("否", "no"),
}
"""Choices in words; parties have theirs in the vocabulary."""

BEGINNINGS: Final[dict[str, Value]] = {
    "about": {"zh": "说明", "en": "About"},
    "shares[]": {"to": "consumer", "rate": "0% of concession"},
    "shares[] (envelope)": {"envelope": "budget", "rate": "0% of amount", "shares": []},
    "packets": {"per_order": "20", "tiers": [], "exit": {"received": "30%"}},
    "packets.merchant_tiers.<name>": [],
    "pool": {"mint": "70%", "pays": "80%", "opening_price": "1"},
    "pool.exit": {"at": "120%"},
    "points[]": {"to": "consumer", "rate": "0% of concession"},
    "release": {"rate": "10% of points", "close": {"days": "30"}, "pays": "vouchers"},
    "bonus[]": {"to": "consumer", "amount": "1", "once_per": "consumer"},
    "offset": {"vouchers": "50%"},
    "law": {},
    "law.payout": {},
}
"""What a part is when it is added, by its place in the vocabulary."""

ITEMS: Final[dict[str, Pair]] = {
    "shares[]": ("一份", "a share"),
    "shares[] (envelope)": ("一个预算", "an envelope"),
    "points[]": ("积分", "points"),
    "bonus[]": ("一次性奖励", "a bonus"),
    "packets.merchant_tiers.<name>": ("一个商家的档位", "a merchant's tiers"),
}
"""What can be added to a list, in words."""


class Option(NamedTuple):
    """One of a few words."""

    code: str
    zh: str
    en: str


class Control(NamedTuple):
    """One place of the document, as something to fill in."""

    name: str
    where: str
    """The path that problems of this place have."""
    steps: Steps
    widget: str
    """text; lines: a text in each line; number; list: several, apart by commas; choice."""
    value: str
    """Without its unit; empty when it is not written."""
    zh: str
    en: str
    key: str
    """As it is called in the document."""
    kind: Kind
    hint: Pair
    """What is sound here."""
    unit: Pair = ("", "")
    standing: Pair = ("", "")
    """What holds when nothing is written."""
    options: tuple[Option, ...] = ()
    required: bool = False


class Addition(NamedTuple):
    """Something that can be added."""

    place: str
    """In the vocabulary: as in BEGINNINGS."""
    where: str
    """The path that it is added to."""
    steps: Steps
    zh: str
    en: str
    needs_name: bool = False


class Group(NamedTuple):
    """Controls that belong together, and the groups inside."""

    where: str
    steps: Steps
    zh: str
    en: str
    controls: tuple[Control, ...] = ()
    groups: tuple[Group, ...] = ()
    additions: tuple[Addition, ...] = ()
    removable: bool = False
    left_out: int = 0
    """Entries that are in the document only."""


# ---------------------------------------------------------------- text to form


def form(text: str) -> Group | None:
    """The document as a form; None when it cannot be read as one (no YAML, no mapping, aliases)."""
    tree, problems = parse(text)
    if tree is None or not isinstance(tree.value, dict) or any(found.code == "alias_refused" for found in problems):
        return None
    return _section(PLAN, tree, _Here((), "", "", ("方案", "The plan")))


def controls(group: Group) -> Iterator[Control]:
    """All controls of a group, outer ones first."""
    yield from group.controls
    for inner in group.groups:
        yield from controls(inner)


def groups(group: Group) -> Iterator[Group]:
    """A group and all inside it."""
    yield group
    for inner in group.groups:
        yield from groups(inner)


class _Here(NamedTuple):
    """Where something stands."""

    steps: Steps
    where: str
    place: str
    """In the vocabulary."""
    words: Pair

    def inside(self, key: str, words: Pair) -> _Here:
        return _Here((*self.steps, key), join(self.where, key), join(self.place, key), words)

    def item(self, number: int, words: Pair) -> _Here:
        return _Here((*self.steps, number), f"{self.where}[{number}]", f"{self.place}[]", words)


def _section(section: Section, tree: Tree | None, here: _Here, *, removable: bool = False) -> Group:
    """The group of a mapping."""
    entries = tree.value if tree is not None and isinstance(tree.value, dict) else {}
    own: list[Control] = []
    inner: list[Group] = []
    additions: list[Addition] = []
    for field in section.fields:
        at, found = here.inside(field.key, (field.zh, field.en)), entries.get(field.key)
        match field.kind:
            case Section() as part if field.required or field.default is not None or found is not None:
                inner.append(_section(part, found, at, removable=not field.required and found is not None))
            case Section():
                additions.append(Addition(at.place, at.where, at.steps, field.zh, field.en))
            case ListOf(Section() | ByKey()) as many:
                inner.append(_items(many, found, at))
            case MapOf() as many:
                inner.append(_merchants(many, found, at))
            case _:
                own += _controls(field, found, at)
    return Group(here.where, here.steps, *here.words, tuple(own), tuple(inner), tuple(additions), removable)


def _items(many: ListOf, tree: Tree | None, here: _Here) -> Group:
    """The group of a list of mappings, a group for each."""
    items = tree.value if tree is not None and isinstance(tree.value, list) else []
    found = []
    for i, item in enumerate(items):
        section = many.item
        if isinstance(section, ByKey):
            section = section.section if isinstance(item.value, dict) and section.key in item.value else section.otherwise
        assert isinstance(section, Section)
        found.append(_section(section, item, here.item(i, _title(i, item)), removable=True))
    places = [f"{here.place}[]", *([f"{here.place}[] (envelope)"] if isinstance(many.item, ByKey) else [])]
    places = [_BEGINS_LIKE.get(place, place) for place in places]
    additions = tuple(Addition(place, here.where, (*here.steps, len(items)), *ITEMS[place]) for place in places)
    return Group(here.where, here.steps, *here.words, groups=tuple(found), additions=additions)


_BEGINS_LIKE: Final = {"shares[].shares[]": "shares[]"}


def _title(number: int, item: Tree) -> Pair:
    """What an entry of a list is called."""
    entries = item.value if isinstance(item.value, dict) else {}
    to, envelope = entries.get("to"), entries.get("envelope")
    if envelope is not None and isinstance(envelope.value, str):
        return f"{number + 1} · 预算 {envelope.value}", f"{number + 1} · envelope {envelope.value}"
    if to is None or not isinstance(to.value, str):
        return f"{number + 1}", f"{number + 1}"
    zh, en = _party(to.value)
    return f"{number + 1} · {zh}", f"{number + 1} · {en}"


def _party(name: str) -> Pair:
    """A party in words; what is none, as it is."""
    return party_words(name) if name in PARTIES or name.startswith(FUND_PREFIX) else (name, name)


def _merchants(many: MapOf, tree: Tree | None, here: _Here) -> Group:
    """The group of a mapping from merchants' names, a control for each."""
    entries = tree.value if tree is not None and isinstance(tree.value, dict) else {}
    shown = list(entries.items())[:MERCHANTS_SHOWN]
    place = f"{here.place}.<name>"
    found = []
    for name, item in shown:
        at = _Here((*here.steps, name), join(here.where, name), place, (name, name))
        field = Field(name, name, many.item, name, name, required=True)
        found.append(Group(at.where, at.steps, name, name, tuple(_controls(field, item, at)), removable=True))
    addition = Addition(place, here.where, here.steps, *ITEMS[place], needs_name=True)
    return Group(
        here.where, here.steps, *here.words, groups=tuple(found), additions=(addition,), left_out=len(entries) - len(shown)
    )


# ---------------------------------------------------------------- controls


def _controls(field: Field, tree: Tree | None, here: _Here) -> list[Control]:
    """The controls of one key: one, but for a rate, which is of something and may slide."""
    match field.kind:
        case RateOf() as rate:
            return _rate_controls(rate, field, tree, here)
        case ListOf(Text()):
            return [_control(field, here, "lines", "\n".join(_scalars(tree)))]
        case ListOf(item):
            unit = ("元", "yuan") if isinstance(item, Yuan) else ("", "")
            return [_control(field, here, "list", ", ".join(_scalars(tree)), unit=unit)]
        case _:
            text = _scalar(tree)
            widget = {Choice: "choice", Party: "choice", Flag: "choice", Text: "text"}.get(type(field.kind), "text")
            if isinstance(field.kind, Whole | Yuan | Multiple | Percent):
                widget = "number"
            return [_control(field, here, widget, _without_unit(field.kind, text), unit=_unit(field))]


def _control(field: Field, here: _Here, widget: str, value: str, *, unit: Pair = ("", "")) -> Control:
    """A control of one key."""
    standing = ("", "")
    if field.default is not None:
        bare = field.default.strip("[]{}")
        standing = word(bare) if widget == "choice" else (_without_unit(field.kind, bare),) * 2
    options = _options(field.kind, value)
    zh, en = here.words
    return Control(
        here.where, here.where, here.steps, widget, value, zh, en, field.key, field.kind, words(field.kind), unit, standing,
        options, field.required,
    )  # fmt: skip


def _unit(field: Field) -> Pair:
    """What a number is of."""
    match field.kind:
        case Percent():
            return ("%", "%")
        case Yuan():
            return ("元", "yuan")
        case Whole() | Multiple():
            return UNITS.get(field.key, ("", ""))
        case _:
            return ("", "")


def _options(kind: Kind, value: str) -> tuple[Option, ...]:
    """What can be chosen, and what is written if it is none of these."""
    codes = list(_codes(kind))
    if not codes:
        return ()
    if value and value not in codes:
        codes.append(value)
    return tuple(Option(code, *word(code)) for code in codes)


def _codes(kind: Kind) -> Iterable[str]:
    match kind:
        case Choice(options):
            return options
        case Flag():
            return ("true", "false")
        case Party(names):
            return names
        case _:
            return ()


def word(code: str) -> Pair:
    """A choice in words."""
    return WORDS.get(code) or _party(code)


def with_funds(control: Control, names: Iterable[str]) -> tuple[Option, ...]:
    """The options of a party's control, with the funds that the plan declares."""
    if not (isinstance(control.kind, Party) and control.kind.funds):
        return control.options
    funds = [FUND_PREFIX + name for name in names]
    return control.options + tuple(Option(fund, *word(fund)) for fund in funds if fund not in {o.code for o in control.options})


def _rate_controls(rate: RateOf, field: Field, tree: Tree | None, here: _Here) -> list[Control]:
    """A percentage and what it is of; of a slide, its corners."""
    zh, en = here.words
    codes = [*rate.bases, *([SLIDING] if rate.slide else [])]
    slides = tree is not None and isinstance(tree.value, dict)
    percent, base = ("", SLIDING) if slides else _rate_parts(_scalar(tree))
    options = tuple(Option(code, *word(code)) for code in codes)
    hint = words(field.kind)
    of = Control(
        here.where + OF, here.where, here.steps, "choice", base, f"{zh}:基数", f"{en}: of what", field.key, field.kind, hint,
        options=options, required=True,
    )  # fmt: skip
    if not slides:
        own = Control(
            here.where, here.where, here.steps, "number", percent, zh, en, field.key, field.kind, hint, ("%", "%"), required=True
        )
        return [own, of]
    assert rate.slide is not None
    assert tree is not None
    assert isinstance(tree.value, dict)
    found = [of]
    for corner in (one for one in rate.slide.fields if isinstance(one.kind, ListOf)):
        at = here.inside(corner.key, (corner.zh, corner.en))
        points = tree.value.get(corner.key)
        items = points.value if points is not None and isinstance(points.value, list) else []
        for i, (end_zh, end_en) in enumerate((("让利", "concession"), ("费率", "rate"))):
            text = _scalar(items[i]) if i < len(items) else ""
            start = ("起点", "from") if corner.key == "from" else ("终点", "to")
            point = at.item(i, (f"{start[0]}{end_zh}", f"{start[1]}: {end_en}"))
            found.append(_control(Field("", "", Percent(), *point.words, required=True), point, "number", text.removesuffix("%")))
    return [one._replace(unit=("%", "%"), key=field.key) if one.widget == "number" else one for one in found]


_RATE: Final = re.compile(r"\s*(\S+?)%\s+of\s+(\S+)\s*")


def _rate_parts(text: str) -> Pair:
    """Percentage and base of a rate; of what is none, all of it and nothing."""
    found = _RATE.fullmatch(text)
    return (found[1], found[2]) if found else (text, "")


def _scalar(tree: Tree | None) -> str:
    """The text of a scalar; nothing for anything else."""
    return tree.value if tree is not None and isinstance(tree.value, str) else ""


def _scalars(tree: Tree | None) -> list[str]:
    """The texts of a list."""
    items = tree.value if tree is not None and isinstance(tree.value, list) else []
    return [_scalar(item) for item in items]


def _without_unit(kind: Kind, text: str) -> str:
    return text.removesuffix("%") if isinstance(kind, Percent) else text


# ---------------------------------------------------------------- form to text


def put(text: str, name: str, value: str) -> str:
    """The text with one control's value changed; empty takes what need not be written out of it.

    Raises PlanFaulty for a text that is no form, InputRefused for no such name, or a place that cannot be changed by itself.
    """
    control = next((one for one in controls(_form(text)) if one.name == name), None)
    if control is None:
        raise InputRefused(f"表单里没有 {name[:60]!r}", f"there is no {name[:60]!r} in the form")
    if value == control.value:
        return text
    if control.widget == "lines":
        return _put_items(text, control, [line.strip() for line in value.splitlines() if line.strip()])
    if control.widget == "list":
        return _put_items(text, control, [item for item in re.split(r"[\s,,、]+", value) if item])
    if name.endswith(OF):
        return put_value(text, control.steps, _rate_of(text, control, value), _order)
    value = value if control.widget == "text" else value.strip()
    if not value and not control.required:
        return cut(text, control.steps)
    if control.unit == ("%", "%") and value:
        value = f"{value.removesuffix('%').rstrip()}%"
    if isinstance(control.kind, RateOf):
        base = _rate_parts(_text_at(text, control.steps))[1] or control.kind.bases[0]
        value = f"{value} of {base}"
    return put_value(text, control.steps, value, _order)


def add(text: str, place: str, where: str, name: str = "") -> str:
    """The text with a new part (an Addition of the form; ``name`` is the merchant's if it needs one). Raises as ``put`` does."""
    found = next(
        (one for group in groups(_form(text)) for one in group.additions if (one.place, one.where) == (place, where)), None
    )
    if found is None:
        raise InputRefused(f"{where[:60]} 处不能再加", f"nothing of that kind can be added at {where[:60]}")
    steps = found.steps
    if found.needs_name:
        if not name.strip():
            raise InputRefused("请写明商家名", "write the merchant's name")
        steps = (*steps, name.strip())
        if _written(text, steps) is not None:
            raise InputRefused(f"{name.strip()} 已有自己的档位", f"{name.strip()} has tiers of its own already")
    return put_value(text, steps, BEGINNINGS[place], _order)


def remove(text: str, where: str) -> str:
    """The text without a part that can be taken out. Raises as ``put`` does."""
    found = next((group for group in groups(_form(text)) if group.where == where and group.removable), None)
    if found is None:
        raise InputRefused(f"{where[:60]} 处没有可去掉的", f"there is nothing to take out at {where[:60]}")
    return cut(text, found.steps)


def _form(text: str) -> Group:
    found = form(text)
    if found is None:
        raise PlanFaulty(parse(text)[1])
    return found


def _put_items(text: str, control: Control, items: list[str]) -> str:
    """The text with a list changed entry by entry, so that what stands beside the others stays."""
    there = _written(text, control.steps)
    before = [item if isinstance(item, str) else "" for item in there] if isinstance(there, list) else []
    if not before:
        if not items and not control.required:
            return cut(text, control.steps) if there is not None else text
        return put_value(text, control.steps, list(items), _order)
    for change, start, stop, first, last in reversed(SequenceMatcher(None, before, items, autojunk=False).get_opcodes()):
        if change == "equal":
            continue
        new = items[first:last]
        for i in reversed(range(start + len(new), stop)):
            text = cut(text, (*control.steps, i))
        for i, item in enumerate(new[: stop - start]):
            text = put_value(text, (*control.steps, start + i), item, _order)
        if len(new) > stop - start:
            text = _put_more(text, control.steps, stop, new[stop - start :])
    return text


def _put_more(text: str, steps: Steps, at: int, new: list[str]) -> str:
    """The text with entries added before the one at ``at``."""
    for i, item in enumerate(new):
        text = put_value(text, (*steps, at + i), item, _order, insert=True)
    return text


def _rate_of(text: str, control: Control, base: str) -> Value:
    """The rate when it is of something else: a slide begins where the rate was, and a fixed rate is the slide's upper end."""
    assert isinstance(control.kind, RateOf)
    there = _written(text, control.steps)
    if base not in {option.code for option in control.options}:
        raise InputRefused(f"基数 {base[:40]!r} 不存在", f"there is no base {base[:40]!r}")
    if base == SLIDING:
        span = _written(text, ("concession",))
        ends = [str(span.get(key, "0%")) for key in ("min", "max")] if isinstance(span, dict) else ["0%", "100%"]
        percent, of = _rate_parts(there if isinstance(there, str) else "")
        corners: list[Value] = [[end, _slid(percent, of, end)] for end in ends]
        return {"of": "amount", "by": "concession", "from": corners[0], "to": corners[1]}
    if isinstance(there, dict):
        corner = there.get("to")
        at, rate = (str(corner[0]), str(corner[1])) if isinstance(corner, list) and len(corner) > 1 else ("100%", "0%")
        return f"{_fixed(rate, base, at)} of {base}"
    percent = _rate_parts(there if isinstance(there, str) else "")[0] or "0"
    return f"{percent.removesuffix('%')}% of {base}"


def _slid(percent: str, of: str, concession: str) -> str:
    """What a fixed rate comes to at a concession, of the amount."""
    rate_bp, concession_bp = _bp(f"{percent}%"), _bp(concession)
    return print_percent(mul_div(rate_bp, concession_bp, BP_PER_ONE) if of == "concession" else rate_bp)


def _fixed(rate: str, base: str, concession: str) -> str:
    """What a rate of the amount is of the concession there, at most all of it."""
    rate_bp, concession_bp = _bp(rate), _bp(concession)
    if base != "concession" or not concession_bp:
        return print_percent(rate_bp)
    return print_percent(min(mul_div(rate_bp, BP_PER_ONE, concession_bp), BP_PER_ONE))


def _bp(percent: str) -> int:
    """A percentage; 0 for what is none."""
    try:
        return parse_percent(percent)
    except RateMalformed:
        return 0


def _written(text: str, steps: Steps) -> Value | None:
    """What is written at a place; None for nothing."""
    return written(value_of(text), steps)


def _text_at(text: str, steps: Steps) -> str:
    found = _written(text, steps)
    return found if isinstance(found, str) else ""


def _order(steps: Steps) -> tuple[str, ...]:
    """The keys of the mapping at a place, as the vocabulary lists them."""
    kind: Kind = PLAN
    for step in steps:
        match kind:
            case Section(_, _, fields):
                kind = next((field.kind for field in fields if field.key == step), Text())
            case ListOf(item) | MapOf(item):
                kind = item
            case RateOf(_, Section() as slide):
                kind = next((field.kind for field in slide.fields if field.key == step), Text())
            case _:
                return ()
        if isinstance(kind, ByKey):
            kind = Section("", dict, (*kind.section.fields, *kind.otherwise.fields))
    if isinstance(kind, RateOf) and kind.slide is not None:
        kind = kind.slide
    return tuple(field.key for field in kind.fields) if isinstance(kind, Section) else ()
