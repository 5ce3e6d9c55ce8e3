"""The form beside a plan's document: what it shows is what is written, and what is changed in it changes that place alone."""

from __future__ import annotations

from difflib import SequenceMatcher
from functools import cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rangli.errors import InputRefused, PlanFaulty
from rangli.plan import check, preset_text, presets
from rangli.plan.document import Reader, parse
from rangli.plan.edits import cut, flow, value_of
from rangli.plan.edits import put as put_value
from rangli.plan.form import (
    BEGINNINGS,
    ITEMS,
    OF,
    SLIDING,
    Control,
    Group,
    add,
    controls,
    form,
    groups,
    put,
    remove,
    with_funds,
)
from rangli.plan.kinds import ListOf, Section, Yuan
from rangli.plan.vocabulary import PLAN, sections

EVERYTHING = """
plan: everything   # a plan with all there is
title: {zh: 样样都有, en: Everything}
about:
  zh: >-
    两行的
    说明
  en: |
    two lines
# what advertises it
claims:
- 一   # the first
- "二: 冒号"

concession: {min: 6%, max: 20%}
funds: [charity, promotion]
shares:
- to: packets
  # half
  rate: 40% of concession
- {to: referrer, rate: 1% of amount, else: fund.charity, as: cash}   # the referrer
- envelope: budget
  rate: 2% of amount
  shares:
    - {to: agent.district, rate: 0.1% of amount}
    # the city is more
    - to: agent.city
      rate: {of: amount, by: concession, from: [6%, 0.1%], to: [20%, 0.2%]}
packets:
  per_order: 20

  tiers:
    - 100
    # the middle
    - 200
  merchant_tiers: {面馆: [10, 20], "a.b": []}
bonus: [{to: recruiter, amount: 5, once_per: merchant}]
law: {entry_fee: 0, payout: {by: claim, least: 0.10}}"""
"""Lists and mappings in every style, comments everywhere, no line's end at the end."""
TEXTS = {**{name: preset_text(name) for name in presets()}, "everything": EVERYTHING}


@cache
def the_form(text: str) -> Group:
    """The form of a text that has one."""
    found = form(text)
    assert found is not None
    return found


def shown(text: str) -> dict[str, str]:
    """Every control of a text's form: its value by its name."""
    return {control.name: control.value for control in controls(the_form(text))}


def one(text: str, name: str) -> Control:
    """A control by its name."""
    return next(control for control in controls(the_form(text)) if control.name == name)


def changes(before: str, after: str) -> list[tuple[list[str], list[str]]]:
    """The lines that differ, as they were and as they are."""
    old, new = before.split("\n"), after.split("\n")
    found = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [(old[a:b], new[c:d]) for what, a, b, c, d in found if what != "equal"]


# ---------------------------------------------------------------- text to form


def test_the_text_of_these_tests_is_sound() -> None:
    """Else they would prove nothing about sound plans."""
    assert [] == check(EVERYTHING)[1]


@pytest.mark.parametrize("name", TEXTS)
def test_every_value_of_a_document_stands_in_its_form(name: str) -> None:
    """What an operator does not see there he would take to be not there."""
    values = shown(TEXTS[name])

    def leaves(value: object, where: str) -> list[tuple[str, str]]:
        if isinstance(value, dict):
            return [leaf for key, inner in value.items() for leaf in leaves(inner, f"{where}.{key}" if where else key)]
        if isinstance(value, list):
            if where in values:
                return [(where, ", ".join(value) if where != "claims" else "\n".join(value))]
            return [leaf for i, inner in enumerate(value) for leaf in leaves(inner, f"{where}[{i}]")]
        return [(where, str(value))]

    for where, text in leaves(value_of(TEXTS[name]), ""):
        if where.endswith((".of", ".by")) and where.rpartition(".")[0] + OF in values:
            assert SLIDING == values[where.rpartition(".")[0] + OF]
        elif where + OF in values:
            assert text == f"{values[where]}% of {values[where + OF]}"
        else:
            assert text in {values[where], f"{values[where]}%"}


