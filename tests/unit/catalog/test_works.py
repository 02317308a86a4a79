"""Which audiobooks are editions of one work: when in doubt, they are two."""

import datetime as dt
from typing import Any

import pytest

from catalog.listing import CreditLine, Listing, SeriesPlace
from catalog.works import Edition, edition_of, is_reissue, same_work, work_keys
from tests.factories import make_asin, make_listing

DAY = dt.date(2027, 3, 1)
TIDES = (SeriesPlace("B0SERIES01", "Tides", "1"),)


def listing(**facts: Any) -> Listing:
    said: dict[str, Any] = {"title": "Glass Tide", "runtime_minutes": 600, "release_date": DAY}
    return make_listing(**(said | facts))


def edition(**facts: Any) -> Edition:
    return edition_of(listing(**facts))


def keys(**facts: Any) -> list[str]:
    return work_keys(listing(asin="B0GLASS001", **facts))


def series(sequence: str, title: str = "Tides") -> tuple[SeriesPlace, ...]:
    return (SeriesPlace(make_asin(), title, sequence),)


BOOK = "book:ada example~glass tide"


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({}, [BOOK]),
        ({"title": "Glass Tide (Unabridged)", "authors": ["ADA EXÁMPLE"]}, [BOOK]),
        ({"authors": ["Ada Example", "Bo"]}, [BOOK, "book:bo~glass tide"]),
        ({"authors": []}, []),
        ({"authors": ["Anonymous"]}, []),
        ({"sku": "BK_ADBL_051843"}, [BOOK, "sku:BK_ADBL_051843"]),
        ({"sku": "BK_ADBL_051843UK"}, [BOOK, "sku:BK_ADBL_051843"]),
        ({"sku": "PL_HLDR_000001", "title": "Untitled 3"}, []),
        ({"sku": "SE_RIES_000001", "delivery_type": "BookSeries"}, []),
        ({"isbn": "9781774248188"}, [BOOK, "isbn:978177424818"]),
        ({"isbn": "978-1-77424-818-8"}, [BOOK, "isbn:978177424818"]),
        ({"isbn": "1774248182"}, [BOOK, "isbn:978177424818"]),
        ({"isbn": "0000000000000"}, [BOOK]),
        ({"isbn": "9780000000000"}, [BOOK]),
        ({"isbn": "n/a"}, [BOOK]),
        ({"isbn": ""}, [BOOK]),
        ({"title": "TBA"}, []),
        ({"title": "Untitled", "isbn": "9781774248188"}, ["isbn:978177424818"]),
        ({"content_type": "Podcast", "sku": "PC_801K_380124"}, ["sku:PC_801K_380124"]),
        (
            {"title": "Glass Tide (Part 1 of 2)", "subtitle": "Dramatized"},
            ["book:ada example~glass tide part 1 of 2 dramatized"],
        ),
    ],
)
def test_other_editions_are_looked_for_under_these_keys(
    facts: dict[str, Any], found: list[str]
) -> None:
    assert keys(**facts) == found


def test_an_asin_that_is_an_isbn_is_one() -> None:
    assert "isbn:978177424818" in work_keys(listing(asin="1774248182"))


def test_a_key_is_no_longer_than_an_index_takes() -> None:
    assert all(len(key) < 450 for key in keys(title="word " * 9000, authors=["name " * 9000]))


