"""Every table that can grow: filters, sorts, pages by cursor, and the same rows as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from rangli.errors import FieldRefused
from rangli.files.sheets import harmless
from rangli.web.console.words import UNITS, Amount, Link, State, in_beijing

PAGE: Final = 100
EXPORT_ROWS_MAX: Final = 200_000
EXPORT_PAGE: Final = 1_000
"""Rows asked for at a time when all of them are wanted."""
MONEY: Final = pa.decimal128(38, 6)
FORMATS: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
"""What a listing can be saved as, and the media type."""
_NUMBERS: Final = ("money", "count")

DIGITS_MAX: Final = 18
"""Of a number that is a cursor."""
NO_CURSOR: Final = ("cursor", "不是这种排列给出的游标;请从第一页开始", "is no cursor of this order; begin with the first page")
"""Field and words of the refusal."""

Row = dict[str, object]


class Column(NamedTuple):
    """One column. kind: text, money, count, time, link, hash, state or code."""

    key: str
    zh: str
    en: str
    kind: str = "text"


class Filter(NamedTuple):
    """One way to narrow the rows. kind: text, date, choice or amount."""

    name: str
    zh: str
    en: str
    kind: str = "text"
    choices: tuple[tuple[str, str, str], ...] = ()
    """(code, zh, en) of a choice; the empty one, which narrows nothing, is added."""
    help_zh: str = ""
    help_en: str = ""


class Sort(NamedTuple):
    """One order of the rows."""

    code: str
    zh: str
    en: str
    column: str = ""
    """Key of the column that it sorts by; its head leads to this order."""
    is_falling: bool = False
    """Whether the largest, or the newest, comes first."""


Turns = tuple[Sort, Sort]
"""The two orders of one column; its head leads from each to the other."""


def turns(column: str, falling: tuple[str, str, str], rising: tuple[str, str, str]) -> Turns:
    """Each as (code, zh, en)."""
    return Sort(*falling, column=column, is_falling=True), Sort(*rising, column=column)


def by_time(column: str) -> Turns:
    """By when it was, or by a number that is given in the order of time."""
    return turns(column, ("newest", "最新的在前", "Newest first"), ("oldest", "最早的在前", "Oldest first"))


def by_use(column: str) -> Turns:
    """By when it was used last; what was never used is what has been unused for longest."""
    falling = ("used", "最近用过的在前", "Last used first")
    return turns(column, falling, ("unused", "最久没用的在前", "Longest unused first"))


def by_money(column: str, zh: str, en: str) -> Turns:
    """By an amount."""
    falling = ("largest", f"{zh}从大到小", f"Largest {en} first")
    return turns(column, falling, ("smallest", f"{zh}从小到大", f"Smallest {en} first"))


def by_count(column: str, zh: str, en: str) -> Turns:
    """By how many there are."""
    falling = (f"{column}-most", f"{zh}从多到少", f"Most {en} first")
    return turns(column, falling, (f"{column}-fewest", f"{zh}从少到多", f"Fewest {en} first"))


def by_words(column: str, zh: str, en: str) -> Turns:
    """By a text, letter by letter as Unicode numbers them, or by a state as its page lists states; here rising comes first."""
    back, plain = turns(column, (f"{column}-back", f"按{zh}倒序", f"By {en}, backwards"), (column, f"按{zh}", f"By {en}"))
    return plain, back


class Want(NamedTuple):
    """What is asked of a listing."""

    filters: dict[str, str]
    sort: str
    cursor: str
    """As ``fetch`` gave it in ``Slice.next``."""
    limit: int


class Slice(NamedTuple):
    """Some rows, and where the next begin; ``next`` is empty at the end."""

    rows: list[Row]
    next: str = ""
    zh: str = ""
    en: str = ""
    """Something to be told about this page, such as how far it looked."""
    is_waiting: bool = False
    """Whether the rows are not known yet, because the journal is still being read for this order: the page asks again."""


class Listing(NamedTuple):
    """A table with all that can be asked of it."""

    name: str
    """Of the file that it is saved as."""
    zh: str
    en: str
    columns: tuple[Column, ...]
    fetch: Callable[[Want], Slice]
    """Raises FieldRefused for a filter that cannot be."""
    filters: tuple[Filter, ...] = ()
    sorts: tuple[Sort, ...] = ()
    """The first is the one without asking."""
    empty: tuple[str, str] = ("还没有记录。", "Nothing here yet.")


def wanted(listing: Listing, query: dict[str, str]) -> Want:
    """What the query asks of the listing. Raises FieldRefused for a sort or a choice that there is not."""
    filters = {one.name: query[one.name].strip() for one in listing.filters if query.get(one.name, "").strip()}
    for one in listing.filters:
        if "\0" in filters.get(one.name, ""):
            raise FieldRefused(one.name, "含有空字符;请删去", "it has a null character in it; take that out")
        codes = [code for code, _, _ in one.choices]
        if one.kind == "choice" and one.name in filters and filters[one.name] not in codes:
            raise FieldRefused(one.name, f"应为 {'、'.join(codes)} 之一", f"it must be one of {', '.join(codes)}")
    sorts = [one.code for one in listing.sorts] or [""]
    sort = query.get("sort") or sorts[0]
    if sort not in sorts:
        raise FieldRefused("sort", f"应为 {'、'.join(sorts)} 之一", f"it must be one of {', '.join(sorts)}")
    return Want(filters, sort, _cursor(query.get("cursor", ""), sort), PAGE)


def page(listing: Listing, want: Want) -> Slice:
    """A page, whose cursor names the order that it belongs to: in another one it would skip rows, or repeat them."""
    found = listing.fetch(want)
    return found._replace(next=f"{want.sort}.{found.next}") if found.next else found


def _cursor(text: str, sort: str) -> str:
    """What ``fetch`` gave, of the cursor in an address. Raises FieldRefused for a cursor of another order."""
    order, dot, cursor = text.partition(".")
    if text and not (dot and order == sort):
        raise FieldRefused(*NO_CURSOR)
    return cursor


def number_of(cursor: str) -> int:
    """The number that a cursor is where rows are numbered, 0 for none. Raises FieldRefused."""
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= DIGITS_MAX):
        raise FieldRefused(*NO_CURSOR)
    return int(cursor or 0)


# ---------------------------------------------------------------- as files


def saved(listing: Listing, want: Want, form: str, lang: str) -> bytes:
    """All rows of the filter, as far as EXPORT_ROWS_MAX, as a file; the last row of a CSV or a sheet says if there were more."""
    if form not in FORMATS:
        raise FieldRefused("as", f"应为 {'、'.join(FORMATS)} 之一", f"it must be one of {', '.join(FORMATS)}")
    rows = list(islice(_rows(listing, want), EXPORT_ROWS_MAX + 1))
    is_cut = len(rows) > EXPORT_ROWS_MAX
    del rows[EXPORT_ROWS_MAX:]
    write = {"csv": _csv, "xlsx": _xlsx, "parquet": _parquet}[form]
    return write(listing, rows, lang, is_cut=is_cut)


def _rows(listing: Listing, want: Want) -> Iterator[Row]:
    """Page after page, without end until ``next`` is empty: a listing that has to wait reads on at each ask, or refuses."""
    cursor = want.cursor
    while True:
        some = listing.fetch(want._replace(cursor=cursor, limit=EXPORT_PAGE))
        yield from some.rows
        cursor = some.next
        if not cursor:
            return


def _cut(lang: str) -> str:
    if lang == "zh":
        return f"只导出了前 {EXPORT_ROWS_MAX} 行;请用筛选缩小范围"
    return f"only the first {EXPORT_ROWS_MAX} rows; narrow it with the filters"


def text_of(value: object, kind: str, lang: str) -> str:
    """A cell as text."""
    if isinstance(value, Amount):
        return value.text
    if isinstance(value, Link):
        return value.text
    if isinstance(value, State):
        return value.zh if lang == "zh" else value.en
    return in_beijing(str(value)) if kind == "time" else str(value)


def heads(listing: Listing, lang: str) -> list[tuple[str, str]]:
    """Key and name of each column of a file: beside every amount stands its unit."""
    out = []
    for column in listing.columns:
        out.append((column.key, column.zh if lang == "zh" else column.en))
        if column.kind == "money":
            out.append((f"{column.key} unit", "单位" if lang == "zh" else "unit"))
    return out


def _cells(listing: Listing, row: Row, lang: str) -> list[object]:
    """The cells of a file's row: decimals, whole numbers and texts."""
    out: list[object] = []
    for column in listing.columns:
        value = row.get(column.key, "")
        if column.kind == "money":
            amount = value if isinstance(value, Amount) else Amount("", "")
            out.append(Decimal(amount.text) if amount.text else "")
            out.append((UNITS[amount.unit][lang != "zh"]) if amount.unit else "")
        elif column.kind == "count" and value != "":
            out.append(int(str(value)))
        else:
            out.append(text_of(value, column.kind, lang))
    return out


