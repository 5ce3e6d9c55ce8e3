"""An id counts once and for ever: the same facts get the first answer again, other facts are refused by the name of the field."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import msgspec
import numpy as np
import pytest
import service_worlds
from service_worlds import (
    MARKET,
    NOON,
    ONE_OF_EACH,
    SEASON,
    House,
    changed,
    connected,
    done,
    journal_of,
    known,
    opened,
    order,
    orders,
    reason,
    running,
)

from rangli.errors import OrderNotFound, RequestConflict
from rangli.service import Running
from rangli.service.clock import SetClock
from rangli.service.looking import reading
from rangli.service.requests import (
    ID_FIELD,
    ActivationRequest,
    ClosingRequest,
    InjectionRequest,
    RefundRequest,
    Request,
    SaleRequest,
    Signature,
)
from rangli.service.settling import batch, recovery, repeated
from rangli.service.settling.verify import verify
from rangli.service.views import Answer

house = service_worlds.house
url = service_worlds.url
DAY = 86_400


def others(request: Request) -> Iterator[tuple[str, Request]]:
    """For each field but the id, the same request with another value in it."""
    values = {
        "paid_at": "2026-01-05 12:00:01", "merchant": "别家", "consumer": "李四", "amount": "9.99", "concession": "20.01%",
        "voucher": "0.01", "order_id": "o3", "points": "0.500001", "on": "2026-03-02", "plan": changed(MARKET, ("0.5%", "0.4%")),
        "signed": (Signature("安", "试点", "意见书 1"),),
    }  # fmt: skip
    for field in type(request).__struct_fields__:
        if field != ID_FIELD[type(request)]:
            yield field, msgspec.structs.replace(request, **{field: values.get(field, "别人")})


CONFLICTS = [(kind, field, other) for kind, request in ONE_OF_EACH.items() for field, other in others(request)]
EARLIER = [*orders(range(5)), InjectionRequest("id before", "3")]


def again(answer: Answer) -> Answer:
    """The same answer, given again."""
    return msgspec.structs.replace(answer, repeated=True)


# ---------------------------------------------------------------- the same facts


@pytest.mark.parametrize("checkpoint_every", [1, 100_000])
def test_the_first_answer_is_given_for_ever(url: str, checkpoint_every: int) -> None:
    """In the same batch, in later ones, under another version of the plan, after restarts with and without a checkpoint.

    All kinds share one id here: ids of different kinds have nothing to do with each other.
    """
    requests = list(ONE_OF_EACH.values())
    with running(url, MARKET) as programme:
        programme.do(EARLIER)
        first = programme.do([*requests, *requests])
        expected = [again(answer) for answer in done(first[: len(requests)])]

        assert expected == first[len(requests) :]
        assert expected == programme.do(requests)
        done(programme.do([ActivationRequest("next", changed(MARKET, ("max: 30%", "max: 19%"), ("pays: 80%", "pays: 70%")))]))
        assert expected == programme.do(requests)
        state_hash, position = programme.state_hash(), programme.position()
    for _ in range(2):
        with running(url, MARKET, clock=SetClock(NOON + DAY), checkpoint_every=checkpoint_every) as programme:
            assert expected == programme.do(requests)
            assert (state_hash, position) == (programme.state_hash(), programme.position())
            done(programme.do([InjectionRequest(f"more {position}", "1")]))
            state_hash, position = programme.state_hash(), programme.position()


WRITINGS = {
    "amount": [("100", "100.0", "100.00")],
    "paid_at": [
        ("2026-01-05 12:00:00", "2026-01-05T12:00", "2026-01-05T12:00+08:00", "2026-01-05T04:00:00Z", "2026-01-05 12:00:00.000")
    ],
    "concession": [("20%", "20.0%", "20.00%")],
    "voucher": [("", "0", "0.00")],
    "referrer": [("张三", "consumer:张三")],
    "referrer2": [("张三", "consumer:张三")],
    **{
        field: [("王五", "agent:王五")]
        for field in ("recruiter", "agent_district", "agent_city", "agent_province", "agent_region")
    },
}


@pytest.mark.parametrize(("field", "writings"), [(field, texts) for field, some in WRITINGS.items() for texts in some])
def test_equal_facts_are_equal_however_they_are_written(market: Running, field: str, writings: tuple[str, ...]) -> None:
    """A client that prints a time in another zone, or a decimal more, asks the same thing."""
    orders_ = [order(f"written {field} {n}", **{field: text}) for n in range(len(writings)) for text in writings]
    one_batch = done(market.do(orders_))
    later = done(market.do(orders_))

    assert [k % len(writings) > 0 for k in range(len(orders_))] == [answer.repeated for answer in one_batch]
    assert [again(answer) for answer in one_batch] == later


def test_equal_facts_of_other_requests_are_equal_too(market: Running) -> None:
    """Amounts and points with needless zeros, and a plan with another comment."""
    pairs: list[tuple[Request, Request]] = [
        (RefundRequest("w", "o1", "1"), RefundRequest("w", "o1", "1.00")),
        (SaleRequest("w", "c1", "0.1"), SaleRequest("w", "c1", "0.100000")),
        (InjectionRequest("w", "1"), InjectionRequest("w", "1.0")),
        (ActivationRequest("w", MARKET), ActivationRequest("w", "# the same\n" + MARKET)),
    ]
    for first, second in pairs:
        [answer] = done(market.do([first]))

        assert [again(answer)] * 2 == market.do([second, first])


# ---------------------------------------------------------------- other facts


@pytest.fixture(scope="module")
def market(house: House) -> Iterator[Running]:
    """A programme in which one request of each kind has been made under the same id."""
    with house.database() as url, running(url, MARKET) as programme:
        programme.do([*EARLIER, *ONE_OF_EACH.values()])
        yield programme


def check_conflict(answer: object, field: str, request: Request) -> None:
    """The refusal names the id, the field, and both values."""
    assert isinstance(answer, RequestConflict)
    assert (field, "id") == (answer.field, answer.request_id)
    assert answer.asked != answer.before
    assert field in answer.zh
    assert field in answer.en
    if field not in {"plan", "signed"}:
        assert getattr(request, field).removesuffix("%") in answer.asked.replace("T", " ")


@pytest.mark.parametrize(("kind", "field", "other"), CONFLICTS, ids=[f"{kind}-{field}" for kind, field, _ in CONFLICTS])
def test_other_facts_are_refused_by_the_name_of_the_field(market: Running, kind: str, field: str, other: Request) -> None:
    """In a later batch; and the first answer stands."""
    [refused] = market.do([other])
    [first] = done(market.do([ONE_OF_EACH[kind]]))

    check_conflict(refused, field, other)
    assert first.repeated


def test_other_facts_are_refused_in_the_same_batch(url: str) -> None:
    """Before the first of them is committed."""
    with running(url, MARKET) as programme:
        programme.do(EARLIER)
        requests = list(ONE_OF_EACH.values())
        answers = programme.do([*requests, *(other for _, _, other in CONFLICTS), *requests])

        assert all(answer.repeated for answer in done(answers[-len(requests) :]))
        for answer, (_, field, other) in zip(answers[len(requests) :], CONFLICTS, strict=False):
            check_conflict(answer, field, other)


def test_other_facts_are_refused_after_a_restart(house: House) -> None:
    """From the journal's own rows, since nothing else is left."""
    with house.database() as url, running(url, MARKET) as programme, connected(url) as connection:
        programme.do([*EARLIER, *ONE_OF_EACH.values()])
        programme.settler.close()
        with running(url, MARKET) as programme_again:
            before = known(programme_again, connection)
            for _, field, other in CONFLICTS:
                check_conflict(programme_again.do([other])[0], field, other)

            assert before == known(programme_again, connection)


