"""What a deployment or its staff may change of the schedule, in words: `1800`, `04:30 Europe/Berlin`."""

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from workers.moments import DAY

SHORTEST, LONGEST = dt.timedelta(seconds=1), dt.timedelta(days=366)
PAUSED = "paused"
_SECONDS = re.compile(r"[0-9]{1,9}")
_HOUR = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


class Missed(StrEnum):
    """What becomes of slots for which nobody was there."""

    ONCE = "once"  # however many there are, one run stands for all
    SKIP = "skip"  # one that is too late is not run
    EACH = "each"  # every one of them is run, the oldest first


class TimingError(ValueError):
    """Says in one sentence what can't be meant, and how it is said."""


@dataclass(frozen=True, slots=True)
class Timing:
    """A change; None leaves things as they are."""

    every: dt.timedelta | None = None
    at: dt.time | None = None
    zone: str = "UTC"
    missed: Missed | None = None
    paused: bool = False


def parse(words: str) -> Timing:
    """Read `1800`, `04:30`, `04:30 Europe/Berlin`, `each`, `3600 skip`, `paused`. Raises TimingError."""
    said: dict[str, Any] = {}
    for word in words.split():
        name, value = _read(word)
        if name in said:
            raise TimingError(f"{word!r} is one word too many: {_HOW}")
        said[name] = value
    if "every" in said and "at" in said:
        raise TimingError(f"{words!r} says both how often and at what hour: {_HOW}")
    if "zone" in said and "at" not in said:
        raise TimingError(f"{words!r} names a time zone, but no hour: {_HOW}")
    return Timing(**({"every": DAY} if "at" in said else {}) | said)


def _read(word: str) -> tuple[str, Any]:
    """What a word says: the name of a Timing's field, and its value."""
    if _SECONDS.fullmatch(word):
        return "every", _interval(word)
    if hour := _HOUR.fullmatch(word):
        return "at", dt.time(int(hour[1]), int(hour[2]))
    if word in set(Missed):
        return "missed", Missed(word)
    if word == PAUSED:
        return "paused", True
    if _is_zone(word):
        return "zone", word
    raise TimingError(f"{word[:40]!r} is no time: {_HOW}")


_HOW = (
    "say seconds (1800) or an hour with its time zone (04:30 Europe/Berlin), and then, if you like,"
    " what becomes of missed slots: once, skip or each."
)


def _is_zone(word: str) -> bool:
    try:
        ZoneInfo(word)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _interval(word: str) -> dt.timedelta:
    every = dt.timedelta(seconds=int(word))
    if not SHORTEST <= every <= LONGEST:
        raise TimingError(f"{word} seconds are too few or too many: from 1 second to 366 days.")
    return every


def parse_all(changes: Iterable[str]) -> dict[str, Timing]:
    """Read `workers.prune=1800`, …: a change for each job it names. Raises TimingError."""
    found: dict[str, Timing] = {}
    for change in changes:
        job, sign, words = change.strip().partition("=")
        if not sign or not words.strip():
            raise TimingError(f"{change!r} is no change: say JOB=WHEN, as in workers.prune=1800.")
        if job.strip() in found:
            raise TimingError(f"{job.strip()} is there twice.")
        found[job.strip()] = parse(words)
    return found
