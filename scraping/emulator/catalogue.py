"""What the emulated store has on its shelves."""

import datetime as dt
import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from catalog.marketplaces import MARKETPLACES
from scraping.emulator import words

_ASIN_LETTERS = "0123456789ABCDEFGHJKLMNPQRSTVWXYZ"
_REMEMBERED = 20_000  # renderings, listings: what a benchmark asks for again and again


class EmulatorError(Exception):
    """The verb makes no sense here: no such title, marketplace or breakage."""


@dataclass(frozen=True, slots=True)
class Person:
    """As credited: a role may stand behind the name."""

    name: str
    asin: str | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """What the store knows of a title; None and empty are left out of its answers."""

    asin: str
    marketplace: str
    title: str
    authors: tuple[Person, ...]
    language: str | None
    release_date: dt.date | None
    launched_at: dt.datetime
    publisher: str | None
    sku: str
    subtitle: str | None = None
    narrators: tuple[Person, ...] = ()
    runtime_minutes: int | None = None
    summary: str | None = None
    has_cover: bool = False
    isbn: str | None = None
    genres: tuple[str, ...] = ()  # categories' ids, deepest first known
    leaf_only: bool = False  # not listed in the categories above its own
    format_type: str = "unabridged"
    content_type: str = "Product"
    delivery_type: str = "SinglePartBook"
    parent: str | None = None  # the podcast of a season, the season or podcast of an episode
    is_withdrawn: bool = False


@dataclass(slots=True)
class Series:
    asin: str
    title: str
    children: dict[str, str | None] = field(default_factory=dict)  # ASIN: sequence


@dataclass(slots=True)
class Shelf:
    """One marketplace. Read by the server's thread while others write: copy, then look.

    Titles are changed by `put`, `change` and `place` only: these forget what was rendered.
    """

    marketplace: str
    rng: random.Random
    products: dict[str, Product] = field(default_factory=dict)
    series: dict[str, Series] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)  # by name as written
    titles: set[str] = field(default_factory=set)  # that were ever here
    changes: int = 0
    rendered: dict[Any, tuple[int, Any]] = field(default_factory=dict)
    _latest: dict[str, int] = field(default_factory=dict)  # ASIN: its last change

    @property
    def language(self) -> str:
        return MARKETPLACES[self.marketplace].language

    # -- reading ---------------------------------------------------------------------------------
    def on_sale(self) -> list[Product]:
        return [each for each in list(self.products.values()) if not each.is_withdrawn]

    def get(self, asin: str) -> Product:
        """A title that is known here. Raises EmulatorError."""
        product = self.products.get(asin)
        if product is None:
            raise EmulatorError(f"no such title in {self.marketplace}: {asin}")
        return product

    def series_of(self, asin: str) -> list[tuple[Series, str | None]]:
        """The series that hold this title, each with its place there."""
        holders = [each for each in list(self.series.values()) if asin in each.children]
        return [(each, each.children[asin]) for each in holders]

    def children_of(self, asin: str) -> list[Product]:
        """A podcast's seasons and episodes."""
        return [each for each in self.on_sale() if each.parent == asin]

    def version(self, asin: str) -> int:
        """The number of this title's last change."""
        return self._latest.get(asin, 0)

    def remember(self, key: Any, version: int, value: Any) -> Any:
        """Keep what was made of the shelf as it was at `version`; the value."""
        if len(self.rendered) > _REMEMBERED:
            self.rendered.clear()
        self.rendered[key] = version, value
        return value

    def recall(self, key: Any, version: int) -> Any:
        """What was remembered, or None where something has changed since."""
        at, value = self.rendered.get(key, (-1, None))
        return value if at == version else None

    # -- writing ---------------------------------------------------------------------------------
    def put(self, product: Product) -> Product:
        """Put up a title, or what has become of it."""
        self.products[product.asin] = product
        self.titles.add(product.title)
        self._note(product.asin, product.parent)
        return product

    def change(self, asin: str, **facts: Any) -> Product:
        """A title with these facts from now on."""
        return self.put(replace(self.get(asin), **facts))

    def place(self, asin: str, series: Series, sequence: str | None) -> None:
        """Put a title into a series."""
        series.children[asin] = sequence
        self._note(asin, series.asin)

    def _note(self, *asins: str | None) -> None:
        for asin in filter(None, asins):
            self._latest[asin] = self.changes + 1
        self.changes += 1

    # -- what is new here ------------------------------------------------------------------------
    def person(self, name: str, asin: str | None = None) -> Person:
        """Whoever is known by this name, else somebody new with an ASIN.

        An ASIN of one's own makes a namesake; an empty one somebody without any.
        """
        if asin is None:
            return self.people.setdefault(name, Person(name, self.new_asin()))
        person = Person(name, asin or None)
        self.people.setdefault(name, person)
        return person

    def find_series(self, title_or_asin: str) -> Series:
        """The series of this title or ASIN, else a new one of this title."""
        for each in list(self.series.values()):
            if title_or_asin in (each.asin, each.title):
                return each
        new = Series(self.new_asin(), title_or_asin)
        self.series[new.asin] = new
        return new

    def new_asin(self, *, digits: bool = False) -> str:
        """Letters and digits as most have, or digits only as books with an ISBN-10 have."""
        if digits:
            return "1" + "".join(self.rng.choices("0123456789", k=9))
        return "B0" + "".join(self.rng.choices(_ASIN_LETTERS, k=8))

    def new_title(self, language: str) -> str:
        """A title not on this shelf yet."""
        title = words.title(self.rng, language)
        numbered = (f"{title} {number}" for number in count(2))
        taken = self.titles
        return title if title not in taken else next(t for t in numbered if t not in taken)

    def draft(
        self,
        *,
        authors: Iterable[Person],
        release_date: dt.date | None,
        launched_at: dt.datetime,
        language: str | None = None,
        title: str | None = None,
        asin: str | None = None,
    ) -> Product:
        """A bare title, as stores show one long before it is out; not put up yet."""
        language = language or self.language
        return Product(
            asin=asin or self.new_asin(digits=self.rng.random() < 0.2),
            marketplace=self.marketplace,
            title=title or self.new_title(language),
            authors=tuple(authors),
            language=language,
            release_date=release_date,
            launched_at=launched_at,
            publisher=self.rng.choice(words.PUBLISHERS),
            sku=f"BK_{self.marketplace.upper()}_{len(self.products):06d}",
            genres=(self.rng.choice(words.GENRES),),
        )

    def completed(self, product: Product) -> Product:
        """The title with what it lacks until shortly before it is out; not put up yet."""
        narrators = product.narrators
        if not narrators:
            # Narrators seldom have an ASIN.
            names = {words.name(self.rng) for _ in range(self.rng.choice((1, 1, 2)))}
            narrators = tuple(Person(name) for name in sorted(names))
        runtime = product.runtime_minutes or self.rng.randint(180, 1500)
        summary = product.summary or words.summary(self.rng, product.language or self.language)
        isbn = product.isbn or "978" + "".join(self.rng.choices("0123456789", k=10))
        return replace(
            product,
            narrators=narrators,
            runtime_minutes=runtime,
            summary=summary,
            isbn=isbn,
            has_cover=True,
        )
