"""A town with something on every page of the console, and the addresses of all of them."""

from __future__ import annotations

import random
from typing import NamedTuple
from urllib.parse import quote

from console_worlds import SCRIPT

from rangli.lab.library import scenario_text
from rangli.plan.library import preset_text
from rangli.service import Service
from rangli.service.people.staff import Member
from rangli.service.requests import InjectionRequest, OrderRequest, RefundRequest, Request, SaleRequest
from rangli.service.work import lab
from rangli.web.console.door import Door
from rangli.web.console.house import DOORS

TOWN, POOL, STREET = "老城美食", "江边商圈", "积分街"
SHOPS = ("老王面馆", "小李火锅", "东门烧烤", "阿婆豆花", "江南春茶馆", "好再来小吃", "一品鲜汤", "南门理发")
PEOPLE = tuple(f"{family}{name}" for family in "赵钱孙李周吴郑王" for name in ("敏", "静", "强", "磊", "洋"))
ELSEWHERE = {"/p/{programme}/pool": POOL, "/p/{programme}/vouchers": STREET, "/p/{programme}/treasury": POOL}
"""Pages of another kind of plan."""
LUNCH = """order_id,paid_at,merchant,consumer,amount,concession
N-1,2026-01-06 12:00:00,老王面馆,赵敏,30.00,20%
N-2,,老王面馆,赵敏,x,20%
"""
NO_PAGES = frozenset({
    "/p/{programme}/live", "/operations/backups/file/{name}", "/p/{programme}/import/{id}/refused.csv",
    "/p/{programme}/plan/truths/{job}",
})  # fmt: skip
"""A stream, files, and a part that only one kind of job has."""


class Town(NamedTuple):
    """What addresses need."""

    programme: str
    parts: dict[str, str]
    """What stands for each part of an address."""


def build(service: Service, orders: int = 240, *, day: str = "2026-01-05") -> Town:
    """Two programmes with orders, refunds and funds."""
    dice = random.Random(20260105)
    for name, plan in ((TOWN, "weituanbao"), (POOL, "zengzhi"), (STREET, "moudian")):
        service.create(name, plan, hold_seconds=0)
        service.running(name).do(_orders(dice, name, orders, day))
    refund: list[Request] = [RefundRequest(refund_id="R1", order_id=f"{TOWN}-000005", amount="12.50")]
    service.running(TOWN).do(refund)
    sale = SaleRequest(sale_id="S1", consumer=PEOPLE[3], points="1")
    service.running(POOL).do([sale, InjectionRequest(injection_id="J1", amount="5000.00")])
    return Town(
        TOWN, {"programme": TOWN, "order_id": f"{TOWN}-000005", "account": f"consumer:{PEOPLE[3]}:wallet", "position": "3"}
    )


def furnish(service: Service, member: Member, town: Town) -> Town:
    """The rest of a console's life: a draft, a key, a webhook, an import and a run of the lab."""
    document = service.running(TOWN).plans()[-1].document
    draft = service.drafts.begin(member, TOWN, document.replace("max: 30%", "max: 25%"), "让利不超过四分之一")
    _, key = service.access.create("收银台", ["orders"], [TOWN])
    hook = service.webhooks.add(TOWN, "https://hooks.example.com/rangli", ["refund"])
    file = service.imports.check(service.running(TOWN), "午市.csv", LUNCH.encode(), member.name)
    arguments = {"plan": preset_text("zengzhi"), "scenario": scenario_text("first-exit"), "replications": 1, "seed": 7}
    job = service.jobs.start(
        "lab.run", lab.run, arguments, programme=TOWN, by=member.name, subject="zengzhi × first-exit", keep=True
    )
    assert service.jobs.wait(job, 300).state == "done"
    more = {
        "number": str(draft.number), "key": key.key_id, "webhook": hook.id, "id": file.id, "job": job, "name": member.name,
        "scenario": "default", "claim": "straight-to-your-change", "merchant": "老王面馆", "tier": "1",
    }  # fmt: skip
    return Town(town.programme, town.parts | more)


def _orders(dice: random.Random, name: str, count: int, day: str) -> list[Request]:
    """Orders of a lunch."""
    shops = (*SHOPS, SCRIPT)
    return [
        OrderRequest(
            order_id=f"{name}-{i:06d}",
            paid_at=f"{day} {11 + i % 3}:{i % 60:02d}:00",
            merchant=dice.choice(shops),
            consumer=dice.choice(PEOPLE),
            amount=f"{dice.randrange(1_800, 42_000)}"[:-2] + f".{dice.randrange(100):02d}",
            concession="20%",
            referrer=dice.choice(PEOPLE) if i % 3 == 0 else "",
            recruiter="业务员小周" if i % 4 == 0 else "",
            agent_city="成都" if i % 2 == 0 else "",
        )
        for i in range(count)
    ]


def address(door: Door, town: Town) -> str:
    """A page of this door."""
    path = door.path
    for name, value in (town.parts | {"programme": ELSEWHERE.get(door.path, town.programme)}).items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


def pages(town: Town) -> dict[str, str]:
    """Every page that can be looked at, by its door's address; what else an address has, only its own tests know."""
    found = {door.path: address(door, town) for door in DOORS if door.method == "GET" and door.path not in NO_PAGES}
    return {path: there for path, there in found.items() if "{" not in there}
