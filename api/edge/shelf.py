"""Answers in Redis, for all processes; and who of them makes one that is missing."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

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
        self._under_way: set[asyncio.Task[None]] = set()

    async def find(self, question: Question, stamp: str, now: int, make: Make) -> Answer | None:
        """The answer, made by one process alone if there is none yet."""
        key = _key(question)
        try:
            kept, is_mine = await asyncio.gather(
                self.line.ask("GET", key),
                self.line.ask("SET", _turn(key, stamp), 1, "NX", "PX", _MAKING),
            )
            found = _good(kept, stamp, now)
            if found is None and not is_mine:
                found = await self._awaited(key, stamp, now)
        except LineError:
            return await make()
        answer = found or await make()
        if is_mine:
            self._later(self._settle(key, stamp, None if found else answer))
        return answer

    def put(self, question: Question, answer: Answer) -> None:
        """Keep it, soon; no harm where it can't be."""
        self._later(self._put(_key(question), answer))

    async def close(self) -> None:
        """Once what nobody waits for is done: others may wait for their turn."""
        await asyncio.gather(*self._under_way)
        await self.line.close()

    async def _awaited(self, key: str, stamp: str, now: int) -> Answer | None:
        """What another process is making; None if it takes too long."""
        for _ in range(int(_MAKING / 1000 / _LOOK)):
            await asyncio.sleep(_LOOK)
            is_making = await self.line.ask("EXISTS", _turn(key, stamp))
            found = _good(await self.line.ask("GET", key), stamp, now)
            if found or not is_making:
                return found
        return None

    async def _settle(self, key: str, stamp: str, made: Answer | None) -> None:
        """Keep what was made, then let others have their turn."""
        if made is not None:
            await self._put(key, made)
        with suppress(LineError):  # the turn ends by itself
            await self.line.ask("DEL", _turn(key, stamp))

    async def _put(self, key: str, answer: Answer) -> None:
        with suppress(LineError):
            await self.line.ask("SET", key, answer.dumped(), "PX", KEEP)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Nobody waits for it."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


def _good(kept: bytes | None, stamp: str, now: int) -> Answer | None:
    try:
        answer = Answer.loaded(kept) if kept else None
    except (ValueError, KeyError, TypeError):  # of another version of this program, or cut off
        return None
    return answer if answer and answer.is_good(stamp, now) else None


def _key(question: Question) -> str:
    text = repr((question.url, question.codes)).encode("utf-8", "replace")
    return PREFIX + hashlib.blake2b(text, digest_size=16).hexdigest()


def _turn(key: str, stamp: str) -> str:
    return f"{key}:{hashlib.blake2b(stamp.encode(), digest_size=8).hexdigest()}"
