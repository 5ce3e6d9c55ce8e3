"""The least program that settles an order through the Python API: ``python -m bench.first_order``."""

from __future__ import annotations

import numpy as np

from rangli.ledger.accounts import CONSUMER, MERCHANT
from rangli.plan import load
from rangli.plan.terms import ORDER_PARTIES
from rangli.settle import Orders, Programme


def main() -> None:
    """Settle one order of 100 yuan at 20 %, and print its transfers."""
    programme = Programme(load("weituanbao"), bytes(32))
    party = np.full((1, ORDER_PARTIES), -1, np.int32)
    party[0, :2] = programme.holder(CONSUMER, "张三"), programme.holder(MERCHANT, "面馆")
    paid, concession, voucher, day, key = (np.array([n], np.int64) for n in (10_000, 2_000, 0, 20_454, 1))
    orders = Orders(paid, concession, voucher, day, key, party)
    for chunk in programme.run(orders, np.zeros(1, np.uint8)):
        for line in zip(*chunk.transfers, strict=True):
            print(*line)


if __name__ == "__main__":
    main()
