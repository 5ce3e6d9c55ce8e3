"""Explanations: what a designer reads about one order, and the sources' own examples."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rangli.errors import InputRefused
from rangli.money import AMOUNT_FEN_MAX, MICRO_PER_FEN, parse_percent, parse_yuan
from rangli.plan import Explanation, explain, load, presets
from rangli.plan.vocabulary import HOLDERS

YUAN = 1_000_000


def told(explanation: Explanation) -> list[tuple[str, str, str, int]]:
    """The lines without their accounts and words, amounts in micro."""
    return [line[:4] for line in explanation.lines]


@pytest.mark.parametrize(("concession", "surplus"), [("6%", "0.4%"), ("20%", "7.4%"), ("30%", "12.4%")])
def test_weituanbao_leaves_the_platform_what_its_source_says(concession: str, surplus: str) -> None:
    """Source 000: 6%-3%-1%-1%-0.6%=0.4%, 20%-10%-1%-1%-0.6%=7.4%, with the recruiter at its ceiling of 1 %."""
    compiled = load("weituanbao", ["shares[2].rate=1% of amount"])
    last = explain(compiled, 10_000, parse_percent(concession)).lines[-1]

    assert ("platform", 10_000 * parse_percent(surplus)) == (last.party, last.amount_micro)
    assert surplus in last.zh
    assert surplus in last.en


def test_zengzhi_divides_its_thousand_yuan_as_its_source_does() -> None:
    """Source 001: of 200 yuan 160 enter the pool, 20 are the platform's, 20 for distribution, which leaves 7 here."""
    lines = told(explain(load("zengzhi"), 100_000, 2000))

    assert [
        ("pool", "amount", "16%", 160 * YUAN),
        ("platform", "amount", "2%", 20 * YUAN),
        ("referrer", "amount", "0.3%", 3 * YUAN),
        ("referrer2", "amount", "0.2%", 2 * YUAN),
        ("recruiter", "amount", "0.5%", 5 * YUAN),
        ("agent.district", "amount", "0.1%", 1 * YUAN),
        ("agent.city", "amount", "0.1%", 1 * YUAN),
        ("agent.province", "amount", "0.1%", 1 * YUAN),
        ("platform", "", "", 7 * YUAN),
    ] == lines


def test_zengzhi_tells_the_first_mint_of_its_source() -> None:
    """112 yuan are minted, 48 raise the price to 1.43; an exit at 1.2 times pays 960."""
    en = " ".join(explain(load("zengzhi"), 100_000, 2000).en)
    zh = "".join(explain(load("zengzhi"), 100_000, 2000).zh)

    for number in ("160.00", "112.00", "48.00", "1.428571", "1200.00", "960.00"):
        assert number in en
        assert number in zh


def test_moudian_divides_two_hundred_yuan_as_its_source_does() -> None:
    """40 % to the dividend pot, 5 % as vouchers to whoever locked the customer, 10 % to the recruiter; 200 points each."""
    explanation = explain(load("moudian"), 100_000, 2000)

    assert [80 * YUAN, 10 * YUAN, 20 * YUAN, 90 * YUAN] == [line.amount_micro for line in explanation.lines]
    assert "consumer:<referrer>:vouchers" == explanation.lines[1].destination
    assert "the consumer 200.00 points, the merchant 200.00 points" in " ".join(explanation.en)
    assert "2000.00 yuan in all at most" in " ".join(explanation.en)


def test_zhongdian_splits_points_seven_to_three() -> None:
    """The one rule in which it differs most from its sister."""
    assert "the consumer 140.00 points, the merchant 60.00 points" in " ".join(explain(load("zhongdian"), 100_000, 2000).en)


def test_a_sliding_rate_is_shown_as_what_it_came_to() -> None:
    """At 20 % the recruiter is at 0.7083 %; the cut is of the text, not of the money."""
    line = explain(load("weituanbao"), 10_000, 2000).lines[2]

    assert ("recruiter", "amount", "0.7083%", 708_333) == line[:4]


def test_every_destination_is_an_account_of_the_rules() -> None:
    """The table of docs/rules.md, section 1."""
    shares = ["consumer", "merchant", "referrer", "recruiter", "agent.city", "packets", "dividend", "platform", "fund.growth"]
    rows = ", ".join(f"{{to: {party}, rate: 1% of amount}}" for party in shares)
    changes = [
        "concession.min=10%",
        "funds=[growth]",
        f"shares=[{rows}]",
        "release={rate: 1% of points, close: {days: 1}, pays: cash}",
    ]
    compiled = load("weituanbao", [*changes, "points=[{to: consumer, rate: 1% of amount}]"])

    assert [
        "consumer:<consumer>:wallet",
        "merchant:<merchant>:income",
        "consumer:<referrer>:wallet",
        "agent:<recruiter>:wallet",
        "agent:<agent.city>:wallet",
        "programme:packets:<merchant>:<tier>",
        "programme:dividend",
        "platform:surplus",
        "programme:fund:growth",
        "platform:surplus",
    ] == [line.destination for line in explain(compiled, 100, 3000).lines]


