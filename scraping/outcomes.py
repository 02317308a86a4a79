"""What a visit can come to. Only `Found` and `Absent` say anything about audiobooks."""

import datetime as dt
from dataclasses import dataclass

from catalog.listing import Listing


@dataclass(frozen=True, slots=True)
class Found:
    """The store listed these. `complete`: nothing more is to be had for this query."""

    listings: tuple[Listing, ...]
    complete: bool
    total_results: int | None
    pages: int


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


Outcome = Found | Absent | Throttled | Failed
