"""How a refusal looks, and faults of the command line and of the system as refusals of ours."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import typer

from rangli.errors import FileRefused, InputRefused, PlanFaulty, RangliError

if TYPE_CHECKING:
    from rich.text import Text

    from rangli.cli.face import Face

NO: Final = 1
REFUSED: Final = 2


def shown(refused: RangliError, face: Face) -> Text:
    """One line; a faulty plan has one more for each problem, with its line in the document."""
    from rich.text import Text

    text = Text.assemble((face.words("已拒绝", "refused"), "bold red"), face.words(":", ": "))
    if not isinstance(refused, PlanFaulty):
        return text.append(refused.message(face.lang))
    text.append(face.words(f"方案有 {len(refused.problems)} 处问题", f"the plan has {len(refused.problems)} problem(s)"))
    for problem in refused.problems:
        place = face.words(f"第 {problem.line} 行", f"line {problem.line}")
        text.append(f"\n  {place} ").append(problem.where or ".", style="bold").append(f"  {problem.message(face.lang)}")
    return text


def of_usage(fault: typer.TyperException) -> InputRefused:
    """A command line that cannot be read, and where its help is."""
    context = getattr(fault, "ctx", None)
    command = context.command_path if context is not None else "rangli"
    said = " ".join(fault.format_message().split()).rstrip(".")
    option, parameter = getattr(fault, "option_name", ""), getattr(fault, "param", None)
    match type(fault).__name__:
        case "NoSuchOption":
            zh = f"没有选项 {option}"
        case "MissingParameter" if parameter is not None:
            zh = f"缺少 {parameter.get_error_hint()}"
        case "BadParameter" if parameter is not None:
            zh = f"{parameter.get_error_hint()} 的值不对({said})"
        case _:
            zh = f"命令写得不对({said})"
    return InputRefused(f"{zh};用法见 `{command} --help`", f"{said[:1].lower()}{said[1:]}; see `{command} --help`")


def of_system(fault: OSError) -> FileRefused:
    """A file that the system would not read or write."""
    name, why = os.fspath(fault.filename or ""), fault.strerror or str(fault)
    return FileRefused(f"无法读写 {name!s}:{why}", f"cannot read or write {name!s}: {why}")