def test_every_field_of_the_language_has_a_control_or_can_be_added() -> None:
    """A key that the vocabulary gets must not be left out of the form."""
    text = preset_text("zengzhi")
    for _ in range(3):  # parts may have parts
        for addition in [each for group in groups(the_form(text)) for each in group.additions]:
            if addition.place not in ITEMS or addition.needs_name:
                text = add(text, addition.place, addition.where, f"面馆{len(text)}")
    for place in ("points", "bonus"):
        text = add(text, f"{place}[]", place)
    keys = {control.key for control in controls(the_form(text))} | {
        group.where.rpartition(".")[2] for group in groups(the_form(text))
    }
    known = {field.key for _, section in sections() for field in section.fields}

    assert set() == known - keys - {"of", "by", "from", "to"}


def test_a_control_has_words_in_both_languages_its_unit_and_what_is_sound() -> None:
    """The operator has not read the reference."""
    least = one(EVERYTHING, "concession.min")
    tiers = one(EVERYTHING, "packets.tiers")
    stands = one(EVERYTHING, "packets.own_orders")

    assert ("最低让利", "the lowest concession", ("%", "%")) == (least.zh, least.en, least.unit)
    assert "0% 到 100%" in least.hint[0]
    assert ("100, 200", ("元", "yuan")) == (tiers.value, tiers.unit)
    assert ("", ("参与", "they take part")) == (stands.value, stands.standing)
    assert [("count", "参与"), ("skip", "不参与")] == [option[:2] for option in stands.options]
    for control in controls(the_form(EVERYTHING)):
        assert control.zh
        assert control.en
        assert all(control.hint)


def test_declared_funds_can_be_chosen() -> None:
    """They are parties of this plan only."""
    control = one(EVERYTHING, "shares[1].else")

    assert {"fund.charity", "fund.promotion"} <= {option.code for option in with_funds(control, ["charity", "promotion"])}
    assert len(with_funds(control, ["charity"])) == len({option.code for option in with_funds(control, ["charity"])})


@pytest.mark.parametrize("text", ["", "a: [", "- a", "just words", "a: &x 1\nb: *x", "a: !x 1"])
def test_what_is_no_document_has_no_form(text: str) -> None:
    """The text stays where it can be mended."""
    assert form(text) is None
    with pytest.raises(PlanFaulty):
        put(text, "hold", "7")


def test_a_faulty_document_keeps_its_form() -> None:
    """Whoever is typing has a faulty document most of the time."""
    text = "plan: 7\nconcession: 6%\nshares:\n  - \n  - {rate: [1]}\n  - 5\npackets: \nlaw: {payout: 1}"

    assert "" == one(text, "shares[1].rate").value
    assert "packets: {per_order: 20}" in put(text, "packets.per_order", "20")
    assert "rate: 5% of amount" in put(text, "shares[1].rate", "5")


# ---------------------------------------------------------------- form to text


def values_for(control: Control) -> st.SearchStrategy[str]:
    """What one may enter there, sound or not."""
    if control.name.endswith(OF):
        return st.sampled_from([option.code for option in control.options])
    if control.widget == "choice":
        return st.sampled_from([*(option.code for option in control.options), *([] if control.required else [""])])
    if control.widget == "number":
        return st.sampled_from(["0", "7", "12.5", "1,000", "x", "100", "-1", *([] if control.required else [""])])
    if control.widget == "list":
        words = ["10", "200", "5.5"] if isinstance(control.kind, ListOf) and isinstance(control.kind.item, Yuan) else ["a", "善"]
        return st.lists(st.sampled_from(words), max_size=4).map(", ".join)
    # A text may have anything in it, but the ends of lines where lines are entries.
    alphabet = st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])
    printable = st.text(alphabet, min_size=1, max_size=12).map(str.strip).filter(lambda text: len(text.splitlines()) == 1)
    texts = st.one_of(
        printable, st.sampled_from(["是: #不是", "'", '"a" \\ b', "- x", "{", "null", "yes", "~", "😀", "\u2028a"[1:]])
    )
    return st.lists(texts, max_size=3).map("\n".join) if control.widget == "lines" else texts


