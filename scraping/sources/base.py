"""What every source of listings is made of, and how far a reading of it got.

A visit reads a query step by step, and may stop between any two and go on later:

    reading = source.start(query)
    while not reading.done:
        match source.step(query, reading, fetch(source.url(query, reading), session), now=now):
            case Progress(page, reading): record(page.listings)
            case outcome: return outcome
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, Self

from scraping.outcomes import Absent, Failed, Throttled
from scraping.pages import Answer, Page

QueryKind = Literal[
    "author", "narrator", "publisher", "genre", "keyword", "series", "asin", "batch"
]


@dataclass(frozen=True, slots=True)
class Query:
    """A question to one marketplace.

    In `text`: a name (author, narrator, publisher), a category's id (genre), words (keyword) or an
    ASIN (series, asin); a batch names its ASINs.
    """

    marketplace: str
    kind: QueryKind
    text: str = ""
    asins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pass:
    """How far reading a query got."""

    step: int = 0
    seen: tuple[str, ...] = ()  # ASINs the store showed whole
    todo: tuple[str, ...] = ()  # ASINs still to be asked for
    missing: tuple[str, ...] = ()  # asked for, and the store said nothing: no sign of removal
    total_results: int | None = None
    capped: bool = False  # the store shows no more of them
    plain: bool = False  # ask for less, the store has refused the full question
    done: bool = False

    @property
    def complete(self) -> bool:
        """Whether everything that can be had was seen."""
        return self.done and not self.missing

    def as_json(self) -> dict[str, Any]:
        """To be kept while the visit waits."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Where a visit goes on."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()
        }
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Progress:
    """A step that worked: what it showed, and where to go on."""

    page: Page
    reading: Pass


class Source(Protocol):
    """Reads a store. Pure but for settings: whoever visits it does the fetching."""

    def parse(self, body: bytes, marketplace: str) -> Page:
        """What one answer holds; raises StoreError or UnreadableAnswerError (scraping/pages.py)."""

    def start(self, query: Query) -> Pass:
        """The state before the first step."""

    def url(self, query: Query, reading: Pass) -> str:
        """What to fetch next; only while `reading` is not done."""

    def step(
        self, query: Query, reading: Pass, answer: Answer | Failed, *, now: dt.datetime
    ) -> Progress | Absent | Throttled | Failed:
        """Judge the answer to `url` and go on, or say why not. `now` reads Retry-After dates."""
