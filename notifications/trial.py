"""A channel put to the test: one real message, by the very way that news goes, and what came of it.

Nothing of it is kept: the log is of news, and a trial neither disables a channel nor counts for its
destination. It takes its turn at providers that say how fast they may be asked, like every message.
"""

import asyncio
import datetime as dt
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from django.db import connection

from notifications import links
from notifications.channels import registry
from notifications.channels.base import Channel, ConfigError, Envelope, Outcome, Verdict
from notifications.messages import NOTICE, Content
from notifications.models import Channel as ChannelRow
from notifications.turns import take_turns
from stalkerr.crypto import UnreadableSecretError
from stalkerr.outbound import Client

LONGEST_WAIT: Final = 5.0  # seconds, for a turn: somebody looks on

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Trial:
    """How it went, and how long that took."""

    outcome: Outcome
    duration: dt.timedelta


@dataclass(frozen=True, slots=True)
class _Job:
    """What goes where; `failed` where it can't."""

    row: ChannelRow
    channel: Channel[Any]
    config: Any
    failed: Outcome | None
    wait: float  # seconds, for its turn


def try_channels(*, channels: Sequence[ChannelRow], now: dt.datetime) -> list[Trial]:
    """Send a test message to each of these, side by side; disabled and unconfirmed ones as well.

    Takes as long as the slowest, OUTBOUND_TIMEOUT and a turn at most. Not for transactions: the
    database is left alone meanwhile.
    """
    jobs = [_job(row) for row in channels]
    if not connection.in_atomic_block:  # as everywhere but in tests
        connection.close()  # back into the pool: a slow receiver must not keep it from others
    trials = asyncio.run(_send_each(jobs, now))
    for job, trial in zip(jobs, trials, strict=True):
        _log.info("channel_tried", channel=job.row.pk, verdict=trial.outcome.verdict.value)
    return trials


def _job(row: ChannelRow) -> _Job:
    channel = registry.get(row.kind)
    try:
        config = channel.parse_config(row.config)
    except (ConfigError, UnreadableSecretError) as error:
        return _Job(row, channel, None, _unsent(str(error)), 0)
    buckets = {f"{row.kind}:{name}": pace for name, pace in channel.paces(config).items()}
    (wait,) = take_turns([buckets], longest=LONGEST_WAIT)
    if wait > LONGEST_WAIT:
        words = f"Its provider allows no more just now; try again in {wait:.0f} s."
        return _Job(row, channel, None, _unsent(words, dt.timedelta(seconds=wait)), 0)
    return _Job(row, channel, config, None, wait)


def _unsent(words: str, retry_after: dt.timedelta | None = None) -> Outcome:
    return Outcome(verdict=Verdict.NOT_ACCEPTED, detail=words, retry_after=retry_after)


async def _send_each(jobs: Sequence[_Job], now: dt.datetime) -> list[Trial]:
    async with Client() as client:
        return await asyncio.gather(*(_send(job, client, now) for job in jobs))


async def _send(job: _Job, client: Client, now: dt.datetime) -> Trial:
    if job.failed:
        return Trial(job.failed, dt.timedelta())
    await asyncio.sleep(job.wait)
    begun = time.monotonic()
    try:
        outcome = await job.channel.send(_envelope(job.row, now), job.config, client, now)
    except Exception as error:  # noqa: BLE001 (whoever tests must hear that it is our fault)
        # The error may quote what it choked on, an address with its secret: its type only.
        _log.error("trial_failed", channel=job.row.pk, error=type(error).__name__)
        words = f"Our own fault: {type(error).__name__}"
        outcome = Outcome(verdict=Verdict.AMBIGUOUS, detail=words)
    return Trial(outcome, dt.timedelta(seconds=time.monotonic() - begun))


def _envelope(row: ChannelRow, now: dt.datetime) -> Envelope:
    content = Content(
        kind=NOTICE,
        title="A test from Stalkerr",
        summary=f"Somebody, most likely you, asked for this test of the channel {row}. "
        "If you can read it, news will arrive here too.",
    )
    unsubscribes = registry.get(row.kind).unsubscribes
    return Envelope(
        wire_id=str(uuid.uuid4()),
        contents=(content,),
        created_at=now,
        unsubscribe_url=links.unsubscribe_url(channel_id=row.pk) if unsubscribes else "",
    )
