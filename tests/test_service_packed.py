"""Order requests as bytes: what kernels find and write is what Python would, for any texts."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rangli.errors import FieldRefused
from rangli.files.orders import NAMES
from rangli.plan import check as check_plan
from rangli.plan import compile_plan, preset_text
from rangli.service.requests import OrderRequest
from rangli.service.settling import names as names_module
from rangli.service.settling.names import NONE, Names, same_name
from rangli.service.settling.orders import check
from rangli.service.settling.packed import TEXTS, Facts, digests_of, packed
from rangli.settle import Programme
from rangli.store import rows

LENGTHS = (0, 1, 31, 32, 255, 256, 65_535, 65_536)
"""Either side of every form in which MessagePack writes a text."""
texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.sampled_from(["", "店", "merchant:店", "x:y"])
)
requests = st.lists(st.builds(OrderRequest, *[texts] * len(TEXTS)), max_size=20)
numbers = st.one_of(st.integers(0, 2**62), st.sampled_from([0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32]))


@given(requests)
def test_every_text_is_found_where_it_stands(some: list[OrderRequest]) -> None:
    """A place that is one byte off would settle another order than the one that was asked for."""
    found = packed(some)

    assert found is not None
    for f, field in enumerate(TEXTS):
        for i, request in enumerate(some):
            assert getattr(request, field).encode() == found.data[found.begin[f, i] : found.stop[f, i]].tobytes()


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("count", [1, 15, 16, 70_000])
def test_texts_of_any_length_and_batches_of_any_size_are_found(length: int, count: int) -> None:
    """MessagePack writes lengths in one, two, three or five bytes."""
    some = [OrderRequest("a", "b", "店" * length, "c", "d", "e")] + [OrderRequest("z", "", "", "", "", "")] * (
        count - 1 if length < 2 else 0
    )
    found = packed(some)

    assert found is not None
    ends, data = found.column("merchant")
    assert ("店" * length, 3 * length) == (data.tobytes().decode(), int(ends[-1]))
    assert ("a" + "z" * (len(some) - 1)).encode() == found.column("order_id")[1].tobytes()


@pytest.mark.parametrize("value", [5, 1.5, None, b"x", ["x"], {"x": 1}, True, object(), "\ud800"])
def test_a_field_that_is_no_text_is_refused_and_the_rest_of_the_batch_is_read(value: object) -> None:
    """Whoever calls from Python may hand over anything; nothing of it may be read as a text's length."""
    good = OrderRequest("a", "2026-01-05", "店", "客", "5", "20%")
    checked = check([good, msgspec.structs.replace(good, order_id=value), good], (0, 10**6))

    assert [1] == list(checked.refusals)
    assert isinstance(checked.refusals[1], FieldRefused)
    assert "order_id" == checked.refusals[1].field
    assert [500, 0, 500] == checked.facts[:, 1].tolist()


@given(st.lists(st.tuples(texts, st.lists(numbers, min_size=6, max_size=6), st.lists(texts, min_size=9, max_size=9)), max_size=9))
def test_digests_are_those_of_the_facts_in_message_pack(some: list[tuple[str, list[int], list[str]]]) -> None:
    """They stay in the journal for ever, so they must be what the document says: a SHA-256 that any library can compute."""
    data, key, name = b"", [], []
    for text, _, parties in some:
        key.append((len(data), len(data) + len(text.encode())))
        data += text.encode()
        name.append([])
        for party in parties:
            name[-1].append((len(data), len(data) + len(party.encode())))
            data += party.encode()
    keys = np.array(key, np.int64).reshape(-1, 2)
    places = np.array(name, np.int64).reshape(-1, len(NAMES), 2).transpose(2, 1, 0).copy()
    held = np.frombuffer(data, np.uint8)
    facts = np.array([facts for _, facts, _ in some], np.int64).reshape(-1, 6)
    made = digests_of(Facts(held, (keys[:, 0].copy(), keys[:, 1].copy()), facts, held, (places[0], places[1])))

    expected = [
        hashlib.sha256(msgspec.msgpack.encode((rows.ORDER, text, fact[5], *fact[1:4], *parties))).digest()
        for text, fact, parties in some
    ]
    assert expected == [bytes(row) for row in made]


@given(requests)
def test_an_order_has_the_digest_of_its_names_without_needless_kinds(some: list[OrderRequest]) -> None:
    """``agent:x`` and ``x`` name one party in an agent's column, so both ask for the same."""
    for i, fact in enumerate((checked := check(some, (0, 10**6))).facts.tolist()):
        request = checked.requests[i]
        names = [getattr(request, name) if k < 2 else same_name(name, getattr(request, name)) for k, name in enumerate(NAMES)]
        asked = (rows.ORDER, request.order_id, fact[5], *fact[1:4], *names)

        assert hashlib.sha256(msgspec.msgpack.encode(asked)).digest() == checked.digest(i)


@pytest.mark.parametrize("one_key", [False, True])
@given(data=st.data())
def test_names_get_the_numbers_that_a_dictionary_would_give(*, one_key: bool, data: st.DataObject) -> None:
    """New ones row by row, none for a refused row; with one text in many columns, and while the table grows."""
    plan, _ = check_plan(preset_text("weituanbao"))
    assert plan is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names_module, "_SLOTS_MIN", 4)
        patch.setattr(names_module, "_BYTES_MIN", 8)
        names = Names(Programme(compile_plan(plan), bytes(32)))
    if one_key:
        names._sip = np.zeros_like(names._sip)
    twin = Programme(compile_plan(plan), bytes(32))
    for batch in data.draw(st.lists(requests, min_size=1, max_size=3)):
        found = packed(batch)
        assert found is not None
        some = np.array([i for i in range(len(batch)) if data.draw(st.booleans())], np.int64)
        party, refusals = names.party(found, some)

        expected = []
        for i in some.tolist():
            if names.fault(batch[i]) is not None:
                expected.append([NONE] * len(NAMES))
                continue
            row = [getattr(batch[i], field) for field in NAMES]
            expected.append([twin.holder(*_whom(field, name)) if name else NONE for field, name in zip(NAMES, row, strict=True)])
        assert expected == party.tolist()
        assert {k for k, i in enumerate(some.tolist()) if names.fault(batch[i]) is not None} == set(refusals)
    assert twin.accounts.holders == names.programme.accounts.holders


def _whom(field: str, name: str) -> tuple[int, str]:
    from rangli.files.settling import MEANING_OF_COLUMN, kind_and_name

    return kind_and_name(MEANING_OF_COLUMN[field], name)
