"""How a refusal looks, and faults of the command line and of the system as refusals of ours."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import typer

from rangli.errors import FileRefused, GuardsRefused, InputRefused, PlanFaulty, RangliError, ScenarioFaulty

if TYPE_CHECKING:
    from rich.text import Text

    from rangli.cli.face import Face

NO: Final = 1
REFUSED: Final = 2
PIPE_CLOSED: Final = 141
"""Nobody reads stdout any more, as in ``rangli plans | head -1``; typer then leaves by sys.exit, and only then."""


def shown(refused: RangliError, face: Face) -> Text:
    """One line; a faulty plan or scenario has one more for each problem, with its line in the document."""
    from rich.text import Text

    text = Text.assemble((face.words("已拒绝", "refused"), "bold red"), face.words(":", ": "))
    if isinstance(refused, GuardsRefused):
        text.append(face.words(*refused.headline))
        for found in refused.problems:
            text.append(f"\n  {found.code} ", style="bold").append(found.where).append(f"  {found.message(face.lang)}")
        return text
    if not isinstance(refused, PlanFaulty | ScenarioFaulty):
        return text.append(refused.message(face.lang))
    zh, en = ("方案", "the plan") if isinstance(refused, PlanFaulty) else ("场景", "the scenario")
    text.append(face.words(f"{zh}有 {len(refused.problems)} 处问题", f"{en} has {len(refused.problems)} problem(s)"))
    for problem in refused.problems:
        place = face.words(f"第 {problem.line} 行", f"line {problem.line}")
        text.append(f"\n  {place} ").append(problem.where or ".", style="bold").append(f"  {problem.message(face.lang)}")
    return text


def of_usage(fault: typer.TyperException) -> InputRefused:
    """A command line that cannot be read, what would be right, and where its help is."""
    context = getattr(fault, "ctx", None)
    command = context.command_path if context is not None else "rangli"
    said = " ".join(fault.format_message().split()).rstrip(".")
    zh, en = f"命令写得不对({said})", f"{said[:1].lower()}{said[1:]}"
    parameter = getattr(fault, "param", None)
    if type(fault).__name__ == "NoSuchOption":
        zh = f"没有选项 {getattr(fault, 'option_name', '')}"
    elif parameter is not None:
        name = parameter.get_error_hint().strip("'")
        if type(fault).__name__ == "MissingParameter":
            zh = f"缺少 {name}"
        else:
            right_zh, right_en = _right(parameter, said)
            zh, en = f"{name} 的值不对:{right_zh}", f"the value of {name} is wrong: {right_en}"
    return InputRefused(f"{zh};用法见 `{command} --help`", f"{en}; see `{command} --help`")


def _right(parameter: Any, said: str) -> tuple[str, str]:  # noqa: ANN401 - typer's own
    """What a parameter takes: a choice, a whole number in a range, or whatever typer says."""
    choices = parameter.type_descriptor.choices
    if choices:
        return f"应为 {'、'.join(choices)} 之一", f"it must be one of {', '.join(choices)}"
    low, high = parameter.min, parameter.max
    if low is not None:
        most_zh, most_en = (f"到 {high} ", f"from {low} to {high}") if high is not None else ("以上", f"of {low} or more")
        return f"应为 {low} {most_zh}的整数", f"it must be a whole number {most_en}"
    return f"({said})", said


def of_system(fault: OSError) -> FileRefused:
    """A file that the system would not read or write."""
    name, why = os.fspath(fault.filename or ""), fault.strerror or str(fault)
    return FileRefused(f"无法读写 {name!s}:{why}", f"cannot read or write {name!s}: {why}")
