"""What the emulated store is asked for: checked in its words, then looked up. Pure."""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from catalog.normalise import fold
from catalog.normalise import words as folded_words
from scraping.emulator import words
from scraping.emulator.catalogue import Person, Product, Shelf
from scraping.emulator.records import GROUPS

Question = Mapping[str, str]
Test = Callable[[Product], bool]

LARGEST_PAGE = 50
_CAP = 500  # products that one listing shows
_CATEGORIES = re.compile(r"\d+(,\d+)*")


class Refusal(Exception):  # noqa: N818 (an answer, not a fault)
    """The store's words for a question it does not take."""


def groups(question: Question) -> tuple[str, ...]:
    """The response groups asked for. Raises Refusal where one is unknown."""
    asked = [each for each in question.get("response_groups", "").split(",") if each]
    unknown = [each for each in asked if each not in GROUPS]
    if unknown:
        raise Refusal(f"Invalid response group(s) requested: {', '.join(unknown)}")
    return tuple(asked)


def batch(question: Question) -> list[str]:
    """The ASINs asked for. Raises Refusal where they are too many."""
    asins = question["asins"].split(",")
    if len(asins) > LARGEST_PAGE:
        raise Refusal(_invalid(question["asins"], "asins", "have at most 50 members"))
    return asins


def page(shelf: Shelf, question: Question) -> tuple[list[Product], int]:
    """The products of the page asked for, and how many there are in all. Raises Refusal.

    Pages beyond the 500th product repeat the last one.
    """
    size = _number(question, "num_results", default=10, highest=LARGEST_PAGE)
    last = max(_CAP // size - 1, 0) if size else 0
    number = min(_number(question, "page", default=0, highest=10_000), last)
    found = listed(shelf, question, question.get("products_sort_by", "Relevance"))
    return found[number * size : (number + 1) * size], len(found)


def listed(shelf: Shelf, question: Question, order: str) -> list[Product]:
    """What is on sale and asked for, in order; kept until the shelf changes. Raises Refusal."""
    if order not in _SORTS and order not in _AS_RELEVANCE:
        allowed = ", ".join((*_AS_RELEVANCE, *_SORTS))
        raise Refusal(_invalid(order, "products_sort_by", f"satisfy enum value set: [{allowed}]"))
    asked = tuple((name, question[name]) for name in _TESTS if name in question)
    version = shelf.changes
    kept: list[Product] | None = shelf.recall((asked, order), version)
    if kept is None:
        kept = shelf.remember((asked, order), version, _sorted(_found(shelf, asked), order))
    return kept


def _found(shelf: Shelf, asked: Iterable[tuple[str, str]]) -> list[Product]:
    """Parameters that are unknown change nothing."""
    found = shelf.on_sale()
    for name, wanted in asked:
        fits = _TESTS[name](wanted)
        found = [each for each in found if fits(each)]
    return found


def _sorted(products: list[Product], order: str) -> list[Product]:
    if order in _AS_RELEVANCE:
        return products
    key, backwards = _SORTS[order]
    return sorted(products, key=key, reverse=backwards)


# -- what fits: as fuzzy as the real one, so other people's books appear ---------------------------
def _by_author(name: str) -> Test:
    return _by_person(name, lambda product: product.authors)


def _by_narrator(name: str) -> Test:
    return _by_person(name, lambda product: product.narrators)


def _by_person(name: str, people: Callable[[Product], Iterable[Person]]) -> Test:
    """A shared family name will do."""
    family = fold(name).split()[-1:]
    return lambda product: (
        bool(family) and any(family[0] in fold(each.name).split() for each in people(product))
    )


def _by_title(text: str) -> Test:
    wanted = set(folded_words(text))
    return lambda product: wanted <= _words(product.title, product.subtitle)


def _by_publisher(name: str) -> Test:
    """A shared word will do."""
    wanted = set(folded_words(name))
    return lambda product: bool(wanted & _words(product.publisher))


def _by_keywords(text: str) -> Test:
    """Half of the words will do, in the title or in a name."""
    wanted = set(folded_words(text))
    return lambda product: bool(wanted) and 2 * len(wanted & _keywords(product)) >= len(wanted)


def _by_category(text: str) -> Test:
    """In one of these or below it; some titles are not listed in the categories above theirs."""
    if not _CATEGORIES.fullmatch(text):
        pattern = "satisfy regular expression pattern: \\d+(,\\d+)*"
        raise Refusal(_invalid(text, "category_id", pattern))
    wanted = set(text.split(","))
    return lambda product: bool(wanted & _categories(product))


def _categories(product: Product) -> set[str]:
    if product.leaf_only:
        return set(product.genres)
    return {rung for each in product.genres for rung, _ in words.ladder(each)}


def _keywords(product: Product) -> set[str]:
    people = (each.name for each in (*product.authors, *product.narrators))
    return _words(product.title, product.subtitle, *people)


def _words(*texts: str | None) -> set[str]:
    return set(folded_words(" ".join(filter(None, texts))))


def _day(product: Product) -> tuple[dt.date, str]:
    return product.release_date or dt.date.min, product.asin


_TESTS: dict[str, Callable[[str], Test]] = {
    "author": _by_author,
    "narrator": _by_narrator,
    "title": _by_title,
    "publisher": _by_publisher,
    "keywords": _by_keywords,
    "category_id": _by_category,
}
_SORTS: dict[str, tuple[Callable[[Product], Any], bool]] = {
    "Title": (lambda product: product.title, False),
    "-Title": (lambda product: product.title, True),
    "ReleaseDate": (_day, False),
    "-ReleaseDate": (_day, True),
}
_AS_RELEVANCE = ("Relevance", "ProductSiteLaunchDate", "RuntimeLength", "AvgRating", "BestSellers")


def _number(question: Question, name: str, *, default: int, highest: int) -> int:
    given = question.get(name, str(default))
    if not (given.isascii() and given.isdigit()):
        raise Refusal(_invalid(given, name, "satisfy regular expression pattern: ^\\d+$"))
    if int(given[:9]) > highest:
        limit = f"have value less than or equal to {highest}"
        raise Refusal(_invalid(given, name, limit))
    return int(given)


def _invalid(value: str, name: str, rule: str) -> str:
    first, *rest = name.split("_")
    camel = first + "".join(word.capitalize() for word in rest)
    return (
        f"1 validation error detected: Value '{value}' at '{camel}' failed to satisfy constraint: "
        f"Member must {rule}"
    )
