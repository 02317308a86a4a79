"""The network's side of telling: so many sends at once, fairly among destinations.

All of it runs on the event loop's thread, but for what says otherwise. A slot is taken by a send and
freed when its result is settled: what a kill can double is never more than the slots.
"""

import asyncio
import datetime as dt
import math
import queue
import random
import time
import traceback
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import structlog
from django.conf import settings

from notifications.channels.base import Channel, Envelope, Outcome, Pace, Verdict
from notifications.destinations import BREAKER_AFTER, is_answered
from notifications.retry import Facts, decide
from notifications.sending import Claimed
from notifications.settling import Settled
from stalkerr.outbound import Client

UNPROVEN = 4  # a destination that has not answered yet gets this part of the slots
BATCH = 2  # this part of the slots is settled at a time, or what has come in LINGER seconds
LINGER = 0.01
SPARED_FOR = dt.timedelta(seconds=5)

_log = structlog.get_logger(__name__)


class Job(NamedTuple):
    """A message ready for the wire, or for what is wrong with it."""

    channel: Channel[Any]
    message: Claimed
    destination_id: int
    envelope: Envelope
    config: Any  # None where `failed` says why
    buckets: Mapping[str, Pace] = MappingProxyType({})  # what it takes a turn from
    failed: Outcome | None = None
    wait: float = 0.0  # seconds, for its turn
    ends: float = 0.0  # on time.monotonic(): it is not begun later
    seen_at: dt.datetime | None = None  # the oldest news in it that is to be told at once
    is_deaf: bool = False  # its channel was disabled, or lost its confirmation, since it was due


class Returned(NamedTuple):
    """A message that was not sent, to be given back: no attempt was made."""

    message: Claimed
    wait: dt.timedelta


Results = list[Settled | Returned]


