"""The service decides what the oracle decides and what ``settle.Programme`` writes, however its callers cut their requests up."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest
import service_worlds
from engine_worlds import KINDS, PlanFacts, plans
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Plan
from oracle_plans import MOUDIAN, WEITUANBAO
from service_reference import (
    PAIDUI,
    YUNLIANHUI,
    ZENGZHI,
    ZHONGDIAN,
    Doing,
    Reference,
    Said,
    Version,
    direct,
    doing_of,
    milder,
    reference,
)
from service_worlds import House, done, journal_of, micro, opened, reason, transfers_of

from rangli.plan import load, preset_text, presets
from rangli.service import Running
from rangli.service.settling import batch
from rangli.service.settling.verify import verify
from rangli.service.views import Answer

house = service_worlds.house
WORLDS = settings(max_examples=min(15, settings.default.max_examples))  # type: ignore[union-attr]
FUNDED: Plan = {"rate": Fraction(1, 10), "growth_bp": 11_500, "days": 30, "extended": 0, "multiple_bp": 10_000}
"""The release of the lawful twins: all of it, once."""


def _of(base: str, **rates: int) -> list[Plan]:
    return [{"to": to.replace("_", "."), "of": base, "rate": rate} for to, rate in rates.items()]


PRESETS = {
    "weituanbao": WEITUANBAO,
    "zengzhi": ZENGZHI,
    "moudian": MOUDIAN,
    "zhongdian": ZHONGDIAN,
    "yunlianhui": YUNLIANHUI,
    "paidui-miandan": PAIDUI,
    "weituanbao-lawful": {
        **WEITUANBAO,
        "concession": (600, 2000),
        "packets": {**WEITUANBAO["packets"], "exit_received_bp": 2000},
        "bonus": [],
    },
    "zengzhi-lawful": {
        "concession": (2000, 2000),
        "shares": _of("amount", dividend=1600, referrer=30, recruiter=50, agent_district=10, agent_city=20, agent_province=30),
        "points": _of("amount", consumer=1600),
        "release": FUNDED,
        "offset_bp": 5000,
    },
    "moudian-lawful": {
        **MOUDIAN,
        "points": _of("concession", consumer=2000, merchant=2000),
        "release": FUNDED,
        "offset_bp": 5000,
    },
    "zhongdian-lawful": {
        **ZHONGDIAN,
        "points": _of("concession", consumer=2800, merchant=1200),
        "release": FUNDED,
        "offset_bp": 5000,
    },
    "yunlianhui-lawful": {
        "concession": (1600, 1600),
        "shares": _of("concession", dividend=9000),
        "points": _of("concession", consumer=7800, merchant=1200),
        "release": {"rate": 500, "of": "balance", "growth_bp": 0, "days": 1, "extended": 0, "multiple_bp": 10_000},
        "offset_bp": 5000,
    },
    "paidui-miandan-lawful": {
        **PAIDUI,
        "concession": (1000, 2500),
        "packets": {**PAIDUI["packets"], "exit_received_bp": 3000},
    },
}

IN_WORDS = {
    "amount_out_of_range": ["amount"],
    "concession_out_of_range": ["concession"],
    "points_short": ["points_short", "consumer"],
}
"""What the service calls the oracle's reasons: it names fields, and tells strangers from members without points."""


@st.composite
def cuts(draw: st.DrawFn) -> list[int]:
    """How many requests go in one call, again and again."""
    return draw(st.lists(st.sampled_from([1, 2, 3, 7, 100]), min_size=1, max_size=6))


def told(running: Running, said: list[Said], sizes: list[int]) -> list[Answer]:
    """All requests, in calls of these sizes, each of which asks what it has done first again at the end; the answers."""
    answers = []
    at = 0
    while at < len(said):
        some = said[at : at + sizes[at % len(sizes)]]
        repeated = [k for k, each in enumerate(some) if not each.reason][:1]
        found = running.do([*(each.request for each in some), *(some[k].request for k in repeated)])
        for each, answer in zip(some, found, strict=False):
            assert (each.request, reason(answer)) in [(each.request, word) for word in IN_WORDS.get(each.reason, [each.reason])]
        for k in repeated:
            assert [msgspec.structs.replace(done([found[k]])[0], repeated=True)] == found[len(some) :]
        answers += found[: len(some)]
        at += len(some)
    return [answer for answer in answers if isinstance(answer, Answer)]


