"""What asking a store can come to, but for a page of listings (scraping/pages.py)."""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Absent:
    """Asked for these alone, the store answered without a title: a sign, no proof, of absence."""

    asins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Throttled:
    """The store wants to be left alone, for so long where it says so."""

    retry_after: dt.timedelta | None


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing was learnt. `blind`: the store could not be seen at all (outage, captcha page)."""

    reason: str
    blind: bool = False