def _csv(listing: Listing, rows: list[Row], lang: str, *, is_cut: bool) -> bytes:
    """With a byte order mark, without which Excel takes UTF-8 for something else."""
    out = io.StringIO()
    write = csv.writer(out)
    write.writerow([name for _, name in heads(listing, lang)])
    for row in rows:
        write.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in _cells(listing, row, lang)])
    if is_cut:
        write.writerow([_cut(lang)])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _xlsx(listing: Listing, rows: list[Row], lang: str, *, is_cut: bool) -> bytes:
    """Numbers are numbers; texts stay texts, whatever they begin with."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    sheet = book.add_worksheet()
    bold, money, count = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0.00####"}), book.add_format()
    sheet.freeze_panes(1, 0)
    for place, (_, name) in enumerate(heads(listing, lang)):
        sheet.write_string(0, place, name, bold)
        sheet.set_column(place, place, 20)
    for number, row in enumerate(rows, 1):
        for place, cell in enumerate(_cells(listing, row, lang)):
            if isinstance(cell, Decimal):
                sheet.write_number(number, place, cell, money)
            elif isinstance(cell, int):
                sheet.write_number(number, place, cell, count)
            elif cell != "":
                sheet.write_string(number, place, str(cell))
    if is_cut:
        sheet.write_string(len(rows) + 1, 0, _cut(lang))
    book.close()
    return out.getvalue()


def _parquet(listing: Listing, rows: list[Row], lang: str, *, is_cut: bool) -> bytes:
    """Columns by their keys, amounts as decimals with their unit beside; whether rows are missing is in the metadata."""
    names = [key.replace(" ", "_") for key, _ in heads(listing, lang)]
    kinds: list[pa.DataType] = []
    for column in listing.columns:
        kinds += [MONEY, pa.string()] if column.kind == "money" else [pa.int64() if column.kind == "count" else pa.string()]
    columns = zip(*(_cells(listing, row, lang) for row in rows), strict=True) if rows else ([] for _ in names)
    arrays = [
        pa.array([None if cell == "" and kind != pa.string() else cell for cell in column], kind)
        for column, kind in zip(columns, kinds, strict=True)
    ]
    out = io.BytesIO()
    table = pa.table(arrays, names=names).replace_schema_metadata({"cut": "yes" if is_cut else "no"})
    pq.write_table(table, out)
    return out.getvalue()
