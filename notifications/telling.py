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
import traceback
from collections.abc import Callable, Sequence
from functools import cache

import structlog
from django.conf import settings
from django.db import OperationalError, connection

from notifications import sending
from notifications.channels import registry
from notifications.channels.base import Channel, ConfigError, Envelope, Outcome, Verdict
from notifications.contents import load_contents
from notifications.models import Channel as ChannelRow
from notifications.retry import Facts, decide
from notifications.sending import Claimed, Settled
from stalkerr.crypto import UnreadableSecretError
from stalkerr.outbound import Client

# Seconds; what is claimed then starts by second 25, and a send takes 15 at most: the soft limit is
# 40, the lease lasts 60.
NO_CLAIM_AFTER = 20.0
SETTLE_AT_ONCE = 100
SETTLE_TRIES = 5

_log = structlog.get_logger(__name__)
Clock = Callable[[], dt.datetime]
Finished = queue.SimpleQueue[Settled]


def tell(*, kind: str, clock: Clock) -> bool:
    """Send what is due over one kind of channel, as much as fits into one task.

    Returns whether more may be waiting. What this process did not settle when it died is taken
    over once its lease has run out.
    """
    channel = registry.get(kind)
    finished: Finished = queue.SimpleQueue()
    end = time.monotonic() + NO_CLAIM_AFTER
    in_flight, more = 0, True
    try:
        while True:
            free = settings.TELL_IN_FLIGHT - in_flight
            may_start = more and time.monotonic() < end
            if may_start and free >= max(1, settings.TELL_IN_FLIGHT // 2):
                started = _start_next(channel, free, finished, clock)
                more = started > 0
                in_flight += started
            if not in_flight:
                return more
            batch = _drain(finished)
            in_flight -= len(batch)
            _settle(batch, clock)
    except Exception:
        # What is on the wire is heard: unless it is settled, it would be sent again.
        while in_flight:
            batch = _drain(finished)
            in_flight -= len(batch)
            _settle(batch, clock)
        raise


def _start_next(channel: Channel[object], limit: int, finished: Finished, clock: Clock) -> int:
    claimed = _claim(channel, limit, clock())
    _start(channel, claimed, finished, clock())
    return len(claimed)


def _claim(channel: Channel[object], limit: int, now: dt.datetime) -> list[Claimed]:
    lease = settings.TELL_LEASE
    claimed = sending.claim_due(kind=channel.kind, limit=limit, now=now, lease=lease)
    if len(claimed) < limit:
        claimed += sending.compose_due(
            kind=channel.kind,
            groups=channel.groups,
            limit=limit - len(claimed),
            now=now,
            lease=lease,
        )
    return claimed


def _start(
    channel: Channel[object], claimed: Sequence[Claimed], finished: Finished, now: dt.datetime
) -> None:
    """Hand claimed messages to the network thread; each comes back in `finished`."""
    if not claimed:
        return
    contents = load_contents(message.id for message in claimed)
    rows = ChannelRow.objects.in_bulk({message.channel_id for message in claimed})
    for message in claimed:
        envelope = Envelope(
            wire_id=str(message.wire_id),
            contents=contents.get(message.id, ()),
            created_at=message.created_at,
        )
        send = _send(channel, message, envelope, rows.get(message.channel_id), finished, now)
        asyncio.run_coroutine_threadsafe(send, _loop(os.getpid()))


async def _send(
    channel: Channel[object],
    message: Claimed,
    envelope: Envelope,
    row: ChannelRow | None,
    finished: Finished,
    started_at: dt.datetime,
) -> None:
    """One attempt. Whatever happens, something is put into `finished`."""
    begun = time.monotonic()
    outcome = await _attempt(channel, envelope, row, started_at)
    duration = dt.timedelta(seconds=time.monotonic() - begun)
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
    finished.put(Settled(message, outcome, decision, started_at, duration))


async def _attempt(
    channel: Channel[object], envelope: Envelope, row: ChannelRow | None, now: dt.datetime
) -> Outcome:
    if row is None:
        return Outcome(verdict=Verdict.REFUSED, detail="The channel is gone.")
    if not envelope.contents:
        return Outcome(verdict=Verdict.NOT_ACCEPTED, detail="What it was about is gone.")
    try:
        config = channel.parse_config(row.config)
        return await channel.send(envelope, config, _client(os.getpid()), now)
    except ConfigError as error:  # its address is one that is no longer allowed
        return Outcome(verdict=Verdict.NOT_ACCEPTED, detail=str(error), refusal=True)
    except UnreadableSecretError as error:
        _log.error("channel_unreadable", channel=row.id)
        return Outcome(verdict=Verdict.NOT_ACCEPTED, detail=str(error))
    except Exception as error:  # noqa: BLE001 (a broken channel must not take the others along)
        _log.error("send_failed", channel=row.id, wire_id=envelope.wire_id, exception=_story(error))
        return Outcome(verdict=Verdict.AMBIGUOUS, detail=f"Our own fault: {type(error).__name__}")


def _story(error: BaseException) -> str:
    """The traceback, without any error's words: they may hold what is secret in a config."""
    cause = error.__cause__ or error.__context__
    before = [_story(cause), "\nThen:\n"] if cause else []
    return "".join([*before, *traceback.format_tb(error.__traceback__), type(error).__name__])


def _drain(finished: Finished) -> list[Settled]:
    """Wait for one, and take along whatever else has finished by now."""
    batch = [finished.get()]
    while len(batch) < SETTLE_AT_ONCE and not finished.empty():
        batch.append(finished.get())
    return batch


def _settle(batch: Sequence[Settled], clock: Clock) -> None:
    """Settle, and settle again where the database was away for a moment: the news is out."""
    for tries_left in reversed(range(SETTLE_TRIES)):
        try:
            kept = sending.settle(settled=batch, now=clock())
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
