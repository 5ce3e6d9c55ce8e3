"""The table of routes, the OpenAPI document and the page are one and the same."""

from __future__ import annotations

import re

import pytest

from rangli.plan import check
from rangli.web.gate import SCOPES
from rangli.web.openapi import EXAMPLE_PLAN, EXAMPLES, codes, document, refusals_of
from rangli.web.page import page
from rangli.web.routes import ROUTES, Route

DOCUMENT = document()
ids = [f"{route.method} {route.path}" for route in ROUTES]
OPEN = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"}


@pytest.mark.parametrize("route", ROUTES, ids=ids)
def test_every_route_is_in_the_openapi_document(route: Route) -> None:
    """What is not written down is found by nobody, or only by those who should not."""
    operation = DOCUMENT["paths"][route.path][route.method.lower()]

    assert [{"key": [route.scope]}] * bool(route.scope) == operation.get("security", [])
    assert {str(status) for status in (*route.answers, *refusals_of(route))} == set(operation["responses"])
    assert (route.body is not None) == ("requestBody" in operation)


def test_the_document_has_no_route_that_is_not_there() -> None:
    """A promise of nothing."""
    operations = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}

    assert {(route.method, route.path) for route in ROUTES} == operations
    assert len(operations) == len(ROUTES)


@pytest.mark.parametrize("route", ROUTES, ids=ids)
def test_every_route_demands_a_scope_but_those_that_tell_nothing_of_a_programme(route: Route) -> None:
    """One forgotten scope is an open door."""
    assert (route.path in OPEN) == (route.scope == "")
    assert route.scope in {"", *SCOPES}


@pytest.mark.parametrize("route", ROUTES, ids=ids)
def test_what_changes_something_needs_more_than_reading(route: Route) -> None:
    """A key that may read is handed out freely."""
    if route.method != "GET":
        assert route.scope not in {"", "read"}
    else:
        assert route.scope in {"", "read", "admin"}


def test_every_operation_has_a_name_of_its_own() -> None:
    """Generators of clients name methods by it."""
    names = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]

    assert sorted(set(names)) == sorted(names)
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)


def test_every_reference_in_the_document_leads_somewhere() -> None:
    """A generator stops at the first that does not."""
    text = repr(DOCUMENT)
    named = set(re.findall(r"#/components/schemas/([A-Za-z]+)", text))

    assert named == set(DOCUMENT["components"]["schemas"])


def test_every_field_is_told_in_the_words_of_its_source() -> None:
    """The struct and its docstrings are the one place where a field is explained."""
    schemas = DOCUMENT["components"]["schemas"]

    assert "Yuan with at most two decimals, as ``12.50``." == schemas["OrderRequest"]["properties"]["amount"]["description"]
    assert "To the minute; empty when it was never used." == schemas["IssuedKey"]["properties"]["last_used_at"]["description"]
    assert "description" not in schemas["OrderRequest"]["properties"]["merchant"]


def test_every_body_has_an_example() -> None:
    """Nobody starts from a schema."""
    assert {route.body for route in ROUTES if route.body is not None} == set(EXAMPLES)


def test_the_example_of_a_plan_is_one() -> None:
    """An example that is refused teaches the wrong thing."""
    plan, problems = check(EXAMPLE_PLAN)

    assert [] == problems
    assert plan is not None


def test_the_page_lists_every_address_and_every_problem_and_loads_nothing() -> None:
    """A problem's type is an address on this page; and it is read where no other server can be reached."""
    text = page().decode()

    assert all(f"<code>{route.path}</code>" in text for route in ROUTES)
    assert all(f'id="{code}"' in text for code in codes())
    assert {code for route in ROUTES for refused in refusals_of(route).values() for code in refused} <= set(codes())
    assert [] == re.findall(r"(?:src|href)=\"(?!/)[^\"]*|https?://", text)
