"""The lane before Django: the few hot reads of strangers, answered from memory.

Each costs one question to Redis, which counts it and says how new everything is. Whatever is
unusual, unknown or broken goes on to Django, which answers all of it by itself; what was counted
is not counted again there (api/counting.py, COUNTED).
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, connections

from api.counting import COUNTED, Count, Counted
from api.edge import answers
from api.edge.answers import Answer
from api.edge.counter import Counter, Moment
from api.edge.flights import Flights
from api.edge.line import LineError
from api.edge.making import Maker, Pool, new_pool
from api.edge.memory import Memory
from api.edge.protocol import Application, Receive, Scope, Send
from api.edge.questions import Asked, Question, read
from api.edge.shelf import Shelf
from api.edge.witness import seen_in
from catalog import revisions
from stalkerr import figures

PULSE = 5.0  # seconds
_OUTCOMES = ("hit", "miss", "not_modified", "passed")
_ANSWERS = {outcome: figures.EDGE_ANSWERS.labels(outcome) for outcome in _OUTCOMES}

_log = structlog.get_logger(__name__)


class Lane:
    """An ASGI application around Django's; without a lifespan it only passes on."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._open: OpenLane | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        asked = read(scope) if self._open and scope["type"] == "http" else None
        is_answered = asked and self._open and await self._open.answer(asked, scope, send)
        if not is_answered:
            await self._application(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._open = OpenLane(self._application)
        await self._open.begin()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        lane, self._open = self._open, None
        await lane.end()
        await send({"type": "lifespan.shutdown.complete"})


class OpenLane:
    """What lives on one event loop: pool, lines, memory, and the pulse."""

    def __init__(self, application: Application) -> None:
        self._pool: Pool = new_pool(settings.EDGE_POOL_MAX)
        self._maker = Maker(application, self._pool)
        self._counter, self._shelf = Counter(), Shelf()
        self._memory = Memory()
        self._flights: Flights[Answer | None] = Flights()

    async def begin(self) -> None:
        await self._pool.open()
        self._pulse = asyncio.create_task(self._beat())

    async def end(self) -> None:
        self._pulse.cancel()
        await asyncio.gather(self._pulse, return_exceptions=True)
        await self._flights.close()
        await asyncio.to_thread(figures.leave, self._pools())
        await self._counter.line.close()
        await self._shelf.close()
        await self._pool.close()

    async def answer(self, asked: Asked, scope: Scope, send: Send) -> bool:
        """Answer if it can; False: it was counted at most, and Django is to answer."""
        try:
            moment = await self._counter.take(asked.limit)
        except LineError:
            return False
        scope[COUNTED] = Counted(asked.limit.rule, moment.count)
        stamp = moment.stamp(asked.question.codes) if moment.count.accepted else ""
        answer = await self._find(asked.question, stamp, moment, scope) if stamp else None
        if answer is None:
            _ANSWERS["passed"].inc()
            return False
        seen = seen_in(scope)
        seen.lane, seen.route = "edge", asked.question.route
        await self._send(answer, asked, moment.count, send)
        return True

    async def _find(
        self, question: Question, stamp: str, moment: Moment, scope: Scope
    ) -> Answer | None:
        known = self._memory.get(question)
        if known is not None and known.is_good(stamp, moment.at):
            _ANSWERS["hit"].inc()
            return known

        async def fetch() -> Answer | None:
            return await self._fetch(question, stamp, moment, scope)

        return await self._flights.join((question, stamp), fetch)

    async def _fetch(
        self, question: Question, stamp: str, moment: Moment, scope: Scope
    ) -> Answer | None:
        """From Redis, or made: for all who wait for it."""
        is_made = False

        async def make() -> Answer | None:
            nonlocal is_made
            is_made = True
            return await self._maker.make(question, stamp, moment, scope)

        found = await self._shelf.find(question, stamp, moment.at, make)
        if found is not None:
            self._memory.put(question, found)
            _ANSWERS["miss" if is_made else "hit"].inc()
        return found

    async def _send(self, answer: Answer, asked: Asked, count: Count, send: Send) -> None:
        headers = asked.headers
        is_known = answer.is_known_to(headers.get(b"if-none-match", b""))
        coding = answer.coding_for(headers.get(b"accept-encoding", b""))
        if coding not in answer.bodies and coding and not is_known:
            answer = self._packed(answer, asked.question, coding)
        if is_known:
            _ANSWERS["not_modified"].inc()
        await answers.send(
            answer, coding, _left(count), send, is_head=asked.is_head, is_known=is_known
        )

    def _packed(self, answer: Answer, question: Question, coding: str) -> Answer:
        """By the first of those who waited for it: what it packed, the others find."""
        kept = self._memory.get(question) or answer
        if kept.stamp != answer.stamp:  # there is a newer one, which stays
            return answer.packed(coding)
        if coding not in kept.bodies:
            kept = kept.packed(coding)
            self._memory.put(question, kept)
            self._shelf.put(question, kept)
        return kept

    async def _beat(self) -> None:
        """What a lost hint left unsaid is said, whoever else is at work; and how things stand."""
        while True:
            try:
                await asyncio.to_thread(_publish)
            except DatabaseError as error:
                _log.warning("revisions_not_read", error=type(error).__name__)
            await asyncio.to_thread(figures.tell, self._pools())
            await asyncio.sleep(PULSE)

    def _pools(self) -> dict[str, dict[str, int]]:
        """Connections: the lane's own, and Django's."""
        pools = {"edge": self._pool, "django": getattr(connection, "pool", None)}
        return {name: _state(pool.get_stats()) for name, pool in pools.items() if pool}


def _state(told: Mapping[str, int]) -> dict[str, int]:
    size = told.get("pool_size", 0)
    in_use, waiting = size - told.get("pool_available", 0), told.get("requests_waiting", 0)
    return {"size": size, "in_use": in_use, "waiting": waiting}


def _publish() -> None:
    try:
        revisions.publish()
    finally:
        connections.close_all()


def _left(count: Count) -> list[tuple[bytes, bytes]]:
    """As api/throttling.py, tell_count, says it."""
    told: list[tuple[bytes, Any]] = [
        (b"ratelimit-limit", count.limit),
        (b"ratelimit-remaining", count.remaining),
        (b"ratelimit-reset", count.reset),
    ]
    return [(name, b"%d" % number) for name, number in told]
