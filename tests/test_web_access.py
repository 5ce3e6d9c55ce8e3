"""Who may do what, over real HTTP: every door is tried with no key, a wrong one, and one for something else."""

from __future__ import annotations

import httpx
import pytest
import web_worlds
from web_worlds import POINTS, SHOP, Site, until

from rangli.web.routes import ROUTES, Route

site = web_worlds.site
http = web_worlds.http

SHOP_PATH = f"/v1/programmes/{SHOP}"


def address_of(path: str, programme: str = SHOP) -> str:
    """A route's path with something in its braces."""
    return path.format(
        programme=programme, order_id="A1", account="platform:surplus", webhook_id="w", delivery_id="d", key_id="k"
    )


SCOPED = [route for route in ROUTES if route.scope]


@pytest.mark.parametrize("route", SCOPED, ids=[f"{route.method} {route.path}" for route in SCOPED])
def test_every_route_is_shut_without_a_key_with_a_wrong_one_and_without_its_scope(site: Site, route: Route) -> None:
    """Each door is tried, not only one of them."""
    others = [scope for scope in ("read", "orders", "money", "plans", "admin") if scope != route.scope]
    with site.http("rl_000000000000_" + "x" * 43) as wrong, site.http(site.issue(*others)) as lacking:
        none = httpx.request(route.method, site.url + address_of(route.path))
        bad = wrong.request(route.method, address_of(route.path))
        lacks = lacking.request(route.method, address_of(route.path))

    assert [401, 401, 403] == [none.status_code, bad.status_code, lacks.status_code]
    assert "Bearer" == none.headers["www-authenticate"] == bad.headers["www-authenticate"]
    assert none.json() == bad.json(), "which of the two it was is not said"
    assert route.scope in lacks.json()["en"]


@pytest.mark.parametrize("route", [route for route in SCOPED if "{programme}" in route.path], ids=lambda route: route.path)
def test_a_key_for_one_programme_is_for_no_other_not_even_to_learn_whether_it_is_there(site: Site, route: Route) -> None:
    """A merchant group's key must not read another's books."""
    with site.http(site.issue(programmes=[POINTS])) as http:
        there = http.request(route.method, address_of(route.path, SHOP))
        nowhere = http.request(route.method, address_of(route.path, "none"))

    assert [403, 403] == [there.status_code, nowhere.status_code]


def test_a_key_for_one_programme_sees_and_makes_only_what_is_its_own(site: Site) -> None:
    """Lists are doors too, and a key that issues keys would be a key to everything."""
    with site.http(site.issue(programmes=[POINTS])) as http:
        assert [POINTS] == [view["name"] for view in http.get("/v1/programmes").json()]
        assert 403 == http.post("/v1/programmes", json={"name": "other", "plan": "weituanbao"}).status_code
        assert 403 == http.get("/v1/keys").status_code
        assert 403 == http.post("/v1/keys", json={"name": "x", "scopes": ["admin"]}).status_code


def test_a_key_that_asks_too_often_is_told_when_to_come_back(site: Site) -> None:
    """One busy till must not stand before all others."""
    with site.http(site.issue("read", per_second=1)) as http:
        answers = [http.get("/v1/programmes")]

        def is_refused() -> bool:
            answers.append(http.get("/v1/programmes"))
            return answers[-1].status_code != 200

        until(is_refused)
    last = answers[-1]

    assert 200 == answers[0].status_code
    assert (429, "rate_limited") == (last.status_code, last.json()["code"])
    assert int(last.headers["retry-after"]) >= 1


def test_keys_are_issued_listed_and_revoked(site: Site, http: httpx.Client) -> None:
    """The key is seen once; a revoked one is out at once."""
    issued = http.post("/v1/keys", json={"name": "till 7", "scopes": ["read"], "programmes": [SHOP]})
    key = issued.json()["token"]
    with site.http(key) as till:
        before = till.get(SHOP_PATH).status_code
        revoked = http.delete(f"/v1/keys/{issued.json()['key_id']}")
        after = till.get(SHOP_PATH).status_code

    assert (201, 200, 204, 401) == (issued.status_code, before, revoked.status_code, after)
    assert key not in http.get("/v1/keys").text
    assert "till 7" in http.get("/v1/keys").text
    assert 422 == http.post("/v1/keys", json={"name": "x", "scopes": ["all"]}).status_code
