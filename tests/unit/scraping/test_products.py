import contextlib
import datetime as dt
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.listing import CreditLine, Listing, SeriesPlace
from scraping.pages import Page, StoreError, UnreadableAnswerError
from scraping.products import parse

# Deeper than the walk that cleans strings can go, not too deep for json.loads.
DEEP = 800 if sys.version_info < (3, 12) else 3_000
TIDE: dict[str, Any] = {
    "asin": "B0000TIDE1",
    "title": "The Glass Tide",
    "subtitle": "Tides, Book 1",
    "authors": [{"asin": "B0000LUND1", "name": "Ada Lund"}, {"name": "Ib Falk - translator"}],
    "narrators": [{"asin": None, "name": "Una Roth"}],
    "language": "English",
    "release_date": "2030-05-01",
    "issue_date": "2030-05-01",
    "publication_datetime": "2030-05-01T07:00:00Z",
    "product_site_launch_date": "2029-11-02T13:06:00Z",
    "publisher_name": "Lamp & Oar",
    "runtime_length_min": 611,
    "series": [{"asin": "B0000TIDES", "sequence": "1", "title": "Tides"}],
    "relationships": [
        {
            "asin": "B0000TIDES",
            "relationship_type": "series",
            "relationship_to_product": "parent",
            "title": "Tides",
            "sequence": "1",
        }
    ],
    "category_ladders": [{"root": "Genres", "ladder": [{"id": "11", "name": "Fantasy"}]}],
    "format_type": "unabridged",
    "content_type": "Product",
    "content_delivery_type": "SinglePartBook",
    "product_images": {"500": "https://img.example/5.jpg", "1024": "https://img.example/10.jpg"},
    "publisher_summary": "<p>Salt &amp; glass.</p><p>A <i>tide</i>, again.<br/>And again.</p>",
    "sku": "BK_LAMP_000001",
    "isbn": "9780000000001",
    "price": {"list_price": {"base": 29.989999771118164}},
    "read_along_support": "false",
}


def read(*products: Any) -> Page:
    return parse(json.dumps({"products": products, "total_results": len(products)}).encode(), "us")


def read_one(**changes: Any) -> Listing:
    (listing,) = read({**TIDE, **changes}).listings
    return listing


def test_it_reads_a_whole_product() -> None:
    assert read_one() == Listing(
        marketplace="us",
        asin="B0000TIDE1",
        url="https://www.audible.com/pd/B0000TIDE1",
        title="The Glass Tide",
        subtitle="Tides, Book 1",
        language="english",
        release_date=dt.date(2030, 5, 1),
        publication_at=dt.datetime(2030, 5, 1, 7, tzinfo=dt.UTC),
        launched_at=dt.datetime(2029, 11, 2, 13, 6, tzinfo=dt.UTC),
        publisher="Lamp & Oar",
        runtime_minutes=611,
        credits=(
            CreditLine("Ada Lund", "B0000LUND1", "author"),
            CreditLine("Ib Falk", None, "translator"),
            CreditLine("Una Roth", None, "narrator"),
        ),
        series=(SeriesPlace("B0000TIDES", "Tides", "1"),),
        genres=(("11", "Fantasy"),),
        format_type="unabridged",
        content_type="Product",
        delivery_type="SinglePartBook",
        cover_url="https://img.example/10.jpg",
        summary="Salt & glass. A tide, again. And again.",
        sku="BK_LAMP_000001",
        isbn="9780000000001",
        raw=TIDE,
    )


def test_a_sparse_product_leaves_the_rest_empty() -> None:
    (listing,) = read({"asin": "B0000TIDE1", "title": "The Glass Tide"}).listings
    assert listing == Listing(
        marketplace="us",
        asin="B0000TIDE1",
        url="https://www.audible.com/pd/B0000TIDE1",
        title="The Glass Tide",
        raw={"asin": "B0000TIDE1", "title": "The Glass Tide"},
    )


