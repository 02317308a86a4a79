"""From due rows to the wire: claimed by the batch and handed to this process's sender."""

import datetime as dt
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import structlog
from django.conf import settings

from notifications import links
from notifications.channels import registry
from notifications.channels.base import Channel, ConfigError, Envelope, Outcome, Pace, Verdict
from notifications.composing import compose_due, put_off_quiet
from notifications.contents import Contents, asks_to_confirm, load_contents
from notifications.lane import Job, own_fault, story
from notifications.messages import digest_heading
from notifications.sender import Sender, sender
from notifications.sending import PER_DESTINATION, Claimed, claim_due, has_suspects
from notifications.settling import put_back
from notifications.templates import render
from notifications.turns import take_turns
from notifications.wishes import quiet_ends
from stalkerr import crypto, sql
from stalkerr.crypto import UnreadableSecretError

NO_CLAIM_AFTER = 20.0  # seconds: the soft limit of a task is 40
# What a send and writing down its result leave of a lease; so much of that a message may wait.
MAY_WAIT = 0.6
# Claims run ahead by what is sent in so many seconds: a claim costs the same for many as for few, and
# a message that was claimed and not sent is only late when its process dies.
AHEAD = 0.5
MOST_AHEAD = 1000
PATIENCE = 0.5  # a task does not wait longer for slow receivers: the next sweep goes on
RETRIES_EVERY = 0.5  # how often a busy sender looks for what is to be tried again
LONGEST_WAIT = 5.0  # for a turn; beyond it a message is given back

_log = structlog.get_logger(__name__)
Clock = Callable[[], dt.datetime]


def tell(*, kind: str, clock: Clock, shard: int | None = None) -> bool:
    """Send what is due over one kind of channel (of one shard), as much as fits into one task.

    Returns whether more may be waiting; what was claimed is sent and settled meanwhile, and after
    (sender.Sender). What this process did not settle when it died is taken over once its lease has
    run out.
    """
    work = Work(registry.get(kind), shard, clock, sender())
    _send_suspects(work)
    is_busy = False
    while work.seconds() < NO_CLAIM_AFTER and work.waits_for_room():
        left, room = work.left(), work.room()
        claimed = _send_next(work, room)
        is_busy = is_busy or _is_part(claimed, room)
        if not is_busy or work.is_in_trouble():
            return False  # it was all there is, or somebody is in trouble: the next sweep goes on
        # What was under way to a destination may have been all that it takes at a time.
        if not claimed and not work.waits_for_results(left):
            return False
    return True


def _is_part(claimed: Sequence[Claimed], room: int) -> bool:
    """Whether there may be more where these came from: more than one takes at a time, or retries."""
    is_full = len(claimed) >= min(room, PER_DESTINATION)
    return is_full or any(message.tries for message in claimed)


