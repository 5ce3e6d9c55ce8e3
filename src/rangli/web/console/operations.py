"""Operations: the health of the service, verifications, what the doctor finds, and backups."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

from rangli.money import mul_div, print_ratio
from rangli.service.watching.checkup import check_database
from rangli.service.watching.lag import Kept, Lag, lags
from rangli.service.work.seal import Verification
from rangli.web.console.call import Call, Shown
from rangli.web.console.door import Door
from rangli.web.console.listing import Column, Listing, Slice, Want, by_time, number_of
from rangli.web.console.overview import programmes_of, seal_values, whom
from rangli.web.console.states import SETTLERS
from rangli.web.console.words import Link, Measured, State, grouped

if TYPE_CHECKING:
    from rangli.web.desk import Desk

BLOCK_BYTES: Final = 1 << 20
"""Of a backup that is sent."""
BYTES_OF: Final = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
VERIFIED: Final = (b"hx-trigger", b"verified")
"""The event that a page hears when the verification has ended for which it waits."""

STATES: Final = {
    "ok": State("ok", "正常", "All right", "good"),
    "note": State("note", "提示", "Note", "plain"),
    "fault": State("fault", "有毛病", "Fault", "bad"),
}
OUTCOMES: Final = {
    "running": State("running", "进行中", "Running", "wait"),
    "clean": State("clean", "相符", "No difference", "good"),
    "broken": State("broken", "不符", "A difference", "bad"),
    "failed": State("failed", "没有做完", "Failed", "bad"),
    "cancelled": State("cancelled", "已取消", "Cancelled", "plain"),
    "done": State("done", "已完成", "Done", "good"),
}
"""How a verification or a backup ended."""


def size(count: int) -> str:
    """A number of bytes for people.

    >>> size(999), size(1_234_567)
    ('999 B', '1.23 MB')
    """
    for unit, name in BYTES_OF:
        if count >= unit:
            return f"{print_ratio(count, unit, 2)} {name}"
    return f"{count} B"


# ---------------------------------------------------------------- health


def health(call: Call) -> Shown:
    """Whether this process serves, and how far each programme's settler has come."""
    found = call.service.health()
    running = programmes_of(call)
    roles = {one.name: SETTLERS[one.role] for one in running}
    rows = [(lag, roles[lag.name]) for lag in lags(call.service.database, running)] if running else []
    return call.show(
        "operations/health.html", ready=found.database == "reachable" and all(lag.role == "settling" for lag, _ in rows),
        database=found.database, lags=rows, settlers=[_settler(call, lag, role) for lag, role in rows],
        checkpoints=[_checkpoint(lag, kept) for lag, _ in rows for kept in lag.checkpoints],
    )  # fmt: skip


def _settler(call: Call, lag: Lag, role: State) -> tuple[object, ...]:
    """A settler in the table."""
    there = f"/p/{call.segment(lag.name)}"
    hooks = (Link(call.t("查看", "Open"), f"{there}/webhooks"),) if call.may("admin") else ()
    return (
        Link(lag.name, there), role, str(lag.position), lag.committed_at, str(lag.queued), str(lag.batches),
        Measured(f"{grouped(lag.batch_ms)} ms", lag.batch_ms, "ms") if lag.batch_ms else "",
        str(lag.refused), str(lag.failures), str(lag.behind),
        Link(call.t("查看", "Open"), f"{there}/verify"), *hooks,
    )  # fmt: skip


def _checkpoint(lag: Lag, kept: Kept) -> tuple[object, ...]:
    return lag.name, str(kept.position), str(lag.position - kept.position), _bytes(kept.bytes)


def _bytes(count: int) -> Measured:
    return Measured(size(count), str(count), "B")


def checks(call: Call) -> Shown:
    """What the doctor finds in the database, and what to do about it."""
    with call.service.database.reading() as connection:
        findings = list(check_database(connection, call.service.clock))
    order = sorted(findings, key=lambda one: ("fault", "note", "ok").index(one.state))
    faults = sum(one.state == "fault" for one in findings)
    return call.show("operations/checks.html", findings=order, states=STATES, faults=faults)


# ---------------------------------------------------------------- verifications


def verifications(call: Call) -> Shown:
    """The seal, and every verification of a programme."""
    listing = Listing(
        "verifications",
        "历次核验",
        "Verifications",
        (
            Column("began", "开始", "Began", "time"),
            Column("outcome", "结果", "Outcome", "state"),
            Column("position", "到第几条", "Up to decision", "count"),
            Column("by", "由谁", "By"),
            Column("seconds", "秒", "Seconds"),
            Column("head", "哈希", "Hash", "hash"),
            Column("why", "说明", "Why"),
        ),
        lambda want: _verified(call, want),
        sorts=by_time("began"),
        empty=("还没有核验过;按“现在核验”做第一次。", "Never verified; begin with “Verify now”."),
    )
    call.running  # noqa: B018 -- one that is not there is refused here
    if call.is_part or "as" in call.query:
        return call.listing(listing, "operations/verify.html")
    return call.listing(listing, "operations/verify.html", **seal_values(call))


