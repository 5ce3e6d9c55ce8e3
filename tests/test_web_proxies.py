"""Behind a proxy: whose request it is, whatever anybody writes into a header."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli_runs import run
from hypothesis import given
from hypothesis import strategies as st

from rangli.errors import InputRefused
from rangli.web.asked import Asked
from rangli.web.proxies import HOPS_MAX, client_of, is_https, proxies_of

TABLE = """
# proxies               | the connection is | X-Forwarded-For                              | the request is

# Nobody is trusted unless he is named; who is not a proxy says nothing about others.
                        | 203.0.113.7       | 198.51.100.1                                 | 203.0.113.7
                        | 127.0.0.1         | 198.51.100.1                                 | 127.0.0.1
127.0.0.1               | 203.0.113.7       | 198.51.100.1                                 | 203.0.113.7
127.0.0.1               | 127.0.0.2         | 198.51.100.1                                 | 127.0.0.2
127.0.0.0/8             | 127.0.0.2         | 198.51.100.1                                 | 198.51.100.1

# One proxy: what it wrote stands last; what stands before it the client may have made up.
127.0.0.1               | 127.0.0.1         | 203.0.113.7                                  | 203.0.113.7
127.0.0.1               | 127.0.0.1         | 198.51.100.1, 203.0.113.7                    | 203.0.113.7
127.0.0.1               | 127.0.0.1         | 198.51.100.1,203.0.113.7                     | 203.0.113.7
127.0.0.1               | 127.0.0.1         | 127.0.0.1, 203.0.113.7                       | 203.0.113.7
127.0.0.1               | 127.0.0.1         | <script>, 203.0.113.7                        | 203.0.113.7
127.0.0.1               | 127.0.0.1         | , , 203.0.113.7                              | 203.0.113.7

# Several, one behind the other; a proxy that is not named is as good as a client.
127.0.0.1 10.0.0.0/8    | 127.0.0.1         | 198.51.100.1, 203.0.113.7, 10.1.2.3          | 203.0.113.7
127.0.0.1 10.0.0.0/8    | 10.9.9.9          | 203.0.113.7, 10.1.2.3, 127.0.0.1, 10.0.0.1   | 203.0.113.7
127.0.0.1               | 127.0.0.1         | 203.0.113.7, 10.1.2.3                        | 10.1.2.3
127.0.0.1 10.0.0.0/8    | 127.0.0.1         | 10.0.0.2, 10.0.0.1                           | 10.0.0.2
127.0.0.1               | 127.0.0.1         | 127.0.0.1                                    | 127.0.0.1

# IPv6, ports, zones, and IPv4 in IPv6's clothes.
::1                     | ::1               | 2001:db8::7                                  | 2001:db8::7
::1                     | ::1               | 2001:0DB8:0:0::7                             | 2001:db8::7
::1                     | ::1               | [2001:db8::7]                                | 2001:db8::7
::1                     | ::1               | [2001:db8::7]:51234                          | 2001:db8::7
2001:db8:1::/48         | 2001:db8:1::5     | 198.51.100.1, 2001:db8:2::7, 2001:db8:1::6   | 2001:db8:2::7
127.0.0.1               | 127.0.0.1         | 203.0.113.7:51234                            | 203.0.113.7
127.0.0.1               | ::ffff:127.0.0.1  | ::ffff:203.0.113.7                           | 203.0.113.7
127.0.0.1               | 127.0.0.1         | [::ffff:203.0.113.7]:80                      | 203.0.113.7
fe80::/10               | fe80::1%eth0      | fe80::2%eth0, 203.0.113.7                    | 203.0.113.7
::1                     | ::1               | fe80::7%eth0                                 | fe80::7

