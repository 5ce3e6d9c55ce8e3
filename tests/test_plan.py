"""Plan documents: how they are read, overridden, versioned, found, and described to editors."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest
import test_plan_problems as faulty
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rangli.errors import InputRefused, PlanFaulty, PlanNotFound
from rangli.plan import PROBLEMS, check, load, override, preset_text, presets, reference_markdown, schema
from rangli.plan.document import example, read
from rangli.plan.vocabulary import PLAN, sections

ROOT = Path(__file__).parents[1]

# ---------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("1_0", None),
        ("0o17", None),
        ("1:30", None),
        ("yes", None),
        ("~", None),
        ("1e2", None),
        ("'100'", 10_000),
        ("100.5", 10_050),
    ],
)
def test_a_scalar_is_its_own_text(written: str, read_as: int | None) -> None:
    """YAML 1.1 reads 1_0 as 10, 1:30 as 90 and yes as true; a tier of 90 yuan that nobody wrote would move money."""
    plan, _ = check(preset_text("weituanbao").replace("[100, 200, 500]", f"[{written}]"))

    assert read_as == (plan.packets.tiers_fen[0] if plan and plan.packets else None)


def test_names_that_yaml_would_take_for_other_things_stay_names() -> None:
    """A shop may be called No, 010 or 2026-01-01."""
    compiled = load(
        preset_text("weituanbao").replace(
            "per_order: 20", "per_order: 20\n  merchant_tiers: {No: [1], 010: [2], 2026-01-01: [3]}"
        )
    )

    assert {"010", "2026-01-01", "No"} == set(compiled.merchant_tier_rows)


def test_what_is_left_out_has_its_default() -> None:
    """The defaults of the vocabulary, as the parts of a plan."""
    plan, _ = check(preset_text("paidui-miandan"))
    assert plan is not None
    assert plan.packets is not None

    assert (0, 2, (), (), "merchant") == (
        plan.hold_days,
        plan.network.depth,
        plan.funds,
        plan.points,
        plan.refund.packets_borne_by,
    )
    assert (None, None, None) == (plan.pool, plan.release, plan.offset)
    assert (None, 10_000, "count") == (plan.packets.exit.packets, plan.packets.exit.received_bp, plan.packets.own_orders)


def test_every_field_of_the_vocabulary_builds_its_part() -> None:
    """The vocabulary names the attributes of the parts; a slip would only show when that section is first written."""
    for where, section in sections():
        assert [field.name for field in fields(section.into)] == [field.attribute for field in section.fields], where
        assert isinstance(example(section), section.into)  # type: ignore[arg-type]


@given(st.text(alphabet=st.sampled_from("plan:{}[]-, \n\"'%#&*!|>?0169abcdefghijklmnotrs微团"), max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Whatever is pasted, the answer is a list of problems, each with a line of the text."""
    plan, problems = check(text)

    assert plan is None
    assert problems != []
    assert all(1 <= found.line <= text.count("\n") + 1 for found in problems)


@given(st.sampled_from(presets()), st.data())
def test_no_damage_to_a_preset_breaks_the_reader(name: str, data: st.DataObject) -> None:
    """A slip of the keyboard anywhere gives a plan or problems with known codes, and never a crash."""
    text = preset_text(name)
    at = data.draw(st.integers(0, len(text) - 1))
    cut = data.draw(st.integers(0, 30))
    damaged = text[:at] + data.draw(st.text(max_size=5)) + text[at + cut :]
    plan, problems = check(damaged)

    assert (plan is None) == bool(problems)
    assert {found.code for found in problems} <= set(PROBLEMS)


# ---------------------------------------------------------------- versions


@pytest.mark.parametrize(
    "same",
    [
        lambda text: text + "# a remark\n",
        lambda text: re.sub(r"(?m)^ *#.*\n", "", text),
        lambda text: text.replace("Red packets", "More red packets"),
        lambda text: re.sub(r"about:\n.*\n.*\n", "", text),
        lambda text: text.replace("{min: 6%, max: 30%}", "{max: 30.00%, min: 6.0%}"),
        lambda text: "\n".join(sorted(re.split(r"\n(?=\w)", text), reverse=True)),
        lambda text: text + "hold: 0\nnetwork: {depth: 2}\nrefund: {packets_borne_by: merchant}\n",
    ],
)
def test_the_version_is_of_the_meaning(same: Callable[[str], str]) -> None:
    """An order keeps the version it was settled under; a remark must not make old and new orders look different."""
    text = preset_text("weituanbao")

    assert same(text) != text
    assert load(text).version == load(same(text)).version


