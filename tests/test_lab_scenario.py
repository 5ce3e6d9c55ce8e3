"""Scenarios: what a document may say, what is wrong with it, and what its hash hangs on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rangli import lab
from rangli.errors import InputRefused, ScenarioFaulty, ScenarioNotFound
from rangli.lab.koubei import measure
from rangli.lab.parts import Ticket
from rangli.lab.scenario import PROBLEMS, changed, check, consumers_by_month, read, shops_by_month
from rangli.lab.vocabulary import SCENARIO
from rangli.plan.vocabulary import reference_markdown

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data" / "koubei"

SOUND = """scenario: corner
title: {zh: 街角, en: The corner}
months: 12
start: {shops: 5, consumers: 200}
shops:
  concessions: [{rate: 10%, share: 60%}, {rate: 20%, share: 40%}]
  tickets: [{median: 45, sigma: 60%}]
consumers: {new: 20, growth: 5%, visits: 2.5, churn: 8%, locked: 50%, invited: 20%}
"""

FAULTS = """
# change                                            | code              | where                | line
shops.concessions=[{rate: 20%, share: 90%}]         | shares_not_whole  | shops.concessions    | 6
shops.tickets=[{median: 45, max: 40}]               | bounds_crossed    | shops.tickets[0]     | 7
consumers.invited=60%                               | bound_over_100    | consumers.invited    | 8
start.locked=201                                    | part_over_whole   | start.locked         | 4
start.recruited=6                                   | part_over_whole   | start.recruited      | 4
injections=[{month: 12, amount: 5}]                 | month_over_end    | injections[0].month  | 9
run={month: 12, share: 5%}                          | month_over_end    | run.month            | 9
behaviour.sell={share: 5%, from: 40}                | month_over_end    | behaviour.sell.from  | 9
consumers.rhythm=[0, 0, 0, 0, 0, 0, 0]              | rhythm_empty      | consumers.rhythm     | 8
agents=[city, city]                                 | twice             | agents[1]            | 9
consumers.new=90000000                              | crowd_over_limit  | consumers.growth     | 8
consumers.rhythm=[1, 2]                             | too_few           | consumers.rhythm     | 8
consumers.visits=often                              | number_malformed  | consumers.visits     | 8
consumers.visits=1.234                              | number_malformed  | consumers.visits     | 8
shops.concessions[0].rate=0.123%                    | rate_too_fine     | shops.concessions[0].rate | 6
months=0                                            | out_of_range      | months               | 3
behaviour.wash={amount: 100}                        | missing_key       | behaviour.wash.orders | 9
costs.tax=none                                      | not_one_of        | costs.tax            | 9
consumer.churn=5%                                   | unknown_key       | consumer             | 9
"""
ROWS = [tuple(part.strip() for part in line.split("|")) for line in FAULTS.strip().splitlines()[1:]]


@pytest.mark.parametrize(("change", "code", "where", "line"), ROWS)
def test_a_fault_is_named_with_its_place(change: str, code: str, where: str, line: str) -> None:
    """One fault, one problem, in both languages, where it is."""
    path, _, value = change.partition("=")
    scenario, problems = check(changed(SOUND, {path: value}))

    assert scenario is None
    assert [(code, where, int(line))] == [(found.code, found.where, found.line) for found in problems]
    assert all(found.zh != found.en for found in problems)


def test_every_question_between_values_has_a_fault_in_the_table() -> None:
    """A message that nobody has ever seen may say anything."""
    assert set(PROBLEMS) <= {code for _, code, _, _ in ROWS}


def test_all_problems_are_told_at_once() -> None:
    """A document that is mended fault by fault is sent back as often."""
    with pytest.raises(ScenarioFaulty) as refused:
        read(changed(SOUND, {"consumers.invited": "60%", "months": "x", "start.locked": "500"}))

    assert ["months", "start.locked", "consumers.invited"] == [found.where for found in refused.value.problems]
    assert "500" in refused.value.zh
    assert "500" in refused.value.en


def test_a_text_that_is_no_scenario_is_refused_in_words() -> None:
    """A list, nothing, and something that is not YAML."""
    for text in ("[1, 2]", "", "a: ["):
        scenario, problems = check(text)

        assert scenario is None
        assert 1 == len(problems)


@pytest.mark.parametrize("name", lab.scenarios())
def test_what_ships_is_sound_and_called_as_its_file(name: str) -> None:
    """And both of its texts are there, and its plan is, if it names one."""
    scenario = lab.load_scenario(name)

    assert name == scenario.name
    assert scenario.about is not None
    assert scenario.about.zh != scenario.about.en


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    """Whoever mistypes wants to see what there is."""
    with pytest.raises(ScenarioNotFound, match="did you mean 'default'"):
        lab.load_scenario("defualt")


def test_a_scenario_without_a_plan_asks_for_one() -> None:
    """``lab.run(None, ...)`` is for those that were written for one."""
    with pytest.raises(InputRefused, match="name one"):
        lab.run(None, SOUND)


def test_the_hash_is_of_the_meaning() -> None:
    """Titles, comments, names, order and defaults written out change nothing; any value does."""
    same = SOUND.replace("街角", "拐角").replace("scenario: corner", "# once more\nscenario: bend") + "horizon: 36\n"

    assert read(SOUND).hash() == read(same).hash()
    assert read(SOUND).hash() != read(SOUND.replace("churn: 8%", "churn: 8.01%")).hash()
    assert read(SOUND).hash() != read(SOUND + "run: {month: 3, share: 1%}\n").hash()


def test_a_value_is_changed_where_it_is_and_nowhere_else() -> None:
    """What sweeps are made of: also the initial state, and keys that were not written."""
    one = read(changed(SOUND, {"start.consumers": "900", "consumers.churn": "12.5%", "behaviour.sell.share": "3%"}))

    assert (900, 1250, 300) == (one.start.consumers, one.consumers.churn_bp, one.behaviour.sell and one.behaviour.sell.share_bp)
    assert read(SOUND).shops == one.shops
    with pytest.raises(InputRefused):
        changed(SOUND, {"shops.tickets[4].median": "5"})


def test_crowds_grow_month_by_month_and_stop() -> None:
    """20 newcomers, 5 % more each month: 20, 21, 22.05 …, fractions carried; none from the stop."""
    one = read(SOUND)
    stopped = read(changed(SOUND, {"consumers.stop": "2"}))
    growing = read(changed(SOUND, {"shops.new": "2", "shops.growth": "50%"}))

    assert [220, 241, 263, 286] == consumers_by_month(one)[:4]
    assert [220, 241, 241, 241] == consumers_by_month(stopped)[:4]
    assert [7, 10, 14, 21] == shops_by_month(growing)[:4]


def test_koubei_is_what_is_measured() -> None:
    """The scenario's figures from the data itself, measured again wherever the data is."""
    if not DATA.is_dir():
        pytest.skip("the Koubei data is not here")
    one, found = lab.load_scenario("koubei"), measure(DATA)
    tickets = [ticket for ticket in one.shops.tickets if isinstance(ticket, Ticket)]

    assert found.rhythm == one.consumers.rhythm
    assert list(found.level_shares_bp) == [ticket.share_bp for ticket in tickets]
    assert [400 * level for level in range(1, 21)] == [ticket.median_fen for ticket in tickets]
    assert (found.lean, 3078) == (one.shops.lean, found.top_bp)
    assert found.orders_a_month * one.start.shops == one.start.consumers * one.consumers.visits_bp // 10_000


def test_the_page_about_scenarios_is_fresh(golden: Callable[[str, str], None]) -> None:
    """Its list of what ships and its reference are written from the product."""
    page = ROOT / "docs" / "scenario.md"
    head, _, rest = page.read_text(encoding="utf-8").partition("<!-- scenarios: generated -->")
    between = rest.partition("<!-- end of scenarios -->")[2].partition("<!-- reference: generated -->")[0]
    known = [lab.load_scenario(name) for name in lab.scenarios()]
    rows = [f"| `{one.name}` | {one.title.zh} | {one.title.en} | {one.plan.name if one.plan else 'any'} |" for one in known]
    table = "\n".join(["| name | 名称 | title | written for |", "|---|---|---|---|", *rows])
    fresh = (
        f"{head}<!-- scenarios: generated -->\n\n{table}\n\n<!-- end of scenarios -->{between}<!-- reference: generated -->\n\n"
        f"{reference_markdown(SCENARIO).strip()}\n\n<!-- end of reference -->\n"
    )

    golden("../../docs/scenario.md", fresh)