def _verified(call: Call, want: Want) -> Slice:
    """A page of them."""
    oldest_first = want.sort == "oldest"
    found = call.service.seal.history(call.programme, number_of(want.cursor), want.limit + 1, oldest_first=oldest_first)
    rows = [_verification(call, one) for one in found[: want.limit]]
    return Slice(rows, str(found[want.limit - 1].number) if len(found) > want.limit else "")


def _verification(call: Call, one: Verification) -> dict[str, object]:
    return {
        "began": one.began_at, "outcome": OUTCOMES[one.outcome], "position": "" if one.position is None else str(one.position),
        "by": whom(call, one.asked_by), "seconds": one.seconds, "head": one.head, "why": call.t(one.zh, one.en),
    }  # fmt: skip


def seal_part(call: Call) -> Shown:
    """The seal alone, for a page that waits for a verification; at its end the table below is told."""
    values = seal_values(call)
    shown = call.show("overview/seal.html", **values)
    return shown if values["seal"].checking else shown._replace(headers=(VERIFIED,))


def verify_now(call: Call) -> Shown:
    """Begin to verify."""
    number = call.service.seal.verify_now(call.programme, call.member.name)
    call.note("verification.begin", str(number))
    return call.go(
        _verify_path(call), "核验已开始,结果会显示在这里。", "The verification has begun; its outcome will be shown here."
    )


def verify_cancel(call: Call) -> Shown:
    """Let it be."""
    if not call.service.seal.cancel(call.programme):
        return call.go(_verify_path(call), "此刻没有由本进程进行的核验。", "No verification runs in this process now.")
    call.note("verification.cancel")
    return call.go(_verify_path(call), "核验已取消。", "The verification was cancelled.")


def _verify_path(call: Call) -> str:
    return f"/p/{call.segment(call.programme)}/verify"


# ---------------------------------------------------------------- backups


def backups(call: Call) -> Shown:
    """The backups that are there, and the one that is being taken."""
    return call.show("operations/backups.html", **_copies(call))


def backups_part(call: Call) -> Shown:
    """The same without the page around it."""
    return call.show("operations/copies.html", **_copies(call))


def _copies(call: Call) -> dict[str, Any]:
    copies = call.service.copies
    copying = copies.copying()
    found = [{"name": one.name, "size": _bytes(one.bytes), "made_at": one.made_at} for one in copies.list()]
    percent = 0 if copying is None or not copying.total else min(100, mul_div(copying.done, 100, copying.total))
    state = None if copying is None else OUTCOMES[copying.state]
    return {"copying": copying, "state": state, "percent": percent, "copies": found, "is_keeping": copies.is_keeping}


def backup_now(call: Call) -> Shown:
    """Begin to take a backup."""
    if not call.service.copies.start(call.member.name):
        return call.go("/operations/backups", "已有一份备份在进行。", "A backup is being taken already.")
    call.note("backup.begin")
    return call.go("/operations/backups", "备份已开始。", "The backup has begun.")


def backup_cancel(call: Call) -> Shown:
    """Let the one be that is being taken."""
    call.service.copies.cancel()
    call.note("backup.cancel")
    return call.go("/operations/backups", "备份已取消。", "The backup was cancelled.")


def backup_remove(call: Call) -> Shown:
    """Away with a backup."""
    name = call.param("name")
    call.service.copies.remove(name)
    call.note("backup.remove", name)
    return call.go("/operations/backups", f"备份 {name} 已删除。", f"The backup {name} was removed.")


def backup_file(call: Call) -> Shown:
    """A backup, to be kept elsewhere."""
    name = call.param("name")
    path = call.service.copies.path(name)
    call.note("backup.download", name)
    return call.send_file(name, "application/zip", _blocks(call.desk, str(path)))


async def _blocks(desk: Desk, path: str) -> AsyncIterator[bytes]:
    """A file, block by block."""
    with await desk.ask(open, path, "rb") as file:
        while block := await desk.ask(file.read, BLOCK_BYTES):
            yield block


DOORS: Final[tuple[Door, ...]] = (
    Door("GET", "/operations", "read", health, "健康", "Health"),
    Door("GET", "/operations/checks", "admin", checks, "体检", "Check-up"),
    Door("GET", "/operations/backups", "admin", backups, "备份", "Backups"),
    Door("GET", "/operations/backups/now", "admin", backups_part, "正在进行的备份", "The backup that is being taken"),
    Door("POST", "/operations/backups", "admin", backup_now, "现在备份", "Take a backup"),
    Door("POST", "/operations/backups/cancel", "admin", backup_cancel, "取消备份", "Cancel the backup"),
    Door("GET", "/operations/backups/file/{name}", "admin", backup_file, "下载备份", "Download a backup"),
    Door("POST", "/operations/backups/file/{name}/remove", "admin", backup_remove, "删除备份", "Remove a backup"),
    Door("GET", "/p/{programme}/verify", "read", verifications, "核验", "Verifications"),
    Door("POST", "/p/{programme}/verify", "read", verify_now, "现在核验", "Verify now"),
    Door("GET", "/p/{programme}/verify/seal", "read", seal_part, "账目状态", "The seal"),
    Door("POST", "/p/{programme}/verify/cancel", "read", verify_cancel, "取消核验", "Cancel the verification"),
)