@pytest.mark.parametrize(
    "change",
    [
        "shares[1].rate=1.01% of amount",
        "packets.own_orders=skip",
        "bonus[0].amount=51",
        "concession.max=29%",
        "hold=1",
        "plan=other",
        "shares[1].else=packets",
    ],
)
def test_the_version_changes_with_the_meaning(change: str) -> None:
    """Two plans that pay differently must never share a version."""
    assert load("weituanbao").version != load("weituanbao", [change]).version


def test_the_version_changes_with_the_order_of_shares() -> None:
    """The order of shares is the order of lines in the books."""
    text = preset_text("zhongdian")
    first, second = "  - {to: dividend, rate: 40% of concession}\n", "  - {to: recruiter, rate: 10% of concession}\n"
    swapped = text.replace(first, "@").replace(second, first).replace("@", second)

    assert load(text).version != load(swapped).version
    assert re.fullmatch("[0-9a-f]{64}", load(text).version)


# ---------------------------------------------------------------- overrides


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("pool.exit.at=200%", "  exit: {at: 200%, scope: member, basis: spend}"),
        ("shares[2].shares[5].rate = 0.4% of amount", "      - {to: agent.province, rate: 0.4% of amount, differential: true}"),
        ("shares[2].rate=3% of amount", "    rate: 3% of amount"),
        ("network={}", "network: {}"),
        ("shares[0].else=merchant", "  - {to: pool, rate: 16% of amount, else: merchant}"),
        ("shares[2].envelope='a, b'", '  - envelope: "a, b"'),
        ("about.zh=全新", "  zh: 全新"),
    ],
)
def test_an_override_changes_its_place_and_no_other(change: str, line: str) -> None:
    """Comments and lines stay, so that a problem after an override points to where the file has it."""
    text = preset_text("zengzhi")
    before, after = text.splitlines(), override(text, [change]).splitlines()

    assert line in after
    assert len(before) == len(after)
    assert 1 == sum(a != b for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("hold=7", {"hold": 7}),
        ("refund.packets_borne_by=platform", {"refund": {"packets_borne_by": "platform"}}),
        ("pool={mint: 60%, pays: 90%, opening_price: 2}", {"pool": {"mint": "60%", "pays": "90%", "opening_price": 2}}),
    ],
)
def test_an_override_adds_or_replaces_whole_sections(change: str, expected: dict[str, object]) -> None:
    """Much has a default, and a designer who asks what if does not care what the file left out or how it was written."""
    changed = yaml.safe_load(override(preset_text("zengzhi"), [change]))

    assert expected == {key: value for key, value in changed.items() if key in expected}
    assert check(override(preset_text("zengzhi"), [change]))[1] == []


def paths_of(value: object, path: str = "") -> list[str]:
    """The path of every value inside a value."""
    if isinstance(value, dict):
        inner = [(f"{path}.{key}" if path else str(key), part) for key, part in value.items()]
    elif isinstance(value, list):
        inner = [(f"{path}[{i}]", part) for i, part in enumerate(value)]
    else:
        inner = []
    return [found for where, part in inner for found in (where, *paths_of(part, where))]


def at(value: object, path: str) -> object:
    """The value at a path."""
    for key, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        value = value[int(index)] if index else value[key]  # type: ignore[index]
    return value


BARE = """plan: bare
title:
  zh: 裸
  en: |
    bare
funds:
shares:
- to: referrer
  rate: 1% of amount
- {to: recruiter, rate: "1% of amount"}
points: []
"""
"""A document in the other ways of writing YAML: lists as far left as their keys, a block of text, nothing after a colon."""


@given(
    st.sampled_from([BARE, *map(preset_text, presets())]),
    st.sampled_from(["7%", "a b", "'x: y'", "[1, {a: b}]", "{}"]),
    st.data(),
)
def test_an_override_sets_what_it_names_and_nothing_else(text: str, value: str, data: st.DataObject) -> None:
    """Whatever the document's style, the tree afterwards is the tree before with one value changed."""
    before = yaml.load(text, yaml.BaseLoader)  # noqa: S506 - it builds texts, lists and mappings only
    path = data.draw(st.sampled_from(paths_of(before)))
    after = yaml.load(override(text, [f"{path}={value}"]), yaml.BaseLoader)  # noqa: S506 - the same

    assert yaml.load(value, yaml.BaseLoader) == at(after, path)  # noqa: S506 - the same
    others = [other for other in paths_of(before) if not other.startswith(path) and not path.startswith(other)]
    assert [at(before, other) for other in others] == [at(after, other) for other in others]


@given(st.sampled_from([BARE, *map(preset_text, presets())]), st.data())
def test_an_override_adds_a_key_to_any_mapping(text: str, data: st.DataObject) -> None:
    """The same for what is not there yet."""
    before = yaml.load(text, yaml.BaseLoader)  # noqa: S506 - it builds texts, lists and mappings only
    mappings = ["", *(path for path in paths_of(before) if isinstance(at(before, path), dict))]
    path = f"{data.draw(st.sampled_from(mappings))}.new.key".removeprefix(".")
    after = yaml.load(override(text, [f"{path}=7"]), yaml.BaseLoader)  # noqa: S506 - the same

    assert "7" == at(after, path)
    assert all(
        at(before, other) == at(after, other) for other in paths_of(before) if not isinstance(at(before, other), dict | list)
    )


