"""Streams as arrays: what was known of each entity after each release, and on any day."""

import datetime as dt
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workers.insights.streams import Stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DECAY: Final = 0.8  # what a gap counts, relative to the one after it
LEAST_RELEASES: Final = 3
SLEEPS_AFTER: Final = 1095  # days without a release after which nothing is forecast
YEAR: Final = 365
HORIZON: Final = 730
_SPAN: Final = 4_000_000  # more than any ordinal day

# What is kept per release: of the gaps up to it, in log days except where it says otherwise.
_KEPT = (
    "last",
    "before",
    "median",
    "mean3",
    "low",
    "high",
    "w",
    "wx",
    "wxx",
    "ww",
    "first",
    "spread",
)


@dataclass(frozen=True)
class Snapshots:
    """Entities as they stood on a day each: row i is entity[i] on day[i].

    `remaining`: days from then to the next release, infinite where none is on record.
    """

    entity: Ints
    day: Ints
    release: Ints  # index of the last release before or on that day
    remaining: Floats
    features: Floats

    def __len__(self) -> int:
        return len(self.day)

    def take(self, rows: NDArray[np.bool_] | Ints) -> "Snapshots":
        return Snapshots(
            self.entity[rows],
            self.day[rows],
            self.release[rows],
            self.remaining[rows],
            self.features[rows],
        )

    def known_by(self, until: int) -> "Snapshots":
        """The rows from before a day, knowing no release after it."""
        past = self.take(self.day < until)
        seen = past.day + past.remaining <= until
        return Snapshots(
            past.entity,
            past.day,
            past.release,
            np.where(seen, past.remaining, np.inf),
            past.features,
        )


class History:
    """All releases of all streams, flat, with what was known after each."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self.names = [stream.name for stream in streams]
        self.junk_from = np.array([stream.junk_from for stream in streams], dtype=np.int64)
        self.day = np.array([day for stream in streams for day in stream.days], dtype=np.int64)
        sizes = [len(stream.days) for stream in streams]
        self.entity = np.repeat(np.arange(len(streams)), sizes)
        self.start = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        kept = [row for stream in streams for row in _after_each(stream.days)]
        table = np.array(kept, dtype=np.float64).reshape(len(kept), len(_KEPT))
        self.kept = {name: table[:, column] for column, name in enumerate(_KEPT)}
        self._keys = self.entity * _SPAN + self.day

    def at(self, day: int) -> Snapshots:
        """All entities that can be forecast on a day, with the truth that came after it."""
        release = self._last(np.arange(len(self.names)), day)
        active = np.flatnonzero(
            (release - self.start + 1 >= LEAST_RELEASES)
            & (day - self.day[np.maximum(release, 0)] <= SLEEPS_AFTER)
            & (day < self.junk_from)
        )
        return self._snapshots(active, np.full(len(active), day), release[active])

    @cached_property
    def quarters(self) -> Snapshots:
        """All entities on the first day of each quarter."""
        if not len(self.day):
            return _joined([self.at(1)])
        first, last = (
            dt.date.fromordinal(int(day)).year for day in (self.day.min(), self.day.max())
        )
        days = [dt.date(y, m, 1).toordinal() for y in range(first, last + 1) for m in (1, 4, 7, 10)]
        return _joined([self.at(day) for day in days])

    def last_releases(self, day: int) -> Ints:
        """The index of the last release of each entity that has one by then."""
        release = self._last(np.arange(len(self.names)), day)
        return release[release >= self.start]

    def _last(self, entity: Ints, day: int | Ints) -> Ints:
        """Smaller than the entity's start where it has none by then."""
        return np.searchsorted(self._keys, entity * _SPAN + day, side="right") - 1

    def _snapshots(self, entity: Ints, day: Ints, release: Ints) -> Snapshots:
        after = np.minimum(release + 1, len(self.day) - 1)
        has_next = (release + 1 < len(self.day)) & (self.entity[after] == entity)
        remaining = np.where(has_next, self.day[after] - day, np.inf)
        features = self._features(entity, day, release)
        return Snapshots(entity, day, release, remaining, features)

    def _features(self, entity: Ints, day: Ints, release: Ints) -> Floats:
        of = {name: column[release] for name, column in self.kept.items()}
        elapsed = np.log(np.maximum(day - self.day[release], 1))
        number = release - self.start[entity] + 1
        counts = [
            release - np.maximum(self._last(entity, day - days), self.start[entity] - 1)
            for days in (180, YEAR, HORIZON, SLEEPS_AFTER, 1825)
        ]
        age = np.log(np.maximum(day - of["first"], 1))
        season = 2 * np.pi * (day % 365.25) / 365.25
        columns = [
            elapsed, number, age, np.log(number) - age, *counts,
            of["last"], of["before"], of["median"], of["mean3"], of["low"], of["high"],
            of["spread"], of["wx"] / of["w"], elapsed - of["median"], elapsed - of["last"],
            elapsed - of["high"], of["last"] - of["median"], np.sin(season), np.cos(season),
        ]  # fmt: skip
        return np.column_stack(columns).astype(np.float64)


# Columns of Snapshots.features that others name.
ELAPSED, NUMBER, LAST_YEAR, LAST_GAP, MEDIAN_GAP = 0, 1, 5, 9, 11


def _after_each(days: tuple[int, ...]) -> list[tuple[float, ...]]:
    """What is kept after each release of one stream; nan where there is no gap yet."""
    gaps: list[float] = []
    ordered: list[float] = []
    w = wx = wxx = ww = 0.0
    rows = []
    for index, day in enumerate(days):
        if index:
            x = float(np.log(day - days[index - 1]))
            gaps.append(x)
            insort(ordered, x)
            w, wx, wxx = DECAY * w + 1, DECAY * wx + x, DECAY * wxx + x * x
            ww = DECAY * DECAY * ww + 1
        rows.append((*_of_gaps(gaps, ordered), w, wx, wxx, ww, float(days[0]), _spread(w, wx, wxx)))
    return rows


def _of_gaps(gaps: list[float], ordered: list[float]) -> tuple[float, ...]:
    if not gaps:
        return (np.nan,) * 6
    middle, odd = divmod(len(ordered), 2)
    median = ordered[middle] if odd else (ordered[middle - 1] + ordered[middle]) / 2
    latest = gaps[-3:]
    before = gaps[-2] if len(gaps) > 1 else np.nan
    return gaps[-1], before, median, sum(latest) / len(latest), ordered[0], ordered[-1]


def _spread(w: float, wx: float, wxx: float) -> float:
    return max(wxx / w - (wx / w) ** 2, 0.0) ** 0.5 if w else np.nan


def _joined(parts: Sequence[Snapshots]) -> Snapshots:
    names = ("entity", "day", "release", "remaining", "features")
    return Snapshots(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
