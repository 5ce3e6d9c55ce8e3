"""Compiled reading of text says what plain Python says, letter by letter."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rangli.errors import AmountMalformed, RateMalformed
from rangli.files import parse
from rangli.files.orders import _buffers
from rangli.files.repeats import repeated
from rangli.money import AMOUNT_FEN_MAX, parse_percent, parse_yuan, print_yuan

LETTERS = "0123456789.,-+eE% _naif０１９．％￥\u3000\n\x00"
NUMBERS = st.one_of(
    st.text(LETTERS, max_size=14),
    st.from_regex(r"[0-9]{0,11}(\.[0-9]{0,3})?%?", fullmatch=True),
    st.integers(0, AMOUNT_FEN_MAX + 200).map(print_yuan),
    st.integers(0, 10**12).map(str),
    st.integers(0, 20_000).map(lambda whole: f"{whole}%"),
)


def run(kernel: Callable[..., None], texts: list[str]) -> list[tuple[int, int]]:
    """What a kernel of numbers says of these texts: (value, status)."""
    values, status = np.full(len(texts), -7, np.int64), np.full(len(texts), -7, np.int8)
    kernel(*_buffers(pa.array([text.encode() for text in texts], pa.binary())), values, status)
    return list(zip(values.tolist(), status.tolist(), strict=True))


def plain(reader: Callable[[str], int], text: str) -> tuple[int, int]:
    """What ``money`` says of a text, in the same form."""
    try:
        return reader(text), parse.OK
    except (AmountMalformed, RateMalformed):
        return 0, parse.MALFORMED


@given(st.lists(NUMBERS, max_size=30))
@example(["100000000", "100000000.00", "100000000.01", "999999999.99", "1000000000", "0", "00", "0.", ".5", "0.1", "", "."])
def test_amounts_are_read_as_money_reads_them(texts: list[str]) -> None:
    """Two grammars for one column would accept in a file what the command line refuses."""
    expected = [plain(parse_yuan, text) for text in texts]

    assert expected == run(parse.parse_yuan_texts, texts)


@given(st.lists(NUMBERS, max_size=30))
@example(["0%", "20%", "6.25%", "9999.99%", "10000%", "%", "1.%", "20 %", "20%%", "", "0.05%", "00%"])
def test_percentages_are_read_as_money_reads_them(texts: list[str]) -> None:
    """The same for the concession."""
    expected = [plain(parse_percent, text) for text in texts]

    assert expected == run(parse.parse_percent_texts, texts)


@given(st.lists(NUMBERS, max_size=30))
def test_no_voucher_is_a_voucher_of_nothing(texts: list[str]) -> None:
    """The voucher column is optional row by row, and otherwise read as an amount."""
    expected = [plain(parse_yuan, text) if text else (0, parse.OK) for text in texts]

    assert expected == run(parse.parse_yuan_or_nothing_texts, texts)


# ---------------------------------------------------------------- instants

STAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?",
    re.ASCII,
)
BEIJING = timezone(timedelta(hours=8))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def plain_instant(text: str) -> tuple[int, int, int]:
    """(status, nanoseconds, Beijing day) by the standard library."""
    match = STAMP.fullmatch(text)
    if not text or match is None:
        return (parse.TIME_MALFORMED if text else parse.EMPTY), 0, 0
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    if not parse.YEAR_MIN - 1 <= year <= parse.YEAR_MAX + 1:
        return parse.YEAR_OUT_OF_RANGE, 0, 0
    try:
        date(year, month, day)
    except ValueError:
        return parse.DATE_IMPOSSIBLE, 0, 0
    offset = {None: "+08:00", "Z": "+00:00"}.get(match[8], match[8])
    if hour > 23 or max(minute, second, int(offset[4:])) > 59 or int(offset[1:3]) > 23:
        return parse.CLOCK_IMPOSSIBLE, 0, 0
    ahead = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:])) * (-1 if offset[0] == "-" else 1)
    moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone(ahead)).astimezone(BEIJING)
    if not parse.YEAR_MIN <= moment.year <= parse.YEAR_MAX:
        return parse.YEAR_OUT_OF_RANGE, 0, 0
    nanos = (moment - EPOCH) // timedelta(seconds=1) * 10**9 + int((match[7] or "").ljust(9, "0"))
    return parse.OK, nanos, (moment.date() - EPOCH.date()).days


STAMPS = st.one_of(
    st.from_regex(STAMP, fullmatch=True),
    st.text("0129-:TZ+. \n", max_size=30),
    st.builds(
        "{}{}{}{}".format,
        st.dates(date(1998, 12, 30), date(2102, 1, 2)),
        st.sampled_from("T "),
        st.times().map(lambda time: time.isoformat("auto")),
        st.sampled_from(["", "Z", "+08:00", "-11:30", "+23:59", "-23:59", "+24:00", "+0800", "z"]),
    ),
    st.builds("{:04}-{:02}-{:02}".format, st.integers(1998, 2102), st.integers(0, 13), st.integers(0, 32)),
)


@given(st.lists(STAMPS, max_size=30))
@example(
    ["2000-02-29", "2100-02-29", "2024-02-29", "2023-02-29", "1999-12-31T16:00Z", "1999-12-31T15:59:59Z", "2100-12-31T16:00Z"]
)
@example(["2026-01-05T12:30:59.", "2026-01-05T12:30.5", "2026-01-05T12", "2026-01-05 ", "2026-02-30 12:61", "2026-01-05T12:30:5"])
def test_instants_are_read_as_the_standard_library_reads_them(texts: list[str]) -> None:
    """The day decides the secret that draws are made with and the period that points belong to."""
    expected = [plain_instant(text) for text in texts]
    instant_ns, day, status = np.empty(len(texts), np.int64), np.empty(len(texts), np.int64), np.empty(len(texts), np.int8)
    parse.parse_instant_texts(*_buffers(pa.array([text.encode() for text in texts], pa.binary())), instant_ns, day, status)

    assert expected == list(zip(status.tolist(), instant_ns.tolist(), day.tolist(), strict=True))


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.sampled_from(["s", "ms", "us"]))  # noqa: DTZ001 -- naive by intent
def test_instants_that_come_as_numbers_are_the_same_instants(moment: datetime, unit: str) -> None:
    """A file may hold times as text or as timestamps; the orders are the same."""
    moment = moment.replace(microsecond=0)
    expected = plain_instant(f"{moment.isoformat()}Z")
    instant_ns, day, status = np.empty(1, np.int64), np.empty(1, np.int64), np.empty(1, np.int8)
    parse.instants_of(np.array([moment], f"M8[{unit}]"), instant_ns, day, status)

    assert expected == (int(status[0]), int(instant_ns[0]), int(day[0]))


# ---------------------------------------------------------------- names


def plain_name(text: str, *, with_kind: bool) -> int:
    """The status of a name, by ``str``."""
    if not text:
        return parse.EMPTY
    name = re.sub(r"\A(consumer|merchant|agent):", "", text) if with_kind else text
    if not name:
        return parse.KIND_WITHOUT_NAME
    if text != text.strip() or name != name.strip():
        return parse.SPACES
    return parse.TOO_LONG if len(name.encode()) > 200 else parse.OK


NAMES = st.one_of(
    st.text(max_size=6),
    st.text("a中\t\n \x0b\x1c\x1f\x85\xa0\u1680\u180e\u2000\u200a\u200b\u2028\u202f\u205f\u3000\ufeff\U0001f35c", max_size=5),
    st.builds(
        "{}{}".format, st.sampled_from(["merchant:", "consumer:", "agent:", "shop:", "merchan", "agent"]), st.text(max_size=3)
    ),
    st.integers(195, 205).map("a".__mul__),
    st.integers(60, 70).map("店".__mul__),
)


@pytest.mark.parametrize("with_kind", [False, True])
@given(st.lists(NAMES, max_size=20))
@example([chr(letter) for letter in range(0x3100) if not chr(letter).strip()])
def test_names_are_checked_as_text_is(with_kind: bool, texts: list[str]) -> None:  # noqa: FBT001 -- a parameter of the test
    """Two spellings of one name, one of them with a space that nobody sees, are two wallets."""
    expected = [plain_name(text, with_kind=with_kind) for text in texts]
    status = np.empty(len(texts), np.int8)
    parse.check_names(*_buffers(pa.array([text.encode() for text in texts], pa.binary())), int(with_kind), status)

    assert expected == status.tolist()


@given(st.lists(st.integers(-2, 9), max_size=40))
def test_codes_are_numbered_anew_in_order_of_first_appearance(codes: list[int]) -> None:
    """Holders are numbered as they first appear, so the order of a dictionary is the order of their numbers."""
    expected = list(dict.fromkeys(code for code in codes if code >= 0))
    anew, seen = np.array(codes, np.int32), np.empty(10, np.int32)
    count = parse.first_seen(anew, np.full(10, -1, np.int32), seen)

    assert expected == seen[:count].tolist()
    assert [expected.index(code) if code >= 0 else -1 for code in codes] == anew.tolist()


# ---------------------------------------------------------------- repeats


@given(
    st.lists(st.lists(st.sampled_from([-(2**63), -1, 0, 1, 2**56, 2**63 - 1]) | st.integers(-30, 30), max_size=9)),
    st.integers(0, 40),
)
def test_every_repeated_hash_is_found_whether_or_not_it_goes_to_disk(batches: list[list[int]], held_max: int) -> None:
    """A repeat that is missed settles an order twice."""
    counts = Counter(number for batch in batches for number in batch)
    expected = sorted(number for number, count in counts.items() if count > 1)
    actual = repeated((np.array(batch, np.int64) for batch in batches), held_max)

    assert expected == actual.tolist()


def test_nothing_is_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of orders is settled every day; what each leaves behind would fill the disk."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    actual = repeated((np.arange(100) for _ in range(2)), held_max=10)

    assert list(range(100)) == actual.tolist()
    assert [] == list(tmp_path.iterdir())
