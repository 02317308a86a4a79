"""One connection to Redis, over which all requests of a process ask at once.

A client that takes a connection for each question costs more than all the rest of an answer. What
is asked while others wait goes out behind it, and answers come back in that order.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import hiredis
from redis.connection import parse_url

PATIENCE: Final = 0.5  # seconds: who asks a Redis that hangs must not hang with it
PAUSE: Final = 1.0  # seconds without a try, once it could not be reached


class LineError(ConnectionError):
    """Redis can't be reached, hangs, or refuses."""


class Line:
    """Commands to the Redis at `url`; connects by itself, and again."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: _Connection | None = None
        self._opening: asyncio.Task[_Connection] | None = None
        self._silent_until = 0.0
        self._is_closed = False
        self._hashes: dict[str, bytes] = {}

    async def ask(self, *words: Any) -> Any:
        """What Redis says to a command; raises LineError."""
        connection = self._open
        if connection is None or connection.is_lost:
            connection = await self._connect()
        try:
            said = await connection.ask(words)
        except LineError:
            if connection.has_hung:  # its kernel would take the next connection, too
                self._silent_until = asyncio.get_running_loop().time() + PAUSE
            raise
        if isinstance(said, hiredis.ReplyError):
            raise LineError(str(said))
        return said

    async def run(self, script: str, keys: Sequence[str], *arguments: Any) -> Any:
        """What a script returns; raises LineError."""
        if script not in self._hashes:
            self._hashes[script] = await self.ask("SCRIPT", "LOAD", script)
        try:
            return await self.ask("EVALSHA", self._hashes[script], len(keys), *keys, *arguments)
        except LineError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
        return await self.ask("EVAL", script, len(keys), *keys, *arguments)  # which keeps it

    async def close(self) -> None:
        """For good: who asks from here on gets a LineError."""
        self._is_closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self._open is not None:
            self._open.abort()

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        if self._is_closed:
            raise LineError("is closed")
        if self._opening is None:
            if loop.time() < self._silent_until:
                raise LineError("could not be reached a moment ago")
            self._opening = loop.create_task(_connected(self._url))
        opening = self._opening
        try:
            self._open = await asyncio.shield(opening)
        except (OSError, TimeoutError) as error:
            self._silent_until = loop.time() + PAUSE
            raise LineError(type(error).__name__) from error
        except asyncio.CancelledError:
            if opening.cancelled():
                raise LineError("is closed") from None
            raise
        finally:
            if opening.done():
                self._opening = None
        return self._open


async def _connected(url: str) -> "_Connection":
    """A connection that has signed in; raises OSError, TimeoutError or LineError."""
    where = parse_url(url)  # type: ignore[no-untyped-call]
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE):
        if "path" in where:
            _, connection = await loop.create_unix_connection(_Connection, where["path"])
        else:
            tls = ssl.create_default_context() if url.startswith("rediss:") else None
            host, port = where.get("host", "localhost"), where.get("port", 6379)
            _, connection = await loop.create_connection(_Connection, host, port, ssl=tls)
        try:
            await _greet(connection, where)
        except BaseException:
            connection.abort()
            raise
    return connection


async def _greet(connection: "_Connection", where: dict[str, Any]) -> None:
    for words in _greeting(where):
        said = await connection.ask(words)
        if isinstance(said, hiredis.ReplyError):
            raise ConnectionRefusedError(str(said))


def _greeting(where: dict[str, Any]) -> list[tuple[Any, ...]]:
    words: list[tuple[Any, ...]] = []
    if where.get("password"):
        user = (where["username"],) if where.get("username") else ()
        words.append(("AUTH", *user, where["password"]))
    if where.get("db"):
        words.append(("SELECT", where["db"]))
    return words


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.is_lost = False
        self.has_hung = False
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader()
        self._unsent: list[bytes] = []
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._answered = 0
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (said := self._reader.gets()) is not False:
            self._answered += 1
            waiting = self._waiting.popleft()
            if not waiting.done():  # who asked may have left
                waiting.set_result(said)

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_lost = True
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(LineError("the connection was lost"))

    def ask(self, words: tuple[Any, ...]) -> "asyncio.Future[Any]":
        if self.is_lost:
            raise LineError("the connection was lost")
        waiting = self._loop.create_future()
        self._waiting.append(waiting)
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(hiredis.pack_command(words))
        if self._watch is None:
            self._watch = self._loop.call_later(PATIENCE, self._look, self._answered)
        return waiting

    def _flush(self) -> None:
        """What is asked in one turn of the loop goes out at once: sending costs more than all else."""
        self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def abort(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._transport.abort()

    def _look(self, answered: int) -> None:
        """One timer for all: who waits while nothing at all comes back waits for nothing."""
        self._watch = None
        if self._waiting and self._answered == answered:
            self.has_hung = True
            self.abort()
        elif self._waiting:
            self._watch = self._loop.call_later(PATIENCE, self._look, self._answered)
