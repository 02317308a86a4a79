"""The proxy for libraries over real sockets, with canaries that count who was contacted after all."""

import asyncio
import base64
import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable, Generator
from typing import Any
from urllib.parse import urlsplit

import pytest
from pytest_django import Settings

from stalkerr.addresses import RefusedAddressError, Resolve
from stalkerr.outbound import NotSentError
from stalkerr.vetting_proxy import BYTES_MAX, CONNECTIONS_MAX, HEAD_MAX, VettingProxy
from tests.asking import always
from tests.sinks import RawSink, wait_until
from tests.watchman import WATCHMAN

HOST = "service.example"
PUBLIC = "93.184.215.14"  # never contacted: the watchman stops it
OK = b"HTTP/1.1 200 OK\r\n\r\n"


HERE = always("127.0.0.1")


@pytest.fixture(autouse=True)
def connects() -> Generator[list[str]]:
    """The addresses contacted by this process; only those of this machine are let happen."""
    with WATCHMAN.on_duty() as heard:
        yield heard.connects


def credential(proxy: VettingProxy) -> bytes:
    url = urlsplit(proxy.url)
    return base64.b64encode(f"{url.username}:{url.password}".encode())


def connect(proxy: VettingProxy, target: str = f"{HOST}:443") -> bytes:
    head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic ".encode()
    return head + credential(proxy) + b"\r\n\r\n"


async def say(proxy: VettingProxy, words: bytes) -> bytes:
    """All that the proxy answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(words)
        writer.write_eof()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


def through(
    sink: RawSink,
    ask: Callable[[VettingProxy], Awaitable[Any]],
    *,
    resolve: Resolve = HERE,
) -> tuple[Any, VettingProxy]:
    """What `ask` gets from a proxy to HOST, which is at the sink; and the proxy afterwards."""

    async def run() -> tuple[Any, VettingProxy]:
        async with VettingProxy({HOST}, resolve, port=sink.port) as proxy:
            return await ask(proxy), proxy

    return asyncio.run(run())


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()


def test_it_passes_on_what_is_said_to_the_host_it_is_for() -> None:
    with RawSink(echo) as sink:
        heard, proxy = through(sink, lambda proxy: say(proxy, connect(proxy) + b"hello"))
        assert sink.connections == 1
    assert heard == OK + b"hello"
    assert (proxy.up, proxy.down, proxy.error) == (5, 5, None)


@pytest.mark.parametrize(
    "target",
    [
        *("other.example:443", f"{HOST}:80", f"{HOST}:4430", f"{HOST}", "127.0.0.1:443"),
        *(f"{HOST}.evil.example:443", f"evil.{HOST}:443", f"{HOST}@evil.example:443", "[::1]:443"),
    ],
)
def test_it_is_no_way_to_anywhere_else(target: str) -> None:
    with RawSink() as canary:
        heard, proxy = through(canary, lambda proxy: say(proxy, connect(proxy, target)))
        assert canary.connections == 0
    assert heard.startswith(b"HTTP/1.1 403 ")
    assert (proxy.up, proxy.down) == (0, 0)


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_it_fetches_nothing_itself(method: str) -> None:
    with RawSink() as canary:

        def ask(proxy: VettingProxy) -> Awaitable[bytes]:
            head = f"{method} http://{HOST}/ HTTP/1.1\r\nProxy-Authorization: Basic ".encode()
            return say(proxy, head + credential(proxy) + b"\r\n\r\n")

        heard, _ = through(canary, ask)
        assert canary.connections == 0
    assert heard.startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    "known", ["", "Basic ", "Basic c3RhbGtlcnI6", "Bearer x", "Basic " + "A" * 70]
)
def test_it_serves_nobody_who_does_not_know_its_secret(known: str) -> None:
    """Proves the guard of the credential: any program of this machine can reach the port."""
    with RawSink() as canary:
        line = f"Proxy-Authorization: {known}\r\n" if known else ""
        words = f"CONNECT {HOST}:443 HTTP/1.1\r\n{line}\r\n".encode()
        heard, _ = through(canary, lambda proxy: say(proxy, words))
        assert canary.connections == 0
    assert heard.startswith(b"HTTP/1.1 407 ")


def test_no_two_proxies_have_one_secret() -> None:
    with RawSink() as sink:

        async def address(proxy: VettingProxy) -> str:
            return urlsplit(proxy.url).password or ""

        secrets = {through(sink, address)[0] for _ in range(2)}
    assert len(secrets) == 2
    assert min(map(len, secrets)) >= 40


@pytest.mark.parametrize(
    "addresses",
    [("127.0.0.1",), (PUBLIC, "127.0.0.1"), ("::1",), ("10.0.0.1",), ("64:ff9b::7f00:1", PUBLIC)],
)
def test_a_name_that_leads_to_a_private_address_is_refused(
    addresses: tuple[str, ...], settings: Settings, connects: list[str]
) -> None:
    """Proves the guard: a service's name that an attacker's name server answers for leads nowhere."""
    settings.OUTBOUND_ALLOW = []
    with RawSink() as canary:
        heard, proxy = through(
            canary, lambda proxy: say(proxy, connect(proxy)), resolve=always(*addresses)
        )
        assert canary.connections == 0
    assert connects == ["127.0.0.1"], "ours to the proxy"
    assert heard.startswith(b"HTTP/1.1 403 ")
    assert isinstance(proxy.error, RefusedAddressError)
    assert (proxy.up, proxy.down) == (0, 0)


def test_a_peer_that_is_not_the_judged_one_gets_no_byte(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard of the peer: something between us and the network leads home."""
    settings.OUTBOUND_ALLOW = []
    dial = asyncio.open_connection

    async def misled(host: str, *args: Any, **options: Any) -> Any:
        return await dial("127.0.0.1" if host == PUBLIC else host, *args, **options)

    with RawSink() as canary:
        monkeypatch.setattr(asyncio, "open_connection", misled)
        heard, proxy = through(
            canary, lambda proxy: say(proxy, connect(proxy) + b"x"), resolve=always(PUBLIC)
        )
        wait_until(lambda: canary.connections == 1)
    assert canary.received == b""
    assert heard.startswith(b"HTTP/1.1 403 ")
    assert isinstance(proxy.error, RefusedAddressError)


