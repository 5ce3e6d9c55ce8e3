"""Faulty plan documents: each a small edit of a preset, and exactly what is said about it."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from rangli.errors import Problem
from rangli.plan import PROBLEMS, check, preset_text, presets

# preset | edit | problems as code@where
# An edit is `old => new` in the preset's text, or `+ text` for lines at its end; \n is a line's end; edits are joined by &&;
# <text>x20 is the text twenty times.
TABLE = r"""
# -- not a document
weituanbao     | concession: {min => concession: }{min                          | not_yaml@
weituanbao     | tiers: [100, => tiers: \x07[100,                               | not_yaml@
weituanbao     | per_order: 20 => per_order: &n 20 && packets: 20, rec => packets: *n, rec | alias_refused@packets.exit.packets
weituanbao     | per_order: 20 => per_order: !count 20                          | alias_refused@packets.per_order
weituanbao     | per_order: 20 => per_order: 20\n  per_order: 19                | duplicate_key@packets.per_order
weituanbao     | + plan: again                                                  | duplicate_key@plan
# -- keys
weituanbao     | tiers: [100 => teirs: [100                                     | unknown_key@packets.teirs
weituanbao     | packets:\n => packtes:\n                                       | unknown_key@packtes
weituanbao     | + colour: red                                                  | unknown_key@colour
weituanbao     | to: referrer => who: referrer                                  | unknown_key@shares[1].who missing_key@shares[1].to
weituanbao     | en: Red packets => fr: Red packets                             | unknown_key@title.fr missing_key@title.en
zengzhi        | mint: 70%\n =>                                                 | missing_key@pool.mint
moudian        | close: {growth: 15%, days: 30} => close: {growth: 15%}         | missing_key@release.close.days
# -- types
weituanbao     | {min: 6%, max: 30%} => 6%-30%                                  | wrong_type@concession
weituanbao     | tiers: [100, 200, 500] => tiers: 100                           | wrong_type@packets.tiers
weituanbao     | rate: 1% of amount => rate: [1%, amount]                       | wrong_type@shares[1].rate
weituanbao     | per_order: 20 => per_order: twenty                             | number_malformed@packets.per_order
weituanbao     | per_order: 20 => per_order: 0x14                               | number_malformed@packets.per_order
weituanbao     | per_order: 20 => per_order: 020                                | number_malformed@packets.per_order
weituanbao     | zh: 微团宝红包返利 => zh: ""                                     | text_length@title.zh
weituanbao     | plan: weituanbao => plan: 微团宝                                 | name_malformed@plan
weituanbao     | tiers: [100, 200, 500] => tiers: []\n  merchant_tiers: {"": [100]} | name_malformed@packets.merchant_tiers.
zengzhi        | differential: true} => differential: yes}                      | not_one_of@shares[2].shares[4].differential
moudian        | pays: vouchers => pays: voucher                                | not_one_of@release.pays
weituanbao     | of: amount, by => of: concession, by                           | not_one_of@shares[2].rate.of
# -- numbers
weituanbao     | tiers: [100, => tiers: [100.005,                               | amount_malformed@packets.tiers[0]
weituanbao     | tiers: [100, => tiers: ["1,00",                                | amount_malformed@packets.tiers[0]
weituanbao     | amount: 50 => amount: 5e1                                      | amount_malformed@bonus[0].amount
weituanbao     | amount: 50 => amount: 0                                        | out_of_range@bonus[0].amount
weituanbao     | per_order: 20 => per_order: 101                                | out_of_range@packets.per_order
weituanbao     | per_order: 20 => per_order: 0                                  | out_of_range@packets.per_order
weituanbao     | exit: {packets: 20 => exit: {packets: 0                        | out_of_range@packets.exit.packets
weituanbao     | received: 100% => received: 0%                                 | out_of_range@packets.exit.received
weituanbao     | + network: {depth: 3}                                          | out_of_range@network.depth
moudian        | days: 30 => days: 0                                            | out_of_range@release.close.days
moudian        | multiple: 5 => multiple: 0                                     | out_of_range@release.multiple
moudian        | multiple: 5 => multiple: 5.001                                 | number_malformed@release.multiple
moudian        | growth: 15% => growth: -15%                                    | rate_malformed@release.close.growth
zengzhi        | opening_price: 1 => opening_price: 0.001                       | amount_malformed@pool.opening_price
weituanbao     | tiers: [100, => tiers: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 100, | too_many@packets.tiers
weituanbao     | from: [6%, 0.3%] => from: [6%]                                 | too_few@shares[2].rate.from
# -- rates
weituanbao     | rate: 1% of amount => rate: 1% of turnover                     | rate_malformed@shares[1].rate
weituanbao     | rate: 1% of amount => rate: 1%                                 | rate_malformed@shares[1].rate
weituanbao     | rate: 1% of amount => rate: 1 of amount                        | rate_malformed@shares[1].rate
weituanbao     | rate: 1% of amount => rate: 1\uff05 of amount                   | rate_malformed@shares[1].rate
weituanbao     | rate: 1% of amount => rate: 0.333% of amount                   | rate_too_fine@shares[1].rate
weituanbao     | max: 30% => max: 30.005%                                       | rate_too_fine@concession.max
weituanbao     | rate: 50% of concession => rate: 101% of concession            | rate_over_100@shares[0].rate
weituanbao     | max: 30% => max: 130%                                          | rate_over_100@concession.max
weituanbao     | received: 100% => received: 120%                               | rate_over_100@packets.exit.received
zengzhi        | pays: 80% => pays: 101%                                        | rate_over_100@pool.pays
moudian        | offset: {vouchers: 100%} => offset: {vouchers: 100.01%}        | rate_over_100@offset.vouchers
# -- parties and funds
weituanbao     | to: agent.city => to: agent.town                               | unknown_party@shares[3].to
weituanbao     | to: referrer, => to: refferer,                                 | unknown_party@shares[1].to
weituanbao     | rate: 1% of amount} => rate: 1% of amount, else: recruiter}    | unknown_party@shares[1].else
weituanbao     | to: recruiter, amount => to: platform, amount                  | unknown_party@bonus[0].to
moudian        | to: merchant, rate => to: referrer, rate                       | unknown_party@points[1].to
weituanbao     | to: referrer, => to: fund.promotion,                           | unknown_fund@shares[1].to
weituanbao     | + funds: [promotion] && to: referrer, => to: fund.promotoin,   | unknown_fund@shares[1].to
weituanbao     | rate: 1% of amount} => rate: 1% of amount, else: fund.growth}  | unknown_fund@shares[1].else
weituanbao     | + funds: [growth, growth]                                      | duplicate_fund@funds[1]
# -- shares
weituanbao     | min: 6%, max: 30% => min: 30%, max: 6%                         | concession_range_empty@concession
weituanbao     | from: [6%, 0.3%], to: [30%, 1%] => from: [30%, 1%], to: [6%, 0.3%] | slide_empty@shares[2].rate
weituanbao     | min: 6% => min: 3%                                             | shares_exceed_concession@shares
weituanbao     | rate: 50% of concession => rate: 92% of concession             | shares_exceed_concession@shares
weituanbao     | to: [30%, 1%] => to: [30%, 14%]                                | shares_exceed_concession@shares
zengzhi        | rate: 16% of amount => rate: 16.01% of amount                  | shares_exceed_concession@shares
zengzhi        | rate: 0.5% of amount => rate: 1.5% of amount                   | envelope_exceeded@shares[2]
zengzhi        | to: recruiter, rate: 0.5% of amount => to: recruiter, rate: 10% of concession | envelope_exceeded@shares[2]
zengzhi        | to: referrer, rate: 0.3% of amount => to: referrer, rate: 0.3% of amount, differential: true | differential_needs_agent@shares[2].shares[0].differential
weituanbao     | to: agent.district, rate: 0.3% of amount => to: agent.district, rate: 0.3% of amount, differential: true | differential_without_lower@shares[4].differential
weituanbao     | to: agent.city, rate: 0.3% of amount => to: agent.city, rate: 0.3% of amount, differential: true | differential_out_of_order@shares[3].differential
zengzhi        | to: agent.district, => to: agent.city,                         | differential_twice@shares[2].shares[4].to differential_without_lower@shares[2].shares[4].differential
zengzhi        | 2% of amount}\n => 2% of amount}\n  - {to: agent.district, rate: 0% of amount}\n | differential_apart@shares[3].shares[4].differential differential_apart@shares[3].shares[5].differential
zengzhi        | rate: 0.3% of amount, diff => rate: 0.3% of amount, else: merchant, diff | differential_else@shares[2].shares[5].else
moudian        | to: dividend, rate: 40% of concession => to: dividend, rate: 40% of concession, as: vouchers | vouchers_need_holder@shares[0].as
zengzhi        | network: {depth: 2} => network: {depth: 1}                     | depth_excludes_referrer2@shares[2].shares[1].to
weituanbao     | + network: {depth: 1} && to: recruiter, amount => to: referrer2, amount | depth_excludes_referrer2@bonus[0].to
weituanbao     | shares:\n => shares:\n  - {envelope: gifts, rate: 0% of amount, shares: [<{to: merchant, rate: 0% of amount}, >x20]}\n | too_many_shares@shares
# -- sections that belong together
weituanbao     | rate: 1% of amount} => rate: 1% of amount, else: pool}         | section_missing@shares[1].else
weituanbao     | to: referrer, => to: dividend,                                 | section_missing@shares[1].to
weituanbao     | - {to: packets, rate: 50% of concession}\n =>                  | share_missing@packets
zengzhi        | - {to: pool, rate: 16% of amount}\n =>                         | share_missing@pool
moudian        | to: dividend, => to: platform,                                 | share_missing@release
zengzhi        | + points: [{to: consumer, rate: 5% of amount}]                 | points_without_release@points
moudian        | points:\n  - {to: consumer, rate: 100% of concession}\n  - {to: merchant, rate: 100% of concession}\n => | release_without_points@release
moudian        | rate: 5% of concession, as: vouchers} => rate: 5% of concession}\n  - {to: pool, rate: 10% of concession} && + pool: {mint: 70%, pays: 80%, opening_price: 1} | pool_and_release@release
weituanbao     | + offset: {vouchers: 50%}                                      | vouchers_without_source@offset
# -- packets, pool, release
weituanbao     | tiers: [100, 200, 500] => tiers: [100, 500, 200]               | tiers_not_ascending@packets.tiers
weituanbao     | tiers: [100, 200, 500] => tiers: [100, 100.00]                 | tiers_not_ascending@packets.tiers
weituanbao     | per_order: 20 => per_order: 20\n  merchant_tiers: {老王面馆: [50, 20]} | tiers_not_ascending@packets.merchant_tiers.老王面馆
zengzhi        | mint: 70% => mint: 100%                                        | mint_not_below_100@pool.mint
zengzhi        | at: 120% => at: 16%                                            | exit_at_once@pool.exit.at
zengzhi        | basis: spend => basis: mint_value                              | exit_at_once@pool.exit.at
moudian        | rate: 0.5% of points => rate: 0% of points                     | release_rate_zero@release.rate
moudian        | extended: 40\n =>                                              | periods_incomplete@release.extended
moudian        | periods: 36\n  extended => extended                            | periods_incomplete@release.periods
moudian        | extended: 40 => extended: 35                                   | extended_under_periods@release.extended
yunlianhui     | pays: cash => pays: cash\n  multiple: 1.16                     | multiple_over_points@release.multiple
"""  # noqa: E501


class Fault(NamedTuple):
    """A row of the table."""

    preset: str
    edit: str
    expected: str

    @property
    def text(self) -> str:
        """The faulty document."""
        text = preset_text(self.preset)
        for edit in self.edit.split(" && "):
            old, _, new = re.sub(r"=>$", "=> ", edit).partition(" => ")
            if edit.startswith("+ "):
                text += f"{unescaped(edit[2:])}\n"
            else:
                assert unescaped(old) in text, f"{self.preset} has no {old!r}"
                text = text.replace(unescaped(old), unescaped(new), 1)
        return text


def unescaped(text: str) -> str:
    r"""The text with \n, \x07, \uff05 and <again>x3 as what they stand for."""
    text = re.sub(r"<(.*?)>x(\d+)", lambda match: match[1] * int(match[2]), text)
    return text.replace(r"\n", "\n").replace(r"\x07", "\x07").replace(r"\uff05", "\uff05")


def faults() -> list[Fault]:
    """The rows of the table."""
    rows = [line.split(" | ") for line in TABLE.strip().splitlines() if not line.startswith("#")]
    return [Fault(*(cell.strip() for cell in row)) for row in rows]


def brief(problems: list[Problem]) -> str:
    """Problems as the table writes them."""
    return " ".join(f"{found.code}@{found.where}" for found in problems)


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: f"{fault.expected}: {fault.edit}")
def test_a_faulty_document_is_told_exactly_what_is_wrong(fault: Fault) -> None:
    """One fault gives one problem at its place: a designer who is told of three consequences does not find the cause."""
    plan, problems = check(fault.text)

    assert sorted(fault.expected.split()) == sorted(brief(problems).split())
    assert plan is None


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: f"{fault.expected}: {fault.edit}")
def test_every_problem_speaks_both_languages_and_knows_its_line(fault: Fault) -> None:
    """The same fault must be findable by who reads Chinese and by who reads English."""
    text = fault.text
    for found in check(text)[1]:
        key = re.sub(r".*[.\]]|\[\d+\]$", "", found.where)

        assert re.search(r"[\u4e00-\u9fff]", found.zh), found
        assert re.search(r"[a-z]{3}", found.en), found
        assert not re.search(r"[\u4e00-\u9fff]", re.sub(r"'[^']*'", "", found.en)), found
        assert "{" not in found.zh.replace("{of, by, from, to}", "").replace("{min, max}", ""), found
        assert 1 <= found.line <= text.count("\n") + 1
        if found.code not in {"not_yaml", "missing_key", "too_few", "periods_incomplete"} and key:
            assert key in text.splitlines()[found.line - 1], found


def test_every_code_has_its_faulty_document() -> None:
    """A problem that no document can have is dead code, or a check that nobody has seen work."""
    shown = {part.partition("@")[0] for fault in faults() for part in fault.expected.split()}

    assert set(PROBLEMS) == shown


@pytest.mark.parametrize("name", presets())
def test_presets_are_clean(name: str) -> None:
    """What ships is the example that everybody copies."""
    plan, problems = check(preset_text(name))

    assert [] == problems
    assert plan is not None
    assert name == plan.name


def test_all_problems_are_told_at_once_in_the_order_of_lines() -> None:
    """A designer who mends one fault at a time asks once per fault."""
    text = preset_text("weituanbao")
    for old, new in (
        ("max: 30%", "max: 3O%"),
        ("1% of amount", "1.001% of amount"),
        ("[100, 200, 500]", "[100, 90]"),
        ("20, rec", "0, rec"),
    ):
        text = text.replace(old, new, 1)

    assert [
        "rate_malformed@concession.max",
        "rate_too_fine@shares[1].rate",
        "tiers_not_ascending@packets.tiers",
        "out_of_range@packets.exit.packets",
    ] == brief(check(text)[1]).split()


def test_the_message_names_the_concession_at_which_shares_break() -> None:
    """With the shares of the source but a minimum of 3 %, the platform would pay from its own pocket."""
    _, (found,) = check(preset_text("weituanbao").replace("min: 6%", "min: 3%"))

    assert "first at a concession of 3%, most at 3%, where they come to 3.4% of the amount, 0.4% too much" in found.en
    assert "最早在让利 3% 处,最多在让利 3% 处,合计为实付的 3.4%,超出 0.4%" in found.zh


def test_a_sliding_rate_breaks_where_it_crosses_the_concession() -> None:
    """The crossing lies between the knots 6 % and 30 %; only the exact place helps the designer."""
    _, (found,) = check(preset_text("weituanbao").replace("to: [30%, 1%]", "to: [30%, 14%]"))

    assert "first at a concession of 21.53%, most at 30%, where they come to 30.6% of the amount, 0.6% too much" in found.en


@pytest.mark.parametrize(
    ("edit", "hint"),
    [
        (("tiers: [100", "teirs: [100"), "did you mean 'tiers'?"),
        (("to: referrer,", "to: refferer,"), "did you mean 'referrer'?"),
        (("packets:\n", "packtes:\n"), "did you mean 'packets'?"),
        (("1% of amount", "1% of ammount"), "did you mean 'amount'?"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_nearest_known(edit: tuple[str, str], hint: str) -> None:
    """Most unknown words are typing errors."""
    _, (found,) = check(preset_text("weituanbao").replace(*edit, 1))

    assert hint in found.en


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "[" * 5000, "- a\n", "just words", "a: 1\n---\nb: 2\n", "a: [1\n", "? [a]\n: b\n", "\x00"]
)
def test_what_is_no_document_at_all_is_a_problem_and_no_crash(text: str) -> None:
    """Designers paste what they have; the answer to anything is a list of problems."""
    plan, problems = check(text)

    assert plan is None
    assert problems != []


def test_a_list_beyond_its_limit_costs_no_more_than_its_limit() -> None:
    """A document of ten thousand differential shares must not keep a server busy."""
    shares = "\n".join(["  - {to: agent.city, rate: 0.1% of amount, differential: true}"] * 10_000)
    _, problems = check(re.sub(r"shares:\n", f"shares:\n{shares}\n", preset_text("weituanbao")))

    assert "too_many@shares" in brief(problems)


def test_a_faulty_share_does_not_hide_that_the_others_are_too_much() -> None:
    """All problems at once: whoever mends the one should not meet the other afterwards."""
    text = preset_text("weituanbao").replace("{to: packets, ", "{to: packts, ").replace("1% of amount}", "7% of amount}")
    found = {problem.code for problem in check(text)[1]}

    assert {"unknown_party", "shares_exceed_concession"} <= found
