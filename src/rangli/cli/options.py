"""The arguments and options that several commands share, and what their texts mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from rangli.errors import FileRefused, InputRefused, PlanFaulty, PlanNotFound

if TYPE_CHECKING:
    from rangli.plan import CompiledPlan

Lang = Annotated[Literal["zh", "en"] | None, typer.Option("--lang", help="语言,默认随系统 · language, the system's by default")]
AsJson = Annotated[bool, typer.Option("--json", help="输出 JSON · print JSON", show_default=False)]
PlanName = Annotated[str, typer.Argument(metavar="PLAN", help="预置方案名或 YAML 文件 · a preset's name or a YAML file")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="改动方案中的一个值,可多次 · change one value of the plan; repeatable"),
]
Directory = Annotated[Path, typer.Argument(metavar="DIR", help="settle 写出的目录 · a directory that settle wrote")]
OrdersOption = Annotated[
    Path | None,
    typer.Option("--orders", metavar="FILE", help="订单文件,默认用结算时的那个 · the order file, by default the one settled"),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="数据目录,默认在用户目录下 · the data folder, by default one in your home"),
]
OfProgramme = Annotated[str, typer.Option("--programme", metavar="NAME", help="项目名 · the programme's name")]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        envvar="RANGLI_URL",
        help="运行中的服务的地址 · the address of a service that runs",
    ),
]
Key = Annotated[str | None, typer.Option("--key", metavar="KEY", envvar="RANGLI_KEY", help="API 密钥 · the API key")]
Concession = Annotated[str, typer.Option("--concession", metavar="PERCENT", help="让利比例 · the concession")]

SECRET_DIGITS: Final = 64


def text_of(path: Path) -> str:
    """A document. Raises FileRefused for what is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as fault:
        raise FileRefused(f"{path} 不是 UTF-8 编码;请另存为 UTF-8", f"{path} is not UTF-8; save it as UTF-8") from fault


def plan_text(name_or_file: str) -> str:
    """The document of a preset, or of a file. Raises PlanNotFound, or FileRefused for a file that is not UTF-8."""
    from rangli.plan import preset_text, presets

    path = Path(name_or_file)
    if name_or_file in presets() or (not path.is_file() and path.suffix not in {".yaml", ".yml"}):
        return preset_text(name_or_file)
    if not path.is_file():
        raise PlanNotFound(f"没有方案文件 {path}", f"there is no plan file {path}")
    return text_of(path)


def compiled(name_or_file: str, changes: Sequence[str] | None = None) -> tuple[CompiledPlan, str]:
    """The plan that can settle, and its document with the changes made.

    Raises PlanNotFound, PlanFaulty with every problem, or InputRefused for a change that leads nowhere.
    """
    from rangli.plan import check, compile_plan, override

    text = override(plan_text(name_or_file), changes or ())
    plan, problems = check(text)
    if plan is None:
        raise PlanFaulty(problems)
    return compile_plan(plan), text


def secret_of(text: str | None) -> bytes | None:
    """The 32 bytes of a secret in hex; fewer than 64 digits are filled up with zeros on the left.

    >>> secret_of("2a") == bytes(31) + b"*"
    True

    Raises InputRefused for anything that is not 1 to 64 hexadecimal digits.
    """
    if text is None:
        return None
    if not re.fullmatch(f"[0-9a-fA-F]{{1,{SECRET_DIGITS}}}", text):
        raise InputRefused(
            f"密钥 {text[:70]!r} 不是 1 到 {SECRET_DIGITS} 位十六进制数;不足 {SECRET_DIGITS} 位时左边补 0",
            f"the secret {text[:70]!r} is not 1 to {SECRET_DIGITS} hexadecimal digits; fewer than {SECRET_DIGITS}"
            " get zeros on the left",
        )
    return bytes.fromhex(text.zfill(SECRET_DIGITS))