@settings(max_examples=60)
@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_form_to_text_to_form_is_the_same_and_no_other_line_moves(name: str, data: st.DataObject) -> None:
    """The promise of the form: what was entered stands there, all else stands as it stood, comments and order too."""
    text = TEXTS[name]
    before = shown(text)
    control = one(text, data.draw(st.sampled_from(sorted(before))))
    value = data.draw(values_for(control))
    after = put(text, control.name, value)
    now = shown(after)
    own = control.where if OF in control.name or isinstance(control.value, str) else ""

    assert value == now[control.name] or (not value and control.widget == "list")
    kept = {key: now.get(key) for key in before if not key.startswith(own)}
    assert {key: entered for key, entered in before.items() if key in kept} == kept
    places = changes(text, after)
    assert len(places) <= (4 if control.widget in {"lines", "list"} else 1), places
    if control.widget not in {"lines", "list"}:
        for old, new in places:
            assert len(new) <= 1, (old, new)
            assert len(old) <= 1 or control.widget == "text", (old, new)  # a text over several lines becomes one
            if len(old) == len(new) and control.widget != "text":
                assert old[0].partition(" #")[2] == new[0].partition(" #")[2]


@settings(max_examples=60)
@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_two_changes_are_one_after_the_other(name: str, data: st.DataObject) -> None:
    """A change of one place does not undo a change of another; but a rate that begins to slide does so over the present range."""
    text = TEXTS[name]
    first, second = (one(text, data.draw(st.sampled_from(sorted(shown(text))))) for _ in range(2))
    assume(not first.where.startswith(second.where))
    assume(not second.where.startswith(first.where))
    one_value, other_value = data.draw(values_for(first)), data.draw(values_for(second))
    assume(SLIDING not in (one_value, other_value))
    there = put(put(text, first.name, one_value), second.name, other_value)
    back = put(put(text, second.name, other_value), first.name, one_value)

    assert value_of(there) == value_of(back)


def test_what_is_not_changed_is_not_written_anew() -> None:
    """A form that is handed in as it is leaves the document as it is, to the letter."""
    for text in TEXTS.values():
        for control in controls(the_form(text)):
            assert text == put(text, control.name, control.value)


TABLE = [
    ("concession.min", "5", "concession: {min: 5%, max: 20%}"),
    ("concession.min", "5%", "concession: {min: 5%, max: 20%}"),
    ("shares[0].rate", "45", "  rate: 45% of concession"),
    ("shares[0].rate@of", "amount", "  rate: 40% of amount"),
    ("shares[0].rate@of", SLIDING, "  rate: {of: amount, by: concession, from: [6%, 2.4%], to: [20%, 8%]}"),
    ("shares[2].shares[1].rate@of", "amount", "      rate: 0.2% of amount"),
    ("shares[2].shares[1].rate@of", "concession", "      rate: 1% of concession"),
    ("shares[2].shares[1].rate.to[1]", "0.3", "      rate: {of: amount, by: concession, from: [6%, 0.1%], to: [20%, 0.3%]}"),
    ("shares[1].else", "merchant", "- {to: referrer, rate: 1% of amount, else: merchant, as: cash}   # the referrer"),
    ("shares[1].else", "", "- {to: referrer, rate: 1% of amount, as: cash}   # the referrer"),
    (
        "shares[1].differential",
        "true",
        "- {to: referrer, rate: 1% of amount, else: fund.charity, as: cash, differential: true}   # the referrer",
    ),
    ("shares[0].as", "vouchers", "  as: vouchers"),
    ("hold", "7", "hold: 7"),
    ("network.depth", "1", "network: {depth: 1}"),
    ("packets.tiers", "100, 150, 200", "    - 150"),
    ("packets.exit.received", "30", "  exit: {received: 30%}"),
    ("packets.merchant_tiers.a.b", "7 8", '  merchant_tiers: {面馆: [10, 20], "a.b": [7, 8]}'),
    ("law.payout.named", "true", "law: {entry_fee: 0, payout: {by: claim, least: 0.10, named: true}}"),
    ("law.entry_fee", "", "law: {payout: {by: claim, least: 0.10}}"),
    ("about.zh", "一行: 说明", '  zh: "一行: 说明"'),
    ("claims", "一\n二: 冒号\n三", "- 三"),
    ("funds", "charity", "funds: [charity]"),
    ("plan", "other", "plan: other   # a plan with all there is"),
]


@pytest.mark.parametrize(("name", "value", "line"), TABLE)
def test_a_change_is_written_as_a_person_would(name: str, value: str, line: str) -> None:
    """In the style of its surroundings, where the vocabulary has its key."""
    after = put(EVERYTHING, name, value)

    assert line in after.split("\n")
    assert EVERYTHING.count("#") == after.count("#")


