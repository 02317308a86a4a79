import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stalkerr.addresses import BadUrlError, Guard, RefusedAddressError, _literal
from tests.hostile import BAD_URLS, PRIVATE_URLS

STRICT = Guard([])


def test_there_are_enough_cases() -> None:
    assert len(PRIVATE_URLS) >= 60


@pytest.mark.parametrize("url", PRIVATE_URLS)
def test_it_refuses_a_private_address_in_any_spelling(url: str) -> None:
    with pytest.raises(RefusedAddressError) as refused:
        STRICT.check_url(url)
    assert str(refused.value) == str(RefusedAddressError()), "the cause must not show"


@pytest.mark.parametrize("url", BAD_URLS)
def test_it_refuses_what_is_no_plain_web_address(url: str) -> None:
    with pytest.raises(BadUrlError):
        STRICT.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/hook?key=1",
        "HTTPS://Example.org:8443/",
        "https://bücher.example/",
        "http://8.8.8.8/",
        "http://[2001:4860:4860::8888]:8080/",
        "http://[64:ff9b::808:808]/",
        "http://[::ffff:8.8.8.8]/",
        "http://172.32.0.1/",
        "http://192.169.0.1/",
        "http://100.128.0.1/",
    ],
)
def test_it_lets_public_addresses_pass(url: str) -> None:
    assert STRICT.check_url(url).scheme in ("http", "https")


@given(st.text("0123456789abcdefx.:%[]-@/ ", max_size=24))
def test_what_is_dialled_as_an_address_has_been_judged_as_one(authority: str) -> None:
    """Proves the guard `_is_host`: aiohttp asks nobody for what has a colon or only digits."""
    try:
        host = STRICT.check_url(f"http://{authority}").raw_host or ""
    except (BadUrlError, RefusedAddressError):
        return
    if ":" in host or host.replace(".", "").isdigit():
        literal = _literal(host)
        assert literal is not None
        assert literal.is_global


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("HTTP://EXAMPLE.org/", "http://example.org/"),
        ("http://bücher.example:/x", "http://xn--bcher-kva.example/x"),
        ("http://example\u3002org/", "http://example.org/"),
        ("http://example.org:0080/", "http://example.org/"),
    ],
)
def test_what_is_kept_is_what_was_judged(text: str, url: str) -> None:
    assert str(STRICT.check_url(text)) == url


@given(st.ip_addresses())
def test_it_refuses_whatever_python_calls_not_global(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if not (mapped or address).is_global:
        with pytest.raises(RefusedAddressError):
            STRICT.check_address("somewhere.example", address)


@given(st.ip_addresses(v=4).filter(lambda address: not address.is_global))
def test_a_private_address_stays_private_inside_ipv6(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    wrappings = (
        (0xFFFF << 32) | number,  # mapped
        number,  # compatible
        (0x64FF9B << 96) | number,  # NAT64
        (0x64FF9B0001 << 80) | number,  # NAT64, local
        (0x2002 << 112) | (number << 80),  # 6to4
        (0x20010000 << 96) | (number ^ 0xFFFFFFFF),  # Teredo
    )
    for wrapping in wrappings:
        with pytest.raises(RefusedAddressError):
            STRICT.check_address("somewhere.example", ipaddress.IPv6Address(wrapping))


@pytest.mark.parametrize(
    ("allow", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000/"),
        ("127.0.0.1", "http://127.0.0.1:6379/"),
        ("127.0.0.1", "http://2130706433/"),
        ("127.0.0.1", "http://[::ffff:127.0.0.1]/"),
        ("192.168.0.0/16", "http://192.168.7.7/"),
        ("192.168.1.5/16", "http://192.168.7.7/"),
        ("fd00::/8", "http://[fd12::1]/"),
        ("Ntfy.Home", "http://ntfy.home.:6379/"),
    ],
)
def test_the_operator_can_allow_it(allow: str, url: str) -> None:
    Guard([allow]).check_url(url)


def test_an_allowed_name_may_lead_to_a_private_address_and_no_other_name_may() -> None:
    guard, private = Guard(["ntfy.home"]), ipaddress.ip_address("10.0.0.5")
    guard.check_address("ntfy.home", private)
    with pytest.raises(RefusedAddressError):
        guard.check_address("evil-ntfy.home", private)


def test_what_is_allowed_opens_nothing_beside_it() -> None:
    guard = Guard(["127.0.0.1", "192.168.0.0/24"])
    for host in ("127.0.0.2", "192.168.1.1", "[::1]", "10.0.0.1"):
        with pytest.raises(RefusedAddressError):
            guard.check_url(f"http://{host}/")
