"""The command line as such: how it starts, in which language it speaks, what its exit status means."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import commands, run
from rich.cells import cell_len

from rangli.cli.face import Wish, language, wrapped
from rangli.errors import FAULTS


def test_starting_loads_neither_numba_nor_arrow() -> None:
    """Half a second before every --help is what makes people stop asking for it."""
    command = [sys.executable, "-X", "importtime", "-c", "import rangli.cli"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}

    assert set() == loaded & {"numba", "llvmlite", "numpy", "pyarrow", "yaml"}
    assert {"rangli", "typer"} <= loaded


def test_help_and_plans_need_no_numba() -> None:
    """A designer at work on a plan document waits for no compiler."""
    script = (
        "import sys; from rangli.cli import main\n"
        "assert main(['plans']) == main(['plan', 'check', 'zengzhi']) == main(['--help']) == 0\n"
        "assert main(['explain', 'moudian', '--amount', '100', '--concession', '20%']) == 0\n"
        "sys.exit('numba' in sys.modules or 'pyarrow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)

    assert (0, b"") == (done.returncode, done.stderr.replace(b"look into one: rangli explain weituanbao\n", b""))


def test_a_service_is_asked_without_the_engine() -> None:
    """What is asked of a service is computed there; whoever asks it waits for no compiler."""
    script = (
        "import sys; from rangli.cli import main\n"
        "assert main('statement a:b --programme x --lang en --url http://127.0.0.1:9 --key rl_k'.split()) == 2\n"
        "sys.exit('numba' in sys.modules or 'psycopg' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (0, True) == (done.returncode, "cannot reach http://127.0.0.1:9" in done.stderr), done.stderr


def test_it_runs_as_a_module() -> None:
    """``python -m rangli`` works where no script is on the path."""
    done = subprocess.run([sys.executable, "-m", "rangli", "--version"], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("rangli 0.")


def test_alone_it_shows_its_help_and_is_content() -> None:
    """The first thing that a newcomer types."""
    for command in ("", "--help", "plan"):
        ran = run(command)

        assert (0, "") == (ran.status, ran.err)
        assert "Usage: rangli" in ran.out


# ---------------------------------------------------------------- languages

LOCALES = """
# RANGLI_LANG  LC_ALL       LC_MESSAGES  LANG         speaks
  -            -            -            -            en
  -            -            -            zh_CN.UTF-8  zh
  -            -            -            C.UTF-8      en
  -            -            zh_TW        en_US.UTF-8  zh
  -            en_US.UTF-8  zh_CN        zh_CN        en
  -            zh_CN.UTF-8  en_US        en_US        zh
  zh           en_US        en_US        en_US        zh
  en           zh_CN        zh_CN        zh_CN        en
  fr           zh_CN        zh_CN        zh_CN        en
