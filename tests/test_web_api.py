"""The API over real HTTP, on a real service: what is answered, refused, and to whom."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest
import web_worlds
from web_worlds import HELD, PLANS, POINTS, SHOP, Site, fresh, order, until

from rangli.errors import DatabaseUnreachable
from rangli.service import Running
from rangli.web.intake import BATCH_BYTES_MAX, ROWS_MAX

site = web_worlds.site
http = web_worlds.http

SHOP_PATH = f"/v1/programmes/{SHOP}"
POINTS_PATH = f"/v1/programmes/{POINTS}"


def json_of(request: msgspec.Struct) -> dict[str, Any]:
    """A request as JSON's own values."""
    found: dict[str, Any] = msgspec.to_builtins(request)
    return found


def settled(http: httpx.Client, path: str = SHOP_PATH, **facts: str) -> str:
    """The id of an order that was just settled."""
    request = order(fresh(), **facts)
    answer = http.post(f"{path}/orders", json=json_of(request))
    assert 201 == answer.status_code, answer.text
    return request.order_id


# ---------------------------------------------------------------- handing in


def test_a_new_order_is_created_a_repeated_one_answered_again_and_another_under_its_id_refused(http: httpx.Client) -> None:
    """The three things that can become of an id, told apart by their status."""
    request = order(fresh())
    first = http.post(f"{SHOP_PATH}/orders", json=json_of(request))
    again = http.post(f"{SHOP_PATH}/orders", json=json_of(request))
    other = http.post(f"{SHOP_PATH}/orders", json=json_of(request) | {"amount": "1.00"})

    assert (201, 200, 409) == (first.status_code, again.status_code, other.status_code)
    assert first.json() | {"repeated": True} == again.json()
    assert "amount" == other.json()["field"]
    assert "application/problem+json" == other.headers["content-type"]


def test_an_order_in_its_hold_is_accepted_and_not_created(http: httpx.Client) -> None:
    """202: it is durable, and it is not settled yet."""
    request = order(fresh())
    answer = http.post(f"/v1/programmes/{HELD}/orders", json=json_of(request))
    refund = http.post(f"/v1/programmes/{HELD}/refunds", json={"refund_id": fresh("R"), "order_id": request.order_id})

    assert (202, "held", None) == (answer.status_code, answer.json()["status"], answer.json()["position"])
    assert answer.json()["settles_at"] > answer.json()["decided_at"]
    assert (201, "cancelled") == (refund.status_code, refund.json()["status"])


def test_an_order_outside_its_plan_is_refused_with_field_and_reason(http: httpx.Client) -> None:
    """422 and the reason's code, which docs/errors.md explains."""
    answer = http.post(f"{POINTS_PATH}/orders", json=json_of(order(fresh(), concession="40%")))

    assert 422 == answer.status_code
    assert "concession" == answer.json()["field"]


def test_a_hundred_requests_at_once_with_one_id_have_one_effect_and_equal_answers(site: Site, http: httpx.Client) -> None:
    """A client that does not know whether its request arrived sends it again; sometimes all of its threads do."""
    request = order(fresh())
    before = site.service.running(SHOP).position()
    with ThreadPoolExecutor(100) as threads:
        answers = list(threads.map(lambda _: http.post(f"{SHOP_PATH}/orders", json=json_of(request)), range(100)))

    assert before + 1 == site.service.running(SHOP).position()
    assert [200] * 99 + [201] == sorted(answer.status_code for answer in answers)
    assert 1 == len({json.dumps(answer.json() | {"repeated": False}) for answer in answers})


def test_an_idempotency_key_must_be_the_requests_own_id(http: httpx.Client) -> None:
    """Two keys for one request could disagree; so there is one, and the header may repeat it."""
    request = order(fresh())
    wrong = http.post(f"{SHOP_PATH}/orders", json=json_of(request), headers={"idempotency-key": "another"})
    right = http.post(f"{SHOP_PATH}/orders", json=json_of(request), headers={"idempotency-key": request.order_id})

    assert (422, "Idempotency-Key") == (wrong.status_code, wrong.json()["field"])
    assert 201 == right.status_code


