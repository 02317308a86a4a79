"""What failed or was held is sent once more, with the id it had: a receiver may know it already.

Channels are locked first, and have to hear: what is replayed to one that is disabled or waits for
its confirmation would only be held again.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from notifications.models import Channel, Delivery, Message
from notifications.services import lock_channels
from stalkerr import sql

REPLAYABLE: Final = (Message.State.FAILED, Message.State.HELD)


class NotReplayableError(Exception):
    """Why something can't be sent once more now, as a sentence."""


def check_hearing(channel: Channel) -> None:
    """Raises NotReplayableError where a channel is told nothing just now."""
    if channel.disabled_at is not None:
        raise NotReplayableError("This channel is disabled; enable it first.")
    if channel.unconfirmed_since is not None:
        raise NotReplayableError("This address is not confirmed; follow the link sent there first.")


def replay_held(*, channel: Channel, now: dt.datetime, since: dt.datetime | None = None) -> int:
    """Send what was held for a channel; returns how much.

    Raises NotReplayableError where it does not hear.
    """
    return _replay(channel, Message.State.HELD, now, since)


def replay_failed(*, channel: Channel, now: dt.datetime, since: dt.datetime | None = None) -> int:
    """Try the failed messages of a channel once more from the start; returns how many.

    Raises NotReplayableError where it does not hear.
    """
    return _replay(channel, Message.State.FAILED, now, since)


def replay_messages(*, ids: Iterable[int], now: dt.datetime) -> int:
    """Try these once more where they failed or are held and their channel hears; how many."""
    asked = Message.objects.filter(id__in=list(ids), state__in=REPLAYABLE)
    with transaction.atomic():
        lock_channels(asked.values_list("channel_id", flat=True))
        hearing = Channel.objects.hearing().filter(id__in=asked.values("channel_id"))
        return _make_due(asked.filter(channel__in=hearing), now)


def replay_deliveries(*, ids: Iterable[int], now: dt.datetime) -> int:
    """Promise these anew where they are held and their channel hears; returns how many."""
    asked = Delivery.objects.filter(id__in=list(ids), state=Delivery.State.HELD)
    with transaction.atomic():
        lock_channels(asked.values_list("channel_id", flat=True))
        hearing = Channel.objects.hearing().filter(id__in=asked.values("channel_id"))
        return asked.filter(channel__in=hearing).update(state=Delivery.State.PENDING, due_at=now)


def replay_delivery(*, delivery: Delivery, now: dt.datetime) -> None:
    """Send a piece of news once more, with all that its message holds.

    Raises NotReplayableError where there is nothing to replay, or nobody who hears it.
    """
    with transaction.atomic():
        (channel,) = lock_channels([delivery.channel_id])
        check_hearing(channel)
        delivery.refresh_from_db(fields=["state", "message"])
        if delivery.message_id is not None:
            done = replay_messages(ids=[delivery.message_id], now=now)
        else:
            done = replay_deliveries(ids=[delivery.id], now=now)
        if not done:
            raise NotReplayableError(_why_not(delivery))


def _why_not(delivery: Delivery) -> str:
    state = delivery.message.state if delivery.message else delivery.state
    if state == Message.State.SENT:
        return "This was sent; there is nothing to replay."
    if state == Delivery.State.CANCELLED:
        return "This was taken back: none of your watches asks for it any more."
    return "This is on its way already."


def _make_due(messages: QuerySet[Message], now: dt.datetime) -> int:
    """What failed begins from the start: its tries are over."""
    return messages.update(
        state=Message.State.DUE,
        next_attempt_at=now,
        finalized_at=None,
        tries=0,
        ambiguous=0,
        lost_leases=0,
        refused_at=None,
    )


def _replay(
    channel: Channel, state: Message.State, now: dt.datetime, since: dt.datetime | None
) -> int:
    """All of it in one statement, after whoever holds the channel has said what is held."""
    with transaction.atomic():
        for locked in lock_channels([channel.pk]):
            check_hearing(locked)
        ((promised, due),) = sql.rows(
            _REPLAY, {"channel": channel.pk, "state": state, "now": now, "since": since}
        )
    return int(promised + due)


_REPLAY = """
WITH promised AS (
    UPDATE deliveries d SET state = 'pending', due_at = %(now)s
    WHERE d.channel_id = %(channel)s AND d.state = 'held' AND %(state)s = 'held'
      AND coalesce(d.created_at >= %(since)s, true)
    RETURNING 1
), due AS (
    UPDATE messages m SET state = 'due', next_attempt_at = %(now)s, finalized_at = NULL,
        tries = 0, ambiguous = 0, lost_leases = 0, refused_at = NULL
    WHERE m.channel_id = %(channel)s AND m.state = %(state)s
      AND coalesce(m.created_at >= %(since)s, true)
    RETURNING 1
)
SELECT (SELECT count(*) FROM promised), (SELECT count(*) FROM due)
"""
