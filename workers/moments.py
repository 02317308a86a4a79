"""When a job is due: every so often, or once a day by a wall clock, whatever that clock does."""

import datetime as dt
from collections.abc import Iterator
from itertools import count, islice
from zoneinfo import ZoneInfo

DAY = dt.timedelta(days=1)
_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def slots_of(
    *,
    every: dt.timedelta,
    at: dt.time | None,
    zone: str,
    after: dt.datetime | None,
    until: dt.datetime,
    limit: int,
) -> list[dt.datetime]:
    """The last `limit` slots after `after` up to `until`, UTC, the oldest first.

    Without `at` they are the multiples of `every`, the same for whoever asks. With it there is one
    for each day of `zone`: an hour that the clock leaves out is the one after it, and of an hour
    that comes twice it is the first.
    """
    newest_first = _multiples(every, until) if at is None else _days(at, ZoneInfo(zone), until)
    found = []
    for slot in islice(newest_first, limit):
        if after is not None and slot <= after:
            break
        found.append(slot)
    return found[::-1]


def next_slot(
    *, every: dt.timedelta, at: dt.time | None, zone: str, now: dt.datetime
) -> dt.datetime:
    """The first slot after `now`."""
    if at is None:
        return now - (now - _EPOCH) % every + every
    local = ZoneInfo(zone)
    today = now.astimezone(local).date()
    days = (_moment(today + n * DAY, at, local) for n in count(-1))
    return next(slot for slot in days if slot > now)


def _multiples(every: dt.timedelta, until: dt.datetime) -> Iterator[dt.datetime]:
    newest = until - (until - _EPOCH) % every
    return (newest - n * every for n in count())


def _days(at: dt.time, zone: ZoneInfo, until: dt.datetime) -> Iterator[dt.datetime]:
    tomorrow = until.astimezone(zone).date() + DAY
    before = until + DAY
    for n in count():
        slot = _moment(tomorrow - n * DAY, at, zone)
        if slot <= until and slot < before:  # a day that a zone left out is the next one
            before = slot
            yield slot


def _moment(day: dt.date, at: dt.time, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, at.replace(fold=0), zone).astimezone(dt.UTC)
