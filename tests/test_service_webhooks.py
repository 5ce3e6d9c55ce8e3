"""Webhooks: signed, in order, at least once, to nobody who should not be asked."""

from __future__ import annotations

import hmac
import logging
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256

import msgspec
import pytest
from receivers import Receiver, eventually, loopback

from rangli.errors import DeliveryNotFound, FieldRefused, ProgrammeNotFound, WebhookNotFound
from rangli.service import endpoint, webhooks
from rangli.service.clock import SetClock, rfc3339
from rangli.service.views import DecisionView
from rangli.service.webhooks import DeliveryView, Webhooks, WebhookView, wait_micro
from rangli.store.database import Database
from rangli.store.journal import ensure_partition
from rangli.store.rows import KIND_NAMES

NOON = 1_767_225_600_000_000


# ---------------------------------------------------------------- a journal, and a receiver


class Journal:
    """The journal of programme 1, ``moudian``, filled by hand."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.position = 0

    def decide(self, *kinds: str, legs: int = 1) -> None:
        """Decisions of these kinds."""
        with self.database.reading() as connection:
            for kind in kinds:
                self.position += 1
                connection.execute(
                    "INSERT INTO journal SELECT 1, %s, %s, 1, %s, %s, '', '{}', '{}', legs, legs, legs, legs, legs, legs, ''"
                    " FROM (SELECT array_fill(1, ARRAY[%s]) AS legs) AS made",
                    [self.position, KIND_NAMES.index(kind), NOON + self.position, f"小李 {self.position}", legs],
                )

    def read(self, programme: str, after: int, limit: int) -> list[DecisionView]:
        """As a running programme reads its decisions."""
        assert programme == "moudian"
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT position, kind, key, at FROM journal WHERE position > %s ORDER BY position LIMIT %s", [after, limit]
            )
            return [DecisionView(p, KIND_NAMES[kind], key, rfc3339(at), 1, {}, [], "") for p, kind, key, at in rows]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with the programme moudian."""
    with Database(database_url) as database:
        database.migrate()
        with database.connect() as connection:
            connection.execute("INSERT INTO programme VALUES (1, 'moudian', '\\x00', 0, 0)")
            ensure_partition(connection, 1)
        yield database


@pytest.fixture
def decided(database: Database) -> Journal:
    """Its journal, empty at first."""
    return Journal(database)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody to tell."""
    with loopback(), closing(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def clock() -> SetClock:
    """A clock that stands still until a test moves it."""
    return SetClock(NOON)


@pytest.fixture
def hooks(database: Database, decided: Journal, clock: SetClock) -> Iterator[Webhooks]:
    """Webhooks that may tell a receiver on loopback; not started."""
    hooks = Webhooks(database, clock, decided.read, private_allowed=True)
    yield hooks
    hooks.stop()


def only(hooks: Webhooks) -> DeliveryView:
    """The newest message to the only endpoint."""
    (view,) = hooks.list("moudian")
    return hooks.deliveries("moudian", view.id, 1)[0]


def is_done(hooks: Webhooks, view: WebhookView, last: int) -> bool:
    """Whether an endpoint has taken everything up to a decision."""
    (now,) = [hook for hook in hooks.list("moudian") if hook.id == view.id]
    return now.position == last and all(message.delivered_at for message in hooks.deliveries("moudian", view.id))


# ---------------------------------------------------------------- what is sent


def test_an_endpoint_is_told_in_order_of_everything_decided_after_it_was_added(
    hooks: Webhooks, decided: Journal, receiver: Receiver
) -> None:
    """A receiver builds its own books on these messages: a gap or a repetition out of order is money."""
    decided.decide("activation", "order")
    view = hooks.add("moudian", receiver.url())
    decided.decide("order", "refund", "order")
    hooks.start()
    eventually(lambda: is_done(hooks, view, 5))
    decided.decide("closing")
    hooks.notify("moudian")
    eventually(lambda: is_done(hooks, view, 6))

    assert [3, 4, 5, 6] == [position for request in receiver.requests for position in request.positions]


def test_a_message_holds_the_decisions_as_the_api_shows_them(hooks: Webhooks, decided: Journal, receiver: Receiver) -> None:
    """One form for one thing: a receiver may decode a message with the client's own structs."""
    view = hooks.add("moudian", receiver.url())
    decided.decide("order")
    hooks.start()
    eventually(lambda: is_done(hooks, view, 1))
    body = msgspec.json.decode(receiver.requests[0].body, type=webhooks.Body)

    assert webhooks.Body("decisions", rfc3339(NOON + 1), webhooks.Told("moudian", decided.read("moudian", 0, 1))) == body


