"""Rules of the house, as tests. Each says why in its docstring, and in its message what to do instead.

A rule about code is a function from a source to its faults. Before it is asked about ours it must find the fault in a
small wrong example, so that a rule which has gone blind fails.
"""

from __future__ import annotations

import ast
import io
import re
import socket
import tokenize
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from rangli import errors
from rangli.ledger.accounts import INSTITUTIONS, POCKET_NAMES
from rangli.ledger.transfers import CODES

ROOT = Path(__file__).parents[1]
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600


class Source(NamedTuple):
    """One Python file: where it is (from the root, with slashes), its text, its tree."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, text: str) -> Source:
        """The source with this text."""
        return cls(path, text, ast.parse(text))


class Fault(NamedTuple):
    """A line that breaks a rule."""

    line: int
    what: str


Rule = Callable[[Source], Iterator[Fault]]


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """All Python files in these folders."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return tuple(Source.of(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths)


def check(rule: Rule, fix: str, *, wrong: str, at: str = "src/rangli/settle.py", folders: tuple[str, ...] = ("src",)) -> None:
    """The rule finds the wrong example, and nothing in our sources."""
    assert list(rule(Source.of(at, wrong))), f"the rule no longer finds its example of what is wrong: {wrong!r}"
    found = [f"{source.path}:{fault.line}: {fault.what}" for source in sources(*folders) for fault in rule(source)]

    assert [] == found, f"{fix}\n" + "\n".join(found)


def inside(source: Source, *rooms: str) -> bool:
    """Whether the file is in one of these rooms of the package, be it a file or a folder."""
    return any(source.path in {f"src/rangli/{room}.py", f"src/rangli/{room}"} for room in rooms) or any(
        source.path.startswith(f"src/rangli/{room}/") for room in rooms
    )


def names_in(node: ast.AST) -> list[str]:
    """Every name and attribute that occurs in an expression."""
    return [n.id if isinstance(n, ast.Name) else n.attr for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute)]


def is_kernel(function: ast.FunctionDef) -> bool:
    """Whether Numba compiles this function."""
    return any("jit" in ast.unparse(decorator) for decorator in function.decorator_list)


# ---------------------------------------------------------------- arithmetic