def test_keys_are_added_where_the_vocabulary_has_them() -> None:
    """A document that is written by the form reads as one that is written by hand."""
    lines = put(EVERYTHING, "hold", "7").split("\n")

    assert "concession: {min: 6%, max: 20%}" == lines[lines.index("hold: 7") - 1]


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize("place", sorted(BEGINNINGS))
def test_what_a_new_part_begins_with_is_sound_by_itself(place: str) -> None:
    """Nobody wants to add a part and get a fault."""
    kinds = dict(sections(PLAN))
    if place.endswith("<name>"):
        return
    kind: Section = kinds[place]
    tree, problems = parse(flow(BEGINNINGS[place]))
    assert tree is not None
    reader = Reader(problems)
    reader.read(kind, tree, place)

    assert [] == reader.problems
    assert place in ITEMS or not place.endswith(("]", ")"))


@pytest.mark.parametrize(
    ("place", "where", "line"),
    [
        ("shares[]", "shares", "- {to: consumer, rate: 0% of concession}"),
        ("shares[] (envelope)", "shares", "- {envelope: budget, rate: 0% of amount, shares: []}"),
        ("shares[]", "shares[2].shares", "    - {to: consumer, rate: 0% of concession}"),
        ("pool", "pool", "pool: {mint: 70%, pays: 80%, opening_price: 1}"),
        ("offset", "offset", "offset: {vouchers: 50%}"),
        (
            "bonus[]",
            "bonus",
            "bonus: [{to: recruiter, amount: 5, once_per: merchant}, {to: consumer, amount: 1, once_per: consumer}]",
        ),
        (
            "packets.merchant_tiers.<name>",
            "packets.merchant_tiers",
            '  merchant_tiers: {面馆: [10, 20], "a.b": [], 新 店.1: []}',
        ),
    ],
)
def test_a_part_is_added_in_its_place_and_taken_out_again(place: str, where: str, line: str) -> None:
    """Each is one line more, and none is left when it is taken out."""
    after = add(EVERYTHING, place, where, "新 店.1")
    added = next(group.where for group in groups(the_form(after)) if group.where not in parts(EVERYTHING))

    assert line in after.split("\n")
    assert value_of(EVERYTHING) == value_of(remove(after, added))
    assert EVERYTHING.count("#") == remove(after, added).count("#")


def parts(text: str) -> set[str]:
    """The paths of all groups."""
    return {group.where for group in groups(the_form(text))}


def test_every_removable_part_can_be_taken_out_and_only_it_goes() -> None:
    """Of every plan there is; what the law or a pot then lacks is for the check to say."""
    for text in TEXTS.values():
        for group in groups(the_form(text)):
            if group.removable:
                after = remove(text, group.where)
                assert value_of(after) != value_of(text)
                assert all(not new or len(new) == 1 for _, new in changes(text, after))


@pytest.mark.parametrize(
    "act",
    [
        lambda: put(EVERYTHING, "nothing", "1"),
        lambda: put(EVERYTHING, "shares[0].rate@of", "turnover"),
        lambda: add(EVERYTHING, "packets", "packets"),
        lambda: add(EVERYTHING, "packets.merchant_tiers.<name>", "packets.merchant_tiers", " "),
        lambda: add(EVERYTHING, "packets.merchant_tiers.<name>", "packets.merchant_tiers", "面馆"),
        lambda: remove(EVERYTHING, "concession"),
        lambda: cut("- to: a # why\n  rate: b", (0, "to")),
    ],
)
def test_what_cannot_be_done_is_refused(act: object) -> None:
    """A form of an older text may ask for what is no longer there."""
    with pytest.raises(InputRefused):
        act()  # type: ignore[operator]


@given(st.text(st.sampled_from("ab:{}[]-, \n\"'#"), max_size=60), st.sampled_from(["a", "b", "c"]))
def test_an_edit_of_any_text_says_what_was_meant_or_is_refused(text: str, key: str) -> None:
    """However strange the YAML, an edit never writes something else than it was asked for."""
    try:
        before = value_of(text)
        after = put_value(text, (key,), "new")
    except (PlanFaulty, InputRefused):
        return

    assert (before if isinstance(before, dict) else {}) | {key: "new"} == value_of(after)
