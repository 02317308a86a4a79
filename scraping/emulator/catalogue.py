"""What the emulated store has on its shelves, and the seeded stock it opens with."""

import datetime as dt
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from catalog.marketplaces import MARKETPLACES
from scraping.emulator import words

_ASIN_LETTERS = "0123456789ABCDEFGHJKLMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Person:
    """As credited: a role may stand behind the name."""

    name: str
    asin: str | None = None


@dataclass(slots=True)
class Series:
    asin: str
    title: str
    children: dict[str, str | None] = field(default_factory=dict)  # ASIN: sequence


@dataclass(slots=True)
class Product:
    """What the store knows of a title; None and empty are left out of its answers."""

    asin: str
    marketplace: str
    title: str
    authors: list[Person]
    language: str
    release_date: dt.date
    launched_at: dt.datetime
    publisher: str
    sku: str
    subtitle: str | None = None
    narrators: list[Person] = field(default_factory=list)
    runtime_minutes: int | None = None
    summary: str | None = None
    has_cover: bool = False
    isbn: str | None = None
    genre: tuple[str, str] = words.GENRES[0]
    format_type: str = "unabridged"
    content_type: str = "Product"
    delivery_type: str = "SinglePartBook"
    is_withdrawn: bool = False


@dataclass(slots=True)
class Shelf:
    """One marketplace. Read by the server's thread while others write: copy, then look."""

    marketplace: str
    rng: random.Random
    products: dict[str, Product] = field(default_factory=dict)
    series: dict[str, Series] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)  # by name as written

    @property
    def language(self) -> str:
        return MARKETPLACES[self.marketplace].language

    def on_sale(self) -> list[Product]:
        return [each for each in list(self.products.values()) if not each.is_withdrawn]

    def series_of(self, asin: str) -> list[tuple[Series, str | None]]:
        """The series that hold this title, each with its place there."""
        holders = [each for each in list(self.series.values()) if asin in each.children]
        return [(each, each.children[asin]) for each in holders]

    def person(self, name: str) -> Person:
        """Whoever is known by this name, else somebody new with an ASIN."""
        return self.people.setdefault(name, Person(name, self.new_asin()))

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
        taken = {each.title for each in list(self.products.values())}
        title = words.title(self.rng, language)
        numbered = (f"{title} {number}" for number in count(2))
        return title if title not in taken else next(t for t in numbered if t not in taken)

    def new_product(
        self,
        *,
        authors: list[Person],
        release_date: dt.date,
        launched_at: dt.datetime,
        language: str | None = None,
        title: str | None = None,
        asin: str | None = None,
    ) -> Product:
        """A bare title, as stores show one long before it is out."""
        language = language or self.language
        product = Product(
            asin=asin or self.new_asin(digits=self.rng.random() < 0.2),
            marketplace=self.marketplace,
            title=title or self.new_title(language),
            authors=authors,
            language=language,
            release_date=release_date,
            launched_at=launched_at,
            publisher=self.rng.choice(words.PUBLISHERS),
            sku=f"BK_{self.marketplace.upper()}_{len(self.products):06d}",
            genre=self.rng.choice(words.GENRES),
        )
        self.products[product.asin] = product
        return product

    def complete(self, product: Product) -> None:
        """Fill in what a title lacks until shortly before it is out."""
        if not product.narrators:
            # Narrators seldom have an ASIN.
            names = {words.name(self.rng) for _ in range(self.rng.choice((1, 1, 2)))}
            product.narrators = [Person(name) for name in sorted(names)]
        product.runtime_minutes = product.runtime_minutes or self.rng.randint(180, 1500)
        product.summary = product.summary or words.summary(self.rng, product.language)
        product.isbn = product.isbn or "978" + "".join(self.rng.choices("0123456789", k=10))
        product.has_cover = True


def open_shelf(seed: int, marketplace: str, *, authors: int, now: dt.datetime) -> Shelf:
    """A shelf with a seeded stock: for each author a series, single titles, a translation and,
    for every second one, a title to come. Authors are the same people everywhere."""
    shelf = Shelf(marketplace, random.Random(f"{seed}/{marketplace}"))  # noqa: S311 (a stage set)
    crowd = _people(random.Random(f"{seed}/people"), authors)  # noqa: S311 (the same on every shelf)
    shelf.people = {person.name: person for person in crowd}
    for number, author in enumerate(crowd):
        _stock_series(shelf, author, now)
        _stock_singles(shelf, author, now)
        _stock_translation(shelf, author, now)
        if number % 2:
            shelf.new_product(
                authors=[author],
                release_date=now.date() + dt.timedelta(days=shelf.rng.randint(20, 300)),
                launched_at=now - dt.timedelta(days=shelf.rng.randint(1, 40)),
            )
    _stock_podcast(shelf, now)
    return shelf


def _people(rng: random.Random, number: int) -> list[Person]:
    """So many, every fourth with a Japanese name and every sixth without an ASIN."""
    shelf = Shelf("us", rng)
    names: dict[str, None] = {}
    for japanese in _every(4):
        if len(names) == number:
            break
        names[words.name(rng, japanese=japanese)] = None
    unknown = _every(6)
    return [Person(name, None if next(unknown) else shelf.new_asin()) for name in names]


def _every(nth: int) -> Iterator[bool]:
    return (number % nth == nth - 1 for number in count())


def _stock_series(shelf: Shelf, author: Person, now: dt.datetime) -> None:
    series = shelf.find_series(shelf.new_title(shelf.language))
    for sequence in ("1", "2", "2.5"):
        product = stock_released(shelf, [author], now)
        product.subtitle = f"{series.title}, Book {sequence}"
        series.children[product.asin] = sequence


def _stock_singles(shelf: Shelf, author: Person, now: dt.datetime) -> None:
    for _ in range(shelf.rng.randint(1, 3)):
        stock_released(shelf, [author], now)


def _stock_translation(shelf: Shelf, author: Person, now: dt.datetime) -> None:
    """In another language than the marketplace's; the translator may stand first."""
    language = shelf.rng.choice([each for each in words.LANGUAGES if each != shelf.language])
    translator = Person(f"{words.name(shelf.rng)} - {words.TRANSLATORS[language]}")
    people = [author, translator] if shelf.rng.random() < 0.7 else [translator, author]
    stock_released(shelf, people, now, language=language)


def _stock_podcast(shelf: Shelf, now: dt.datetime) -> None:
    for delivery_type in ("PodcastParent", "PodcastEpisode"):
        product = stock_released(shelf, [], now)
        product.content_type, product.delivery_type = "Podcast", delivery_type
        product.format_type, product.narrators = "original_recording", []


def stock_released(
    shelf: Shelf, authors: Iterable[Person], now: dt.datetime, language: str | None = None
) -> Product:
    """A whole title that has been out for between a month and five years."""
    days = shelf.rng.randint(30, 1800)
    product = shelf.new_product(
        authors=list(authors),
        release_date=now.date() - dt.timedelta(days=days),
        launched_at=now - dt.timedelta(days=days + shelf.rng.randint(20, 200)),
        language=language,
    )
    shelf.complete(product)
    return product