def slashes(source: Source) -> Iterator[Fault]:
    """Every ``/`` but those that join paths in the rooms that have paths."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            money = [name for name in names_in(node) if name.endswith(("_fen", "_micro", "_bp"))]
            if money or not inside(source, "files", "cli"):
                yield Fault(node.lineno, ast.unparse(node))


FIX_SLASH = "`/` makes a float, and joins paths only in files and cli; use Ratio, mul_div or split, and joinpath elsewhere"


def test_nothing_is_divided_into_a_float() -> None:
    """A float cannot hold a fen: 0.1 + 0.2 is not 0.3, and 2**53 + 1 fen is 2**53."""
    check(slashes, FIX_SLASH, wrong="share = paid / 3")
    check(slashes, FIX_SLASH, wrong="share = paid_fen / count", at="src/rangli/files/orders.py")


def floats(source: Source) -> Iterator[Fault]:
    """Conversions to float, rounding, float types and float literals; a face may wait or draw for part of a second."""
    for node in ast.walk(source.tree):
        is_call = isinstance(node, ast.Call) and names_in(node.func)[:1] in (["float"], ["round"], ["rint"], ["around"])
        is_type = isinstance(node, ast.Attribute) and node.attr.startswith("float") and node.attr != "floating"
        is_literal = isinstance(node, ast.Constant) and isinstance(node.value, float) and not inside(source, "cli")
        if is_call or is_type or is_literal:
            yield Fault(node.lineno, ast.unparse(node))


FIX_FLOAT = "money is int: use Ratio, mul_div or split to compute, print_ratio to show"


def test_no_float_is_made_and_nothing_is_rounded() -> None:
    """``round`` rounds halves to even and gives nobody the rest; each division of ours says who keeps it."""
    check(floats, FIX_FLOAT, wrong="share = float(text)")
    check(floats, FIX_FLOAT, wrong="share = round(total * 3, 2)")
    check(floats, FIX_FLOAT, wrong="weights = np.zeros(3, np.float64)")
    check(floats, FIX_FLOAT, wrong="rate = 0.3")


DIVIDERS = {"divmod", "floor_divide", "true_divide", "divide", "mod", "remainder", "fmod", "truediv", "floordiv"}
INDEX_ARITHMETIC = {
    ("src/rangli/ledger/accounts.py", "2 ** 31 // POCKETS"): "how many holders have numbers for all their pockets",
    ("src/rangli/ledger/accounts.py", "divmod(account, POCKETS)"): "an account's number back to holder and pocket",
    ("src/rangli/ledger/transfers.py", "c % REFUND"): "a reversal's code back to the code it reverses",
}
"""Divisions that divide no money and need no rounding rule: (file, expression) -> what it is."""


def divisions(source: Source) -> Iterator[Fault]:
    """Every integer division outside the two modules that may divide."""
    if source.path in {"src/rangli/money.py", "src/rangli/engine/arith.py"}:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.FloorDiv | ast.Mod):
            left = node.left if isinstance(node, ast.BinOp) else node.target
            is_text = isinstance(left, ast.JoinedStr) or (isinstance(left, ast.Constant) and isinstance(left.value, str))
            is_division = not is_text
        else:
            is_division = isinstance(node, ast.Call) and names_in(node.func)[:1] != [] and names_in(node.func)[0] in DIVIDERS
        if is_division and (source.path, ast.unparse(node)) not in INDEX_ARITHMETIC:
            yield Fault(node.lineno, ast.unparse(node))


FIX_DIVISION = "`//`, `%` and divmod stand in money.py and engine/arith.py only; call mul_div, Ratio, split, whole_fen"


def test_division_lives_in_one_module_and_its_compiled_twin() -> None:
    """Each division rounds, and a rounding that nobody owns is a fen that nobody has."""
    check(divisions, FIX_DIVISION, wrong="each = total // 3")
    check(divisions, FIX_DIVISION, wrong="rest = total % 3")
    check(divisions, FIX_DIVISION, wrong="each, rest = divmod(total, 3)")
    check(divisions, FIX_DIVISION, wrong="total //= 3")
    check(divisions, FIX_DIVISION, wrong="each = np.floor_divide(total, 3)")


def test_every_allowed_index_division_is_still_there() -> None:
    """A list of exceptions only ever grows unless somebody asks whether each is still needed."""
    nodes = ((source.path, node) for source in sources("src") for node in ast.walk(source.tree))
    there = {(path, ast.unparse(node)) for path, node in nodes if isinstance(node, ast.BinOp | ast.Call)}

    assert set() == INDEX_ARITHMETIC.keys() - there, "take these out of INDEX_ARITHMETIC"


def unsigned(source: Source) -> Iterator[Fault]:
    """The type uint64, by name or in text."""
    for node in ast.walk(source.tree):
        named = (isinstance(node, ast.Name) and node.id == "uint64") or (
            isinstance(node, ast.Attribute) and node.attr == "uint64"
        )
        if named or (isinstance(node, ast.Constant) and node.value in {"uint64", "u8", "<u8", ">u8"}):
            yield Fault(node.lineno, ast.unparse(node))


def test_no_uint64_meets_an_int64() -> None:
    """Mixing them is an int in compiled code and a float64 in NumPy, so the two lanes would differ in silence."""
    check(unsigned, "use int64, and shift_right, wrap_add, wrap_mul of engine/arith.py for bits", wrong="key = np.uint64(7)")
    check(unsigned, "use int64", wrong="key = data.view('uint64')")


def loose_compilation(source: Source) -> Iterator[Fault]:
    """Options of Numba that change what arithmetic means."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.keyword) and (
            node.arg == "fastmath" or (node.arg == "error_model" and "numpy" in ast.unparse(node))
        ):
            yield Fault(node.value.lineno, ast.unparse(node))


def test_kernels_are_compiled_with_the_meaning_python_gives_them() -> None:
    """With error_model="numpy" a division by zero gives 0 and goes on; with fastmath results depend on the machine."""
    check(loose_compilation, "leave the option out", wrong="@njit(fastmath=True)\ndef kernel(a): return a")
    check(loose_compilation, "leave the option out", wrong="@njit(error_model='numpy')\ndef kernel(a): return a")


def raising_kernels(source: Source) -> Iterator[Fault]:
    """Each ``raise`` in a compiled function."""
    for function in ast.walk(source.tree):
        if isinstance(function, ast.FunctionDef) and is_kernel(function):
            yield from (Fault(node.lineno, function.name) for node in ast.walk(function) if isinstance(node, ast.Raise))


def test_kernels_refuse_by_status_and_never_raise() -> None:
    """A kernel that raises leaks what it allocated, and leaves a batch half done."""
    check(
        raising_kernels, "write a status for the row and go on", wrong="@njit(cache=True)\ndef kernel(a):\n    raise ValueError"
    )


# ---------------------------------------------------------------- a reader's ease


def comments(source: Source) -> Iterator[tuple[int, str]]:
    """The comments of a file with their lines."""
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


