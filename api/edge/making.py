"""How answers are made: a page by PostgreSQL, over the lane's own pool; all else by Django."""

import asyncio
import datetime as dt
from collections.abc import Coroutine
from functools import lru_cache
from typing import Any, Final

import structlog
from django.db import connection
from django.http import QueryDict
from psycopg import AsyncClientCursor
from psycopg import Error as DatabaseError
from psycopg_pool import AsyncConnectionPool
from rest_framework.exceptions import ValidationError

from api.catalogue import Rows
from api.edge.answers import Answer
from api.edge.counter import Moment
from api.edge.protocol import Application, Headers, Message, Scope
from api.edge.questions import Question
from api.rest.upcoming_page import page_of, tag_of
from api.upcoming import filter_rows
from catalog.models import Audiobook

Pool = AsyncConnectionPool[Any]
PATIENCE: Final = 0.5  # seconds for a connection; then Django's pool has its turn
LONGEST: Final = 0.5  # seconds for a page; whoever waits for a database that hangs waits no longer
ORIGINS: Final = 64  # whose manners are known: a host may be spelt in many ways, with any port
# What Django needs to know of a request to answer as it would answer anybody.
_PASSED_ON: Final = frozenset({b"host", b"x-forwarded-for", b"x-forwarded-proto"})
_OF_BODY: Final = frozenset({b"etag", b"content-length"})

_log = structlog.get_logger(__name__)


def new_pool(size: int) -> Pool:
    """Made where it is used: after the fork, on the loop. Nothing is prepared (PgBouncer)."""
    arguments = connection.get_connection_params()
    arguments |= {"cursor_factory": AsyncClientCursor, "autocommit": True}
    return AsyncConnectionPool(
        kwargs=arguments, min_size=1, max_size=size, timeout=PATIENCE, open=False
    )


class Maker:
    """Makes answers to questions of one process."""

    def __init__(self, application: Application, pool: Pool) -> None:
        self._application = application
        self._pool = pool
        # How Django answers a page, but for the page: learnt from its first answer at each origin.
        self._manners: dict[str, Headers] = {}
        self._under_way: set[asyncio.Task[bytes | None]] = set()

    async def make(
        self, question: Question, stamp: str, moment: Moment, scope: Scope
    ) -> Answer | None:
        """The answer, or None where it is none to be kept: Django is to say what it is."""
        if question.is_of_page and question.origin in self._manners:
            try:
                body = await self._in_time(self._page(question, moment))
            except (DatabaseError, TimeoutError) as error:
                _log.warning("edge_page_left_to_django", error=type(error).__name__)
                return None
            headers = self._manners[question.origin]
            headers = (*headers, (b"etag", tag_of(body).encode())) if body is not None else ()
        else:
            headers, body = await self._captured(question, scope)
        return Answer.of(stamp, moment.at, headers, body) if body is not None else None

    async def _in_time(self, making: Coroutine[Any, Any, bytes | None]) -> bytes | None:
        """What it comes to, or TimeoutError.

        It is stopped and not waited for: psycopg, to stop a question, asks the server that hangs.
        """
        task = asyncio.create_task(making)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            done, _ = await asyncio.wait([task], timeout=LONGEST)
        finally:
            task.cancel()
        if not done:
            raise TimeoutError
        return task.result()

    async def _page(self, question: Question, moment: Moment) -> bytes | None:
        asked = QueryDict(question.query)
        rows, errors = filter_rows(_upcoming(moment.minute()), asked)
        if errors:
            return None
        try:
            page = page_of(rows, asked)
        except ValidationError:
            return None
        async with self._pool.connection() as connection:
            cursor = await connection.execute(page.statement, page.parameters or None)
            row: Any = await cursor.fetchone()
        return page.body(row, question.url)

    async def _captured(self, question: Question, scope: Scope) -> tuple[Headers, bytes | None]:
        """What Django answers to anybody who asks that and has nothing yet."""
        capture = Capture()
        headers = [each for each in scope["headers"] if each[0] in _PASSED_ON]
        asked = {**scope, "method": "GET", "headers": headers}
        if question.is_of_page:
            asked["query_string"] = question.query.encode()
        await self._application(asked, capture.receive, capture.send)
        if capture.status != 200 or any(name == b"set-cookie" for name, _ in capture.headers):
            return (), None
        if question.is_of_page:
            if len(self._manners) >= ORIGINS:
                self._manners.clear()
            self._manners[question.origin] = tuple(
                each
                for each in capture.headers
                if each[0] not in _OF_BODY and not each[0].startswith(b"ratelimit-")
            )
        return capture.headers, b"".join(capture.pieces)


@lru_cache(4)
def _upcoming(minute: dt.datetime) -> Rows:
    """The same for a minute: no store's day begins within one."""
    return Audiobook.objects.upcoming(minute)


class Capture:
    """A client of Django's within this process."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = ()
        self.pieces: list[bytes] = []
        self._is_asked = False

    async def receive(self) -> Message:
        if self._is_asked:  # who waits for the end of this client waits until the answer is there
            await asyncio.Event().wait()
        self._is_asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = tuple((name.lower(), value) for name, value in message["headers"])
        else:
            self.pieces.append(message.get("body", b""))
