"""All shelves of the emulated store, and its clock."""

import datetime as dt
from collections.abc import Callable, Iterable

from catalog.marketplaces import MARKETPLACES, store_date
from scraping.emulator.catalogue import EmulatorError, Shelf
from scraping.emulator.stock import open_shelf


def utc_now() -> dt.datetime:
    """The emulator's own clock, unless another is handed in."""
    return dt.datetime.now(dt.UTC)


class Shelves:
    """All marketplaces of one seed."""

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
        self.seed = seed
        self.shelves = {
            code: open_shelf(seed, code, authors=authors, now=now()) for code in marketplaces
        }

    def now(self) -> dt.datetime:
        """The store's moment."""
        return self._clock() + self._shift

    def today(self, marketplace: str) -> dt.date:
        """The day on this marketplace's calendar."""
        return store_date(marketplace, self.now())

    def pass_time(self, seconds: float) -> None:
        """Move the store's clock, and so its calendar."""
        self._shift += dt.timedelta(seconds=seconds)

    def _shelf(self, marketplace: str) -> Shelf:
        if marketplace not in self.shelves:
            raise EmulatorError(f"no such marketplace: {marketplace}")
        return self.shelves[marketplace]

    def _codes(self, marketplace: str | None) -> list[str]:
        return list(self.shelves) if marketplace is None else [self._shelf(marketplace).marketplace]

    def _day(self, marketplace: str, day: dt.date | str | None, ahead: dt.timedelta) -> dt.date:
        if isinstance(day, str):
            try:
                return dt.date.fromisoformat(day)
            except ValueError as error:
                raise EmulatorError(f"not a date: {day}") from error
        return day or self.today(marketplace) + ahead

    def _moment(self, moment: dt.datetime | str | None) -> dt.datetime:
        if isinstance(moment, str):
            try:
                moment = dt.datetime.fromisoformat(moment)
            except ValueError as error:
                raise EmulatorError(f"not a moment: {moment}") from error
        if moment is None:
            return self.now()
        return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
