"""The page parser against what the site really showed. The recordings are not ours to ship."""

import csv
import datetime as dt
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from catalog.listing import Listing, SeriesPlace
from catalog.normalise import fold
from scraping.pages import Page, StoreError, UnreadableAnswerError
from scraping.site.dates import parse_date
from scraping.site.runtimes import parse_minutes
from scraping.sources.registry import SOURCES

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "audible"
PAGES, ANSWERS, TABLES = DATA / "B_html", DATA / "A_api", DATA / "C_tables"
FILES = sorted(path.name for path in PAGES.glob("*.html"))
SOURCE = SOURCES["audible_html"]

pytestmark = pytest.mark.skipif(not FILES, reason="no recorded pages beside this checkout")

# Of every page: rows, listings among them, and the total that it states.
COUNTS = {
    "au_series-add-to-wishlist": (1, 1, None),
    "au_series-city-of-artem": (8, 8, None),
    "au_series-in-wishlist": (1, 1, None),
    "au_series-omnibus-example-2": (10, 10, None),
    "au_series-page-books-1-3": (8, 8, None),
    "es_search_narrator_jordi-salas": (50, 50, 113),
    "us_author_andy-weir": (0, 0, None),
    "us_pd_book-details-ace": (1, 1, None),
    "us_pd_book-details-award": (1, 1, None),
    "us_pd_book-details-no-series": (1, 1, None),
    "us_pd_book-details.": (1, 1, None),
    "us_search_authors_stephen-king": (20, 20, 2000),
    "us_search_narrator_full-cast": (20, 20, 310),
}


@cache
def read(name: str) -> Page:
    (path,) = PAGES.glob(f"{name}*")
    return SOURCE.parse(path.read_bytes(), path.name[:2])


def find(name: str, asin: str) -> Listing:
    return next(listing for listing in read(name).listings if listing.asin == asin)


def names(listing: Listing, role: str) -> list[str]:
    return [line.name for line in listing.credits if line.role == role]


def test_every_recorded_page_has_its_counts_below() -> None:
    assert all(any(name.startswith(known) for known in COUNTS) for name in FILES)
    assert len(FILES) == len(COUNTS)


@pytest.mark.parametrize(("name", "counts"), COUNTS.items(), ids=list(COUNTS))
def test_every_recorded_page_gives_its_rows(name: str, counts: tuple[int, int, int | None]) -> None:
    page = read(name)
    assert (page.raw_count, len(page.listings), page.total_results) == counts
    assert {listing.provenance for listing in page.listings} <= {"audible_html"}
    assert all(listing.title and listing.cover_url for listing in page.listings)


