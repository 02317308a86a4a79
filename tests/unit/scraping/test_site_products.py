"""Pages about one product, pages that are none, and markup nobody meant well."""

import contextlib
import datetime as dt
import json
import time
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.listing import CreditLine, Listing, SeriesPlace
from scraping.pages import UnreadableAnswerError
from scraping.products import parse as parse_answer
from scraping.site.reading import parse

BOOK: dict[str, Any] = {
    "@context": "http://schema.org",
    "@type": "Audiobook",
    "name": "The Glass Tide",
    "description": "<p>Salt &amp; glass.</p><p>A <i>tide</i>, again.</p>",
    "image": "https://m.media-amazon.com/images/I/51tide._SL500_.jpg",
    "abridged": "false",
    "author": [{"@type": "Person", "name": "Ada Lund"}],
    "readBy": [{"@type": "Person", "name": "Una Roth"}],
    "publisher": "Lamp & Oar",
    "datePublished": "2030-05-01",
    "inLanguage": "english",
    "duration": "PT10H11M",
    "regionsAllowed": ["US", "CA"],
}
CRUMBS: dict[str, Any] = {
    "@type": "BreadcrumbList",
    "itemListElement": [
        {"position": 1, "item": {"@id": "https://www.audible.com/", "name": "Home"}},
        {"position": 2, "item": {"@id": "/cat/Fantasy-Audiobooks/11", "name": "Fantasy"}},
        {
            "position": 3,
            "item": {"@id": "/cat/Fantasy/Epic-Audiobooks/12", "name": "Epic &amp; Low"},
        },
    ],
}
PRODUCT = {"@type": "Product", "productID": "B0000TIDE1", "sku": "BK_LAMP_000001"}
METADATA = (
    {
        "authors": [
            {"name": "Ada Lund", "url": "/author/Ada-Lund/B0000LUND1"},
            {"name": "Ib Falk - translator", "url": "/search?searchAuthor=Ib+Falk"},
        ],
        "narrators": [{"name": "Una Roth", "url": "/search?searchNarrator=Una+Roth"}],
    },
    {
        "duration": "10 hrs and 12 mins",
        "releaseDate": "05-02-30",
        "series": [{"part": "Book 1", "name": "Tides", "url": "/series/Tides/B0000TIDES"}],
        "format": "Unabridged Audiobook",
        "publisher": {"name": "Lamp &amp; Oar", "url": "/search?searchProvider=Lamp"},
        "language": "English",
        "categories": [{"name": "Fantasy", "url": "/cat/Fantasy-Audiobooks/11?ref=x"}],
    },
)
HERO = """<adbl-product-hero><adbl-title-lockup slot="title-lockup"><h1 slot="title">The Glass
  Tide</h1><h2 slot="subtitle">Tides, Book 1</h2></adbl-title-lockup></adbl-product-hero>"""
LEGACY = """<h1 class="bc-heading">The Glass Tide</h1><ul>
  <li class="bc-list-item"><span>Tides, Book 1</span></li>
  <li class="bc-list-item authorLabel">By: <a href="/author/Ada-Lund/B0000LUND1">Ada Lund</a></li>
  <li class="narratorLabel">Narrated by: <a href="/search?searchNarrator=U">Una Roth</a></li>
  <li class="seriesLabel">Series: <a href="/series/Tides/B0000TIDES">Tides</a>, Book 1</li>
  <li class="runtimeLabel">Length: 10 hrs and 11 mins</li>
  <li class="format">Unabridged Audiobook</li>
  <li class="releaseDateLabel">Release date: 05-01-30</li>
  <li class="languageLabel">Language: English</li>
  <li class="publisherLabel">Publisher: <a href="/search?searchProvider=L">Lamp &amp; Oar</a></li>
  <li class="categoriesLabel">Categories: <a href="/cat/Fantasy-Audiobooks/11">Fantasy</a></li></ul>
  <div class="productPublisherSummary"><p>Salt &amp; glass.</p></div>"""
CANONICAL = '<link rel="canonical" href="https://www.audible.com/pd/Tide-Audiobook/B0000TIDE1">'


