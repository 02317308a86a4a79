"""What comes back from a store, before and after it is read."""

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.listing import Listing


class UnreadableAnswerError(Exception):
    """Not an answer of the store's catalogue: a captcha page, half an answer, another service."""


class StoreError(Exception):
    """The store understood nothing of what we asked, and says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: header names in lower case, the body unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """What one answer holds. `raw_count` is what the store listed, readable or not."""

    listings: tuple[Listing, ...] = ()
    stubs: tuple[str, ...] = ()  # ASINs answered without a title: unknown here, or withdrawn
    children: tuple[str, ...] = ()  # ASINs that a series object says are its parts
    raw_count: int = 0
    total_results: int | None = None  # as stated; stores overstate it

    @property
    def listed(self) -> tuple[str, ...]:
        """Every ASIN the store showed whole."""
        return tuple(listing.asin for listing in self.listings)

    @property
    def asins(self) -> tuple[str, ...]:
        """Every ASIN the store said anything about."""
        return (*self.listed, *self.stubs)
