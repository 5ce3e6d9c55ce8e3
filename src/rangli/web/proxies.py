"""Behind a proxy: whose request it is that a proxy hands on, and by which way it came there.

    X-Forwarded-For: what a client made up, the client, a proxy ─▶ a proxy ─▶ us
                                            ▲ the last address that is no proxy of ours

Anybody can send these headers. They are believed on connections of the proxies that the operator has named, and only as far as
those have written them: each puts at the end from whom it was asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from rangli.errors import InputRefused

Proxies = tuple[IPv4Network | IPv6Network, ...]
"""The proxies that are believed; one alone is the network of its address."""

HOPS_MAX: Final = 16
"""Proxies that one request may come through; the header may be of any length."""
_ENTRY: Final = re.compile(r"\[([^\[\]]+)\](?::\d{1,5})?|([\d.]+):\d{1,5}|([^\[\]]+)", re.ASCII)
"""An address as proxies write it: as it is, or with a port; an IPv6 address with a port is in brackets."""


def proxies_of(texts: Iterable[str]) -> Proxies:
    """The proxies of these addresses and networks. Raises InputRefused for what is neither, and for everybody's network."""
    return tuple(map(_network_of, texts))


def client_of(peer: str, forwarded_for: str, proxies: Proxies) -> str:
    """Whose request it is that comes by a connection of ``peer``; its own, unless a proxy that is believed hands it on.

    forwarded_for : the header X-Forwarded-For, all of its lines

    It is the peer's too when the header does not say: what is there is no address, or there are more than HOPS_MAX proxies. When
    all of them are proxies, it is the first one's.

    >>> client_of("127.0.0.1", "198.51.100.1, 203.0.113.7", proxies_of(["127.0.0.1"]))
    '203.0.113.7'
    """
    if not is_proxy(peer, proxies):
        return peer
    found = None
    for entry in reversed(forwarded_for.rsplit(",", HOPS_MAX)):
        found = _address_of(entry)
        if found is None:
            return peer
        if not _is_among(found, proxies):
            break
    return str(found)


def is_https(peer: str, forwarded_proto: str, proxies: Proxies) -> bool:
    """Whether a proxy that is believed says that it was asked by https; of several words the last, which is the nearest one's."""
    return is_proxy(peer, proxies) and forwarded_proto.rpartition(",")[2].strip().lower() == "https"


def is_proxy(peer: str, proxies: Proxies) -> bool:
    """Whether this is the address of a proxy that is believed."""
    if not proxies:
        return False
    found = _address_of(peer)
    return found is not None and _is_among(found, proxies)


def _is_among(address: IPv4Address | IPv6Address, proxies: Proxies) -> bool:
    return any(address in network for network in proxies)


def _address_of(text: str) -> IPv4Address | IPv6Address | None:
    """The address, without its port and zone; of an IPv4 address in IPv6's clothes that one. None for what is none."""
    entry = _ENTRY.fullmatch(text.strip())
    try:
        found = ip_address(entry[1] or entry[2] or entry[3]) if entry else None
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        return found.ipv4_mapped or IPv6Address(int(found))
    return found


def _network_of(text: str) -> IPv4Network | IPv6Network:
    """What an operator names as a proxy. Raises InputRefused."""
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        raise InputRefused(
            f"--proxy {text[:60]!r} 不是 IP 地址或网段;请写反向代理的地址,如 127.0.0.1,或网段,如 10.0.0.0/8",
            f"--proxy {text[:60]!r} is no IP address or network; write the proxy's as 127.0.0.1, or 10.0.0.0/8",
        ) from None
    alone, _, bits = text.strip().partition("/")
    if bits and ip_address(alone) != network.network_address:
        raise InputRefused(
            f"--proxy {text[:60]!r} 是网段中的一个地址;这一个地址请写 {alone},整个网段请写 {network}",
            f"--proxy {text[:60]!r} is an address inside a network; write {alone} for the one, or {network} for all of it",
        )
    if not network.prefixlen:
        raise InputRefused(
            f"--proxy {text[:60]!r} 是所有人的地址,谁都可以冒充别人;请只写反向代理的地址",
            f"--proxy {text[:60]!r} is everybody's address, and anybody could pass for anybody; write that of the proxy only",
        )
    return network