def test_a_receiver_can_check_who_sent_a_message_and_when(hooks: Webhooks, decided: Journal, receiver: Receiver) -> None:
    """The signature is computed here again from what the Standard Webhooks specification says, and from nothing of ours."""
    view = hooks.add("moudian", receiver.url())
    decided.decide("order")
    hooks.start()
    eventually(lambda: is_done(hooks, view, 1))
    (request,) = receiver.requests
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = hmac.new(b64decode(view.secret.removeprefix("whsec_")), signed, sha256).digest()

    assert f"v1,{b64encode(expected).decode()}" == request.headers["webhook-signature"]
    assert "1767225600" == request.headers["webhook-timestamp"]
    assert 32 == len(b64decode(view.secret.removeprefix("whsec_")))
    assert "application/json" == request.headers["content-type"]


def test_the_secret_is_shown_once(hooks: Webhooks, receiver: Receiver) -> None:
    """A list is looked at over shoulders and copied into tickets."""
    view = hooks.add("moudian", receiver.url())

    assert view.secret.startswith("whsec_")
    assert [msgspec.structs.replace(view, secret="")] == hooks.list("moudian")


def test_an_endpoint_hears_of_the_kinds_it_asked_for_only(hooks: Webhooks, decided: Journal, receiver: Receiver) -> None:
    """A till that waits for refunds must not be sent a million orders."""
    refunds = hooks.add("moudian", receiver.url("/refunds"), ["refund", "cancellation"])
    everything = hooks.add("moudian", receiver.url("/everything"))
    decided.decide("order", "refund", "order", "cancellation", "order")
    hooks.start()
    eventually(lambda: is_done(hooks, refunds, 5) and is_done(hooks, everything, 5))

    assert [[2, 4]] == [request.positions for request in receiver.to("/refunds")]
    assert [[1, 2, 3, 4, 5]] == [request.positions for request in receiver.to("/everything")]
    assert [[], ["cancellation", "refund"]] == sorted(sorted(view.kinds) for view in hooks.list("moudian"))