COMMENTED = """\
# the whole
plan: x   # its name
shares:   # who gets what
  # the first
  - to: referrer
    rate: 1% of amount   # of all
# and no other

# what packets do
packets:
  tiers:
    - 100
    # a large one
    - 200
  # so many at a time
  per_order: 20   # not more
# the end
"""


@pytest.mark.parametrize(
    ("change", "gone", "come"),
    [
        ("packets.tiers=[50]", ["  tiers:", "    - 100", "    # a large one", "    - 200"], ["  tiers: [50]"]),
        ("packets.tiers[1]=50", ["    - 200"], ["    - 50"]),
        ("packets.per_order=5", ["  per_order: 20   # not more"], ["  per_order: 5   # not more"]),
        ("packets={per_order: 5}", COMMENTED.splitlines()[9:16], ["packets: {per_order: 5}   # not more"]),
        ("packets.exit.received=30%", [], ["  exit: {received: 30%}"]),
        ("shares[0].rate=2% of amount", ["    rate: 1% of amount   # of all"], ["    rate: 2% of amount   # of all"]),
        ("shares[0].else=merchant", [], ["    else: merchant"]),
        ("hold=7", [], ["hold: 7"]),
    ],
)
def test_no_comment_is_lost_that_is_not_inside_what_is_replaced(change: str, gone: list[str], come: list[str]) -> None:
    """YAML counts what follows a list in lines as part of it, and the remark on the next section went with the tiers."""
    before, after = COMMENTED.splitlines(), override(COMMENTED, [change]).splitlines()

    assert (gone, come) == ([line for line in before if line not in after], [line for line in after if line not in before])
    assert [line for line in before if line in after] == [line for line in after if line in before]


def test_overrides_are_made_one_after_the_other() -> None:
    """A later one sees what an earlier one made."""
    compiled = load("weituanbao", ["packets.merchant_tiers={甲: [10]}", "packets.merchant_tiers.甲[0]=20", "bonus=[]"])

    assert 2000 == compiled.terms.packets.tiers_fen[1, 0]
    assert 0 == len(compiled.terms.bonus)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("shares[9].rate=1%", "at shares there is [0]..[4]"),
        ("bonus[1].amount=5", "at bonus there is [0]..[0]"),
        ("plan.name=x", "at plan there is 'weituanbao'"),
        ("packets[0]=1", "at packets there is per_order, tiers, exit"),
        ("points[0].to=consumer", "at . there is plan, title"),
        ("hold", "write it as pool.exit.at=200%"),
        ("=5", "write it as pool.exit.at=200%"),
        ("shares.[0]=5", "write it as pool.exit.at=200%"),
    ],
)
def test_an_override_that_leads_nowhere_says_what_is_there(change: str, words: str) -> None:
    """A change that is silently not made would be the answer to another question."""
    with pytest.raises(InputRefused) as refused:
        override(preset_text("weituanbao"), [change])

    assert words in refused.value.en
    assert re.search("[\u4e00-\u9fff]", refused.value.zh)


def test_an_override_is_checked_like_all_the_rest() -> None:
    """The line of the problem is that of the file."""
    text = preset_text("weituanbao")
    _, (found,) = check(override(text, ["packets.per_order=500"]))

    assert ("out_of_range", "packets.per_order") == found[:2]
    assert "per_order: 20" in text.splitlines()[found.line - 1]


@pytest.mark.parametrize("change", ["hold=[1", "hold=", "hold=*x", "hold={a: 1, a: 2}"])
def test_an_override_with_a_value_that_is_no_value_is_refused(change: str) -> None:
    """The fault is in the change and not in the plan, and the refusal says so."""
    with pytest.raises(InputRefused) as refused:
        override(preset_text("weituanbao"), [change])

    assert f"the value in the change {change!r} cannot be read" in refused.value.en
    assert f"改动 {change!r} 的值读不懂" in refused.value.zh
    assert not isinstance(refused.value, PlanFaulty)


def test_a_document_in_which_nothing_can_be_changed_is_refused_with_what_is_wrong_in_it() -> None:
    """Then the fault is in the document; and where only its style is in the way, the refusal names the place."""
    with pytest.raises(PlanFaulty):
        override("plan: [", ["hold=7"])
    with pytest.raises(InputRefused, match=r"written so that this place \(hold\) cannot be changed"):
        override("plan: x\nen: |+\n  a\n\n", ["hold=7"])


# ---------------------------------------------------------------- finding