def check_journal(running: Running, said: list[Said], answers: list[Answer]) -> None:
    """One decision for each request that was accepted, with the oracle's transfers; before it the releases that it brought."""
    _, *decisions = journal_of(running)
    own = [decision for decision in decisions if decision.kind != "release"]
    before: list[list[object]] = [[] for _ in own]
    at = 0
    for decision in decisions:
        if decision.kind == "release":
            before[at] += transfers_of(decision)
        else:
            at += 1
    accepted = [each for each in said if not each.reason]

    assert [(each.before, each.lines) for each in accepted] == list(zip(before, map(transfers_of, own), strict=True))
    assert [(answer.id, answer.position, answer.hash) for answer in answers] == [(d.id, d.position, d.hash) for d in own]


def check_books(running: Running, made: Reference) -> None:
    """Every balance is the oracle's, and each unit's add up to nothing."""
    expected = {path: (unit, amount) for (path, unit), amount in made.asking.programme.balances().items()}
    found = {path: running.balance(path) for path in expected}

    assert expected == {path: (view.unit, micro(view.balance)) for path, view in found.items()}
    assert {"CNY": "0.00", "POINT": "0.00", "VOUCHER": "0.00"} == running.trial_balance().totals


def compare(house: House, versions: list[Version], doings: list[Doing], sizes: list[int]) -> None:
    """The oracle, the engine directly, and a service on a fresh database."""
    made = reference(versions, doings)
    engine = direct(versions, made.said).engine
    with house.database() as url, pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "STREAM_ROWS", sizes[-1])
        with opened(url, checkpoint_every=17) as service:
            service.create("w", versions[0].document, secret=service_worlds.SECRET, hold_seconds=0)
            running = service.running("w")
            check_journal(running, made.said, told(running, made.said, sizes))
            check_books(running, made)
            state_hash, position = running.state_hash(), running.position()
        with opened(url) as service:
            again = service.running("w")

            assert (engine.programme.hash(), position) == (state_hash, again.position())
            assert state_hash == again.state_hash() == verify(service.database, "w").state_hash


NUMBERS = st.lists(st.integers(0, 2**16), min_size=1, max_size=45)


@WORLDS
@given(facts=plans(KINDS), numbers=NUMBERS, amounts=st.integers(0, 2), sizes=cuts())
def test_any_plan_served_is_the_plan_settled(
    house: House, facts: PlanFacts, numbers: list[int], amounts: int, sizes: list[int]
) -> None:
    """Orders, refunds, sales, injections, closings and activations, some of them faulty, some twice, in any batches.

    Answers and refusals, every transfer of every decision, every balance and the state's hash: live, restarted, verified.
    """
    versions = [Version.of(facts), Version.of(milder(facts))]
    compare(house, versions, [doing_of(number, facts, amounts) for number in numbers], sizes)


@WORLDS
@given(name=st.sampled_from(sorted(PRESETS)), numbers=NUMBERS, amounts=st.integers(0, 2), sizes=cuts())
def test_every_preset_served_is_the_preset_settled(
    house: House, name: str, numbers: list[int], amounts: int, sizes: list[int]
) -> None:
    """The sources' own plans, by the same comparison."""
    meaning = PRESETS[name]
    shape = PlanFacts(meaning["concession"], (), pool=meaning.get("pool"), offset_bp=meaning.get("offset_bp", 0))
    version = Version(preset_text(name), meaning)
    compare(house, [version, version], [doing_of(number, shape, amounts) for number in numbers], sizes)


def test_every_preset_has_its_meaning_here() -> None:
    """A preset that is added is compared too."""
    assert sorted(presets()) == sorted(PRESETS)
    assert all(load(name).plan.name == name for name in PRESETS)
