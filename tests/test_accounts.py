"""Accounts: a path and a number for every pocket of everybody, whatever people are called."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ledger_worlds import HOSTILE_NAMES, names

from rangli.errors import NameRefused
from rangli.ledger import Accounts, Holder, decode_name, encode_name
from rangli.ledger.accounts import (
    AGENT,
    BORNE,
    CONSUMER,
    FIRST_FUND,
    HOLDERS_MAX,
    INSTITUTION,
    INSTITUTIONS,
    KIND_NAMES,
    MERCHANT,
    NAME_BYTES_MAX,
    POCKET_NAMES,
    POCKETS,
    WALLET,
)

PEOPLE = [CONSUMER, MERCHANT, AGENT]

TABLE = """
# name          encoded            What happens to it.
kfc             kfc                letters stay
KFC             KFC                so does their case
老王面馆        老王面馆           in any script
老王·面馆       老王·面馆          and most marks
a:b             a%3Ab              a path splits at its colons
a%b             a%25b              a percent sign starts an escape
a%3Ab           a%253Ab            and an escape is no exception
%               %25
🧧              🧧
"""


@pytest.mark.parametrize(("name", "encoded"), [line.split()[:2] for line in TABLE.splitlines()[2:]])
def test_a_name_is_encoded_as_the_table_says(name: str, encoded: str) -> None:
    """People read paths: a name changes only where a path would break."""
    assert encoded == encode_name(name)


@given(names)
def test_a_name_comes_back_from_its_encoding(name: str) -> None:
    """Somebody whose name does not come back is paid under another name."""
    assert name == decode_name(encode_name(name))


CONTROL = re.compile(r"[:\x00-\x1f\x7f-\x9f]")


def test_every_character_comes_back_from_its_encoding_and_leaves_the_path_whole() -> None:
    """Escapes go wrong at single characters, so all of them are tried: every code point of Unicode but the surrogates."""
    letters = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]

    assert [] == [letter for letter in letters if decode_name(encode_name(letter)) != letter]
    assert [] == [letter for letter in letters if CONTROL.search(encode_name(letter))]


@given(names)
def test_an_encoded_name_has_no_colon_and_no_control_character(name: str) -> None:
    """A colon would split the path, and a control character the line that it is printed on."""
    assert CONTROL.search(encode_name(name)) is None


@given(st.lists(names, unique=True, min_size=2, max_size=5))
def test_two_names_are_never_encoded_alike(different: list[str]) -> None:
    """Two people with one path would share one balance."""
    assert len(different) == len({encode_name(name) for name in different})


def test_a_name_has_one_to_200_bytes() -> None:
    """The limit is in bytes, because files and databases count bytes."""
    assert "x" * NAME_BYTES_MAX == encode_name("x" * NAME_BYTES_MAX)
    assert "王" * 66 == encode_name("王" * 66)


@pytest.mark.parametrize("name", ["", "x" * (NAME_BYTES_MAX + 1), "王" * 67, "é" * 101])
def test_an_empty_or_overlong_name_is_refused_in_both_languages(name: str) -> None:
    """Whoever sent the name must learn what would be right, in a language of theirs."""
    with pytest.raises(NameRefused) as refused:
        encode_name(name)

    assert "200 bytes" in refused.value.en
    assert "200 字节" in refused.value.zh
    assert "name_refused" == refused.value.code


# ---------------------------------------------------------------- paths and numbers


@given(st.sampled_from(PEOPLE), names, st.integers(0, len(POCKET_NAMES) - 1))
@example(CONSUMER, "merchant:kfc:wallet", WALLET)
def test_a_path_splits_at_its_colons_into_kind_name_and_pocket(kind: int, name: str, pocket: int) -> None:
    """Anyone can take a path apart without our code."""
    accounts = Accounts()
    path = accounts.path(accounts.number(kind, name) * POCKETS + pocket)

    assert [KIND_NAMES[kind], encode_name(name), POCKET_NAMES[pocket]] == path.split(":")


@given(
    st.lists(st.tuples(st.sampled_from(PEOPLE), names), max_size=8),
    st.lists(names, max_size=3, unique=True),
    st.lists(names, max_size=3),
)
def test_a_path_leads_to_its_account_and_back(people: list[tuple[int, str]], funds: list[str], pots: list[str]) -> None:
    """Files hold paths and kernels hold numbers; a detour through the other may not change whose money it is."""
    accounts = Accounts(funds)
    for kind, name in people:
        accounts.number(kind, name)
    for tier, merchant in enumerate(pots, 1):
        accounts.packets_pot(merchant, tier)
    numbers = [
        number * POCKETS + pocket
        for number, holder in enumerate(accounts.holders)
        for pocket in range(1 if holder.kind == INSTITUTION else len(POCKET_NAMES))
    ]
    paths = accounts.paths(numbers)

    assert numbers == [accounts.account(path) for path in paths]
    assert len(numbers) == len(set(paths)), "no two accounts share a path"


def test_hostile_names_of_every_kind_have_paths_of_their_own() -> None:
    """The names that differ only in case, marks or composition are the ones that get mixed up."""
    accounts = Accounts(HOSTILE_NAMES)
    for name in HOSTILE_NAMES:
        for kind in PEOPLE:
            accounts.number(kind, name)
        accounts.packets_pot(name, 1)
        accounts.packets_pot(name, 11)
    prefixes = [holder.prefix() for holder in accounts.holders]

    assert len(INSTITUTIONS) + len(HOSTILE_NAMES) * 6 == len(set(prefixes)) == len(accounts)


def test_a_pot_belongs_to_one_merchant_and_one_tier() -> None:
    """A merchant named "kfc:1" must not reach into tier 1 of "kfc"."""
    accounts = Accounts()
    pots = [accounts.packets_pot("kfc", 1), accounts.packets_pot("kfc", 11), accounts.packets_pot("kfc:1", 1)]

    assert 3 == len(set(pots))
    assert ["programme:packets:kfc:1", "programme:packets:kfc:11", "programme:packets:kfc%3A1:1"] == accounts.paths(
        pot * POCKETS for pot in pots
    )
    assert pots[0] == accounts.packets_pot("kfc", 1)


@given(st.lists(st.tuples(st.sampled_from(PEOPLE), names), max_size=12))
def test_numbers_are_given_in_order_of_first_appearance_and_never_change(people: list[tuple[int, str]]) -> None:
    """Transfers store numbers; a number that moved would move the money with it."""
    accounts = Accounts()
    given_numbers = [accounts.number(kind, name) for kind, name in people]
    first_seen = list(dict.fromkeys(people))

    assert [FIRST_FUND + first_seen.index(person) for person in people] == given_numbers
    assert given_numbers == [accounts.find(kind, name) for kind, name in people]
    assert FIRST_FUND + len(first_seen) == len(accounts)


def test_the_institutions_have_the_numbers_that_kernels_know() -> None:
    """Kernels address the platform and the pots by constants, and the plan's funds right after them, in order."""
    accounts = Accounts(["charity", "winter: coats"])
    funds = ["programme:fund:charity", "programme:fund:winter%3A coats"]

    assert [Holder(INSTITUTION, path) for path in [*INSTITUTIONS, *funds]] == accounts.holders
    assert [*INSTITUTIONS, *funds] == accounts.paths(number * POCKETS for number in range(len(accounts)))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "consumer",
        "consumer:eva",
        "consumer:bob:wallet",
        "consumer:eva:purse",
        "consumer:eva:wallet:2",
        "customer:eva:wallet",
        "Consumer:eva:wallet",
        "consumer:Eva:wallet",
        "consumer::wallet",
        "merchant:eva:wallet",
        "platform",
        "platform:surplus:wallet",
        "programme:fund:none",
    ],
)
def test_a_path_that_belongs_to_nobody_has_no_account(path: str) -> None:
    """A slip in a path must not find somebody else's account."""
    accounts = Accounts()
    accounts.number(CONSUMER, "eva")

    assert accounts.account("consumer:eva:wallet") >= 0
    assert accounts.account(path) == -1


def test_looking_somebody_up_registers_nobody() -> None:
    """Reading must not write: a lookup of a stranger would otherwise change the numbers of those who come after."""
    accounts = Accounts()

    assert accounts.find(CONSUMER, "eva") == -1
    assert accounts.account("consumer:eva:wallet") == -1
    assert FIRST_FUND == len(accounts)


def test_the_last_pocket_of_the_last_holder_fits_in_int32() -> None:
    """Transfers store accounts as int32."""
    assert 2**31 == HOLDERS_MAX * POCKETS
    assert BORNE < POCKETS