BARE = re.compile(r"#\s*(type:\s*ignore(?!\[)|noqa(?!: ?[A-Z]+[0-9]))", re.IGNORECASE)


def bare_silences(source: Source) -> Iterator[Fault]:
    """Comments that silence every check of a line instead of one."""
    return (Fault(line, comment) for line, comment in comments(source) if BARE.search(comment))


def test_a_silenced_check_is_named() -> None:
    """A bare silence also hides the next, real fault on its line."""
    everywhere = ("src", "tests", "bench")
    check(bare_silences, "name the code: type: ignore[code], noqa: CODE", wrong="import os  # noqa", folders=everywhere)
    check(bare_silences, "name the code: type: ignore[code], noqa: CODE", wrong="a = 1  # type: ignore", folders=everywhere)


def borrowed_privates(source: Source) -> Iterator[Fault]:
    """Names with an underscore that are imported from another module of ours."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "rangli":
            yield from (Fault(node.lineno, alias.name) for alias in node.names if alias.name.startswith("_"))


def test_what_is_private_stays_in_its_module() -> None:
    """The doctor looked for the settler's lock under a private name, which whoever renames it would not have looked for."""
    check(borrowed_privates, "give it a public name where it is", wrong="from rangli.service.settling.settler import _LOCK_SPACE")


def long_functions(source: Source) -> Iterator[Fault]:
    """Functions longer than fits on a screen."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield Fault(node.lineno, f"{node.name} has {lines} lines")


def long_files(source: Source) -> Iterator[Fault]:
    """Files longer than one sitting."""
    lines = source.text.count("\n")
    if lines > FILE_LINES_MAX:
        yield Fault(lines, f"{lines} lines")


def test_functions_and_files_stay_short() -> None:
    """A function is read on one screen and a file in one sitting; these limits may fall and do not rise."""
    everywhere = ("src", "tests", "bench")
    check(long_functions, "split it where its story has a break", wrong="def f():\n" + "    f()\n" * 70, folders=everywhere)
    check(long_files, "make a room of it", wrong="a = 1\n" * 601, folders=everywhere)


DRAWERS = {"util", "utils", "common", "helper", "helpers", "manager", "managers", "misc", "base", "core", "stuff"}


def drawers(source: Source) -> Iterator[Fault]:
    """Modules named after nothing."""
    if DRAWERS & set(Path(source.path).with_suffix("").parts):
        yield Fault(1, source.path)


def test_no_module_is_a_drawer() -> None:
    """What has no name of its own collects what has no place of its own."""
    check(drawers, "name the module after what it knows", wrong="", at="src/rangli/utils.py", folders=("src", "tests", "bench"))


def undocumented(source: Source) -> Iterator[Fault]:
    """Modules, public classes and public functions without a docstring."""
    if ast.get_docstring(source.tree) is None:
        yield Fault(1, "the module")
    yield from undocumented_in(source.tree)


def undocumented_in(scope: ast.Module | ast.ClassDef) -> Iterator[Fault]:
    """The same, inside a module or a class."""
    for node in scope.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            if ast.get_docstring(node) is None:
                yield Fault(node.lineno, node.name)
            if isinstance(node, ast.ClassDef):
                yield from undocumented_in(node)


def test_everything_public_says_what_it_is() -> None:
    """The docstring is the promise that tests hold and callers rely on."""
    check(undocumented, "say in one sentence what it is or answers", wrong='"""Money."""\ndef split(total): return [total]')
    check(
        undocumented,
        "say in one sentence what it is or answers",
        wrong='"""Money."""\nclass A:\n    """A."""\n    def b(self): return 1',
    )


def silent_tests(source: Source) -> Iterator[Fault]:
    """Tests without a docstring."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and ast.get_docstring(node) is None:
            yield Fault(node.lineno, node.name)


def test_every_test_says_why() -> None:
    """The name says the promise; without the reason nobody dares to change or delete a test that stands in the way."""
    check(silent_tests, "say why the promise matters", wrong="def test_it(): assert 1", folders=("tests",))


# ---------------------------------------------------------------- refusals


def tree_in_words() -> dict[str, str]:
    """Class -> parent, as the docstring of errors.py draws it."""
    parents: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        drawn = re.match(r"([│├└─ ]*)([A-Z][A-Za-z]+)(?: {2,}|$)", line)
        if drawn:
            depth, name = len(drawn[1]), drawn[2]
            path = [step for step in path if step[0] < depth]
            parents[name] = path[-1][1] if path else ""
            path.append((depth, name))
    return parents


def refusals() -> list[type[errors.RangliError]]:
    """The whole tree, root first."""
    found: list[type[errors.RangliError]] = [errors.RangliError]
    for cls in found:
        found.extend(cls.__subclasses__())
    return found