KING, CAST, SALAS = "us_search_authors", "us_search_narrator", "es_search_narrator"
ACE, AWARD, SAINTS, RIOT = (
    *("us_pd_book-details-ace", "us_pd_book-details-award"),
    *("us_pd_book-details-no-series", "us_pd_book-details."),
)
ARTEM, OMNIBUS, CRAFT = (*("au_series-city", "au_series-omnibus", "au_series-page-books"),)
WISH = "au_series-add-to-wishlist"
ODDITIES: list[tuple[str, str, Callable[[Listing], object], object]] = [
    # the same three numbers mean another day in every marketplace
    (KING, "B0CMF7YJL9", lambda x: x.release_date, dt.date(2024, 5, 21)),
    (SALAS, "B0DJBWXTRM", lambda x: x.release_date, dt.date(2024, 10, 21)),
    (SALAS, "B0DJCJTWL4", lambda x: x.release_date, dt.date(2024, 10, 3)),
    (CRAFT, "B0924VM1X8", lambda x: x.release_date, dt.date(2021, 4, 10)),
    (WISH, "B0G26JGWRT", lambda x: x.release_date, dt.date(2026, 5, 26)),
    (KING, "B002UZKWLA", lambda x: x.release_date, dt.date(1999, 12, 16)),
    # hours without minutes, minutes without hours
    (KING, "B0CMF7YJL9", lambda x: x.runtime_minutes, 1200),
    (KING, "B0CPYSG4F7", lambda x: x.runtime_minutes, 241),
    (SALAS, "B08LNWW33H", lambda x: x.runtime_minutes, 10),
    (SALAS, "8418107405", lambda x: x.runtime_minutes, 754),
    # one name, two people: the other Stephen King has neither an ASIN nor a human voice
    (KING, "B0CPYSG4F7",
     lambda x: [(c.name, c.asin, c.role) for c in x.credits],
     [("Stephen R. King", None, "author"), ("Virtual Voice", None, "narrator")]),
    # an author who reads: with ASIN as the one, without as the other
    (KING, "B019HMBEWE",
     lambda x: [(c.name, c.asin, c.role) for c in x.credits],
     [("Stephen King", "B000AQ0842", "author"), ("Stephen King", None, "narrator")]),
    # podcasts: rows without any label, with an address that says what they are
    (CAST, "B0B2DZBVRR",
     lambda x: (x.title, x.subtitle, x.credits, x.language, x.release_date, x.runtime_minutes),
     ("Moriarty", "The Devil's Game", (), None, None, None)),
    (CAST, "B0B4F665LR",
     lambda x: (x.content_type, x.format_type), ("Podcast", "original_recording")),
    # an ISBN-10 that ends in X for an ASIN
    (CAST, "164880571X", lambda x: x.title, "Journey of the Mountain Man [Dramatized Adaptation]"),
    # a place in a series that says more than a number
    (CAST, "1648805698", lambda x: x.series,
     (SeriesPlace("B0170GCNBK", "Mountain Man (Johnstone)", "4, Dramatized Adaptation"),)),
    # a title that was escaped twice
    (CAST, "B01MEDE2EM", lambda x: x.title, "We\N{RIGHT SINGLE QUOTATION MARK}re Alive: Lockdown"),
    (SALAS, "B094Y86NS5", lambda x: x.title, "Meditar día a día"),
    # the translator stands first, once with an ASIN and once without
    (CAST, "B08337JWP2",
     lambda x: [(c.name, c.asin, c.role) for c in x.credits][:2],
     [("Cesar Alarcon", None, "translator"), ("Christopher Golden", "B000APAU2I", "author")]),
    (CAST, "B082XJ178D",
     lambda x: (x.credits[0].asin, x.credits[0].role), ("B084Q2P2DT", "translator")),
    # nobody's name in two spellings
    (CAST, "B088TVGCTD", lambda x: names(x, "narrator"), ["Full Cast"]),
    (CAST, "B00BUTFLGS", lambda x: names(x, "narrator"), ["full cast"]),
    # a Spanish book on the American site
    (CAST, "B08337JWP2", lambda x: x.language, "spanish"),
    # a language without a label
    (SALAS, "B09SBQR8T3", lambda x: x.language, "spanish"),
    # the store forgets on one volume that a translator is none of the authors
    (SALAS, "B09SBQR8T3", lambda x: names(x, "author"),
     ["Niklas Natt och Dag", "Pontus Sánchez Giménez"]),
    (SALAS, "B0BW4S94KG", lambda x: names(x, "translator"), ["Pontus Sánchez Giménez"]),
    (SALAS, "B0DG37J54J", lambda x: names(x, "translator"), ["Carolina García Stroschein"]),
    # "libro 8", and whole or cut short in Spanish
    (SALAS, "B0DBQDFP4M",
     lambda x: (x.series, x.format_type),
     ((SeriesPlace("B0DD489MX4", "Bergman", "8"),), "unabridged")),
    # the address of a person is spelt with accents
    (SALAS, "B0BYT365PZ", lambda x: x.credits[0].asin, "B0BPHSF59B"),
    # on a series page the place stands above the title, and the series in the address of a button
    (OMNIBUS, "B0947C1NRL",
     lambda x: (x.title, x.series),
     ("The Godling Chronicles Omnibus", (SeriesPlace("B00MV1DRFQ", "The Godling Chronicles", "1-3"),))),
    (OMNIBUS, "B091MNGZVW", lambda x: x.series[0].sequence, "0.5"),
    (CRAFT, "B08VNQFTLJ",
     lambda x: (x.title, x.series[0].sequence),
     ("Dungeon Crafting Series Books 1 Through 3", "1-3")),
    (CRAFT, "B09NDNRTQS",
     lambda x: (x.series[0].asin, x.series[0].sequence), ("B07X9SNGNZ", "4-6")),
    # a series without places
    (ARTEM, "B0CJVVCD62", lambda x: x.series, (SeriesPlace("B0CKFGF8TR", "City of Artem", None),)),
    # what a listener's own buttons say
    (OMNIBUS, "B0947C1NRL", lambda x: (x.content_type, x.delivery_type),
     ("Product", "MultiPartBook")),
    # two series, one with a place; an original recording is neither whole nor cut short
    (ACE, "B08N8452GZ", lambda x: x.series,
     (SeriesPlace("B08QYMW9V3", "Audible Original Stories", None),
      SeriesPlace("B099RGZYQF", "Black Badge Series", "0.5"))),
    (ACE, "B08N8452GZ", lambda x: (x.format_type, x.sku), ("original_recording", "OR_ORIG_001447")),
    # "abridged" is the text "false"
    (AWARD, "B007ZEAI3I", lambda x: x.format_type, "unabridged"),
    (AWARD, "B007ZEAI3I", lambda x: (x.summary or "")[:74],
     "Earphones Award Winner (AudioFile Magazine) Audie Award Winner, Audiobook "),
    # categories by their numbers, from the way there
    (SAINTS, "1250819148", lambda x: x.genres,
     (("18580715011", "Teen & Young Adult"), ("18580894011", "Literature & Fiction"))),
    (SAINTS, "1250819148", lambda x: (x.series, x.subtitle), ((), None)),
    # from three records of one page
    (RIOT, "B009CZNUGU",
     lambda x: (x.title, x.subtitle, x.release_date, x.runtime_minutes, x.publisher, x.language),
     ("Midnight Riot", "Rivers of London, Book 1", dt.date(2012, 9, 28), 596, "Tantor Audio",
      "english")),
    (RIOT, "B009CZNUGU", lambda x: (x.series, x.credits[0].asin, x.delivery_type),
     ((SeriesPlace("B009F1KOPG", "Rivers of London Series", "1"),), "B000AP1TJQ",
      "MultiPartBook")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "asin", "look", "expected"),
    ODDITIES,
    ids=[f"{asin}-{str(expected)[:40]}" for _, asin, _, expected in ODDITIES],
)
def test_oddities(
    name: str, asin: str, look: Callable[[Listing], object], expected: object
) -> None:
    assert look(find(name, asin)) == expected


