"""Commands on plans: what they print, their JSON, and the sources' own figures from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_runs import run, told
from jsonschema import Draft202012Validator
from rich.cells import cell_len

from rangli.plan import load, preset_text, presets

Golden = Callable[[str, str], None]
YUAN = 1_000_000

TRANSCRIPTS = {
    "plans.txt": ["plans", "plans --lang zh"],
    "explain-en.txt": [f"explain {name} --amount 1000 --concession 20%" for name in ("weituanbao", "moudian", "zengzhi")],
    "explain-zh.txt": [f"explain {name} --amount 1000 --concession 20% --lang zh" for name in ("weituanbao", "zhongdian")],
    "explain-without.txt": [
        "explain weituanbao --amount 100 --concession 20% --without referrer --without agent.city",
        "explain zengzhi --amount 100 --concession 20% --without agent.district --lang zh",
    ],
    "schedule.txt": ["schedule moudian --growth 15%", "schedule moudian --growth 0% --periods 5 --lang zh"],
}


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_the_transcripts_are_golden(name: str, golden: Golden) -> None:
    """What people see is reviewed like code."""
    golden(f"cli/{name}", "\n".join(told(command) for command in TRANSCRIPTS[name]))


def test_the_transcript_of_a_faulty_plan_is_golden(golden: Golden) -> None:
    """Every problem at once, with its place and what would be right, in either language."""
    changes = "--set shares[1].rate=5%ofamount --set packets.tiers=[100,50] --set concession.min=3%"
    commands = [f"plan check weituanbao {changes} --lang {lang}" for lang in ("en", "zh")]
    ran = [run(command) for command in commands]

    assert [1, 1] == [one.status for one in ran]
    golden("cli/check.txt", "\n".join(f"$ rangli {command}\n{one.out}" for command, one in zip(commands, ran, strict=True)))


def test_a_narrow_terminal_keeps_every_amount_whole(golden: Golden) -> None:
    """Words may wrap; a number that wraps is a wrong number."""
    ran = run("explain weituanbao --amount 1000 --concession 20% --lang zh", columns=44)

    assert "7.083333" in ran.out
    assert max(map(cell_len, ran.out.splitlines())) <= 44
    golden("cli/narrow.txt", ran.out)


def test_nothing_ends_in_spaces_and_nothing_is_coloured() -> None:
    """What is piped is compared, pasted and searched."""
    for command in ("plans", "explain zengzhi --amount 1000 --concession 20%", "schedule moudian --growth 15%"):
        out = run(command).out

        assert [] == [line for line in out.splitlines() if line != line.rstrip() or "\x1b" in line]


# ---------------------------------------------------------------- show, check, schema


@pytest.mark.parametrize("name", presets())
def test_show_prints_the_very_document(name: str) -> None:
    """``rangli plan show weituanbao > mine.yaml`` is how a new plan begins."""
    assert (0, preset_text(name), "") == run(f"plan show {name}")


@pytest.mark.parametrize("name", presets())
def test_every_preset_checks_out(name: str) -> None:
    """What ships with the product is sound, and says which version it is."""
    facts = run(f"plan check {name} --json").facts

    assert {"ok": True, "problems": [], "version": load(name).version} == facts


def test_a_plan_may_be_a_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Windows editors write one."""
    tmp_path.joinpath("mine.yaml").write_text("\ufeff" + preset_text("zengzhi"), "utf-8")

    assert load("zengzhi").version == run("plan check mine.yaml --json", folder=tmp_path).facts["version"]


def test_check_names_every_problem_with_its_place() -> None:
    """Programs and editors build on code, where and line."""
    ran = run("plan check weituanbao --json --set packets.per_order=0 --set", "concession={min: 3%, max: 30%}")
    places = [(one["code"], one["where"], one["line"] > 0) for one in ran.facts["problems"]]

    assert (1, False) == (ran.status, ran.facts["ok"])
    assert [("shares_exceed_concession", "shares", True), ("out_of_range", "packets.per_order", True)] == sorted(
        places, reverse=True
    )
    assert all(set(one) == {"code", "where", "line", "message"} for one in ran.facts["problems"])


def test_the_schema_is_a_schema() -> None:
    """Editors take it as it is."""
    Draft202012Validator.check_schema(run("plan schema").facts)


# ---------------------------------------------------------------- explain


@pytest.mark.parametrize(("concession", "surplus"), [("6%", 4), ("20%", 74), ("30%", 124)])
def test_weituanbao_leaves_the_platform_what_its_source_says(concession: str, surplus: int) -> None:
    """Source 000: 0.4 % at 6 %, 7.4 % at 20 %, 12.4 % at 30 %, with the recruiter at its ceiling of 1 %."""
    change = "shares[2].rate=1% of amount"
    facts = run(f"explain weituanbao --amount 1000 --concession {concession} --json --set", change).facts

    assert surplus * YUAN == facts["lines"][-1]["amount_micro"]
    assert "platform" == facts["lines"][-1]["party"]


@pytest.mark.parametrize("name", presets())
def test_the_lines_of_an_explanation_add_up_to_the_concession(name: str) -> None:
    """Others build on this JSON, and every fen is in it."""
    low = run(f"plan show {name} --json").facts["concession"]["min"]
    facts = run(f"explain {name} --amount 123.45 --concession {low} --json").facts

    assert 12_345 == facts["paid_fen"]
    assert facts["concession_micro"] == sum(line["amount_micro"] for line in facts["lines"])
    assert all({"party", "base", "rate", "amount_micro", "destination"} <= set(line) for line in facts["lines"])


def test_a_party_that_is_not_there_gives_its_share_away() -> None:
    """``--without`` answers what if."""
    with_, without = (
        run(f"explain weituanbao --amount 100 --concession 20% --json {more}").facts["lines"]
        for more in ("", "--without referrer")
    )

    assert ("referrer", "platform") == (with_[1]["party"], without[1]["party"])
    assert with_[1]["amount_micro"] == without[1]["amount_micro"] == YUAN


# ---------------------------------------------------------------- schedule

RELEASES = {24: "0.92", 30: "2.17", 35: "4.41", 36: "5.07", 40: "8.90"}


def test_moudian_promises_what_its_source_says() -> None:
    """Source 000: with 15 % growth 0.92, 2.17, 4.41, 5.07 and 8.9 times after 24, 30, 35, 36 and 40 periods."""
    told_ = run("schedule moudian --growth 15%").out
    rows = {int(line.split()[0]): line.split()[2] for line in told_.splitlines() if line.strip()[:1].isdigit()}
    facts = run("schedule moudian --growth 15% --json").facts

    assert rows == rows | RELEASES
    assert {period: f"{facts['periods'][period - 1]['multiple']:.2f}" for period in RELEASES} == RELEASES
    assert 5 * facts["points_micro"] == facts["periods"][35]["capped_micro"]


def test_the_promise_is_twenty_five_times_what_funds_it() -> None:
    """Ten times the concession is promised and 0.4 of it is put aside."""
    facts = run("schedule moudian --growth 0% --json").facts

    assert 25 * facts["funded_micro"] == facts["promised_micro"]
    assert 0.2 == facts["periods"][39]["multiple"]
    assert "promised ÷ funded = 25.0" in run("schedule moudian --growth 15%").out