def page(*linked: object, body: str = "", head: str = "", metadata: Iterable[object] = ()) -> bytes:
    linked_data = "".join(
        f'<script type="application/ld+json">{each if isinstance(each, str) else json.dumps(each)}'
        "</script>"
        for each in linked
    )
    embedded = "".join(
        '<adbl-product-metadata slot="metadata"><script type="application/json">'
        f"{json.dumps(each)}</script></adbl-product-metadata>"
        for each in metadata
    )
    main = f'<div class="adbl-main">{body}{embedded}</div>'
    return (
        f"<!doctype html><html><head>{head}{linked_data}</head><body>{main}</body></html>".encode()
    )


def read(body: bytes, marketplace: str = "us") -> Listing:
    (listing,) = parse(body, marketplace).listings
    return listing


def test_a_product_page_is_a_listing() -> None:
    listing = read(page([BOOK, CRUMBS], [PRODUCT], body=HERO, metadata=METADATA))
    assert listing.raw["datePublished"] == "2030-05-01"
    assert listing == Listing(
        marketplace="us",
        asin="B0000TIDE1",
        url="https://www.audible.com/pd/B0000TIDE1",
        title="The Glass Tide",
        subtitle="Tides, Book 1",
        language="english",
        release_date=dt.date(2030, 5, 1),
        publisher="Lamp & Oar",
        runtime_minutes=611,
        credits=(
            CreditLine("Ada Lund", "B0000LUND1", "author"),
            CreditLine("Ib Falk", None, "translator"),
            CreditLine("Una Roth", None, "narrator"),
        ),
        series=(SeriesPlace("B0000TIDES", "Tides", "1"),),
        genres=(("11", "Fantasy"), ("12", "Epic & Low")),
        format_type="unabridged",
        cover_url="https://m.media-amazon.com/images/I/51tide._SL500_.jpg",
        summary="Salt & glass. A tide, again.",
        sku="BK_LAMP_000001",
        provenance="audible_html",
        raw=listing.raw,
    )


def test_a_page_and_an_answer_of_the_api_agree() -> None:
    record = {
        "asin": "B0000TIDE1",
        "title": "The Glass Tide",
        "subtitle": "Tides, Book 1",
        "authors": [
            {"asin": "B0000LUND1", "name": "Ada Lund"},
            {"name": "Ib Falk - translator"},
        ],
        "narrators": [{"name": "Una Roth"}],
        "language": "english",
        "release_date": "2030-05-01",
        "publisher_name": "Lamp & Oar",
        "runtime_length_min": 611,
        "series": [{"asin": "B0000TIDES", "sequence": "1", "title": "Tides"}],
        "category_ladders": [
            {"root": "Genres",
             "ladder": [{"id": "11", "name": "Fantasy"}, {"id": "12", "name": "Epic & Low"}]}
        ],
        "format_type": "unabridged",
        "product_images": {"500": "https://m.media-amazon.com/images/I/51tide._SL500_.jpg"},
        "publisher_summary": BOOK["description"],
        "sku": "BK_LAMP_000001",
    }  # fmt: skip
    (answered,) = parse_answer(json.dumps({"product": record}).encode(), "us").listings
    shown = read(page([BOOK, CRUMBS], [PRODUCT], body=HERO, metadata=METADATA))
    assert shown.fingerprint() == answered.fingerprint()
    assert (shown.provenance, answered.provenance) == ("audible_html", "audible_api")


def test_an_older_page_only_has_labels() -> None:
    shown = read(page(body=LEGACY, head=CANONICAL))
    assert (shown.title, shown.subtitle, shown.summary) == (
        "The Glass Tide", "Tides, Book 1", "Salt & glass.",
    )  # fmt: skip
    assert (shown.release_date, shown.runtime_minutes) == (dt.date(2030, 5, 1), 611)
    assert (shown.publisher, shown.format_type) == ("Lamp & Oar", "unabridged")
    assert (shown.genres, shown.series) == (
        (("11", "Fantasy"),), (SeriesPlace("B0000TIDES", "Tides", "1"),),
    )  # fmt: skip
    assert [line.asin for line in shown.credits] == ["B0000LUND1", None]


