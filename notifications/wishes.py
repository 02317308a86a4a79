"""When channels want to be told: their rows of `timings`, read into pure wishes, and changed."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

from django.db import transaction
from django.db.models import F

from accounts.models import User
from notifications.models import Channel, Delivery, Timing
from notifications.timing import Wish, next_digest, quiet_end
from stalkerr import sql


def wish_of(timing: Timing) -> Wish:
    return Wish(
        zone=timing.zone,
        digest=timing.digest,
        hour=timing.hour,
        weekday=timing.weekday,
        quiet_from=timing.quiet_from,
        quiet_until=timing.quiet_until,
    )


def next_digests(now: dt.datetime) -> dict[int, dt.datetime]:
    """By timing: when the next digest of its channels is due."""
    timings = Timing.objects.exclude(digest=Timing.Digest.NONE)
    return {timing.id: next_digest(wish_of(timing), now) for timing in timings}


def quiet_ends(now: dt.datetime) -> dict[int, dt.datetime]:
    """By timing whose quiet hours hold at `now`: when they end."""
    timings = Timing.objects.exclude(quiet_from=None)
    ends = {timing.id: quiet_end(wish_of(timing), now) for timing in timings}
    return {timing_id: end for timing_id, end in ends.items() if end}


def set_wish(*, channel: Channel, wish: Wish, now: dt.datetime) -> None:
    """Tell a channel when its owner wants; what is promised to it follows with the next sweep."""
    with transaction.atomic():
        timing = _timing(wish)
        if channel.timing_id == (timing.id if timing else None):
            return
        channel.timing = timing
        channel.save(update_fields=["timing"])
        _look_again(channel, now)


def follow_zones(*, users: Iterable[User] | None = None, now: dt.datetime) -> int:
    """Move the channels of users whose time zone changed to their new clock; returns how many.

    Without `users`, those of anybody: the daily look that finds what was changed by other ways.
    """
    behind = Channel.objects.exclude(timing=None).exclude(timing__zone=F("user__time_zone"))
    if users is not None:
        behind = behind.filter(user__in=users)
    with transaction.atomic():
        # Locked before their wishes are read, or one that is made meanwhile would be lost.
        ids = list(behind.order_by("id").values_list("id", flat=True))
        list(Channel.objects.select_for_update(no_key=True).filter(id__in=ids).order_by("id"))
        channels = list(behind.filter(id__in=ids).select_related("timing", "user").order_by("id"))
        for channel in channels:
            if channel.timing is not None:
                wish = replace(wish_of(channel.timing), zone=channel.user.time_zone)
                set_wish(channel=channel, wish=wish, now=now)
    return len(channels)


def _timing(wish: Wish) -> Timing | None:
    if not wish.digest and wish.quiet_from is None:
        return None
    timing, _ = Timing.objects.get_or_create(
        zone=wish.zone,
        digest=wish.digest,
        hour=wish.hour if wish.digest else 0,
        weekday=wish.weekday if wish.digest == Timing.Digest.WEEKLY else 0,
        quiet_from=wish.quiet_from,
        quiet_until=wish.quiet_until,
    )
    return timing


def _look_again(channel: Channel, now: dt.datetime) -> None:
    """Have the promises to a channel made anew by their watches (services.cancel_unwanted).

    By all of its owner's: what a chunk of the fan-out is about to promise can't be seen yet.
    What no watch asked for is a notice: it is due at once, and quiet hours hold it back.
    """
    sql.rows(
        """
        UPDATE watches SET edited_at = %(now)s WHERE id IN (
            SELECT id FROM watches WHERE user_id = %(user)s ORDER BY id FOR NO KEY UPDATE)
        """,
        {"user": channel.user_id, "now": now},
    )
    Delivery.objects.filter(channel=channel, state=Delivery.State.PENDING, event=None).update(
        due_at=now
    )
