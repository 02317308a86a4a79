"""The one way out to addresses that a user could have made: vetted, bounded, and honest.

Vetted: every address a name resolves to is judged before any is dialled, the judged address is
the one dialled (no second lookup), and the peer is judged once more before a byte is written.
Redirects are answers, not orders; the environment names no proxy; nothing is kept but connections.
Bounded: one time limit for all of it, BODY_MAX bytes read, no decompression.
Honest: the error says whether anything of the request can have arrived.
"""

import asyncio
import os
import re
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings

from stalkerr.addresses import (
    Address,
    BadUrlError,
    Guard,
    OutboundError,
    RefusedAddressError,
    Resolve,
    guard,
)

__all__ = [
    "Answer",
    "BadUrlError",
    "Client",
    "NotSentError",
    "OutboundError",
    "RefusedAddressError",
    "Resolve",
    "UnclearError",
]

BODY_MAX: Final = 64 * 1024
HEADERS_MAX: Final = 64  # lines; each line is at most 8 kB by aiohttp's default
# Shorter than servers keep idle connections (5 s is common), or a request would now and then
# run into a closing one and end unclear.
KEEP_ALIVE: Final = 4
LOOKUP_THREADS: Final = 32  # own threads: a slow name server must not starve the event loop's few
_IN_NO_HEADER: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")


class NotSentError(OutboundError):
    """Provably nothing of the request left: no such name, no connection, no secure connection."""


class UnclearError(OutboundError):
    """Some of the request may have arrived, and no answer came."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]  # names in any case
    body: bytes  # the first BODY_MAX bytes, as sent
    complete: bool  # False where the body broke off or took too long; the status stands


class Client:
    """Sends requests, keeping connections alive. Belongs to the event loop it is made in.

    `resolve`: host name to addresses, raising OSError where there are none.
    """

    def __init__(self, *, resolve: Resolve | None = None) -> None:
        self._lookups = ThreadPoolExecutor(LOOKUP_THREADS, "lookup")
        self._guard = guard()
        self.resolve = resolve or self._look_up
        self._session = aiohttp.ClientSession(
            connector=_Connector(self._guard, _Resolver(self._guard, self.resolve)),
            timeout=_timeout(settings.OUTBOUND_TIMEOUT.total_seconds()),
            headers={"User-Agent": settings.USER_AGENT, "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_headers=HEADERS_MAX,
        )
        # A PUT too is sent once: aiohttp would repeat it, and nobody would know of the first try.
        self._session._retry_connection = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Drop all connections."""
        await self._session.close()
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """One request, no retry. Any complete status line is an answer; else an OutboundError."""
        vetted = self._guard.check_url(url)
        _check_headers(headers or {})
        progress = _Progress()
        _progress.set(progress)
        try:
            async with self._session.request(
                method, vetted, headers=headers, data=body, allow_redirects=False
            ) as response:
                content, complete = await _read(response)
                return Answer(response.status, response.headers, content, complete)
        except (aiohttp.ClientError, OSError) as error:
            # From None: aiohttp's words hold the URL, which may be a secret, and tracebacks are logged.
            if progress.sent:
                raise UnclearError(_unclear_words(error)) from None
            raise NotSentError(_not_sent_words(error)) from None

    async def _look_up(self, host: str) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._lookups, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            )
        except UnicodeError as error:  # a name that no name server could be asked for
            raise OSError(str(error)) from error
        return [str(sockaddr[0]) for *_, sockaddr in found]


def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    """For all of a request; aiohttp would round up to whole seconds what is above its threshold."""
    return aiohttp.ClientTimeout(total=seconds, ceil_threshold=seconds + 1)


def _check_headers(headers: Mapping[str, str]) -> None:
    """Raises NotSentError for what would end a header, and begin another."""
    if _IN_NO_HEADER.search("\t".join([*headers, *headers.values()])):
        raise NotSentError("Nothing was sent: a header would hold line breaks or the like.")


@dataclass(slots=True)
class _Progress:
    sent: bool = False  # from here on something may have arrived


# Of the request that this task is making; the connector is called by nobody else.
_progress: ContextVar[_Progress] = ContextVar("progress")


class _Resolver(AbstractResolver):
    """Names to judged addresses: one that may not be contacted spoils them all."""

    def __init__(self, guard: Guard, resolve: Resolve) -> None:
        self._guard = guard
        self._resolve = resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = await self._guard.addresses_of(host, self._resolve)
        return [_result(host, port, address) for address in addresses]

    async def close(self) -> None:
        pass


class _Connector(aiohttp.TCPConnector):
    """Judges the peer of every connection, new or kept alive, before anything is written to it."""

    def __init__(self, guard: Guard, resolver: AbstractResolver) -> None:
        super().__init__(
            resolver=resolver, use_dns_cache=False, limit=0, keepalive_timeout=KEEP_ALIVE
        )
        self._guard = guard

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list["aiohttp.tracing.Trace"],
        timeout: aiohttp.ClientTimeout,
    ) -> "aiohttp.connector.Connection":
        connection = await super().connect(req, traces, timeout)
        peer = connection.transport and connection.transport.get_extra_info("peername")
        try:
            if not peer:
                raise ConnectionError("the connection closed at once")
            self._guard.check_peer(req.url.raw_host or "", peer[0])
        except BaseException:
            connection.close()
            raise
        _progress.get().sent = True  # the next thing that happens to it is the first write
        return connection


async def _read(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """The start of the body, and whether that is all we wanted of it."""
    body = b""
    try:
        while len(body) < BODY_MAX:
            chunk = await response.content.read(BODY_MAX - len(body))
            if not chunk:
                return body, True
            body += chunk
    except (aiohttp.ClientError, OSError):
        return body, False
    response.close()  # whatever else it holds stays unread
    return body, True


def _result(host: str, port: int, address: Address) -> ResolveResult:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return ResolveResult(
        hostname=host,
        host=str(address),
        port=port,
        family=family,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST,
    )


def _not_sent_words(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "Nothing was sent: there is no such host."
        case aiohttp.ClientSSLError():
            return "Nothing was sent: no secure connection, its certificate was not accepted."
        case TimeoutError():
            return "Nothing was sent: no connection in time."
        case OSError(errno=int(number)):
            return f"Nothing was sent: no connection ({os.strerror(number)})."
    return "Nothing was sent: no connection."


def _unclear_words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "It was sent, but no answer came in time."
    return "It was sent, but the connection broke before an answer came."
