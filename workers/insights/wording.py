"""A window in words: as exact as it is narrow, and nothing where it says nothing."""

import datetime as dt
from typing import Final

NARROW: Final = 120  # days; such windows hold what they promise, see docs/explanation/forecasts.md
SEASONS: Final = 250
HOPELESS: Final = 500
LEAST_CHANCE: Final = 0.2
_SEASONS: Final = ("early", "spring", "summer", "autumn", "late")


def worded(today: dt.date, *, low: float, middle: float, high: float, chance: float) -> str | None:
    """ "3 March to 20 May 2027", "spring 2027", "2027", or None: better not said at all.

    The sides of the window are days from today; the chance is that of a release within a year.
    """
    width = high - low
    if chance < LEAST_CHANCE or width >= HOPELESS:
        return None
    if width < NARROW:
        return _span(*(today + dt.timedelta(days=round(side)) for side in (low, high)))
    likely = today + dt.timedelta(days=round(middle))
    return _season(likely) if width < SEASONS else str(likely.year)


def _span(first: dt.date, last: dt.date) -> str:
    if first == last:
        return _day(first, with_year=True)
    return f"{_day(first, with_year=first.year != last.year)} to {_day(last, with_year=True)}"


def _day(day: dt.date, *, with_year: bool) -> str:
    return f"{day.day} {day:%B}" + (f" {day.year}" if with_year else "")


def _season(day: dt.date) -> str:
    """By the month: early for January and February, late for December."""
    return f"{_SEASONS[day.month // 3]} {day.year}"
