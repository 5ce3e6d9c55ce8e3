"""The command line: a thin face on the rooms below.

Reports and JSON go to stdout, all else to stderr. Exit status 0: done. 1: the answer is no (a faulty plan, a broken audit).
2: the input was refused. Starting it loads neither Numba nor Arrow; commands import what they need.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from rangli.cli import (
    administering,
    auditing,
    claiming,
    demo,
    doctor,
    guarding,
    importing,
    keeping,
    lane,
    members,
    plans,
    prospects,
    proving,
    scenarios,
    serving,
    settling,
    showing,
    simulating,
    sweeping,
    tour,
)
from rangli.cli.face import Face, Wish, json_text
from rangli.cli.refusals import PIPE_CLOSED, REFUSED, of_system, of_usage, shown
from rangli.errors import RangliError

__all__ = ["app", "main"]

app = typer.Typer(
    name="rangli",
    help="""让利:消费返利方案的结算引擎,分毫不差,人人可验。

    Rangli settles consumer-rebate programmes: exact to a millionth of a yuan, and anyone can check it again.

    从这里开始 Start here: rangli demo
    """,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
plan_app = typer.Typer(help="显示、检查一个方案 · Show and check one plan.", rich_markup_mode="rich")

SHELVES: dict[str, tuple[Callable[..., None], ...]] = {
    "入门 · First": (demo.demo, tour.tour),
    "方案 · Plans": (plans.plans, plans.explain, plans.schedule, guarding.guards),
    "结算 · Settling": (settling.example, settling.settle, simulating.simulate),
    "实验室 · The lab": (claiming.claims, sweeping.sweep, sweeping.sensitivity, prospects.prospectus, prospects.compare),
    "查账 · Books": (auditing.audit, showing.balances, showing.statement, showing.draw, showing.export),
    "服务 · The live service": (
        serving.serve,
        importing.import_,
        proving.verify,
        doctor.doctor,
        keeping.backup,
        keeping.restore,
    ),
}
for shelf, commands in SHELVES.items():
    for command in commands:
        app.command(command.__name__.rstrip("_"), rich_help_panel=shelf)(command)
app.add_typer(plan_app, name="plan", rich_help_panel="方案 · Plans")
plan_app.command()(plans.show)
plan_app.command()(plans.check)
plan_app.command()(plans.schema)
app.add_typer(scenarios.scenario_app, name="scenario", rich_help_panel="方案 · Plans")
app.add_typer(administering.programme_app, name="programme", rich_help_panel="服务 · The live service")
app.add_typer(administering.key_app, name="key", rich_help_panel="服务 · The live service")
app.add_typer(members.member_app, name="member", rich_help_panel="服务 · The live service")


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="版本 · print the version")] = False
) -> None:
    """The words are those of ``app``."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"rangli {version_of('rangli')}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@plan_app.callback(invoke_without_command=True)
@scenarios.scenario_app.callback(invoke_without_command=True)
@administering.programme_app.callback(invoke_without_command=True)
@administering.key_app.callback(invoke_without_command=True)
@members.member_app.callback(invoke_without_command=True)
def _start_part(context: typer.Context) -> None:
    """The words are those of the part."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and answer its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        lane.own_process()
    try:
        return int(app(given, prog_name="rangli", standalone_mode=False) or 0)
    except RangliError as refused:
        return _refuse(refused, given)
    except typer.TyperException as fault:
        return _refuse(of_usage(fault), given)
    except SystemExit:
        return PIPE_CLOSED
    except OSError as fault:
        return _refuse(of_system(fault), given)


def _refuse(refused: RangliError, given: Sequence[str]) -> int:
    """Say why, in the form and language that the command line asks for."""
    wish = Wish.of(given)
    if wish.json:
        sys.stdout.write(json_text({"error": {"code": refused.code, "message": refused.message(wish.lang)}}))
    else:
        face = Face(wish.lang)
        face.err.print(shown(refused, face), soft_wrap=True)
    return REFUSED
