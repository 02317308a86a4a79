"""The emulated store on HTTP, as one web application.

`/<marketplace>/1.0/…` is its API, `/<marketplace>/search`, `…/series/<ASIN>` and `…/pd/<ASIN>` are
its pages. `POST /emulator/<verb>` takes the verb's arguments as a JSON
object; `GET /emulator/state` and `GET /emulator/requests` tell what is and what was asked.
"""

import asyncio
import datetime as dt
import hashlib
import inspect
import json
import time
from collections.abc import Callable
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from scraping.emulator import answers
from scraping.emulator.answers import Reply
from scraping.emulator.catalogue import EmulatorError, Shelf
from scraping.emulator.moods import STATUSES, Mood, Surface
from scraping.emulator.site.lists import search_page, series_page
from scraping.emulator.site.markup import BUSY, ROBOT_CHECK, missing_page
from scraping.emulator.site.products import product_page
from scraping.emulator.store import Store

_REFUSED = {"message": "1 validation error detected: the store is not in the mood"}
_HEADERS = {"Cache-Control": "private, max-age=1800"}
VERBS: dict[str, Callable[..., Any]] = {
    "announce": Store.announce,
    "place": Store.place,
    "stock": Store.stock,
    "reissue": Store.reissue,
    "rerecord": Store.rerecord,
    "translate": Store.translate,
    "sell_also": Store.sell_also,
    "change": Store.change,
    "fill_in": Store.fill_in,
    "move_date": Store.move_date,
    "release": Store.release,
    "withdraw": Store.withdraw,
    "restore": Store.restore,
    "throttle": Store.throttle,
    "break": Store.break_,
    "heal": Store.heal,
    "show_layout": Store.show_layout,
    "pass_time": Store.pass_time,
}

Handler = Callable[[web.Request], Any]


def make_app(store: Store) -> web.Application:
    """The store's web application."""
    desk = _Desk(store)
    app = web.Application()
    api = "/{marketplace}/1.0"
    app.add_routes(
        [
            web.get("/emulator/state", desk.tell_state),
            web.get("/emulator/requests", desk.tell_requests),
            web.post("/emulator/{verb}", desk.obey),
            web.get(f"{api}/catalog/products", desk.api(_listing)),
            web.get(f"{api}/catalog/products/{{asin}}", desk.api(_single)),
            web.get(f"{api}/catalog/categories", desk.api(_categories)),
            web.get(f"{api}/wishlist", desk.api(_wishlist)),
            web.get("/{marketplace}/search", desk.page(_search)),
            *(
                web.get(f"/{{marketplace}}/{path}{slug}/{{asin}}", desk.page(show))
                for path, show in (("series", _series), ("pd", _product))
                for slug in ("", "/{slug}")
            ),
        ]
    )
    return app


def _listing(_store: Store, shelf: Shelf, request: web.Request) -> Reply:
    return answers.listing(shelf, request.query)


def _single(_store: Store, shelf: Shelf, request: web.Request) -> Reply:
    return answers.single(shelf, request.match_info["asin"], request.query)


def _categories(_store: Store, _shelf: Shelf, _request: web.Request) -> Reply:
    return answers.categories()


def _wishlist(store: Store, shelf: Shelf, _request: web.Request) -> Reply:
    return answers.wishlist(shelf, store.today(shelf.marketplace))


def _search(_store: Store, shelf: Shelf, request: web.Request, mood: str) -> str | None:
    return search_page(shelf, request.query, mood)


def _series(store: Store, shelf: Shelf, request: web.Request, mood: str) -> str | None:
    series = shelf.series.get(request.match_info["asin"])
    layout = store.take_layout(shelf.marketplace)
    return series_page(shelf, series, request.query, layout, mood) if series else None


