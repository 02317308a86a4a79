"""Other programs' files as rows: each kind is known by its content."""

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from catalog.imports.plan import plan
from catalog.imports.reading import Reading, read
from catalog.imports.row import Name, Row, UnreadableError
from catalog.imports.tables import places_in_title
from stalkerr.processes import ROOT

LIMIT = 1_000_000
RECORDED = Path(ROOT).parent / "shared" / "data" / "audible"

GOODREADS = (
    "Book Id,Title,Author,Author l-f,Additional Authors,ISBN,ISBN13,Exclusive Shelf\n"
    '1,"Glass Tide (Tides, #3)",Ada Lund,"Lund, Ada",Bo Ek,"=""0439785960""",'
    '"=""9780439785969""",read\n'
    '2,Soil Mechanics,Ada Lund,"Lund, Ada",,"=""""","=""""",to-read\n'
)
STORYGRAPH = (
    "Title,Authors,Contributors,ISBN/UID,Format,Read Status,Owned?\n"
    'Glass Tide,"Ada Lund, Bo Ek, Jr.",,9780439785969,audio,read,No\n'
    "Soil Mechanics,Ada Lund,,B000SOIL01,audio,to-read,No\n"
    "Salt Road,Cy Dee,,,audio,to-read,Yes\n"
)
AUDIBLE_CLI = (
    "asin\ttitle\tsubtitle\tauthors\tnarrators\tseries_title\tseries_sequence\tis_finished\n"
    "B000TIDE01\tGlass Tide\t\tAda Lund, Bo Ek - translator\tNora Reader\tTides\t3\tTrue\n"
)
LIBATION = (
    "Account,Audible Product Id,Locale,Title,Authors,Series Names,Series Order,IsFinished\n"
    'a,B000TIDE01,de,Glass Tide,"Ada Lund, Cy Dee","Tides, The Coast, North",'
    '"3 : Tides,  : The Coast, North",True\n'
)
LIBATION_JSON = [
    {
        "AudibleProductId": "B000TIDE01",
        "Locale": "us",
        "Title": "Glass Tide",
        "AuthorNames": "Ada Lund",
        "SeriesNames": "Tides",
        "SeriesOrder": "3 : Tides",
    }
]
AUDIBLE_API = {
    "items": [
        {
            "asin": "B000TIDE01",
            "title": "Glass Tide",
            "authors": [
                {"asin": "B000ADALUN", "name": "Ada Lund"},
                {"asin": None, "name": "Bo Ek - Übersetzer"},
            ],
            "series": [{"asin": "B0000TIDES", "title": "Tides", "sequence": "3"}],
        }
    ]
}
SHELF = {
    "results": [
        {
            "id": "li_1",
            "media": {
                "metadata": {
                    "title": "Glass Tide",
                    "authorName": "Ada Lund, Bo Ek",
                    "narratorName": "Nora Reader",
                    "seriesName": "Tides #3, The Coast #1.5",
                    "asin": "B000TIDE01",
                    "isbn": None,
                }
            },
        }
    ]
}
SHELF_TITLE = {
    "title": "Glass Tide",
    "authors": ["Ada Lund"],
    "narrators": ["Nora Reader"],
    "series": ["Tides #3"],
    "isbn": "978-0-439-78596-9",
    "asin": None,
}
ANCESTOR = {
    "audiobooks": {
        "author": {
            "Ada Lund": [{"title": "Glass Tide", "series": "Tides", "narrator": ["Nora Reader"]}],
            "Cy Dee": [],
        }
    }
}
OPML = """<?xml version="1.0" encoding="ISO-8859-1"?>
<opml version="2.0" xmlns:w="urn:stalkerr:watch"><head><title>x</title></head><body>
<outline text="Ada Lund" category="/author" w:kind="author" w:asin="B000ADALUN"/>
<outline text="Series"><outline text="Tides"/></outline>
<outline text="A blog" type="rss" xmlUrl="https://blog.example.org/feed"/>
<outline text="Bo Ek"/>
</body></opml>"""

ADA, TIDES = Name("Ada Lund"), Name("Tides")


def reading(content: Any) -> Reading:
    text = content if isinstance(content, str) else json.dumps(content)
    return read(text.encode(), limit=LIMIT)


def test_goodreads() -> None:
    assert reading(GOODREADS) == Reading(
        "goodreads",
        (
            Row("Glass Tide", (ADA,), (TIDES,), isbn="9780439785969", is_heard=True),
            Row("Soil Mechanics", (ADA,)),
        ),
    )


