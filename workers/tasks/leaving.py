"""What becomes of the rows of those who left."""

import datetime as dt

from workers import leaving
from workers.jobs import job

AT_ONCE = 100_000  # rows; the next slot goes on


@job("accounts.remove_left")
def remove_left(now: dt.datetime) -> int:
    """Remove what is left of users who have left."""
    return leaving.remove_left(before=now - leaving.GRACE, limit=AT_ONCE)