def test_explicit_nulls_are_the_same_as_nothing() -> None:
    nulls = dict.fromkeys(TIDE, None) | {"asin": "B0000TIDE1", "title": "The Glass Tide"}
    (said_null,) = read(nulls).listings
    (said_nothing,) = read({"asin": "B0000TIDE1", "title": "The Glass Tide"}).listings
    assert said_null.fingerprint() == said_nothing.fingerprint()


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"release_date": "2200-01-01"}, "release_date", dt.date(2030, 5, 1)),  # issue_date is left
        ({"release_date": "2200-01-01", "issue_date": "2200-01-01"}, "release_date", None),
        ({"release_date": "2100-01-01", "issue_date": None}, "release_date", None),
        ({"release_date": "2099-12-31"}, "release_date", dt.date(2099, 12, 31)),
        ({"release_date": "2030-02-30", "issue_date": ""}, "release_date", None),
        ({"release_date": "2030-06-01T00:00:00Z"}, "release_date", dt.date(2030, 6, 1)),
        ({"publication_datetime": "2200-01-01T00:00:00Z"}, "publication_at", None),
        ({"publication_datetime": "0001-01-01T00:00:00+14:00"}, "publication_at", None),
        (
            {"publication_datetime": "2030-05-01T00:00:00.00000"},
            "publication_at",
            dt.datetime(2030, 5, 1, tzinfo=dt.UTC),
        ),
        ({"runtime_length_min": 0}, "runtime_minutes", None),
        ({"runtime_length_min": -4}, "runtime_minutes", None),
        ({"runtime_length_min": True}, "runtime_minutes", None),
        ({"runtime_length_min": 611.0}, "runtime_minutes", 611),
        ({"runtime_length_min": "611"}, "runtime_minutes", 611),
        ({"runtime_length_min": 10**30}, "runtime_minutes", None),
        ({"subtitle": " \n "}, "subtitle", None),
        ({"title": "Glass\u0000\ud800 Tide"}, "title", "Glass Tide"),
        ({"product_images": {"500": "/5.jpg", "x": 7}}, "cover_url", None),
        ({"product_images": {"big": "https://img.example/b.jpg"}}, "cover_url", "https://img.example/b.jpg"),
        ({"publisher_summary": ""}, "summary", None),
        ({"publisher_summary": "Salt &amp; glass"}, "summary", "Salt & glass"),
        ({"publisher_summary": "<?xml version='1'?><![if x]>Salt"}, "summary", "Salt"),
        ({"publisher_summary": "<p><br></p>", "merchandising_summary": "x"}, "summary", None),
        ({"publisher_summary": None, "merchandising_summary": "Salt…"}, "summary", "Salt…"),
        ({"category_ladders": [{"root": "Picks", "ladder": [{"id": "1", "name": "a"}]}]}, "genres", ()),
        ({"category_ladders": [{"ladder": [{"id": "1"}, {"name": "a"}, 7]}]}, "genres", ()),
        ({"authors": [{"name": "…"}, {"name": ""}, {}], "narrators": 5}, "credits", ()),
    ],
    ids=str,
)  # fmt: skip
def test_it_reads_odd_values(changes: dict[str, Any], field: str, expected: object) -> None:
    assert getattr(read_one(**changes), field) == expected


def test_the_same_person_in_the_same_role_is_one_credit() -> None:
    twice = [{"name": "Ada Lund"}, {"name": "ADA LUND"}, {"name": "Ada Lund - editor"}]
    credits = read_one(authors=twice, narrators=[{"name": "Ada Lund"}]).credits
    assert [(credit.name, credit.role) for credit in credits] == [
        ("Ada Lund", "author"),
        ("Ada Lund", "editor"),
        ("Ada Lund", "narrator"),
    ]


def test_series_come_from_both_views_once_each() -> None:
    relations = [
        {**TIDE["relationships"][0], "sequence": "1"},
        {**TIDE["relationships"][0], "asin": "B000COAST1", "title": "Coast", "sequence": ""},
        {**TIDE["relationships"][0], "asin": "B000CHILD1", "relationship_to_product": "child"},
        {**TIDE["relationships"][0], "asin": "B000PART01", "relationship_type": "component"},
    ]
    listing = read_one(
        series=[
            {"asin": "B0000TIDES", "title": "Tides"},
            {"title": "No Id", "sequence": "2"},
            {"title": "no id", "sequence": "3"},
        ],
        relationships=relations,
    )
    assert listing.series == (
        SeriesPlace("B0000TIDES", "Tides", "1"),
        SeriesPlace(None, "No Id", "2"),
        SeriesPlace("B000COAST1", "Coast", None),
    )


def test_a_series_object_names_its_children() -> None:
    relations = [
        {"asin": asin, "relationship_type": kind, "relationship_to_product": other}
        for asin, kind, other in [
            ("B000CHILD2", "series", "child"),
            ("B000CHILD1", "series", "child"),
            ("B000CHILD2", "series", "child"),
            ("B000PART01", "component", "child"),
            ("B000OTHER1", "series", "parent"),
            (None, "series", "child"),
        ]
    ]
    record = {"asin": "B0000TIDES", "title": "Tides", "content_delivery_type": "BookSeries"}
    page = parse(json.dumps({"product": {**record, "relationships": relations}}).encode(), "us")
    assert page.children == ("B000CHILD2", "B000CHILD1")
    assert page.listings[0].is_series_object
    assert page.listings[0].series == (SeriesPlace("B000OTHER1", "", None),)