def test_storygraph() -> None:
    assert reading(STORYGRAPH) == Reading(
        "storygraph",
        (
            Row("Glass Tide", (ADA, Name("Bo Ek, Jr.")), isbn="9780439785969", is_heard=True),
            Row("Soil Mechanics", (ADA,), asin="B000SOIL01"),
            Row("Salt Road", (Name("Cy Dee"),), is_heard=True),
        ),
    )


def test_audible_cli_as_a_table_and_as_json() -> None:
    row = Row("Glass Tide", (ADA,), (TIDES,), asin="B000TIDE01", is_heard=True)
    assert reading(AUDIBLE_CLI) == Reading("audible", (row,))
    (record,) = csv.DictReader(io.StringIO(AUDIBLE_CLI), dialect="excel-tab")
    assert reading([record]) == Reading("audible", (row,))


def test_a_library_as_audible_answers_has_ids() -> None:
    ada, tides = Name("Ada Lund", "B000ADALUN"), Name("Tides", "B0000TIDES")
    row = Row("Glass Tide", (ada,), (tides,), asin="B000TIDE01", is_heard=True)
    assert reading(AUDIBLE_API) == Reading("audible", (row,))


def test_libation_as_a_table_and_as_json() -> None:
    names = (ADA, Name("Cy Dee")), (TIDES, Name("The Coast, North"))
    table = Row("Glass Tide", *names, asin="B000TIDE01", marketplace="de", is_heard=True)
    assert reading(LIBATION) == Reading("libation", (table,))
    row = Row("Glass Tide", (ADA,), (TIDES,), asin="B000TIDE01", marketplace="us", is_heard=True)
    assert reading(LIBATION_JSON) == Reading("libation", (row,))


def test_audiobookshelf() -> None:
    names = (ADA, Name("Bo Ek")), (TIDES, Name("The Coast"))
    row = Row("Glass Tide", *names, asin="B000TIDE01", is_heard=True)
    assert reading(SHELF) == Reading("audiobookshelf", (row,))
    title = Row("Glass Tide", (ADA,), (TIDES,), isbn="9780439785969", is_heard=True)
    assert reading(SHELF_TITLE) == Reading("audiobookshelf", (title,))


def test_the_ancestors_list() -> None:
    rows = Row("Glass Tide", (ADA,), (TIDES,)), Row(authors=(Name("Cy Dee"),))
    assert reading(ANCESTOR) == Reading("ancestor", rows)


def test_an_outline() -> None:
    assert reading(OPML) == Reading(
        "opml",
        (
            Row("Ada Lund", asin="B000ADALUN", watch_kind="author"),
            Row("Tides", watch_kind="series"),
            Row("A blog", watch_kind="feed"),
            Row("Bo Ek", watch_kind="author"),
        ),
    )


def test_our_own_export() -> None:
    export = {"stalkerr_export": 1, "watches": [{"kind": "keyword", "query": '"sea salt"'}]}
    rows = (Row('"sea salt"', watch_kind="keyword"),)
    assert reading(export) == Reading("stalkerr", rows)


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + GOODREADS.encode(),
        GOODREADS.encode("utf-16"),
        GOODREADS.replace("\n", "\r\n").encode(),
        b"\n\n" + GOODREADS.encode(),
    ],
    ids=["a mark", "UTF-16", "CRLF", "blank lines"],
)
def test_it_is_read_however_it_was_saved(data: bytes) -> None:
    assert read(data, limit=LIMIT) == reading(GOODREADS)


def test_a_spreadsheets_semicolons_are_read() -> None:
    text = 'Title;Author;Exclusive Shelf\n"Glass; Tide";Ada Lund;read\n'
    assert reading(text).rows == (Row("Glass; Tide", (ADA,), is_heard=True),)


def test_an_archive_of_one_file_is_opened() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", "")
        archive.writestr("folder/library.csv", GOODREADS)
        archive.writestr("__MACOSX/library.csv", "junk")
    assert read(packed.getvalue(), limit=LIMIT) == reading(GOODREADS)


@pytest.mark.parametrize(
    "content",
    ["just words", "a,b,c\n1,2,3\n", "{}", "[]", "[1, 2]", '{"audiobooks": []}', "<rss/>"],
)
def test_what_nobody_writes_is_refused(content: str) -> None:
    with pytest.raises(UnreadableError, match="We don't know this kind of file"):
        reading(content)


def test_an_empty_export_is_said_to_be_empty() -> None:
    with pytest.raises(UnreadableError, match="nothing in this file"):
        reading("Title,Author,Exclusive Shelf\n")


