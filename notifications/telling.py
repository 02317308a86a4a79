"""From due rows to the wire and back: many sends at once, settled as they finish.

One thread talks to the network (an event loop with kept-alive connections, one per process), the
caller's thread to the database. Settling works like a group commit: one statement for whatever
finished while the last one committed. Slow traffic is settled at once, fast traffic in batches.
"""

import asyncio
import datetime as dt
import os
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import structlog
from django.conf import settings
from django.db import OperationalError, connection

from notifications import links
from notifications.channels import registry
from notifications.channels.base import Channel, ConfigError, Envelope, Outcome, Pace, Verdict
from notifications.composing import compose_due, put_off_quiet
from notifications.contents import asks_to_confirm, load_contents
from notifications.messages import Content, digest_heading
from notifications.models import Channel as ChannelRow
from notifications.retry import Facts, decide
from notifications.sending import Claimed, claim_due
from notifications.settling import Settled, put_back, settle
from notifications.templates import render
from notifications.turns import take_turns
from stalkerr.crypto import UnreadableSecretError
from stalkerr.outbound import Client

# Seconds; what is claimed then starts by second 25 (LONGEST_WAIT), and a send takes 15 at most: the
# soft limit is 40, the lease lasts 60.
NO_CLAIM_AFTER = 20.0
LONGEST_WAIT = 5.0  # for a turn; beyond it a message is given back
SETTLE_AT_ONCE = 100
SETTLE_TRIES = 5

_log = structlog.get_logger(__name__)
Clock = Callable[[], dt.datetime]
Finished = queue.SimpleQueue[Settled]


