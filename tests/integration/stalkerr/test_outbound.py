"""The way out over real sockets, with canaries that count who was contacted after all."""

import asyncio
import datetime as dt
import gzip
import time
import traceback
from collections.abc import Generator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from pytest_django import Settings

from stalkerr import outbound
from stalkerr.addresses import Guard, OutboundError, RefusedAddressError
from stalkerr.outbound import Answer, Client, NotSentError, UnclearError
from tests.asking import always, ask, ask_once, speaking
from tests.hostile import BAD_URLS, PRIVATE_URLS
from tests.sinks import FOREVER, HttpSink, RawSink, Reply, wait_until
from tests.watchman import WATCHMAN, Heard

PUBLIC = "93.184.215.14"  # never contacted: the watchman stops it


@pytest.fixture
def heard() -> Generator[Heard]:
    """Who was contacted and looked up since the test began."""
    with WATCHMAN.on_duty() as heard:
        yield heard


@pytest.fixture
def connects(heard: Heard) -> list[str]:
    return heard.connects


@pytest.fixture
def quick(settings: Settings) -> None:
    settings.OUTBOUND_TIMEOUT = dt.timedelta(seconds=0.5)


@pytest.fixture
def nothing_allowed(settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = []


# -- where it goes ------------------------------------------------------------------------------


@pytest.mark.usefixtures("nothing_allowed")
def test_no_hostile_url_makes_a_single_connection_or_lookup(heard: Heard) -> None:
    answers = ask(*PRIVATE_URLS, *BAD_URLS)
    assert all(isinstance(answer, OutboundError) for answer in answers)
    assert (heard.connects, heard.lookups) == ([], [])


@pytest.mark.usefixtures("nothing_allowed")
def test_a_name_is_judged_by_what_the_system_says_of_it(heard: Heard) -> None:
    assert isinstance(ask_once("http://LocalHost:8000/"), RefusedAddressError)
    assert (heard.connects, heard.lookups) == ([], ["localhost"])


def test_the_system_is_asked_once_and_not_again_for_the_dial(
    heard: Heard, settings: Settings
) -> None:
    settings.OUTBOUND_ALLOW = ["localhost"]
    with HttpSink() as sink:
        assert isinstance(ask_once(f"http://localhost:{sink.port}/"), Answer)
    assert heard.lookups == ["localhost"]


def test_the_watchman_sees_connections(connects: list[str]) -> None:
    with HttpSink() as sink:
        ask_once(sink.url)
    assert connects == ["127.0.0.1"]


@pytest.mark.usefixtures("nothing_allowed")
def test_a_name_that_leads_to_a_private_address_is_refused(connects: list[str]) -> None:
    with RawSink() as canary:
        answer = ask_once(f"http://evil.example:{canary.port}/", resolve=always("127.0.0.1"))
    assert isinstance(answer, RefusedAddressError)
    assert (connects, canary.connections) == ([], 0)


@pytest.mark.usefixtures("nothing_allowed")
@pytest.mark.parametrize("addresses", [(PUBLIC, "127.0.0.1"), ("::1", PUBLIC), (PUBLIC, "fd00::1")])
def test_one_private_address_among_public_ones_spoils_them_all(
    addresses: tuple[str, ...], connects: list[str]
) -> None:
    answer = ask_once("http://evil.example/", resolve=always(*addresses))
    assert isinstance(answer, RefusedAddressError)
    assert connects == []


def test_a_peer_that_is_not_the_judged_one_gets_no_byte() -> None:
    class Naive(AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
            return [outbound._result(host, port, ip_address("127.0.0.1"))]

        async def close(self) -> None:
            pass

    async def post(url: str) -> None:
        connector = outbound._Connector(Guard([]), Naive())
        limit = aiohttp.ClientTimeout(total=2)  # the canary says nothing
        async with aiohttp.ClientSession(connector=connector, timeout=limit) as session:
            await session.post(url, data=b"{}")

    with RawSink() as canary:
        with pytest.raises(RefusedAddressError):
            asyncio.run(post(f"http://evil.example:{canary.port}/"))
        wait_until(lambda: canary.connections == 1)
    assert canary.received == b""


def test_a_name_that_the_operator_allows_is_dialled_with_its_name_kept(
    settings: Settings,
) -> None:
    settings.OUTBOUND_ALLOW = ["ntfy.home"]
    with HttpSink() as sink:
        answer = ask_once(f"http://ntfy.home:{sink.port}/x", resolve=always("127.0.0.1"))
        assert isinstance(answer, Answer)
        assert sink.requests[0].headers["host"] == f"ntfy.home:{sink.port}"


@pytest.mark.parametrize("allow", ["ntfy.home", "127.0.0.0/8"])
def test_only_a_network_that_is_allowed_lets_in_every_name_that_leads_there(
    allow: str, settings: Settings, connects: list[str]
) -> None:
    """Proves the guard of `Guard.check_address`: a name allows itself, not what it leads to."""
    settings.OUTBOUND_ALLOW = [allow]
    with HttpSink() as sink:
        urls = [f"http://{host}:{sink.port}/" for host in ("ntfy.home", "other.home", "127.0.0.1")]
        answers = ask(*urls, resolve=always("127.0.0.1"))
        reached = [request.headers["host"].partition(":")[0] for request in sink.requests]
    everyone = allow != "ntfy.home"
    assert reached == (["ntfy.home", "other.home", "127.0.0.1"] if everyone else ["ntfy.home"])
    assert {type(answer) for answer in answers[1:]} == {Answer if everyone else RefusedAddressError}
    assert len(connects) == len(reached)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_it_follows_no_redirect(status: int) -> None:
    with RawSink() as canary, HttpSink() as sink:
        sink.always = Reply(status, headers={"Location": f"http://127.0.0.1:{canary.port}/"})
        answer = ask_once(sink.url)
    assert isinstance(answer, Answer)
    assert (answer.status, canary.connections) == (status, 0)


def test_it_takes_no_proxy_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawSink() as canary, HttpSink() as sink:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert isinstance(ask_once(sink.url), Answer)
    assert canary.connections == 0


def test_it_reads_no_passwords_from_a_file_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login operator password s3cret")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    with HttpSink() as sink:
        ask_once(sink.url)
        assert "authorization" not in sink.requests[0].headers


def test_it_keeps_connections_and_no_cookies() -> None:
    with HttpSink(Reply(headers={"Set-Cookie": "a=b"})) as sink:
        ask(sink.url, sink.url, sink.url)
        assert sink.connections == 1
        assert [request.headers.get("cookie") for request in sink.requests] == [None] * 3


# -- how much it takes --------------------------------------------------------------------------


def test_it_reads_no_more_than_the_cap() -> None:
    with RawSink(speaking(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 10_000)) as sink:
        answer = ask_once(f"http://127.0.0.1:{sink.port}/")
    assert isinstance(answer, Answer)
    assert (len(answer.body), answer.complete) == (64 * 1024, True)


def test_it_does_not_decompress() -> None:
    bomb = gzip.compress(b"0" * 5_000_000)
    with HttpSink(Reply(body=bomb, headers={"Content-Encoding": "gzip"})) as sink:
        answer = ask_once(sink.url)
        assert sink.requests[0].headers["accept-encoding"] == "identity"
    assert isinstance(answer, Answer)
    assert answer.body == bomb


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100 + b"\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00" * 1000,
    ],
)
def test_an_answer_out_of_bounds_is_none(head: bytes) -> None:
    with RawSink(speaking(head)) as sink:
        assert isinstance(ask_once(f"http://127.0.0.1:{sink.port}/"), UnclearError)


