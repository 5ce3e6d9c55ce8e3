"""Values of a scenario: each can be set by itself, and what was set is found again."""

from __future__ import annotations

import pytest

from rangli.errors import ScenarioFaulty
from rangli.lab import scenario_text, scenarios
from rangli.lab.scenario import changed, read
from rangli.lab.values import differences, values_of


@pytest.mark.parametrize("name", scenarios())
def test_setting_every_value_to_itself_changes_nothing(name: str) -> None:
    """A form that is handed in as it was shown must run the scenario of that name, to its hash."""
    document = scenario_text(name)
    values = values_of(document)
    same = changed(document, {value.path: value.text for value in values})

    assert read(document).hash() == read(same).hash()
    assert values == values_of(same)
    assert len(values) == len({value.path for value in values})


def test_what_was_set_is_named_with_what_it_was() -> None:
    """Only what differs, with the part that it belongs to, and what it was; a part that was added had no text before."""
    before = scenario_text("default")
    after = changed(before, {"consumers.churn": "20%", "shops.concessions[1].rate": "12%", "run": "{month: 3, share: 10%}"})

    found = [(value.path, value.part.en, value.name.en, was, value.text) for value, was in differences(before, after)]
    assert [
        ("shops.concessions[1].rate", "how concessions are spread over shops", "2. the concession", "10%", "12%"),
        ("consumers.churn", "who buys", "the share that leaves each month", "8%", "20%"),
        ("run.month", "a run on the points", "in which month", "", "3"),
        ("run.share", "a run on the points", "the share of holders who sell all at once", "", "10%"),
    ] == found


def test_what_is_no_document_is_refused() -> None:
    """Its values are nowhere."""
    with pytest.raises(ScenarioFaulty):
        values_of("a: [")
