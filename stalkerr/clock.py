"""The one clock: the database's, so that every process on every machine agrees.

Read once at the edge (task, view, command) and handed down as `now`. Under test settings a row
shifts it, so that drills can move time for all processes at once.
"""

import datetime as dt

from django.conf import settings

from stalkerr import sql


def now() -> dt.datetime:
    """The moment now, UTC, as the database sees it (not the transaction's start)."""
    ((moment,),) = sql.rows(_statement())
    return moment.astimezone(dt.UTC)  # type: ignore[no-any-return]


def skew() -> dt.timedelta:
    """How far this machine's clock is ahead of the database's. Nothing is decided by it."""
    ((moment,),) = sql.rows("SELECT clock_timestamp()")
    ahead: dt.timedelta = dt.datetime.now(dt.UTC) - moment
    return ahead


def _statement() -> str:
    table = getattr(settings, "CLOCK_OFFSET_TABLE", "")
    if not table:
        return "SELECT clock_timestamp()"
    return f"SELECT clock_timestamp() + coalesce((SELECT shift FROM {table}), interval '0')"  # noqa: S608 (a setting)


def shift(by: dt.timedelta) -> None:
    """Move the clock by so much from now on (test settings only)."""
    table = settings.CLOCK_OFFSET_TABLE
    sql.rows(f"UPDATE {table} SET shift = shift + %s", [by])  # noqa: S608 (a setting)
