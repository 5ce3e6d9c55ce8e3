"""Claims: each is really in its source, each verdict is recomputed, and other bounds give another verdict."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from cli_runs import SLOW_LANE, run

from rangli.errors import InputRefused
from rangli.lab import proofs
from rangli.lab.claims import (
    SAID_WORDS,
    Bounds,
    Claim,
    Condition,
    Verdict,
    check_claims,
    claims,
    claims_markdown,
    counts,
    judge_claim,
    proof_text,
    shown,
)
from rangli.lab.proofs import Equal, Gaps, Listed, Proof, Reckon, Scene, exact
from rangli.plan.law import Words

Golden = Callable[[str, str], None]
SOURCES = os.environ.get("RANGLI_SOURCES")
"""The folder of the sources, whose files begin with 000_ and 001_; they are no part of the project."""
ALL = claims().claims
large = pytest.mark.skipif(SLOW_LANE, reason="millions of orders; kernels are tested against the oracle in both lanes")


def claim(name: str) -> Claim:
    """The claim of this name."""
    return next(one for one in ALL if one.claim == name)


# ---------------------------------------------------------------- the sources' worked numbers

WORKED = """
#  the source's own figure                            what the engine gives
surplus-at-6                                        | 0.4%       | condition
surplus-at-20                                       | 7.4%       | condition
surplus-range                                       | 12.4%      | figure
two-hundred-each                                    | 400        | figure
first-pool                                          | 160        | figure
first-supply                                        | 112        | figure
first-price                                         | 10/7       | figure
second-mint                                         | 78.4       | figure
second-pool                                         | 320        | figure
second-supply                                       | 190.4      | figure
second-price                                        | 200/119    | figure
third-mint                                          | 66.64      | figure
third-pool                                          | 480        | figure
third-supply                                        | 257.04     | figure
third-price                                         | 2000/1071  | figure
worth-1200                                          | 1199.52    | figure
price-reaches-10.71                                 | 1137       | condition
exit-pays-960                                       | 960.217232 | figure
buying-in-again                                     | 38         | figure
no-bubble                                           | 25         | figure
thirty-six-to-forty                                 | 36         | condition
free-in-theory                                      | 25         | condition
direct-100000                                       | 100000     | condition
indirect-150000                                     | 150000     | condition
twenty-stores-30000                                 | 30000      | condition
two-hundred-thousand-members                        | 1000000    | condition
tianhe-200000                                       | 200000     | condition
guangzhou-1300000                                   | 1300000    | condition
guangdong-5460000                                   | 5460000    | condition
"""


@large
@pytest.mark.parametrize("row", [line for line in WORKED.strip().splitlines() if line[0] != "#"])
def test_the_sources_worked_numbers_come_out(row: str) -> None:
    """Each figure that a source works out is an acceptance test of the engine, to the last digit."""
    name, expected, which = (cell.strip() for cell in row.split("|"))
    one = claim(name)
    proof = one.proof if which == "figure" else one.only_if and one.only_if.proof
    assert proof

    assert exact(expected) == proof.figure()


@large
@pytest.mark.parametrize(("periods", "hundredths"), [(24, 92), (30, 217), (35, 441), (36, 507), (40, 890)])
def test_the_series_of_fifteen_percent_is_among_the_figures(periods: int, hundredths: int) -> None:
    """0.92, 2.17, 4.41, 5.07, 8.90: what the promise of five times hangs on."""
    proof = claim("thirty-six-to-forty").beside[f"p{periods}"]

    assert f"{hundredths // 100}.{hundredths % 100:02d} times" == shown(proof, proof.figure()).en


# ---------------------------------------------------------------- quotes


def source_lines(name: str) -> list[str]:
    """The lines of a source."""
    found = [path for path in Path(SOURCES or "").iterdir() if path.name.startswith(f"{name}_")]
    assert len(found) == 1
    return found[0].read_text(encoding="utf-8").split("\n")


@pytest.mark.skipif(SOURCES is None, reason="RANGLI_SOURCES names the folder of the sources, which are no part of the project")
@pytest.mark.parametrize("one", ALL, ids=lambda one: one.claim)
def test_every_quote_stands_where_it_is_said_to_stand(one: Claim) -> None:
    """A claim that nobody made is refuted too easily."""
    lines = source_lines(one.source)
    places = [(one.line, one.quote), *((place.line, place.quote) for place in one.also)]

    assert [] == [quote for line, quote in places if quote not in lines[line - 1]]


def test_names_that_are_counted_stand_in_one_list() -> None:
    """Guangzhou's districts and Guangdong's cities: each once."""
    lists = [one.proof for one in ALL if isinstance(one.proof, Listed)]

    assert [11, 21] == [len(proof.names) for proof in lists] == [proof.figure() for proof in lists]


# ---------------------------------------------------------------- verdicts


@large
def test_every_verdict_is_what_the_page_says(golden: Golden) -> None:
    """All tests are made again; whoever doubts a line of docs/claims.md runs this one."""
    golden("../../docs/claims.md", claims_markdown(check_claims()))


def test_there_is_nothing_without_a_figure_that_a_figure_could_decide() -> None:
    """Whoever has no figure says why, and what has one has bounds; there are few of the former."""
    without = [one for one in ALL if one.proof is None]

    assert [] == [one.claim for one in ALL if (one.proof is None) != (one.within is None)]
    assert [] == [one.claim for one in without if one.only_if is not None or "{" in one.found.zh]
    assert 10 * len(without) <= len(ALL)


def test_names_are_unique_and_claims_stand_in_the_order_of_their_sources() -> None:
    """A name is how a claim is asked for; the page reads like the source."""
    names = [one.claim for one in ALL]
    places = [(one.source, one.line) for one in ALL]

    assert sorted(set(names)) == sorted(names)
    assert [] == [names[i] for i in range(1, len(places)) if places[i] < places[i - 1]]


def test_every_figure_of_the_words_is_one_that_is_computed() -> None:
    """A name in braces that no proof answers would fail only when somebody reads it."""
    for one in ALL:
        given = {"figure", *one.beside}
        for words in (one.found, *([one.only_if.words] if one.only_if else [])):
            allowed = dict.fromkeys(given | ({"condition"} if words is not one.found else set()), "1")

            assert words.zh.format_map(allowed)
            assert words.en.format_map(allowed)


def reckoned(figure: str, within: Bounds, condition: tuple[str, Bounds] | None = None) -> Verdict:
    """The verdict of a made-up claim whose figure is this."""
    proof = Reckon(unit="number", plus=((figure,),))
    only_if = None
    if condition is not None:
        other = Reckon(unit="percent", plus=((condition[0],),))
        only_if = Condition(proof=other, within=condition[1], words=Words("有 {condition}", "there is {condition}"))
    found = Words("得 {figure}。", "It is {figure}.")
    return judge_claim(Claim("made-up", "000", 1, "…", Words("", ""), found, proof=proof, within=within, only_if=only_if))


VERDICTS = """
# figure | bounds      | condition | its bounds | verdict
  5      | 5 .. 5      |           |            | holds
  5      | 5 ..        |           |            | holds
  5      | .. 5        |           |            | holds
  4.999  | 5 ..        |           |            | fails
  5.001  | .. 5        |           |            | fails
  5      | 5 ..        | 9%        | 10% ..     | holds
  4      | 5 ..        | 10%       | 10% ..     | only-if
  4      | 5 ..        | 9.99%     | 10% ..     | fails
  -1     | 0 ..        |           |            | fails
