"""Bodies that nobody would send on purpose: no 5xx, and nothing changed by what is refused."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import web_worlds
from web_worlds import POINTS, SHOP, Site, fresh

from rangli.service.requests import ActivationRequest, OrderRequest
from rangli.web.openapi import EXAMPLES, refusals_of
from rangli.web.routes import ROUTES

site = web_worlds.site

BODIES = int(os.environ.get("RANGLI_FUZZ_BODIES", "1500"))
"""``make fuzz`` sends 100,000."""
SEED = int(os.environ.get("RANGLI_FUZZ_SEED", "7"))
CHUNK = 250

PLACES = [(route.path.rpartition("/")[2], route.body) for route in ROUTES if route.body in EXAMPLES and 202 in route.answers]

TEXTS = [
    "", " ", "0", "-1", "0.00", "0.001", "1e3", "NaN", "Infinity", "１２", "+5", "1,000", "007", "1" * 40, "9" * 400,
    "99999999.99", "100000000", "20%", "0%", "100%", "-5%", "20.005%", "1e2%", "2026-01-05", "2026-02-30", "1999-01-01",
    "9999-12-31", "0000-00-00", "2026-01-05T24:00:00Z", "2026-01-05 12:30:00+99:99", "A\0B", "\n", "\x7f", "\u202e",
    "\ufeff", "\ufffd", "é", "e\u0301", "🧧", "merchant:", "merchant:甲", "agent::", "%", "%41", ":" * 10, "x" * 199,
    "x" * 200, "x" * 201, "名" * 67, "..", "/", "\\", "'; DROP TABLE journal; --", "{}", "null", "genesis",
]  # fmt: skip
OTHERS: list[Any] = [None, True, 0, -1, 1.5, 10**30, [], {}, ["a"], {"a": {}}, [[[]]]]


def value(chance: random.Random, usual: str) -> Any:  # noqa: ANN401 - that is the point
    """What a field might hold."""
    roll = chance.random()
    if roll < 0.5:
        return usual
    if roll < 0.85:
        return chance.choice(TEXTS)
    if roll < 0.9:
        letters = (chance.choice((chance.randrange(1, 128), chance.randrange(128, 0xD800))) for _ in range(chance.randrange(12)))
        return "".join(map(chr, letters))
    return chance.choice(OTHERS)


def mangled(chance: random.Random, body: bytes) -> bytes:
    """The body after an accident."""
    at = chance.randrange(len(body) + 1)
    return chance.choice(
        [
            body[:at],
            body[:at] + bytes([chance.randrange(256)]) + body[at:],
            body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :],
            body + body,
            body.replace(b'"', b"'"),
            body.replace(b'"', b'"\\ud800', 1),
            b"[" + body + b"]",
            b"[" * chance.randrange(3000),
        ]
    )


def bodies(chance: random.Random, count: int) -> Iterator[tuple[str, bytes]]:
    """Where to send what."""
    for _ in range(count):
        place, kind = chance.choice(PLACES)
        assert kind is not None
        example: dict[str, str] = msgspec.to_builtins(EXAMPLES[kind])
        fields: dict[str, Any] = {name: text for name, text in example.items() if text or chance.random() < 0.1}
        fields |= {name: value(chance, text) for name, text in fields.items() if chance.random() < 0.4}
        if kind is not ActivationRequest and chance.random() < 0.7:
            fields[next(iter(EXAMPLES[kind].__struct_fields__))] = fresh("F")
        if chance.random() < 0.1:
            fields.pop(chance.choice(list(fields)))
        if chance.random() < 0.1:
            fields[chance.choice(["", "Amount", "amount ", "x"])] = "1"
        body = json.dumps(fields, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
        yield place, mangled(chance, body) if chance.random() < 0.2 else body


def promised(place: str, status: int) -> list[str]:
    """The codes that the OpenAPI document has for a status there."""
    [route] = [route for route in ROUTES if route.method == "POST" and route.path.endswith(f"/{place}")]
    return refusals_of(route).get(status, [])


def send(http: httpx.Client, programme: str, place: str, body: bytes) -> bool:
    """Whether it was refused; it may not fail."""
    kind = "application/x-ndjson" if place == "orders:batch" and body[:1] != b"[" else "application/json"
    answer = http.post(f"/v1/programmes/{programme}/{place}", content=body, headers={"content-type": kind})

    assert answer.status_code < 500, f"{place} {body!r}: {answer.text}"
    if answer.status_code >= 400:
        assert {"type", "title", "status", "detail", "code", "zh", "en"} <= answer.json().keys()
        assert answer.json()["code"] in promised(place, answer.status_code), f"{place} {body!r}: {answer.text}"
    if place == "orders:batch" and answer.status_code == 200:
        rows = answer.json() if kind == "application/json" else [json.loads(line) for line in answer.text.splitlines()]

        assert all(row["status"] < 500 for row in rows), f"{body!r}: {answer.text}"
        for row in rows:
            assert "problem" not in row or row["problem"]["code"] in promised("orders", row["status"]), f"{body!r}: {row}"
        return all(row["status"] >= 400 for row in rows)
    return answer.status_code >= 400


def test_no_body_breaks_the_service_and_a_refused_one_changes_nothing(site: Site) -> None:
    """The state's hash is the same before and after every run of refusals, whatever was in them."""
    chance = random.Random(SEED)
    state, position = site.state(), {name: site.service.running(name).position() for name in (SHOP, POINTS)}
    refused_since: list[bytes] = []
    with site.http() as http:
        for number, (place, body) in enumerate(bodies(chance, BODIES)):
            programme = chance.choice((SHOP, POINTS))
            before = site.service.running(programme).position()
            if send(http, programme, place, body):
                refused_since.append(body)

                assert before == site.service.running(programme).position(), f"{place} {body!r}"
            else:
                now = site.state()

                assert all(state[name] == now[name] for name in state if name != programme)
                state = now
            if number % CHUNK == 0:
                assert state == site.state(), f"one of these refused bodies changed something: {refused_since}"
                refused_since.clear()

    assert state == site.state(), f"one of these refused bodies changed something: {refused_since}"
    assert all(site.service.running(name).position() > at for name, at in position.items()), "some bodies are good"
    assert OrderRequest in [kind for _, kind in PLACES]
    assert [] == [line for line in site.lines if '"mistake"' in line]


def test_whatever_was_settled_by_then_still_adds_up(site: Site) -> None:
    """The books are balanced after the storm."""
    for name in (SHOP, POINTS):
        assert {"0.00"} == set(site.service.running(name).trial_balance().totals.values())