def test_every_kind_of_request_is_decided(http: httpx.Client) -> None:
    """Sales, injections, closings, refunds and activations take the same way as orders."""
    bought = settled(http, POINTS_PATH, consumer="会员", amount="1000.00")
    settled(http, POINTS_PATH, consumer="另一会员", amount="1000.00")
    asked = {
        "refunds": {"refund_id": fresh("R"), "order_id": bought, "amount": "10.00"},
        "sales": {"sale_id": fresh("S"), "consumer": "另一会员", "points": "1.5"},
        "injections": {"injection_id": fresh("I"), "amount": "100.00"},
        "closings": {"closing_id": fresh("C"), "on": "2026-02-01"},
        "plans": {"activation_id": fresh("P"), "plan": http.get(f"{POINTS_PATH}/plans").json()[0]["document"]},
    }
    answers = {place: http.post(f"{POINTS_PATH}/{place}", json=body) for place, body in asked.items()}

    assert dict.fromkeys(asked, 201) == {place: answer.status_code for place, answer in answers.items()}
    assert ["refund", "sale", "injection", "closing", "activation"] == [answer.json()["kind"] for answer in answers.values()]


def test_what_the_books_do_not_allow_is_refused(http: httpx.Client) -> None:
    """Each with its own status and code."""
    bought = settled(http)
    too_much = http.post(f"{SHOP_PATH}/refunds", json={"refund_id": fresh("R"), "order_id": bought, "amount": "128.01"})
    unknown = http.post(f"{SHOP_PATH}/refunds", json={"refund_id": fresh("R"), "order_id": "nowhere"})
    faulty = http.post(f"{SHOP_PATH}/plans", json={"activation_id": fresh("P"), "plan": "plan: x"})

    assert (422, "refund_too_large") == (too_much.status_code, too_much.json()["code"])
    assert (404, "order_not_found") == (unknown.status_code, unknown.json()["code"])
    assert (422, "plan_faulty") == (faulty.status_code, faulty.json()["code"])
    assert {"code", "where", "line", "zh", "en"} == faulty.json()["problems"][0].keys()


# ---------------------------------------------------------------- batches

NDJSON = {"content-type": "application/x-ndjson"}
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("form", [NDJSON, JSON], ids=["lines", "array"])
def test_a_batch_answers_each_row_in_its_place_and_a_malformed_one_spoils_no_other(
    http: httpx.Client, form: dict[str, str]
) -> None:
    """Ten thousand orders with one typo are 9,999 orders and one problem."""
    known = settled(http)
    good = [json_of(order(fresh())) for _ in range(3)]
    rows: list[Any] = [good[0], {"order_id": "x"}, good[1], json_of(order(known)), json_of(order(known, amount="3")), 7, good[2]]
    lines = [json.dumps(row) for row in rows]
    body = "\n\n".join(lines) + "\r\n" if form is NDJSON else f"[{','.join(lines)}]"
    reply = http.post(f"{SHOP_PATH}/orders:batch", content=body, headers=form)
    found = [json.loads(line) for line in reply.text.splitlines()] if form is NDJSON else reply.json()

    assert 200 == reply.status_code
    assert form["content-type"] == reply.headers["content-type"]
    assert [201, 422, 201, 200, 409, 422, 201] == [row["status"] for row in found]
    assert [1, 2, 3, 4, 5, 6, 7] == [row["row"] for row in found]
    assert ["paid_at", "amount", "body"] == [row["problem"]["field"] for row in found if "problem" in row]
    assert [row["order_id"] for row in good] == [row["answer"]["id"] for row in found if row["status"] == 201]


def test_a_line_that_is_no_json_is_a_problem_in_its_place(http: httpx.Client) -> None:
    """A cut-off file ends in the middle of a line."""
    lines = [msgspec.json.encode(order(fresh())), b'{"order_id": "cut', b"\xff\xff", b"[" * 5000]
    reply = http.post(f"{SHOP_PATH}/orders:batch", content=b"\n".join(lines), headers=NDJSON)

    assert [201, 400, 400, 422] == [json.loads(line)["status"] for line in reply.text.splitlines()]


def test_a_batch_of_nothing_has_no_rows(http: httpx.Client) -> None:
    """Whoever sends what has gathered every second sometimes has nothing."""
    assert ("", []) == (
        http.post(f"{SHOP_PATH}/orders:batch", content=b"\n", headers=NDJSON).text,
        http.post(f"{SHOP_PATH}/orders:batch", content=b"[]", headers=JSON).json(),
    )


