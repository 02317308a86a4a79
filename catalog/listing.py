"""One cleaned record of a store, before anything is decided about it."""

import datetime as dt
import hashlib
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class CreditLine:
    """A person and what they did. Without an ASIN the name is the key of last resort."""

    name: str
    asin: str | None
    role: str  # one of catalog/roles.py


@dataclass(frozen=True, slots=True)
class SeriesPlace:
    """A place in a series. `sequence` is text as sold: "1", "0.5", "1-3", "Book 1"."""

    asin: str | None
    title: str
    sequence: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """What a store said of one audiobook. None or empty: it said nothing, which clears nothing.

    `release_date` is a day on the store's calendar, moments are UTC, and dates that stand for
    "unknown" (year 2100 and later) are None. `title` is None only where a record has people or
    dates but no title. `genres` are (id, name), first seen first.
    """

    marketplace: str
    asin: str
    url: str
    title: str | None = None
    subtitle: str | None = None
    language: str | None = None
    release_date: dt.date | None = None
    undated: bool = False  # the store says that there is no date (any more)
    publication_at: dt.datetime | None = None
    launched_at: dt.datetime | None = None
    publisher: str | None = None
    runtime_minutes: int | None = None
    credits: tuple[CreditLine, ...] = ()
    series: tuple[SeriesPlace, ...] = ()
    genres: tuple[tuple[str, str], ...] = ()
    format_type: str | None = None
    content_type: str | None = None
    delivery_type: str | None = None
    cover_url: str | None = None
    summary: str | None = None
    sku: str | None = None
    isbn: str | None = None
    provenance: str = "audible_api"  # the source that read it (scraping/sources/registry.py)
    raw: dict[str, Any] = field(default_factory=dict, hash=False, repr=False)

    @property
    def is_series_object(self) -> bool:
        """Whether this stands for a whole series: nothing to listen to, never news."""
        return self.delivery_type == "BookSeries"

    def fingerprint(self) -> str:
        """The same for the same facts, whoever read them, in whatever order series and genres came."""
        facts = (
            (self.marketplace, self.asin, self.url, self.title, self.subtitle, self.language),
            (self.release_date, self.undated, self.publication_at, self.launched_at),
            (self.publisher, self.runtime_minutes, self.credits, sorted(map(repr, self.series))),
            (sorted(self.genres), self.format_type, self.content_type, self.delivery_type),
            (self.cover_url, self.summary, self.sku, self.isbn),
        )
        return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()
