"""What writes across accounts."""

import datetime as dt
import secrets
from collections.abc import Iterable
from typing import Final

from django.db import transaction

from accounts.models import FeedToken, Notice, User

FEEDS_MAX: Final = 100  # private ones of a user


class TooManyFeedsError(Exception):
    """You have 100 private feeds already; end one that nobody reads."""


def notify(
    *, subject: str, text: str, dedupe_key: str, now: dt.datetime, user_id: int | None = None
) -> None:
    """Say something to a user (None: to the operators), unless it was said under this key."""
    notice = Notice(
        user_id=user_id, subject=subject, text=text, dedupe_key=dedupe_key, created_at=now
    )
    notify_each(notices=[notice])


def notify_each(*, notices: Iterable[Notice]) -> None:
    """Say many things at once, but for those that were said under their keys."""
    # In one order everywhere, or two who say the same would wait for each other in a ring.
    ordered = sorted(notices, key=lambda notice: notice.dedupe_key)
    Notice.objects.bulk_create(ordered, ignore_conflicts=True)


@transaction.atomic
def make_feed(
    *,
    user_id: int,
    watch_id: int | None = None,
    list_id: int | None = None,
    now: dt.datetime,
    name: str = "",
    remind_days: Iterable[int] = (),
) -> tuple[FeedToken, str]:
    """A private feed and its secret, which nobody can look up later. Raises TooManyFeedsError."""
    # One after the other, or two could both be the last that fits.
    User.objects.select_for_update(no_key=True).get(pk=user_id)
    if FeedToken.objects.filter(user_id=user_id).count() >= FEEDS_MAX:
        raise TooManyFeedsError(TooManyFeedsError.__doc__)
    secret = _feed_secret()
    feed = FeedToken.objects.create(
        user_id=user_id,
        watch_id=watch_id,
        list_id=list_id,
        name=name,
        remind_days=list(remind_days),
        digest=FeedToken.digest_of(secret),
        created_at=now,
    )
    return feed, secret


def rotate_feed(*, feed: FeedToken, now: dt.datetime) -> str:
    """Another secret for a feed; the one before opens nothing from the commit on."""
    secret = _feed_secret()
    feed.digest, feed.rotated_at = FeedToken.digest_of(secret), now
    feed.save(update_fields=["digest", "rotated_at"])
    return secret


def _feed_secret() -> str:
    return secrets.token_urlsafe(32)  # 256 bits
