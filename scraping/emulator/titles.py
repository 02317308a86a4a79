"""The verbs that change what is on the emulated store's shelves."""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from itertools import zip_longest
from typing import Any

from scraping.emulator import kinds
from scraping.emulator.catalogue import EmulatorError, Person, Product, Shelf
from scraping.emulator.shelves import Shelves
from scraping.emulator.stock import stock_released

_FACTS = {each.name for each in fields(Product)} - {"asin", "marketplace", "release_date"}
_PEOPLE = ("authors", "narrators")


class Titles(Shelves):
    """Dates may be given as dates or as ISO text, people as names."""

    def announce(
        self,
        marketplace: str,
        author: str | list[str],
        title: str | None = None,
        *,
        release_date: dt.date | str | None = None,
        dated: bool = True,
        launched_at: dt.datetime | str | None = None,
        author_asin: str | list[str | None] | None = None,
        subtitle: str | None = None,
        series: str | None = None,
        sequence: str | None = None,
        language: str | None = None,
        narrators: str | Iterable[str] = (),
        publisher: str | None = None,
        genre: str | list[str] | None = None,
        leaf_only: bool = False,
        kind: str | None = None,
        parent: str | None = None,
        content_type: str | None = None,
        delivery_type: str | None = None,
        format_type: str | None = None,
        runtime_minutes: int | None = None,
        isbn: str | None = None,
        sku: str | None = None,
        asin: str | None = None,
        sparse: bool = True,
    ) -> str:
        """Put up a title's page, by default a month ahead and with little on it; its ASIN.

        A namesake has an `author_asin` of their own ("": none at all). Without `dated` it has no
        date, with 2200-01-01 the store's placeholder for that. `launched_at` is when the page
        went up: long ago, for what is found late. `genre` names categories by id, and titles that
        are `leaf_only` are not listed in those above. `kind`: see kinds.KINDS; `parent` is an
        episode's podcast. What is not given is made up or left out.
        """
        shelf = self._shelf(marketplace)
        change = _kind(kind)
        product = shelf.draft(
            authors=self._authors(shelf, author, author_asin),
            release_date=self._day(marketplace, release_date, dt.timedelta(days=30)),
            launched_at=self._moment(launched_at),
            language=language,
            title=title,
            asin=asin,
        )
        told = {
            "narrators": tuple(Person(name) for name in _listed(narrators)),
            "subtitle": subtitle,
            "publisher": publisher,
            "genres": tuple(_listed(genre or ())),
            "leaf_only": leaf_only,
            "parent": parent,
            "runtime_minutes": runtime_minutes,
            "isbn": isbn,
            "sku": sku,
        }
        types = {
            "content_type": content_type,
            "delivery_type": delivery_type,
            "format_type": format_type,
        }
        product = replace(product, **_given(told))
        product = replace(product, **(change(product) | _given(types)))
        if not dated:
            product = replace(product, release_date=None)
        if series:
            in_omnibus = kinds.OMNIBUS_SEQUENCE if kind == "omnibus" else None
            _place(shelf, product.asin, series, sequence or in_omnibus)
        shelf.put(product if sparse else shelf.completed(product))
        return product.asin

    def place(self, marketplace: str, asin: str, series: str, sequence: str | None = None) -> None:
        """Put a title into a series (by title or ASIN), by default at its end."""
        shelf = self._shelf(marketplace)
        shelf.get(asin)
        _place(shelf, asin, series, sequence)

    def stock(
        self,
        marketplace: str,
        author: str,
        count: int,
        *,
        author_asin: str | None = None,
        language: str | None = None,
    ) -> list[str]:
        """So many titles that have long been out; their ASINs."""
        shelf = self._shelf(marketplace)
        people = self._authors(shelf, author, author_asin)
        return [stock_released(shelf, people, self.now(), language).asin for _ in range(count)]

    def reissue(
        self, marketplace: str, asin: str, *, release_date: dt.date | str | None = None
    ) -> str:
        """The same recording again under a new ASIN, by default out today; that ASIN."""
        shelf = self._shelf(marketplace)
        day = self._day(marketplace, release_date, dt.timedelta())
        return self._add_edition(shelf, shelf.get(asin), release_date=day)

    def rerecord(self, marketplace: str, asin: str, narrator: str) -> str:
        """The same book read by somebody else, out in a month; its ASIN."""
        shelf = self._shelf(marketplace)
        return self._add_edition(
            shelf,
            shelf.get(asin),
            release_date=self._day(marketplace, None, dt.timedelta(days=30)),
            narrators=(Person(narrator),),
            runtime_minutes=None,
            isbn=None,
        )

    def translate(
        self,
        marketplace: str,
        asin: str,
        language: str,
        title: str | None = None,
        *,
        translator: str | None = None,
    ) -> str:
        """The book in another language, out in a month; its ASIN."""
        shelf = self._shelf(marketplace)
        book = shelf.get(asin)
        return self._add_edition(
            shelf,
            book,
            title=title or shelf.new_title(language),
            language=language,
            authors=book.authors + ((Person(translator),) if translator else ()),
            release_date=self._day(marketplace, None, dt.timedelta(days=30)),
            narrators=(),
            runtime_minutes=None,
            isbn=None,
            subtitle=None,
            summary=None,
        )

    def sell_also(
        self,
        marketplace: str,
        asin: str,
        elsewhere: str,
        *,
        new_asin: str | None = None,
        same_ids: bool = True,
    ) -> str:
        """Sell a title in another marketplace too, under another ASIN; that ASIN.

        Without `same_ids` sku and ISBN differ there.
        """
        home, shelf = self._shelf(marketplace), self._shelf(elsewhere)
        book = home.get(asin)
        own = {"sku": book.sku} if same_ids else {"isbn": None}
        sold = self._add_edition(
            shelf, replace(book, marketplace=elsewhere), asin=new_asin or shelf.new_asin(), **own
        )
        for series, sequence in home.series_of(asin):
            shelf.place(sold, shelf.find_series(series.title), sequence)
        return sold

    def change(self, marketplace: str, asin: str, **facts: Any) -> None:
        """Say something else of a title; None: nothing. Fields as Product's, people as names."""
        if unknown := facts.keys() - _FACTS:
            raise EmulatorError(f"no such fact: {', '.join(sorted(unknown))}")
        shelf = self._shelf(marketplace)
        for name in facts.keys() & set(_PEOPLE):
            facts[name] = tuple(
                shelf.person(each) if name == "authors" else Person(each)
                for each in _listed(facts[name] or ())
            )
        shelf.change(asin, **facts)

    def fill_in(self, marketplace: str, asin: str) -> None:
        """Narrator, length, cover and summary of a sparse title become known."""
        shelf = self._shelf(marketplace)
        shelf.put(shelf.completed(shelf.get(asin)))

    def move_date(self, marketplace: str, asin: str, release_date: dt.date | str) -> None:
        """Postpone a title, or bring it forward."""
        day = self._day(marketplace, release_date, dt.timedelta())
        self._shelf(marketplace).change(asin, release_date=day)

    def release(self, marketplace: str, asin: str) -> None:
        """Out today, with all there is to know."""
        shelf = self._shelf(marketplace)
        whole = shelf.completed(shelf.get(asin))
        shelf.put(replace(whole, release_date=self.today(marketplace)))

    def withdraw(self, marketplace: str, asin: str) -> None:
        """In no listing any more, and a stub when asked for alone."""
        self._shelf(marketplace).change(asin, is_withdrawn=True)

    def restore(self, marketplace: str, asin: str) -> None:
        """Back as it was."""
        self._shelf(marketplace).change(asin, is_withdrawn=False)

    def _authors(
        self, shelf: Shelf, names: str | list[str], asins: str | list[str | None] | None
    ) -> list[Person]:
        known = [asins] if isinstance(asins, str) else list(asins or [])
        return [
            self._author(shelf, name, asin) for name, asin in zip_longest(_listed(names), known)
        ]

    def _author(self, shelf: Shelf, name: str, asin: str | None) -> Person:
        """An author has the same ASIN in every marketplace."""
        if asin is None and name not in shelf.people:
            abroad = (each.people.get(name) for each in self.shelves.values())
            if person := next(filter(None, abroad), None):
                shelf.people[name] = person
        return shelf.person(name, asin)

    def _add_edition(self, shelf: Shelf, book: Product, **facts: Any) -> str:
        """`book` once more on a shelf, different in `facts`; its ASIN."""
        own: dict[str, Any] = {
            "asin": shelf.new_asin(),
            "sku": f"BK_{shelf.marketplace.upper()}_{len(shelf.products):06d}",
            "launched_at": self.now(),
            "is_withdrawn": False,
        }
        edition = replace(book, **(own | facts))
        for series, sequence in shelf.series_of(book.asin):
            shelf.place(edition.asin, series, sequence)
        return shelf.put(edition).asin


def _listed(given: str | Iterable[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _given(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value}


def _place(shelf: Shelf, asin: str, series: str, sequence: str | None) -> None:
    found = shelf.find_series(series)
    shelf.place(asin, found, sequence or str(len(found.children) + 1))


def _kind(kind: str | None) -> Callable[[Product], kinds.Facts]:
    if kind is None:
        return lambda _product: {}
    if kind not in kinds.KINDS:
        raise EmulatorError(f"no such kind: {kind}; one of {', '.join(kinds.KINDS)}")
    return kinds.KINDS[kind]
