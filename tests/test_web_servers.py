"""The way that everybody goes, on each kind of PostgreSQL: a programme, orders, a batch, a refund, an account, and the proof.

Whatever else the API does is tested on our own server only, for what differs between servers is beneath it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import psycopg
import pytest
import web_worlds
from databases import SERVERS
from web_worlds import Site, order

from rangli.errors import Broken
from rangli.service.settling.verify import verify
from rangli.store.server import EmbeddedServer

NAME = "noodles"
PATH = f"/v1/programmes/{NAME}"
JSON = {"content-type": "application/json"}
NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture(params=SERVERS)
def site(request: pytest.FixtureRequest, _servers: Callable[[str], EmbeddedServer]) -> Iterator[Site]:
    """A live service on each kind of server."""
    with web_worlds.made_site(_servers(request.param)) as site:
        yield site


def test_the_main_path_is_the_same_on_every_server(site: Site) -> None:
    """Whoever brings a PostgreSQL of their own gets what everybody else was shown; and a changed fen is found there too."""
    many = b"\n".join(msgspec.json.encode(order(f"B{n}", amount=amount)) for n, amount in enumerate(["10.00", "0", "20.00"]))
    with site.http() as http:
        made = http.post("/v1/programmes", json={"name": NAME, "plan": "weituanbao"})
        first, again = (http.post(f"{PATH}/orders", content=msgspec.json.encode(order("A1")), headers=JSON) for _ in range(2))
        other = http.post(f"{PATH}/orders", content=msgspec.json.encode(order("A1", amount="1.00")), headers=JSON)
        batch = http.post(f"{PATH}/orders:batch", content=many, headers=NDJSON)
        refund = http.post(f"{PATH}/refunds", json={"refund_id": "R1", "order_id": "A1", "amount": "28.00"})
        account = f"{PATH}/accounts/merchant:老王面馆:concession"
        now, before = http.get(account), http.get(account, params={"at": 2})
        entries = http.get(f"{account}/entries").json()["entries"]
        seen, drawn = http.get(f"{PATH}/orders/A1").json(), http.get(f"{PATH}/draws/A1").json()
        totals = http.get(f"{PATH}/trial-balance").json()["totals"]
        decisions = http.get(f"{PATH}/decisions").json()
    rows = [msgspec.json.decode(line) for line in batch.text.splitlines()]

    assert [201, 201, 200, 409, 200, 201] == [one.status_code for one in (made, first, again, other, batch, refund)]
    assert [(201, 3), (422, None), (201, 4)] == [(row["status"], row.get("answer", {}).get("position")) for row in rows]
    assert ("-26.00", "-25.60") == (now.json()["balance"], before.json()["balance"])
    assert ["R1", "B2", "B0", "A1"] == list(dict.fromkeys(entry["id"] for entry in entries))
    assert now.json()["balance"] == entries[0]["balance"]
    assert ("partly_refunded", "28.00", 2) == (seen["status"], seen["refunded"], drawn["position"])
    assert {"0.00"} == set(totals.values())
    assert ["activation", "order", "order", "order", "refund"] == [one["kind"] for one in decisions]
    verified = verify(site.service.database, NAME)
    assert (5, decisions[-1]["hash"], 3) == (verified.position, verified.head, verified.orders)
    with psycopg.connect(site.service.database.url) as connection:
        connection.execute(
            "UPDATE journal SET amount[1] = amount[1] + 1 WHERE position = 3 AND programme = %s",
            [site.service.running(NAME).number],
        )
    with pytest.raises(Broken, match="decision 3"):
        verify(site.service.database, NAME)
