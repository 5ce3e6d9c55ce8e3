"""The parts of a scenario: what its document says, typed. Rates are basis points, amounts fen, times months of 30 days."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from rangli.plan.parts import Words


class MeantFor(msgspec.Struct, frozen=True):
    """The plan that a scenario was written for; it runs under any."""

    name: str
    changes: tuple[str, ...]


class Earlier(msgspec.Struct, frozen=True):
    """Equal orders, each of another consumer, that were settled before the first month."""

    count: int
    amount_fen: int
    concession_bp: int


class Start(msgspec.Struct, frozen=True):
    """How things stand when the first month begins."""

    shops: int
    consumers: int
    locked: int | None
    """So many of them are bound to their shop, each of the others to one of these in turn; None: as those who come later."""
    recruited: int | None
    """So many of the shops have a recruiter; None: by the share of ``Shops``."""
    pool_fen: int
    orders: Earlier | None


class Places(msgspec.Struct, frozen=True):
    """How many provinces, cities in each, and districts in each city; shops stand in the districts in turn."""

    provinces: int
    cities: int
    districts: int


class Given(msgspec.Struct, frozen=True):
    """A concession, and the share of the shops that give it."""

    rate_bp: int
    share_bp: int


class Ticket(msgspec.Struct, frozen=True):
    """Log-normal amounts, and the share of the shops that have them."""

    share_bp: int
    median_fen: int
    sigma_bp: int
    fen_min: int
    fen_max: int


class Listed(msgspec.Struct, frozen=True):
    """Amounts of a list, each as likely as the others, and the share of the shops that have them."""

    share_bp: int
    amounts_fen: tuple[int, ...]


class Shops(msgspec.Struct, frozen=True):
    """Who sells."""

    new: int
    """Newcomers of the first month."""
    growth_bp: int
    concessions: tuple[Given, ...]
    outside: str
    """``nearest`` or ``refused``: what becomes of a concession that the plan does not take."""
    tickets: tuple[Ticket | Listed, ...]
    lean: int
    recruited_bp: int
    recruiters: int


class Consumers(msgspec.Struct, frozen=True):
    """Who buys."""

    new: int
    """Newcomers of the first month."""
    growth_bp: int
    stop: int | None
    """From this month on nobody new comes."""
    visits_bp: int
    """A month, in hundredths of a percent of one visit."""
    churn_bp: int
    comeback_bp: int
    loyalty_bp: int
    locked_bp: int
    invited_bp: int
    rhythm: tuple[int, ...]
    """Weights of Monday to Sunday."""


class Sales(msgspec.Struct, frozen=True):
    """Holders who sell all their points at a month's end."""

    share_bp: int
    start: int


class Refunds(msgspec.Struct, frozen=True):
    """Orders that are refunded whole."""

    share_bp: int
    delay_days: int


class Wash(msgspec.Struct, frozen=True):
    """A merchant who is consumer, referrer, recruiter and agent as well, and trades with himself."""

    orders: int
    """A month."""
    amount_fen: int


class Farming(msgspec.Struct, frozen=True):
    """Accounts that pay tiny orders to catch what larger ones give."""

    accounts: int
    orders: int
    """Of each, a month."""
    amount_fen: int


class Behaviour(msgspec.Struct, frozen=True):
    """What people do."""

    sell: Sales | None
    refunds: Refunds | None
    small_accounts_bp: int
    wash: Wash | None
    farming: Farming | None
    vouchers_bp: int


class Injection(msgspec.Struct, frozen=True):
    """Funds put into the pool at the beginning of a month."""

    month: int
    amount_fen: int


class Run(msgspec.Struct, frozen=True):
    """A run on the points: this share of the holders sells all at once at the end of a month."""

    month: int
    share_bp: int


class Costs(msgspec.Struct, frozen=True):
    """What the platform pays to others."""

    channel_fee_bp: int
    fee_of: str
    """``amount`` (all cash that passes the channel) or ``concession``."""
    tax: str
    """``incidental`` (a packet is incidental income; the platform bears the tax) or ``discount`` (it is a discount; no tax)."""


class Scenario(msgspec.Struct, frozen=True):
    """A whole scenario, as its document says it."""

    name: str
    title: Words
    about: Words | None
    plan: MeantFor | None
    months: int
    horizon: int
    start: Start
    places: Places
    agents: tuple[str, ...]
    shops: Shops
    consumers: Consumers
    behaviour: Behaviour
    injections: tuple[Injection, ...]
    run: Run | None
    costs: Costs

    def hash(self) -> str:
        """SHA-256 of the scenario's meaning, in hex; its title, its text and the plan it was written for do not matter."""
        meaning = {
            key: value for key, value in msgspec.to_builtins(self).items() if key not in {"name", "title", "about", "plan"}
        }
        return sha256(msgspec.json.encode(meaning, order="sorted")).hexdigest()
