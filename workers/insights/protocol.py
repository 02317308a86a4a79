"""The rolling origin: from which days a record is forecast, so that the truth is known after each."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np

from workers.insights.history import HORIZON, History

LARGE: Final = 20_000  # releases; such a record needs fewer cut-offs, and each costs more
LEAST_RELEASES_SCORED: Final = 30


class TooSmallError(Exception):
    """The record has too little in it to say anything of a model."""


@dataclass(frozen=True)
class Cutoffs:
    """Ordinal days, ascending. What is forecast on those before is only learnt from."""

    before: tuple[int, ...]
    scored: tuple[int, ...]


def cutoffs_of(history: History, end: int) -> Cutoffs:
    """Half-years, ten of them scored; years, four of them, where a record is large.

    After each lie 24 months of the record. Three more years of them come before, to learn from.
    """
    is_large = len(history.day) > LARGE
    scored, before, months = (4, 3, (1,)) if is_large else (10, 6, (1, 7))
    last = dt.date.fromordinal(max(end - HORIZON, 1)).year
    years = range(max(last - 12, 1), last + 1)
    days = [dt.date(year, month, 1).toordinal() for year in years for month in months]
    days = [day for day in days if day + HORIZON <= end]
    cutoffs = Cutoffs(tuple(days[-scored - before : -scored]), tuple(days[-scored:]))
    found = sum(int(np.sum(history.at(day).remaining <= HORIZON)) for day in cutoffs.scored)
    if found < LEAST_RELEASES_SCORED:
        raise TooSmallError(
            f"Too little to judge by: {found} releases could be forecast, {LEAST_RELEASES_SCORED}"
            " are needed. It counts who has three releases, the last of them within three years"
            " before a cut-off, and another within the two years after it."
        )
    return cutoffs