@pytest.mark.parametrize("value", [None, 1, [], {}, ["x"], "x", {"media": 1}])
def test_json_of_other_shapes_breaks_nothing(value: Any) -> None:
    for shape in (
        {"items": [{"asin": "B000TIDE01", "authors": value, "series": value, "title": value}]},
        {"results": [{"media": {"metadata": {"authorName": value, "seriesName": value}}}]},
        {"results": value},
        {"audiobooks": {"author": {"Ada Lund": value}}},
        [{"AudibleProductId": value, "AuthorNames": value, "SeriesOrder": value}],
        {"stalkerr_export": 1, "watches": value},
    ):
        try:
            rows = reading(shape).rows
        except UnreadableError:
            continue
        assert plan(rows, watched=set())


# -- what is made of the rows --------------------------------------------------------------------


def test_there_is_one_watch_for_an_author_and_a_series_however_they_are_spelt() -> None:
    rows = [
        Row("Glass Tide", (ADA,), (TIDES,), is_heard=True),
        Row("Salt Tide", (Name("ADA LÚND", "B000ADALUN"),), (Name("tides"),)),
    ]
    made = plan(rows, watched=set())
    assert [(w.kind, w.query, w.asin, w.titles) for w in made.wishes.values()] == [
        ("author", "Ada Lund", "B000ADALUN", 2),
        ("series", "Tides", "", 2),
    ]
    assert made.heard == [rows[0]]
    assert made.unresolved == []


def test_what_is_watched_already_is_counted_only() -> None:
    made = plan([Row("Glass Tide", (ADA,), (TIDES,))], watched={("author", "ada lund")})
    assert (list(made.wishes), made.known) == ([("series", "tides")], 1)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (Row("Glass Tide"), "neither an author nor a series"),
        (Row("Glass Tide", (Name("Various Authors"),)), "neither an author nor a series"),
        (Row("Glass Tide", (Name("!!!"),)), "no word in this"),
        (Row("A blog", watch_kind="feed"), "a feed's address"),
        (Row("x", watch_kind="colour"), "no kind of watch"),
        (Row("not an id", watch_kind="genre"), "category's id"),
    ],
)
def test_what_can_not_be_watched_is_kept_with_the_reason(row: Row, reason: str) -> None:
    made = plan([row], watched=set())
    ((title, why),) = made.unresolved
    assert (title, reason in why) == (row.title, True)
    assert made.wishes == {}


# -- recorded tables -----------------------------------------------------------------------------


def recorded(name: str) -> Path:
    path = RECORDED / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


def test_series_are_found_in_recorded_titles() -> None:
    with recorded("C_tables/goodbooks10k_with_series.csv").open(encoding="utf-8") as file:
        titles = [row["title"] for row in csv.DictReader(file)]
    named = [title for title in titles if "#" in title]
    found = [title for title in named if places_in_title(title)[1]]
    assert len(named) > 4000
    assert len(found) > 0.99 * len(named)
    assert places_in_title("The Hunger Games (The Hunger Games, #1)") == (
        "The Hunger Games",
        (Name("The Hunger Games"),),
    )


def test_recorded_books_as_goodreads_exports_them() -> None:
    with recorded("C_tables/goodreads_openlibrary_13719.csv").open(encoding="utf-8") as file:
        books = list(csv.DictReader(file))
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["Title", "Author", "ISBN", "ISBN13", "Exclusive Shelf"])
    for book in books:
        author = book["authors"].split("-")[0]
        isbns = (f'="{book[name]}"' for name in ("isbn", "isbn13"))
        table.writerow([book["title"], author, *isbns, "read"])
    found = read(text.getvalue().encode(), limit=20_000_000)
    made = plan(found.rows, watched=set())
    assert len(found.rows) == len(books)
    assert ("series", "harry potter") in made.wishes
    assert ("author", "j k rowling") in made.wishes
    assert len(made.unresolved) < len(books) / 100
    assert sum(bool(row.isbn) for row in found.rows) > 0.99 * len(books)


def test_a_recorded_library_and_a_recorded_wish_list() -> None:
    library = recorded("A_api/us_library-items_57_stripped_cmarkh_2025-05.json").read_bytes()
    found = read(library, limit=20_000_000)
    assert (found.kind, len(found.rows)) == ("audible", 57)
    assert all(row.is_heard and row.asin and row.title for row in found.rows)
    wishes = recorded("A_api/us_wishlist_5-preorders_explicit-nulls_a2a_2026-01.json").read_bytes()
    found = read(wishes, limit=20_000_000)
    assert (found.kind, len(found.rows)) == ("audible", 5)
    assert all(row.authors and not row.is_heard for row in found.rows)
