"""Who asks, where proxies stand between: their word counts, and nobody else's."""

from collections.abc import Sequence
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from django.conf import settings
from django.http import HttpRequest

# What a proxy may say of a request. Of these only the first two are ever read.
SAID: Final = (
    *("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST"),
    *("HTTP_X_FORWARDED_PORT", "HTTP_X_REAL_IP", "HTTP_FORWARDED"),
)
Address = IPv4Address | IPv6Address


def settle_peer(request: HttpRequest) -> None:
    """From here on REMOTE_ADDR is who asks; what nobody trusted said of it is gone."""
    meta = request.META
    peer = meta.get("REMOTE_ADDR", "")
    if not is_proxy(peer):
        for name in SAID:
            meta.pop(name, None)
    meta["REMOTE_ADDR"] = client_address(peer, meta.get("HTTP_X_FORWARDED_FOR", ""))


def client_address(peer: str, forwarded_for: str) -> str:
    """Who asks: the peer; behind our proxies, the last one they name that is none of them.

    Whatever stands further to the left came from outside, and anybody could have written it.
    """
    client = peer
    for named in reversed(forwarded_for.split(",")):
        if not is_proxy(client):
            break
        address = _address(named.strip())
        if address is None:
            break
        client = str(address)
    return client


def network_of(client: str) -> str:
    """Whose limits count for it: an IPv4 address alone, an IPv6 address with its /64."""
    address = _address(client)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return client if address is None else str(address)


def is_proxy(peer: str) -> bool:
    """Whether it is one of settings.TRUSTED_PROXIES."""
    address = _address(peer)
    return address is not None and any(
        address in network for network in _networks(tuple(settings.TRUSTED_PROXIES))
    )


@cache
def _networks(texts: Sequence[str]) -> list[IPv4Network | IPv6Network]:
    return [ip_network(text) for text in texts]


def _address(text: str) -> Address | None:
    """An IPv4 address in the spelling of IPv6 is itself."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
