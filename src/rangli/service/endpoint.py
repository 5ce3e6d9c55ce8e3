"""One signed message to somebody else's server, and where none is ever sent.

The signature is that of Standard Webhooks (standardwebhooks.com), for which receivers find libraries in every language:
HMAC-SHA256 of ``id.timestamp.body`` under the endpoint's secret.

An address that others may write down is a way into our own network. So the host's name is resolved here, every address it has
must be a public one, and it is that very address which is connected to: a name cannot mean one server when it is looked at and
another when it is used. Private and loopback addresses are for those who say so; the addresses where clouds hand out their
machines' credentials are for nobody.
"""

from __future__ import annotations

import hmac
import re
import socket
import ssl
from base64 import b64decode, b64encode
from contextlib import suppress
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, NamedTuple

import httpx

from rangli.errors import FieldRefused

CONNECT_SECONDS: Final = 5
ANSWER_SECONDS: Final = 10
ANSWER_BYTES_MAX: Final = 1 << 16
"""An answer's body is read so far, and only to use its connection again."""
URL_LETTERS_MAX: Final = 2_000
PORT_MAX: Final = 65_535
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 -- what secrets begin with

_HOST: Final = re.compile(r"[A-Za-z0-9._:-]+")
_PRIVATE: Final = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", "::1/128")))
_NEVER: Final = tuple(map(ip_network, ("192.0.0.0/24", "fd00:ec2::/32", "fd20:ce::/32")))
"""Where clouds hand out credentials, beside the link-local and shared addresses, which are neither public nor private."""
_NAT64: Final = ip_network("64:ff9b::/96")
_UNICAST: Final = ip_network("2000::/3")
"""Of IPv6, all that is given out for public use."""

FAULTS: Final[dict[str, tuple[str, str]]] = {
    "timeout": (
        f"{ANSWER_SECONDS} 秒内没有应答;请先应答 2xx 再处理",
        f"there was no answer within {ANSWER_SECONDS} seconds; answer 2xx first and work afterwards",
    ),
    "name": ("主机名查不到地址;请检查网址", "the host's name has no address; check the URL"),
    "address": (
        "主机在内网或为保留地址;如确需内网地址,请以 rangli serve --webhooks-to-private 启动服务",
        "the host is at a private or reserved address; if a private one is meant, start rangli serve with --webhooks-to-private",
    ),
    "unreachable": (
        "连不上主机;请检查网址、端口和防火墙",
        "the host cannot be connected to; check the URL, its port and firewalls",
    ),
    "tls": ("TLS 证书或握手有误;请检查证书", "the TLS certificate or handshake is faulty; check the certificate"),
    "broken": ("连接中断,或应答不是 HTTP", "the connection broke, or the answer is not HTTP"),
}
"""Why a message was not taken: fault -> (Chinese, English). An answer other than 2xx is ``status <number>``."""


class Message(NamedTuple):
    """What is sent: the same id and body at every attempt."""

    id: str
    body: bytes


def fault_in_words(fault: str) -> tuple[str, str]:
    """A fault in Chinese and English; two empty texts for none."""
    if not fault.startswith("status "):
        return FAULTS[fault] if fault else ("", "")
    status = fault.removeprefix("status ")
    if status.startswith("3"):
        return f"应答 {status};不跟随跳转,请填写最终网址", f"it answered {status}; redirects are not followed, give the final URL"
    return f"应答 {status};须为 2xx", f"it answered {status}; it must be 2xx"


def signature(secret: str, message: Message, timestamp: int) -> str:
    """The header ``webhook-signature``.

    >>> message = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}')
    >>> signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", message, 1614265330)
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    key = b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message.id}.{timestamp}.".encode() + message.body
    return "v1," + b64encode(hmac.digest(key, signed, sha256)).decode()


# ---------------------------------------------------------------- where to


def check_url(url: str, *, private_allowed: bool) -> None:
    """Refuse what no message may be sent to. Raises FieldRefused."""
    if len(url) > URL_LETTERS_MAX or not _is_sendable(url):
        raise FieldRefused(
            "url",
            f"不是可用的网址;正确写法如 https://example.com/rangli,不含用户名和 #,至多 {URL_LETTERS_MAX} 个字符",
            f"is no URL to send to; write it as https://example.com/rangli, no user, no #, up to {URL_LETTERS_MAX} characters",
        )
    with suppress(ValueError):  # a name is looked up when it is used
        if not is_allowed(ip_address(httpx.URL(url).host), private_allowed=private_allowed):
            raise FieldRefused("url", *FAULTS["address"])


def _is_sendable(url: str) -> bool:
    """Whether this is an HTTP address with a host, and nothing that is not sent."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return (
        parsed.scheme in {"http", "https"}
        and _HOST.fullmatch(parsed.raw_host.decode()) is not None
        and (parsed.port is None or 1 <= parsed.port <= PORT_MAX)
        and not parsed.userinfo
        and not parsed.fragment
    )


def is_allowed(address: IPv4Address | IPv6Address, *, private_allowed: bool) -> bool:
    """Whether messages may go to an address."""
    address = _meant(address)
    if any(address in network for network in _NEVER):
        return False
    if any(address in network for network in _PRIVATE):
        return private_allowed
    return address.is_global and not address.is_multicast and (isinstance(address, IPv4Address) or address in _UNICAST)


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or address


class _Unsendable(Exception):
    """There is no address to send to; its text is the fault."""


def _resolved(host: str, *, private_allowed: bool) -> str:
    """The address of a host, all of whose addresses are allowed."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise _Unsendable("name") from fault
    addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not all(is_allowed(address, private_allowed=private_allowed) for address in addresses):
        raise _Unsendable("address")
    return str(addresses[0])


# ---------------------------------------------------------------- sending


def client(context: ssl.SSLContext) -> httpx.Client:
    """A client for the messages to one endpoint: its connections are never used for another that has the same address."""
    timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    return httpx.Client(verify=context, timeout=timeout, trust_env=False, follow_redirects=False)


def post(sender: httpx.Client, url: str, message: Message, headers: dict[str, str], *, private_allowed: bool) -> str:
    """Send a message; the fault, empty when it was taken."""
    target = httpx.URL(url)
    try:
        address = _resolved(target.raw_host.decode(), private_allowed=private_allowed)
        with sender.stream(
            "POST",
            target.copy_with(host=address),
            content=message.body,
            headers={"host": target.netloc.decode(), "user-agent": "rangli", "content-type": "application/json", **headers},
            extensions={"sni_hostname": target.raw_host.decode()},
        ) as answer:
            _read_to_the_end(answer)
            return "" if answer.is_success else f"status {answer.status_code}"
    except _Unsendable as fault:
        return str(fault)
    except httpx.TimeoutException:
        return "timeout"
    except httpx.ConnectError as fault:
        return "tls" if _is_tls(fault) else "unreachable"
    except httpx.HTTPError:
        return "broken"


def _read_to_the_end(answer: httpx.Response) -> None:
    """Take what an answer says, within limits; whatever goes wrong here, the answer has been given."""
    size = 0
    with suppress(httpx.HTTPError):
        for part in answer.iter_raw():
            size += len(part)
            if size > ANSWER_BYTES_MAX:
                break


def _is_tls(fault: BaseException | None) -> bool:
    """Whether a failed connection failed at its encryption."""
    while fault is not None:
        if isinstance(fault, ssl.SSLError):
            return True
        fault = fault.__cause__ or fault.__context__
    return False
