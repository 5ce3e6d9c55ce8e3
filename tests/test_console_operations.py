"""Operations in the console: what an operator sees of the service and may do to it, each act with its line in the log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import console_worlds
import psycopg
import pytest
from console_worlds import SCRIPT, ConsoleSite, Page, Visitor
from web_worlds import HELD, SHOP, fresh, order, until

from rangli.service.people.access import SCOPES
from rangli.service.people.acts import COMMAND_LINE, ActFilter, ActView
from rangli.service.views import Health
from rangli.service.work.seal import Record
from rangli.web.console.operations import size

console = console_worlds.console

STATEMENTS_MAX: Final = 8
ADDRESS: Final = "https://erp.example.com/rangli"
SECONDS: Final = 120


@pytest.fixture(scope="module", autouse=True)
def _interpreted() -> Iterator[None]:
    """Workers of these tests decide some ten orders; compiling would take longer than that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_DISABLE_JIT", "1")
        yield


@pytest.fixture(scope="module")
def owner(console: ConsoleSite) -> Visitor:
    """Somebody who may do everything."""
    return console.visitor()


@pytest.fixture(scope="module")
def auditor(console: ConsoleSite) -> Visitor:
    """Somebody who only looks."""
    return console.visitor("auditor")


def acts(console: ConsoleSite, visitor: Visitor, what: str) -> list[ActView]:
    """What the audit log has of him, newest first."""
    staff = console.service.staff
    return staff.acts(staff.member(visitor.token), ActFilter(member=visitor.name, what=what), 0, 100)


def execute(console: ConsoleSite, statement: str, *values: Any) -> None:  # noqa: ANN401 (of columns)
    """Something that another process would write."""
    with psycopg.connect(console.service.database.url, autocommit=True) as connection:
        connection.execute(statement.encode(), values)


def where(page: Page) -> str:
    """Where an answer leads."""
    return str(page.headers.get("location", "")).removeprefix("/console")


# ---------------------------------------------------------------- health and the check-up


def test_health_shows_each_settler_and_how_far_it_is(console: ConsoleSite, auditor: Visitor) -> None:
    """The page that one opens when something is slow."""
    console.service.running(SHOP).do([order(fresh()) for _ in range(7)])
    page = auditor.get("/operations")

    assert 200 == page.status
    assert page.words.count("结算中") == 3
    for text in ("就绪", "检查点之后", str(console.service.running(SHOP).position())):
        assert text in page.words
    assert "/operations/keys" not in page.text, "no way to what he may not do"
    assert "/p/shop/webhooks" not in page.text