# What the proxy says is no address, or it says nothing: its own, and never one that stands further left.
127.0.0.1               | 127.0.0.1         |                                              | 127.0.0.1
127.0.0.1               | 127.0.0.1         | unknown                                      | 127.0.0.1
127.0.0.1               | 127.0.0.1         | 203.0.113.7, unknown                         | 127.0.0.1
127.0.0.1               | 127.0.0.1         | 203.0.113.7,                                 | 127.0.0.1
127.0.0.1 10.0.0.0/8    | 127.0.0.1         | 203.0.113.7, _hidden, 10.0.0.1               | 127.0.0.1
127.0.0.1               | 127.0.0.1         | 203.0.113.007                                | 127.0.0.1
127.0.0.1               | 127.0.0.1         | 203.0.113.7:port                             | 127.0.0.1
127.0.0.1               | 127.0.0.1         | 203.0.113.7 198.51.100.1                     | 127.0.0.1
127.0.0.1               | 127.0.0.1         | 203.0.113.0/24                               | 127.0.0.1
127.0.0.1               | 127.0.0.1         | [2001:db8::7                                 | 127.0.0.1
127.0.0.1               | 127.0.0.1         | "[2001:db8::7]"                              | 127.0.0.1
127.0.0.1               | 127.0.0.1         | ['203.0.113.7']                              | 127.0.0.1
127.0.0.1               | 127.0.0.1         | ２０３.0.113.7                               | 127.0.0.1

# No address at the other end, as of a socket in a folder: nobody can have named it.
127.0.0.1               |                   | 203.0.113.7                                  |
127.0.0.1               | testclient        | 203.0.113.7                                  | testclient
"""
ROWS = [tuple(part.strip() for part in row.split("|")) for row in TABLE.splitlines() if row and not row.startswith("#")]


@pytest.mark.parametrize(("proxies", "peer", "forwarded", "client"), ROWS)
def test_a_request_is_whose_the_proxies_that_are_named_say(proxies: str, peer: str, forwarded: str, client: str) -> None:
    """The audit log and the limit on guessing hold an address against somebody; it must not be one that he has chosen."""
    assert client == client_of(peer, forwarded, proxies_of(proxies.split()))


@given(st.text(max_size=60), st.sampled_from(["203.0.113.7", "2001:db8::7"]))
def test_whatever_a_client_sends_its_proxy_has_the_last_word(made_up: str, client: str) -> None:
    """Else who guesses passwords is somebody else each time, and never waits."""
    assert client == client_of("127.0.0.1", f"{made_up}, {client}", proxies_of(["127.0.0.1"]))


def test_a_header_of_any_length_is_read_from_its_end() -> None:
    """A thousand proxies are none of ours; and who sends a megabyte must not make us read it."""
    proxies = proxies_of(["127.0.0.1", "10.0.0.0/8"])
    behind = ", ".join(["10.0.0.1"] * (HOPS_MAX - 1))

    assert "203.0.113.7" == client_of("127.0.0.1", "198.51.100.1, " * 100_000 + "203.0.113.7", proxies)
    assert "203.0.113.7" == client_of("127.0.0.1", f"198.51.100.1, 203.0.113.7, {behind}", proxies)
    assert "127.0.0.1" == client_of("127.0.0.1", f"203.0.113.7, {behind}, 10.0.0.1, 10.0.0.1", proxies)
    assert "127.0.0.1" == client_of("127.0.0.1", "10.0.0.1, " * 5_000 + "10.0.0.1", proxies)


@pytest.mark.parametrize(
    ("peer", "said", "expected"),
    [
        ("127.0.0.1", "https", True),
        ("127.0.0.1", " HTTPS ", True),
        ("127.0.0.1", "http, https", True),
        ("127.0.0.1", "https, http", False),
        ("127.0.0.1", "http", False),
        ("127.0.0.1", "https on", False),
        ("127.0.0.1", "", False),
        ("203.0.113.7", "https", False),
        ("", "https", False),
    ],
)
def test_only_a_proxy_that_is_named_says_that_it_was_https(peer: str, said: str, expected: bool) -> None:  # noqa: FBT001
    """A cookie that is called secure without being it keeps its owner out; so nobody else may say so."""
    assert expected == is_https(peer, said, proxies_of(["127.0.0.1"]))
    assert not is_https(peer, said, ())


def asked(client: tuple[str, int] | None, *headers: tuple[bytes, bytes], scheme: str = "http") -> Asked:
    """A request as the server hands it on, behind a proxy at 127.0.0.1."""

    async def receive() -> dict[str, object]:
        raise AssertionError

    return Asked({"client": client, "scheme": scheme, "headers": list(headers)}, receive, proxies_of(["127.0.0.1"]))


def test_a_header_in_several_lines_is_one() -> None:
    """Some proxies write a line of their own under the one that the client has sent, and only the last of them is true."""
    lines = ((b"x-forwarded-for", b"198.51.100.1"), (b"host", b"a"), (b"x-forwarded-for", b"203.0.113.7"))
    schemes = ((b"x-forwarded-proto", b"https"), (b"x-forwarded-proto", b"http"))
    one = asked(("127.0.0.1", 1), *lines, *schemes)

    assert ("203.0.113.7", False) == (one.address, one.is_secure)
    assert asked(("127.0.0.1", 1), *reversed(schemes)).is_secure
    assert "127.0.0.1" == asked(("127.0.0.1", 1), (b"x-forwarded-for", b"\xff\xfe")).address
    assert ("", False) == (asked(None, *lines).address, asked(None, *schemes).is_secure)
    assert asked(None, scheme="https").is_secure


@pytest.mark.parametrize(
    ("written", "zh", "en"),
    [
        ("nginx", "不是 IP 地址或网段", "write the proxy's as 127.0.0.1, or 10.0.0.0/8"),
        ("127.0.0.1:80", "不是 IP 地址或网段", "is no IP address or network"),
        ("127.0.0.1,::1", "不是 IP 地址或网段", "is no IP address or network"),
        ("*", "不是 IP 地址或网段", "is no IP address or network"),
        ("", "不是 IP 地址或网段", "is no IP address or network"),
        ("10.0.0.0/33", "不是 IP 地址或网段", "is no IP address or network"),
        ("10.0.0.9/8", "整个网段请写 10.0.0.0/8", "write 10.0.0.9 for the one, or 10.0.0.0/8 for all of it"),
        ("2001:db8::9/32", "这一个地址请写 2001:db8::9", "or 2001:db8::/32 for all of it"),
        ("0.0.0.0/0", "谁都可以冒充别人", "write that of the proxy only"),
        ("::/0", "谁都可以冒充别人", "write that of the proxy only"),
    ],
)
def test_what_is_no_proxys_address_is_refused_with_what_would_be_right(written: str, zh: str, en: str) -> None:
    """A slip here either lets everybody lie or believes nobody, and neither is seen before it is needed."""
    with pytest.raises(InputRefused) as refused:
        proxies_of(["127.0.0.1", written])

    assert zh in refused.value.zh
    assert en in refused.value.en
    assert f"--proxy {written!r}" in refused.value.en


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_serve_refuses_such_a_proxy_before_it_makes_anything(lang: str, data_folder: Path) -> None:
    """A service that starts, and believes the wrong ones, is worse than one that does not start."""
    ran = run(f"serve --data {data_folder} --proxy 127.0.0.1 --proxy 10.0.0.9/8 --lang {lang}")

    assert (2, "", False) == (ran.status, ran.out, data_folder.exists())
    assert re.search(r"--proxy '10\.0\.0\.9/8'.*10\.0\.0\.0/8", " ".join(ran.err.split()))
