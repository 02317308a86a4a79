"""The way out for a library that opens its own connections: a proxy that judges before it dials.

It lives for one send, listens on this machine only, and wants a credential that only this send has.
It takes nothing but CONNECT to port 443 of the few hosts it was given; resolves each name once,
judges every address as `outbound` does, dials a judged one, and judges the peer. What passes is
counted and capped: the counts say whether anything of a request can have arrived.
"""

import asyncio
import base64
import contextlib
import hmac
import os
import re
import secrets
import socket
from collections.abc import Collection, Sequence
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final, Self

from django.conf import settings

from stalkerr.addresses import Address, OutboundError, Resolve, guard
from stalkerr.outbound import NotSentError

TLS_PORT: Final = 443
HEAD_MAX: Final = 8 * 1024
BYTES_MAX: Final = 256 * 1024  # each way, over all connections
CONNECTIONS_MAX: Final = 16  # over its life
CHUNK: Final = 16 * 1024
USER: Final = "stalkerr"

_CONNECT: Final = re.compile(rb"CONNECT ([a-z0-9.-]+):443 HTTP/1\.[01]\r\n", re.IGNORECASE)
_CREDENTIAL: Final = re.compile(rb"\r\nProxy-Authorization: *Basic +([\w+/=-]+)\r\n", re.IGNORECASE)


class _RefusedError(Exception):
    """A request that is answered with a status, and goes nowhere."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


class VettingProxy:
    """A block in which `url` is a proxy to `hosts`. `resolve` is how names are looked up.

    `port`: where these hosts listen, whatever the request says; for tests.
    """

    url = ""

    def __init__(self, hosts: Collection[str], resolve: Resolve, *, port: int = TLS_PORT) -> None:
        self.up = self.down = 0  # bytes that passed: to the hosts, and from them
        self.error: OutboundError | None = None  # why the last connection was not made
        self._hosts = frozenset(hosts)
        self._resolve = resolve
        self._port = port
        self._guard = guard()
        self._secret = secrets.token_urlsafe(32)
        self._connections: set[asyncio.Task[None]] = set()
        self._count = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._welcome, "127.0.0.1", 0, limit=HEAD_MAX)
        self.url = f"http://{USER}:{self._secret}@127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(settings.OUTBOUND_TIMEOUT.total_seconds()):
                await self._answer(reader, writer)
                writer.close()
                await writer.wait_closed()
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass  # it ended; whoever asked sees that
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            host = self._host_of(await reader.readuntil(b"\r\n\r\n"))
            far_reader, far_writer = await self._connect(host)
        except _RefusedError as refused:
            writer.write(_head(refused.status))
            return
        try:
            writer.write(_head(HTTPStatus.OK))
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_up(reader, far_writer))
                both.create_task(self._pass_down(far_reader, writer))
        except* OSError:
            pass  # either side went away, or a cap was reached: both are let go
        finally:
            far_writer.transport.abort()

    def _host_of(self, head: bytes) -> str:
        """The host that a request may be connected to."""
        credential = _CREDENTIAL.search(head)
        mine = base64.b64encode(f"{USER}:{self._secret}".encode())
        if not credential or not hmac.compare_digest(credential[1], mine):
            raise _RefusedError(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED)
        asked = _CONNECT.match(head)
        self._count += 1
        if not asked or self._count > CONNECTIONS_MAX:
            raise _RefusedError(HTTPStatus.FORBIDDEN)
        host = asked[1].decode().lower()
        if host not in self._hosts:
            self.error = NotSentError(f"Nothing was sent: {host} is not a host of this service.")
            raise _RefusedError(HTTPStatus.FORBIDDEN)
        return host

    async def _connect(self, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            addresses = await self._guard.addresses_of(host, self._resolve)
            far = await self._dial(addresses)
            peer = far[1].get_extra_info("peername")
            try:
                self._guard.check_address(host, ip_address(peer[0]))
            except BaseException:
                far[1].transport.abort()
                raise
        except OutboundError as error:
            self.error = error
            raise _RefusedError(HTTPStatus.FORBIDDEN) from error
        except OSError as error:
            self.error = NotSentError(_words(error))
            raise _RefusedError(HTTPStatus.BAD_GATEWAY) from error
        return far

    async def _dial(
        self, addresses: Sequence[Address]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the first that takes one."""
        *others, last = addresses
        for address in others:
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(str(address), self._port)
        return await asyncio.open_connection(str(last), self._port)

    async def _pass_up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK):
            self.up += len(chunk)
            await _write(writer, chunk, self.up)
        writer.write_eof()

    async def _pass_down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK):
            self.down += len(chunk)
            await _write(writer, chunk, self.down)
        writer.write_eof()


async def _write(writer: asyncio.StreamWriter, chunk: bytes, passed: int) -> None:
    if passed > BYTES_MAX:
        raise ConnectionAbortedError("more than one send needs")
    writer.write(chunk)
    await writer.drain()


def _head(status: HTTPStatus) -> bytes:
    return f"HTTP/1.1 {status} {status.phrase}\r\n\r\n".encode()


def _words(error: OSError) -> str:
    if isinstance(error, socket.gaierror) or not error.errno:
        return "Nothing was sent: there is no such host."
    return f"Nothing was sent: no connection ({os.strerror(error.errno)})."
