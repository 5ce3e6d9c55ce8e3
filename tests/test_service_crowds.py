"""Many at once: one effect for one id, however many ask, and one refund for each that is asked twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import msgspec
import pytest
import service_worlds
from service_worlds import MARKET, House, done, journal_of, micro, opened, order, orders, reason, running

from rangli.errors import RequestConflict
from rangli.service import Running, Service
from rangli.service.requests import InjectionRequest, RefundRequest, Request, SaleRequest
from rangli.service.settling.verify import verify
from rangli.service.views import Answer

house = service_worlds.house
url = service_worlds.url


@pytest.fixture(scope="module")
def programme(house: House) -> Iterator[Running]:
    """One that all crowds come to."""
    with house.database() as url, running(url, MARKET) as programme:
        done(programme.do(orders(range(5))))
        yield programme


def crowd(programme: Running, asked: list[list[Request]]) -> list[list[Answer | Exception]]:
    """Each list asked by a thread of its own, one request a call, all at once."""
    together = Barrier(len(asked))

    def ask(requests: list[Request]) -> list[Answer | Exception]:
        together.wait(20)
        return [answer for request in requests for answer in programme.do([request])]

    with ThreadPoolExecutor(len(asked)) as threads:
        return list(threads.map(ask, asked))


ONE_ID: dict[str, Request] = {
    "order": order("crowd", consumer="crowd"),
    "refund": RefundRequest("crowd", "o1", "1"),
    "sale": SaleRequest("crowd", "c2", "0.1"),
    "injection": InjectionRequest("crowd", "1"),
}


@pytest.mark.parametrize("kind", ONE_ID)
def test_a_hundred_that_ask_with_one_id_get_one_effect_and_equal_answers(programme: Running, kind: str) -> None:
    """A mobile network sends a request again and again, through several proxies."""
    before = programme.position()
    answers = [answer for some in crowd(programme, [[ONE_ID[kind]] for _ in range(100)]) for answer in some]
    good = done(answers)  # type: ignore[arg-type]  # that none is an exception is what it checks

    assert before + 1 == programme.position()
    assert 1 == len({msgspec.structs.replace(answer, repeated=True) for answer in good})
    assert {False: 1, True: 99} == Counter(answer.repeated for answer in good)


def test_of_a_hundred_with_one_id_and_other_facts_one_is_done(programme: Running) -> None:
    """The first to come has the id; all others are told which field differs, and what it was."""
    before = programme.position()
    asked: list[list[Request]] = [[order("contested", amount=str(k))] for k in range(1, 101)]
    answers = [answer for some in crowd(programme, asked) for answer in some]
    refused = [answer for answer in answers if isinstance(answer, RequestConflict)]
    [won] = [answer for answer in answers if isinstance(answer, Answer)]

    assert before + 1 == won.position == programme.position()
    assert {"amount"} == {answer.field for answer in refused}
    assert {programme.order("contested").facts["amount"]} == {answer.before for answer in refused}
    assert 99 == len(refused)


def test_500_orders_refunded_twice_at_once_are_refunded_500_times(url: str) -> None:
    """Eight clerks work through the same list, four with one set of ids and four with another: whoever comes first refunds.

    The second refund of an order has nothing left to refund; the same one again is the first answer.
    """
    with running(url, MARKET) as programme:
        some = orders(range(500))
        done(programme.do(some))
        first, second = ([RefundRequest(f"{clerk}{k}", f"o{k}") for k in range(500)] for clerk in "ab")
        asked: list[list[Request]] = [[*ids[start:], *ids[:start]] for start in (0, 125, 250, 375) for ids in (first, second)]
        with ThreadPoolExecutor(8) as threads:
            calls = [[requests[k : k + 5] for k in range(0, 500, 5)] for requests in asked]
            answers = list(threads.map(lambda some: [answer for each in some for answer in programme.do(each)], calls))
        effects = {answer.position for some in answers for answer in some if isinstance(answer, Answer)}

        assert 500 == len(effects) == len([decision for decision in journal_of(programme) if decision.kind == "refund"])
        assert 1001 == programme.position()
        assert {"", "refund_too_large"} == {reason(answer) for some in answers for answer in some}
        assert {"refunded"} == {programme.order(f"o{k}").status for k in range(0, 500, 50)}
        assert 0 == sum(micro(text) for text in programme.trial_balance().totals.values())
        assert 0 == micro(programme.balance("merchant:面馆:concession").balance)
        verify(programme._database, "w")


def test_programmes_side_by_side_do_not_disturb_each_other(url: str) -> None:
    """Each has its settler, its ids, its accounts; what many ask of two at once is what each would have done alone."""
    with opened(url) as service:
        for name in ("one", "two"):
            service.create(name, MARKET, secret=service_worlds.SECRET)
        with ThreadPoolExecutor(2) as threads:
            hashes = list(threads.map(lambda name: worked(service, name), ("one", "two")))

    assert 1 == len(set(hashes))


def worked(service: Service, name: str) -> str:
    """The state after a day's work."""
    programme = service.running(name)
    for start in range(0, 40, 4):
        done(programme.do([*orders(range(start, start + 4)), RefundRequest(f"r{start}", f"o{start}")]))
    return programme.state_hash()