def test_the_tree_of_refusals_is_drawn_as_it_is() -> None:
    """Callers choose what to catch from the drawing; a class that is missing there is caught by nobody."""
    actual = {cls.__name__: "" if cls is errors.RangliError else cls.__mro__[1].__name__ for cls in refusals()}

    assert tree_in_words() == actual, "draw every class under its parent in the docstring of errors.py"


def test_every_refusal_has_a_code_of_its_own() -> None:
    """Programs tell refusals apart by code; two classes with one code cannot be told apart."""
    codes = [vars(cls).get("code") for cls in refusals()]

    assert sorted({str(code) for code in codes}) == sorted(str(code) for code in codes), "give each class its own `code`"
    assert None not in codes


# ---------------------------------------------------------------- tests


def test_no_test_can_reach_a_network() -> None:
    """A test that asks somebody else fails when they are away, and passes when they are wrong."""
    with socket.socket() as outside, pytest.raises(AssertionError, match="no network"):
        outside.connect(("127.0.0.1", 9))


# ---------------------------------------------------------------- words and documents


@cache
def texts() -> dict[str, str]:
    """Every text of the project that a person wrote: path -> text."""
    kinds = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".csv", ".c", ".txt", ".ledger"}
    inner = [path for folder in ("src", "tests", "bench", "docs", ".ci") for path in (ROOT / folder).rglob("*")]
    outer = [*ROOT.glob("*.md"), *ROOT.glob("*.toml"), ROOT / "Makefile"]
    chosen = [path for path in [*inner, *outer] if path.is_file() and (path.suffix in kinds or path.parent.name == ".ci")]
    chosen = [path for path in [*chosen, ROOT / "Makefile"] if "__pycache__" not in path.parts]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in chosen}


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    """The lines of all texts but this one in which the pattern occurs."""
    here = Path(__file__).relative_to(ROOT).as_posix()
    return [
        f"{path}:{number}: {line.strip()}"
        for path, text in texts().items()
        if path != here
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_left_for_later_in_the_text() -> None:
    """A note to oneself in the code is a promise to nobody; work that is left belongs in an issue."""
    note = re.compile(r"\b(TODO|FIXME|XXX)\b")
    assert note.search("# TODO later")

    assert [] == lines_with(note), "do it, or write an issue"


def test_no_path_of_one_machine_is_written_down() -> None:
    """What names a folder of its author's machine runs nowhere else."""
    place = re.compile(r"(?<![\w.])(/(home|root|work|tmp|Users|mnt)/|[A-Z]:\\\\)")
    assert place.search("open('/home/me/orders.csv')")

    assert [] == lines_with(place), "write paths relative to the root of the project"


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_has_the_commands_that_ci_runs(name: str) -> None:
    """The first command a newcomer tries must be the one that is run on every change."""
    commands = set(re.findall(r"^(?:\$ )?(make [a-z-]+)", texts().get(name, ""), re.MULTILINE))

    assert commands >= {"make demo", "make test"}, f"{name} shows `make demo` and `make test` on lines of their own"
    assert "\nmake test\n" in texts()[".ci/run"], ".ci/run runs the README's test command"


def test_every_make_target_in_a_document_exists() -> None:
    """A document that names a command which is gone sends its reader away."""
    targets = set(re.findall(r"^([a-z-]+):", texts()["Makefile"], re.MULTILINE))
    named = {target for path, text in texts().items() if path.endswith(".md") for target in re.findall(r"`make ([a-z-]+)`", text)}

    assert set() == named - targets
    assert {"test", "check"} <= named


def links_of(text: str) -> list[str]:
    """The relative links of a Markdown text, code aside."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose) if not re.match(r"[a-z]+:", link)]


def test_every_link_between_documents_leads_somewhere() -> None:
    """Files are renamed more often than the links to them."""
    assert ["docs/rules.md"] == links_of("See [rules](docs/rules.md#cut), [law](https://a.b) and `[x](y)`.")
    broken = [
        f"{path}: {link}"
        for path, text in texts().items()
        if path.endswith(".md")
        for link in links_of(text)
        if not (ROOT / path).parent.joinpath(link).exists()
    ]

    assert [] == broken


def test_the_glossary_has_every_code_pocket_and_institution() -> None:
    """One word per idea: a word in the books that the glossary lacks means two things sooner or later."""
    written = set(re.findall(r"`([^`\n]+)`", texts()["docs/glossary.md"]))
    words = {name for name, *_ in CODES} | set(POCKET_NAMES) | set(INSTITUTIONS)

    assert set() == words - written, "give each its row in docs/glossary.md"
