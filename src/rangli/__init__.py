"""Rangli 让利: the open engine for consumer-rebate programmes. Start with ``settle``; docs/house.md shows the rooms."""