def test_labels_fill_in_what_linked_data_leaves_out() -> None:
    shown = read(page([BOOK], [PRODUCT], body=LEGACY))
    assert shown.credits[0] == CreditLine("Ada Lund", "B0000LUND1", "author")
    assert shown.series == (SeriesPlace("B0000TIDES", "Tides", "1"),)


def test_people_are_those_of_linked_data_where_nothing_else_names_them() -> None:
    shown = read(page([{**BOOK, "readBy": {"name": "Una Roth"}, "author": "Ada Lund"}], [PRODUCT]))
    assert shown.credits == (
        CreditLine("Ada Lund", None, "author"),
        CreditLine("Una Roth", None, "narrator"),
    )


@pytest.mark.parametrize(
    ("said", "form"),
    [("false", "unabridged"), ("true", "abridged"), (True, "abridged"), ("", None)],
)
def test_abridged_is_a_text(said: object, form: str | None) -> None:
    assert read(page([{**BOOK, "abridged": said}], [PRODUCT])).format_type == form


def test_an_original_recording_is_called_so_by_the_page() -> None:
    shown = read(page([BOOK], [PRODUCT], metadata=[{"format": "Original Recording Audiobook"}]))
    assert shown.format_type == "original_recording"


def test_a_day_that_stands_for_unknown_is_none_on_the_whole_page() -> None:
    """Proves the guard against 2200-01-01, which a label cuts to a day of this century."""
    unknown = {**BOOK, "datePublished": "2200-01-01"}
    for label in ("01-01-00", "05-01-30"):
        body = LEGACY.replace("05-01-30", label)
        assert read(page([unknown], [PRODUCT], body=body)).release_date is None


def test_the_day_of_linked_data_is_the_same_everywhere() -> None:
    shown = read(page([BOOK], [PRODUCT], metadata=[{"releaseDate": "02.05.2030"}]), "de")
    assert shown.release_date == dt.date(2030, 5, 1)


def test_without_it_the_page_is_read_in_its_own_order() -> None:
    metadata = [{"releaseDate": "02.05.2030", "duration": "10 Std. und 11 Min."}]
    shown = read(page([PRODUCT], body=HERO, metadata=metadata), "de")
    assert (shown.title, shown.release_date, shown.runtime_minutes) == (
        "The Glass Tide", dt.date(2030, 5, 2), 611,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "delivery"),
    [("PodcastSeries", "PodcastParent"), ("PodcastEpisode", "PodcastEpisode"),
     ("PodcastSeason", "PodcastSeason")],
)  # fmt: skip
def test_podcasts(kind: str, delivery: str) -> None:
    shown = read(page([{**BOOK, "@type": kind}], [PRODUCT]))
    assert (shown.content_type, shown.delivery_type) == ("Podcast", delivery)


def test_a_podcast_may_only_be_called_so_by_its_address() -> None:
    head = CANONICAL.replace("Tide-Audiobook", "Tide-Podcast")
    assert read(page([PRODUCT], body=HERO, head=head)).content_type == "Podcast"


def test_buttons_say_what_they_play() -> None:
    button = '<adbl-button asin="{}" contentDeliveryType="MultiPartBook" contentType="Product">'
    own, other = button.format("B0000TIDE1"), button.format("B0000OTHER")
    assert read(page([BOOK], [PRODUCT], body=own)).delivery_type == "MultiPartBook"
    assert read(page([BOOK], [PRODUCT], body=other)).delivery_type is None


def test_what_the_page_recommends_is_not_it() -> None:
    other = {
        "authors": [{"name": "Somebody Else"}],
        "series": [{"name": "Other", "part": "Book 9"}],
    }
    beside = f"""<adbl-product-carousel><adbl-product-grid-item><h2 slot="subtitle">Other</h2>
      <adbl-product-metadata><script type="application/json">{json.dumps(other)}</script>
      </adbl-product-metadata></adbl-product-grid-item><ul><li class="productListItem"
      id="product-list-item-B0000OTHER"><h3>Other</h3></li></ul></adbl-product-carousel>"""
    shown = read(page([BOOK], [PRODUCT], body=beside))
    assert (shown.asin, shown.subtitle, shown.series) == ("B0000TIDE1", None, ())
    assert [line.name for line in shown.credits] == ["Ada Lund", "Una Roth"]