def test_a_batch_that_is_too_large_is_refused_whole(site: Site, http: httpx.Client) -> None:
    """A limit that is announced is better than memory that runs out."""
    before = site.state()
    many = b"\n".join([b"{}"] * (ROWS_MAX + 1))
    rows = http.post(f"{SHOP_PATH}/orders:batch", content=many, headers=NDJSON)
    size = http.post(f"{SHOP_PATH}/orders:batch", content=b" " * (BATCH_BYTES_MAX + 1), headers=NDJSON)
    chunks = http.post(f"{SHOP_PATH}/orders", content=iter([b" " * 2**20] * 2), headers=JSON)

    assert [(413, "body_too_large")] * 3 == [(answer.status_code, answer.json()["code"]) for answer in (rows, size, chunks)]
    assert before == site.state()


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"[{},]", b"[" * 100_000])
def test_an_array_that_is_none_is_refused_whole(http: httpx.Client, body: bytes) -> None:
    """Rows cannot be told apart in what is no array."""
    reply = http.post(f"{SHOP_PATH}/orders:batch", content=body, headers=JSON)

    assert reply.status_code in {400, 422}
    assert reply.json()["code"] in {"json_malformed", "field_refused"}


# ---------------------------------------------------------------- asking


def test_an_order_is_shown_with_its_transfers_and_why(http: httpx.Client) -> None:
    """The page behind every question of a customer."""
    bought = settled(http)
    seen = http.get(f"{SHOP_PATH}/orders/{bought}").json()

    assert ("settled", "老王面馆", "128.00") == (seen["status"], seen["facts"]["merchant"], seen["facts"]["amount"])
    assert len(seen["transfers"]) > 1
    assert len(seen["zh"]) == len(seen["en"]) > 1


def test_names_with_slashes_percents_and_colons_are_reached(http: httpx.Client) -> None:
    """A merchant may call itself what it likes, and its account has an address all the same."""
    name, order_id = "甲/乙 50%:丙", fresh("A/")
    answer = http.post(f"{SHOP_PATH}/orders", json=json_of(order(order_id, merchant=name)))
    account = "merchant:甲/乙 50%25%3A丙:concession"
    balance = http.get(f"{SHOP_PATH}/accounts/{quote(account, safe='')}")
    entries = http.get(f"{SHOP_PATH}/accounts/{quote(account, safe='')}/entries")

    assert 201 == answer.status_code
    assert (account, "-25.60") == (balance.json()["account"], balance.json()["balance"])
    assert {order_id} == {entry["id"] for entry in entries.json()["entries"]}
    assert order_id == http.get(f"{SHOP_PATH}/orders/{quote(order_id, safe='')}").json()["order_id"]