def test_a_name_is_looked_up_once_for_each_connection() -> None:
    asked: list[str] = []

    async def resolve(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with RawSink(echo) as sink:
        through(sink, lambda proxy: say(proxy, connect(proxy)), resolve=resolve)
    assert asked == [HOST]


def test_the_next_address_is_tried_where_one_takes_no_connection() -> None:
    with RawSink(echo) as sink:
        heard, _ = through(
            sink,
            lambda proxy: say(proxy, connect(proxy) + b"hello"),
            resolve=always("::1", "127.0.0.1"),
        )
    assert heard == OK + b"hello"


async def nowhere(_host: str) -> list[str]:
    raise OSError("no such name")


@pytest.mark.parametrize("resolve", [always("127.0.0.1"), nowhere, always()])
def test_a_host_that_is_not_there_gets_nothing(resolve: Resolve) -> None:
    with RawSink() as sink:
        pass
    heard, proxy = through(sink, lambda proxy: say(proxy, connect(proxy)), resolve=resolve)
    assert heard.startswith(b"HTTP/1.1 502 ")
    assert isinstance(proxy.error, NotSentError)
    assert str(proxy.error).startswith("Nothing was sent: ")


def test_no_more_than_the_cap_goes_up() -> None:
    with RawSink() as sink:
        through(sink, lambda proxy: say(proxy, connect(proxy) + b"x" * (4 * BYTES_MAX)))
        wait_until(lambda: sink.connections == 1)
    assert len(sink.received) <= BYTES_MAX


def test_no_more_than_the_cap_comes_down() -> None:
    async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    with RawSink(flood) as sink:
        heard, _ = through(sink, lambda proxy: say(proxy, connect(proxy)))
    assert len(heard) <= BYTES_MAX + len(OK)


def test_the_cap_holds_for_all_connections_together() -> None:
    async def often(proxy: VettingProxy) -> list[bytes]:
        words = connect(proxy) + b"x" * (BYTES_MAX // 2)
        return [await say(proxy, words) for _ in range(5)]

    with RawSink() as sink:
        through(sink, often)
        wait_until(lambda: sink.connections == 5)
    assert len(sink.received) <= BYTES_MAX


def test_it_makes_only_so_many_connections() -> None:
    async def often(proxy: VettingProxy) -> list[bytes]:
        return [await say(proxy, connect(proxy)) for _ in range(CONNECTIONS_MAX + 3)]

    with RawSink(echo) as sink:
        heard, _ = through(sink, often)
        wait_until(lambda: sink.connections >= CONNECTIONS_MAX)
    assert sink.connections == CONNECTIONS_MAX
    assert all(answer.startswith(b"HTTP/1.1 403 ") for answer in heard[CONNECTIONS_MAX:])


@pytest.mark.parametrize("words", [b"", b"\r\n\r\n", b"\x00" * 100, b"x" * (4 * HEAD_MAX)])
def test_what_is_no_request_gets_nowhere(words: bytes) -> None:
    with RawSink() as canary:
        heard, _ = through(canary, lambda proxy: say(proxy, words))
        assert canary.connections == 0
    assert not heard.startswith(OK)


def test_who_says_nothing_is_not_waited_for(settings: Settings) -> None:
    settings.OUTBOUND_TIMEOUT = dt.timedelta(seconds=0.3)

    async def wait(proxy: VettingProxy) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.transport.abort()

    with RawSink() as sink:
        heard, _ = through(sink, wait)
    assert heard == b""


def test_what_is_open_ends_with_it() -> None:
    ended: list[bool] = []

    async def listen(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        ended.append(True)

    async def leave_open(port: int) -> None:
        async with VettingProxy({HOST}, HERE, port=port) as proxy:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(connect(proxy))
            assert await reader.readexactly(len(OK)) == OK
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.transport.abort()

    with RawSink(listen) as sink:
        asyncio.run(leave_open(sink.port))
        wait_until(lambda: ended == [True])
