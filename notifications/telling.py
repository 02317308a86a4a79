"""From due rows to the wire and back: many sends at once, settled as they finish.

One thread talks to the network (an event loop with kept-alive connections, one per process), the
caller's thread to the database. Settling works like a group commit: one statement for whatever
finished while the last one committed. Slow traffic is settled at once, fast traffic in batches.
"""

import asyncio
import datetime as dt
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

import structlog
import uvloop
from django.conf import settings
from django.db import OperationalError, connection

from notifications import links
from notifications.channels import registry
from notifications.channels.base import Channel, ConfigError, Envelope, Outcome, Pace, Verdict
from notifications.composing import compose_due, put_off_quiet
from notifications.contents import asks_to_confirm, load_contents
from notifications.lane import Finished, Job, Lane, Returned
from notifications.messages import Content, digest_heading
from notifications.models import Channel as ChannelRow
from notifications.sending import Claimed, claim_due
from notifications.settling import Settled, put_back, settle
from notifications.templates import render
from notifications.turns import take_turns
from notifications.wishes import quiet_ends
from stalkerr import crypto
from stalkerr.crypto import UnreadableSecretError
from stalkerr.outbound import Client

# Seconds; a send takes 15 at most: the soft limit is 40, the lease lasts 60.
NO_CLAIM_AFTER = 20.0
NO_SEND_AFTER = 25.0
# Claims run ahead by what is sent in so many seconds: a claim costs the same for many as for few, and
# a message that was claimed and not sent is only late when its process dies.
AHEAD = 0.5
MOST_AHEAD = 1000
RETRIES_EVERY = 0.5  # how often a busy sender looks for what is to be tried again
LONGEST_WAIT = 5.0  # for a turn; beyond it a message is given back
SETTLE_AT_ONCE = 200
SETTLE_TRIES = 5

_log = structlog.get_logger(__name__)
Clock = Callable[[], dt.datetime]


def tell(*, kind: str, clock: Clock, shard: int | None = None) -> bool:
    """Send what is due over one kind of channel (of one shard), as much as fits into one task.

    Returns whether more may be waiting. What this process did not settle when it died is taken
    over once its lease has run out.
    """
    work = Work(registry.get(kind), shard, clock)
    lane = Lane(work.channel, _client(), slots=settings.TELL_IN_FLIGHT, seconds=NO_SEND_AFTER)
    claimed, more = 0, True
    try:
        while True:
            room = work.ahead() - claimed
            if more and time.monotonic() - work.begun < NO_CLAIM_AFTER and room >= claimed:
                started, more = _start_next(work, lane, room)
                claimed += started
            if not claimed:
                return more
            claimed -= _write_down(work, lane)
    except Exception:
        # What is on the wire is heard: unless it is settled, it would be sent again.
        _loop().call_soon_threadsafe(lane.close)
        while claimed:
            claimed -= _write_down(work, lane)
        raise


class Work:
    """What one call of `tell` is about, and how it gets on."""

    def __init__(self, channel: Channel[Any], shard: int | None, clock: Clock) -> None:
        self.channel = channel
        self.shard = shard
        self.begun = time.monotonic()
        self.done = 0  # messages written down
        self._clock = clock
        self._read_at = 0.0
        self._retries_at = 0.0

    def read_clock(self) -> dt.datetime:
        """The database's clock, asked."""
        self._read, self._read_at = self._clock(), time.monotonic()
        return self._read

    def now(self) -> dt.datetime:
        """The database's clock, as it must have gone on since it was asked."""
        return self._read + dt.timedelta(seconds=time.monotonic() - self._read_at)

    def ahead(self) -> int:
        """How many messages to have claimed: what this call sends in AHEAD seconds."""
        rate = self.done / max(time.monotonic() - self.begun, 0.001)
        slots: int = settings.TELL_IN_FLIGHT
        return max(slots, min(int(rate * AHEAD), MOST_AHEAD))

    def looks_for_retries(self) -> bool:
        """Whether it is time to; not before every batch of a busy sender."""
        if time.monotonic() - self._retries_at < RETRIES_EVERY:
            return False
        self._retries_at = time.monotonic()
        return True


def _start_next(work: Work, lane: Lane, limit: int) -> tuple[int, bool]:
    """Claim and send; returns how many were sent off, and whether there was anything at all."""
    now = work.read_clock()
    claimed = _claim(work, limit, now)
    if not claimed:
        return 0, False
    jobs = _with_turns(work.channel, _jobs(work.channel, claimed), now)
    if jobs:
        _loop().call_soon_threadsafe(lane.add, jobs, now)
    return len(jobs), True


def _claim(work: Work, limit: int, now: dt.datetime) -> list[Claimed]:
    kind, lease, claimed = work.channel.kind, settings.TELL_LEASE, list[Claimed]()
    if quiet := quiet_ends(now):
        put_off_quiet(kind=kind, now=now, quiet=quiet, shard=work.shard)
    due: Any = {"kind": kind, "now": now, "lease": lease, "shard": work.shard}
    looked = work.looks_for_retries()
    if looked:
        claimed += claim_due(limit=limit, **due)
    if len(claimed) < limit:
        groups, left = work.channel.groups, limit - len(claimed)
        claimed += compose_due(groups=groups, limit=left, quiet=quiet, **due)
    return claimed if claimed or looked else claim_due(limit=limit, **due)