"""


@pytest.mark.parametrize("row", [line.split() for line in LOCALES.splitlines() if line and not line.startswith("#")])
def test_the_language_is_that_of_the_locale_unless_said(row: list[str]) -> None:
    """Two of three who start it read Chinese, and nobody wants to say so every time."""
    names = ("RANGLI_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    env = {name: value for name, value in zip(names, row[:-1], strict=True) if value != "-"}

    assert row[-1] == language(None, env)
    assert "zh" == language("zh", env)
    assert "en" == language("en", env)


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_command_speaks_both_languages_and_json(name: str) -> None:
    """A report that only one of them can read is half a report; the demonstration and the tour are for people alone."""
    options = {option for param in dict(commands())[name].params for option in param.opts}

    assert {"--lang", *([] if name in {"demo", "tour"} else ["--json"])} <= options


def test_the_wish_is_known_when_the_rest_cannot_be_read() -> None:
    """An error in a language that was not asked for, or not in JSON, is an error twice."""
    assert Wish("zh", json=True) == Wish.of(["settle", "--lang", "zh", "--nonsense", "--json"])
    assert Wish("zh", json=False) == Wish.of(["settle", "--lang=zh"])


def test_chinese_wraps_anywhere_but_before_a_comma() -> None:
    """Rich breaks lines at spaces only, which leaves Chinese ragged."""
    lines = wrapped("红包:10.00 元进入本店的红包池,随机分给其中最早的 20 笔订单(付款人自己的除外)。", 20)

    assert all(cell_len(line) <= 20 for line in lines)
    assert not [line for line in lines if line[0] in ",。)" or line.endswith("(")]
    assert ["a", "bb", "", "c"] == [part for text in ("a bb", "", "c") for part in wrapped(text, 2)]


# ---------------------------------------------------------------- refusals

REFUSED = """
explain weituanbao --amount 1e3 --concession 20%        | amount_malformed
explain weituanbao --amount 1.005 --concession 20%      | amount_malformed
explain weituanbao --amount 100 --concession 20         | rate_malformed
explain weituanbao --amount 100 --concession 40%        | input_refused
explain weituanbao --amount 0 --concession 20%          | input_refused
explain weituanbo --amount 100 --concession 20%         | plan_not_found
explain no.yaml --amount 100 --concession 20%           | plan_not_found
explain weituanbao --amount 100                         | input_refused
explain weituanbao --amount 100 --consession 20%        | input_refused
explain zengzhi --amount 100 --concession 20% --set pool.mint=100% | plan_faulty
explain zengzhi --amount 100 --concession 20% --set pool.mnt       | input_refused
explain zengzhi --amount 100 --concession 20% --without pool       | input_refused
plan check nothing                                      | plan_not_found
simulate zengzhi --orders 0 --concession 20%            | input_refused
simulate zengzhi --orders 5 --concession 30%            | input_refused
schedule zengzhi --growth 15%                           | input_refused
settle weituanbao nothing.csv --out out                 | file_refused
settle weituanbao nothing.csv --out out --seed xyz      | input_refused
audit nothing                                           | file_refused
balances nothing                                        | file_refused
nonsense                                                | input_refused
plans --lang fr                                         | input_refused
"""


@pytest.mark.parametrize("row", REFUSED.strip().splitlines())
def test_a_refusal_is_one_clear_line_or_json_and_never_a_traceback(row: str, tmp_path: Path) -> None:
    """Exit status 2, nothing on stdout but JSON, the same code and words in both languages."""
    command, code = (part.strip() for part in row.split("|"))
    english, chinese = (run(command, folder=tmp_path, RANGLI_LANG=lang) for lang in ("en", "zh"))
    as_json = run(command, "--json", folder=tmp_path).facts

    assert (2, "", 2, "") == (*english[:2], *chinese[:2])
    assert english.err.startswith("refused: ")
    assert chinese.err.startswith("已拒绝:")
    assert code == as_json["error"]["code"]
    if code != "plan_faulty":
        assert f"refused: {as_json['error']['message']}\n" == english.err


def test_json_keeps_stderr_empty() -> None:
    """Programs read stdout, and a person who sees words on stderr thinks that something is wrong."""
    for command in ("plans", "plan check zengzhi", "explain zengzhi --amount 1 --concession 20%", "plan show moudian"):
        ran = run(command, "--json")

        assert (0, "") == (ran.status, ran.err)
        assert isinstance(ran.facts, dict)


def test_a_value_out_of_range_says_the_range() -> None:
    """An error says what would be right."""
    assert "whole number from 1 to 50000000" in run("simulate zengzhi --orders 0 --concession 20%").err
    assert "应为 1 到 50000000 的整数" in run("simulate zengzhi --orders 0 --concession 20% --lang zh").err
    assert "one of zh, en" in run("plans --lang fr").err


def test_every_fault_of_an_amount_is_told_apart() -> None:
    """``1,000`` and ``1e3`` are not the same mistake."""
    texts = {"thousands": "1,000", "exponent": "1e3", "too_fine": "1.005", "full_width": "\uff11\uff12", "not_finite": "nan"}
    for fault, text in texts.items():
        assert FAULTS[fault][1] in run("explain weituanbao --concession 20% --amount", text).err


def test_a_closed_pipe_is_no_error() -> None:
    """``rangli plans | head -1`` prints one line and no traceback."""
    script = f"{sys.executable} -m rangli plan schema | head -1"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True)

    assert (b"{\n", b"") == (done.stdout, done.stderr)
