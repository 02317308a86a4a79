"""Titles, people and languages of recorded tables: nothing in them may surprise, little may be hidden."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.classify import HIDDEN_BY_DEFAULT, Classification, classify
from catalog.languages import language
from catalog.listing import CreditLine, Listing
from catalog.normalise import fold, words
from catalog.roles import split_role

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "audible" / "C_tables"
INDIA, SUBTITLES = FOLDER / "in_audible_uncleaned.csv", FOLDER / "us_audible_2269_subtitles.csv"

pytestmark = pytest.mark.skipif(
    not INDIA.exists(), reason="no recorded tables beside this checkout"
)


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def credited(text: str, role: str) -> Iterator[CreditLine]:
    """Of "Writtenby:AdaLund,BoEk-translator": this scrape lost the blanks."""
    for name in text.partition(":")[2].split(","):
        person, done = split_role(name, role)
        yield CreditLine(person, None, done)


def listing(row: dict[str, str]) -> Listing:
    people = (*credited(row["author"], "author"), *credited(row["narrator"], "narrator"))
    said = language(row["language"])
    return Listing(
        "in", "B000000000", "https://x.example", row["name"], language=said, credits=people
    )


@pytest.fixture(scope="module")
def india() -> list[Listing]:
    return [listing(row) for row in rows(INDIA)]


@pytest.fixture(scope="module")
def found(india: list[Listing]) -> list[Classification]:
    return [classify(each) for each in india]


def test_every_row_is_something(found: list[Classification]) -> None:
    """Read one by one, 97 of 100 omnibuses and nearly all plays and parts are right (docs/reference/titles.md)."""
    kinds = Counter(each.kind for each in found)
    assert kinds.total() > 60_000
    assert 150 < kinds["omnibus"] < 500
    assert 50 < kinds["part"] < 120
    assert 50 < kinds["dramatised"] < 250
    assert set(kinds) == {"single", "omnibus", "part", "dramatised", "abridged"}


def test_little_is_hidden_by_default(found: list[Classification]) -> None:
    hidden = sum(bool({*each.traits} & {*HIDDEN_BY_DEFAULT}) for each in found)
    assert 0.003 < hidden / len(found) < 0.01


def test_voices_are_nearly_all_known(found: list[Classification]) -> None:
    voices = Counter(each.voice for each in found)
    assert voices["human"] / len(found) > 0.95
    assert voices["full_cast"] > 100
    assert voices["ai"] == 0  # there were none before 2023


def test_languages_are_words_we_know(india: list[Listing]) -> None:
    said = Counter(each.language for each in india)
    assert None not in said
    assert sum(" " in (word or "") for word in said) == 0
    assert said["english"] > 40_000


def test_people_lose_their_roles_and_keep_their_names(india: list[Listing]) -> None:
    roles = Counter(credit.role for each in india for credit in each.credits)
    assert roles["translator"] > 700
    assert roles["foreword"] > 600
    assert roles["editor"] > 350
    assert roles["contributor"] < 300
    names = {credit.name for each in india for credit in each.credits}
    assert "Jean-JacquesRousseau" in names
    assert {"EdwardGauvin", "KerstinFricke"} <= names


def test_everything_folds(india: list[Listing]) -> None:
    unfolded = [each.title for each in india if each.title and not fold(each.title)]
    assert len(unfolded) < 10
    assert all(words(each.title or "") for each in india[:5_000])


def test_subtitles_hide_little() -> None:
    table = [
        Listing("us", "B000000000", "x", row["Book Title"], subtitle=row["Book Subtitle"] or None)
        for row in rows(SUBTITLES)
    ]
    kinds = Counter(classify(each).kind for each in table)
    assert kinds.total() > 2_000
    assert kinds["single"] / kinds.total() > 0.97