@pytest.mark.parametrize(
    "broken",
    ["{", "", "7", '"x"', "[[[1]]]", "[" * 900, '{"@type": {"a": 1}}', '{"@type": "Audiobook"',
     {"@type": ["Audiobook"], "name": 7}, {"@graph": [7, None]}],
)  # fmt: skip
def test_broken_linked_data_costs_itself(broken: object) -> None:
    shown = read(page(broken, [BOOK], PRODUCT, body=HERO))
    assert (shown.asin, shown.title) == ("B0000TIDE1", "The Glass Tide")


def test_metadata_without_people_leaves_them_to_linked_data() -> None:
    """Proves the guard against people without a name, who would stand before those who have one."""
    for said in ({"duration": "10 hrs"}, {"authors": None, "narrators": [{"name": ""}]}):
        listing = read(page(BOOK, PRODUCT, metadata=[said]))
        assert [line.name for line in listing.credits] == ["Ada Lund", "Una Roth"]


def test_names_in_metadata_may_be_escaped_as_for_a_page() -> None:
    said = {
        "authors": [{"name": "Ada L&oslash;nd &amp; Co"}],
        "publisher": {"name": "Lamp &amp; Oar"},
        "series": [{"part": "Book 1", "name": "Una&#39;s Tides", "url": "/series/T/B0000TIDES"}],
        "categories": [{"name": "Epic &amp; Low", "url": "/cat/Fantasy-Audiobooks/11"}],
    }
    listing = read(page(body=HERO, head=CANONICAL, metadata=[said]))
    assert (listing.credits[0].name, listing.publisher) == ("Ada Lønd & Co", "Lamp & Oar")
    assert listing.series == (SeriesPlace("B0000TIDES", "Una's Tides", "1"),)
    assert listing.genres == (("11", "Epic & Low"),)


def test_a_piece_of_a_page_has_its_title_in_its_heading() -> None:
    listing = read(f'<div>{LEGACY}<button data-asin="B0000TIDE1"></button></div>'.encode())
    assert (listing.asin, listing.title) == ("B0000TIDE1", "The Glass Tide")


def test_metadata_may_be_escaped_like_text() -> None:
    said = json.dumps(METADATA[0]).replace('"', "&quot;")
    body = f'<adbl-product-metadata><script type="application/json">{said}</script>'
    shown = read(page([PRODUCT], body=HERO + body + "</adbl-product-metadata>"))
    assert shown.credits[0] == CreditLine("Ada Lund", "B0000LUND1", "author")


def test_fields_of_the_wrong_type_cost_themselves() -> None:
    wrong = {name: value for name in BOOK for value in ([[1]],)} | {
        "@type": "Audiobook",
        "name": "T",
    }
    crumbs = {"@type": "BreadcrumbList", "itemListElement": [1, {"item": 3}, {"item": {"@id": 7}}]}
    shown = read(page([wrong, crumbs], [PRODUCT], metadata=[dict.fromkeys(METADATA[1], 7)]))
    assert (shown.title, shown.release_date, shown.credits, shown.genres) == ("T", None, (), ())


def test_what_no_database_takes_is_left_out() -> None:
    shown = read(page([{**BOOK, "name": "Ti\ud800de\x00", "sku": "\x00"}], [PRODUCT]))
    assert shown.title == "Tide"
    assert "\x00" not in json.dumps(shown.raw)


# --- no pages -----------------------------------------------------------------------------------

