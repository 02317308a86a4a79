"""Which addresses may be contacted on behalf of a user: the public internet, by an explicit list.

Python's own `is_global` lets through multicast, 6to4, NAT64 to private addresses and more.
"""

import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from django.conf import settings
from yarl import URL

Address = IPv4Address | IPv6Address
Resolve = Callable[[str], Awaitable[list[str]]]  # raises OSError where there are none

URL_MAX: Final = 2000
_NETWORKS: Final = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.168.0.0/16"),
        *("192.0.0.0/24", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),  # documentation
        *("192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24"),  # anycast
        *("198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),  # benchmarks, multicast, reserved
        "168.63.129.16/32",  # public by number only: Azure answers there to its own machines
        # Below the one global block of IPv6: what it lends to protocols, documents, tunnels.
        *("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
    )
)
_GLOBAL_V6: Final = ip_network("2000::/3")  # everything else in IPv6 is local, mapped or reserved
_NAT64: Final = ip_network("64:ff9b::/96")
_PORTS: Final = frozenset(  # services that would read a request as something of their own
    {0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 79, 110, 111, 113, 119}
    | {123, 135, 137, 138, 139, 143, 161, 179, 389, 445, 465, 512, 513, 514, 515, 548, 554, 587}
    | {636, 873, 989, 990, 993, 995, 1433, 1521, 1723, 1883, 2049, 2181, 3306, 3389, 4369, 5060}
    | {5061, 5432, 5671, 5672, 5900, 6000, 6379, 6380, 6432, 6667, 6697, 9042, 9092, 11211, 26379}
    | {27017, 27018, 27019}
)
_NOT_IN_A_URL: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\\ud800-\udfff]")
# As typed: brackets hold IPv6 and nothing else, a port has ASCII digits and nothing else.
_SHAPE: Final = re.compile(
    r"https?://(?:[^][/?#@:]+|\[[0-9a-f:.]+(?:%[0-9a-z]+)?])(?::[0-9]*)?(?:[/?#].*)?",
    re.IGNORECASE | re.ASCII,
)
_NAME: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


class OutboundError(Exception):
    """A request that got no answer."""


class BadUrlError(OutboundError):
    """Not a plain web address."""

    def __init__(self) -> None:
        super().__init__(
            "This is not a plain web address (http or https, a host; no user name, no blanks,"
            " no backslashes)."
        )


class RefusedAddressError(OutboundError):
    """An address that is not public; the words are the same whatever the cause."""

    def __init__(self) -> None:
        super().__init__(
            "This address may not be contacted: it is not on the public internet, or its port"
            " belongs to another service. The operator can allow it by OUTBOUND_ALLOW."
        )


class Guard:
    """Judges addresses. `allow`: CIDRs and host names that the operator vouches for."""

    def __init__(self, allow: Iterable[str]) -> None:
        # Asked again for every request to the same places.
        self.check_url = lru_cache(maxsize=4096)(self._check_url)
        self.check_peer = lru_cache(maxsize=4096)(self._check_peer)
        entries = [(entry, _network(entry)) for entry in allow]
        self._networks = [network for _, network in entries if network]
        self._names = {_name(entry) for entry, network in entries if not network}

    def _check_url(self, text: str) -> URL:
        """`text` as the URL to request; raises BadUrlError or RefusedAddressError. No lookups."""
        url = _parse(text)
        host = url.raw_host or ""
        if url.port in _PORTS and not self.vouches(host):
            raise RefusedAddressError
        literal = _literal(host)
        if literal is not None:
            self.check_address(host, literal)
        return url

    def check_address(self, host: str, address: Address) -> None:
        """Raises RefusedAddressError, with the same words whatever the cause."""
        plain = _plain(address)
        if not (_is_public(plain) or _name(host) in self._names or self._holds(plain)):
            raise RefusedAddressError

    def _check_peer(self, host: str, address: str) -> None:
        """As check_address, of an address as sockets write it."""
        self.check_address(host, ip_address(address))

    async def addresses_of(self, host: str, resolve: Resolve) -> list[Address]:
        """Where `host` is, by one lookup: an address that may not be contacted spoils them all.

        Raises RefusedAddressError, or OSError where there is no address.
        """
        addresses = [ip_address(text) for text in dict.fromkeys(await resolve(host))]
        for address in addresses:
            self.check_address(host, address)
        if not addresses:
            raise OSError("the name has no address")
        return addresses

    def vouches(self, host: str) -> bool:
        """Whether the operator allowed this very host, by its name or by its address."""
        literal = _literal(host)
        return _name(host) in self._names or (literal is not None and self._holds(_plain(literal)))

    def _holds(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


@lru_cache(maxsize=8)
def _guard(allow: tuple[str, ...]) -> Guard:
    return Guard(allow)


def guard() -> Guard:
    """The guard that OUTBOUND_ALLOW makes."""
    return _guard(tuple(settings.OUTBOUND_ALLOW))


def _parse(text: str) -> URL:
    if len(text) > URL_MAX or _NOT_IN_A_URL.search(text) or not _SHAPE.fullmatch(text):
        raise BadUrlError
    try:
        url = URL(text)
    except ValueError as error:
        raise BadUrlError from error
    if not _is_host(url.raw_host or ""):
        raise BadUrlError
    return url


def _is_host(host: str) -> bool:
    """Whether `host` is an address, or a name that nobody could take for one.

    What has a colon or ends in a number is dialled as an address, without asking our resolver:
    were it none, the system would look it up, and nobody would judge what it found.
    """
    if ":" in host or _NUMBER.fullmatch(_name(host).rpartition(".")[2]):
        return _literal(host) is not None
    return _NAME.fullmatch(host) is not None


def _literal(host: str) -> Address | None:
    """The address that `host` spells, in any of the spellings that sockets take."""
    host = _name(host)
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))  # 127.1, 0177.0.0.1, 0x7f.1, 2130706433
    except (OSError, ValueError):
        return None


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, IPv6Address) and not address.scope_id:
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


@lru_cache(maxsize=4096)  # asked again for every request over a kept connection
def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and (address.scope_id or address not in _GLOBAL_V6):
        return False  # a zone is a network card of this machine
    return not any(address in network for network in _NETWORKS)


def _name(host: str) -> str:
    return host.lower().rstrip(".")


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(entry, strict=False)
    except ValueError:
        return None
