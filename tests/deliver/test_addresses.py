"""Private addresses, however they are written or arrived at, are not connected to."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.deliver.addresses import public, refusal
from retinue.deliver.failures import NotDelivered
from retinue.deliver.post import post
from tests.deliver.receivers import Answer, http_receiver, outside

#: Every connection that this process opens, as the interpreter itself reports it.
_connects: list[object] = []
_watching = False


def _watch(event: str, args: tuple) -> None:
    if _watching and event == "socket.connect":
        _connects.append(args[1])


sys.addaudithook(_watch)


@pytest.fixture
def connects() -> Iterator[list[object]]:
    global _watching  # noqa: PLW0603 - an audit hook cannot be taken back
    _connects.clear()
    _watching = True
    yield _connects
    _watching = False


LITERALS = [
    # this host, however it is written
    "127.0.0.1", "127.1", "127.0.0.1.", "2130706433", "0x7f000001", "0177.0.0.1", "017700000001", "0",
    "0.0.0.0", "127.255.255.254", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "localhost", "localhost.",
    "LOCALHOST", "①②⑦.⓪.⓪.①",
    # private networks
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "[fc00::1]", "[fd12:3456::1]",
    # link local, and what clouds have there
    "169.254.169.254", "[fe80::1]", "[fe80::a9fe:a9fe]", "[fd00:ec2::254]", "168.63.129.16",
    # IPv4 inside IPv6
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:169.254.169.254]", "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a9fe:a9fe]", "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]", "[2001:0:7f00:1::80ff:fffe]", "[2600:1f18::5efe:10.0.0.1]",
    # multicast, broadcast, reserved, documentation
    "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "[ff02::1]", "[ff0e::1]", "192.0.0.8",
    "192.0.0.170", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "192.88.99.1", "[2001:db8::1]",
    "[100::1]", "[fec0::1]", "[5f00::1]", "[3fff::1]", "[4000::1]",
]  # fmt: skip


@pytest.mark.parametrize("host", LITERALS)
def test_nothing_connects_to_an_address_that_is_not_public(host: str, connects: list[object]):
    """The names here are resolved by this machine itself, which knows every way to write an address."""
    real = outside(resolve=lambda name, port: [a[4][0] for a in socket.getaddrinfo(name, port, type=1)])
    for url in (f"https://{host}/", f"https://{host}:8443/x", f"http://{host}/", f"http://{host}:8080/"):
        with pytest.raises(NotDelivered):
            post(url, b"{}", real, headers={})
    assert connects == []


NAMES = {
    "internal.example": ["10.1.2.3"],
    "metadata.google.internal": ["169.254.169.254"],
    "both-sides.example": ["93.184.216.34", "127.0.0.1"],
    "both-families.example": ["93.184.216.34", "::1"],
    "mapped.example": ["::ffff:10.0.0.1"],
    "nat64.example": ["64:ff9b::a00:1"],
    "zone.example": ["fe80::1%eth0"],
    "public-with-zone.example": ["2606:4700::1%eth0"],
    "nothing.example": [],
    "no-address.example": ["example.com"],
    "wildcard.127.0.0.1.nip.io": ["127.0.0.1"],
}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_connects_where_a_name_leads_to_something_private(name: str, connects: list[object]):
    with pytest.raises(NotDelivered) as caught:
        post(f"https://{name}/", b"{}", outside(resolve=lambda host, _port: NAMES[host]), headers={})
    assert caught.value.final_after == 1
    assert connects == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://public.example/", "not https"),
        ("https://public.example:22/", "port 22"),
        ("https://public.example:80/", "port 80"),
        ("https://user:pass@public.example/", "a user or password"),
        ("ftp://public.example/", "no web address"),
        ("file:///etc/passwd", "no web address"),
        ("gopher://public.example/", "no web address"),
        ("https://", "no web address"),
        ("https://exa mple/", "no web address"),
        ("", "no web address"),
        ("//public.example", "no web address"),
        ("https://[::1", "no web address"),
        ("https://public.example:99999/", "no web address"),
    ],
)
def test_nothing_connects_in_ways_that_are_not_meant(url: str, reason: str, connects: list[object]):
    with pytest.raises(NotDelivered, match=reason):
        post(url, b"{}", outside(resolve=lambda *_: ["93.184.216.34"]), headers={})
    assert connects == []


def test_a_name_that_changes_its_mind_is_asked_once(connects: list[object]):
    """DNS rebinding: what was checked is what is connected to."""
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    with http_receiver() as receiver:
        url = f"http://rebinding.example:{receiver.port}/"
        post(url, b"{}", outside(resolve=resolve), allowed=["127.0.0.1"], headers={})
        assert [to for to in connects if to[1] == receiver.port] == [("127.0.0.1", receiver.port)]
        assert receiver.requests[0].headers["host"] == f"rebinding.example:{receiver.port}"
    assert asked == ["rebinding.example"]


def test_a_redirect_to_a_private_address_is_not_followed(connects: list[object]):
    with http_receiver() as private:
        to = {"Location": f"http://127.0.0.1:{private.port}/"}
        with http_receiver(lambda _request: Answer(301, to)) as public_one:
            answer = post(public_one.url, b"{}", outside(), allowed=["127.0.0.1"], headers={})
        assert answer.status == 301
        assert private.connections == 0
    assert {to[1] for to in connects} == {public_one.port}


def test_a_proxy_of_the_environment_has_no_part_in_it(
    connects: list[object], monkeypatch: pytest.MonkeyPatch
):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with http_receiver() as receiver:
        post(receiver.url, b"{}", outside(), allowed=["127.0.0.1"], headers={})
    assert {to[1] for to in connects} == {receiver.port}


def test_what_is_allowed_is_reached_and_nothing_beside_it():
    def asked(*found: str, allowed: list[str], scheme: str = "http", port: int = 8080) -> str | None:
        return refusal(scheme, port, found, allowed)

    assert asked("10.1.2.3", allowed=["10.1.2.0/24"]) is None
    assert asked("::ffff:10.1.2.3", allowed=["10.1.2.0/24"]) is None
    assert asked("fd00::5", allowed=["fd00::/64"]) is None
    assert "private" in asked("10.1.3.3", allowed=["10.1.2.0/24"])
    assert "private" in asked("10.1.2.3", "10.1.3.3", allowed=["10.1.2.0/24"])
    assert "not https" in asked("10.1.2.3", "93.184.216.34", allowed=["10.1.2.0/24"])
    assert asked("93.184.216.34", allowed=[], scheme="https", port=443) is None
    assert asked("2606:4700::1", "93.184.216.34", allowed=[], scheme="https", port=8443) is None
    assert asked("64:ff9b::5db8:d822", allowed=[], scheme="https", port=443) is None


@given(st.ip_addresses(v=4))
def test_no_address_is_public_that_python_calls_private(address: ipaddress.IPv4Address):
    """Python's own tables are the second opinion; ours are narrower."""
    if public(address):
        assert address.is_global
        assert not (address.is_multicast or address.is_reserved)
        assert public(ipaddress.ip_address(f"::ffff:{address}"))
    else:
        assert not public(ipaddress.ip_address(f"::ffff:{address}"))
        assert not public(ipaddress.ip_address(f"64:ff9b::{address}"))


@given(st.ip_addresses(v=6))
def test_no_address_of_ipv6_is_public_that_python_calls_private(address: ipaddress.IPv6Address):
    if address.ipv4_mapped is not None:
        assert public(address) == public(address.ipv4_mapped)
    elif public(address):
        assert address.is_global
        assert not (address.is_multicast or address.is_reserved or address.is_site_local)
