"""A town with something on every page of the console, and the addresses of all of them."""

from __future__ import annotations

import random
from typing import NamedTuple
from urllib.parse import quote

from console_worlds import SCRIPT

from rangli.service import Service
from rangli.service.requests import InjectionRequest, OrderRequest, RefundRequest, Request
from rangli.service.staff import Member
from rangli.web.console.door import Door
from rangli.web.console.house import DOORS

TOWN, POOL, STREET = "老城美食", "江边商圈", "积分街"
SHOPS = ("老王面馆", "小李火锅", "东门烧烤", "阿婆豆花", "江南春茶馆", "好再来小吃", "一品鲜汤", "南门理发")
PEOPLE = tuple(f"{family}{name}" for family in "赵钱孙李周吴郑王" for name in ("敏", "静", "强", "磊", "洋"))
ELSEWHERE = {"/p/{programme}/pool": POOL, "/p/{programme}/vouchers": STREET}
"""Pages of another kind of plan."""
STREAMS = frozenset({"/p/{programme}/live"})
"""What never ends."""


class Town(NamedTuple):
    """What addresses need."""

    programme: str
    order: str
    held: str


def build(service: Service, orders: int = 240, *, day: str = "2026-01-05") -> Town:
    """Two programmes with orders, refunds and funds."""
    dice = random.Random(20260105)
    for name, plan in ((TOWN, "weituanbao"), (POOL, "zengzhi"), (STREET, "moudian")):
        service.create(name, plan, hold_seconds=0)
        service.running(name).do(_orders(dice, name, orders, day))
    refund: list[Request] = [RefundRequest(refund_id="R1", order_id=f"{TOWN}-000005", amount="12.50")]
    service.running(TOWN).do(refund)
    service.running(POOL).do([InjectionRequest(injection_id="J1", amount="5000.00")])
    return Town(TOWN, f"{TOWN}-000005", f"{TOWN}-000006")


def begin_draft(service: Service, member: Member) -> None:
    """The town's first draft: a concession of at most a quarter."""
    document = service.running(TOWN).plans()[-1].document
    service.drafts.begin(member, TOWN, document.replace("max: 30%", "max: 25%"), "让利不超过四分之一")


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
    account = f"consumer:{PEOPLE[3]}:wallet"
    parts = {
        "programme": ELSEWHERE.get(door.path, town.programme),
        "order_id": town.order,
        "account": account,
        "position": "3",
        "number": "1",
    }
    path = door.path
    for name, value in parts.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


def pages(town: Town) -> dict[str, str]:
    """Every page that can be looked at, by its door's address; what else an address has, only its own tests know."""
    found = {door.path: address(door, town) for door in DOORS if door.method == "GET" and door.path not in STREAMS}
    return {path: there for path, there in found.items() if "{" not in there}
