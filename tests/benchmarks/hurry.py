"""A client in a hurry: over a few kept connections, the next request once the last is answered."""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from typing import cast
from urllib.parse import urlsplit

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def request(url: str, path: str, *headers: str) -> bytes:
    """A GET as it goes over the wire."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def seconds_each(
    url: str, requests: Sequence[bytes], *, status: int = 200, at_once: int = 1
) -> float:
    """Seconds a request takes, so many under way at a time; all must be answered with `status`."""
    begun = time.perf_counter()
    uvloop.run(_ask_all(url, iter(requests), status, at_once))
    return (time.perf_counter() - begun) / len(requests)


def ask(url: str, asked: bytes) -> bytes:
    """One answer, whole."""
    found: list[bytes] = []
    uvloop.run(_ask_all(url, iter([asked]), 0, 1, found))
    return found[0]


async def _ask_all(
    url: str, left: Iterator[bytes], status: int, at_once: int, kept: list[bytes] | None = None
) -> None:
    loop = asyncio.get_running_loop()
    where = urlsplit(url)
    ends = []
    for _ in range(at_once):
        end = loop.create_future()
        ends.append(end)
        await loop.create_connection(
            lambda end=end: _Connection(left, status, end, kept),  # type: ignore[misc]
            where.hostname or "",
            where.port or 0,
        )
    await asyncio.gather(*ends)


class _Connection(asyncio.Protocol):
    def __init__(
        self,
        left: Iterator[bytes],
        status: int,
        end: "asyncio.Future[None]",
        kept: list[bytes] | None,
    ) -> None:
        self._left, self._end, self._kept = left, end, kept
        self._begin = b"HTTP/1.1 %d" % status if status else b"HTTP/1.1 "
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        found = _LENGTH.search(self._buffer, 0, end + 2)
        if len(self._buffer) < end + 4 + (int(found[1]) if found else 0):
            return
        answer, self._buffer = self._buffer, b""
        if not answer.startswith(self._begin):
            self._end.set_exception(AssertionError(answer[:2_000].decode("latin-1")))
            self._transport.close()
            return
        if self._kept is not None:
            self._kept.append(answer)
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._end.done():
            self._end.set_exception(AssertionError("the server hung up"))

    def _next(self) -> None:
        asked = next(self._left, None)
        if asked is not None:
            self._transport.write(asked)
            return
        self._end.set_result(None)
        self._transport.close()