EVERYWHERE = {"marketplace": "uk"}
UNKNOWN = {"runtime_minutes": None}


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        # title and author, runtimes within 5 % or 10 minutes
        ({}, EVERYWHERE, True),
        ({}, EVERYWHERE | {"runtime_minutes": 631}, True),
        ({}, EVERYWHERE | {"runtime_minutes": 640}, False),
        ({"runtime_minutes": 100}, {"runtime_minutes": 110}, True),
        ({"runtime_minutes": 100}, {"runtime_minutes": 112}, False),
        ({}, {"narrators": ["Somebody Else"], "release_date": dt.date(2011, 1, 1)}, True),
        ({}, {"title": "Glass Tides"}, False),
        ({}, {"authors": ["Somebody Else"]}, False),
        ({"authors": ["Ada Example", "Bo"]}, {"authors": ["Bo"]}, True),
        ({"authors": []}, {"authors": []}, False),
        ({"title": "Untitled"}, {"title": "Untitled", "marketplace": "uk"}, False),
        # a runtime that is not known: other stores, about the same time
        (UNKNOWN, EVERYWHERE, True),
        (UNKNOWN, EVERYWHERE | UNKNOWN, True),
        (UNKNOWN, {}, False),
        (UNKNOWN, EVERYWHERE | {"release_date": dt.date(2027, 4, 30)}, True),
        (UNKNOWN, EVERYWHERE | {"release_date": dt.date(2027, 5, 1)}, False),
        (UNKNOWN, EVERYWHERE | {"release_date": None}, True),
        (UNKNOWN, {"marketplace": "de", "language": None}, True),
        (UNKNOWN, {"marketplace": "de", "language": "german"}, False),
        (UNKNOWN | {"series": series("1")}, EVERYWHERE | {"series": series("2")}, False),
        # places in series
        ({"series": series("1")}, EVERYWHERE | {"series": series("1")}, True),
        ({"series": series("1")}, EVERYWHERE | {"series": series("2")}, False),
        ({"series": series("1")}, EVERYWHERE | {"series": series("Book 1.0")}, True),
        ({"series": series("1")}, EVERYWHERE, True),
        ({"series": series("1")}, EVERYWHERE | {"series": series("", "Tides")}, True),
        ({"series": series("3")}, EVERYWHERE | {"series": series("4", "Seas")}, False),
        (
            {"series": (*series("5"), *series("3", "Seas"))},
            EVERYWHERE | {"series": series("3", "Seas")},
            True,
        ),
        ({"series": series("1-3")}, EVERYWHERE | {"series": series("1-2")}, False),
        # the number of a tail must be found on the other side
        ({"title": "Glass Tide, Book 1"}, EVERYWHERE | {"series": series("1")}, True),
        ({"title": "Glass Tide, Book 2"}, EVERYWHERE | {"series": series("1")}, False),
        ({"title": "Glass Tide: Book 1"}, {"title": "Glass Tide: Book 2"}, False),
        ({"title": "Glass Tide: Book 2"}, EVERYWHERE, False),
        # or that of a subtitle, where no series has one
        ({"subtitle": "Tides, Book 1"}, {"subtitle": "Tides, Book 2"}, False),
        ({"subtitle": "Vol. 1"}, EVERYWHERE | {"subtitle": "Vol. 2"}, False),
        ({"subtitle": "Tides, Book 1"}, EVERYWHERE | {"series": series("1")}, True),
        ({"subtitle": "Tides, Book 1"}, EVERYWHERE | {"series": series("2")}, False),
        ({"subtitle": "Tides, Book 1"}, EVERYWHERE | {"subtitle": "A Tale"}, True),
        # other books of the same title
        ({}, {"format_type": "abridged", "runtime_minutes": 598}, False),
        ({}, {"title": "Glass Tide (Dramatized Adaptation)"}, False),
        ({}, {"title": "Glass Tide (Part 1 of 2)"}, False),
        ({"title": "Glass Tide (Part 1 of 2)"}, {"title": "Glass Tide (Part 2 of 2)"}, False),
        (
            {"title": "Glass Tide", "subtitle": "Part 1 of 2"},
            {"title": "Glass Tide", "subtitle": "Part 2 of 2"},
            False,
        ),
        ({}, {"title": "Glass Tide", "series": series("1-3")}, False),
        # translations: by title and place, whatever the runtime
        ({"series": TIDES}, {"language": "german", "runtime_minutes": 800, "series": TIDES}, True),
        ({"series": TIDES}, {"language": "german", "runtime_minutes": 600}, False),
        ({}, {"language": "german"}, False),
        # the numbers of store and book trade, whatever else differs
        (
            {"sku": "BK_ADBL_051843"},
            {"sku": "BK_ADBL_051843DE", "title": "Glasflut", "runtime_minutes": 800},
            True,
        ),
        ({"sku": "PL_HLDR_000001"}, {"sku": "PL_HLDR_000001", "title": "Other"}, False),
        (
            {"isbn": "9781774248188"},
            {"isbn": "1774248182", "title": "Glasflut", "language": "german"},
            True,
        ),
        (
            {"isbn": "9781774248188"},
            {"isbn": "9781774248188", "format_type": "abridged", "runtime_minutes": 200},
            True,
        ),
        ({"isbn": "0000000000000"}, {"isbn": "0000000000000", "title": "Other"}, False),
        (
            {"isbn": "9781774248188", "series": series("1")},
            {"isbn": "9781774248188", "series": series("2"), "title": "Other"},
            False,
        ),
        ({"asin": "B0SAMEASIN"}, EVERYWHERE | {"asin": "B0SAMEASIN", "title": "Other"}, True),
    ],
)
def test_editions_of_one_work(a: dict[str, Any], b: dict[str, Any], *, same: bool) -> None:
    assert same_work(edition(**a), edition(**b)) == same
    assert same_work(edition(**b), edition(**a)) == same


OLD = {"release_date": dt.date(2015, 1, 1)}


@pytest.mark.parametrize(
    ("new", "old", "again"),
    [
        ({}, OLD, True),
        ({"release_date": None}, OLD, True),
        ({}, {}, False),
        (OLD, {}, False),
        ({}, OLD | {"narrators": ["Tom"]}, False),
        ({"narrators": []}, OLD | {"narrators": []}, False),
        ({"narrators": ["Virtual Voice"]}, OLD | {"narrators": ["Virtual Voice"]}, False),
        ({}, OLD | {"marketplace": "uk"}, False),
        ({}, OLD | {"language": "german"}, False),
        ({}, OLD | {"format_type": "abridged"}, False),
    ],
)
def test_a_reissue_sells_the_same_recording_again(
    new: dict[str, Any], old: dict[str, Any], *, again: bool
) -> None:
    assert is_reissue(edition(**new), edition(**old)) == again


def test_a_credit_of_another_role_is_no_author() -> None:
    facts = listing(authors=["Ada Example"])
    credits = (*facts.credits, CreditLine("Tilda", None, "translator"))
    other = Listing(
        marketplace="us", asin="B0OTHER001", url="", title="Glass Tide", credits=credits
    )
    assert work_keys(other) == [BOOK]
