"""Which addresses we may connect to: those of the public internet, and private ones that were allowed.

A web address comes from people, and what it leads to from a name server; neither may make this server
post to itself, to its neighbours, or to the metadata service of its cloud (server-side request forgery).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Ports of receivers on the internet.
PORTS = (443, 8443)

# IANA special-purpose registries (RFC 6890 and later), plus multicast. `is_global` is not enough: it takes
# multicast, and addresses of IPv6 that lead to private ones of IPv4; and versions of Python differ in it.
_NEVER_4 = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "168.63.129.16/32",  # the host agent of Azure: public by number only
    )
)
_PUBLIC_6 = ipaddress.ip_network("2000::/3")
_NEVER_6 = tuple(
    ipaddress.ip_network(network)
    for network in (
        "2001::/23",  # protocols, Teredo (2001::/32) among them
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",
        "3ffe::/16",
        "3fff::/20",
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


def refusal(scheme: str, port: int, found: Sequence[str], allowed: Iterable[str]) -> str | None:
    """Why nothing is sent there, or None. `found` are all the addresses that a name has.

    One that is refused is enough: a name that leads to both sides is no mistake. Over plain http and to
    other ports goes only what stays within `allowed`.
    """
    networks = [ipaddress.ip_network(network) for network in allowed]
    addresses = []
    for text in found:
        try:
            addresses.append(ipaddress.ip_address(text))
        except ValueError:
            return "its name leads to something that is no address"
    if not addresses:
        return "its name leads nowhere"
    outside = [address for address in addresses if not _within(address, networks)]
    if any(not public(address) for address in outside):
        return "it leads to a private address, which is not among `allow_private`"
    if outside and scheme != "https":
        return "its address is not https"
    if outside and port not in PORTS:
        return f"port {port} is none of {' and '.join(map(str, PORTS))}"
    return None


def public(address: Address) -> bool:
    """Whether it is one of the public internet, however it is written."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NEVER_4)
    if address.scope_id is not None:
        return False
    if address.ipv4_mapped is not None:
        return public(address.ipv4_mapped)
    if address in _NAT64:
        return public(_last_four(address))
    if address not in _PUBLIC_6 or any(address in network for network in _NEVER_6):
        return False
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return public(_last_four(address))
    return True


def _last_four(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _within(address: Address, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    plain = (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address
    return any(plain in network for network in networks)