def test_a_statement_is_read_page_by_page_and_agrees_with_the_balance_at_any_point(http: httpx.Client) -> None:
    """What an accountant does with it."""
    for _ in range(4):
        settled(http, merchant="分页店")
    account = f"{SHOP_PATH}/accounts/merchant:分页店:concession"
    whole = http.get(f"{account}/entries").json()["entries"]
    paged, cursor = [], None
    while cursor != "":
        page = http.get(f"{account}/entries", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        paged += page["entries"]
        cursor = page["next"]

    assert whole == paged
    assert len(whole) >= 8
    for entry in whole:
        if entry["line"] == max(other["line"] for other in whole if other["position"] == entry["position"]):
            assert entry["balance"] == http.get(account, params={"at": entry["position"]}).json()["balance"]


def test_the_trial_balance_is_zero_in_every_unit(http: httpx.Client) -> None:
    """Balanced by construction, and shown."""
    settled(http)

    assert {"0.00"} == set(http.get(f"{SHOP_PATH}/trial-balance").json()["totals"].values())


def test_decisions_are_read_in_order_from_any_position(http: httpx.Client) -> None:
    """The cursor is the position itself."""
    settled(http)
    first = http.get(f"{SHOP_PATH}/decisions", params={"limit": 2}).json()
    rest = http.get(f"{SHOP_PATH}/decisions", params={"after": 1, "limit": 1}).json()

    assert [1, 2] == [decision["position"] for decision in first]
    assert first[1:] == rest
    assert [] == http.get(f"{SHOP_PATH}/decisions", params={"after": 2**40}).json()


def test_a_draw_shows_what_is_needed_to_draw_again(http: httpx.Client) -> None:
    """The commitment is known beforehand, the secret only when the day is over."""
    bought = settled(http)
    draw = http.get(f"{SHOP_PATH}/draws/{bought}").json()

    assert bought == draw["order_id"]
    assert 64 == len(draw["commitment"])


ODD_QUERIES = [
    ("/decisions?limit=0", "limit"),
    ("/decisions?limit=1001", "limit"),
    ("/decisions?limit=ten", "limit"),
    ("/decisions?after=-1", "after"),
    ("/decisions?after=1&after=2", "after"),
    ("/decisions?before=1", "before"),
    ("/plans?x=1", "x"),
    ("/accounts/platform:surplus?at=x", "at"),
    ("/accounts/platform:surplus?at=99999999999", "at"),
    ("/accounts/platform:surplus/entries?cursor=!", "cursor"),
    ("/feed?after=x", "after"),
]


@pytest.mark.parametrize(("address", "field"), ODD_QUERIES)
def test_a_query_that_means_nothing_is_refused_by_its_field(http: httpx.Client, address: str, field: str) -> None:
    """A misspelt limit that is passed over is a page that silently lacks what was asked for."""
    answer = http.get(SHOP_PATH + address)

    assert 422 == answer.status_code
    assert answer.json()["field"] in {field, "before"}


NOWHERE = [
    ("GET", "/nowhere", 404, "route_not_found"),
    ("GET", "/v2/programmes", 404, "route_not_found"),
    ("GET", f"{SHOP_PATH}/", 404, "route_not_found"),
    ("GET", f"{SHOP_PATH}/orders", 405, "method_not_allowed"),
    ("DELETE", f"{SHOP_PATH}/orders/A1", 405, "method_not_allowed"),
    ("GET", f"{SHOP_PATH}/orders/none", 404, "order_not_found"),
    ("GET", f"{SHOP_PATH}/orders/%ff", 400, "path_malformed"),
    ("GET", f"{SHOP_PATH}/orders/a%00b", 400, "path_malformed"),
    ("GET", f"{SHOP_PATH}/draws/none", 404, "order_not_found"),
    ("GET", f"{SHOP_PATH}/accounts/consumer:nobody:wallet", 404, "account_not_found"),
    ("GET", f"{SHOP_PATH}/accounts/x/entries", 404, "account_not_found"),
    ("GET", "/v1/programmes/none", 404, "programme_not_found"),
    ("GET", "/v1/programmes/none/webhooks", 404, "programme_not_found"),
    ("GET", f"{SHOP_PATH}/webhooks/none/deliveries", 404, "webhook_not_found"),
    ("DELETE", f"{SHOP_PATH}/webhooks/none", 404, "webhook_not_found"),
    ("POST", f"{SHOP_PATH}/deliveries/none:redeliver", 404, "delivery_not_found"),
    ("DELETE", "/v1/keys/none", 404, "key_not_found"),
]


@pytest.mark.parametrize(("method", "address", "status", "code"), NOWHERE)
def test_what_is_not_there_is_a_problem_too(http: httpx.Client, method: str, address: str, status: int, code: str) -> None:
    """One form for everything that goes wrong, so that a client needs one piece of code for it."""
    answer = http.request(method, address)

    assert (status, code) == (answer.status_code, answer.json()["code"])
    assert "application/problem+json" == answer.headers["content-type"]
    assert status == answer.json()["status"]
    if status == 405:
        assert set(answer.headers["allow"].split(", ")) <= {"GET", "HEAD", "POST", "DELETE"}


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=gbk"])
def test_a_body_of_another_kind_is_refused(http: httpx.Client, kind: str) -> None:
    """What curl sends when nobody tells it what it sends."""
    answer = http.post(f"{SHOP_PATH}/orders", content=msgspec.json.encode(order(fresh())), headers={"content-type": kind})

    assert (415, "application/json") == (answer.status_code, answer.headers["accept"])
    assert 201 == http.post(
        f"{SHOP_PATH}/orders",
        content=msgspec.json.encode(order(fresh())),
        headers={"content-type": 'Application/JSON; charset="UTF-8"'},
    ).status_code  # fmt: skip


# ---------------------------------------------------------------- programmes, webhooks


def test_programmes_are_listed_and_not_created_twice(http: httpx.Client) -> None:
    """A name is an address."""
    again = http.post("/v1/programmes", json={"name": SHOP, "plan": "weituanbao"})
    faulty = http.post("/v1/programmes", json={"name": "new", "plan": "shares: 7"})
    odd = http.post("/v1/programmes", json={"name": "a/b", "plan": "weituanbao"})

    assert set(PLANS) <= {view["name"] for view in http.get("/v1/programmes").json()}
    assert (SHOP, "weituanbao", "settling") == tuple(http.get(SHOP_PATH).json()[name] for name in ("name", "plan", "role"))
    assert [(409, "programme_exists"), (422, "plan_faulty"), (422, "field_refused")] == [
        (answer.status_code, answer.json()["code"]) for answer in (again, faulty, odd)
    ]


def test_webhooks_are_added_listed_and_removed(http: httpx.Client) -> None:
    """The secret is seen once."""
    added = http.post(f"{SHOP_PATH}/webhooks", json={"url": "https://example.com/hook", "kinds": ["sale"]})
    listed = http.get(f"{SHOP_PATH}/webhooks").json()
    deliveries = http.get(f"{SHOP_PATH}/webhooks/{added.json()['id']}/deliveries")
    removed = http.delete(f"{SHOP_PATH}/webhooks/{added.json()['id']}")

    assert (201, 200, 204) == (added.status_code, deliveries.status_code, removed.status_code)
    assert added.json()["secret"]
    assert [added.json() | {"secret": ""}] == [view for view in listed if view["id"] == added.json()["id"]]
    assert [] == deliveries.json()
    assert 422 == http.post(f"{SHOP_PATH}/webhooks", json={"url": "file:///etc/passwd"}).status_code


# ---------------------------------------------------------------- the feed


def lines_of(site: Site, address: str, wanted: int, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """The first so many events."""
    found: list[dict[str, Any]] = []
    with site.http() as http, http.stream("GET", address, headers=headers) as stream:
        assert "text/event-stream" == stream.headers["content-type"]
        for line in stream.iter_lines():
            if line.startswith("data:"):
                found.append(json.loads(line.removeprefix("data:")))
                if len(found) == wanted:
                    break
    return found


def test_the_feed_tells_what_was_decided_and_then_each_decision_as_it_is_made(site: Site, http: httpx.Client) -> None:
    """Nothing between the past and the present is missed, and nothing told twice."""
    known = settled(http)
    start = http.get(f"{SHOP_PATH}/orders/{known}").json()["position"]
    found: list[dict[str, Any]] = []
    reader = threading.Thread(target=lambda: found.extend(lines_of(site, f"{SHOP_PATH}/feed?after={start - 1}", 4)))
    reader.start()
    until(lambda: site.desk._watches.get(SHOP) is not None and site.desk._watches[SHOP]._readers > 0)
    later = [settled(http) for _ in range(3)]
    reader.join(10)

    assert [known, *later] == [decision["id"] for decision in found]
    assert list(range(start, start + 4)) == [decision["position"] for decision in found]


def test_a_reader_that_comes_back_goes_on_where_it_was(site: Site, http: httpx.Client) -> None:
    """A browser's EventSource sends Last-Event-ID, and the address it was first given."""
    for _ in range(3):
        settled(http)
    event = lines_of(site, f"{SHOP_PATH}/feed?after=0", 1, {"last-event-id": "2"})[0]

    assert 3 == event["position"]
    assert 422 == http.get(f"{SHOP_PATH}/feed", headers={"last-event-id": "last"}).status_code


def test_nobody_waits_for_a_journal_that_nobody_reads(site: Site) -> None:
    """The thread that waits for a programme ends with its last reader."""
    lines_of(site, f"{SHOP_PATH}/feed", 1)
    until(lambda: site.desk._watches[SHOP]._task is None)

    assert 0 == site.desk._watches[SHOP]._readers


# ---------------------------------------------------------------- the process


def test_health_readiness_and_figures_need_no_key(site: Site, http: httpx.Client) -> None:
    """What watches a process has no business of its own with the books."""
    settled(http)
    text = httpx.get(f"{site.url}/metrics").text

    assert {"status": "ok"} == httpx.get(f"{site.url}/healthz").json()
    assert (200, True) == (httpx.get(f"{site.url}/readyz").status_code, httpx.get(f"{site.url}/readyz").json()["ready"])
    assert f'rangli_settling{{programme="{SHOP}"}} 1.0' in text
    assert f'rangli_orders_total{{programme="{SHOP}"}} {site.service.running(SHOP).figures.orders}.0' in text
    assert 'rangli_http_requests_total{route="/v1/programmes/{programme}/orders",status="201"}' in text


def test_a_process_that_cannot_serve_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 takes it out of a load balancer; the body says why."""
    health = msgspec.structs.replace(site.service.health(), ready=False, database="unreachable")
    monkeypatch.setattr(site.service, "health", lambda: health)
    answer = httpx.get(f"{site.url}/readyz")

    assert (503, "unreachable") == (answer.status_code, answer.json()["database"])


def test_figures_can_be_shut(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """They tell how much business is done."""
    monkeypatch.setattr(site.desk, "open_metrics", False)

    assert 401 == httpx.get(f"{site.url}/metrics").status_code
    with site.http(site.issue("read")) as http:
        assert 200 == http.get("/metrics").status_code


def test_the_document_and_the_page_are_served(site: Site) -> None:
    """Without a key, for they tell nothing of any programme."""
    assert "3.1.0" == httpx.get(f"{site.url}/openapi.json").json()["openapi"]
    assert "text/html; charset=utf-8" == httpx.get(f"{site.url}/docs").headers["content-type"]


def test_head_is_answered_without_a_body(site: Site, http: httpx.Client) -> None:
    """Watchers ask so; and of a feed they do not want the whole of it."""
    assert (200, b"") == (httpx.head(f"{site.url}/healthz").status_code, httpx.head(f"{site.url}/healthz").content)
    assert 200 == http.head(f"{SHOP_PATH}/feed").status_code
    until(lambda: SHOP not in site.desk._watches or site.desk._watches[SHOP]._readers == 0)


def test_a_service_that_does_not_settle_says_when_to_come_back(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    """A standby process takes nothing that it could lose."""
    running = site.service.running(SHOP)
    monkeypatch.setattr(running.settler, "recovered", None)
    one = http.post(f"{SHOP_PATH}/orders", json=json_of(order(fresh())))
    many = http.post(f"{SHOP_PATH}/orders:batch", json=[json_of(order(fresh()))])

    assert [(503, "not_settling", "1")] * 2 == [(a.status_code, a.json()["code"], a.headers["retry-after"]) for a in (one, many)]


def test_where_the_database_is_is_told_to_the_operator_and_to_nobody_else(
    site: Site, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses and folders of a server are not for its clients."""
    unreachable = DatabaseUnreachable("连不上 db.internal", "cannot reach db.internal")

    def refuse(*_: object) -> None:
        raise unreachable

    monkeypatch.setattr(Running, "order", refuse)
    answer = http.get(f"{SHOP_PATH}/orders/A1")
    noted = [line for line in map(json.loads, "".join(site.lines).splitlines()) if line["event"] == "trouble"]

    assert (503, "database_unreachable", "1") == (answer.status_code, answer.json()["code"], answer.headers["retry-after"])
    assert "db.internal" not in answer.text
    assert [("cannot reach db.internal", answer.headers["x-request-id"])] == [(line["what"], line["request"]) for line in noted]


# ---------------------------------------------------------------- the log


def test_each_request_is_one_line_that_names_nobody(site: Site, http: httpx.Client) -> None:
    """Logs are copied to more places than books are."""
    order_id = fresh("LOG")
    http.post(f"{SHOP_PATH}/orders", json=json_of(order(order_id, consumer="张三丰", merchant="机密店")))
    http.post(f"{SHOP_PATH}/orders", json=json_of(order(order_id, consumer="张三丰", merchant="另一家")))
    http.get(f"{SHOP_PATH}/accounts/{quote('consumer:张三丰:wallet')}")
    answer = http.get(f"{SHOP_PATH}/orders/{order_id}")
    last = site.noted(answer.headers["x-request-id"])
    text = "".join(site.lines)

    assert ("GET", "/v1/programmes/{programme}/orders/{order_id}", 200) == (last["method"], last["route"], last["status"])
    assert last["key"] == site.key.split("_")[1]
    assert last["ms"] > 0
    for private in (order_id, "张三丰", "机密店", "另一家", quote("张三丰"), site.key.split("_", 2)[2], SHOP_PATH):
        assert private not in text


def test_a_mistake_of_ours_is_logged_with_a_number_and_tells_the_client_nothing_else(
    site: Site, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number connects the two; what an exception says may quote what a customer wrote."""

    def broken(_self: Running, order_id: str) -> None:
        raise KeyError(f"秘密 {order_id}")

    monkeypatch.setattr(Running, "order", broken)
    answer = http.get(f"{SHOP_PATH}/orders/A1")
    text = "".join(site.lines)
    number = answer.headers["x-request-id"]
    noted = [line for line in map(json.loads, text.splitlines()) if line["event"] == "mistake"]

    assert (500, "unexpected") == (answer.status_code, answer.json()["code"])
    assert number in answer.json()["en"]
    assert [("KeyError", number)] == [(line["kind"], line["request"]) for line in noted]
    assert any("broken" in place for place in noted[0]["places"])
    assert "秘密" not in answer.text + text