def test_all_the_rest_is_not_a_part(url: str) -> None:
    """A refund of all that is left and one of a part are different requests: a caller must not take one for the other."""
    with running(url, MARKET) as programme:
        programme.do(EARLIER)
        for order_id, (asked, other) in {"o1": ("10", ""), "o2": ("", "10"), "o3": ("", "161.00")}.items():
            first, second = RefundRequest(f"r {order_id}", order_id, asked), RefundRequest(f"r {order_id}", order_id, other)
            answers = [*programme.do([first, second]), *programme.do([second, first])]

            assert ["", "request_conflict", "request_conflict", ""] == [reason(answer) for answer in answers]


def test_ids_of_different_kinds_and_programmes_have_nothing_to_do_with_each_other(url: str) -> None:
    """An order and its refund often have the same id in the shop's own system."""
    with opened(url) as service:
        for name in ("one", "two"):
            service.create(name, MARKET)
            answers = service.running(name).do([order("same"), RefundRequest("same", "same"), InjectionRequest("same", "1")])

            assert [False] * 3 == [answer.repeated for answer in done(answers)]


def test_an_id_refused_is_not_used_up(url: str) -> None:
    """What was refused may be corrected and sent again under its id."""
    with running(url, MARKET) as programme:
        programme.do(EARLIER)
        tries: list[Request] = [
            order("new", amount="0"), order("new", merchant=""), order("new", concession="99%"), order("new"),
            RefundRequest("new", "nobody's"), RefundRequest("new", "new", "101"), RefundRequest("new", "new", "100"),
            SaleRequest("new", "stranger", "1"), SaleRequest("new", "c1", "10000"), SaleRequest("new", "c1", "0.1"),
            ActivationRequest("new", SEASON), ActivationRequest("new", MARKET),
            ClosingRequest("new", "x"), ClosingRequest("new", "2026-01-09"),
        ]  # fmt: skip
        answers = [programme.do([request])[0] for request in tries]

        assert [3, 6, 9, 11, 13] == [k for k, answer in enumerate(answers) if not reason(answer)]
        assert [False] * 5 == [answer.repeated for answer in answers if isinstance(answer, Answer)]


# ---------------------------------------------------------------- ids that share a hash


@pytest.fixture
def one_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every id has the same 64-bit hash."""
    for room, name in product((batch, reading, recovery, repeated), ("hash_of", "hashes_of")):
        if hasattr(room, name):
            one = (lambda _, __: 7) if name == "hash_of" else lambda _, ends, __: np.full(len(ends) - 1, 7, np.int64)
            monkeypatch.setattr(room, name, one)


@pytest.mark.usefixtures("one_hash")
def test_ids_that_share_a_hash_are_told_apart(url: str) -> None:
    """A hash only says where to look; whether an id is the same is read from the row itself."""
    some = [*orders(range(5)), RefundRequest("o1", "o3"), InjectionRequest("o1", "1")]
    with running(url, MARKET) as programme:
        first = done(programme.do([*some, some[0]]))

        assert [False] * 7 + [True] == [answer.repeated for answer in first]
        assert ["request_conflict"] == [reason(answer) for answer in programme.do([order("o2", consumer="another")])]
        assert [5, "order_not_found"] == [programme.order("o3").position, not_found(programme, "o9")]
    with running(url, MARKET) as programme:
        assert [again(answer) for answer in first[:7]] == done(programme.do(some))
        assert [False] == [answer.repeated for answer in done(programme.do([order("o9")]))]
        assert 9 == len(journal_of(programme))
        verify(programme._database, "w")


def not_found(programme: Running, order_id: str) -> str:
    """The code of the refusal to show an order."""
    with pytest.raises(OrderNotFound) as refused:
        programme.order(order_id)
    return refused.value.code