"""


def bounds(text: str) -> Bounds:
    """Bounds as in the table."""
    least, most = (end.strip() or None for end in text.split(".."))
    return Bounds(least, most)


@pytest.mark.parametrize("row", [line for line in VERDICTS.strip().splitlines() if line[0] != "#"])
def test_figures_and_bounds_decide(row: str) -> None:
    """Both ends belong to the bounds; a condition counts only when the claim itself does not hold."""
    figure, within, condition, its_bounds, expected = (cell.strip() for cell in row.split("|"))
    with_condition = (condition, bounds(its_bounds)) if condition else None

    assert expected == reckoned(figure, bounds(within), with_condition).verdict


def test_a_condition_is_told_in_words_with_its_figure() -> None:
    """“Holds only if” without the condition would be an escape."""
    verdict = reckoned("4", Bounds(least=5), ("12.5%", Bounds(least="10%")))

    assert "得 4。只有有 13%,才成立。" == verdict.zh
    assert "It is 4. It holds only if there is 13%." == verdict.en
    assert Words("13%", "13%") == verdict.shown


@large
@pytest.mark.parametrize("one", [one for one in ALL if one.proof is not None], ids=lambda one: one.claim)
def test_a_claim_with_other_bounds_gets_another_verdict(one: Claim) -> None:
    """A check that cannot fail says nothing: bounds beside the figure make every claim fail, bounds around it make it hold."""
    assert one.proof is not None
    figure = one.proof.figure()
    beside, around = Bounds(least=str(figure + 1)), Bounds(str(figure), str(figure))

    assert "fails" == judge_claim(msgspec.structs.replace(one, within=beside, only_if=None)).verdict
    assert "holds" == judge_claim(msgspec.structs.replace(one, within=around)).verdict
    if one.only_if is not None:
        never = msgspec.structs.replace(one.only_if, within=Bounds(least=str(one.only_if.proof.figure() + 1)))
        assert "fails" == judge_claim(msgspec.structs.replace(one, within=beside, only_if=never)).verdict


# ---------------------------------------------------------------- proofs

SHOWN = """
1/200   | percent | 1 | 0.5%
-1/3    | percent | 1 | -33.3%
-1/9999 | number  | 2 | 0.00
1137    | orders  | 0 | 1,137 orders
1       | days    | 0 | 1 day
1/8     | yuan    | 2 | 0.13 yuan
-1/8    | yuan    | 2 | -0.13 yuan
2       | verdict | 0 | refuse
"""


@pytest.mark.parametrize("row", SHOWN.strip().splitlines())
def test_figures_are_shown_to_the_nearest(row: str) -> None:
    """Halves away from zero, thousands apart, one of a thing in the singular, and no minus before nothing."""
    figure, unit, places, expected = (cell.strip() for cell in row.split("|"))
    proof = msgspec.convert({"by": "reckon", "unit": unit, "places": int(places), "plus": []}, Reckon)

    assert expected == shown(proof, Fraction(figure)).en


def test_a_sources_numbers_are_reckoned_exactly() -> None:
    """20 × 1000 × 1000 × 0.5 % + 3,000,000 × 1 % is 130,000, and no float comes near it."""
    proof = Reckon(unit="yuan", plus=((20, 1000, 1000, "0.5%"), (3_000_000, "1%")), minus=((1, "1/3"),), over=(2,))

    assert Fraction(130_000 * 3 - 1, 6) == proof.figure()
    assert "reckon plus=20×1000×1000×0.5%+3000000×1% minus=1×1/3 over=2" == proof_text(proof)


def test_amounts_between_ranges_are_counted_in_fen() -> None:
    """0.01 to 0.99, and 100.01 to 100.99."""
    assert 198 == Gaps(unit="amounts", ranges=((1, 100), (101, 101))).figure()
    assert 99 == Gaps(unit="amounts", ranges=((1, 1),)).figure()


@pytest.mark.parametrize("read", sorted(proofs.EQUAL))
def test_every_figure_of_equal_orders_is_used(read: str) -> None:
    """One that no claim asks for is tested by nobody."""
    asked = {one.read for one in all_proofs() if isinstance(one, Equal | proofs.Grown)}

    assert read in asked


@pytest.mark.parametrize("read", sorted(proofs.SCENE))
def test_every_truth_of_scenarios_is_used(read: str) -> None:
    """The same."""
    assert read in {one.read for one in all_proofs() if isinstance(one, Scene)}


def all_proofs() -> list[Proof]:
    """Every proof of every claim."""
    found: list[Proof] = []
    for one in ALL:
        found += [*([one.proof] if one.proof else []), *([one.only_if.proof] if one.only_if else []), *one.beside.values()]
    return found


# ---------------------------------------------------------------- the command


def test_a_claim_is_asked_for_by_name() -> None:
    """In the order of the sources, with progress, and in words when nobody has it."""
    told: list[int] = []

    assert ["tiers", "worth-1200"] == [one.claim for one in check_claims(["worth-1200", "tiers"], told.append)]
    assert [1, 1] == told
    with pytest.raises(InputRefused, match="did you mean 'tiers'"):
        check_claims(["teirs"])


def test_the_command_shows_quote_test_and_verdict() -> None:
    """In the language that is asked for."""
    zh, en = (run("claims tiers thirteen-districts", "--lang", lang).out for lang in ("zh", "en"))

    assert "000:33" in zh
    assert "✗ 不成立" in zh
    assert "396 个金额不属于任何一档" in zh.replace("\n", "").replace(" " * 9, "")
    assert "共 2 条:2 条不成立。" in zh
    assert "2 claims: 2 fail." in en
    assert "listed names=越秀区,荔湾区" in en


def test_the_command_gives_exact_figures_to_programs() -> None:
    """Fractions as text, so that nothing is lost on the way."""
    facts = run("claims worth-1200 brand-goods --json").facts

    assert {"holds": 1, "only-if": 0, "fails": 0, "no-figure": 1} == facts["counts"]
    assert ["29988/25", None] == [one["figure"] for one in facts["claims"]]
    assert 2 == run("claims nothing").status


@large
def test_the_whole_table_is_grouped_by_source() -> None:
    """Every claim once, and the counts add up."""
    ran = run("claims --lang zh", columns=120)

    assert 0 == ran.status
    assert [] == [one.claim for one in ALL if one.claim not in ran.out]
    assert ran.out.index("000 微团宝:红包返利") < ran.out.index("001 消费增值:前言")
    assert len(ALL) == sum(counts(check_claims()).values())
    assert [] == [words[0] for words in SAID_WORDS.values() if words[0] not in ran.out]
