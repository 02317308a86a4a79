"""When a channel is told, on its owner's clock: pure, and right through every change of that clock.

Local times that a change skips are taken at the first moment after the gap, those that come twice
the first time. A day's digest always falls on that day.
"""

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

_DAY: Final = dt.timedelta(days=1)
_MINUTE: Final = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Wish:
    """What an owner wants; `hour` and `weekday` (0: Monday) are of the digest."""

    zone: str
    digest: str = ""  # "", "daily" or "weekly"
    hour: int = 0
    weekday: int = 0
    quiet_from: dt.time | None = None
    quiet_until: dt.time | None = None

    def errors(self) -> dict[str, str]:
        """What can't be meant so: a sentence per field."""
        if (self.quiet_from is None) != (self.quiet_until is None):
            return {"quiet_until": "Quiet hours need both a beginning and an end."}
        if self.quiet_from is not None and self.quiet_from == self.quiet_until:
            return {"quiet_until": "Quiet hours that end when they begin would never end."}
        if self.digest and self.is_quiet(dt.time(self.hour)):
            return {"digest_hour": "This is in the quiet hours; choose another hour."}
        return {}

    def is_quiet(self, time: dt.time) -> bool:
        """Whether the quiet hours hold at this time of day; they may span midnight."""
        if self.quiet_from is None or self.quiet_until is None:
            return False
        if self.quiet_from < self.quiet_until:
            return self.quiet_from <= time < self.quiet_until
        return time >= self.quiet_from or time < self.quiet_until


def quiet_end(wish: Wish, now: dt.datetime) -> dt.datetime | None:
    """When the quiet hours that hold at `now` end (UTC); None where none hold."""
    local = now.astimezone(_zone(wish.zone))
    if wish.quiet_until is None or not wish.is_quiet(local.time()):
        return None
    ends = (
        _moment(wish.zone, dt.datetime.combine(local.date() + days * _DAY, wish.quiet_until), fold)
        for days in range(3)
        for fold in (0, 1)
    )
    # What is left open between two quiet hours may lie in a gap: then they go on beyond it.
    return min(
        end
        for end in ends
        if end > now and not wish.is_quiet(end.astimezone(_zone(wish.zone)).time())
    )


def digest_at(wish: Wish, day: dt.date) -> dt.datetime:
    """The moment (UTC) of the digest of that day on the owner's calendar."""
    return _digest_at(wish.zone, wish.hour, day)


def last_digest(wish: Wish, now: dt.datetime) -> dt.date:
    """The latest day whose digest is due at `now`."""
    day = now.astimezone(_zone(wish.zone)).date()
    while not (_is_digest_day(wish, day) and digest_at(wish, day) <= now):
        day -= _DAY
    return day


def next_digest(wish: Wish, after: dt.datetime) -> dt.datetime:
    """The first digest after a moment."""
    day = last_digest(wish, after) + _DAY
    while not _is_digest_day(wish, day):
        day += _DAY
    return digest_at(wish, day)


def _is_digest_day(wish: Wish, day: dt.date) -> bool:
    is_there = _has_day(wish.zone, day)
    return is_there and (wish.digest != "weekly" or day.weekday() == wish.weekday)


@lru_cache(maxsize=4096)
def _has_day(zone: str, day: dt.date) -> bool:
    """Whether the calendar there has that day: who crosses the date line skips one."""
    noon = dt.datetime.combine(day, dt.time(12), _zone(zone))
    return noon.astimezone(dt.UTC).astimezone(_zone(zone)).date() == day


@lru_cache(maxsize=4096)
def _digest_at(zone: str, hour: int, day: dt.date) -> dt.datetime:
    moment = _moment(zone, dt.datetime.combine(day, dt.time(hour)), fold=0)
    if moment.astimezone(_zone(zone)).date() == day:
        return moment
    # The hour is in a gap that ends the day: the day's last minute instead.
    while moment.astimezone(_zone(zone)).date() != day:
        moment -= _MINUTE
    return moment


def _moment(zone: str, local: dt.datetime, fold: int) -> dt.datetime:
    """The moment at which the clock shows `local`, or first shows something later."""
    aware = local.replace(tzinfo=_zone(zone), fold=fold)
    moment = aware.astimezone(dt.UTC)
    if moment.astimezone(_zone(zone)).replace(tzinfo=None) == local:
        return moment
    # In a gap the two readings of `local` lie around it: its end is where the later one begins.
    after = local.replace(tzinfo=_zone(zone), fold=0).astimezone(dt.UTC)
    before = local.replace(tzinfo=_zone(zone), fold=1).astimezone(dt.UTC)
    low, high = min(before, after), max(before, after)
    while high - low > dt.timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(_zone(zone)).replace(tzinfo=None) >= local:
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
