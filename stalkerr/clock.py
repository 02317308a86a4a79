"""The one clock: the database's, so that every process on every machine agrees.

Read once at the edge (task, view, command) and handed down as `now`. Under test settings a row
shifts it, so that drills can move time for all processes at once.
"""

import datetime as dt

from django.conf import settings
from django.db import connection


def now() -> dt.datetime:
    """The moment now, UTC, as the database sees it (not the transaction's start)."""
    with connection.cursor() as cursor:
        cursor.execute(_statement())
        (moment,) = cursor.fetchone()
    return moment.astimezone(dt.UTC)  # type: ignore[no-any-return]


def _statement() -> str:
    table = getattr(settings, "CLOCK_OFFSET_TABLE", "")
    if not table:
        return "SELECT clock_timestamp()"
    return f"SELECT clock_timestamp() + coalesce((SELECT shift FROM {table}), interval '0')"  # noqa: S608 (a setting)


def shift(by: dt.timedelta) -> None:
    """Move the clock by so much from now on (test settings only)."""
    table = settings.CLOCK_OFFSET_TABLE
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET shift = shift + %s", [by])  # noqa: S608 (a setting)
