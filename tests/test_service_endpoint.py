"""One message to somebody else's server: signed, bounded in time, and to nobody who should not be asked."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address
from typing import Any

import pytest
from receivers import Receiver, loopback

from rangli.service import endpoint


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody to tell."""
    with loopback(), closing(Receiver()) as receiver:
        yield receiver


ADDRESSES = """
# address             public  with private ones allowed
  8.8.8.8             yes     yes
  2606:4700::1111     yes     yes
  10.1.2.3            no      yes
  172.31.255.255      no      yes
  192.168.0.1         no      yes
  127.0.0.1           no      yes
  ::1                 no      yes
  fd00::1             no      yes
  ::ffff:127.0.0.1    no      yes
  2002:7f00:1::       no      yes
  0.0.0.0             no      no
  ::                  no      no
  169.254.169.254     no      no
  ::ffff:a9fe:a9fe    no      no
  64:ff9b::a9fe:a9fe  no      no
  64:ff9b::808:808    yes     yes
  100.100.100.200     no      no
  192.0.0.192         no      no
  fd00:ec2::254       no      no
  fe80::1             no      no
  224.0.0.1           no      no
  ff02::1             no      no
  255.255.255.255     no      no
  198.51.100.1        no      no
  ::127.0.0.1         no      no
"""


@pytest.mark.parametrize("line", [line for line in ADDRESSES.splitlines()[2:] if line])
def test_only_public_addresses_are_sent_to_unless_private_ones_are_allowed(line: str) -> None:
    """Whoever may add a webhook must not thereby ask our own network, and never the address of a cloud's credentials."""
    text, *expected = line.split()
    address = ip_address(text)

    assert expected == ["yes" if endpoint.is_allowed(address, private_allowed=allowed) else "no" for allowed in (False, True)]


def names(monkeypatch: pytest.MonkeyPatch, **addresses: list[str]) -> None:
    """Let names have these addresses."""
    given = socket.getaddrinfo

    def getaddrinfo(host: str, port: int | None, *rest: int, **named: int) -> list[tuple[Any, ...]]:
        if host == "127.0.0.1":
            return list(given(host, port, *rest, **named))
        if host not in addresses:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses[host]]

    monkeypatch.setattr(endpoint.socket, "getaddrinfo", getaddrinfo)


def fault_of(receiver: Receiver, host: str, *, private_allowed: bool) -> str:
    """What becomes of a message to a host of this name."""
    message = endpoint.Message("msg_1", b"{}")
    with endpoint.client(endpoint.ssl.create_default_context()) as sender:
        return endpoint.post(sender, receiver.url(host=host), message, {}, private_allowed=private_allowed)


def test_a_name_is_judged_by_its_addresses_when_it_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name may point into our network tomorrow, or point there with one address of two."""
    names(monkeypatch, inside=["127.0.0.1"], both=["8.8.8.8", "127.0.0.1"], metadata=["169.254.169.254"])

    assert "address" == fault_of(receiver, "inside", private_allowed=False)
    assert "address" == fault_of(receiver, "both", private_allowed=False)
    assert "address" == fault_of(receiver, "metadata", private_allowed=True)
    assert "name" == fault_of(receiver, "nowhere", private_allowed=True)
    assert not receiver.requests


def test_the_address_that_was_judged_is_the_one_connected_to(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the name were looked up again, its owner could answer differently the second time. The receiver still sees its name."""
    names(monkeypatch, receiver=["127.0.0.1"])

    assert "" == fault_of(receiver, "receiver", private_allowed=True)
    assert [f"receiver:{receiver.port}"] == [request.headers["host"] for request in receiver.requests]


def test_each_way_a_connection_fails_has_a_name(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """That it does not work is no reason to show beside a paused endpoint."""
    monkeypatch.setattr(endpoint, "ANSWER_SECONDS", timedelta_seconds(50))
    message = endpoint.Message("msg_1", b"{}")

    def fault(url: str) -> str:
        with endpoint.client(endpoint.ssl.create_default_context()) as sender:
            return endpoint.post(sender, url, message, {}, private_allowed=True)

    assert "tls" == fault(receiver.url().replace("http:", "https:"))
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        assert "timeout" == fault(f"http://127.0.0.1:{silent.getsockname()[1]}/")
    assert "unreachable" == fault("http://127.0.0.1:1/")


def timedelta_seconds(milliseconds: int) -> float:
    """Milliseconds as the seconds that sockets want."""
    return milliseconds / 1_000


def test_every_fault_is_told_in_both_languages() -> None:
    """A text that is missing would be a failure while a failure is shown."""
    for fault in ["", *endpoint.FAULTS, "status 301", "status 404"]:
        zh, en = endpoint.fault_in_words(fault)

        assert bool(fault) == bool(zh) == bool(en)
        assert zh != en or not fault
