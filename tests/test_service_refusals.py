"""A refused request changes nothing: not the state, not a balance, not a name, not a row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import service_worlds
from service_worlds import (
    GREAT,
    MARKET,
    NOON,
    SEASON,
    SECRET,
    TIGHT,
    House,
    changed,
    connected,
    done,
    known,
    opened,
    order,
    orders,
    reason,
    running,
)

from rangli.errors import FieldRefused, PlanFaulty, ProgrammeExists, ProgrammeNotFound, RangliError, Refused
from rangli.ledger.accounts import NAME_BYTES_MAX
from rangli.money import MICRO_MAX
from rangli.service import Service
from rangli.service.clock import SetClock
from rangli.service.requests import (
    ActivationRequest,
    ClosingRequest,
    InjectionRequest,
    RefundRequest,
    Request,
    SaleRequest,
)
from rangli.service.settling import batch
from rangli.service.settling.recovery import Recovered
from rangli.service.settling.verify import verify
from rangli.store.database import Connection

house = service_worlds.house
url = service_worlds.url

LONG = "字" * (NAME_BYTES_MAX // 3 + 1)
NO_TEXTS = ("NUL\0", "half \ud800")
"""What no database holds."""
NO_NAMES = (" 前", "后 ", "\u3000", LONG, *NO_TEXTS)
NO_AMOUNTS = ("", " 1", "-1", "+1", "1.001", "1e3", "1,000", "007", "１２", "nan", "一百", "100000000.01", *NO_TEXTS)

FAULTY_ORDERS = {
    "order_id": ("", *NO_NAMES),
    "paid_at": (
        "",
        "yesterday",
        "05/01/2026",
        "2026-02-30",
        "2026-01-05 25:00",
        "1815-01-05",
        "2026-01-05T12:00+24:00",
        *NO_TEXTS,
    ),
    "merchant": ("", *NO_NAMES),
    "consumer": ("", *NO_NAMES),
    "amount": ("0", "0.00", *NO_AMOUNTS),
    "concession": ("", "20", "5.99%", "30.01%", "-20%", "20.001%", "99999%", " 20%", *NO_TEXTS),
    "voucher": ("-1", "x", " 1", "1.001", *NO_TEXTS),
    **{
        party: ("merchant:", f"agent: {party}", *NO_NAMES)
        for party in ("referrer", "referrer2", "recruiter", "agent_district", "agent_city", "agent_province", "agent_region")
    },
}
FAULTY: list[tuple[str, Request, str]] = [
    *[
        ("market", order(**({"order_id": "new"} | {field: text})), field)
        for field, texts in FAULTY_ORDERS.items()
        for text in texts
    ],
    *[("market", RefundRequest(text, "o1"), "refund_id") for text in ("", LONG, *NO_TEXTS)],
    *[("market", RefundRequest("new", "o1", text), "amount") for text in ("0", "0.00", *NO_TEXTS)],
    *[("market", RefundRequest("new", "o1", text), "amount_malformed") for text in NO_AMOUNTS[1:-2]],
    *[("market", RefundRequest("new", text), "order_not_found") for text in ("", "nobody's", "r1", LONG)],
    *[("market", RefundRequest("new", text), "order_id") for text in NO_TEXTS],
    *[("market", RefundRequest("new", "o1", text), "refund_too_large") for text in ("87.01", "100000000")],
    *[("market", RefundRequest("new", "o2", text), "refund_too_large") for text in ("", "0.01")],
    *[("market", SaleRequest(text, "c1", "1"), "sale_id") for text in ("", LONG, *NO_TEXTS)],
    *[("market", SaleRequest("new", text, "1"), "consumer") for text in ("", "nobody", "面馆", "consumer:c1", LONG, *NO_TEXTS)],
    *[("market", SaleRequest("new", "c1", text), "points") for text in NO_TEXTS],
    *[("market", SaleRequest("new", "c1", text), "amount_malformed") for text in ("", "-1", "0.0000001", "x", "9" * 14)],
    *[("market", SaleRequest("new", "c1", text), "points_short") for text in ("0", "100000", "1152921504606")],
    *[("season", SaleRequest("new", "c1", "1"), "points_short")],
    *[("market", InjectionRequest(text, "1"), "injection_id") for text in ("", LONG, *NO_TEXTS)],
    *[("market", InjectionRequest("new", text), "amount_malformed") for text in NO_AMOUNTS[:-2]],
    *[("market", InjectionRequest("new", "0"), "limit_reached"), ("season", InjectionRequest("new", "1"), "limit_reached")],
    *[("season", ClosingRequest(text, "2026-02-01"), "closing_id") for text in ("", LONG, *NO_TEXTS)],
    *[
        ("season", ClosingRequest("new", text), "on")
        for text in ("", "tomorrow", "2026-02-30", "2026-02-01 12:00", "1815-01-05", "2026-2-1", "9999-01-01", *NO_TEXTS)
    ],
    *[("season", ActivationRequest(text, SEASON), "activation_id") for text in ("", LONG, *NO_TEXTS)],
    *[("season", ActivationRequest("new", text), "plan") for text in NO_TEXTS],
    *[
        ("season", ActivationRequest("new", text), "plan_faulty")
        for text in ("", "weituanbao", "[", "plan: x", changed(SEASON, ("20% of concession", "90% of concession")))
    ],
    *[
        ("season", ActivationRequest("new", text), "plan_unfit")
        for text in (
            MARKET,
            changed(SEASON, ("tiers: []", "tiers: [100]")),
            changed(SEASON, ("exit: {packets: 3}", "exit: {packets: 4}")),
            changed(SEASON, ("pays: vouchers", "pays: cash"), ("\noffset: {vouchers: 100%}", ""), ("multiple: 2", "multiple: 1")),
            changed(SEASON, ("as: vouchers", "as: cash"), ("concession:", "funds: [charity]\nconcession:")),
        )
    ],
    *[("season", order("new", consumer="c1", voucher=text), "vouchers_short") for text in ("99.99", "100")],
    *[("season", order("new", consumer="stranger", voucher="0.01"), "vouchers_short")],
    *[("season", order("new", consumer="c1", voucher="100.01"), "vouchers_over_limit")],
    *[("market", order("new", consumer="c1", voucher="0.01"), "vouchers_over_limit")],
    *[("held", RefundRequest("new", "h1", "1"), "order_held"), ("held", RefundRequest("new", "h2"), "order_held")],
    *[("held", order("new", referrer=" x"), "referrer"), ("held", order("new", concession="5%"), "concession")],
    *[("market", order("o1", amount="87.01"), "request_conflict"), ("held", order("h1", amount="1"), "request_conflict")],
]


@pytest.fixture(scope="module")
def lively(house: House) -> Iterator[tuple[Service, Connection]]:
    """Four programmes in which something has happened, and a connection to look at the database."""
    with house.database() as url, opened(url, SetClock(NOON)) as service, connected(url) as connection:
        for name, plan in {"market": MARKET, "season": SEASON, "tight": TIGHT, "held": MARKET}.items():
            service.create(name, plan, secret=SECRET, hold_seconds=86_400 if name == "held" else 0)
        running = service.running
        done(running("market").do([*orders(range(9)), RefundRequest("r1", "o2"), InjectionRequest("i1", "5")]))
        done(running("season").do([*orders(range(9)), ClosingRequest("c1", "2026-01-20")]))
        done(running("held").do([order("h1"), order("h2"), RefundRequest("r1", "h2")]))
        yield service, connection


def refused(lively: tuple[Service, Connection], name: str, request: Request) -> RangliError:
    """The refusal of a request, after it has been seen to have changed nothing."""
    service, connection = lively
    before = known(service.running(name), connection)
    [answer] = service.running(name).do([request])

    assert before == known(service.running(name), connection)
    assert isinstance(answer, RangliError)
    return answer


@pytest.mark.parametrize(("name", "request_", "why"), FAULTY, ids=[f"{i}-{why}" for i, (_, _, why) in enumerate(FAULTY)])
def test_what_is_refused_says_why_and_changes_nothing(
    lively: tuple[Service, Connection], name: str, request_: Request, why: str
) -> None:
    """Every field of every kind of request, texts that no database holds, and all that the books do not allow."""
    answer = refused(lively, name, request_)

    assert why == reason(answer)
    assert answer.zh != answer.en
    assert "\ud800" not in answer.zh + answer.en


def test_a_text_of_a_refusal_can_be_sent_on(lively: tuple[Service, Connection]) -> None:
    """The refusal of a text with half a surrogate pair must itself be text, or the error page fails."""
    for _, request, _ in FAULTY:
        [answer] = lively[0].running("market").do([request])
        if isinstance(answer, RangliError):
            (answer.zh + answer.en).encode()


def test_of_several_faults_the_first_field_is_named(lively: tuple[Service, Connection]) -> None:
    """The order of the fields of an order file, so that both doors name the same one."""
    everything = order("new", paid_at="x", merchant="", consumer="", amount="x", concession="x", voucher="x", referrer=" ")

    assert "paid_at" == reason(refused(lively, "market", everything))
    assert "amount" == reason(refused(lively, "market", order("new", amount="0", concession="99%", voucher="1")))
    assert "consumer" == reason(refused(lively, "season", order("new", consumer=" x", voucher="1")))


def test_refusals_in_one_batch_change_nothing_either(lively: tuple[Service, Connection]) -> None:
    """All of them at once, as a client with a broken exporter sends them."""
    service, connection = lively
    before = known(service.running("market"), connection)
    answers = service.running("market").do([request for name, request, _ in FAULTY if name == "market"])

    assert before == known(service.running("market"), connection)
    assert all(isinstance(answer, RangliError) for answer in answers)


# ---------------------------------------------------------------- limits


def test_an_order_past_a_limit_leaves_no_name_behind(lively: tuple[Service, Connection]) -> None:
    """The limit is known only after the names were numbered; they must not stay."""
    stranger = order("new", amount=GREAT, consumer="stranger", merchant="strange", referrer="stranger too")

    assert "limit_reached" == reason(refused(lively, "tight", stranger))


@pytest.mark.parametrize("stream_rows", [2, 100])
def test_an_order_past_a_limit_among_others_is_as_if_it_had_not_come(
    house: House, monkeypatch: pytest.MonkeyPatch, stream_rows: int
) -> None:
    """Before, after and between good orders in one batch, with names that good ones share, and rows on their way already."""
    monkeypatch.setattr(batch, "STREAM_ROWS", stream_rows)
    great = [order(f"great{i}", amount=GREAT, consumer=f"c{i}", referrer="only there") for i in range(3)]
    good = orders(range(6))
    mixed = [great[0], *good[:2], great[1], *good[2:], great[2]]
    hashes = set()
    for requests in (mixed, good):
        with house.database() as url:
            with running(url, TIGHT) as programme:
                answers = programme.do(requests)
                hashes.add((programme.state_hash(), programme.view().head))

                assert ["limit_reached"] * (len(requests) - 6) == [reason(answer) for answer in answers if reason(answer)]
            with running(url, TIGHT) as programme:
                hashes.add((programme.state_hash(), programme.view().head))

    assert 1 == len(hashes)


def test_an_order_past_a_limit_brings_no_release_about(url: str) -> None:
    """Its day would release a period first; the journal cannot hold that release without the order, nor the engine forget it."""
    first = order("first", amount="1000")
    late = order("late", paid_at="2026-03-05", amount=GREAT)
    with running(url, TIGHT) as programme, connected(url) as connection:
        done(programme.do([first]))
        before = known(programme, connection)

        assert ["limit_reached"] == [reason(answer) for answer in programme.do([late])]
        assert before == known(programme, connection)
        done(programme.do([order("next", paid_at="2026-03-06", amount="1000")]))
        state_hash = programme.state_hash()
    with running(url, TIGHT, clock=SetClock(NOON + 1)) as programme:
        assert state_hash == programme.state_hash()
        assert state_hash == verify(programme._database, "w").state_hash


@pytest.mark.parametrize(
    ("request_", "account"),
    [
        (InjectionRequest("i", "1"), "platform:funding"),
        (SaleRequest("s", "c1", "1"), "programme:pool"),
        (RefundRequest("r", "o1", "1"), "platform:surplus"),
    ],
)
def test_what_the_books_do_not_hold_is_undone_in_the_engine_too(url: str, request_: Request, account: str) -> None:
    """An account at its limit refuses after the engine has decided; then the engine must not be ahead of the journal."""
    with running(url, MARKET) as programme, connected(url) as connection:
        done(programme.do(orders(range(4))))
        before = known(programme, connection)

        def fill(recovered: Recovered) -> None:
            accounts, books = recovered.standing.programme.accounts, recovered.standing.books
            books.balance[accounts.account(account)] = -MICRO_MAX

        programme.settler.ask(fill).result(20)
        [refused] = programme.do([request_])

        assert "limit_reached" == reason(refused)
        assert before == known(programme, connection)
        assert ["done"] == [answer.status for answer in done(programme.do([request_]))]


def test_vouchers_that_come_with_an_orders_own_release_pay_for_it(url: str) -> None:
    """The release comes before the order (docs/rules.md, section 2), here as in a file."""
    with running(url, SEASON) as programme:
        done(programme.do([order("first", amount="1000")]))
        held = programme.balance("consumer:张三:vouchers").balance
        paid = order("paid", paid_at="2026-01-20", voucher="10")

        assert "0.00" == held
        assert ["done"] == [answer.status for answer in done(programme.do([paid]))]
        assert "-10.00" == programme.statement("consumer:张三:vouchers").entries[-2].amount


def test_vouchers_that_no_release_brings_are_refused_without_it(url: str) -> None:
    """Only the engine knows what the release would have brought; afterwards the release must be as if it had never been."""
    with running(url, SEASON) as programme, connected(url) as connection:
        done(programme.do([order("first", amount="1000")]))
        before = known(programme, connection)
        greedy = order("greedy", paid_at="2026-01-20", voucher="100", referrer="new")

        assert ["vouchers_short"] == [reason(answer) for answer in programme.do([greedy])]
        assert before == known(programme, connection)


# ---------------------------------------------------------------- one batch, many answers


def test_an_id_that_was_refused_is_free_again_in_the_same_batch(url: str) -> None:
    """Whether the correction comes in the same call or in the next one must not matter."""
    with running(url) as programme:
        answers = programme.do(
            [order("a", consumer=" x"), order("a"), order("b", merchant=""), order("b", amount="1"), order("a")]
        )

    assert ["consumer", "", "merchant", "", ""] == [reason(answer) for answer in answers]
    assert [False, False, True] == [answer.repeated for answer in done([answers[k] for k in (1, 3, 4)])]


# ---------------------------------------------------------------- programmes


def test_a_programme_that_cannot_be_is_refused_and_not_half_made(lively: tuple[Service, Connection]) -> None:
    """Names go into addresses; a plan that is faulty settles nothing."""
    service, connection = lively
    before = connection.execute("TABLE programme").fetchall()
    for name in ("", " x", "a/b", "a b", "x" * 61, "é/", "..", "a\0"):
        with pytest.raises(FieldRefused) as fault:
            service.create(name, MARKET)
        assert "name" == fault.value.field
    for hold_seconds in (-1, 10**9):
        with pytest.raises(FieldRefused):
            service.create("new", MARKET, hold_seconds=hold_seconds)
    with pytest.raises(PlanFaulty):
        service.create("new", "plan: x")
    with pytest.raises(ProgrammeExists):
        service.create("market", MARKET)
    with pytest.raises(ProgrammeNotFound):
        service.running("new")

    assert before == connection.execute("TABLE programme").fetchall()


def test_every_refusal_of_the_books_was_provoked() -> None:
    """A kind of refusal that is added must be shown to change nothing here."""
    elsewhere = {"programme_exists", "guards_refused"}  # a new programme; tests/test_service_approval.py
    console = {
        "verify_running", "import_not_ready", "member_exists", "last_owner", "form_replayed", "draft_moved", "draft_closed",
        "own_proposal",
    }  # fmt: skip
    books = {cls.code for cls in Refused.__subclasses__()} - {"operation_refused"}
    provoked = {why for _, _, why in FAULTY} | {"limit_reached", "order_refused"} | elsewhere

    assert set() == books - provoked - console  # which moves no money; its own tests provoke it


@pytest.mark.parametrize("stream_rows", [1, 2, 100])
def test_an_order_that_the_books_do_not_hold_is_left_out_and_the_others_settle(
    url: str, monkeypatch: pytest.MonkeyPatch, stream_rows: int
) -> None:
    """Else its batch would fail, and with every retry fail again, for all who are in it."""
    monkeypatch.setattr(batch, "STREAM_ROWS", stream_rows)
    some = [order("a", merchant="茶馆"), order("b", merchant="面馆"), order("c", merchant="茶馆")]
    with running(url, MARKET) as programme:
        done(programme.do(orders(range(4))))

        def fill(recovered: Recovered) -> None:
            accounts, books = recovered.standing.programme.accounts, recovered.standing.books
            books.balance[accounts.account("merchant:面馆:concession")] = -MICRO_MAX

        programme.settler.ask(fill).result(20)

        assert ["", "limit_reached", ""] == [reason(answer) for answer in programme.do(some)]
        assert ["", "", ""] == [reason(answer) for answer in programme.do(some)]
        assert 7 == programme.view().position - 1
        verify(programme._database, "w")


def test_a_batch_that_begins_with_nothing_but_refusals_settles_the_rest(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are sent while others are decided; where there are none yet, nothing may be begun."""
    monkeypatch.setattr(batch, "STREAM_ROWS", 2)
    bad = [order(f"bad{i}", amount="0") for i in range(5)]
    with running(url, MARKET) as programme:
        answers = programme.do([*bad, *orders(range(5)), *bad])

        assert [True] * 5 + [False] * 5 + [True] * 5 == [isinstance(answer, RangliError) for answer in answers]
        verify(programme._database, "w")