def test_the_presets_are_those_of_the_sources_and_two_to_calibrate_each_with_its_lawful_twin() -> None:
    """Names are what people type."""
    sources = ["moudian", "paidui-miandan", "weituanbao", "yunlianhui", "zengzhi", "zhongdian"]

    assert sorted([*sources, *(f"{name}-lawful" for name in sources)]) == presets()


def test_a_name_that_is_no_preset_is_answered_with_those_there_are() -> None:
    """With the nearest first."""
    with pytest.raises(PlanNotFound, match=r"did you mean 'zengzhi'.*weituanbao"):
        load("zengzi")


def test_a_faulty_text_is_refused_with_all_its_problems() -> None:
    """Nothing that has a problem is ever compiled."""
    with pytest.raises(PlanFaulty) as refused:
        load(preset_text("weituanbao").replace("6%, max: 30%", "6, max: 30"))

    assert ["concession.min", "concession.max"] == [found.where for found in refused.value.problems]


def test_importing_plans_loads_no_compiler() -> None:
    """`rangli --help` must answer before a second has passed."""
    code = "import sys, rangli.plan; sys.exit(any(name in sys.modules for name in ('numba', 'llvmlite', 'pyarrow')))"

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


# ---------------------------------------------------------------- schema and reference

_VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_the_schema_is_a_schema() -> None:
    """An editor that cannot read it helps nobody."""
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("name", presets())
def test_presets_are_valid_by_the_schema(name: str) -> None:
    """What the check accepts the editor must not underline."""
    assert [] == list(_VALIDATOR.iter_errors(yaml.safe_load(preset_text(name))))


STRUCTURAL = {
    "unknown_key",
    "missing_key",
    "wrong_type",
    "number_malformed",
    "name_malformed",
    "text_length",
    "not_one_of",
    "out_of_range",
    "rate_malformed",
    "rate_too_fine",
    "unknown_party",
    "too_many",
    "too_few",
}
SENSE = {
    "exit: {packets: 20, received: 100%} => ",
    "received: 100% => received: 0%",
    'merchant_tiers: {"": [100]}',
    "differential: yes}",
    "0x14",
    "multiple: 5.001",
    "020",
}
"""Edits whose fault is one of sense, or that YAML reads as something sound before the schema sees it."""


@pytest.mark.parametrize(
    "fault",
    [
        fault
        for fault in faulty.faults()
        if {part.partition("@")[0] for part in fault.expected.split()} <= STRUCTURAL
        and not any(sense in fault.edit for sense in SENSE)
    ],
    ids=lambda fault: fault.edit,
)
def test_structural_faults_are_invalid_by_the_schema(fault: faulty.Fault) -> None:
    """The editor says at once what the check would say later."""
    assert not _VALIDATOR.is_valid(yaml.safe_load(fault.text))


def test_the_reference_has_every_key() -> None:
    """The table is derived from what the reader reads."""
    text = reference_markdown()

    for _, section in sections():
        for field in section.fields:
            assert f"| `{field.key}` |" in text
    assert PLAN.fields[0].en in text


def problems_markdown() -> str:
    """Every problem with a faulty edit of a preset and what is said about it."""
    rows = ["| code | example | message |", "|---|---|---|"]
    shown: set[str] = set()
    for fault in faulty.faults():
        for found in check(fault.text)[1]:
            if found.code not in shown:
                shown.add(found.code)
                edit = fault.edit.replace("|", "\\|")
                message = (
                    f"{found.zh}<br>{found.en}".replace("|", "\\|").replace("<name>", "&lt;name>").replace("<名称>", "&lt;名称>")
                )
                rows.append(f"| `{found.code}` | {fault.preset}: `{edit}` | {message} |")
    return "\n".join(rows) + "\n"


def fresh(text: str) -> str:
    """The page with its generated parts as they should be."""
    for name, part in (("reference", reference_markdown()), ("problems", problems_markdown())):
        start, end = f"<!-- {name}: generated -->\n", f"<!-- end of {name} -->\n"
        before, _, rest = text.partition(start)
        text = f"{before}{start}\n{part}\n{end}{rest.partition(end)[2]}"
    return text


def test_the_page_about_plans_is_fresh(golden: Callable[[str, str], None]) -> None:
    """A reference that lags behind the reader is worse than none."""
    page = ROOT / "docs" / "plan.md"

    golden("../../docs/plan.md", fresh(page.read_text(encoding="utf-8")))


def test_a_plan_that_cannot_be_read_still_gives_a_draft_for_the_other_checks() -> None:
    """All problems at once needs something to reason about."""
    draft, problems = read(preset_text("weituanbao").replace("per_order: 20", "per_order: x"))

    assert draft is not None
    assert ["packets.per_order"] == [found.where for found in problems]
    assert not draft.sound("packets")
    assert draft.sound("packets.tiers", "shares")
