"""What money.py promises: exact text in and out, divisions that keep every micro, refunds that come out even."""

from __future__ import annotations

from ast import literal_eval
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rangli.errors import FAULTS, AmountMalformed, RateMalformed
from rangli.money import (
    AMOUNT_FEN_MAX,
    BP_PER_ONE,
    MICRO_MAX,
    MICRO_PER_FEN,
    MICRO_PER_YUAN,
    Ratio,
    mul_div,
    parse_percent,
    parse_yuan,
    print_micro,
    print_percent,
    print_ratio,
    print_yuan,
    reversed_of,
    split,
    whole_fen,
)

micros = st.integers(-MICRO_MAX, MICRO_MAX)
legs_of_an_order = st.lists(st.integers(0, AMOUNT_FEN_MAX * BP_PER_ONE), min_size=1, max_size=24)


def rows(table: str) -> list[list[str]]:
    """The rows of a text table: two columns, set apart by two spaces or more, and whatever a reader should know behind ``#``."""
    lines = (line.partition("#")[0].rstrip() for line in table.strip().splitlines())
    return [line.rsplit(maxsplit=1) for line in lines if line]


# ---------------------------------------------------------------- text in

YUAN = """
# text              fen
'0'                 0
'0.01'              1
'0.1'               10
'1'                 100
'12.5'              1250
'12.50'             1250
'100.50'            10050
'1000'              100000
'99999999.99'       9999999999
'100000000'         10000000000         # the largest order
'100000000.00'      10000000000
"""


@pytest.mark.parametrize(("text", "fen"), rows(YUAN))
def test_yuan_with_at_most_two_decimals_is_read_exactly(text: str, fen: str) -> None:
    """What a merchant typed is what is booked, to the fen."""
    assert int(fen) == parse_yuan(literal_eval(text))


NOT_YUAN = r"""
# text                      fault
''                          empty
'   '                       empty
'\u3000'                    empty           # an ideographic space
' 1'                        spaces
'1 '                        spaces
'1\n'                       spaces
'\uff11\uff12'              full_width
'1\uff0e5'                  full_width
'\uffe512'                  full_width      # a full-width yen sign
'-1'                        negative
'-0.01'                     negative
'-inf'                      negative
'+1'                        sign
'1,000'                     thousands
'1\uff0c000'                thousands       # a Chinese comma
'1_000'                     thousands
'1e3'                       exponent
'1E3'                       exponent
'1.5e-3'                    exponent
'NaN'                       not_finite
'inf'                       not_finite
'Infinity'                  not_finite
'1.005'                     too_fine
'1.000'                     too_fine        # no guess at what the third zero was meant to be
'0.000000001'               too_fine
'00.1'                      leading_zero
'007'                       leading_zero
'100000000.01'              too_large       # one fen more than the largest order
'999999999'                 too_large
'1000000000'                too_large
'12345678901234567890'      too_large       # past int64
'1.'                        not_a_number
'.5'                        not_a_number
'.'                         not_a_number
'1.2.3'                     not_a_number
'0x10'                      not_a_number
'٣'                         not_a_number    # an Arabic three: int() would take it
'1\u200b'                   not_a_number    # a zero-width space
'十二'                      not_a_number
'12元'                      not_a_number
'$12'                       not_a_number
'1/2'                       not_a_number
'None'                      not_a_number
"""


@pytest.mark.parametrize(("text", "fault"), rows(NOT_YUAN))
def test_what_is_not_yuan_is_refused_and_the_fault_is_named(text: str, fault: str) -> None:
    """A reader who is told what is wrong mends it; a parser that guesses books another amount than was meant."""
    with pytest.raises(AmountMalformed) as refused:
        parse_yuan(literal_eval(text))

    assert fault == refused.value.fault
    assert literal_eval(text) == refused.value.text
    assert FAULTS[fault][0] in refused.value.message("zh")
    assert FAULTS[fault][1] in refused.value.message("en")
    assert all("12.50" in refused.value.message(lang) for lang in ("zh", "en")), "an error says what would be right"