def test_messages_stay_small_however_much_is_decided(
    hooks: Webhooks, decided: Journal, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver refuses a body that is too large, for ever; a single decision with more transfers goes alone."""
    monkeypatch.setattr(webhooks, "DECISIONS_MAX", 3)
    monkeypatch.setattr(webhooks, "TRANSFERS_MAX", 10)
    view = hooks.add("moudian", receiver.url())
    decided.decide("order", "order", "order", "order", legs=2)
    decided.decide("order", "order", legs=6)
    decided.decide("release", legs=50)
    decided.decide("order")
    hooks.start()
    eventually(lambda: is_done(hooks, view, 8))

    assert [[1, 2, 3], [4, 5], [6], [7], [8]] == [request.positions for request in receiver.requests]


# ---------------------------------------------------------------- failures


def test_what_was_not_taken_is_sent_again_the_same_and_what_follows_waits(
    hooks: Webhooks, decided: Journal, receiver: Receiver, clock: SetClock
) -> None:
    """A receiver knows a repetition by its id, and must never see a later decision before an earlier one."""
    receiver.answers["/"] = 500
    view = hooks.add("moudian", receiver.url())
    decided.decide("order", "order")
    hooks.start()
    eventually(lambda: hooks.deliveries("moudian", view.id) and only(hooks).attempts == 1)
    decided.decide("order")
    failed = only(hooks)
    receiver.answers["/"] = 200
    clock.advance(10)
    eventually(lambda: is_done(hooks, view, 3))
    first, again, next_one = receiver.requests

    assert [[1, 2], [1, 2], [3]] == [request.positions for request in receiver.requests]
    assert (first.headers["webhook-id"], first.body) == (again.headers["webhook-id"], again.body)
    assert first.headers["webhook-id"] != next_one.headers["webhook-id"]
    assert "it answered 500; it must be 2xx" == failed.en
    assert "2026-01-01T00:00:05" <= failed.due_at < "2026-01-01T00:00:10"


def test_nothing_is_tried_again_before_its_time(hooks: Webhooks, decided: Journal, receiver: Receiver, clock: SetClock) -> None:
    """A receiver that has fallen over does not get up under a hail of messages."""
    receiver.answers["/"] = 503
    other = hooks.add("moudian", receiver.url("/other"))
    hooks.add("moudian", receiver.url())
    decided.decide("order")
    hooks.start()
    eventually(lambda: len(receiver.to("/")) == 1 and is_done(hooks, other, 1))
    clock.advance(4)
    decided.decide("order")
    hooks.notify("moudian")
    eventually(lambda: is_done(hooks, other, 2))

    assert 1 == len(receiver.to("/"))


def test_attempts_are_seconds_apart_at_first_and_hours_at_last() -> None:
    """Short faults are over in seconds; for long ones three days must not mean fifty thousand attempts."""
    for attempts in range(1, 60):
        least = min(5 * 2 ** (attempts - 1), 3 * 3_600) * 1_000_000

        assert least <= wait_micro(attempts) < 2 * least


def test_an_endpoint_that_fails_for_three_days_is_paused_and_says_why(
    hooks: Webhooks, decided: Journal, receiver: Receiver, clock: SetClock
) -> None:
    """Somebody has to look; until then nothing is lost, and ``redeliver`` goes on from there."""
    receiver.answers["/"] = 302
    view = hooks.add("moudian", receiver.url())
    decided.decide("order")
    hooks.start()
    attempts = 0
    while not hooks.list("moudian")[0].paused_at:
        attempts += 1
        eventually(lambda: hooks.deliveries("moudian", view.id) and only(hooks).attempts == attempts)  # noqa: B023 -- awaited here
        clock.advance(6 * 3_600)
        hooks.notify("moudian")
        time.sleep(0.02)
    (paused,) = hooks.list("moudian")
    receiver.answers["/"] = 200
    decided.decide("order")
    hooks.redeliver("moudian", only(hooks).id)
    eventually(lambda: is_done(hooks, view, 2))

    assert "it answered 302; redirects are not followed, give the final URL" == paused.en
    assert "2026-01-03T18" <= paused.paused_at <= "2026-01-04T01"
    assert [[1]] * (len(receiver.requests) - 1) + [[2]] == [request.positions for request in receiver.requests]
    assert "" == hooks.list("moudian")[0].paused_at
    assert not receiver.to("/elsewhere")


def test_an_endpoint_that_is_gone_is_paused_at_once(hooks: Webhooks, decided: Journal, receiver: Receiver) -> None:
    """410 is how a receiver says, by the Standard Webhooks scheme, that it wants no more."""
    receiver.answers["/"] = 410
    hooks.add("moudian", receiver.url())
    decided.decide("order")
    hooks.start()
    eventually(lambda: hooks.list("moudian")[0].paused_at)

    assert "it answered 410; it must be 2xx" == hooks.list("moudian")[0].en
    assert "应答 410;须为 2xx" == hooks.list("moudian")[0].zh


def test_a_slow_endpoint_keeps_nobody_waiting(hooks: Webhooks, decided: Journal, receiver: Receiver) -> None:
    """One customer's fault is not another's."""
    hooks.add("moudian", receiver.url("/slow"))
    view = hooks.add("moudian", receiver.url())
    decided.decide("order")
    hooks.start()
    eventually(lambda: receiver.to("/slow"))
    decided.decide("order")
    hooks.notify("moudian")
    eventually(lambda: is_done(hooks, view, 2))

    assert not receiver.patience.is_set()
    assert [[1]] == [request.positions for request in receiver.to("/slow")]
    receiver.patience.set()


def test_a_dead_endpoint_shows_what_is_wrong(hooks: Webhooks, decided: Journal, receiver: Receiver) -> None:
    """Its administrator sees the text, and we see nothing of their network."""
    receiver.close()
    hooks.add("moudian", receiver.url())
    decided.decide("order")
    hooks.start()
    eventually(lambda: (view := hooks.list("moudian")[0]) and hooks.deliveries("moudian", view.id) and only(hooks).attempts)

    assert endpoint.FAULTS["unreachable"] == (only(hooks).zh, only(hooks).en)


def test_a_message_that_was_written_before_a_crash_is_sent_after_it(
    hooks: Webhooks, database: Database, decided: Journal, receiver: Receiver, clock: SetClock
) -> None:
    """The position has gone forward with the message, so only the message can still tell."""
    view = hooks.add("moudian", receiver.url())
    decided.decide("order")
    with database.reading() as connection:
        row = webhooks.people.webhook(connection, 1, view.id)
        assert row is not None
        hooks._write(connection, row)
    after = Webhooks(database, clock, decided.read, private_allowed=True)
    decided.decide("order")
    after.start()
    eventually(lambda: is_done(after, view, 2))
    after.stop()

    assert [[1], [2]] == [request.positions for request in receiver.requests]


def test_decisions_that_this_process_cannot_read_yet_are_waited_for(
    hooks: Webhooks, decided: Journal, receiver: Receiver
) -> None:
    """A standby reads the journal a moment later; a message without its decisions would be a gap."""
    view = hooks.add("moudian", receiver.url())
    decided.decide("order", "order")
    seen, asked = 1, []
    read = decided.read

    def read_late(programme: str, after: int, limit: int) -> list[DecisionView]:
        asked.append(after)
        return [decision for decision in read(programme, after, limit) if decision.position <= seen]

    hooks._read = read_late
    hooks.start()
    eventually(lambda: hooks.notify("moudian") or len(asked) > 1)
    early = len(receiver.requests)
    seen = 2
    eventually(lambda: is_done(hooks, view, 2))

    assert 0 == early
    assert [[1, 2]] == [request.positions for request in receiver.requests]


# ---------------------------------------------------------------- several processes


def test_of_two_processes_one_delivers_and_the_other_takes_over(
    hooks: Webhooks, database: Database, decided: Journal, receiver: Receiver, clock: SetClock
) -> None:
    """Both serve the API; each message must be sent by one of them, and by the other when the first is gone."""
    other = Webhooks(database, clock, decided.read, private_allowed=True)
    view = hooks.add("moudian", receiver.url())
    hooks.start()
    eventually(lambda: hooks._ours)
    other.start()
    for _ in range(5):
        decided.decide("order")
        hooks.notify("moudian")
        other.notify("moudian")
        eventually(lambda: is_done(hooks, view, decided.position))
    assert not other._ours
    hooks.stop()
    decided.decide("order")
    eventually(lambda: is_done(other, view, 6))
    other.stop()

    assert [1, 2, 3, 4, 5, 6] == [position for request in receiver.requests for position in request.positions]


def test_messages_go_on_after_the_database_was_away(
    hooks: Webhooks, database: Database, decided: Journal, receiver: Receiver
) -> None:
    """The lock's connection is the one that lives longest, and so the one that is cut first."""
    view = hooks.add("moudian", receiver.url())
    hooks.start()
    eventually(lambda: hooks._ours)
    with database.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()"
        )
    decided.decide("order")
    hooks.notify("moudian")
    eventually(lambda: is_done(hooks, view, 1))

    assert [[1]] == [request.positions for request in receiver.requests]


