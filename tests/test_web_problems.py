"""Problems: every refusal has a status, both languages, and names what is wrong in the caller's own words."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
import pytest

from rangli import errors
from rangli.errors import FieldRefused, OrderRefused, PlanFaulty, RangliError, RequestConflict
from rangli.web.problems import FAULTS, REFUSALS, Fault, kind_of, problem_of, refusal_of

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def refusals() -> list[type[RangliError]]:
    """The whole tree, root first."""
    found: list[type[RangliError]] = [RangliError]
    for cls in found:
        found.extend(cls.__subclasses__())
    return found


def test_every_refusal_has_a_status() -> None:
    """A refusal without one would be answered like its parent, and nobody would have chosen that."""
    assert set(REFUSALS) == set(refusals()), "give each class of errors.py its line in web/problems.py"


def test_statuses_say_whose_turn_it_is() -> None:
    """Clients decide by the status whether to mend the request, to come back later, or to tell a person."""
    assert all(status in {401, 403, 404, 409, 422, 429, 503} for status, _ in REFUSALS.values())
    assert all(503 == kind_of(cls).status for cls in refusals() if issubclass(cls, errors.Unavailable | errors.StoreError))
    assert all(404 == kind_of(cls).status for cls in refusals() if issubclass(cls, errors.NotFound))


def test_every_fault_of_http_is_told_in_both_languages_with_what_would_be_right() -> None:
    """Half of those who read a refusal do not read English."""
    for code, kind in FAULTS.items():
        assert CHINESE.search(kind.zh), code
        assert kind.zh.count("{") == kind.en.count("{"), code


def test_every_problem_has_a_title_in_both_languages() -> None:
    """A list of problems shows titles only, and who runs the till reads Chinese; two kinds of one title are not told apart."""
    problems = [problem_of(Fault(code, "{0}", "{1}")) for code in FAULTS]
    titles = [(problem.title_zh, problem.title_en) for problem in problems] + [kind_of(cls)[1:] for cls in refusals()]

    assert all(CHINESE.search(zh) and not CHINESE.search(en) and en.isascii() for zh, en in titles), titles
    assert len(titles) == len({zh for zh, _ in titles}) == len({en for _, en in titles})
    assert all((problem.title, problem.detail) == (problem.title_en, problem.en) for problem in problems)


def test_no_code_means_two_things() -> None:
    """Programs tell problems apart by code."""
    assert set() == set(FAULTS) & {cls.code for cls in refusals()}


def test_a_problem_carries_what_the_refusal_knows() -> None:
    """The facts of a refusal are for programs; its text is for people."""
    conflict = problem_of(RequestConflict("A1", "amount", "2.00", "1.00"))
    refused = problem_of(OrderRefused("concession", "concession_out_of_range", "让利 40%", "concession 40%"))
    faulty = problem_of(PlanFaulty([errors.Problem("unknown_field", "shares[0].x", 7, "多了", "too much")]))

    assert (409, "amount", "/docs#request_conflict") == (conflict.status, conflict.field, conflict.type)
    assert (422, "concession", "concession_out_of_range") == (refused.status, refused.field, refused.reason)
    assert [("unknown_field", "shares[0].x", 7)] == [(p.code, p.where, p.line) for p in faulty.problems]
    assert 12 == problem_of(errors.Broken(12, "坏", "broken")).position


def test_a_problem_leaves_out_what_it_does_not_have() -> None:
    """RFC 9457: members that say nothing are not there."""
    plain = msgspec.json.decode(msgspec.json.encode(problem_of(Fault("route_not_found"))))

    assert {"type", "title", "status", "detail", "code", "title_zh", "title_en", "zh", "en"} == plain.keys()


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    """Something with fields of every kind."""

    name: str
    limit: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    names: list[str] = []
    some: list[str] | None = None


FAULTY = """
# body                              field      what would be right
{}                                | name     | it is missing; it must be there
{"name":1}                        | name     | it must be a text, not a whole number
{"name":null}                     | name     | it must be a text, not null
{"name":"a","limit":"3"}          | limit    | it must be a whole number, not a text
{"name":"a","limit":0}            | limit    | it must be a whole number >= 1
{"name":"a","limit":10}           | limit    | it must be a whole number <= 9
{"name":"a","limit":1.5}          | limit    | it must be a whole number, not a decimal number
{"name":"a","names":["b",true]}   | names[1] | it must be a text, not true or false
{"name":"a","some":"b"}           | some     | it must be a list or null, not a text
{"name":"a","nmae":"b"}           | nmae     | there is no such field; there are name, limit, names, some
[]                                | body     | it must be an object, not a list
7                                 | body     | it must be an object, not a whole number
"""


@pytest.mark.parametrize("row", [row for row in FAULTY.splitlines() if row and not row.startswith("#")])
def test_json_that_does_not_fit_is_refused_by_field_with_what_would_be_right(row: str) -> None:
    """Whoever writes a client reads these more often than the documentation."""
    body, field, right = (part.strip() for part in row.split("|"))
    with pytest.raises(msgspec.ValidationError) as fault:
        msgspec.json.decode(body, type=Thing)
    refusal = refusal_of(fault.value, Thing.__struct_fields__)

    assert isinstance(refusal, FieldRefused)
    assert (field, f"{field}: {right}") == (refusal.field, refusal.en)
    assert CHINESE.search(refusal.zh)


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"name": "\xff"}', b"\xff\xfe", b'{"name":"a"} {', b"\xef\xbb\xbf{}", b'{"name":"\\ud800"}']
)
def test_what_is_no_json_is_a_fault_of_the_body(body: bytes) -> None:
    """No field can be named where there are none."""
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)) as fault:
        msgspec.json.decode(body, type=Thing)
    refusal = refusal_of(fault.value, Thing.__struct_fields__)

    assert isinstance(refusal, Fault)
    assert "json_malformed" == refusal.code