def test_rows_without_any_label_are_the_podcasts() -> None:
    bare = [x for x in read(CAST).listings if not x.credits and x.runtime_minutes is None]
    assert len(bare) == 9
    assert {(x.content_type, x.release_date) for x in bare} == {("Podcast", None)}


def test_what_the_pages_show_in_each_row() -> None:
    with_series = {name: sum(bool(x.series) for x in read(name).listings) for name in COUNTS}
    assert (with_series[KING + "_stephen-king"], with_series[CAST + "_full-cast"]) == (4, 10)
    assert with_series[SALAS + "_jordi-salas"] == 15
    with_subtitle = [sum(bool(x.subtitle) for x in read(name).listings) for name in (KING, CAST)]
    assert with_subtitle == [5, 8]
    assert {x.language for x in read(SALAS).listings} == {"spanish", "catalan"}
    assert all(x.release_date and x.runtime_minutes for x in read(SALAS).listings)


def test_one_row_on_a_wish_list_and_off_it_is_the_same() -> None:
    (wished,), (offered,) = (
        read(name).listings for name in ("au_series-in-wishlist", "au_series-add-to-wishlist")
    )
    assert wished.fingerprint() == offered.fingerprint()


AGREED = ("title", "language", "release_date", "runtime_minutes", "publisher", "format_type", "sku")


