"""States and kinds in words, for every page that shows them: what was decided, what a settler does, what the law says."""

from __future__ import annotations

from typing import Final

from rangli.service.watching.meters import UNMEASURED
from rangli.web.console.words import State

DECISIONS: Final = {
    "order": State("order", "订单", "Order"),
    "refund": State("refund", "退款", "Refund", "wait"),
    "sale": State("sale", "卖出积分", "Sale of points"),
    "injection": State("injection", "注资", "Injection", "good"),
    "closing": State("closing", "关账", "Closing"),
    "activation": State("activation", "启用方案", "Activation of a plan", "good"),
    "cancellation": State("cancellation", "取消冻结的订单", "Cancellation of a held order", "wait"),
    "release": State("release", "释放", "Release", "good"),
}
"""Kind of a decision -> in words."""
SETTLERS: Final = {
    "settling": State("settling", "结算中", "Settling", "good"),
    "warming": State("warming", "预热中", "Warming up", "wait"),
    "standby": State("standby", "备用", "Standing by", "plain"),
    "recovering": State("recovering", "恢复中", "Recovering", "wait"),
    "broken": State("broken", "已停止", "Stopped", "bad"),
}
"""What a programme's settler does -> in words."""
LAWFUL: Final = {
    "ok": State("ok", "通过", "Passed", "good"),
    "sign-off": State("sign-off", "须签字", "Needs a sign-off", "wait"),
    "refuse": State("refuse", "拒绝", "Refused", "bad"),
    UNMEASURED: State(UNMEASURED, "未测量", "Not measured", "plain"),
}
"""What the law's guards say -> in words."""