def tell(*, kind: str, clock: Clock, shard: int | None = None) -> bool:
    """Send what is due over one kind of channel (of one shard), as much as fits into one task.

    Returns whether more may be waiting. What this process did not settle when it died is taken
    over once its lease has run out.
    """
    work = Work(registry.get(kind), shard, clock, queue.SimpleQueue())
    end = time.monotonic() + NO_CLAIM_AFTER
    in_flight, more = 0, True
    try:
        while True:
            free = settings.TELL_IN_FLIGHT - in_flight
            may_start = more and time.monotonic() < end
            if may_start and free >= max(1, settings.TELL_IN_FLIGHT // 2):
                started, more = _start_next(work, free)
                in_flight += started
            if not in_flight:
                return more
            in_flight -= _settle(_drain(work.finished), clock)
    except Exception:
        # What is on the wire is heard: unless it is settled, it would be sent again.
        while in_flight:
            in_flight -= _settle(_drain(work.finished), clock)
        raise


@dataclass(frozen=True, slots=True)
class Work:
    """What one call of `tell` is about."""

    channel: Channel[Any]
    shard: int | None
    clock: Clock
    finished: Finished


@dataclass(frozen=True, slots=True)
class Job:
    """A message ready for the wire, or for what is wrong with it."""

    message: Claimed
    envelope: Envelope
    config: Any  # None where `failed` says why
    failed: Outcome | None = None
    wait: float = 0.0  # seconds, for its turn
    is_deaf: bool = False  # its channel was disabled, or lost its confirmation, since it was due


def _start_next(work: Work, limit: int) -> tuple[int, bool]:
    """Claim and send; returns how many were sent off, and whether there was anything at all."""
    claimed = _claim(work, limit, work.clock())
    if not claimed:
        return 0, False
    now = work.clock()
    jobs = _with_turns(work.channel, _jobs(work.channel, claimed), now)
    if jobs:
        _network().call_soon_threadsafe(_send_each, work, jobs, now)
    return len(jobs), True


def _claim(work: Work, limit: int, now: dt.datetime) -> list[Claimed]:
    kind, lease = work.channel.kind, settings.TELL_LEASE
    put_off_quiet(kind=kind, now=now, shard=work.shard)
    claimed = claim_due(kind=kind, limit=limit, now=now, lease=lease, shard=work.shard)
    if len(claimed) < limit:
        claimed += compose_due(
            kind=kind,
            groups=work.channel.groups,
            limit=limit - len(claimed),
            now=now,
            lease=lease,
            shard=work.shard,
        )
    return claimed


def _jobs(channel: Channel[Any], claimed: Sequence[Claimed]) -> list[Job]:
    contents = load_contents(message.id for message in claimed)
    rows = ChannelRow.objects.in_bulk({message.channel_id for message in claimed})
    return [
        _job(channel, message, contents.get(message.id, ()), rows.get(message.channel_id))
        for message in claimed
    ]


def _job(
    channel: Channel[Any],
    message: Claimed,
    contents: tuple[Content, ...],
    row: ChannelRow | None,
) -> Job:
    heading, unsubscribe_url = "", ""
    if message.digest_date:
        heading = digest_heading(message.digest_date, len(contents))
    if row is not None:
        contents = _in_own_words(contents, row)
        unsubscribe_url = links.unsubscribe_url(channel_id=row.id) if channel.unsubscribes else ""
    envelope = Envelope(
        wire_id=str(message.wire_id),
        contents=contents,
        created_at=message.created_at,
        heading=heading,
        unsubscribe_url=unsubscribe_url,
    )
    if row is None:
        gone = Outcome(verdict=Verdict.REFUSED, detail="The channel is gone.")
        return Job(message, envelope, None, gone)
    if not contents:
        empty = Outcome(verdict=Verdict.NOT_ACCEPTED, detail="What it was about is gone.")
        return Job(message, envelope, None, empty)
    if row.disabled_at or (row.unconfirmed_since and not asks_to_confirm(contents)):
        return Job(message, envelope, None, is_deaf=True)
    return _configured(channel, message, envelope, row)


def _in_own_words(contents: tuple[Content, ...], row: ChannelRow) -> tuple[Content, ...]:
    if not (row.headline_template or row.body_template):
        return contents
    return tuple(render(row.headline_template, row.body_template, each) for each in contents)


def _configured(
    channel: Channel[Any], message: Claimed, envelope: Envelope, row: ChannelRow
) -> Job:
    try:
        return Job(message, envelope, channel.parse_config(row.config))
    except ConfigError as error:  # its address is one that is no longer allowed
        failed = Outcome(verdict=Verdict.NOT_ACCEPTED, detail=str(error), refusal=True)
    except UnreadableSecretError as error:
        _log.error("channel_unreadable", channel=row.id)
        failed = Outcome(verdict=Verdict.NOT_ACCEPTED, detail=str(error))
    return Job(message, envelope, None, failed)


def _with_turns(channel: Channel[Any], jobs: Sequence[Job], now: dt.datetime) -> list[Job]:
    """Those that may be sent now or soon; the others are given back until their turn comes."""
    buckets: list[dict[str, Pace]] = [
        {}
        if job.config is None
        else {f"{channel.kind}:{name}": pace for name, pace in channel.paces(job.config).items()}
        for job in jobs
    ]
    waits = take_turns(buckets, longest=LONGEST_WAIT)
    later = {
        job.message: dt.timedelta(seconds=wait)
        for job, wait in zip(jobs, waits, strict=True)
        if wait > LONGEST_WAIT or job.is_deaf
    }
    put_back(waits=later, now=now)
    return [
        replace(job, wait=wait) if wait else job
        for job, wait in zip(jobs, waits, strict=True)
        if job.message not in later
    ]


# -- on the network thread ---------------------------------------------------------------------
def _send_each(work: Work, jobs: Sequence[Job], now: dt.datetime) -> None:
    loop = asyncio.get_running_loop()
    for job in jobs:
        task = loop.create_task(_send(work, job, now))
        _tasks.add(task)  # the loop itself holds them weakly
        task.add_done_callback(_tasks.discard)


async def _send(work: Work, job: Job, claimed_at: dt.datetime) -> None:
    """One attempt. Whatever happens, something is put into `finished`."""
    if job.wait:
        await asyncio.sleep(job.wait)
    message = job.message
    started_at = claimed_at + dt.timedelta(seconds=job.wait)
    begun = time.monotonic()
    outcome = job.failed or await _attempt(work.channel, job, started_at)
    duration = dt.timedelta(seconds=time.monotonic() - begun)
    facts = Facts(
        tries=message.tries,
        attempts=message.claim_no,
        ambiguous=message.ambiguous,
        created_at=message.created_at,
        refused_at=message.refused_at,
        idempotent=work.channel.idempotent,
    )
    decision = decide(
        facts,
        outcome,
        now=started_at + duration,
        jitter=random.random(),  # noqa: S311 (spreads load, hides nothing)
        base=settings.RETRY_BASE,
    )
    work.finished.put(Settled(message, outcome, decision, started_at, duration))


async def _attempt(channel: Channel[Any], job: Job, now: dt.datetime) -> Outcome:
    try:
        return await channel.send(job.envelope, job.config, _client(os.getpid()), now)
    except Exception as error:  # noqa: BLE001 (a broken channel must not take the others along)
        # The error may quote what it choked on, an address with its secret: its type only.
        _log.error("send_failed", wire_id=job.envelope.wire_id, error=type(error).__name__)
        return Outcome(verdict=Verdict.AMBIGUOUS, detail=f"Our own fault: {type(error).__name__}")


# -- and back ----------------------------------------------------------------------------------
def _drain(finished: Finished) -> list[Settled]:
    """Wait for one, and take along whatever else has finished by now."""
    batch = [finished.get()]
    while len(batch) < SETTLE_AT_ONCE and not finished.empty():
        batch.append(finished.get())
    return batch


def _settle(batch: Sequence[Settled], clock: Clock) -> int:
    """Settle, and settle again where the database was away for a moment: the news is out.

    Returns how many.
    """
    for tries_left in reversed(range(SETTLE_TRIES)):
        try:
            kept = settle(settled=batch, now=clock())
            break
        except OperationalError:
            if not tries_left:
                raise
            connection.close()
            time.sleep(1)
    for each in batch:
        if each.message.id not in kept:
            _log.warning("lease_lost", wire_id=str(each.message.wire_id))
        elif each.outcome.verdict is Verdict.AMBIGUOUS:
            _log.warning("ambiguous", wire_id=str(each.message.wire_id), why=each.outcome.detail)
    return len(batch)


_tasks: set["asyncio.Task[None]"] = set()


def _network() -> asyncio.AbstractEventLoop:
    return _loop(os.getpid())


@cache
def _loop(_pid: int) -> asyncio.AbstractEventLoop:
    """This process's event loop, running in a thread of its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="network", daemon=True).start()
    return loop


@cache
def _client(_pid: int) -> Client:
    """This process's connections; made on the event loop's thread."""
    return Client()