def test_pages_and_answers_agree_where_both_were_recorded() -> None:
    """Whichever titles those are: of what is here today, none."""
    answered: dict[tuple[str, str], Listing] = {}
    for path in ANSWERS.rglob("*.json"):
        try:
            page = SOURCES["audible_api"].parse(path.read_bytes(), path.name[:2])
        except (StoreError, UnreadableAnswerError):
            continue
        answered |= {(x.marketplace, x.asin): x for x in page.listings}
    for shown in (x for name in COUNTS for x in read(name).listings):
        known = answered.get((shown.marketplace, shown.asin), shown)
        for field in AGREED:
            assert getattr(shown, field) in (None, getattr(known, field)), (shown.asin, field)
        assert set(names(shown, "author")) <= set(names(known, "author"))


def test_tables_of_other_readers_agree_with_the_answers_of_the_api() -> None:
    """Five titles of a best-seller page that the API was asked for as well, label by label."""
    answered = {
        listing.asin: listing
        for path in (*ANSWERS.glob("us_product*.json"), *ANSWERS.glob("small/us_product*.json"))
        for listing in SOURCES["audible_api"].parse(path.read_bytes(), "us").listings
    }
    agreed = 0
    with (TABLES / "amazon_TopAudiobooks-20201115-154455.csv").open(encoding="latin-1") as table:
        for row in csv.reader(table):
            known = next((answered[asin] for asin in answered if asin in row[-1]), None)
            if known is None or known.release_date is None:
                continue
            agreed += 1
            assert known.release_date == next(filter(None, (parse_date(x, "us") for x in row)))
            runtimes = {parse_minutes(text) for text in row if " hrs" in text}
            assert known.runtime_minutes in {None, *runtimes}
            assert fold(names(known, "author")[0]) in fold(" ".join(row))
    assert agreed >= 2


def test_a_table_and_a_page_agree_on_one_title() -> None:
    stand = find(KING, "B0077DEH7A")
    with (TABLES / "amazon_TopAudiobooks-20201115-154455.csv").open(encoding="latin-1") as table:
        row = next(row for row in csv.reader(table) if "B0077DEH7A" in row[-1])
    assert stand.title in row
    assert (stand.runtime_minutes, stand.release_date) == (
        parse_minutes("47 hrs and 47 mins"),
        parse_date("02-14-12", "us"),
    )
    assert {"47 hrs and 47 mins", "02-14-12", *names(stand, "narrator")} <= set(row)


def test_every_day_and_length_of_large_tables_is_understood() -> None:
    columns = {
        "in_audible_uncleaned.csv": ("in", "time", "releasedate"),
        "us_audible_search_500_2023-12.csv": ("us", "length", "release_date"),
    }
    for name, (marketplace, length, day) in columns.items():
        with (TABLES / name).open(encoding="utf-8", errors="replace") as table:
            rows = list(csv.DictReader(table))
        assert len(rows) >= 500
        for row in rows:
            assert parse_date(row[day], marketplace), row
            assert parse_minutes(row[length]), row


@pytest.mark.parametrize("name", ["es_search_narrator", "us_pd_book-details-ace"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_half_a_page_is_no_page(name: str, share: float) -> None:
    """Proves the guard against pages cut short: their rows are missing, not gone."""
    (path,) = PAGES.glob(f"{name}*")
    body = path.read_bytes()
    with pytest.raises(UnreadableAnswerError):
        SOURCE.parse(body[: int(len(body) * share)], "us")
