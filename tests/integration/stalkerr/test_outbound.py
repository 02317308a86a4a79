"""The way out over real sockets, with canaries that count who was contacted after all."""

import asyncio
import datetime as dt
import gzip
import itertools
import ssl
import sys
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Generator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_django import Settings

from stalkerr import outbound
from stalkerr.addresses import Guard, OutboundError, RefusedAddressError
from stalkerr.outbound import BODY_MAX, Answer, Client, NotSentError, Resolve, UnclearError
from tests.hostile import BAD_URLS, PRIVATE_URLS
from tests.sinks import FOREVER, HttpSink, RawSink, Reply, wait_until

PUBLIC = "93.184.215.14"  # never contacted: the watchman stops it


class Watchman:
    """Notes every connect of this process while on duty; lets only loopback happen."""

    def __init__(self) -> None:
        self.on_duty = False
        self.connects: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if self.on_duty and event == "socket.connect" and isinstance(args[1], tuple):
            self.connects.append(args[1][0])
            if not args[1][0].startswith("127."):
                raise ConnectionRefusedError(111, "stopped by the watchman")


WATCHMAN = Watchman()  # audit hooks can't be taken off again, so there is one


@pytest.fixture
def connects() -> Generator[list[str]]:
    """The addresses contacted since the test began."""
    WATCHMAN.connects = []
    WATCHMAN.on_duty = True
    yield WATCHMAN.connects
    WATCHMAN.on_duty = False


@pytest.fixture
def quick(settings: Settings) -> None:
    settings.OUTBOUND_TIMEOUT = dt.timedelta(seconds=0.5)


@pytest.fixture
def nothing_allowed(settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = []


def ask(
    *urls: str, resolve: Resolve | None = None, method: str = "POST"
) -> list[Answer | OutboundError]:
    """Send to each, one after the other over one client."""

    async def each() -> list[Answer | OutboundError]:
        async with Client(resolve=resolve) as client:
            return [await ask_one(client, url, method) for url in urls]

    return asyncio.run(each())


async def ask_one(client: Client, url: str, method: str = "POST") -> Answer | OutboundError:
    try:
        return await client.request(method, url, body=b"{}")
    except OutboundError as error:
        return error


def ask_once(url: str, resolve: Resolve | None = None) -> Answer | OutboundError:
    return ask(url, resolve=resolve)[0]


def always(*addresses: str) -> Resolve:
    async def resolve(_host: str) -> list[str]:
        return list(addresses)

    return resolve


def speaking(
    head: bytes, *rest: bytes, pause: float = 0
) -> Callable[[StreamReader, StreamWriter], Any]:
    """A server that takes the request and says this, `rest` over and over."""

    async def speak(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(head)
        for chunk in itertools.cycle(rest):
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause)
        await asyncio.sleep(FOREVER)

    return speak


# -- where it goes ------------------------------------------------------------------------------


@pytest.mark.usefixtures("nothing_allowed")
def test_no_hostile_url_makes_a_single_connection(connects: list[str]) -> None:
    answers = ask(*PRIVATE_URLS, *BAD_URLS, "http://localhost/", "http://LOCALHOST.:8000/")
    assert all(isinstance(answer, OutboundError) for answer in answers)
    assert connects == []


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


@pytest.mark.usefixtures("nothing_allowed")
def test_a_name_that_changes_its_mind_never_reaches_the_canary(connects: list[str]) -> None:
    lookups = itertools.count()

    async def rebind(_host: str) -> list[str]:
        return [PUBLIC if next(lookups) % 2 == 0 else "127.0.0.1"]

    with RawSink() as canary:
        answers = ask(*[f"http://evil.example:{canary.port}/"] * 1000, resolve=rebind)
    assert next(lookups) == 1000, "one lookup each: what was judged is what is dialled"
    assert {type(answer) for answer in answers} == {NotSentError, RefusedAddressError}
    assert (set(connects), canary.connections) == ({PUBLIC}, 0)


def test_a_peer_that_is_not_the_judged_one_gets_no_byte() -> None:
    class Naive(AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
            return [outbound._result(host, port, ip_address("127.0.0.1"))]

        async def close(self) -> None:
            pass

    async def post(url: str) -> None:
        connector = outbound._Connector(Guard([]), Naive())
        async with aiohttp.ClientSession(connector=connector) as session:
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
    assert (len(answer.body), answer.complete) == (BODY_MAX, True)


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


def test_a_certificate_that_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))

    async def listen_and_ask() -> tuple[bytes, Answer | OutboundError]:
        heard = b""

        async def hear(reader: StreamReader, writer: StreamWriter) -> None:
            nonlocal heard
            heard += await reader.read(65536)
            writer.close()

        server = await asyncio.start_server(hear, "127.0.0.1", 0, ssl=context)
        async with server, Client() as client:
            port = server.sockets[0].getsockname()[1]
            answer = await ask_one(client, f"https://127.0.0.1:{port}/")
        return heard, answer

    heard, answer = asyncio.run(listen_and_ask())
    assert isinstance(answer, NotSentError)
    assert heard == b""


def self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "self-signed.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
