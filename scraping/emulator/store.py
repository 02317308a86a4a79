"""The emulated store: its shelves, its moods, and the verbs that change both."""

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from catalog.marketplaces import MARKETPLACES, store_date
from scraping.emulator.catalogue import Person, Product, Shelf, open_shelf, stock_released

BREAKAGES = ("empty", "blank", "stubs", "captcha", "truncated", "slow", "error500")
_REMEMBERED_REQUESTS = 100_000


class EmulatorError(Exception):
    """The verb makes no sense here: no such title, marketplace or breakage."""


@dataclass(slots=True)
class Mood:
    """What a marketplace does instead of answering; `requests`: for how many more, None: all."""

    kind: str  # "throttle" or one of BREAKAGES
    requests: int | None = None
    status: int = 429
    retry_after: float | str | None = None
    as_date: bool = False
    seconds: float = 0


def utc_now() -> dt.datetime:
    """The emulator's own clock, unless another is handed in."""
    return dt.datetime.now(dt.UTC)


class Store:
    """All marketplaces of one seed. Dates may be given as dates or as ISO text."""

    def __init__(
        self,
        *,
        seed: int = 1,
        marketplaces: Iterable[str] = tuple(MARKETPLACES),
        authors: int = 8,
        now: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        self._clock = now
        self._shift = dt.timedelta()
        self.moods: dict[str, Mood] = {}
        self.requests: deque[dict[str, Any]] = deque(maxlen=_REMEMBERED_REQUESTS)
        self.shelves = {
            code: open_shelf(seed, code, authors=authors, now=now()) for code in marketplaces
        }

    def now(self) -> dt.datetime:
        """The store's moment."""
        return self._clock() + self._shift

    def today(self, marketplace: str) -> dt.date:
        """The day on this marketplace's calendar."""
        return store_date(marketplace, self.now())

    # -- titles ----------------------------------------------------------------------------------
    def announce(
        self,
        marketplace: str,
        author: str | list[str],
        title: str | None = None,
        *,
        release_date: dt.date | str | None = None,
        subtitle: str | None = None,
        series: str | None = None,
        sequence: str | None = None,
        language: str | None = None,
        narrators: Iterable[str] = (),
        asin: str | None = None,
        sparse: bool = True,
    ) -> str:
        """Put up a title's page, by default a month ahead and with little on it; its ASIN."""
        shelf = self._shelf(marketplace)
        names = [author] if isinstance(author, str) else author
        product = shelf.new_product(
            authors=[shelf.person(name) for name in names],
            release_date=self._day(marketplace, release_date, dt.timedelta(days=30)),
            launched_at=self.now(),
            language=language,
            title=title,
            asin=asin,
        )
        product.subtitle = subtitle
        product.narrators = [Person(name) for name in narrators]
        if series:
            children = shelf.find_series(series).children
            children[product.asin] = sequence or str(len(children) + 1)
        if not sparse:
            shelf.complete(product)
        return product.asin

    def stock(self, marketplace: str, author: str, count: int) -> list[str]:
        """So many titles that have long been out; their ASINs."""
        shelf = self._shelf(marketplace)
        people = [shelf.person(author)]
        return [stock_released(shelf, people, self.now()).asin for _ in range(count)]

    def fill_in(self, marketplace: str, asin: str) -> None:
        """Narrator, length, cover and summary of a sparse title become known."""
        self._shelf(marketplace).complete(self._product(marketplace, asin))

    def move_date(self, marketplace: str, asin: str, release_date: dt.date | str) -> None:
        """Postpone a title, or bring it forward."""
        day = self._day(marketplace, release_date, dt.timedelta())
        self._product(marketplace, asin).release_date = day

    def release(self, marketplace: str, asin: str) -> None:
        """Out today, with all there is to know."""
        self.fill_in(marketplace, asin)
        self._product(marketplace, asin).release_date = self.today(marketplace)

    def withdraw(self, marketplace: str, asin: str) -> None:
        """In no listing any more, and a stub when asked for alone."""
        self._product(marketplace, asin).is_withdrawn = True

    def restore(self, marketplace: str, asin: str) -> None:
        """Back as it was."""
        self._product(marketplace, asin).is_withdrawn = False

    # -- moods -----------------------------------------------------------------------------------
    def throttle(
        self,
        marketplace: str | None = None,
        *,
        status: int = 429,
        retry_after: float | str | None = None,
        as_date: bool = False,
        requests: int | None = None,
    ) -> None:
        """Send everybody away; `retry_after` in seconds (or verbatim, as text), `as_date` as an
        HTTP date. None: everywhere, until healed, without saying for how long."""
        mood = ("throttle", requests, status, retry_after, as_date)
        self._set_mood(marketplace, lambda: Mood(*mood))

    def break_(
        self,
        kind: str,
        marketplace: str | None = None,
        *,
        requests: int | None = None,
        seconds: float = 30,
    ) -> None:
        """Answer with nonsense: see BREAKAGES. `seconds`: how slow "slow" is."""
        if kind not in BREAKAGES:
            raise EmulatorError(f"no such breakage: {kind}")
        self._set_mood(marketplace, lambda: Mood(kind, requests, seconds=seconds))

    def heal(self, marketplace: str | None = None) -> None:
        """Answer as usual again."""
        for code in self._codes(marketplace):
            self.moods.pop(code, None)

    def pass_time(self, seconds: float) -> None:
        """Move the store's clock, and so its calendar."""
        self._shift += dt.timedelta(seconds=seconds)

    def take_mood(self, marketplace: str) -> Mood | None:
        """What to do with the next request; counts it."""
        mood = self.moods.get(marketplace)
        if mood and mood.requests is not None:
            mood.requests -= 1
            if mood.requests <= 0:
                del self.moods[marketplace]
        return mood

    def state(self) -> dict[str, Any]:
        """Everything on the shelves and every mood, as JSON."""
        return {
            "now": self.now().isoformat(),
            "moods": {code: mood.kind for code, mood in self.moods.items()},
            "marketplaces": {
                code: {
                    "today": self.today(code).isoformat(),
                    "products": [_outline(each) for each in list(shelf.products.values())],
                    "series": {each.asin: each.title for each in list(shelf.series.values())},
                }
                for code, shelf in self.shelves.items()
            },
        }

    def _shelf(self, marketplace: str) -> Shelf:
        if marketplace not in self.shelves:
            raise EmulatorError(f"no such marketplace: {marketplace}")
        return self.shelves[marketplace]

    def _product(self, marketplace: str, asin: str) -> Product:
        product = self._shelf(marketplace).products.get(asin)
        if product is None:
            raise EmulatorError(f"no such title in {marketplace}: {asin}")
        return product

    def _codes(self, marketplace: str | None) -> list[str]:
        return list(self.shelves) if marketplace is None else [self._shelf(marketplace).marketplace]

    def _set_mood(self, marketplace: str | None, make: Callable[[], Mood]) -> None:
        for code in self._codes(marketplace):
            self.moods[code] = make()

    def _day(self, marketplace: str, day: dt.date | str | None, ahead: dt.timedelta) -> dt.date:
        if isinstance(day, str):
            try:
                return dt.date.fromisoformat(day)
            except ValueError as error:
                raise EmulatorError(f"not a date: {day}") from error
        return day or self.today(marketplace) + ahead


def _outline(product: Product) -> dict[str, Any]:
    return {
        "asin": product.asin,
        "title": product.title,
        "authors": [each.name for each in product.authors],
        "language": product.language,
        "release_date": product.release_date.isoformat(),
        "is_withdrawn": product.is_withdrawn,
    }