@given(st.text())
def test_no_text_at_all_is_read_as_something_else(text: str) -> None:
    """Either the text is exactly what would be printed, up to zeros after the point, or it is refused."""
    try:
        fen = parse_yuan(text)
    except AmountMalformed:
        return

    assert print_yuan(fen) in {text, f"{text}0", f"{text}.00"}


@given(st.from_regex(r"[0-9]{1,12}(\.[0-9]{0,4})?", fullmatch=True))
def test_text_that_looks_like_yuan_is_read_as_the_same_fraction(text: str) -> None:
    """The oracle is Fraction, which reads decimals exactly."""
    try:
        fen = parse_yuan(text)
    except AmountMalformed:
        is_plain = not text.endswith(".") and not (text.startswith("0") and text[1:2].isdigit())

        assert not is_plain or Fraction(text) * 100 > AMOUNT_FEN_MAX or len(text.partition(".")[2]) > 2
    else:
        assert Fraction(text) * 100 == fen


PERCENT = """
# text      bp
'0%'        0
'0.01%'     1
'0.3%'      30
'6.25%'     625
'20%'       2000
'20.00%'    2000
'100%'      10000
'500%'      50000
"""


@pytest.mark.parametrize(("text", "bp"), rows(PERCENT))
def test_a_percentage_is_read_to_the_basis_point(text: str, bp: str) -> None:
    """0.3 % of a thousand is three yuan, not 2.9999."""
    assert int(bp) == parse_percent(literal_eval(text))


NOT_PERCENT = r"""
# text      fault
''          empty
'\uff12\uff10%'  full_width
'20\uff05'    full_width
'-5%'       negative
'0.005%'    too_fine
'0.001 %'   too_fine
'20'        no_percent_sign
'0.2'       no_percent_sign     # 0.2 or 20 %? not ours to guess
'%'         not_a_number
'abc'       not_a_number
'1e1%'      exponent
' 20%'      spaces
'+5%'       sign
'1,000%'    thousands
'020%'      leading_zero
'10000%'    too_large
'NaN%'      not_finite
'20%%'      not_a_number
'1/5'       not_a_number
"""


@pytest.mark.parametrize(("text", "fault"), rows(NOT_PERCENT))
def test_what_is_not_a_percentage_is_refused_and_the_fault_is_named(text: str, fault: str) -> None:
    """A rate read wrongly is wrong on every order of the plan."""
    with pytest.raises(RateMalformed) as refused:
        parse_percent(literal_eval(text))

    assert fault == refused.value.fault
    assert all("0.3%" in refused.value.message(lang) for lang in ("zh", "en")), "an error says what would be right"


def test_every_fault_that_can_be_named_is_shown_in_the_tables() -> None:
    """A fault without an example is one that nobody has ever seen explained."""
    assert FAULTS.keys() == {fault for _, fault in rows(NOT_YUAN) + rows(NOT_PERCENT)}


# ---------------------------------------------------------------- text out


@given(st.integers(0, AMOUNT_FEN_MAX))
def test_what_is_printed_as_yuan_is_read_back_the_same(fen: int) -> None:
    """Files are written and read again."""
    assert fen == parse_yuan(print_yuan(fen))


@given(st.integers(0, 999_999))
def test_what_is_printed_as_a_percentage_is_read_back_the_same(bp: int) -> None:
    """Plans are printed and read again."""
    assert bp == parse_percent(print_percent(bp))


@given(micros)
def test_printed_money_is_the_exact_fraction_with_two_to_six_decimals(micro: int) -> None:
    """A debt prints as readily as a balance, and no digit that counts is cut off."""
    text = print_micro(micro)
    decimals = text.partition(".")[2]

    assert Fraction(micro, MICRO_PER_YUAN) == Fraction(text)
    assert len(decimals) in range(2, 7)
    assert len(decimals) == 2 or not text.endswith("0")


