"""What writes across accounts."""

import datetime as dt
from collections.abc import Iterable

from accounts.models import Notice


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
