"""What a store has answered so far, and what can be read off it. Pure."""

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from catalog.listing import Listing
from catalog.marketplaces import store_date
from scraping.pages import Answer, Page, StoreError, UnreadableAnswerError
from scraping.sources.registry import SOURCES


@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked about; without a series or ASIN, those that the author's answer names."""

    marketplace: str
    author: str
    series: str = ""
    asin: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer. `status` is what came over the wire: 304 where the answer is a remembered one."""

    answer: Answer
    source: str
    status: int
    was_conditional: bool = False


class Sights:
    """Answers by the name of their question; `silent` says why the others have none."""

    def __init__(self, scope: Scope, now: dt.datetime) -> None:
        self.scope = scope
        self.now = now
        self.heard: dict[str, Heard] = {}
        self.silent: dict[str, str] = {}
        self.throttled: Answer | None = None
        self.is_reached = False  # any answer at all, whatever it said
        self.unanswered = 0  # the last so many questions brought nothing back
        self.requests = 0

    def page(self, name: str) -> Page:
        """What an answer lists. Raises StoreError, UnreadableAnswerError."""
        heard = self.heard[name]
        return SOURCES[heard.source].parse(heard.answer.body, self.scope.marketplace)

    def products(self, name: str) -> list[dict[str, Any]]:
        """The records of an answer of the API, as they came. Raises as `page` does."""
        data = self.data(name)
        records = data.get("products") or [data.get("product")]
        return [each for each in records if isinstance(each, dict)]

    def data(self, name: str) -> dict[str, Any]:
        """An answer of the API as it came. Raises as `page` does."""
        try:
            found = json.loads(self.heard[name].answer.body)
        except ValueError as error:
            raise UnreadableAnswerError("broken JSON") from error
        if not isinstance(found, dict):
            raise UnreadableAnswerError("no answer of the catalogue")
        if isinstance(found.get("message"), str):
            raise StoreError(found["message"])
        return found

    @property
    def listings(self) -> dict[str, Listing]:
        """Whatever the author's first pages showed, by ASIN; empty where they can't be read."""
        found: dict[str, Listing] = {}
        for name in ("listing", "next"):
            try:
                found |= {each.asin: each for each in self.page(name).listings}
            except (KeyError, StoreError, UnreadableAnswerError):
                continue
        return found

    @property
    def asin(self) -> str:
        """The title asked for alone: one that is out, if the author has one."""
        today = store_date(self.scope.marketplace, self.now)
        listed = [each for each in self.listings.values() if not each.is_series_object]
        out = [each for each in listed if each.release_date and each.release_date <= today]
        return self.scope.asin or next((each.asin for each in [*out, *listed]), "")

    @property
    def few(self) -> list[str]:
        """Titles asked for together: that one, and two others of the author's."""
        return [self.asin, *[asin for asin in self.listings if asin != self.asin][:2]]

    @property
    def series(self) -> str:
        """The series asked for."""
        named = (place.asin for each in self.listings.values() for place in each.series)
        return self.scope.series or next(filter(None, named), "")
