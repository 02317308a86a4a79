"""The seeded stock that a shelf of the emulated store opens with."""

import datetime as dt
import random
from collections.abc import Iterable, Iterator
from itertools import count

from scraping.emulator import words
from scraping.emulator.catalogue import Person, Product, Shelf


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
            shelf.put(
                shelf.draft(
                    authors=[author],
                    release_date=now.date() + dt.timedelta(days=shelf.rng.randint(20, 300)),
                    launched_at=now - dt.timedelta(days=shelf.rng.randint(1, 40)),
                )
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
        shelf.change(product.asin, subtitle=f"{series.title}, Book {sequence}")
        shelf.place(product.asin, series, sequence)


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
    parent: str | None = None
    for delivery_type in ("PodcastParent", "PodcastEpisode"):
        product = stock_released(shelf, [], now)
        shelf.change(
            product.asin,
            content_type="Podcast",
            delivery_type=delivery_type,
            format_type="original_recording",
            narrators=(),
            parent=parent,
        )
        parent = product.asin


def stock_released(
    shelf: Shelf, authors: Iterable[Person], now: dt.datetime, language: str | None = None
) -> Product:
    """A whole title that has been out for between a month and five years."""
    days = shelf.rng.randint(30, 1800)
    product = shelf.draft(
        authors=authors,
        release_date=now.date() - dt.timedelta(days=days),
        launched_at=now - dt.timedelta(days=days + shelf.rng.randint(20, 200)),
        language=language,
    )
    return shelf.put(shelf.completed(product))
