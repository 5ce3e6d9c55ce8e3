"""The client: what it sends means what it says, and it tries again exactly when that is safe and of use."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import msgspec
import pytest
import web_worlds
from web_worlds import HELD, PLANS, POINTS, SHOP, Site, fresh, order

from rangli.client import ApiRefused, Client, ProgrammeClient
from rangli.service.requests import ClosingRequest, InjectionRequest, RefundRequest, SaleRequest
from rangli.service.views import Answer
from rangli.web.openapi import document

site = web_worlds.site


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    """Our own client with the key that may do everything."""
    with site.client() as client:
        yield client


@pytest.fixture
def shop(client: Client) -> ProgrammeClient:
    """The shop's programme."""
    return client.programme(SHOP)


def test_it_starts_without_the_engine_and_the_database() -> None:
    """A till has no use for a compiler, and a second's start is a second at every sale; a wrong name is still a wrong name."""
    code = (
        "import sys, rangli.client, rangli.service; print(*sys.modules)\n"
        "assert not hasattr(rangli.service, 'Servise')\n"
        "from rangli.service import Running, Service; print(Running.__name__, Service.__name__)"
    )
    loaded, door = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()

    assert set() == {"numba", "numpy", "pyarrow", "psycopg", "sqlalchemy", "yaml"} & set(loaded.split())
    assert "rangli.service.requests" in loaded
    assert "Running Service" == door


def test_programmes_are_listed_and_created(client: Client) -> None:
    """The first thing anyone does."""
    name = fresh("new-")
    made = client.create(name, "moudian", hold_seconds=60)

    assert (name, "moudian", 60) == (made.name, made.plan, made.hold_seconds)
    assert {*PLANS, name} <= {view.name for view in client.programmes()}
    with pytest.raises(ApiRefused) as refused:
        client.create(name, "moudian")

    assert (409, "programme_exists") == (refused.value.status, refused.value.code)


def test_every_kind_of_request_is_handed_in_where_it_belongs(client: Client) -> None:
    """One method for all; the request's type says what it is."""
    points = client.programme(POINTS)
    bought = points.submit(order(fresh(), amount="1000.00"))
    answers = [
        points.submit(RefundRequest(fresh("R"), bought.id, "10.00")),
        points.submit(SaleRequest(fresh("S"), "小李", "1")),
        points.submit(InjectionRequest(fresh("I"), "10.00")),
        points.submit(ClosingRequest(fresh("C"), "2026-02-01")),
    ]

    assert ["refund", "sale", "injection", "closing"] == [answer.kind for answer in answers]
    assert "held" == client.programme(HELD).submit(order(fresh())).status
    assert "zengzhi" == points.plans()[0].name


def test_a_refusal_is_raised_with_its_facts(shop: ProgrammeClient) -> None:
    """What to mend stands in attributes, in both languages."""
    known = shop.submit(order(fresh())).id
    with pytest.raises(ApiRefused, match="another amount") as refused:
        shop.submit(order(known, amount="1.00"))

    assert (409, "request_conflict", "amount") == (refused.value.status, refused.value.code, refused.value.field)
    assert "amount" in refused.value.zh


def test_a_batch_gives_each_order_its_answer_or_refusal(shop: ProgrammeClient) -> None:
    """A refusal is not raised here: it would hide the others' answers."""
    good, bad = order(fresh()), order(fresh(), amount="0.001")
    outcomes = shop.submit_orders([good, bad, good])

    assert isinstance(outcomes[0], Answer)
    assert isinstance(outcomes[1], ApiRefused)
    assert (422, "amount") == (outcomes[1].status, outcomes[1].field)
    assert msgspec.structs.replace(outcomes[0], repeated=True) == outcomes[2]


def test_a_stream_of_orders_is_cut_into_batches_and_loses_none(site: Site, shop: ProgrammeClient) -> None:
    """A file of a million orders fits in no batch."""
    before = site.service.running(SHOP).position()
    orders = [order(fresh()) for _ in range(25)]
    done = list(shop.stream_orders(iter(orders), rows=10))

    assert orders == [one for one, _ in done]
    assert list(range(before + 1, before + 26)) == [answer.position for _, answer in done if isinstance(answer, Answer)]


def test_whatever_can_be_asked_is_asked(shop: ProgrammeClient) -> None:
    """Each method against the real service."""
    name = "店/甲 50%"
    answer = shop.submit(order(fresh("A/../"), merchant=name, consumer=".."))
    account = "merchant:店/甲 50%25:concession"

    assert answer.id == shop.order(answer.id).order_id == shop.draw(answer.id).order_id
    assert "-25.60" == shop.balance(account).balance
    assert "0.00" == shop.balance(account, at=(answer.position or 0) - 1).balance
    assert {answer.id} == {entry.id for entry in shop.entries(account)}
    assert SHOP == shop.view().name
    assert {"0.00"} == set(shop.trial_balance().totals.values())


