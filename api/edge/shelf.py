"""Answers in Redis, for all processes; and who of them makes one that is missing."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Final

from django.conf import settings

from api.edge.answers import KEEP, Answer
from api.edge.line import Line, LineError
from api.edge.questions import Question

PREFIX: Final = "stalkerr:edge:"
_MAKING: Final = 5_000  # ms that others wait for a maker before they think it died
_LOOK: Final = 0.02  # seconds between two looks

Make = Callable[[], Awaitable[Answer | None]]


class Shelf:
    """Where it can't be reached, every process makes its own answers."""

    def __init__(self) -> None:
        self.line = Line(settings.CACHE_URL)

    async def find(self, question: Question, stamp: str, now: int, make: Make) -> Answer | None:
        """The answer, made by one process alone if there is none yet."""
        key = _key(question)
        try:
            found = await self._get(key, stamp, now)
            if found or not await self._may_make(key, stamp):
                found = found or await self._awaited(key, stamp, now)
        except LineError:
            return await make()
        return found or await self._make(key, stamp, make)

    async def put(self, question: Question, answer: Answer) -> None:
        """Keep it; no harm where it can't be."""
        await self._put(_key(question), answer)

    async def _get(self, key: str, stamp: str, now: int) -> Answer | None:
        kept = await self.line.ask("GET", key)
        answer = Answer.loaded(kept) if kept else None
        return answer if answer and answer.is_good(stamp, now) else None

    async def _may_make(self, key: str, stamp: str) -> bool:
        return bool(await self.line.ask("SET", _turn(key, stamp), 1, "NX", "PX", _MAKING))

    async def _awaited(self, key: str, stamp: str, now: int) -> Answer | None:
        """What another process is making; None if it takes too long."""
        for _ in range(int(_MAKING / 1000 / _LOOK)):
            await asyncio.sleep(_LOOK)
            found = await self._get(key, stamp, now)
            if found or not await self.line.ask("EXISTS", _turn(key, stamp)):
                return found or await self._get(key, stamp, now)
        return None

    async def _make(self, key: str, stamp: str, make: Make) -> Answer | None:
        answer = await make()
        if answer is not None:
            await self._put(key, answer)
        try:
            await self.line.ask("DEL", _turn(key, stamp))
        except LineError:
            return answer  # the turn ends by itself
        return answer

    async def _put(self, key: str, answer: Answer) -> None:
        try:
            await self.line.ask("SET", key, answer.dumped(), "PX", KEEP)
        except LineError:
            return


def _key(question: Question) -> str:
    text = repr((question.url, question.codes)).encode("utf-8", "replace")
    return PREFIX + hashlib.blake2b(text, digest_size=16).hexdigest()


def _turn(key: str, stamp: str) -> str:
    return f"{key}:{hashlib.blake2b(stamp.encode(), digest_size=8).hexdigest()}"