class Lane:
    """The sends of one process."""

    def __init__(self, client: Client) -> None:
        self.finished: queue.SimpleQueue[Results] = queue.SimpleQueue()
        self._results: Results = []
        self._client = client
        self._slots = 1  # read with every batch: settings cost more than a message's share
        self._in_flight = 0
        self._unsettled = 0
        self._waiting: dict[int, deque[Job]] = {}
        self._running: Counter[int] = Counter()
        self._failing: Counter[int] = Counter()
        self._proven: set[int] = set()
        self._runners: set[asyncio.Task[None]] = set()  # the loop itself holds tasks weakly
        self._idle: list[asyncio.Future[Job]] = []  # runners that wait for a job

    def add(self, jobs: Sequence[Job], now: dt.datetime) -> None:
        """Send these as slots come free; `now` is the database's clock, as of this moment."""
        begun = time.monotonic()
        self._clock = now - dt.timedelta(seconds=begun)
        self._slots, self._retry_base = settings.TELL_IN_FLIGHT, settings.RETRY_BASE
        for job in jobs:
            self._welcome(job.destination_id)
            self._waiting.setdefault(job.destination_id, deque()).append(job)
        ends = max((job.ends for job in jobs), default=begun)
        asyncio.get_running_loop().call_later(max(0.0, ends - begun), self.close, ends)
        self._fill()

    def settled(self, results: int) -> None:
        """So many results are written down."""
        self._unsettled -= results
        self._fill()

    def close(self, begun_by: float = math.inf) -> None:
        """Give back whatever has not begun and ends before that moment; by default all of it."""
        for destination_id, jobs in list(self._waiting.items()):
            late = [job for job in jobs if job.ends <= begun_by]
            for job in late:
                self._give_back(job, dt.timedelta())
            if len(late) == len(jobs):
                del self._waiting[destination_id]
            elif late:
                self._waiting[destination_id] = deque(job for job in jobs if job.ends > begun_by)

    def _welcome(self, destination_id: int) -> None:
        """Whoever hands over a message to one that failed has seen its breaker half open."""
        if not self._running[destination_id] and self._failing[destination_id] >= BREAKER_AFTER:
            self._failing[destination_id] = BREAKER_AFTER - 1

    def _fill(self) -> None:
        while job := self._begin():
            if self._idle:
                self._idle.pop().set_result(job)
            else:
                self._runners.add(asyncio.get_running_loop().create_task(self._run(job)))

    def _begin(self) -> Job | None:
        """The next job, with a slot taken for it; None where there is no slot or no job."""
        if self._in_flight + self._unsettled >= self._slots or not (job := self._next()):
            return None
        self._in_flight += 1
        self._running[job.destination_id] += 1
        return job

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
        self._finish(Returned(job.message, wait))

    def _finish(self, result: Settled | Returned) -> None:
        """Results go by the batch: to write one down costs nearly as much as to write down many."""
        self._unsettled += 1
        self._results.append(result)
        if len(self._results) >= self._slots // BATCH or not self._in_flight:
            self._flush()
        elif len(self._results) == 1:
            asyncio.get_running_loop().call_later(LINGER, self._flush)

    def _flush(self) -> None:
        if self._results:
            self.finished.put(self._results)
            self._results = []
        if not (self._in_flight or self._waiting):
            self._proven.clear()  # not for ever: there are many destinations
            self._running.clear()

    async def _run(self, job: Job) -> None:
        """One after the other. A runner outlives a full lane: a task a message costs more."""
        while True:
            await self._send(job)
            job = self._begin() or await self._idled()

    def _idled(self) -> "asyncio.Future[Job]":
        self._idle.append(idle := asyncio.get_running_loop().create_future())
        return idle

    async def _send(self, job: Job) -> None:
        """One attempt. Whatever happens, something is put into `finished`."""
        if job.wait:
            await asyncio.sleep(job.wait)
        begun = time.monotonic()
        if job.wait and begun > job.ends:
            self._running[job.destination_id] -= 1
            self._in_flight -= 1
            self._give_back(job, dt.timedelta())
            return
        started_at = self._clock + dt.timedelta(seconds=begun)
        outcome = job.failed or await self._attempt(job, started_at)
        duration = dt.timedelta(seconds=time.monotonic() - begun)
        self._note(job, outcome)
        self._in_flight -= 1
        self._finish(_settled(job, outcome, started_at, duration, self._retry_base))

    def _note(self, job: Job, outcome: Outcome) -> None:
        self._running[job.destination_id] -= 1
        if job.failed:
            return  # nobody was asked
        if is_answered(outcome):
            self._failing.pop(job.destination_id, None)
            if job.destination_id not in self._proven:
                self._proven.add(job.destination_id)
                self._fill()
        else:
            self._failing[job.destination_id] += 1
            self._proven.discard(job.destination_id)

    async def _attempt(self, job: Job, now: dt.datetime) -> Outcome:
        try:
            return await job.channel.send(job.envelope, job.config, self._client, now)
        except Exception as error:  # noqa: BLE001 (a broken channel must not take the others along)
            _log.error("send_failed", wire_id=job.envelope.wire_id, exception=story(error))
            return own_fault(error, Verdict.AMBIGUOUS)


def _settled(
    job: Job,
    outcome: Outcome,
    started_at: dt.datetime,
    duration: dt.timedelta,
    retry_base: dt.timedelta,
) -> Settled:
    message = job.message
    facts = Facts(
        tries=message.tries,
        attempts=message.claim_no,
        ambiguous=message.ambiguous,
        created_at=message.created_at,
        refused_at=message.refused_at,
        idempotent=job.channel.idempotent,
    )
    decision = decide(
        facts,
        outcome,
        now=started_at + duration,
        jitter=random.random(),  # noqa: S311 (spreads load, hides nothing)
        base=retry_base,
    )
    return Settled(
        message,
        outcome,
        decision,
        started_at,
        duration,
        was_made=job.failed is None,
        kind=job.channel.kind,
        seen_at=job.seen_at,
    )


def own_fault(error: Exception, verdict: Verdict) -> Outcome:
    """What comes of a message over which our own code broke."""
    return Outcome(verdict=verdict, detail=f"Our own fault: {type(error).__name__}", is_ours=True)


def story(error: BaseException) -> str:
    """The traceback, without any error's words: they may hold what is secret in a config."""
    cause = error.__cause__ or error.__context__
    before = [story(cause), "\nThen:\n"] if cause else []
    return "".join([*before, *traceback.format_tb(error.__traceback__), type(error).__name__])
