"""From rows (entity, date) to streams of releases: what belongs together, and what says nothing."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

SAME_RELEASE: Final = 7  # days in which titles of one entity are one release
DUMP: Final = 5  # titles on one day: a back catalogue was put on sale, nothing was written
MOST_TITLES: Final = 150  # who has more is a studio, a course or a podcast
FIRST_YEAR: Final = 1900  # what is dated earlier was made up
PLACEHOLDER_YEAR: Final = 2099  # and what is dated later stands for "not yet known"
NEVER: Final = dt.date.max.toordinal()

_NOBODY = frozenset(
    "anonymous anonymus anon various variousauthors variousartists diverse div div.autoren divers"
    " verschiedene verschiedeneautoren nn more unknown unknownauthor na none null"
    " onlinestudioproductions innovativelanguagelearning innovativelanguagelearningllc"
    " smartreading iminds pmpmanagementfactory onemediaipltd".replace(".", "").split()
)


@dataclass(frozen=True, slots=True)
class Stream:
    """An entity's releases as ordinal days, ascending; from `junk_from` on it is no author."""

    name: str
    days: tuple[int, ...]
    junk_from: int = NEVER


def streams_of(rows: Iterable[tuple[str, dt.date]], *, today: dt.date) -> list[Stream]:
    """One stream per entity, by name; days after today and placeholders are left out.

    What is made of the rows before a day does not depend on any row after it.
    """
    titles: dict[str, Counter[int]] = {}
    for name, day in rows:
        if is_dated(day, today=today) and not is_nobody(name):
            titles.setdefault(name, Counter())[day.toordinal()] += 1
    return [stream_of(name, titles[name]) for name in sorted(titles)]


def stream_of(name: str, titles: Counter[int]) -> Stream:
    """From how many titles came on which day."""
    days = sorted(titles)
    releases = [day for day in days if titles[day] < DUMP]
    return Stream(name, tuple(collapsed(releases)), _junk_from(days, titles))


def collapsed(days: Iterable[int]) -> list[int]:
    """The first day of each release: what follows within a week of it is the same one."""
    firsts: list[int] = []
    for day in days:
        if not firsts or day - firsts[-1] > SAME_RELEASE:
            firsts.append(day)
    return firsts


def is_dated(day: dt.date, *, today: dt.date) -> bool:
    return FIRST_YEAR <= day.year < PLACEHOLDER_YEAR and day <= today


def is_nobody(name: str) -> bool:
    """Whether a name stands for nobody in particular; a language may follow it after a bar."""
    return re.sub(r"[\W_]+", "", name.partition("|")[0].casefold()) in _NOBODY


def end_of(streams: Iterable[Stream]) -> int:
    """The last day the record can be trusted to: one release in a thousand lies after it.

    Whoever wrote down what was on sale also wrote down a few titles announced for later.
    """
    days = sorted(day for stream in streams for day in stream.days)
    return days[-1 - len(days) // 1000]


def _junk_from(days: list[int], titles: Counter[int]) -> int:
    seen = 0
    for day in days:
        seen += titles[day]
        if seen > MOST_TITLES:
            return day
    return NEVER