# -- what the error says ------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
def test_a_body_that_trickles_is_cut_off_and_the_status_stands() -> None:
    began = time.monotonic()
    with RawSink(speaking(b"HTTP/1.1 200 OK\r\n\r\n", b"x", pause=0.02)) as sink:
        answer = ask_once(f"http://127.0.0.1:{sink.port}/")
    assert isinstance(answer, Answer)
    assert (answer.status, answer.complete) == (200, False)
    assert time.monotonic() - began < 5


@pytest.mark.usefixtures("quick")
def test_a_head_that_trickles_is_cut_off_and_unclear() -> None:
    began = time.monotonic()
    with RawSink(speaking(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", pause=0.1)) as sink:
        assert isinstance(ask_once(f"http://127.0.0.1:{sink.port}/"), UnclearError)
    assert time.monotonic() - began < 5


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("reply", [Reply(delay=FOREVER), Reply(drop=True)])
def test_a_request_whose_answer_is_lost_is_unclear(reply: Reply, method: str) -> None:
    """Proves the guard: one request is one, also by a method that may be repeated."""
    with HttpSink(reply) as sink:
        assert isinstance(ask(sink.url, method=method)[0], UnclearError)
        assert len(sink.requests) == 1


def test_a_lost_answer_on_a_kept_connection_is_unclear() -> None:
    with HttpSink() as sink:
        sink.replies.extend([Reply(), Reply(drop=True)])
        first, second = ask(sink.url, sink.url)
        assert sink.connections == 1
    assert isinstance(first, Answer)
    assert isinstance(second, UnclearError)


def test_a_refused_connection_sent_nothing() -> None:
    with RawSink() as sink:
        pass
    answer = ask_once(f"http://127.0.0.1:{sink.port}/")
    assert isinstance(answer, NotSentError)
    assert "Connection refused" in str(answer)


@pytest.mark.parametrize("host", ["nobody.invalid", "a" * 64 + ".invalid"])
def test_a_name_that_does_not_exist_sent_nothing(host: str) -> None:
    async def resolve(_host: str) -> list[str]:
        raise OSError("no such name")

    answer = ask_once(f"http://{host}/", resolve=resolve)
    assert isinstance(answer, NotSentError)
    assert "no such host" in str(answer)


def test_a_name_that_no_name_server_takes_sent_nothing() -> None:
    assert isinstance(ask_once("http://" + "a" * 64 + ".invalid/"), NotSentError)


def test_a_name_without_addresses_sent_nothing() -> None:
    assert isinstance(ask_once("http://empty.example/", resolve=always()), NotSentError)


@pytest.mark.usefixtures("quick")
def test_a_lookup_that_hangs_sent_nothing() -> None:
    async def resolve(_host: str) -> list[str]:
        await asyncio.sleep(FOREVER)
        return []

    assert isinstance(ask_once("http://slow.example/", resolve=resolve), NotSentError)


@pytest.mark.usefixtures("quick")
def test_a_silent_secure_server_got_nothing() -> None:
    with RawSink() as sink:
        assert isinstance(ask_once(f"https://127.0.0.1:{sink.port}/"), NotSentError)


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://8.8.8.8:22/", "http://evil.example/"])
@pytest.mark.usefixtures("nothing_allowed")
def test_a_refusal_says_the_same_of_all_and_how_to_allow_it(url: str) -> None:
    words = str(ask_once(url, resolve=always("10.0.0.1")))
    assert words == str(RefusedAddressError())
    assert "The operator can allow it by OUTBOUND_ALLOW." in words


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("said", [b"HTTP/1.1 2\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b""])
def test_no_traceback_of_an_error_holds_the_address(said: bytes) -> None:
    """Proves the guard `from None`: aiohttp's own words have the URL in them."""
    with RawSink(speaking(said)) as sink:
        error = ask_once(f"http://127.0.0.1:{sink.port}/hook/t0ken")
    assert isinstance(error, OutboundError)
    assert "t0ken" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\x00b", "\ud800"])
@pytest.mark.parametrize("is_name", [True, False])
def test_what_would_begin_another_header_sent_nothing(value: str, is_name: bool) -> None:
    headers = {value: "x"} if is_name else {"X": value}

    async def post(url: str) -> None:
        async with Client() as client:
            await client.request("POST", url, headers=headers)

    with HttpSink() as sink:
        with pytest.raises(NotSentError):
            asyncio.run(post(sink.url))
        assert sink.connections == 0


def test_the_time_limit_is_not_rounded_up(settings: Settings) -> None:
    settings.OUTBOUND_TIMEOUT = dt.timedelta(seconds=15)

    async def longest_timer(url: str) -> float:
        loop = asyncio.get_running_loop()
        call_at, ahead = loop.call_at, [0.0]

        def note(when: float, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
            ahead.append(when - loop.time())
            return call_at(when, *args, **kwargs)

        loop.call_at = note  # type: ignore[method-assign,assignment]
        async with Client() as client:
            await client.request("POST", url)
        return max(ahead)

    with HttpSink() as sink:
        assert 14 < asyncio.run(longest_timer(sink.url)) <= 15
