"""The emulated store on HTTP: `/<marketplace>/1.0/catalog/products…`, and its verbs.

`POST /emulator/<verb>` takes the verb's arguments as a JSON object; `GET /emulator/state` and
`GET /emulator/requests` tell what is and what was asked.
"""

import asyncio
import datetime as dt
import inspect
import json
import threading
import time
from collections.abc import Callable
from email.utils import format_datetime
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from scraping.emulator import answers
from scraping.emulator.store import EmulatorError, Mood, Store

_CAPTCHA = "<!doctype html><html><title>Robot check</title><body>Type what you see.</body></html>"
_BUSY = "<html><body><h1>Service busy</h1></body></html>"
_HEADERS = {"Cache-Control": "private, max-age=1800"}
VERBS: dict[str, Callable[..., Any]] = {
    "announce": Store.announce,
    "stock": Store.stock,
    "fill_in": Store.fill_in,
    "move_date": Store.move_date,
    "release": Store.release,
    "withdraw": Store.withdraw,
    "restore": Store.restore,
    "throttle": Store.throttle,
    "break": Store.break_,
    "heal": Store.heal,
    "pass_time": Store.pass_time,
}


def make_app(store: Store) -> web.Application:
    """The store's web application."""
    desk = _Desk(store)
    app = web.Application()
    app.add_routes(
        [
            web.get("/emulator/state", desk.tell_state),
            web.get("/emulator/requests", desk.tell_requests),
            web.post("/emulator/{verb}", desk.obey),
            web.get("/{marketplace}/1.0/catalog/products", desk.answer),
            web.get("/{marketplace}/1.0/catalog/products/{asin}", desk.answer),
        ]
    )
    return app


class _Desk:
    """Takes requests for one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def tell_state(self, _request: web.Request) -> web.Response:
        return web.json_response(self.store.state())

    async def tell_requests(self, _request: web.Request) -> web.Response:
        return web.json_response(list(self.store.requests))

    async def obey(self, request: web.Request) -> web.Response:
        verb = VERBS.get(request.match_info["verb"])
        if verb is None:
            return web.json_response({"error": f"one of {', '.join(VERBS)}"}, status=404)
        try:
            given = inspect.signature(verb).bind(self.store, **json.loads(await request.read()))
            result = verb(*given.args, **given.kwargs)
        except (TypeError, ValueError, EmulatorError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"result": result})

    async def answer(self, request: web.Request) -> web.Response:
        marketplace, asin = request.match_info["marketplace"], request.match_info.get("asin")
        shelf = self.store.shelves.get(marketplace)
        if shelf is None:
            return web.json_response({"message": "no such marketplace"}, status=404)
        self.store.requests.append(
            {"at": time.time(), "marketplace": marketplace, "url": str(request.rel_url)}
        )
        mood = self.store.take_mood(marketplace)
        if mood and (refusal := await self._in_mood(mood, asin)):
            return refusal
        question = dict(request.query)
        status, content = (
            answers.single(shelf, asin, question) if asin else answers.listing(shelf, question)
        )
        if mood and mood.kind == "stubs":
            content = _stubbed(content)
        text = json.dumps(content, ensure_ascii=False)
        if mood and mood.kind == "truncated":
            text = text[: len(text) // 2]
        return web.Response(
            text=text, status=status, headers=_HEADERS, content_type="application/json"
        )

    async def _in_mood(self, mood: Mood, asin: str | None) -> web.Response | None:
        """The answer of a store that does not look at its shelves; None where it does."""
        if mood.kind == "throttle":
            return self._throttled(mood)
        if mood.kind == "slow":
            await asyncio.sleep(mood.seconds)
        if mood.kind == "captcha":
            return web.Response(text=_CAPTCHA, content_type="text/html")
        if mood.kind == "error500":
            return web.Response(text=_BUSY, status=500, content_type="text/html")
        if mood.kind == "blank" or (mood.kind == "empty" and asin):
            return web.Response(text="", content_type="application/json")
        if mood.kind == "empty":
            return web.json_response({"products": [], "total_results": 0}, headers=_HEADERS)
        return None

    def _throttled(self, mood: Mood) -> web.Response:
        headers = {}
        if mood.retry_after is not None:
            headers["Retry-After"] = str(mood.retry_after)
        if mood.as_date and not isinstance(mood.retry_after, str):
            until = self.store.now() + dt.timedelta(seconds=mood.retry_after or 0)
            headers["Retry-After"] = format_datetime(until, usegmt=True)
        return web.Response(
            text=_BUSY, status=mood.status, headers=headers, content_type="text/html"
        )


def _stubbed(content: dict[str, Any]) -> dict[str, Any]:
    """The same answer with nothing in it but ASINs."""
    if "product" in content:
        return {**content, "product": _stub(content["product"])}
    return {**content, "products": [_stub(each) for each in content.get("products", [])]}


def _stub(record: dict[str, Any]) -> dict[str, Any]:
    return {"asin": record["asin"], "asset_details": [], "is_vvab": False}


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
