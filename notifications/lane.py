"""The network's side of telling: so many sends at once, fairly among destinations.

All of it runs on the event loop's thread, but for what says otherwise. A slot is taken by a send and
freed when its result is settled: what a kill can double is never more than the slots.
"""

import asyncio
import datetime as dt
import queue
import random
import time
import traceback
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings

from notifications.channels.base import Channel, Envelope, Outcome, Verdict
from notifications.destinations import BREAKER_AFTER, is_answered
from notifications.retry import Facts, decide
from notifications.sending import Claimed
from notifications.settling import Settled
from stalkerr.outbound import Client

UNPROVEN = 4  # a destination that has not answered yet gets this part of the slots
SPARED_FOR = dt.timedelta(seconds=5)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A message ready for the wire, or for what is wrong with it."""

    message: Claimed
    destination_id: int
    envelope: Envelope
    config: Any  # None where `failed` says why
    failed: Outcome | None = None
    wait: float = 0.0  # seconds, for its turn
    is_deaf: bool = False  # its channel was disabled, or lost its confirmation, since it was due


@dataclass(frozen=True, slots=True)
class Returned:
    """A message that was not sent, to be given back: no attempt was made."""

    message: Claimed
    wait: dt.timedelta


Finished = queue.SimpleQueue[Settled | Returned]


class Lane:
    """The sends of one call of `tell`."""

    def __init__(
        self, channel: Channel[Any], client: Client, *, slots: int, seconds: float
    ) -> None:
        """Made on the caller's thread; after so many `seconds` no send begins."""
        self.finished: Finished = queue.SimpleQueue()
        self._channel = channel
        self._client = client
        self._slots = slots
        self._in_flight = 0
        self._unsettled = 0
        self._ends = time.monotonic() + seconds
        self._waiting: dict[int, deque[Job]] = {}
        self._running: Counter[int] = Counter()
        self._failing: Counter[int] = Counter()
        self._proven: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, jobs: Iterable[Job], now: dt.datetime) -> None:
        """Send these as slots come free; `now` is the database's clock, as of this moment."""
        begun = time.monotonic()
        self._clock = now - dt.timedelta(seconds=begun)
        asyncio.get_running_loop().call_later(max(0.0, self._ends - begun), self.close)
        for job in jobs:
            self._waiting.setdefault(job.destination_id, deque()).append(job)
        self._fill()

    def settled(self, results: int) -> None:
        """So many results are written down."""
        self._unsettled -= results
        self._fill()

    def close(self) -> None:
        """Give back whatever has not begun."""
        for jobs in self._waiting.values():
            for job in jobs:
                self._give_back(job, dt.timedelta())
        self._waiting.clear()

    def _fill(self) -> None:
        while self._has_room() and (job := self._next()):
            self._start(job)
            task = asyncio.get_running_loop().create_task(self._run(job))
            self._tasks.add(task)  # the loop itself holds them weakly
            task.add_done_callback(self._tasks.discard)

    def _start(self, job: Job) -> None:
        self._in_flight += 1
        self._running[job.destination_id] += 1

    def _has_room(self) -> bool:
        return self._in_flight + self._unsettled < self._slots

    def _next(self) -> Job | None:
        """The next job of the destination that has waited longest and has a share left."""
        for destination_id, jobs in self._waiting.items():
            if self._failing[destination_id] >= BREAKER_AFTER:
                for job in self._waiting.pop(destination_id):
                    self._give_back(job, SPARED_FOR)
                return self._next()
            if self._running[destination_id] < self._share(destination_id):
                job = jobs.popleft()
                del self._waiting[destination_id]
                if jobs:
                    self._waiting[destination_id] = jobs  # to the end of the line
                return job
        return None

    def _share(self, destination_id: int) -> int:
        return self._slots if destination_id in self._proven else max(1, self._slots // UNPROVEN)

    def _give_back(self, job: Job, wait: dt.timedelta) -> None:
        self._unsettled += 1
        self.finished.put(Returned(job.message, wait))

    async def _run(self, first: Job) -> None:
        """One after the other, while there is room for one."""
        job: Job | None = first
        while job:
            await self._send(job)
            job = self._next() if self._has_room() else None
            if job:
                self._start(job)

    async def _send(self, job: Job) -> None:
        """One attempt. Whatever happens, something is put into `finished`."""
        if job.wait:
            await asyncio.sleep(job.wait)
        begun = time.monotonic()
        if job.wait and begun > self._ends:
            self._running[job.destination_id] -= 1
            self._in_flight -= 1
            self._give_back(job, dt.timedelta())
            return
        started_at = self._clock + dt.timedelta(seconds=begun)
        outcome = job.failed or await self._attempt(job, started_at)
        duration = dt.timedelta(seconds=time.monotonic() - begun)
        self._note(job, outcome)
        self._in_flight -= 1
        self._unsettled += 1
        self.finished.put(_settled(self._channel, job, outcome, started_at, duration))

    def _note(self, job: Job, outcome: Outcome) -> None:
        self._running[job.destination_id] -= 1
        if job.failed:
            return  # nobody was asked
        if is_answered(outcome):
            self._failing[job.destination_id] = 0
            if job.destination_id not in self._proven:
                self._proven.add(job.destination_id)
                self._fill()
        else:
            self._failing[job.destination_id] += 1

    async def _attempt(self, job: Job, now: dt.datetime) -> Outcome:
        try:
            return await self._channel.send(job.envelope, job.config, self._client, now)
        except Exception as error:  # noqa: BLE001 (a broken channel must not take the others along)
            _log.error("send_failed", wire_id=job.envelope.wire_id, exception=_story(error))
            name = type(error).__name__
            return Outcome(verdict=Verdict.AMBIGUOUS, detail=f"Our own fault: {name}")


def _settled(
    channel: Channel[Any],
    job: Job,
    outcome: Outcome,
    started_at: dt.datetime,
    duration: dt.timedelta,
) -> Settled:
    message = job.message
    facts = Facts(
        tries=message.tries,
        attempts=message.claim_no,
        ambiguous=message.ambiguous,
        created_at=message.created_at,
        refused_at=message.refused_at,
        idempotent=channel.idempotent,
    )
    decision = decide(
        facts,
        outcome,
        now=started_at + duration,
        jitter=random.random(),  # noqa: S311 (spreads load, hides nothing)
        base=settings.RETRY_BASE,
    )
    return Settled(message, outcome, decision, started_at, duration, was_made=job.failed is None)


def _story(error: BaseException) -> str:
    """The traceback, without any error's words: they may hold what is secret in a config."""
    cause = error.__cause__ or error.__context__
    before = [_story(cause), "\nThen:\n"] if cause else []
    return "".join([*before, *traceback.format_tb(error.__traceback__), type(error).__name__])