def test_iterators_go_over_pages_and_stop_at_the_end(site: Site, shop: ProgrammeClient) -> None:
    """A page is an affair of the wire."""
    for _ in range(5):
        shop.submit(order(fresh(), merchant="翻页店"))
    entries = list(shop.entries("merchant:翻页店:concession", page=3))
    decisions = list(shop.decisions(page=4))

    assert list(shop.entries("merchant:翻页店:concession")) == entries
    assert list(range(1, site.service.running(SHOP).position() + 1)) == [decision.position for decision in decisions]
    assert decisions[2:] == list(shop.decisions(2))


def test_the_feed_goes_on_for_ever(shop: ProgrammeClient) -> None:
    """From any position, past the present."""
    start = shop.submit(order(fresh())).position or 0
    feed = shop.feed(start - 1)
    first = next(feed)
    later = shop.submit(order(fresh()))

    assert start == first.position
    assert later.id == next(feed).id


# ---------------------------------------------------------------- trying again


class Rough:
    """A way to the service on which things happen: a list of statuses, 0 for a broken connection, then 201."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.bodies: list[bytes] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """What happens to one request."""
        self.bodies.append(request.content)
        status = self.statuses.pop(0) if self.statuses else 201
        if status == 0:
            message = "the connection broke"
            raise httpx.ReadError(message)
        if status == 201:
            return httpx.Response(201, content=msgspec.json.encode(Answer("A1", "order", "done", 1, "", "")))
        problem = {"status": status, "code": "some", "zh": "某", "en": "some"}
        return httpx.Response(status, json=problem, headers={"retry-after": "0"})


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client slept; it does so in no time, and the clock goes forward all the same."""
    naps: list[float] = []
    monkeypatch.setattr("rangli.client.time.sleep", naps.append)
    monkeypatch.setattr("rangli.client.time.monotonic", lambda: sum(naps))
    return naps


@pytest.fixture
def over() -> Iterator[Callable[..., ProgrammeClient]]:
    """A programme at the end of a rough way."""
    clients: list[Client] = []

    def programme(rough: Rough, patience_seconds: int = 60) -> ProgrammeClient:
        client = Client("http://rangli", "rl", patience_seconds=patience_seconds, transport=httpx.MockTransport(rough))
        clients.append(client)
        return client.programme(SHOP)

    yield programme
    for client in clients:
        client.close()


def test_what_may_pass_is_tried_again_with_the_same_request(over: Callable[..., ProgrammeClient], slept: list[float]) -> None:
    """Its id makes it count once, so nobody need know whether the first one arrived."""
    rough = Rough(0, 503, 429, 502, 504, 0)

    assert "A1" == over(rough).submit(order("A1")).id
    assert 7 == len(rough.bodies)
    assert 1 == len(set(rough.bodies))
    assert 6 == len(slept)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 415, 422, 500])
def test_what_a_second_attempt_would_not_change_is_raised_at_once(
    over: Callable[..., ProgrammeClient], slept: list[float], status: int
) -> None:
    """Sending a faulty order a hundred times does not mend it."""
    rough = Rough(status)
    with pytest.raises(ApiRefused) as refused:
        over(rough).submit(order("A1"))

    assert status == refused.value.status
    assert (1, []) == (len(rough.bodies), slept)


def test_patience_ends(over: Callable[..., ProgrammeClient], slept: list[float]) -> None:
    """Whoever waits for the answer must hear in the end that there is none."""
    with pytest.raises(ApiRefused) as refused:
        over(Rough(*[503] * 1000)).submit(order("A1"))

    assert 503 == refused.value.status
    assert 60 <= sum(slept) <= 66
    slept.clear()
    with pytest.raises(httpx.ReadError):
        over(Rough(*[0] * 1000), patience_seconds=5).submit(order("A1"))

    assert 5 <= sum(slept) <= 11
    assert max(slept) <= 5


def test_what_is_no_problem_is_one_all_the_same(over: Callable[..., ProgrammeClient], slept: list[float]) -> None:
    """Proxies answer in their own words."""

    def proxy(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(418, text="<html>teapot</html>")

    with pytest.raises(ApiRefused, match="418") as refused:
        over(proxy).submit(order("A1"))  # type: ignore[arg-type]

    assert "no_problem" == refused.value.code
    assert [] == slept


def test_the_client_reads_every_field_of_a_problem() -> None:
    """Its struct is written by hand, so that it needs nothing of the server's; this ties the two."""
    ours = {"status", "code", "zh", "en", "field", "reason", "position", "problems"}

    assert ours | {"type", "title", "title_zh", "title_en", "detail"} == set(
        document()["components"]["schemas"]["Problem"]["properties"]
    )
