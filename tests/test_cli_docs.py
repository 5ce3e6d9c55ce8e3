"""docs/cli.md, docs/errors.md and the figures of the READMEs are what the commands really say.

``make golden`` writes the first two. The table in the READMEs is between two marks; the test says what it must read.
"""

from __future__ import annotations

import csv
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_runs import SLOW_LANE, Ran, commands, example_of, run, said_until
from databases import scratch

from rangli.files.reasons import REASONS
from rangli.plan import PROBLEMS

Golden = Callable[[str, str], None]
ROOT = Path(__file__).parents[1]
texts_only = pytest.mark.skipif(SLOW_LANE, reason="the texts are the same in both lanes")

# ---------------------------------------------------------------- docs/cli.md

LINES_MAX = 48
ORDER = (
    "demo", "tour", "plans", "plan show", "plan check", "plan schema", "explain", "schedule", "guards", "example",
    "settle", "simulate", "claims", "sweep", "sensitivity", "scenario list", "scenario new", "scenario check", "prospectus",
    "compare", "audit", "balances", "statement", "draw", "export", "programme create", "programme list", "key create", "key list",
    "key revoke", "member add", "member list", "member reset", "member end",
    "import", "verify", "backup", "restore", "serve", "doctor",
)  # fmt: skip
"""As a newcomer needs them, and so that each example finds what the ones before it wrote."""
CLI_HEAD = """# The command line

Every command with its help and its example, as they really print (`make golden` writes this page, and a test compares it).
`--lang zh` or `--lang en` chooses the language; without it `RANGLI_LANG` does, and else the system's locale. `--json` prints the
report as JSON and nothing else. Reports go to stdout, words about the work to stderr. Keys, times, hashes that hang on times, and
addresses stand here as `…`.

每个命令的帮助和示例,都是真实输出。语言用 `--lang zh|en` 指定,默认看 `RANGLI_LANG`,再看系统;`--json` 只输出 JSON。
报告在标准输出,其余在标准错误。密钥、时间、随时间而变的哈希和地址在这里写作 `…`。

Commands on a live service work on the embedded PostgreSQL in a data folder: `--data DIR`, by default one in your home. With
`RANGLI_DATABASE_URL` (as `postgresql://user:password@host/name`) they use that PostgreSQL, 15 or later, instead. `RANGLI_URL` and
`RANGLI_KEY` stand for `--url` and `--key`.

运行中的服务用自带的 PostgreSQL,数据在 `--data DIR`,默认在用户目录下;设了 `RANGLI_DATABASE_URL` 则改用那个 PostgreSQL(15 或更新)。
`RANGLI_URL` 和 `RANGLI_KEY` 代替 `--url` 和 `--key`。

| exit status | meaning | 含义 |
|---|---|---|
| 0 | done | 完成 |
| 1 | the answer is no: a faulty plan, a broken audit, a fault that was found | 答案是否:方案有问题,审计不符,检查出毛病 |
| 2 | the input was refused, and the message says what would be right ([errors](errors.md)) | 输入被拒绝,并说明怎样才对 |
"""


def fenced(text: str) -> str:
    """A block of code, without what only a terminal needs, and not too long."""
    lines = "\n".join(line.rstrip() for line in text.splitlines()).strip("\n").split("\n")
    if len(lines) > LINES_MAX:
        lines = [*lines[:LINES_MAX], "..."]
    return "\n".join(["```", *lines, "```"])


