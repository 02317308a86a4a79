"""Addresses are told no news before their owner has followed a link sent there.

The link itself is made when the message is sent and stored nowhere (notifications/links.py). Of a
channel's links only the newest counts: it names the moment since which the channel is unconfirmed.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import Notice
from catalog.models import Watch
from notifications import links
from notifications.models import Channel, Delivery, Message
from notifications.replaying import replay_held
from notifications.services import PROMISES, hold, lock_channels
from stalkerr.locks import lock

SUBJECT: Final = "Confirm that you want to hear of audiobooks here"
TEXT: Final = (
    "Somebody, most likely you, asked Stalkerr to send news of audiobooks to this address.\n"
    "Nothing is sent before you confirm it, within seven days. If it was not you, do nothing."
)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A channel whose address is confirmed, and how much of what was held goes there now."""

    channel: Channel
    replayed: int


def ask_to_confirm(*, channel: Channel, now: dt.datetime) -> None:
    """Send a link to a channel's address; what the channel would be told is held until it is used.

    Its links of before are void. The caller holds the channel's row.
    """
    with transaction.atomic():
        lock(PROMISES)  # a chunk that read the channel as confirmed has promised by then
        _lock_watches(channel)
        _withdraw(channel, now)
        channel.unconfirmed_since = now
        channel.save(update_fields=["unconfirmed_since"])
        _hold(channel)
        notice = Notice.objects.create(
            user_id=channel.user_id,
            dedupe_key=links.confirmation_key(channel_id=channel.id, since=now),
            subject=SUBJECT,
            text=TEXT,
            created_at=now,
            fanned_out_at=now,  # for this channel alone, which hears no other notice
        )
        Delivery.objects.create(
            notice=notice,
            source_at=now,
            user_id=channel.user_id,
            channel=channel,
            channel_kind=channel.kind,
            destination_id=channel.destination_id,
            state=Delivery.State.PENDING if channel.disabled_at is None else Delivery.State.HELD,
            due_at=now,
            created_at=now,
        )


def linked_channel(*, token: str) -> Channel:
    """The channel that a confirmation link is for; raises BadLinkError where it confirms nothing."""
    channel_id, since = links.channel_to_confirm(token)
    channel = Channel.objects.filter(id=channel_id).first()
    if channel is None or channel.unconfirmed_since not in (None, since):
        raise links.BadLinkError("This link is not valid any more.")
    return channel


def confirm_channel(*, token: str, now: dt.datetime) -> Confirmed:
    """Confirm what the link is for, and send what was held; once more, it changes nothing.

    Raises BadLinkError where the channel is gone, or has another address or a newer link.
    """
    channel_id, since = links.channel_to_confirm(token)
    with transaction.atomic():
        lock_channels([channel_id])
        # After every chunk that saw it unconfirmed: what they held is there to be replayed.
        lock(PROMISES)
        mine = Channel.objects.filter(id=channel_id, unconfirmed_since=since)
        is_first = mine.update(unconfirmed_since=None)
        channel = linked_channel(token=token)
        if not is_first:
            return Confirmed(channel, 0)
        _withdraw(channel, now)
        replayed = replay_held(channel=channel, now=now) if channel.disabled_at is None else 0
        return Confirmed(channel, replayed)


def _lock_watches(channel: Channel) -> None:
    """In everybody's order, promises, watches, deliveries: a wish may be changed along with it."""
    watches = Watch.objects.select_for_update(no_key=True).filter(user=channel.user_id)
    list(watches.order_by("id").values_list("id"))


def _hold(channel: Channel) -> None:
    """All that waits, also what somebody is at: it must not go into one message with the request."""
    promised = Delivery.objects.filter(channel=channel, state=Delivery.State.PENDING)
    due = Message.objects.filter(channel=channel, state=Message.State.DUE)
    list(promised.select_for_update().order_by("id").values_list("id"))
    list(due.select_for_update().order_by("id").values_list("id"))
    hold(channel_ids=[channel.id])


def _withdraw(channel: Channel, now: dt.datetime) -> None:
    """Requests to confirm that have not been sent are not needed any more."""
    promised = _requests(Delivery.objects.filter(channel=channel, state__in=Delivery.REVOCABLE))
    promised.update(state=Delivery.State.CANCELLED)
    composed = _requests(Delivery.objects.filter(message=OuterRef("pk")))
    waiting = (Message.State.DUE, Message.State.HELD)
    messages = Message.objects.filter(Exists(composed), channel=channel, state__in=waiting)
    messages.update(
        state=Message.State.FAILED,
        reason="Not needed any more.",
        next_attempt_at=None,
        finalized_at=now,
    )


def _requests(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    return deliveries.filter(notice__dedupe_key__startswith=f"{links.CONFIRM}:")
