"""Going live: the sandbox runs every plan, a real channel none that the law refuses; people sign for what it leaves to them."""

from __future__ import annotations

import pytest
import service_worlds
from service_worlds import House, changed, connected, done, opened

from rangli.errors import Broken, FieldRefused, GuardsRefused, PlanRefused, RequestConflict, SignOffMissing
from rangli.plan import judge, load, preset_text, presets, verdict
from rangli.service.requests import ActivationRequest, OrderRequest, Signature
from rangli.service.settling.approval import REAL, SANDBOX, SECONDS_PER_DAY
from rangli.service.settling.verify import verify
from rangli.store.database import Database

house = service_worlds.house
url = service_worlds.url

ANN = Signature("安", "分批试点,金额封顶", "律所意见书 2026-17")
BEN = Signature("Ben", "a pilot with a limit", "opinion 2026-17 of the firm")
LAWFUL = preset_text("weituanbao-lawful")
SILENT = changed(LAWFUL, ("  order_max: 1000\n", ""))
"""The same without a largest order, and so without a largest packet: a guard leaves it to people."""
BOASTING = changed(LAWFUL, ("law:\n", "claims: [稳赚不赔]\nlaw:\n"))
"""The same with copy that nobody may sign for."""


def test_the_three_documents_are_what_they_are_meant_to_be() -> None:
    """Else the tests below would prove nothing."""
    said = [verdict(judge(load(text))) for text in (LAWFUL, SILENT, BOASTING)]

    assert ["ok", "sign-off", "refuse"] == said


@pytest.mark.parametrize("name", presets())
def test_a_real_channel_runs_what_the_guards_let_pass(house: House, name: str) -> None:
    """Every preset: as the source has it at most with people's names under it, its twin at once."""
    said = verdict(judge(load(name)))
    with house.database() as url, opened(url) as service:
        service.create("sandbox", name)
        if said == "ok":
            assert REAL == service.create("real", name, channel=REAL).channel
            return
        with pytest.raises(GuardsRefused) as refused:
            service.create("real", name, channel=REAL)
        if said == "refuse":
            with pytest.raises(PlanRefused):
                service.create("real", name, channel=REAL, signed=[ANN, BEN])
        else:
            assert REAL == service.create("real", name, channel=REAL, signed=[ANN, BEN]).channel

        assert SANDBOX == service.running("sandbox").view().channel
        assert refused.value.problems
        assert all(p.zh in refused.value.zh and p.en in refused.value.en and p.code[0] == "G" for p in refused.value.problems)


@pytest.mark.parametrize("signed", [[], [ANN], [ANN, ANN], [BEN, Signature(" bEN ", "again", "the same")]])
def test_a_sign_off_takes_two_people(url: str, signed: list[Signature]) -> None:
    """One person under two reasons is one person; nothing is there afterwards."""
    with opened(url) as service:
        with pytest.raises(SignOffMissing, match="2"):
            service.create("new", SILENT, channel=REAL, signed=signed)

        assert [] == service.programmes()


@pytest.mark.parametrize("blank", [{"name": " "}, {"reason": ""}, {"opinion": "\t"}, {"reason": "x" * 4001}])
def test_half_a_signature_is_none(url: str, blank: dict[str, str]) -> None:
    """Name, reason and opinion, in the sandbox too: what is kept is whole."""
    fields = {"name": "安", "reason": "r", "opinion": "o"} | blank
    with opened(url) as service, pytest.raises(FieldRefused, match=next(iter(blank))):
        service.create("new", LAWFUL, signed=[Signature(**fields), BEN])


def test_an_unknown_channel_is_refused(url: str) -> None:
    """With those that there are."""
    with opened(url) as service, pytest.raises(FieldRefused, match="sandbox or real"):
        service.create("new", LAWFUL, channel="wechat")


def test_orders_are_held_as_long_as_the_plan_says(url: str) -> None:
    """Unless somebody asks for something else, which a real channel takes only when it is longer."""
    with opened(url) as service:
        assert 7 * SECONDS_PER_DAY == service.create("plan", LAWFUL).hold_seconds
        assert 0 == service.create("none", LAWFUL, hold_seconds=0).hold_seconds
        assert 8 * SECONDS_PER_DAY == service.create("long", LAWFUL, hold_seconds=8 * SECONDS_PER_DAY, channel=REAL).hold_seconds
        with pytest.raises(FieldRefused, match="7 day"):
            service.create("short", LAWFUL, hold_seconds=7 * SECONDS_PER_DAY - 1, channel=REAL)


def test_a_version_that_the_law_refuses_does_not_take_over(url: str) -> None:
    """And one that needs names takes over with them; what was refused leaves no trace, and the names are told."""
    with opened(url) as service:
        service.create("shop", LAWFUL, channel=REAL)
        shop = service.running("shop")
        before = shop.position(), shop.state_hash()
        refused = shop.do([ActivationRequest("a1", BOASTING, (ANN, BEN)), ActivationRequest("a2", SILENT)])

        assert [PlanRefused, SignOffMissing] == [type(answer) for answer in refused]
        assert before == (shop.position(), shop.state_hash())
        assert [False] == [answer.repeated for answer in done(shop.do([ActivationRequest("a2", SILENT, (ANN, BEN))]))]
        assert [[], ["安", "Ben"]] == [[one["name"] for one in plan.signed] for plan in shop.plans()]
        assert "sign" in str(shop.decisions(1, 9)[0].facts)


def test_the_same_activation_signed_by_others_is_another_one(url: str) -> None:
    """An id counts once, and with other names it is refused by the field."""
    with opened(url) as service:
        service.create("shop", LAWFUL, channel=REAL)
        shop = service.running("shop")
        first, again = done(shop.do([ActivationRequest("a", SILENT, (ANN, BEN))] * 2))
        (differs,) = shop.do([ActivationRequest("a", SILENT, (BEN, ANN))])

        assert (first.position, True) == (again.position, again.repeated)
        assert isinstance(differs, RequestConflict)
        assert "signed" == differs.field


@pytest.mark.parametrize("signed", ["plain", ("x",), (ANN, 7), [{"name": "a"}]])
def test_what_is_no_signature_is_refused_by_its_field(url: str, signed: object) -> None:
    """From Python nothing checks types before the settler does; it goes on."""
    with opened(url) as service:
        service.create("shop", LAWFUL)
        shop = service.running("shop")
        (refused,) = shop.do([ActivationRequest("a", SILENT, signed)])  # type: ignore[arg-type]

        assert isinstance(refused, FieldRefused)
        assert "signed" == refused.field
        done(shop.do([OrderRequest("o", "2026-01-05", "m", "c", "10", "20%")]))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE plan SET signed = replace(signed, 'Ben', 'Bob') WHERE number = 2",
        "UPDATE plan SET signed = '[]' WHERE number = 1",
        "UPDATE plan SET document = document || '# more' WHERE number = 2",
    ],
)
def test_verify_finds_names_and_words_that_were_changed(url: str, change: str) -> None:
    """Who signed for what is part of the decision."""
    with opened(url) as service:
        service.create("shop", SILENT, channel=REAL, signed=[ANN, BEN])
        done(service.running("shop").do([ActivationRequest("a", SILENT, (ANN, BEN))]))
    with Database(url) as database, connected(url) as connection:
        assert 2 == verify(database, "shop").position
        connection.execute(change.encode())
        with pytest.raises(Broken, match="signed"):
            verify(database, "shop")