ROBOT = b"""<!DOCTYPE html><html><head><title>Robot Check</title></head><body>
<form action="/errors/validateCaptcha"><input name="amzn"></form>
Type the characters you see in this image</body></html>"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "an empty body"),
        (b" \n\t", "an empty body"),
        (b'{"products": []}', "data instead"),
        (b"Service Unavailable", "data instead"),
        (ROBOT, "a robot check"),
        (b"<html><body>Back soon</body></html>", "not the store's"),
        (b"<html><body class='adbl-page'><ul><li", "half a web page"),
        (b"<html><body class='adbl-page'><ul><li>", "half a web page"),
    ],
)
def test_what_is_no_page_of_the_store(body: bytes, said: str) -> None:
    """Proves the guards that tell an empty list from a store that cannot be seen."""
    with pytest.raises(UnreadableAnswerError, match=said):
        parse(body, "us")


def test_a_product_page_without_its_product_is_none() -> None:
    with pytest.raises(UnreadableAnswerError, match="without a product"):
        parse(page(body="<adbl-product-hero></adbl-product-hero>"), "us")


def test_other_encodings() -> None:
    text = page([PRODUCT], body=HERO.replace("Glass", "Gläserne")).decode()
    latin = text.replace("<head>", '<head><meta charset="iso-8859-1">').encode("latin-1")
    assert read(latin).title == "The Gläserne Tide"
    japanese = page([PRODUCT], body=HERO.replace("Glass", "硝子")).decode()
    shift = japanese.replace("<head>", "<head><meta charset=shift_jis>").encode("shift_jis")
    assert read(shift).title == "The 硝子 Tide"


@pytest.mark.parametrize("name", ["klingon", "punycode", "base64", "rot13", "idna", "undefined"])
def test_encodings_that_are_none(name: str) -> None:
    """Proves the guard against those that take for ever, or are no text at all."""
    head = f'<meta charset="{name}"><title>'.encode() + b"\xe9a-" * 50_000 + b"</title>"
    began = time.process_time()
    body = page([PRODUCT], body=HERO).replace(b"<head>", b"<head>" + head)
    assert read(body).asin == "B0000TIDE1"
    assert time.process_time() - began < 2


ROW = '<li class="productListItem" id="product-list-item-B0000TIDE1"><h3>Tide</h3>{}</li>'


@pytest.mark.parametrize(
    "inside",
    [
        "<div>" * 20_000,
        "<b>" * 300 + "x",
        '<span class="runtimeLabel">' + "9" * 100_000 + " hrs</span>",
        '<span class="releaseDateLabel">' + "1-" * 50_000 + "</span>",
        '<span class="releaseDateLabel">' + "1 " * 50_000 + "</span>",
        '<span class="seriesLabel">' + ", Book" * 20_000 + " 1</span>",
        '<span class="authorLabel">' + ":" * 50_000 + "</span>",
        '<script type="application/json">' + "[" * 50_000 + "</script>",
        '<script type="application/json">{"duration": ' + "9" * 5000 + "}</script>",
        "<!--" * 500,
        "<" * 50_000,
        "<![CDATA[" * 500,
    ],
    ids=lambda inside: inside[:24],
)
def test_markup_made_to_hurt_is_over_soon(inside: str) -> None:
    began = time.process_time()
    parse(f"<div class='adbl-main'><ul>{ROW.format(inside)}</ul></div>".encode(), "us")
    assert time.process_time() - began < 2


def test_comments_before_the_page_are_over_soon() -> None:
    """Proves the guard against a search that goes back over every one of them."""
    began = time.process_time()
    with pytest.raises(UnreadableAnswerError):
        parse(b"<!--a-->" * 100_000, "us")
    assert time.process_time() - began < 2


def test_a_list_that_never_ends_is_cut_off() -> None:
    """Proves the guard against more rows than any list of the store has."""
    rows = "".join(ROW.format("").replace("TIDE1", f"{number:05d}") for number in range(1200))
    found = parse(f"<div class='adbl-main'><ul>{rows}</ul></div>".encode(), "us")
    assert found.raw_count == len(found.listings) == 1000


TEXT = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*BOOK, *METADATA[0], *METADATA[1]]), JSON), TEXT)
def test_nothing_in_json_is_too_odd(record: dict[str, Any], text: str) -> None:
    body = page([{**record, "@type": "Audiobook"}], [PRODUCT], body=HERO, metadata=[record])
    shown = read(body)
    assert shown.title
    shown.fingerprint()
    row = ROW.format(f'<script type="application/json">{json.dumps(record)}</script>')
    assert parse(f"<div>{row}</div>".encode(), "us").listed == ("B0000TIDE1",)


@given(st.binary(max_size=200), st.sampled_from(["", "<html>", "<div class='adbl-'>", ROW]))
def test_no_body_is_too_odd(body: bytes, before: str) -> None:
    with contextlib.suppress(UnreadableAnswerError):
        parse(before.encode() + body, "us")