def test_a_record_that_says_nothing_is_a_stub_and_no_listing() -> None:
    page = read(TIDE, {"asin": "B0000STUB1", "asset_details": [], "is_vvab": False, "title": ""})
    assert [listing.asin for listing in page.listings] == ["B0000TIDE1"]
    assert page.stubs == ("B0000STUB1",)
    assert page.asins == ("B0000TIDE1", "B0000STUB1")


@pytest.mark.parametrize("kept", ["authors", "release_date"])
def test_a_record_with_people_or_a_date_but_no_title_is_no_stub(kept: str) -> None:
    page = read({"asin": "B0000TIDE1", kept: TIDE[kept]})
    assert page.stubs == ()
    assert page.listings[0].title is None


def test_records_are_counted_as_the_store_listed_them() -> None:
    page = read(TIDE, TIDE, None, "x", {"title": "No ASIN"}, {"asin": "short", "title": "x"})
    assert (len(page.listings), page.stubs, page.raw_count) == (1, (), 6)


def test_the_first_record_of_an_asin_stands() -> None:
    page = read({"asin": "B0000TIDE1"}, TIDE, {**TIDE, "title": "Another"}, {"asin": "B0000TIDE1"})
    assert [listing.title for listing in page.listings] == ["The Glass Tide"]
    assert page.stubs == ()


def test_an_empty_listing_is_a_page_with_nothing_on_it() -> None:
    assert parse(b'{"products": [], "total_results": 0}', "us") == Page(total_results=0)


def test_an_asin_is_read_in_capitals() -> None:
    assert read_one(asin=" b0000tide1 ").asin == "B0000TIDE1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  \n",
        b"<!doctype html><title>Robot check</title>",
        b'{"products": [{"asin": "B0',
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"product": null}',
        b'{"product": []}',
        b'{"products": {}}',
        b'{"products": null, "total_results": 3}',
        b'{"page_type": "author-detail", "sections": []}',
        b"[" * 100_000,
        b'{"products": ' + b"[" * DEEP + b'"\\u0000"' + b"]" * DEEP + b"}",
        b'{"total_results": ' + b"9" * 5000 + b"}",
        b"\xff\xfe\x00",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_answer_of_the_catalogue_is_said_to_be_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswerError):
        parse(body, "us")


def test_a_refusal_is_told_in_the_stores_words() -> None:
    with pytest.raises(StoreError, match="Invalid response group"):
        parse(b'{"message": "Invalid response group(s) requested: moods"}', "us")


def test_the_raw_record_can_be_stored() -> None:
    body = json.dumps({"products": [{**TIDE, "odd": ["\x00a\ud800", {"k\udfff": "\U0001f600"}]}]})
    body = body[:-3] + ', "n": NaN, "i": -Infinity, "e": 1e999}]}'
    (listing,) = parse(body.encode(), "us").listings
    assert listing.raw["odd"] == ["a", {"k": "\U0001f600"}]
    assert (listing.raw["n"], listing.raw["i"], listing.raw["e"]) == (None, None, None)


def test_a_byte_that_is_no_text_spoils_nothing() -> None:
    body = json.dumps({"product": TIDE}).replace("Una Roth", "Una R?th").encode()
    (listing,) = parse(b"\xef\xbb\xbf" + body.replace(b"R?th", b"R\xedth"), "us").listings
    assert listing.credits[-1].name == "Una R\ufffdth"


JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*TIDE, "name", "ladder", "id", "1"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(TIDE)), JUNK, min_size=1))
def test_one_bad_product_never_spoils_its_page(bad: dict[str, Any]) -> None:
    neighbour = {**TIDE, "asin": "B0000NEXT1"}
    page = read({**TIDE, "asin": "B0000JUNK1", **bad}, neighbour)
    assert page.raw_count == 2
    assert page.listings[-1].asin == "B0000NEXT1"
    for listing in page.listings:
        json.dumps(listing.raw, allow_nan=False)
        repr(listing.fingerprint()).encode()


@given(JUNK)
def test_any_json_is_a_page_or_unreadable(answer: object) -> None:
    with contextlib.suppress(UnreadableAnswerError, StoreError):
        parse(json.dumps(answer).encode(), "us")