@given(micros)
def test_fen_and_micro_print_the_same_yuan(fen: int) -> None:
    """One amount has one face, whichever unit it was counted in."""
    assert print_yuan(fen) == print_micro(fen * MICRO_PER_FEN)


@given(micros, st.integers(1, MICRO_MAX), st.integers(0, 9))
def test_a_printed_ratio_is_cut_off_towards_zero(num: int, den: int, places: int) -> None:
    """A report may leave digits out but never promises more than there is."""
    text = print_ratio(num, den, places)
    left_out = abs(Fraction(num, den)) - abs(Fraction(text))

    assert 0 <= left_out < Fraction(1, 10**places)
    assert text.startswith("-") == (num < 0)
    assert places == len(text.partition(".")[2])


# ---------------------------------------------------------------- dividing


@given(micros, micros, st.integers(1, MICRO_MAX))
def test_multiply_and_divide_rounds_down_and_no_product_is_too_wide(a: int, b: int, c: int) -> None:
    """Pool times points passes 2**63 at order 367 of the third model."""
    exact = Fraction(a) * Fraction(b) / Fraction(c)

    assert 0 <= exact - mul_div(a, b, c) < 1


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6).filter(bool), micros)
def test_a_ratio_is_reduced_and_takes_the_floor(num: int, den: int, amount: int) -> None:
    """Two rates are equal when their numbers are; the rest of a share is the platform's, and never negative."""
    ratio = Ratio.of(num, den)
    exact = Fraction(num, den)

    assert (exact.numerator, exact.denominator) == ratio
    assert 0 <= amount * exact - ratio.floor_of(amount) < 1


@given(st.integers(0, AMOUNT_FEN_MAX), st.integers(0, BP_PER_ONE))
def test_a_share_of_the_amount_never_rounds(paid_fen: int, rate_bp: int) -> None:
    """The units were chosen so: fen times basis points is micro."""
    assert Fraction(paid_fen, 100) * Fraction(rate_bp, 10_000) * MICRO_PER_YUAN == paid_fen * rate_bp


@given(micros)
def test_whole_fen_leave_less_than_a_fen_behind(micro: int) -> None:
    """A debt is rounded down too, so what stays behind is never negative."""
    assert 0 <= micro - whole_fen(micro) * MICRO_PER_FEN < MICRO_PER_FEN


# ---------------------------------------------------------------- splitting


@given(st.integers(0, MICRO_MAX), st.lists(st.integers(0, MICRO_MAX), min_size=1).filter(any))
def test_a_split_keeps_the_total_and_stays_within_one_of_the_exact_share(total: int, weights: list[int]) -> None:
    """3 times 33.33 is 99.99: the missing fen has to have an owner, and it is never one of weight 0."""
    parts = split(total, weights)

    assert total == sum(parts)
    assert all(abs(part - Fraction(total * weight, sum(weights))) < 1 for part, weight in zip(parts, weights, strict=True))
    assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if weight == 0)


SPLITS = """
# total by weights      parts
(100,[1,1,1])           [34,33,33]
(1,[1,1,1])             [1,0,0]         # of equal remainders the earlier takes it
(2,[1,1,1])             [1,1,0]
(0,[1,2])               [0,0]
(10,[0,1,0])            [0,10,0]
(100,[1,2,3])           [17,33,50]      # 16.67, 33.33, 50: the largest remainder first
(7,[5,3,1])             [4,2,1]         # 3.89, 2.33, 0.78
"""


@pytest.mark.parametrize(("case", "parts"), rows(SPLITS))
def test_the_largest_remainder_takes_the_fen_that_is_left(case: str, parts: str) -> None:
    """Two programs that split alike must agree on who gets the last fen."""
    assert literal_eval(parts) == split(*literal_eval(case))


# ---------------------------------------------------------------- refunds


def dhondt(legs: list[int], total: int) -> list[int]:
    """Plain D'Hondt, one micro at a time to the greatest leg / (part + 1), ties to the earlier leg; for small numbers."""
    parts = [0] * len(legs)
    for _ in range(total):
        quotients = [Fraction(leg, part + 1) for leg, part in zip(legs, parts, strict=True)]
        parts[quotients.index(max(quotients))] += 1
    return parts


