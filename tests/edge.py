"""The edge lane in this process, on an event loop of its own, and requests to it."""

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from django.conf import settings
from django.core.asgi import get_asgi_application
from redis import Redis

from api.edge.bodies import bounded
from api.edge.lane import Lane
from api.edge.protocol import Receive, Scope, Send
from api.edge.witness import Witness
from catalog.revisions import PLACE
from stalkerr import figures

PEER = "198.51.100.7"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]  # names in lower case; but for the request's id, always another
    body: bytes
    request_id: str = ""


def answered(outcome: str) -> int:
    """How many reads of this process came to that, whichever lane it was."""
    return int(figures.EDGE_ANSWERS.labels(outcome)._value.get())


def titles(reply: Reply) -> list[str]:
    assert reply.status == 200, reply
    return [book["title"] for book in json.loads(reply.body)["results"]]


class Edge:
    """`asked_of_django`: the paths that the lane left to Django, or had it answer."""

    def __init__(self) -> None:
        self.asked_of_django: list[str] = []
        self._django = bounded(get_asgi_application(), settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        self._lane = Lane(self._pass_on)
        self._application = Witness(self._lane)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked_of_django.append(scope["path"])
        await self._django(scope, receive, send)

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait(self._begin())
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._wait(self._live)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def get(
        self,
        path: str,
        *,
        method: str = "GET",
        peer: str = PEER,
        scheme: str = "http",
        **headers: str,
    ) -> Reply:
        """What it answers; `accept_encoding` is the header Accept-Encoding."""
        reply: Reply = self._wait(self._ask(path, method, peer, headers, scheme))
        return reply

    def get_all(self, paths: Sequence[str], **headers: str) -> list[Reply]:
        """The same for all of them at once."""

        async def ask_all() -> list[Reply]:
            return await asyncio.gather(*(self._ask(path, "GET", PEER, headers) for path in paths))

        replies: list[Reply] = self._wait(ask_all())
        return replies

    @property
    def open(self) -> Any:
        return self._lane._open

    def _wait(self, work: Any) -> Any:
        if isinstance(work, asyncio.Task):
            work = asyncio.wait_for(work, 20)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _begin(self) -> None:
        self._end = threading.Event()
        started = asyncio.Event()
        said = iter(["lifespan.startup"])

        async def receive() -> dict[str, Any]:
            kind = next(said, None)
            if kind is None:
                await asyncio.to_thread(self._end.wait, 300)
            return {"type": kind or "lifespan.shutdown"}

        async def send(message: Any) -> None:
            assert message["type"].endswith(".complete")
            started.set()

        self._live = asyncio.create_task(self._lane({"type": "lifespan"}, receive, send))
        await started.wait()

    async def _ask(
        self, path: str, method: str, peer: str, headers: dict[str, str], scheme: str = "http"
    ) -> Reply:
        where = urlsplit(path)
        given = {"host": "testserver"} | {name.replace("_", "-"): v for name, v in headers.items()}
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": scheme,
            "path": where.path,
            "raw_path": where.path.encode(),
            "query_string": where.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": (peer, 1),
            "server": ("testserver", 80),
        }
        messages: list[Any] = []
        is_read = False

        async def receive() -> dict[str, Any]:
            nonlocal is_read
            if is_read:
                await asyncio.Event().wait()
            is_read = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        await self._application(scope, receive, send)
        head = {name.decode().lower(): value.decode() for name, value in messages[0]["headers"]}
        body = b"".join(each.get("body", b"") for each in messages[1:])
        request_id = head.pop("x-request-id")
        return Reply(messages[0]["status"], head, body, request_id)


@contextmanager
def forgetful() -> Iterator[None]:
    """Nothing of earlier tests is kept in Redis, nor that it could not be reached."""
    figures._silent_until = 0.0
    for url in {settings.CACHE_URL, settings.BUCKETS_URL}:
        with Redis.from_url(url) as redis:
            kept = [*redis.scan_iter("stalkerr:edge:*", 1000), *redis.scan_iter(f"{PLACE}*", 1000)]
            redis.delete(figures.POOLS, *kept)
    yield