def test_who_is_not_there_is_named_with_who_takes_it() -> None:
    """A line that silently moves to the platform would look like a fault of the plan."""
    compiled = load("moudian", ["shares[2].else=dividend"])
    _, referrer, recruiter, _ = explain(compiled, 100_000, 2000, set()).lines

    assert ("platform", "platform:surplus") == (referrer.party, referrer.destination)
    assert "not there, so it goes to the platform" in referrer.en
    assert ("dividend", "programme:dividend") == (recruiter.party, recruiter.destination)
    assert "招商人:让利的 10%;不在,归分红池" == recruiter.zh


def test_a_bonus_is_told_only_when_its_party_is_there() -> None:
    """The platform pays nobody who is not there."""
    compiled = load("weituanbao")

    assert "50.00" in " ".join(explain(compiled, 10_000, 600).en)
    assert "50.00 yuan, once" not in " ".join(explain(compiled, 10_000, 600, {"referrer"}).en)


def test_the_tier_of_the_order_is_told() -> None:
    """Upper bounds are inclusive: 100.00 is in the first tier, 100.50 in the second."""
    compiled = load("weituanbao")

    assert "tier 1 of 4" in " ".join(explain(compiled, 10_000, 600).en)
    assert "tier 2 of 4" in " ".join(explain(compiled, 10_050, 600).en)


@pytest.mark.parametrize(
    ("paid_fen", "concession_bp", "words"),
    [
        (0, 2000, "the amount 0.00 is out of range"),
        (AMOUNT_FEN_MAX + 1, 2000, "the amount 100000000.01 is out of range"),
        (100, 599, "a concession of 5.99% is outside the plan's range of 6% to 30%"),
        (100, 3001, "a concession of 30.01% is outside the plan's range of 6% to 30%"),
    ],
)
def test_an_order_that_cannot_be_is_refused_in_both_languages(paid_fen: int, concession_bp: int, words: str) -> None:
    """An explanation of what cannot happen would be believed."""
    with pytest.raises(InputRefused) as refused:
        explain(load("weituanbao"), paid_fen, concession_bp)

    assert words in refused.value.en
    assert re.search("[\u4e00-\u9fff]", refused.value.zh)


def test_a_party_that_no_order_has_is_refused() -> None:
    """A typing error in the list of those present would explain another order."""
    with pytest.raises(InputRefused, match="there is no party 'referer'"):
        explain(load("weituanbao"), 100, 600, {"referer"})


def test_an_overridden_tier_and_hold_are_told() -> None:
    """The words follow the plan and not the preset."""
    compiled = load("weituanbao", ["hold=7", "packets.own_orders=skip", "packets.tiers=[]", "refund.packets_borne_by=platform"])
    en, zh = " ".join(explain(compiled, 10_000, 600).en), "".join(explain(compiled, 10_000, 600).zh)

    for words in ("tier 1 of 1", "not to the payer's own", "7 days after payment", "borne by the platform"):
        assert words in en
    for words in ("付款人自己的除外", "付款 7 天后结算", "由平台承担"):
        assert words in zh


@given(st.sampled_from(presets()), st.integers(1, AMOUNT_FEN_MAX), st.integers(0, 10_000), st.sets(st.sampled_from(HOLDERS)))
def test_every_order_of_every_preset_is_explained_to_the_micro(name: str, paid_fen: int, at: int, present: set[str]) -> None:
    """The lines add up to the concession, whoever is there; the words are in both languages, paragraph by paragraph."""
    compiled = load(name)
    low, high = compiled.plan.concession.bp_min, compiled.plan.concession.bp_max
    explanation = explain(compiled, paid_fen, low + at % (high - low + 1), present)

    assert explanation.concession_micro == sum(line.amount_micro for line in explanation.lines)
    assert all(line.amount_micro >= 0 for line in explanation.lines)
    assert "platform" == explanation.lines[-1].party
    assert len(explanation.zh) == len(explanation.en) >= 2
    assert not any(re.search("[\u4e00-\u9fff]", text) for text in [*explanation.en, *(line.en for line in explanation.lines)])


@given(st.sampled_from(presets()), st.integers(1, AMOUNT_FEN_MAX))
def test_the_opening_words_hold_the_numbers_of_the_order(name: str, paid_fen: int) -> None:
    """What is said of the order adds up to what it gives away, as it is printed."""
    compiled = load(name)
    explanation = explain(compiled, paid_fen, compiled.plan.concession.bp_max)
    paid, micro = re.findall(r"([0-9.]+) yuan", explanation.en[0])
    parts = re.findall(r" ([0-9]+\.[0-9]+)(?=[,.]\D|\.$)", explanation.en[0].partition("Of this:")[2] + " ")

    assert paid_fen == parse_yuan(paid)
    assert explanation.concession_micro == micro_of(micro) == sum(map(micro_of, parts))
    assert paid_fen * compiled.plan.concession.bp_max == micro_of(micro)


def micro_of(text: str) -> int:
    """Printed yuan with up to six decimals as micro."""
    whole, _, part = text.partition(".")
    return int(whole) * 100 * MICRO_PER_FEN + int(part.ljust(6, "0"))
