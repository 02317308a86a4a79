"""A channel switched off by the link in one of its messages: one POST, no sign-in (RFC 8058)."""

import datetime as dt
from typing import Final

from django.db import transaction

from accounts.services import notify
from notifications import links
from notifications.models import Channel
from notifications.services import disable_channel

REASON: Final = "Switched off by the link in a message."


def unsubscribed_channel(*, token: str) -> Channel:
    """The channel that an unsubscribe link is for; raises BadLinkError where there is none."""
    channel = Channel.objects.filter(id=links.channel_to_unsubscribe(token)).first()
    if channel is None:
        raise links.BadLinkError("Its channel is gone.")
    return channel


def unsubscribe_channel(*, token: str, now: dt.datetime) -> Channel:
    """Disable the channel that the link is for; once more, it changes nothing.

    Its owner hears of it elsewhere: others may have got hold of a message. Raises BadLinkError.
    """
    with transaction.atomic():
        channel = unsubscribed_channel(token=token)
        if disable_channel(channel=channel, reason=REASON, now=now):
            notify(
                user_id=channel.user_id,
                subject=f"Your channel {channel} was switched off",
                text=f"{REASON} What it would have been told is kept; if that was not meant, "
                "enable it and replay what was held.",
                dedupe_key=f"channel-disabled:{channel.id}:{now.isoformat()}",
                now=now,
            )
        channel.refresh_from_db()
    return channel
