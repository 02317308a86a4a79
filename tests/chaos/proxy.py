"""A way to a server that a drill can make slow, silent, or cut."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from tests.sinks import Served


class FaultProxy(Served):
    """Passes on TCP from its own `port` to the one at `target`, both on 127.0.0.1.

    Use it from any thread. What it swallows is held, as by a network that lost its way: it goes on
    when that heals, unless the connection was cut.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.delay = 0.0  # seconds, of every piece that comes back
        self.is_shut = False  # who comes is sent away at once
        self._writers: set[asyncio.StreamWriter] = set()
        self._joined: set[asyncio.Task[None]] = set()

    def swallow(self) -> None:
        """Take connections and whatever comes over them, and pass nothing on."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def heal(self) -> None:
        self.is_shut = False
        self._loop.call_soon_threadsafe(self._flows.set)

    def cut(self) -> None:
        """Reset every connection there is."""
        self._loop.call_soon_threadsafe(self._abort_all)

    def forget(self) -> None:
        """Leave every connection half open: to the other side it is closed, to this one silent."""
        self._loop.call_soon_threadsafe(self._forget_all)

    def shut(self) -> None:
        """Cut, and let nobody in until it heals."""
        self.is_shut = True
        self.cut()

    async def _serve(self, ready: Callable[[], None]) -> None:
        self._flows = asyncio.Event()
        self._flows.set()
        listener = await asyncio.start_server(self._welcome, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        ready()
        await self._stop.wait()
        listener.close()
        self._flows.set()
        self._abort_all()
        await asyncio.sleep(0)

    def _abort_all(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    def _forget_all(self) -> None:
        for task in self._joined:
            task.cancel()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._flows.wait()
            if not self.is_shut:
                await self._live(asyncio.create_task(self._join(reader, writer)))
        except OSError:  # nobody listens there
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _live(self, joined: "asyncio.Task[None]") -> None:
        self._joined.add(joined)
        await asyncio.wait([joined])
        self._joined.discard(joined)
        if joined.cancelled():
            await self._stop.wait()  # forgotten: this side is not told
        else:
            joined.result()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers.add(there)
        try:
            await asyncio.gather(
                self._pump(reader, there, slow=False), self._pump(there_reader, writer, slow=True)
            )
        finally:
            self._writers.discard(there)
            there.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slow: bool
    ) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(65536):
                if slow and self.delay:
                    await asyncio.sleep(self.delay)
                await self._flows.wait()
                writer.write(piece)
                await writer.drain()
        writer.close()
