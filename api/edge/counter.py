"""The one question to Redis that every request of the lane costs: may it, and how new is all?"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from django.conf import settings

from api.counting import TAKE, Count, Rule, arguments, count_of
from api.edge.line import Line
from catalog.marketplaces import MARKETPLACES
from catalog.revisions import PLACE, SHIFT

_MINUTE = 60_000  # ms; every store's midnight is the beginning of one
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """A request that was counted, and when that was."""

    count: Count
    at: int  # ms, by Redis's clock
    said: bytes  # the revisions; empty where nobody has said them

    def stamp(self, codes: tuple[str, ...]) -> str:
        """The state of these stores and the day there; empty where it is not known."""
        return _stamp(self.said, codes, self._database_ms() // _MINUTE) if self.said else ""

    def minute(self) -> dt.datetime:
        """When it began, by the database's clock."""
        return _moment(self._database_ms() // _MINUTE * _MINUTE)

    def _database_ms(self) -> int:
        return self.at + int(_parsed(self.said).get(SHIFT, "0"))


@dataclass(frozen=True, slots=True)
class Limit:
    """A rule, and what is said of it in each question."""

    rule: Rule
    key: str
    numbers: Sequence[int]

    @classmethod
    def of(cls, rule: Rule) -> Self:
        return cls(rule, rule.key, arguments([rule]))


class Counter:
    """Counts, over a line of its own."""

    def __init__(self) -> None:
        self.line = Line(settings.BUCKETS_URL)

    async def take(self, limit: Limit) -> Moment:
        """Count one more; raises LineError where nobody can count."""
        said = await self.line.run(TAKE, (limit.key, PLACE), *limit.numbers)
        accepted, found, now, revisions = said
        return Moment(count_of((limit.rule,), accepted, found), now, revisions)


@lru_cache(16)
def _parsed(said: bytes) -> Mapping[str, str]:
    words = said.decode().split(" ")
    return dict(zip(words[::2], words[1::2], strict=True))


@lru_cache(512)
def _stamp(said: bytes, codes: tuple[str, ...], minute: int) -> str:
    revisions = _parsed(said)
    if not all(code in revisions for code in codes):
        return ""
    state = " ".join(f"{code} {revisions[code]}" for code in codes)
    return f"{state} {_last_midnight(codes, minute)}"


def _last_midnight(codes: tuple[str, ...], minute: int) -> str:
    """When a day last began at one of these stores, or in UTC: what is upcoming changes then."""
    now = _moment(minute * _MINUTE)
    zones = [dt.UTC, *(MARKETPLACES[code].zone for code in codes)]
    days = [dt.datetime.combine(now.astimezone(zone).date(), dt.time(), zone) for zone in zones]
    return max(days).astimezone(dt.UTC).isoformat()


def _moment(ms: int) -> dt.datetime:
    return _EPOCH + dt.timedelta(milliseconds=ms)
