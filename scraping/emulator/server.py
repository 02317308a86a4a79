"""The emulated store behind a port of its own."""

import asyncio
import threading
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from scraping.emulator.desk import make_app
from scraping.emulator.store import Store


class Emulator(Store):
    """A store that serves itself from a thread of its own: `with Emulator(seed=7) as emulator`."""

    base_url = ""

    def start(self, port: int = 0) -> str:
        """Listen on the loopback (port 0: any free one) and return the base URL."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._runner = self._await(self._listen(port))
        except OSError:
            self._stop_loop()
            raise
        host, bound_port, *_ = self._runner.addresses[0]
        self.base_url = f"http://{host}:{bound_port}"
        return self.base_url

    def stop(self) -> None:
        """Stop listening, also to those who still wait for a slow answer."""
        self._await(self._close())
        self._stop_loop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def _listen(self, port: int) -> web.AppRunner:
        runner = web.AppRunner(make_app(self), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except OSError:
            await runner.cleanup()
            raise
        return runner

    async def _close(self) -> None:
        await self._runner.cleanup()
        waiting = asyncio.all_tasks() - {asyncio.current_task()}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    def _await(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=10)

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()
