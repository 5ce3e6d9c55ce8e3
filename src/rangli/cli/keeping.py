"""Commands that keep a copy of everything, and bring it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rangli.cli import face as faces
from rangli.cli.face import Face
from rangli.cli.opening import again, opened
from rangli.cli.options import AsJson, Data, Lang
from rangli.money import mul_div

if TYPE_CHECKING:
    from rangli.store.backup import Manifest

STEPS = 1_000
"""Of a bar whose end moves while it runs."""


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="要写的备份文件 · the file to write")],
    data: Data = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """备份整个数据库 · Back up everything into one file.

    同一时刻的一切,带校验和;服务不必停。项目的密钥也在里面,请妥善保管。

    All of it from one moment, with checksums; the service need not stop. The programmes' secrets are in it: keep it well.

    例 Example: rangli backup build/rangli.backup --data build/data
    """
    from rangli.store import backup as copies

    face = Face(lang, json=json)
    with opened(data, migrate=False) as it, _bar(face, "备份", "Backing up") as progress:
        manifest = copies.backup(it.database, file, progress)
    _report(face, file, manifest)
    face.note(f"接下来:rangli restore {file} --data 新目录", f"next: rangli restore {file} --data NEW")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="备份文件 · the backup")],
    data: Data = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """从备份恢复 · Restore a backup into an empty database.

    只恢复到空的数据库里;校验和不符则什么都不写。恢复后请执行 rangli verify。

    Into an empty database only; nothing is written if a checksum is wrong. Run rangli verify afterwards.

    例 Example: rangli restore build/rangli.backup --data build/restored
    """
    from rangli.store import backup as copies

    face = Face(lang, json=json)
    if not file.is_file():
        from rangli.errors import FileRefused

        raise FileRefused(f"没有文件 {file}", f"there is no file {file}")
    with opened(data, make=True, migrate=False) as it, _bar(face, "恢复", "Restoring") as progress:
        manifest = copies.restore(it.database, file, progress)
    _report(face, file, manifest)
    face.note(f"接下来:rangli verify{again(data)}", f"next: rangli verify{again(data)}")


@contextmanager
def _bar(face: Face, zh: str, en: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for bytes done of about so many."""
    with face.progress(zh, en, STEPS) as advance:
        shown = 0

        def progress(_: str, done: int, whole: int) -> None:
            nonlocal shown
            now = mul_div(done, STEPS, max(whole, 1))
            advance(now - shown)
            shown = now

        yield progress


def _report(face: Face, file: Path, manifest: Manifest) -> None:
    """What is in the file."""
    rows = {table.name: table.rows for table in manifest.tables}
    size = sum(table.bytes for table in manifest.tables)
    if face.json:
        programmes: list[dict[str, Any]] = [
            {"name": head.name, "position": head.position, "hash": head.hash} for head in manifest.programmes
        ]
        facts = {"file": str(file), "schema": manifest.version, "server": manifest.server, "bytes": size, "rows": rows}
        face.document({**facts, "programmes": programmes})
        return
    head = face.words("项目", "programme"), face.words("决定", "decisions"), face.words("末条哈希", "head")
    made = faces.table(*head, right=(1,), fold=(2,))
    for one in manifest.programmes:
        made.add_row(one.name, faces.count(one.position), one.hash)
    face.show(made, "")
    face.line(
        f"{file}:{len(rows)} 张表,{faces.count(sum(rows.values()))} 行",
        f"{file}: {len(rows)} tables, {faces.count(sum(rows.values()))} rows",
    )