def _jobs(channel: Channel[Any], claimed: Sequence[Claimed]) -> list[Job]:
    contents = load_contents(message.id for message in claimed)
    ids = {message.channel_id for message in claimed}
    rows = {
        row[0]: Address(*row)
        for row in ChannelRow.objects.filter(id__in=ids).values_list(*Address.__slots__)
    }
    return [
        _job(channel, message, contents.get(message.id, ()), rows.get(message.channel_id))
        for message in claimed
    ]


@dataclass(frozen=True, slots=True)
class Address:
    """What sending asks of a channel's row."""

    id: int
    destination_id: int
    sealed_config: str
    headline_template: str
    body_template: str
    disabled_at: dt.datetime | None
    unconfirmed_since: dt.datetime | None


def _job(
    channel: Channel[Any],
    message: Claimed,
    contents: tuple[Content, ...],
    row: Address | None,
) -> Job:
    heading, unsubscribe_url = "", ""
    if message.digest_date:
        heading = digest_heading(message.digest_date, len(contents))
    if row is not None:
        contents = _in_own_words(contents, row)
        unsubscribe_url = links.unsubscribe_url(channel_id=row.id) if channel.unsubscribes else ""
    envelope = Envelope(
        wire_id=message.wire_id,
        contents=contents,
        created_at=message.created_at,
        heading=heading,
        unsubscribe_url=unsubscribe_url,
    )
    if row is None:
        gone = Outcome(verdict=Verdict.REFUSED, detail="The channel is gone.")
        return Job(message, 0, envelope, None, gone)
    if not contents:
        empty = Outcome(verdict=Verdict.NOT_ACCEPTED, detail="What it was about is gone.")
        return Job(message, row.destination_id, envelope, None, empty)
    if row.disabled_at or (row.unconfirmed_since and not asks_to_confirm(contents)):
        return Job(message, row.destination_id, envelope, None, is_deaf=True)
    return _configured(channel, message, envelope, row)


def _in_own_words(contents: tuple[Content, ...], row: Address) -> tuple[Content, ...]:
    if not (row.headline_template or row.body_template):
        return contents
    return tuple(render(row.headline_template, row.body_template, each) for each in contents)


def _configured(channel: Channel[Any], message: Claimed, envelope: Envelope, row: Address) -> Job:
    try:
        config = _config(
            channel.kind,
            row.sealed_config,
            tuple(settings.CHANNEL_KEYS),
            tuple(settings.OUTBOUND_ALLOW),
        )
        return Job(message, row.destination_id, envelope, config)
    except ConfigError as error:  # its address is one that is no longer allowed
        failed = Outcome(verdict=Verdict.NOT_ACCEPTED, detail=str(error), refusal=True)
    except UnreadableSecretError as error:
        _log.error("channel_unreadable", channel=row.id)
        failed = Outcome(verdict=Verdict.NOT_ACCEPTED, detail=str(error))
    return Job(message, row.destination_id, envelope, None, failed)


@lru_cache(maxsize=4096)
def _config(kind: str, sealed: str, _keys: tuple[str, ...], _allowed: tuple[str, ...]) -> Any:
    """A channel's settings, opened and checked: once for many messages of one channel."""
    return registry.get(kind).parse_config(crypto.decrypt(sealed))


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


# -- and back ----------------------------------------------------------------------------------
def _drain(finished: Finished) -> list[Settled | Returned]:
    """Wait for one, and take along whatever else has finished by now."""
    batch = [finished.get()]
    while len(batch) < SETTLE_AT_ONCE and not finished.empty():
        batch.append(finished.get())
    return batch


def _write_down(work: Work, lane: Lane) -> int:
    """Settle what has finished, give back what was not sent; returns how many of both."""
    batch = _drain(lane.finished)
    _settle([each for each in batch if isinstance(each, Settled)], work.now())
    if returned := {each.message: each.wait for each in batch if isinstance(each, Returned)}:
        put_back(waits=returned, now=work.now())
    _loop().call_soon_threadsafe(lane.settled, len(batch))
    work.done += len(batch)
    return len(batch)


def _settle(batch: Sequence[Settled], now: dt.datetime) -> None:
    """Settle, and settle again where the database was away for a moment: the news is out."""
    if not batch:
        return
    for tries_left in reversed(range(SETTLE_TRIES)):
        try:
            kept = settle(settled=batch, now=now)
            break
        except OperationalError:
            if not tries_left:
                raise
            connection.close()
            time.sleep(1)
    for each in batch:
        if each.message.id not in kept:
            _log.warning("lease_lost", wire_id=each.message.wire_id)
        elif each.outcome.verdict is Verdict.AMBIGUOUS:
            _log.warning("ambiguous", wire_id=each.message.wire_id, why=each.outcome.detail)


def _loop() -> asyncio.AbstractEventLoop:
    return _loop_of(os.getpid())


@cache
def _loop_of(_pid: int) -> asyncio.AbstractEventLoop:
    """This process's event loop, running in a thread of its own."""
    loop = uvloop.new_event_loop()
    threading.Thread(target=loop.run_forever, name="network", daemon=True).start()
    return loop


def _client() -> Client:
    return _client_of(os.getpid())


@cache
def _client_of(_pid: int) -> Client:
    """This process's connections, which belong to its event loop."""

    async def make() -> Client:
        return Client()

    return asyncio.run_coroutine_threadsafe(make(), _loop()).result()