LIVE = (
    "demo",
    "programme create",
    "programme list",
    "key create",
    "key list",
    "key revoke",
    "member add",
    "member list",
    "member reset",
    "verify",
    "backup",
    "restore",
    "serve",
)
"""Commands whose reports hold what differs from run to run."""
KEY_ID = "0123456789ab"
"""A key's id, in the example and in what is shown."""
VARYING = (
    (re.compile(r"rl_[0-9a-f]{12}_[\w-]{43}"), "rl_…"),
    (re.compile(r"\b[a-z2-9]{4}(-[a-z2-9]{4}){3}\b"), "…"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "…"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?"), "…"),
    (re.compile(r"\b[0-9a-f]{12}\b(?!…)"), KEY_ID),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:…"),
)
MACHINE = "doctor"
"""Tells of the machine that it runs on, so its report is not shown."""


def shown_of(name: str, example: str, folder: Path) -> str:
    """What a command's example prints."""
    known_key = (
        re.search(r"(?m)^id +(\w+)", run("key create other --data build/data", folder=folder).out) if "revoke" in name else None
    )
    asked = example if known_key is None else example.replace(KEY_ID, known_key[1])
    ran = serve_once(example, folder) if name == "serve" else run(asked, columns=90, folder=folder)
    assert 0 == ran.status - (name in {"plan check", "scenario check"}), f"rangli {example}: {ran.err}"
    if name == MACHINE:
        assert ran.out.endswith("All is well.\n")
        return "...\nAll is well.\n"
    told = ran.out.replace(f"{folder}/", "")
    for pattern, instead in VARYING if name in LIVE else ():
        told = pattern.sub(instead, told)
    return told


def serve_once(example: str, folder: Path) -> Ran:
    """``rangli serve`` on a free port, until it has said where it is."""
    command = [sys.executable, "-m", "rangli", *shlex.split(example), "--port", "0", "--lang", "en"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("RANGLI_")} | {"COLUMNS": "90"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, env=env, text=True, stdout=pipe, stderr=pipe) as process:
        told = said_until(process, "programmes")
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        rest = process.stdout.read()  # what it has read ahead, ``communicate`` would not see
        _, err = process.communicate(timeout=30)
        return Ran(process.returncode, told + rest, err)


def cli_markdown(folder: Path) -> str:
    """The page: help and example of each command, run one after the other in one folder."""
    known = dict(commands())
    assert set(ORDER) == set(known)
    parts = [CLI_HEAD]
    for name in ORDER:
        usage = run(f"{name} --help", columns=100)
        example = example_of(known[name])
        told = shown_of(name, example, folder)
        parts += [f"## rangli {name}\n", fenced(usage.out), "", fenced(f"$ rangli {example}\n{told}"), ""]
    return "\n".join(parts)


@texts_only
def test_every_command_is_documented_with_its_help_and_a_tested_example(golden: Golden) -> None:
    """A page that somebody has to remember to change is wrong soon."""
    with scratch() as folder:
        golden("../../docs/cli.md", cli_markdown(folder))


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_command_says_what_it_does_in_both_languages(name: str) -> None:
    """One line in the list of commands, and an example that starts with its own name."""
    command = dict(commands())[name]
    first = command.callback.__doc__.splitlines()[0]

    assert re.search(r"[\u4e00-\u9fff]", first)
    assert re.search(r" · [A-Z].*\.$", first)
    assert example_of(command).startswith(f"{name}")
    assert all(re.search(r"[\u4e00-\u9fff].* · ", param.help) or "JSON" in param.help for param in command.params)


# ---------------------------------------------------------------- docs/errors.md


class Faulty(NamedTuple):
    """A row with one fault: its code in REASONS, and which columns are written how."""

    code: str
    columns: dict[str, str]


BASE = {
    "order_id": "A1", "paid_at": "2026-01-05 12:30:00", "merchant": "老王面馆", "consumer": "小李", "amount": "12.50",
    "concession": "20%", "referrer": "", "recruiter": "", "voucher": "",
}  # fmt: skip
ROWS = [
    Faulty("empty", {"merchant": ""}),
    Faulty("spaces", {"consumer": " 小李"}),
    Faulty("too_long", {"merchant": "店" * 67}),
    Faulty("not_utf8", {"merchant": "\udcc0\udccf\udccd\udcf5"}),
    Faulty("kind_without_name", {"referrer": "merchant:"}),
    Faulty("time_malformed", {"paid_at": "05/01/2026"}),
    Faulty("date_impossible", {"paid_at": "2026-02-30 12:00:00"}),
    Faulty("clock_impossible", {"paid_at": "2026-01-05 25:00:00"}),
    Faulty("year_out_of_range", {"paid_at": "1815-01-05 12:00:00"}),
    Faulty("exponent", {"amount": "1e3"}),
    Faulty("not_finite", {"amount": "NaN"}),
    Faulty("too_fine", {"amount": "1.005"}),
    Faulty("negative", {"amount": "-5"}),
    Faulty("sign", {"amount": "+5"}),
    Faulty("full_width", {"amount": "\uff11\uff12.50"}),
    Faulty("thousands", {"amount": "1 000,00"}),
    Faulty("leading_zero", {"amount": "007"}),
    Faulty("too_large", {"amount": "100000000.01"}),
    Faulty("not_a_number", {"amount": "twelve"}),
    Faulty("no_percent_sign", {"concession": "20"}),
    Faulty("too_fine", {"concession": "6.125%"}),
    Faulty("amount_out_of_range", {"amount": "0.00"}),
    Faulty("concession_out_of_range", {"concession": "40%"}),
    Faulty("vouchers_over_limit", {"voucher": "13"}),
    Faulty("vouchers_short", {"voucher": "5"}),
    Faulty("order_conflict", {"order_id": "A0", "amount": "13"}),
]
PLAN_OF_ROWS = "moudian"
"""It has every limit that a row can break, vouchers among them."""


def row_errors(folder: Path) -> list[tuple[Faulty, str, str]]:
    """Each faulty row with its reason in Chinese and in English, from a settlement of all of them."""
    from rangli.cli.settling import both_languages

    with folder.joinpath("rows.csv").open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = csv.DictWriter(file, BASE)
        rows.writeheader()
        rows.writerow({**BASE, "order_id": "A0"})
        for number, faulty in enumerate(ROWS, 1):
            rows.writerow({**BASE, "order_id": f"A{number}", **faulty.columns})
        file.write("A99,2026-01-05,老王面馆,Smith, John,12.50,20%,,,\n")
    assert 0 == run(f"settle {PLAN_OF_ROWS} rows.csv --out rows", folder=folder).status
    with folder.joinpath("rows", "rejects.csv").open(encoding="utf-8-sig", newline="") as file:
        by_row = {int(row["row"]): row["reason"] for row in csv.DictReader(file)}
    written = [*ROWS, Faulty("field_count", {"": "...,Smith, John,..."})]
    reasons = [by_row[number] for number in range(2, 2 + len(written))]
    assert [faulty.code for faulty in written] == [reason.partition(":")[0] for reason in reasons]
    return [(faulty, *both_languages(reason)) for faulty, reason in zip(written, reasons, strict=True)]


HEADER = "order_id,paid_at,merchant,consumer,amount,concession\n"
ROW = "A1,2026-01-05,shop,eva,10,20%\n"
COMMANDS = {
    "没有这个文件 · no such file": "settle weituanbao nothing.csv --out books",
    "不是 CSV 或 Parquet · neither CSV nor Parquet": "settle weituanbao orders.xlsx --out books",
    "缺少一列 · a column is missing": "settle weituanbao lacking.csv --out books",
    "列名重复 · a column twice": "settle weituanbao twice.csv --out books",
    "引号没有配对 · a quotation mark that is never closed": "settle weituanbao quoted.csv --out books",
    "金额是浮点数 · amounts as floating-point numbers": "settle weituanbao floats.parquet --out books",
    "文件已损坏 · a damaged file": "settle weituanbao damaged.parquet --out books",
    "目录不为空 · a directory that is not empty": "settle weituanbao orders.csv --out .",
    "--strict 而有坏行 · --strict, and a row is refused": "settle weituanbao bad-row.csv --out books --strict",
    "密钥不是十六进制 · a secret that is not hexadecimal": "settle weituanbao orders.csv --out books --seed hello",
    "没有这个方案 · no such plan": "explain weituanbo --amount 100 --concession 20%",
    "没有方案文件 · no such plan file": "explain mine.yaml --amount 100 --concession 20%",
    "方案有问题 · a faulty plan": "explain zengzhi --amount 100 --concession 20% --set pool.mint=100% --set hold=soon",
    "改动无处可改 · a change that leads nowhere": "explain zengzhi --amount 100 --concession 20% --set shares[9].rate=1%",
    "改动写法不对 · a change that is none": "explain zengzhi --amount 100 --concession 20% --set pool.mint",
    "改动的值读不懂 · a change with a value that is none": "explain zengzhi --amount 100 --concession 20% --set shares=[1",
    "让利超出方案 · a concession outside the plan's range": "explain weituanbao --amount 100 --concession 40%",
    "费率没有百分号 · a rate without a percent sign": "explain weituanbao --amount 100 --concession 20",
    "方案没有释放 · a plan that releases nothing": "schedule weituanbao --growth 15%",
    "选项写错 · a misspelt option": "explain weituanbao --amount 100 --consession 20%",
    "缺少选项 · an option is missing": "explain weituanbao --amount 100",
    "数目超出范围 · a number out of range": "simulate zengzhi --orders 0 --concession 20%",
    "不是结算目录 · not a settled directory": "audit .",
    "没有这个账户 · no such account": "statement rows platform:surplu",
    "哪本账 · whose books": "statement platform:surplus",
    "没有这笔订单 · no such order": "draw rows B7 --orders rows.csv",
    "反向代理的地址不对 · a proxy's address that is none": "serve --proxy 10.0.0.9/8",
}


def write_files(folder: Path) -> None:
    """The files that the commands above are given."""
    write = {
        "orders.csv": HEADER + ROW,
        "orders.xlsx": "",
        "lacking.csv": "order_id,paid_at,merchant,amount\n",
        "twice.csv": HEADER.replace("\n", ",amount\n"),
        "quoted.csv": HEADER + 'A1,2026-01-05,"shop,eva,10,20%\n',
        "bad-row.csv": HEADER + ROW.replace("10", "1e3"),
        "damaged.parquet": "PAR1 and nothing more",
    }
    for name, text in write.items():
        folder.joinpath(name).write_text(text, "utf-8")
    columns = dict(zip(HEADER.strip().split(","), ([text] for text in ROW.strip().split(",")), strict=True))
    pq.write_table(pa.table({**columns, "amount": pa.array([10.1])}), folder / "floats.parquet")


ERRORS_HEAD = """# Errors

What is wrong, and what would be right: every kind of bad input with its error as it is really shown (`make golden` writes this
page by making each mistake, and a test compares it). 每一种坏输入和它真实的报错。

## Rows of an order file · 订单文件的行

A row with a fault changes nothing and is listed in `rejects.csv`; the rest of the file is settled. With `--strict` nothing is
settled. The codes stand at the beginning of each reason. The plan here is `{plan}`.

| code | written · 写法 | shown · 报错 |
|---|---|---|"""


def cell(text: str) -> str:
    """A text inside a table, shortened where it is long."""
    short = text if len(text) <= 90 else f"{text[:40]}…{text[-20:]}"
    return short.replace("|", "\\|").replace("\n", " ").encode("utf-8", "replace").decode()


def errors_markdown(folder: Path) -> str:
    """The page: every faulty row, and every faulty command in both languages."""
    lines = [ERRORS_HEAD.format(plan=PLAN_OF_ROWS)]
    for faulty, zh, en in row_errors(folder):
        written = "; ".join(f"{name} = {value}" if name else value for name, value in faulty.columns.items())
        written = "merchant = 老王 in GBK" if faulty.code == "not_utf8" else written
        shown = (text.replace("|", "\\|").replace("店" * 60, "店…") for text in (zh, en))
        lines.append(f"| `{faulty.code}` | `{cell(written)}` | {'<br>'.join(shown)} |")
    limit = REASONS["limit_reached"]
    lines.append(f"| `limit_reached` | – | {limit.zh}<br>{limit.en} |")
    write_files(folder)
    lines += ["", "## Files, plans and commands · 文件、方案、命令", "", "Nothing is written, and the exit status is 2.", ""]
    for title, command in COMMANDS.items():
        ran = [run(command, folder=folder, RANGLI_LANG=lang) for lang in ("zh", "en")]
        assert [(2, ""), (2, "")] == [(one.status, one.out) for one in ran], command
        lines += [f"### {title}", "", fenced(f"$ rangli {shlex.join(shlex.split(command))}\n{ran[0].err}{ran[1].err}"), ""]
    as_json = run("explain weituanbao --amount 1e3 --concession 20% --json")
    lines += ["### JSON", "", fenced(f"$ rangli explain weituanbao --amount 1e3 --concession 20% --json\n{as_json.out}"), ""]
    lines += [
        "## Plans · 方案",
        "",
        f"The {len(PROBLEMS)} kinds of problem of a plan document, each with an example, are in [plans](plan.md#problems).",
        "",
    ]
    return "\n".join(lines)


@texts_only
def test_every_kind_of_bad_input_is_documented_with_its_error(golden: Golden, tmp_path: Path) -> None:
    """Whoever meets an error looks it up by its words."""
    golden("../../docs/errors.md", errors_markdown(tmp_path))


def test_the_page_of_errors_has_every_reason() -> None:
    """A reason without an example is a reason that nobody has seen."""
    assert set(REASONS) == {faulty.code for faulty in ROWS} | {"field_count", "limit_reached"}


# ---------------------------------------------------------------- README


def truths(zh: bool) -> str:  # noqa: FBT001
    """The table of truths: what is promised, and what comes of it, each figure from the command beside it."""

    def facts(command: str) -> dict[str, Any]:
        return dict(run(f"{command} --json").facts)

    packets = {at: facts(f"simulate weituanbao --orders 100000 --concession {at}")["mean_return"] for at in ("6%", "20%", "30%")}
    returns = ", ".join(f"{mean:.0%} ({at})" for at, mean in packets.items())
    exits = facts("simulate zengzhi --orders 1000000 --concession 20%")["exits"]
    one_in = (1_000_000 + exits["count"] // 2) // exits["count"]
    growing, still = (facts(f"schedule moudian --growth {growth}") for growth in ("15%", "0%"))
    times = growing["promised_micro"] // growing["funded_micro"]
    at_36, at_rest = growing["periods"][35]["multiple"], still["periods"][39]["multiple"]
    rows = [
        (
            "weituanbao", "收回实付即免单", "free of charge",
            f"平均收回恰为让利的一半:{returns}", f"packets return half of the concession: {returns}",
            "rangli simulate weituanbao --orders 100000 --concession 20%",
        ),
        (
            "moudian", "积分最高增值 5 倍", "points worth five times",
            f"承诺是资金的 {times} 倍;每期增长 15% 时 36 期 {at_36:.2f} 倍,不增长时 40 期 {at_rest:.2f} 倍",
            f"promised ÷ funded = {times}; {at_36:.2f} × in 36 periods of 15 % growth, {at_rest:.2f} × in 40 without growth",
            "rangli schedule moudian --growth 15%",
        ),
        (
            "zengzhi", "消费额 1.2 倍退出", "1.2 times what was spent",
            f"每 {one_in:,} 笔相同订单只有 1 笔达到;第一笔在第 {exits['first_order']:,} 单",
            f"1 order in {one_in:,} ever gets there; the first is order {exits['first_order']:,}",
            "rangli simulate zengzhi --orders 1000000 --concession 20%",
        ),
    ]  # fmt: skip
    head = "| 方案 | 说法 | 实情 | 自己算 |" if zh else "| plan | it says | it comes to | see for yourself |"
    shown = [f"| `{r[0]}` | {r[1 if zh else 2]} | {r[3 if zh else 4]} | `{r[5]}` |" for r in rows]
    return "\n".join([head, "|---|---|---|---|", *shown])


@pytest.mark.skipif(SLOW_LANE, reason="a million orders")
@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_figures_of_the_readme_are_those_of_the_commands_beside_them(name: str) -> None:
    """The first number that a reader checks must be right."""
    text = ROOT.joinpath(name).read_text("utf-8")
    expected = truths(zh="zh" in name)

    assert expected in text, f"{name}, between the marks, must read:\n{expected}"


@pytest.mark.skipif(SLOW_LANE, reason="ten thousand orders; its commands are tested one by one in both lanes")
def test_the_commands_of_the_readme_do_what_it_says() -> None:
    """In the order of the page, each finds what the ones before it wrote; both READMEs have the same."""
    blocks = [
        [
            line
            for block in re.findall(r"```\n(.*?)```", ROOT.joinpath(name).read_text("utf-8"), re.DOTALL)
            for line in block.splitlines()
        ]
        for name in ("README.md", "README.zh-CN.md")
    ]
    shown = [[line.removeprefix("rangli ") for line in lines if line.startswith("rangli ")] for lines in blocks]

    assert shown[0] == shown[1]
    with scratch() as folder:
        ran = [
            serve_once(command, folder) if command.startswith("serve") else run(command, folder=folder) for command in shown[0]
        ]
        assert [0] * len(shown[0]) == [one.status for one in ran]


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_every_command_in_the_readme_exists(name: str) -> None:
    """A reader copies them."""
    text = ROOT.joinpath(name).read_text("utf-8")
    known = [name for name, _ in commands()]
    shown = re.findall(r"^(?:\$ )?rangli ([a-z][a-z ]*)", text, re.MULTILINE) + re.findall(r"`rangli ([a-z][a-z ]*)", text)

    assert shown
    assert [] == [command for command in shown if not any(f"{command} ".startswith(f"{one} ") for one in known)]