@given(st.lists(st.integers(0, 12), min_size=1, max_size=6))
def test_a_reversal_is_the_divisor_rule_at_every_total(legs: list[int]) -> None:
    """Starting at the rounded-down quota is only a short cut: it must end where plain D'Hondt ends."""
    for total in range(sum(legs) + 1):
        assert dhondt(legs, total) == reversed_of(legs, total)


@given(legs_of_an_order, st.data())
def test_a_reversal_grows_with_the_refund_and_never_passes_its_leg(legs: list[int], data: st.DataObject) -> None:
    """This is what lets two refunds be subtracted: the difference is what the later one reverses."""
    less, more = sorted(data.draw(st.lists(st.integers(0, sum(legs)), min_size=2, max_size=2)))
    before, after = reversed_of(legs, less), reversed_of(legs, more)

    assert (less, more) == (sum(before), sum(after))
    assert all(0 <= b <= a <= leg for b, a, leg in zip(before, after, legs, strict=True))


@given(legs_of_an_order)
def test_a_full_refund_reverses_every_leg_exactly(legs: list[int]) -> None:
    """Nobody keeps a micro of an order that never was."""
    assert legs == reversed_of(legs, sum(legs))


def test_an_order_without_a_concession_has_nothing_to_reverse() -> None:
    """All legs 0 would divide by zero."""
    assert [0, 0] == reversed_of([0, 0], 0)


def random_order(chance: Random) -> tuple[int, int, list[int]]:
    """(paid_fen, concession_bp, legs): an order of any size whose legs add up to its concession."""
    paid_fen = chance.randint(1, 10 ** chance.randint(1, 10))
    concession_bp = chance.randint(1, BP_PER_ONE)
    concession = paid_fen * concession_bp
    cuts = sorted(chance.randint(0, concession) for _ in range(chance.randint(0, 11)))
    return paid_fen, concession_bp, [high - low for low, high in zip([0, *cuts], [*cuts, concession], strict=True)]


def refund_steps(chance: Random, paid_fen: int) -> list[int]:
    """What stands refunded after each of up to twelve refunds; the last one is for all that is left."""
    return [*sorted({chance.randint(1, paid_fen) for _ in range(chance.randint(0, 11))} - {paid_fen}), paid_fen]


def test_two_thousand_orders_come_out_even_through_any_partial_refunds() -> None:
    """Goods come back one by one; the books must end where they would have been without the order."""
    chance = Random(2000)
    refund_count = 0
    for _ in range(2_000):
        paid_fen, concession_bp, legs = random_order(chance)
        standing = [0] * len(legs)
        for refunded_fen in refund_steps(chance, paid_fen):
            after = reversed_of(legs, refunded_fen * concession_bp)

            assert all(new >= old for new, old in zip(after, standing, strict=True)), "no step is negative"
            assert all(new <= leg for new, leg in zip(after, legs, strict=True)), "no leg is over-reversed"
            standing = after
            refund_count += 1

        assert legs == standing, "every leg is returned exactly"
    assert refund_count > 10_000, "most orders were refunded in parts"


def test_splitting_each_refund_by_itself_over_reverses_a_leg() -> None:
    """The reason for the divisor rule, kept alive: were this false, the simple way would do."""
    chance = Random(2000)
    over_reversed_count = 0
    for _ in range(2_000):
        paid_fen, concession_bp, legs = random_order(chance)
        standing, before_fen = [0] * len(legs), 0
        for refunded_fen in refund_steps(chance, paid_fen):
            step = split((refunded_fen - before_fen) * concession_bp, legs)
            standing, before_fen = [old + new for old, new in zip(standing, step, strict=True)], refunded_fen
        over_reversed_count += any(part > leg for part, leg in zip(standing, legs, strict=True))

    assert over_reversed_count > 1_000, "more than half of the orders of the test above"