def test_health_tells_when_the_database_is_away(console: ConsoleSite, auditor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Green on this page must mean that orders can be taken."""
    monkeypatch.setattr(console.service, "health", lambda: Health(ready=False, database="unreachable", programmes={}))
    page = auditor.get("/operations")

    assert "未就绪" in page.words
    assert "不可用" in page.words


def test_a_settler_that_stopped_is_shown_with_its_reason(
    console: ConsoleSite, auditor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is in the service's memory, and nobody reads that elsewhere."""
    monkeypatch.setattr(console.service.running(HELD).settler, "fault", f"decision 7: {SCRIPT}")
    page = auditor.get("/operations")

    assert "项目 held 已停止结算" in page.words
    assert "未就绪" in page.words
    assert SCRIPT not in page.text


def test_a_member_of_one_programme_sees_the_settler_of_that_one(console: ConsoleSite) -> None:
    """Names of programmes are somebody's business."""
    page = console.visitor("auditor", ["points"]).get("/operations")

    assert "points" in page.words
    assert SHOP not in page.words.replace("Workshop", "")


def test_the_check_up_says_what_to_do(console: ConsoleSite, owner: Visitor) -> None:
    """A fault without a remedy is bad news only."""
    well = owner.get("/operations/checks")
    execute(
        console, "INSERT INTO held (programme, order_id, plan, captured_at, due_at, request) VALUES (1, 'late', 1, 0, NULL, '{}')"
    )
    execute(
        console,
        "INSERT INTO webhook (programme, id, url, kinds, secret, position, created_at, paused_at, fault)"
        " VALUES (1, 'f0f0f0f0f0f0f0f0', 'https://a.example', '{}', 'x', 0, 0, 1, 'status 410')",
    )
    ill = owner.get("/operations/checks")
    execute(console, "DELETE FROM webhook WHERE id = 'f0f0f0f0f0f0f0f0'")
    execute(console, "DELETE FROM held WHERE order_id = 'late'")

    assert (200, 200) == (well.status, ill.status)
    assert "shop: trial_balance" in well.words
    assert "再用 API 重新投递" in ill.words
    assert ill.words.count("有毛病") == well.words.count("有毛病") + 1


# ---------------------------------------------------------------- who may


PATHS_OF_ADMIN: Final = (
    "/operations/checks",
    "/operations/keys",
    "/operations/keys/new",
    "/operations/backups",
    "/p/shop/webhooks",
)


@pytest.mark.parametrize("role", ["finance", "operations", "auditor"])
def test_only_owners_reach_what_concerns_the_whole_house(console: ConsoleSite, role: str) -> None:
    """Keys and backups open everything."""
    visitor = console.visitor(role)

    assert [403] * len(PATHS_OF_ADMIN) == [visitor.get(path).status for path in PATHS_OF_ADMIN]
    assert 403 == visitor.post("/operations/backups").status
    assert 403 == visitor.post("/operations/keys", name="x", scopes="read").status
    assert 403 == visitor.post("/p/shop/webhooks", url=ADDRESS).status


def test_pages_make_few_statements(console: ConsoleSite, owner: Visitor) -> None:
    """However many keys, hooks and verifications there are."""
    for path in ("/operations", "/operations/keys", "/operations/backups", "/p/shop/verify", "/p/shop/webhooks"):
        assert len(console.statements(lambda path=path: owner.get(path))) <= STATEMENTS_MAX, path  # type: ignore[misc]


# ---------------------------------------------------------------- verify now


def test_anyone_who_reads_may_verify_and_sees_the_outcome(console: ConsoleSite, auditor: Visitor) -> None:
    """An auditor's work is to verify; it changes nothing."""
    answer = auditor.post("/p/held/verify")
    assert console.service.seal.wait(HELD, SECONDS)
    page = auditor.get(where(answer))

    assert (303, "/p/held/verify") == (answer.status, where(answer))
    assert 'class="seal good"' in page.text
    assert "相符" in page.words
    assert auditor.name in page.words
    assert ["done"] == [act.outcome for act in acts(console, auditor, "verification.begin")]


def test_a_running_verification_asks_again_and_stops_by_itself(
    console: ConsoleSite, owner: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that polls for ever is a leak on every screen that somebody forgot."""
    began: list[str] = []
    monkeypatch.setattr(console.service.seal._jobs, "wait", lambda number, _=None: began.append(number) or _wait(number))
    original = type(console.service.seal._jobs).wait

    def _wait(number: str) -> Any:  # noqa: ANN401 (as Jobs has it)
        until(lambda: len(began) > 1, SECONDS)
        return original(console.service.seal._jobs, number)

    owner.post("/p/held/verify")
    until(lambda: len(began) == 1)
    part, second = owner.part("/p/held/verify/seal"), owner.post("/p/held/verify")
    began.append("go on")
    assert console.service.seal.wait(HELD, SECONDS)
    over = owner.part("/p/held/verify/seal")

    assert 'hx-trigger="every 2s"' in part.text
    assert "取消核验" in part.words
    assert (409, True) == (second.status, "正在核验" in second.words)
    assert "hx-trigger" not in over.text
    assert "现在核验" in over.words
    assert (None, "verified") == (part.headers.get("hx-trigger"), over.headers.get("hx-trigger"))


def test_a_verification_on_the_command_line_stands_in_the_table_when_it_has_ended(console: ConsoleSite, owner: Visitor) -> None:
    """The page learns of its end from the part that waits for it, and then asks for the table once."""
    running = console.service.running(SHOP)
    record = Record.begin(console.service.database, console.service.clock, SHOP, running.number, COMMAND_LINE.role)
    page, part = owner.get("/p/shop/verify"), owner.part("/p/shop/verify/seal")
    record.end(outcome="clean", position=running.position(), head=running.view().head, seconds="0.1")
    over, table = owner.part("/p/shop/verify/seal"), owner.part("/p/shop/verify")

    assert "另一个进程正在为 命令行 核验" in page.words
    assert "进行中" in page.words
    assert 1 == page.text.count('hx-trigger="verified from:body"')
    assert (None, "verified") == (part.headers.get("hx-trigger"), over.headers.get("hx-trigger"))
    assert table.text.startswith('<section id="listing"')
    assert "verified from:body" not in table.text, "what it replaces must not ask again"
    assert ("命令行" in table.words, "相符" in table.words, "进行中" in table.words) == (True, True, False)


def test_a_verification_can_be_cancelled(console: ConsoleSite, owner: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """And when none runs, the button says so."""
    cancelled: list[str] = []
    monkeypatch.setattr(console.service.seal, "cancel", lambda name: not cancelled.append(name) and len(cancelled) == 1)
    first, again = owner.post("/p/held/verify/cancel"), owner.post("/p/held/verify/cancel")

    assert [303, 303] == [first.status, again.status]
    assert 1 == len(acts(console, owner, "verification.cancel"))


def test_verifications_go_out_as_files(console: ConsoleSite, auditor: Visitor) -> None:
    """An auditor keeps his own copy."""
    console.service.seal.verify_now(HELD, "Ann")
    assert console.service.seal.wait(HELD, SECONDS)
    page = auditor.get("/p/held/verify", **{"as": "csv"})

    assert 200 == page.status
    assert "Ann" in page.data.decode("utf-8-sig")
    assert 422 == auditor.get("/p/held/verify", cursor="x").status


# ---------------------------------------------------------------- backups


def test_a_backup_is_taken_and_downloaded(console: ConsoleSite, owner: Visitor) -> None:
    """The file that comes down is the one that was written, to the byte."""
    answer = owner.post("/operations/backups")
    console.service.copies.wait(60)
    page = owner.get(where(answer))
    name = re.findall(r"rangli-\d{8}-\d{6}\.backup", page.text)[0]
    file = owner.get(f"/operations/backups/file/{name}")
    there = console.service.copies.path(name).read_bytes()
    removed = owner.post(f"/operations/backups/file/{name}/remove")

    assert (303, 200, 200, 303) == (answer.status, page.status, file.status, removed.status)
    assert "已完成" in page.words
    assert there == file.data
    assert "attachment" in file.headers["content-disposition"]
    assert 404 == owner.get(f"/operations/backups/file/{name}").status
    for what in ("backup.begin", "backup.download", "backup.remove"):
        assert 1 == len(acts(console, owner, what)), what


@pytest.mark.parametrize("name", ["..%2F..%2Fetc%2Fpasswd", "rangli-20200101-000000.backup", "x"])
def test_nothing_but_backups_comes_down(owner: Visitor, name: str) -> None:
    """A name in an address is no path."""
    assert 404 == owner.get(f"/operations/backups/file/{name}").status
    assert 404 == owner.post(f"/operations/backups/file/{name}/remove").status


# ---------------------------------------------------------------- API keys


def test_a_token_is_shown_once_and_opens_what_was_chosen(console: ConsoleSite, owner: Visitor) -> None:
    """Whoever loses it has another one made; nobody can look it up, us included."""
    page = owner.post("/operations/keys", name=SCRIPT, scopes=["read", "orders"], programmes=["points"], per_second="50")
    token = re.findall(r"rl_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", page.text)[0]
    grant = console.service.access.grant(token)
    listed, one = owner.get("/operations/keys"), owner.get(f"/operations/keys/{grant.key_id}")

    assert (200, {"read", "orders"}, {"points"}, 50) == (
        page.status,
        set(grant.scopes),
        set(grant.programmes or ()),
        grant.per_second,
    )
    assert "no-store" in page.headers["cache-control"]
    for later in (listed, one):
        assert 200 == later.status
        assert token not in later.text
        assert SCRIPT not in later.text
        assert grant.key_id in later.text
    (act,) = acts(console, owner, "key.issue")
    assert grant.key_id == act.object
    assert token not in str(act)


def test_a_key_without_programmes_is_for_all(console: ConsoleSite, owner: Visitor) -> None:
    """As the form says."""
    page = owner.post("/operations/keys", name="till", scopes=["read"], per_second="1000")
    token = re.findall(r"rl_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", page.text)[0]

    assert None is console.service.access.grant(token).programmes


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "", "scopes": ["read"], "per_second": "10"}, "f-name"),
        ({"name": "till", "scopes": ["read"], "per_second": "many"}, "f-per_second"),
        ({"name": "till", "scopes": ["read"], "per_second": "0"}, "f-per_second"),
        ({"name": "till", "scopes": ["root"], "per_second": "10"}, ""),
        ({"name": "till", "per_second": "10"}, ""),
    ],
    ids=["no name", "no number", "nothing a second", "no scope of ours", "no scope"],
)
def test_a_key_that_cannot_be_is_refused_in_place(
    console: ConsoleSite, owner: Visitor, fields: dict[str, Any], field: str
) -> None:
    """With what was written still there, so that nobody types it twice."""
    before = len(console.service.access.list())
    page = owner.post("/operations/keys", **fields)

    assert 422 == page.status
    assert before == len(console.service.access.list())
    assert f'id="{field}-help" class="error"' in page.text if field else 'role="alert"' in page.text
    assert f'value="{fields["name"]}"' in page.text


def test_a_revoked_key_opens_nothing_and_stays_in_the_list(console: ConsoleSite, owner: Visitor) -> None:
    """Who had it must be seen for years."""
    token, key = console.service.access.create("old till", ["read"])
    answer = owner.post(f"/operations/keys/{key.key_id}/revoke")
    live, revoked = owner.get("/operations/keys", state="live"), owner.get("/operations/keys", state="revoked")

    assert (303, f"/operations/keys/{key.key_id}") == (answer.status, where(answer))
    with console.site.http(token) as http:
        assert 401 == http.get("/v1/programmes").status_code
    assert (key.key_id in live.text, key.key_id in revoked.text) == (False, True)
    assert [key.key_id] == [act.object for act in acts(console, owner, "key.revoke")]
    assert (404, 404) == (owner.get("/operations/keys/aaaa").status, owner.post("/operations/keys/aaaa/revoke").status)


# ---------------------------------------------------------------- webhooks


def test_a_webhook_is_added_with_a_secret_that_is_shown_once_and_removed(console: ConsoleSite, owner: Visitor) -> None:
    """The secret signs every message; whoever has it can pretend to be us."""
    page = owner.post("/p/points/webhooks", url=ADDRESS, kinds=["order", "refund"])
    secret = re.findall(r"whsec_[A-Za-z0-9+/=]+", page.text)[0]
    (hook,) = console.service.webhooks.list("points")
    listed, one = owner.get("/p/points/webhooks"), owner.get(f"/p/points/webhooks/{hook.id}")
    removed = owner.post(f"/p/points/webhooks/{hook.id}/remove")

    assert (200, 200, 200, 303) == (page.status, listed.status, one.status, removed.status)
    assert ["order", "refund"] == hook.kinds
    assert not any(secret in later.text for later in (listed, one))
    assert ADDRESS in listed.words
    assert "订单, 退款" in listed.words
    assert [] == console.service.webhooks.list("points")
    assert [1, 1] == [len(acts(console, owner, what)) for what in ("webhook.add", "webhook.remove")]
    assert secret not in str(acts(console, owner, "webhook.add"))


@pytest.mark.parametrize("address", ["", "ftp://a.example", "http://127.0.0.1/x", "javascript:alert(1)"])
def test_an_address_that_cannot_be_is_refused_in_place(console: ConsoleSite, owner: Visitor, address: str) -> None:
    """Above all one in our own network."""
    page = owner.post("/p/points/webhooks", url=address)

    assert 422 == page.status
    assert 'id="f-url-help" class="error"' in page.text
    assert [] == console.service.webhooks.list("points")


def test_a_delivery_that_failed_is_shown_and_delivered_again(console: ConsoleSite, owner: Visitor) -> None:
    """After the other side was mended somebody has to say so."""
    hook, delivery = "abababababababab", "msg_abababababababab_1"
    number = console.service.running("points").number
    execute(
        console,
        "INSERT INTO webhook (programme, id, url, kinds, secret, position, created_at, paused_at, fault)"
        " VALUES (%s, %s, 'https://a.example', '{}', 'x', 2, 0, 1, 'status 500')",
        number, hook,
    )  # fmt: skip
    execute(
        console,
        "INSERT INTO delivery (programme, webhook, first, last, asked_at, due_at, attempts, tried_at, fault)"
        " VALUES (%s, %s, 1, 2, 1, 9000000000000000, 3, 2, 'status 500')",
        number, hook,
    )  # fmt: skip
    before, message = owner.get(f"/p/points/webhooks/{hook}"), owner.get(f"/p/points/webhooks/{hook}/deliveries/{delivery}")
    none = owner.get(f"/p/points/webhooks/{hook}", state="delivered")
    answer = owner.post(f"/p/points/webhooks/{hook}/deliveries/{delivery}/redeliver")
    (view,) = console.service.webhooks.list("points")
    console.service.webhooks.remove("points", hook)

    assert (200, 200, 303, f"/p/points/webhooks/{hook}") == (before.status, message.status, answer.status, where(answer))
    for text in ("已暂停", "重试中", delivery):
        assert text in before.words
    assert delivery not in none.words
    assert "" == view.paused_at
    assert [delivery] == [act.object for act in acts(console, owner, "webhook.redeliver")]
    gone = [
        f"/p/points/webhooks/{hook}",
        f"/p/points/webhooks/{hook}/deliveries/{delivery}",
        "/p/nobody/webhooks",
        "/p/nobody/webhooks/new",
    ]
    assert [404] * 4 == [owner.get(path).status for path in gone]


# ---------------------------------------------------------------- small things


def test_sizes_are_told_in_the_largest_unit_that_fits() -> None:
    """Nobody counts digits."""
    assert ["0 B", "999 B", "1.00 kB", "1.23 MB", "2.00 GB"] == [size(count) for count in (0, 999, 1_000, 1_234_567, 2 * 10**9)]


def test_every_scope_can_be_chosen(owner: Visitor) -> None:
    """A scope that the form lacks could be given by the command line only."""
    page = owner.get("/operations/keys/new")

    assert all(f'name="scopes" value="{scope}"' in page.text for scope in SCOPES)