def _product(store: Store, shelf: Shelf, request: web.Request, mood: str) -> str | None:
    product = shelf.products.get(request.match_info["asin"])
    layout = store.take_layout(shelf.marketplace)
    if product is None or product.is_withdrawn or mood == "stubs":
        return None
    return product_page(shelf, product, layout)


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

    def api(self, answer: Callable[[Store, Shelf, web.Request], Reply]) -> Handler:
        """Answers of the catalogue, unless the mood is another."""

        def respond(shelf: Shelf, request: web.Request, kind: str) -> web.Response:
            reply = answer(self.store, shelf, request).in_mood(kind)
            body = _cut(reply.text().encode(), kind)
            return _tagged(body, reply.status, request, is_tagged=kind != "untagged")

        return self._handler("api", respond)

    def page(self, show: Callable[[Store, Shelf, web.Request, str], str | None]) -> Handler:
        """Web pages, unless the mood is another; `show` gives None where there is none."""

        def respond(shelf: Shelf, request: web.Request, kind: str) -> web.Response:
            if kind == "empty":
                shelf = Shelf(shelf.marketplace, shelf.rng)
            text = show(self.store, shelf, request, kind)
            if text is None:
                return _missing(request, kind)
            return web.Response(
                body=_cut(text.encode(), kind), content_type="text/html", charset="utf-8"
            )

        return self._handler("html", respond)

    def _handler(
        self, surface: Surface, respond: Callable[[Shelf, web.Request, str], web.Response]
    ) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            shelf = self.store.shelves.get(request.match_info["marketplace"])
            if shelf is None:
                return web.json_response({"message": "no such marketplace"}, status=404)
            noted = self._note(request, shelf, surface)
            mood = self.store.take_mood(shelf.marketplace, surface)
            refusal = await self._in_mood(mood, request, surface) if mood else None
            response = refusal or respond(shelf, request, mood.kind if mood else "")
            noted["status"] = response.status
            return response

        return handle

    def _note(self, request: web.Request, shelf: Shelf, surface: str) -> dict[str, Any]:
        noted: dict[str, Any] = {
            "at": time.time(),
            "marketplace": shelf.marketplace,
            "surface": surface,
            "url": str(request.rel_url),
        }
        self.store.requests.append(noted)
        return noted

    async def _in_mood(
        self, mood: Mood, request: web.Request, surface: Surface
    ) -> web.Response | None:
        """The answer of a store that does not look at its shelves; None where it does."""
        if mood.kind == "throttle":
            return self._throttled(mood)
        if mood.kind == "slow":
            await asyncio.sleep(mood.seconds)
        if mood.kind in _PLAIN_MOODS:
            return _PLAIN_MOODS[mood.kind]()
        if mood.kind == "blank" or (mood.kind == "empty" and "asin" in request.match_info):
            return web.Response(text="", content_type="application/json")
        if mood.kind == "empty" and surface == "api":
            return web.json_response({"products": [], "total_results": 0}, headers=_HEADERS)
        return None

    def _throttled(self, mood: Mood) -> web.Response:
        response = _web_page(BUSY, mood.status)
        if mood.retry_after is not None:
            response.headers["Retry-After"] = str(mood.retry_after)
        if mood.as_date and not isinstance(mood.retry_after, str):
            until = self.store.now() + dt.timedelta(seconds=mood.retry_after or 0)
            response.headers["Retry-After"] = format_datetime(until, usegmt=True)
        return response


def _web_page(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html")


def _missing(request: web.Request, kind: str) -> web.Response:
    """There is no such page; or, where nothing is shown, the way to one that says so."""
    if kind != "led_away":
        return _web_page(missing_page(), 404)
    place = "/?pderror=true" if "asin" in request.match_info else "/search/no-search-results"
    return web.Response(status=302, headers={"Location": place})


def _failing(status: int) -> Callable[[], web.Response]:
    return lambda: _web_page(BUSY, status)


_PLAIN_MOODS: dict[str, Callable[[], web.Response]] = {
    "captcha": lambda: _web_page(ROBOT_CHECK),
    "abroad": lambda: web.Response(status=302, headers={"Location": "https://abroad.example/"}),
    "not_modified": lambda: web.Response(status=304, headers=_HEADERS),
    **{kind: _failing(status) for kind, status in STATUSES.items()},
    "error400": lambda: web.json_response(_REFUSED, status=400),
}


def _cut(body: bytes, kind: str) -> bytes:
    return body[: len(body) // 2] if kind == "truncated" else body


def _tagged(body: bytes, status: int, request: web.Request, *, is_tagged: bool) -> web.Response:
    """With a tag that changes with the body; nothing but that where the asker knows it."""
    headers = dict(_HEADERS)
    if status == 200 and is_tagged:
        headers["ETag"] = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        known = request.headers.get("If-None-Match", "")
        if headers["ETag"] in (each.strip().removeprefix("W/") for each in known.split(",")):
            return web.Response(status=304, headers=headers)
    return web.Response(
        body=body,
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )
