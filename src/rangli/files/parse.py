"""Compiled reading of text: amounts, percentages, instants and names, straight from Arrow's string buffers.

``data`` holds the bytes of all texts of a column, and text i is ``data[offsets[i]:offsets[i + 1]]``; nothing is copied and no
string is made. The grammars are those of ``money.parse_yuan`` and ``money.parse_percent``, which stay the authority on why a
text is refused: a property test ties both. Kernels read bytes as ``int`` first, so that they say the same without the JIT.

No kernel divides: the calendar is a table made by the standard library.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rangli.engine.kernel import kernel
from rangli.ledger.accounts import KIND_NAMES, NAME_BYTES_MAX
from rangli.money import AMOUNT_FEN_MAX, INT64_MAX

# Status of a text.
OK: Final = 0
EMPTY: Final = 1
SPACES: Final = 2
TOO_LONG: Final = 3
NOT_UTF8: Final = 4
KIND_WITHOUT_NAME: Final = 5
TIME_MALFORMED: Final = 6
DATE_IMPOSSIBLE: Final = 7
CLOCK_IMPOSSIBLE: Final = 8
YEAR_OUT_OF_RANGE: Final = 9
MALFORMED: Final = 10
OUT_OF_RANGE: Final = 11
"""Not an amount or not a percentage; ``money`` knows why."""

YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2100
MONTHS: Final = 12
SECONDS_PER_DAY: Final = 86_400
SECONDS_PER_MINUTE: Final = 60
MINUTES_PER_HOUR: Final = 60
NANOS_PER_SECOND: Final = 10**9
BEIJING_SECONDS: Final = 8 * 3600
"""UTC+8, without summer time."""

_TABLE_YEARS: Final = range(YEAR_MIN - 1, YEAR_MAX + 2)
"""A year more at both ends: what is 1999 in London may be 2000 in Beijing."""
_MONTH_START: Final = np.array(
    [
        date(year, month, 1).toordinal() - date(1970, 1, 1).toordinal()
        for year in [*_TABLE_YEARS, _TABLE_YEARS.stop]
        for month in range(1, MONTHS + 1)
    ],
    np.int64,
)
"""Days since 1970-01-01 of the first of each month of these years."""
_TABLE_YEAR_MIN: Final = _TABLE_YEARS[0]
_TABLE_YEAR_MAX: Final = _TABLE_YEARS[-1]
DAY_MIN: Final = date(YEAR_MIN, 1, 1).toordinal() - date(1970, 1, 1).toordinal()
DAY_MAX: Final = date(YEAR_MAX, 12, 31).toordinal() - date(1970, 1, 1).toordinal()

_YUAN_DIGITS: Final = np.int64(9)
_PERCENT_DIGITS: Final = np.int64(4)

_KIND_LETTERS: Final = np.frombuffer("".join(f"{kind}:" for kind in KIND_NAMES).encode(), np.uint8)
_KIND_STARTS: Final = np.cumsum([0, *(len(kind) + 1 for kind in KIND_NAMES)])

# The widest values of the kernels, proved to fit.
assert 10 ** int(_YUAN_DIGITS) * 100 < INT64_MAX
assert int(_MONTH_START[-1]) * SECONDS_PER_DAY * NANOS_PER_SECOND < INT64_MAX

_DIGIT_0: Final = ord("0")
_DIGIT_9: Final = ord("9")
_POINT: Final = ord(".")
_PERCENT_SIGN: Final = ord("%")
_MINUS: Final = ord("-")
_PLUS: Final = ord("+")
_COLON: Final = ord(":")
_SPACE: Final = ord(" ")
_LETTER_T: Final = ord("T")
_LETTER_Z: Final = ord("Z")


# ---------------------------------------------------------------- numbers


@kernel
def _digit(data: NDArray[np.uint8], i: int, end: int) -> int:
    """The digit at ``i``, or -1."""
    if i >= end:
        return -1
    letter = int(data[i])
    return letter - _DIGIT_0 if _DIGIT_0 <= letter <= _DIGIT_9 else -1


@kernel
def _two_digits(data: NDArray[np.uint8], i: int) -> int:
    """The number of the two digits at ``i``, or -1; both places are inside the text."""
    tens, ones = int(data[i]) - _DIGIT_0, int(data[i + 1]) - _DIGIT_0
    return tens * 10 + ones if 0 <= tens <= 9 and 0 <= ones <= 9 else -1  # noqa: PLR2004 -- digits


@kernel
def _hundredths(data: NDArray[np.uint8], start: int, end: int, digits_max: int) -> int:
    r"""Hundredths of ``(0|[1-9][0-9]*)(\.[0-9]{1,2})?`` with at most ``digits_max`` whole digits, or -1."""
    whole: int = 0
    i = start
    digit: int = _digit(data, i, end)
    while digit >= 0:
        whole = whole * 10 + digit
        i += 1
        if i - start > digits_max:
            return -1
        digit = _digit(data, i, end)
    if i == start or (i - start > 1 and int(data[start]) == _DIGIT_0):
        return -1
    if i == end:
        return whole * 100
    tenths: int = _digit(data, i + 1, end)
    if int(data[i]) != _POINT or tenths < 0 or end - i > len(".00"):
        return -1
    if i + 2 == end:
        return whole * 100 + tenths * 10
    ones: int = _digit(data, i + 2, end)
    return -1 if ones < 0 else whole * 100 + tenths * 10 + ones


@kernel
def parse_yuan_texts(
    offsets: NDArray[np.int32], data: NDArray[np.uint8], fen: NDArray[np.int64], status: NDArray[np.int8]
) -> None:
    """``money.parse_yuan`` of each text.

    fen    : int64 (n,)  written; 0 unless status is OK
    status : int8 (n,)   written; OK or MALFORMED
    """
    for row in range(len(fen)):
        value = _hundredths(data, np.int64(offsets[row]), np.int64(offsets[row + 1]), _YUAN_DIGITS)
        good = 0 <= value <= AMOUNT_FEN_MAX
        fen[row] = value if good else 0
        status[row] = OK if good else MALFORMED


@kernel
def parse_yuan_or_nothing_texts(
    offsets: NDArray[np.int32], data: NDArray[np.uint8], fen: NDArray[np.int64], status: NDArray[np.int8]
) -> None:
    """The same where an empty text is 0."""
    parse_yuan_texts(offsets, data, fen, status)
    for row in range(len(fen)):
        if offsets[row] == offsets[row + 1]:
            status[row] = OK


@kernel
def parse_percent_texts(
    offsets: NDArray[np.int32], data: NDArray[np.uint8], bp: NDArray[np.int64], status: NDArray[np.int8]
) -> None:
    """``money.parse_percent`` of each text.

    bp     : int64 (n,)  written; 0 unless status is OK
    status : int8 (n,)   written; OK or MALFORMED
    """
    for row in range(len(bp)):
        start, last = np.int64(offsets[row]), np.int64(offsets[row + 1]) - 1
        value = -1
        if last > start and int(data[last]) == _PERCENT_SIGN:
            value = _hundredths(data, start, last, _PERCENT_DIGITS)
        bp[row] = max(value, 0)
        status[row] = OK if value >= 0 else MALFORMED


# ---------------------------------------------------------------- instants


@kernel
def _parse_date(data: NDArray[np.uint8], start: int) -> tuple[int, int]:
    """Status, and days since 1970-01-01, of the ten letters ``YYYY-MM-DD`` at ``start``."""
    century, year = _two_digits(data, start), _two_digits(data, start + 2)
    month, day = _two_digits(data, start + 5), _two_digits(data, start + 8)
    if century < 0 or year < 0 or month < 0 or day < 0 or int(data[start + 4]) != _MINUS or int(data[start + 7]) != _MINUS:
        return TIME_MALFORMED, 0
    year += century * 100
    if not _TABLE_YEAR_MIN <= year <= _TABLE_YEAR_MAX:
        return YEAR_OUT_OF_RANGE, 0
    if not 1 <= month <= MONTHS:
        return DATE_IMPOSSIBLE, 0
    first = (year - _TABLE_YEAR_MIN) * MONTHS + month - 1
    number = int(_MONTH_START[first]) + day - 1
    return (OK, number) if day >= 1 and number < _MONTH_START[first + 1] else (DATE_IMPOSSIBLE, 0)


@kernel
def _parse_clock(data: NDArray[np.uint8], start: int, end: int) -> tuple[int, int, int, int]:
    """Status, second of the day, nanosecond, and where it ends, of the ``HH:MM[:SS[.fffffffff]]`` at ``start``."""
    i = start + len("00:00")
    if i > end or int(data[start + 2]) != _COLON:
        return TIME_MALFORMED, 0, 0, i
    hour, minute, second, nanos = _two_digits(data, start), _two_digits(data, start + 3), 0, 0
    if i + len(":00") <= end and int(data[i]) == _COLON:
        second = _two_digits(data, i + 1)
        i += len(":00")
        if i < end and int(data[i]) == _POINT:
            i += 1
            if _digit(data, i, end) < 0:
                return TIME_MALFORMED, 0, 0, i
            for place_ns in (100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1):
                digit = _digit(data, i, end)
                if digit < 0:
                    break
                nanos, i = nanos + digit * place_ns, i + 1
    if hour < 0 or minute < 0 or second < 0:
        return TIME_MALFORMED, 0, 0, i
    if hour > 23 or minute > 59 or second > 59:  # noqa: PLR2004 -- the clock
        return CLOCK_IMPOSSIBLE, 0, 0, i
    return OK, (hour * MINUTES_PER_HOUR + minute) * SECONDS_PER_MINUTE + second, nanos, i


@kernel
def _parse_offset(data: NDArray[np.uint8], i: int, end: int) -> tuple[int, int]:
    """Status, and seconds ahead of UTC, of ``Z``, ``+HH:MM``, ``-HH:MM`` or nothing (Beijing) at ``i``."""
    if i == end:
        return OK, BEIJING_SECONDS
    sign = int(data[i])
    if sign == _LETTER_Z and i + 1 == end:
        return OK, 0
    if i + len("+00:00") != end or (sign not in (_PLUS, _MINUS)) or int(data[i + 3]) != _COLON:
        return TIME_MALFORMED, 0
    hour, minute = _two_digits(data, i + 1), _two_digits(data, i + 4)
    if hour < 0 or minute < 0:
        return TIME_MALFORMED, 0
    if hour > 23 or minute > 59:  # noqa: PLR2004 -- the clock
        return CLOCK_IMPOSSIBLE, 0
    seconds = (hour * MINUTES_PER_HOUR + minute) * SECONDS_PER_MINUTE
    return OK, seconds if sign == _PLUS else -seconds


@kernel
def _parse_instant(data: NDArray[np.uint8], start: int, end: int) -> tuple[int, int, int]:
    """Status, nanoseconds since 1970-01-01T00:00Z, and Beijing day, of one text."""
    i = start + len("2000-01-01")
    if start == end:
        return EMPTY, 0, 0
    if i > end:
        return TIME_MALFORMED, 0, 0
    date_status, day = _parse_date(data, start)
    clock_status, second, nanos, offset_status, ahead = OK, 0, 0, OK, BEIJING_SECONDS
    if i < end:
        if int(data[i]) not in (_LETTER_T, _SPACE):
            return TIME_MALFORMED, 0, 0
        clock_status, second, nanos, i = _parse_clock(data, i + 1, end)
        if clock_status != TIME_MALFORMED:
            offset_status, ahead = _parse_offset(data, i, end)
    # Form before meaning, and the date before the clock.
    if TIME_MALFORMED in (date_status, clock_status, offset_status):
        return TIME_MALFORMED, 0, 0
    for status in (date_status, clock_status, offset_status):
        if status != OK:
            return status, 0, 0
    second += BEIJING_SECONDS - ahead
    while second < 0:
        day, second = day - 1, second + SECONDS_PER_DAY
    while second >= SECONDS_PER_DAY:
        day, second = day + 1, second - SECONDS_PER_DAY
    if not DAY_MIN <= day <= DAY_MAX:
        return YEAR_OUT_OF_RANGE, 0, 0
    return OK, (day * SECONDS_PER_DAY + second - BEIJING_SECONDS) * NANOS_PER_SECOND + nanos, day


@kernel
def parse_instant_texts(
    offsets: NDArray[np.int32],
    data: NDArray[np.uint8],
    instant_ns: NDArray[np.int64],
    day: NDArray[np.int64],
    status: NDArray[np.int8],
) -> None:
    """The instant of each text: ``YYYY-MM-DD``, or with ``[T ]HH:MM[:SS[.f]]`` and ``Z`` or ``±HH:MM``; no offset is Beijing.

    instant_ns : int64 (n,)  written; nanoseconds since 1970-01-01T00:00Z, 0 unless status is OK
    day        : int64 (n,)  written; days since 1970-01-01 in Beijing, 0 unless status is OK
    status     : int8 (n,)   written; OK, EMPTY, TIME_MALFORMED, DATE_IMPOSSIBLE, CLOCK_IMPOSSIBLE or YEAR_OUT_OF_RANGE
    """
    for row in range(len(status)):
        status[row], instant_ns[row], day[row] = _parse_instant(data, np.int64(offsets[row]), np.int64(offsets[row + 1]))


def instants_of(
    ticks: NDArray[np.datetime64], instant_ns: NDArray[np.int64], day: NDArray[np.int64], status: NDArray[np.int8]
) -> None:
    """The same from UTC times that came as numbers.

    ticks      : datetime64 (n,)  of any unit; NaT is EMPTY
    the others : as in ``parse_instant_texts``
    """
    ahead = np.timedelta64(BEIJING_SECONDS, "s")
    low, high = np.datetime64(DAY_MIN, "D") - ahead, np.datetime64(DAY_MAX + 1, "D") - ahead
    status[:] = np.where(np.isnat(ticks), EMPTY, np.where((ticks >= low) & (ticks < high), OK, YEAR_OUT_OF_RANGE))
    sound = np.where(status == OK, ticks, np.datetime64(0, "s")).astype("M8[ns]")
    instant_ns[:] = sound.astype(np.int64)
    day[:] = np.where(status == OK, (sound + ahead).astype("M8[D]").astype(np.int64), 0)


# ---------------------------------------------------------------- names


@kernel
def _is_blank(data: NDArray[np.uint8], i: int, end: int) -> bool:
    """Whether the letter at ``i`` is white space, as ``str.strip`` understands it."""
    lead = int(data[i])
    if lead <= _SPACE:
        return lead == _SPACE or 9 <= lead <= 13 or 28 <= lead <= 31  # noqa: PLR2004 -- tabs, line ends, separators
    if lead == 0xC2 and i + 1 < end:  # noqa: PLR2004 -- U+0085, U+00A0
        return int(data[i + 1]) in (0x85, 0xA0)
    if 0xE1 <= lead <= 0xE3 and i + 2 < end:  # noqa: PLR2004 -- three bytes
        letter = ((lead & 0x0F) << 12) | ((int(data[i + 1]) & 0x3F) << 6) | (int(data[i + 2]) & 0x3F)
        return 0x2000 <= letter <= 0x200A or letter in (0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)  # noqa: PLR2004
    return False


@kernel
def _is_plain(byte: int) -> bool:
    """Whether it is an ASCII letter that can be seen."""
    return _SPACE < byte < 127  # noqa: PLR2004 -- DEL


@kernel
def _after_kind(data: NDArray[np.uint8], start: int, end: int) -> int:
    """Where the name begins in a text such as ``merchant:<name>``; ``start`` itself when no kind is written."""
    for kind in range(len(_KIND_STARTS) - 1):
        first = int(_KIND_STARTS[kind])
        width = int(_KIND_STARTS[kind + 1]) - first
        same = 0
        while same < width and start + same < end and data[start + same] == _KIND_LETTERS[first + same]:
            same += 1
        if same == width:
            return start + width
    return start


@kernel
def check_names(offsets: NDArray[np.int32], data: NDArray[np.uint8], with_kind: int, status: NDArray[np.int8]) -> None:
    """Whether each text can be a name; that it is UTF-8 is not looked at.

    with_kind : 1 when the name may be written with its kind, as ``merchant:<name>``
    status    : int8 (n,)  written; OK, EMPTY, SPACES (around it), TOO_LONG (over NAME_BYTES_MAX bytes) or KIND_WITHOUT_NAME
    """
    for row in range(len(status)):
        start, end = np.int64(offsets[row]), np.int64(offsets[row + 1])
        if start == end:
            status[row] = EMPTY
            continue
        name = _after_kind(data, start, end) if with_kind == 1 else start
        if name == end:
            status[row] = KIND_WITHOUT_NAME
            continue
        if _is_plain(data[name]) and _is_plain(data[end - 1]) and name == start and end - start <= NAME_BYTES_MAX:
            status[row] = OK
            continue
        last = end - 1
        while last > name and int(data[last]) & 0xC0 == 0x80:  # noqa: PLR2004 -- back to the first byte of the last letter
            last -= 1
        if _is_blank(data, start, end) or _is_blank(data, name, end) or _is_blank(data, last, end):
            status[row] = SPACES
        else:
            status[row] = TOO_LONG if end - name > NAME_BYTES_MAX else OK


@kernel
def first_seen(codes: NDArray[np.int32], place: NDArray[np.int32], seen: NDArray[np.int32]) -> int:
    """Number codes anew in order of first appearance, and say how many there are.

    codes : int32 (n,)  written; a negative code is "none" and becomes -1
    place : int32 (number of old codes,)  scratch, all -1
    seen  : int32 (number of old codes,)  written; the old code of each new one
    """
    count = 0
    for row in range(len(codes)):
        old = codes[row]
        if old < 0:
            codes[row] = -1
            continue
        if place[old] < 0:
            place[old] = count
            seen[count] = old
            count += 1
        codes[row] = place[old]
    return count