# ---------------------------------------------------------------- looking back


def test_a_message_is_sent_again_when_it_is_asked_for(hooks: Webhooks, decided: Journal, receiver: Receiver) -> None:
    """A receiver that lost its data gets it again, byte for byte."""
    view = hooks.add("moudian", receiver.url())
    decided.decide("order")
    hooks.start()
    eventually(lambda: is_done(hooks, view, 1))
    hooks.redeliver("moudian", only(hooks).id)
    eventually(lambda: len(receiver.requests) == 2 and is_done(hooks, view, 1))
    first, again = receiver.requests

    assert (first.headers["webhook-id"], first.body) == (again.headers["webhook-id"], again.body)


def test_old_messages_are_forgotten_and_what_is_not_taken_never(
    hooks: Webhooks, decided: Journal, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that only grows is a disk that is full one day."""
    monkeypatch.setattr(webhooks, "KEPT", 3)
    monkeypatch.setattr(webhooks, "DECISIONS_MAX", 1)
    view = hooks.add("moudian", receiver.url())
    decided.decide(*["order"] * 8)
    hooks.start()
    eventually(lambda: is_done(hooks, view, 8))
    messages = hooks.deliveries("moudian", view.id)

    assert [8, 7, 6] == [message.first for message in messages]
    assert [8] == [message.first for message in hooks.deliveries("moudian", view.id, 1)]


def test_a_removed_endpoint_is_told_nothing_more(hooks: Webhooks, decided: Journal, receiver: Receiver) -> None:
    """Its owner may be somebody else by now."""
    removed = hooks.add("moudian", receiver.url("/removed"))
    view = hooks.add("moudian", receiver.url())
    hooks.remove("moudian", removed.id)
    decided.decide("order")
    hooks.start()
    eventually(lambda: is_done(hooks, view, 1))

    assert ["/"] == [request.path for request in receiver.requests]


def test_what_is_not_there_is_named(hooks: Webhooks, receiver: Receiver) -> None:
    """A typing error must not look like an endpoint to which nothing was sent."""
    view = hooks.add("moudian", receiver.url())
    with pytest.raises(ProgrammeNotFound, match="nowhere"):
        hooks.add("nowhere", receiver.url())
    with pytest.raises(WebhookNotFound, match="0123"):
        hooks.deliveries("moudian", "0123")
    with pytest.raises(WebhookNotFound, match="0123"):
        hooks.remove("moudian", "0123")
    for unknown in ("x", f"msg_{view.id}_1"):
        with pytest.raises(DeliveryNotFound, match=unknown):
            hooks.redeliver("moudian", unknown)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hook",
        "ftp://example.com/hook",
        "file:///etc/passwd",
        "https:///hook",
        "https://user:password@example.com/",
        "https://example.com/#part",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://example.com/\n",
        "https://example.com/" + "a" * 2_000,
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_a_url_that_nothing_should_be_sent_to_is_refused(database: Database, decided: Journal, url: str) -> None:
    """A mistake is cheapest to correct where it is made."""
    hooks = Webhooks(database, SetClock(NOON), decided.read)
    with pytest.raises(FieldRefused) as refused:
        hooks.add("moudian", url)

    assert "url" == refused.value.field
    assert [] == hooks.list("moudian")


def test_an_unknown_kind_is_refused(hooks: Webhooks, receiver: Receiver) -> None:
    """An endpoint that waits for ``orders`` would wait for ever."""
    with pytest.raises(FieldRefused, match="no kind orders") as refused:
        hooks.add("moudian", receiver.url(), ["orders", "refund"])

    assert "kinds" == refused.value.field


def test_a_programme_has_room_for_so_many_endpoints(hooks: Webhooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything has a limit; each endpoint costs a reading of the whole journal."""
    monkeypatch.setattr(webhooks, "ENDPOINTS_MAX", 1)
    hooks.add("moudian", receiver.url())
    with pytest.raises(FieldRefused, match="at most 1 webhooks"):
        hooks.add("moudian", receiver.url())


def test_the_log_names_no_people_and_no_urls(
    hooks: Webhooks, decided: Journal, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Logs are kept by others and longer; a URL may hold a password in its query."""
    receiver.answers["/?token=geheim"] = 410
    caplog.set_level(logging.DEBUG, "rangli")
    view = hooks.add("moudian", receiver.url("/?token=geheim"))
    decided.decide("order")
    hooks.start()
    eventually(lambda: hooks.list("moudian")[0].paused_at)
    text = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("rangli"))

    assert f"webhook {view.id} is paused: status 410" in text
    assert "小李" not in text
    assert "geheim" not in text