class Work:
    """What one call of `tell` is about, and how it gets on."""

    def __init__(
        self, channel: Channel[Any], shard: int | None, clock: Clock, sender: Sender
    ) -> None:
        self.channel = channel
        self.shard = shard
        self.clock = clock
        self.sender = sender
        self._begun = time.monotonic()
        self._before = sender.written
        self._failures = sender.failures
        self._retries_at = 0.0
        self._claimed: set[Claimed] = set()

    def is_in_trouble(self) -> bool:
        """Whether results could not be written down: what is sent now would be sent again."""
        return self.sender.failures > self._failures

    def seconds(self) -> float:
        return time.monotonic() - self._begun

    def waits_for_room(self) -> bool:
        """Whether a claim is worth its while; False where it is not, for PATIENCE seconds."""
        return self.sender.wait(left=self.ahead() * 3 // 4, within=PATIENCE)

    def waits_for_silence(self) -> bool:
        """Wait until nothing of this process is on the wire; False where it takes too long."""
        return self.sender.wait(left=0, within=settings.OUTBOUND_TIMEOUT.total_seconds() + 2)

    def left(self) -> set[Claimed]:
        """What this task claimed and is not written down yet."""
        self._claimed = self.sender.left_of(self._claimed)
        return self._claimed

    def waits_for_results(self, left: set[Claimed]) -> bool:
        """Wait for results, PATIENCE seconds at most; whether any came of what was `left`."""
        return bool(left) and (
            self.sender.wait(left=0, within=PATIENCE) or len(self.sender.left_of(left)) < len(left)
        )

    def hand_over(self, claimed: Iterable[Claimed], jobs: Sequence[Job], now: dt.datetime) -> None:
        """Have these sent."""
        self.sender.hand_over(jobs, now)
        self._claimed = self._claimed.union(claimed)

    def room(self) -> int:
        """How many messages to claim. Few at first: while they are sent, more are claimed."""
        left = self.sender.left
        return max(1, self.ahead() - left if left else settings.TELL_IN_FLIGHT // 2)

    def ahead(self) -> int:
        """How many messages to have claimed: what is sent in AHEAD seconds."""
        rate = (self.sender.written - self._before) / max(self.seconds(), 0.001)
        slots: int = settings.TELL_IN_FLIGHT
        return max(2 * slots, min(int(rate * AHEAD), MOST_AHEAD))

    def looks_for_retries(self) -> bool:
        """Whether it is time to; not before every batch of a busy sender."""
        if time.monotonic() - self._retries_at < RETRIES_EVERY:
            return False
        self._retries_at = time.monotonic()
        return True


def _send_suspects(work: Work) -> None:
    """One at a time, with nothing else on the wire: what took its senders along takes nobody else."""
    due: Any = {"kind": work.channel.kind, "shard": work.shard}
    while work.seconds() < NO_CLAIM_AFTER and has_suspects(now=work.clock(), **due):
        if not work.waits_for_silence():
            return
        now, lease = work.clock(), settings.TELL_LEASE
        claimed = claim_due(limit=1, now=now, lease=lease, suspects=True, **due)
        if not claimed:
            return  # its destination is spared
        _hand_over(work, claimed, now)


def _send_next(work: Work, limit: int) -> list[Claimed]:
    """Claim so many at most and hand them over."""
    now = work.clock()
    claimed = _claim(work, limit, now)
    if claimed:
        _hand_over(work, claimed, now)
    return claimed


def _hand_over(work: Work, claimed: Sequence[Claimed], now: dt.datetime) -> None:
    """Have these sent that were claimed at `now`, which is this moment."""
    jobs = _jobs(work.channel, claimed, time.monotonic() + _longest_wait())
    work.hand_over(claimed, _with_turns(jobs, now), now)


def _longest_wait() -> float:
    """Seconds after a claim, as of when no send begins: its lease must outlast it."""
    spare = settings.TELL_LEASE - settings.OUTBOUND_TIMEOUT
    return MAY_WAIT * max(0.0, float(spare.total_seconds()))


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


def _jobs(channel: Channel[Any], claimed: Sequence[Claimed], ends: float) -> list[Job]:
    contents = load_contents(message.id for message in claimed)
    addresses = _addresses(channel, {message.channel_id for message in claimed})
    return [
        _job_or_fault(
            message, contents.get(message.id, Contents()), addresses[message.channel_id], ends
        )
        for message in claimed
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a channel's messages go, or what is wrong with it."""

    channel: Channel[Any]
    destination_id: int = 0
    config: Any = None
    failed: Outcome | None = None
    templates: tuple[str, str] = ("", "")
    unsubscribe_url: str = ""
    is_disabled: bool = False
    is_unconfirmed: bool = False
    buckets: Mapping[str, Pace] = field(default_factory=dict)


def _addresses(channel: Channel[Any], channel_ids: Collection[int]) -> dict[int, Address]:
    rows = {row[0]: row for row in sql.prepared(_CHANNELS, [list(channel_ids)])}
    return {each: _address(channel, *rows.get(each, ())) for each in channel_ids}


_CHANNELS = """
SELECT id, destination_id, sealed_config, headline_template, body_template, disabled_at,
       unconfirmed_since
FROM channels WHERE id = ANY(%s)
"""


def _address(channel: Channel[Any], *row: Any) -> Address:
    if not row:
        gone = Outcome(verdict=Verdict.REFUSED, detail="The channel is gone.")
        return Address(channel=channel, failed=gone)
    channel_id, destination_id, sealed, headline, body, disabled_at, unconfirmed_since = row
    config, failed = _configured(channel, channel_id, sealed)
    paces = {} if failed else channel.paces(config)
    unsubscribe_url = links.unsubscribe_url(channel_id=channel_id) if channel.unsubscribes else ""
    return Address(
        channel=channel,
        destination_id=destination_id,
        config=config,
        failed=failed,
        templates=(headline, body),
        unsubscribe_url=unsubscribe_url,
        is_disabled=disabled_at is not None,
        is_unconfirmed=unconfirmed_since is not None,
        buckets={f"{channel.kind}:{name}": pace for name, pace in paces.items()},
    )


def _configured(channel: Channel[Any], channel_id: int, sealed: str) -> tuple[Any, Outcome | None]:
    """A channel's settings, or why there are none."""
    try:
        keys, allowed = tuple(settings.CHANNEL_KEYS), tuple(settings.OUTBOUND_ALLOW)
        return _config(channel.kind, sealed, keys, allowed), None
    except ConfigError as error:  # its address is one that is no longer allowed
        return None, Outcome(verdict=Verdict.NOT_ACCEPTED, detail=str(error), refusal=True)
    except UnreadableSecretError as error:
        _log.error("channel_unreadable", channel=channel_id)
        return None, Outcome(verdict=Verdict.NOT_ACCEPTED, detail=str(error))


@lru_cache(maxsize=4096)
def _config(kind: str, sealed: str, _keys: tuple[str, ...], _allowed: tuple[str, ...]) -> Any:
    """A channel's settings, opened and checked: once for many batches of one channel."""
    return registry.get(kind).parse_config(crypto.decrypt(sealed))


def _job_or_fault(message: Claimed, loaded: Contents, address: Address, ends: float) -> Job:
    """What breaks while one message is made ready is its own trouble, not that of its whole batch."""
    try:
        return _job(message, loaded, address, ends)
    except Exception as error:  # noqa: BLE001 (whatever it is, the others are to be sent)
        _log.error("not_rendered", wire_id=message.wire_id, exception=story(error))
        return Job(
            channel=address.channel,
            message=message,
            destination_id=address.destination_id,
            envelope=Envelope(message.wire_id, (), message.created_at),
            config=None,
            failed=own_fault(error, Verdict.NOT_ACCEPTED),
            ends=ends,
        )


def _job(message: Claimed, loaded: Contents, address: Address, ends: float) -> Job:
    contents, failed, heading = loaded.said, address.failed, ""
    if not (contents or failed):
        failed = Outcome(verdict=Verdict.NOT_ACCEPTED, detail="What it was about is gone.")
    if message.digest_date:
        heading = digest_heading(message.digest_date, len(contents))
    if any(address.templates):
        contents = tuple([render(*address.templates, each) for each in contents])
    is_deaf = address.is_disabled or (address.is_unconfirmed and not asks_to_confirm(contents))
    return Job(
        channel=address.channel,
        message=message,
        destination_id=address.destination_id,
        envelope=Envelope(
            wire_id=message.wire_id,
            contents=contents,
            created_at=message.created_at,
            heading=heading,
            unsubscribe_url=address.unsubscribe_url,
        ),
        config=None if failed else address.config,
        buckets={} if failed else address.buckets,
        failed=failed,
        seen_at=loaded.seen_at,
        is_deaf=is_deaf and contents != (),
        ends=ends,
    )


def _with_turns(jobs: Sequence[Job], now: dt.datetime) -> list[Job]:
    """Those that may be sent now or soon; the others are given back until their turn comes."""
    waits = take_turns([job.buckets for job in jobs], longest=LONGEST_WAIT)
    later = {
        job.message: dt.timedelta(seconds=wait)
        for job, wait in zip(jobs, waits, strict=True)
        if wait > LONGEST_WAIT or job.is_deaf
    }
    put_back(waits=later, now=now)
    return [
        job._replace(wait=wait) if wait else job
        for job, wait in zip(jobs, waits, strict=True)
        if wait <= LONGEST_WAIT and not job.is_deaf
    ]
