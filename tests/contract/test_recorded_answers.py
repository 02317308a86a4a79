"""The parser against what the store really answered. The recordings are not ours to ship."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.classify import classify
from catalog.listing import Listing, SeriesPlace
from catalog.normalise import sequence_position
from scraping.pages import Page, StoreError
from scraping.products import parse

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "audible" / "A_api"
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.json"))

pytestmark = pytest.mark.skipif(not FILES, reason="no recorded answers beside this checkout")


def read(name: str) -> Page:
    (path,) = FOLDER.rglob(f"{name}*.json")
    return parse(path.read_bytes(), path.name[:2])


def find(name: str, asin: str) -> Listing:
    return next(listing for listing in read(name).listings if listing.asin == asin)


@pytest.mark.parametrize("name", FILES)
def test_every_recording_is_understood_for_what_it_is(name: str) -> None:
    body, marketplace = (FOLDER / name).read_bytes(), Path(name).name[:2]
    if "error_400" in name:
        with pytest.raises(StoreError):
            parse(body, "us")
    else:
        page = parse(body, marketplace)
        assert page.raw_count == len(page.asins) > 0


JAWS, WISHES, LIBRARY = "us_search_jaws", "us_wishlist", "us_library"
SERIES, CAST = "us_series_B0182NWM9I", "us_product_B0F154ZCSN"
ODDITIES: list[tuple[str, str, Callable[[Listing], object], object]] = [
    # a series object with a date that stands for "unknown"
    (SERIES, "B0182NWM9I", lambda x: x.release_date, None),
    (SERIES, "B0182NWM9I", lambda x: (x.publication_at, x.launched_at), (None, None)),
    (SERIES, "B0182NWM9I", lambda x: x.is_series_object, True),
    # what people did stands behind their names
    ("us_search_bad-blood", "3963840137",
     lambda x: [(c.name, c.role) for c in x.credits],
     [("John Carreyrou", "author"), ("Karlheinz Dürr", "translator")]),
    (JAWS, "1541447417",
     lambda x: [c.name for c in x.credits if c.role == "foreword"], ["Robert Sapolsky"]),
    # an ISBN-10 for an ASIN
    ("us_product_1774248182", "1774248182", lambda x: x.title,
     "He Who Fights with Monsters: A LitRPG Adventure"),
    # an author without an ASIN beside one with
    ("us_product_1774248182", "1774248182",
     lambda x: [c.asin for c in x.credits if c.role == "author"], ["B08VWFRTMS", None]),
    # a title taken away: people and dates remain, so this is no stub
    ("us_product_B07BS4RKGH", "B07BS4RKGH",
     lambda x: (x.title, x.subtitle, x.release_date),
     (None, "The Forsaken Series, Book 1", dt.date(2018, 3, 29))),
    # two series at once
    ("us_product_B017V4IM1G_two", "B017V4IM1G",
     lambda x: [(s.asin, s.sequence) for s in x.series],
     [("B0182NWM9I", "1"), ("B07CM5ZDJL", "1")]),
    # an empty place in a series
    ("us_product_B003ZWFO7E", "B003ZWFO7E", lambda x: x.series[1],
     SeriesPlace("B0DMXTJ8WH", "The Cosmere", None)),
    ("us_product_B003ZWFO7E", "B003ZWFO7E", lambda x: x.summary,
     "From #1 New York Times bestselling author Brandon Sanderson."
     " Roshar is a world of stone & storms."),
    # half a place in a series
    ("us_product_B08C6YJ1LS", "B08C6YJ1LS",
     lambda x: (x.series[0].sequence, float(sequence_position(x.series[0].sequence or "") or 0)),
     ("0.5", 0.5)),
    ("us_product_B08C6YJ1LS", "B08C6YJ1LS", lambda x: x.content_type, "Show"),
    # the larger of two covers
    ("us_product_B08C6YJ1LS", "B08C6YJ1LS", lambda x: "_SL1024_" in (x.cover_url or ""), True),
    # a narrator that is no person, with an ASIN
    ("us_product_B08C6YJ1LS", "B08C6YJ1LS",
     lambda x: (x.credits[-1].name, x.credits[-1].asin), ("full cast", "B0C9MBTDV9")),
    # explicit nulls everywhere; the series only among the relationships
    (WISHES, "B0F14PK33J", lambda x: x.series,
     (SeriesPlace("B0FJMLG5DN", "Harry Potter (Full-Cast Editions)", "3"),)),
    (WISHES, "B0F14PK33J", lambda x: (x.runtime_minutes, x.subtitle, x.genres), (None, None, ())),
    # a name in decomposed letters
    (WISHES, "B0F14PK33J",
     lambda x: any(c.name == "Ṣọpẹ́ Dìrísù" for c in x.credits), True),
    # midnight at the store, before and after its clocks go forward
    (WISHES, "B0F14PB6WN",
     lambda x: x.publication_at, dt.datetime(2026, 2, 10, 8, tzinfo=dt.UTC)),
    (WISHES, "B0F14P2632",
     lambda x: x.publication_at, dt.datetime(2026, 3, 10, 7, tzinfo=dt.UTC)),
    # up for sale five months before it was out
    (CAST, "B0F154ZCSN",
     lambda x: (x.launched_at, x.release_date),
     (dt.datetime(2025, 7, 22, 8, tzinfo=dt.UTC), dt.date(2025, 12, 16))),
    (CAST, "B0F154ZCSN", lambda x: len([c for c in x.credits if c.role == "narrator"]), 15),
    # podcasts among the books: nobody's name, no language, no length
    (JAWS, "B0CC5NNPDQ", lambda x: (x.credits, x.language, x.delivery_type),
     ((), None, "PodcastEpisode")),
    (JAWS, "B08JJPZFC2", lambda x: (x.content_type, x.runtime_minutes), ("Podcast", None)),
    ("us_search_last-colony", "B0FXK18PYR",
     lambda x: (x.title, x.credits), ("The Last Colony - John Scalzi", ())),
    # parts of a book are no series
    (JAWS, "B002V8ODY8", lambda x: x.series, (SeriesPlace("B091G3LNPG", "Jaws", "1"),)),
    # the store says when: 02:57 on the day of release, in UTC
    (JAWS, "B002V8ODY8",
     lambda x: x.publication_at, dt.datetime(2009, 4, 7, 2, 57, 6, tzinfo=dt.UTC)),
    # no people in the recorded answer, and yet whole
    (LIBRARY, "B07CL3F5H2", lambda x: (x.title, x.credits),
     ("Fire & Blood (HBO Tie-in Edition)", ())),
    ("us_product_B01L082HJ2", "B01L082HJ2", lambda x: (x.release_date, x.url),
     (None, "https://www.audible.com/pd/B01L082HJ2")),
    # a series that does not say so, but for its children
    ("us_series_B01M1RDL6W", "B01M1RDL6W",
     lambda x: (x.delivery_type, x.is_series_object), ("BookSeries", True)),
    ("us_search_last-colony", "B002VA9CAQ", lambda x: (x.delivery_type, x.is_series_object),
     ("MultiPartBook", False)),
    # who stands in for nobody
    (JAWS, "B09TQ1HFH8",
     lambda x: [c.name for c in x.credits if c.role == "narrator"], ["anonymous"]),
    # the place in the series is in the subtitle too, and its title has a number of its own
    ("us_product_1774249162", "1774249162", lambda x: (x.title, x.series[0].sequence),
     ("He Who Fights with Monsters 2", "2")),
    ("us_product_B09LYZPFLZ", "B09LYZPFLZ",
     lambda x: [(s.title, s.sequence) for s in x.series],
     [("Discworld: Rincewind", "1"), ("Discworld", "1")]),
    # abridged by its format only
    (LIBRARY, "B002V1C56S", lambda x: (x.title, x.format_type), ("Six Frigates", "abridged")),
    (LIBRARY, "B0036IPPB2", lambda x: x.format_type, "abridged"),
    # a language said in the title and not in its field
    ("us_search_bad-blood", "1628612754", lambda x: (x.title, x.language),
     ("Bad Blood [French Version]", None)),
    # a title with signs that search folds away
    (JAWS, "B0CC5NNPDQ", lambda x: x.title, "Episode 75 | Jaws 2 (1978)"),
    # a person with a title of his own is one person
    (JAWS, "B0CN9T99W1", lambda x: [c.name for c in x.credits], ["Abraham Wagner D.P.M."]),
    # a publisher's name with a comma
    (JAWS, "B002V8ODY8", lambda x: x.publisher, "Blackstone Audio, Inc."),
    # screens of the app: titles, and people only in the first row
    ("us_sanderson_page01", "B002V0QCYU",
     lambda x: [(c.name, c.asin) for c in x.credits], [("Brandon Sanderson", "B001IGFHW6")]),
    ("us_sanderson_page09", "3837151905", lambda x: (x.title, x.credits), ("Sturmklinge", ())),
    ("au_sanderson_page01", "B00FGHUJ44", lambda x: x.url,
     "https://www.audible.com.au/pd/B00FGHUJ44"),
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


KINDS = [
    (SERIES, "B0182NWM9I", "series_placeholder", "human"),
    ("us_series_B01M1RDL6W", "B01M1RDL6W", "series_placeholder", "unknown"),
    (CAST, "B0F154ZCSN", "dramatised", "full_cast"),
    (WISHES, "B0F14PK33J", "dramatised", "full_cast"),
    (WISHES, "B0F14RVHWN", "dramatised", "full_cast"),
    ("us_product_B08C6YJ1LS", "B08C6YJ1LS", "dramatised", "full_cast"),
    (JAWS, "B00ATSFMV0", "dramatised", "human"),
    (JAWS, "B08JJPZFC2", "podcast", "unknown"),
    (JAWS, "B0CC5NNPDQ", "podcast", "unknown"),
    (JAWS, "B0CN9T99W1", "podcast", "unknown"),
    ("us_search_last-colony", "B0FXK18PYR", "podcast", "unknown"),
    ("us_search_last-colony", "B002VA9CAQ", "single", "unknown"),
    (JAWS, "B09TQ1HFH8", "single", "unknown"),
    (JAWS, "B002V8ODY8", "single", "human"),
    (JAWS, "B0BZDYV2CZ", "single", "human"),
    (LIBRARY, "B002V1C56S", "abridged", "unknown"),
    (LIBRARY, "B002V1OF70", "single", "unknown"),
    (LIBRARY, "B0099RKRTY", "single", "unknown"),
    ("us_product_1774248182", "1774248182", "single", "human"),
    ("us_product_B07BS4RKGH", "B07BS4RKGH", "single", "human"),
    ("us_product_B09LYZPFLZ", "B09LYZPFLZ", "single", "human"),
    ("us_search_bad-blood", "1628612754", "single", "unknown"),
    ("us_sanderson_page01", "B0718Z5K4C", "single", "unknown"),
]


@pytest.mark.parametrize(
    ("name", "asin", "kind", "voice"),
    KINDS,
    ids=[f"{asin}-{kind}-{voice}" for _, asin, kind, voice in KINDS],
)
def test_what_recorded_titles_are(name: str, asin: str, kind: str, voice: str) -> None:
    found = classify(find(name, asin))
    assert (found.kind, found.voice) == (kind, voice)


@pytest.mark.parametrize(
    ("name", "stub"),
    [
        ("us_product_B00BWY9UM8", "B00BWY9UM8"),
        ("uk_product_B09LYZPFLZ", "B09LYZPFLZ"),
        (
            "us_product_B017V4IM1G_rights",
            "B017V4IM1G",
        ),  # its rights and nothing else were asked for
    ],
)
def test_stubs(name: str, stub: str) -> None:
    assert (read(name).listings, read(name).stubs) == ((), (stub,))


def test_an_asin_of_one_marketplace_is_a_stub_in_another() -> None:
    assert read("us_product_B09LYZPFLZ").listings[0].asin == read("uk_product_B09LYZPFLZ").stubs[0]


def test_a_series_lists_its_children_as_the_store_has_them() -> None:
    assert read("us_series_B01M1RDL6W").children == (
        "B088C4DBYP", "B01N17THEO", "B01L082HJ2", "B07341FZDC",
    )  # fmt: skip
    assert len(read(SERIES).children) == 8


def test_a_listing_states_more_than_it_shows() -> None:
    page = read(JAWS)
    assert (len(page.listings), page.raw_count, page.total_results) == (15, 15, 44)


def test_a_screen_states_how_many_titles_its_author_has() -> None:
    page = read("us_christie_page01")
    assert (len(page.listings), page.total_results) == (4, 1115)


def test_enough_oddities_are_named() -> None:
    assert len({(asin, repr(expected)) for _, asin, _, expected in ODDITIES}) >= 40


def test_every_recorded_product_has_its_own_fingerprint() -> None:
    listings = read(LIBRARY).listings
    assert len({listing.fingerprint() for listing in listings}) == len(listings) == 57
