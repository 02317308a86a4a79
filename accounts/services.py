"""What writes across accounts."""

import datetime as dt

from accounts.models import Notice


def notify(
    *, subject: str, text: str, dedupe_key: str, now: dt.datetime, user_id: int | None = None
) -> None:
    """Say something to a user (None: to the operators), unless it was said under this key."""
    notice = Notice(
        user_id=user_id, subject=subject, text=text, dedupe_key=dedupe_key, created_at=now
    )
    Notice.objects.bulk_create([notice], ignore_conflicts=True)
