"""Lists of the site: searches in every language, series in both their forms, libraries."""

import datetime as dt
import json
from typing import Any

import pytest

from catalog.listing import CreditLine, Listing, SeriesPlace
from scraping.pages import Page, UnreadableAnswerError
from scraping.site.reading import parse

FLYOUT = """<div class="bc-popover bc-hidden"><ul>
  <li><h2 class="bc-heading">The Glass Tide</h2></li><li>By: Somebody Else, and others</li>
  <li>Release date: 01-01-99</li><li>{form}</li></ul></div>"""
ROW = """<li aria-label="The Glass &amp;amp; Tide" class="bc-list-item
\tproductListItem" id="product-list-item-B0000TIDE1">{above}
  <div class="bc-row">{flyout}
    <a href="/pd/The-Glass-Tide-Audiobook/B0000TIDE1?ref=a"><img
      src="https://m.media-amazon.com/images/I/51tide._SL500_.jpg"></a>
    <h3 class="bc-heading"><a href="/pd/The-Glass-Tide-Audiobook/B0000TIDE1">The Glass Tide</a></h3>
    <ul class="bc-list">{labels}</ul>
    <div class="adblBuyBox"><h2>Book 99</h2><h3>Add to Cart failed.</h3></div></div></li>"""
ENGLISH = """<li class="subtitle">A <i>Novel</i></li>
  <li class="authorLabel"><span>By: <a href="/author/Ada-Lund/B0000LUND1?x=1">Ada Lund</a>,
    <a href="/search?searchAuthor=Ib+Falk+-+translator">Ib Falk - translator</a></span></li>
  <li class="narratorLabel">Narrated by: <a href="/search?searchNarrator=Una">Una Roth</a>, Virtual
    Voice</li>
  <li class="seriesLabel">Series: <a href="/series/Tides-Audiobooks/B0000TIDES">Tides</a>, Book 1,
    <a href="/series/Isles-Audiobooks/B0000ISLES">Isles</a></li>
  <li class="runtimeLabel">Length: 10 hrs and 11 mins</li>
  <li class="releaseDateLabel">Release date: 05-01-30</li>
  <li class="languageLabel">Language: English</li>
  <li class="ratingsLabel">Not rated yet</li>"""


def row(labels: str = ENGLISH, *, above: str = "", form: str = "Unabridged") -> str:
    return ROW.format(labels=labels, above=above, flyout=FLYOUT.format(form=form))


def page(*rows: str, head: str = "", count: str = "") -> bytes:
    summary = f'<span class="resultsSummarySubheading">{count}</span>' if count else ""
    body = f'<div class="adbl-main">{summary}<ul>{"".join(rows)}</ul></div>'
    return f"<!doctype html><html><head>{head}</head><body>{body}</body></html>".encode()


def read_one(*rows: str, marketplace: str = "us", head: str = "") -> Listing:
    (listing,) = parse(page(*rows, head=head), marketplace).listings
    return listing


def test_a_row_is_a_listing() -> None:
    listing = read_one(row())
    assert listing.raw["releaseDateLabel"] == "Release date: 05-01-30"
    assert listing == Listing(
        marketplace="us",
        asin="B0000TIDE1",
        url="https://www.audible.com/pd/B0000TIDE1",
        title="The Glass Tide",
        subtitle="A Novel",
        language="english",
        release_date=dt.date(2030, 5, 1),
        runtime_minutes=611,
        credits=(
            CreditLine("Ada Lund", "B0000LUND1", "author"),
            CreditLine("Ib Falk", None, "translator"),
            CreditLine("Una Roth", None, "narrator"),
            CreditLine("Virtual Voice", None, "narrator"),
        ),
        series=(SeriesPlace("B0000TIDES", "Tides", "1"), SeriesPlace("B0000ISLES", "Isles", None)),
        format_type="unabridged",
        cover_url="https://m.media-amazon.com/images/I/51tide._SL500_.jpg",
        provenance="audible_html",
        raw=listing.raw,
    )


def labels(author: str, narrator: str, series: str, runtime: str, day: str, language: str) -> str:
    return f"""<li class="authorLabel">{author} <a href="/author/A/B0000LUND1">Ada Lund</a></li>
      <li class="narratorLabel">{narrator} <a href="/search?searchNarrator=Una">Una Roth</a></li>
      <li class="seriesLabel">{series.format('<a href="/series/T/B0000TIDES">Tides</a>')}</li>
      <li class="runtimeLabel">{runtime}</li><li class="releaseDateLabel">{day}</li>
      <li class="languageLabel">{language}</li>"""


@pytest.mark.parametrize(
    ("marketplace", "said", "language"),
    [
        ("uk", ("By:", "Narrated by:", "Series: {}, Book 2", "Length: 9 hrs and 3 mins",
                "Release date: 12-05-26", "Language: English"), "english"),
        ("de", ("Von:", "Gesprochen von:", "Serie: {}, Titel 2", "Spieldauer: 9 Std. und 3 Min.",
                "Erscheinungsdatum: 12.05.2026", "Sprache: Deutsch"), "german"),
        ("fr", ("De :", "Lu par :", "Série : {}, Tome 2", "Durée : 9 h et 3 min",
                "Date de publication : 12/05/2026", "Langue : Français"), "french"),
        ("it", ("Di:", "Letto da:", "Serie: {}, Libro 2", "Durata: 9 ore e 3 min",
                "Data di pubblicazione: 12/05/2026", "Lingua: Italiano"), "italian"),
        ("es", ("De:", "Narrado por:", "Serie: {}, libro 2", "Duración: 9 horas y 3 mins",
                "Fecha de lanzamiento: 12-05-26", "Español (Castellano)"), "spanish"),
        ("br", ("De:", "Narrado por:", "Série: {}, Livro 2", "Duração: 9 horas e 3 minutos",
                "Data de lançamento: 12-05-2026", "Idioma: Português"), "portuguese"),
        ("jp", ("著者:", "ナレーター:", "シリーズ: {}, 第2巻", "再生時間: 9 時間 3 分",
                "配信日: 2026/05/12", "言語: 日本語"), "japanese"),
        ("au", ("By:", "Narrated by:", "Series: {}, Book 2", "Length: 9 hrs and 3 mins",
                "Release date: 12-05-2026", "Language: English"), "english"),
        ("ca", ("By:", "Narrated by:", "Series: {}, Book 2", "Length: 9 hrs and 3 mins",
                "Release date: 2026-05-12", "Language: English"), "english"),
    ],
)  # fmt: skip
def test_the_same_row_in_every_language(
    marketplace: str, said: tuple[str, str, str, str, str, str], language: str
) -> None:
    listing = read_one(row(labels(*said)), marketplace=marketplace)
    assert (listing.release_date, listing.runtime_minutes) == (dt.date(2026, 5, 12), 543)
    assert listing.language == language
    assert listing.series == (SeriesPlace("B0000TIDES", "Tides", "2"),)
    assert listing.credits == (
        CreditLine("Ada Lund", "B0000LUND1", "author"),
        CreditLine("Una Roth", None, "narrator"),
    )


@pytest.mark.parametrize(
    ("form", "expected"),
    [("Versión íntegra", "unabridged"), ("Gekürzt", "abridged"),
     ("Original Recording", "original_recording"), ("Audible", None)],
)  # fmt: skip
def test_only_the_flyout_says_whether_it_is_whole(form: str, expected: str | None) -> None:
    assert read_one(row(form=form)).format_type == expected


def test_names_are_never_taken_from_the_flyout() -> None:
    """It shortens them: "and others"."""
    assert read_one(row("")).credits == ()


def test_a_row_is_named_by_whatever_names_it() -> None:
    by_id = '<li class="productListItem" id="product-list-item-B0000TIDE1"><h3>Tide</h3></li>'
    by_link = '<li class="productListItem"><h3><a href="/pd/x/B0000TIDE1">Tide</a></h3></li>'
    by_button = '<li class="productListItem" data-asin="B0000TIDE1"><h3>Tide</h3></li>'
    for markup in (by_id, by_link, by_button):
        listing = read_one(markup)
        assert (listing.asin, listing.title) == ("B0000TIDE1", "Tide")


def test_a_row_without_asin_or_words_costs_itself() -> None:
    bare = '<li class="productListItem"><h3>No link</h3></li>'
    wordless = '<li class="productListItem" id="product-list-item-B0000BARE1"></li>'
    found = parse(page(row(), bare, wordless, row()), "us")
    assert (found.raw_count, found.listed, found.stubs) == (4, ("B0000TIDE1",), ())


def test_a_label_without_sense_costs_itself() -> None:
    listing = read_one(row(ENGLISH.replace("05-01-30", "soon").replace("10 hrs", "ten")))
    assert (listing.release_date, listing.runtime_minutes) == (None, 11)
    assert listing.language == "english"


def test_people_who_are_not_known_yet_are_nobody() -> None:
    listing = read_one(row('<li class="narratorLabel">Narrated by: To be announced</li>'))
    assert listing.credits == ()


def test_a_podcast_is_known_by_its_address() -> None:
    listing = read_one(row("").replace("Tide-Audiobook/", "Tide-Podcast/"))
    assert (listing.content_type, listing.delivery_type) == ("Podcast", None)


def test_a_total_is_stated() -> None:
    assert parse(page(row(), count="1 - 20 of over 2,000 results"), "us").total_results == 2000
    assert parse(page(row()), "us").total_results is None


def test_a_list_may_be_empty() -> None:
    assert parse(page(), "us") == Page()


def test_rows_that_are_announced_but_not_shown_are_no_empty_list() -> None:
    """Proves the guard against a layout we have yet to learn: its titles are not gone."""
    with pytest.raises(UnreadableAnswerError, match="a list of 99"):
        parse(page(count="1 - 20 of 99 results"), "us")
    with pytest.raises(UnreadableAnswerError, match="a list of 1 "):
        parse(page('<li class="productListItem">a new kind</li>'), "us")


def test_what_the_page_recommends_beside_is_not_listed() -> None:
    carousel = f'<div class="adbl-carousel"><ul>{row().replace("TIDE1", "OTHER")}</ul></div>'
    assert parse(page(row(), carousel), "us").listed == ("B0000TIDE1",)


# --- series -----------------------------------------------------------------------------------

CANONICAL = '<link rel="canonical" href="https://www.audible.com/series/Tides/B0000TIDES">'


def series_page(*rows: str, head: str = CANONICAL) -> bytes:
    return page("<h1>Tides</h1>", *rows, head=head)


def test_on_a_series_page_the_place_stands_above_the_row() -> None:
    (listing,) = parse(series_page(row("", above="<h2>Book 1-3.5</h2>")), "us").listings
    assert listing.title == "The Glass Tide"
    assert listing.series == (SeriesPlace("B0000TIDES", "Tides", "1-3.5"),)


def test_the_series_that_was_asked_for_is_the_page_s() -> None:
    body = series_page(row("", above="<h2>第2巻</h2>"), head="")
    (listing,) = parse(body, "jp", series="B0000ASKED").listings
    assert listing.series == (SeriesPlace("B0000ASKED", "Tides", "2"),)


def test_a_series_of_one_may_describe_that_one_as_a_product_page_does() -> None:
    linked = '<script type="application/ld+json">{"@type": "Audiobook", "name": "Tide"}</script>'
    (listing,) = parse(series_page(row(""), head=CANONICAL + linked), "us").listings
    assert (listing.asin, listing.series[0].asin) == ("B0000TIDE1", "B0000TIDES")


def test_a_row_without_a_place_is_in_the_series_all_the_same() -> None:
    (listing,) = parse(series_page(row("")), "us").listings
    assert listing.series == (SeriesPlace("B0000TIDES", "Tides", None),)


def test_a_title_that_sounds_like_a_place_is_none() -> None:
    """Proves the guard that puts the flyout aside, whose heading repeats the title."""
    titled = row("", above="<h2>Book 2</h2>").replace("The Glass Tide</h2>", "Book 9</h2>")
    for markup, place in ((titled, "2"), (titled.replace("<h2>Book 2</h2>", ""), None)):
        (listing,) = parse(series_page(markup), "us").listings
        assert listing.series[0].sequence == place


def test_a_list_may_show_one_of_its_titles_large() -> None:
    hero = "<adbl-product-hero><h1>Another title</h1></adbl-product-hero>"
    assert parse(page(hero, row()), "us").listed == ("B0000TIDE1",)


BUTTON = '<a href="/series/Tides-Audiobooks/B0000TIDES?ref=x">View series</a>'


def test_a_page_cut_out_of_its_frame_is_of_the_series_its_buttons_lead_to() -> None:
    body = page(row("", above="<h2>Book 2</h2>"), row(BUTTON).replace("TIDE1", "TIDE2"))
    found = parse(body, "au").listings
    assert [listing.series for listing in found] == [
        (SeriesPlace("B0000TIDES", "Tides", "2"),), (SeriesPlace("B0000TIDES", "Tides", None),),
    ]  # fmt: skip


def test_a_button_on_a_search_makes_no_series_of_it() -> None:
    """Proves the guard against one row's button that would put all the others into its series."""
    body = page(row(""), row(BUTTON).replace("TIDE1", "TIDE2"), count="1 - 2 of 2 results")
    assert [listing.series for listing in parse(body, "us").listings] == [(), ()]


def test_pages_of_older_years_lead_to_series_as_to_products() -> None:
    for address in ("/pd/Tides-Audiobooks/B0000TIDES", "/series?asin=B0000TIDES&ref=x"):
        label = f'<li class="seriesLabel">Series: <a href="{address}">Tides</a>, Book 1</li>'
        listing = read_one(row(label))
        assert (listing.asin, listing.title) == ("B0000TIDE1", "The Glass Tide")
        assert listing.series == (SeriesPlace("B0000TIDES", "Tides", "1"),)


def test_a_rank_is_no_place_in_a_series() -> None:
    (listing,) = parse(page("<h1>Best sellers</h1>", row("", above="<h2>1.</h2>")), "us").listings
    assert listing.series == ()


def metadata(**changes: Any) -> dict[str, Any]:
    return {
        "authors": [{"name": "Ada Lund", "url": "/author/Ada-Lund/B0000LUND1?ref=x"}],
        "narrators": [{"name": "Una Roth", "url": "/search?searchNarrator=Una+Roth"}],
        "duration": "10 hrs and 11 mins",
        "language": "English",
        "releaseDate": "2030-05-01",
        "rating": {"value": 4.8, "count": 12},
        **changes,
    }


def modern(data: object, *, place: str = "Book 1") -> str:
    script = data if isinstance(data, str) else json.dumps(data)
    return f"""<adbl-style-scope><adbl-product-row variant="catalog" series-header="{place}">
      <a href="/pd/The-Glass-Tide-Audiobook/B0000TIDE1" slot="image"><adbl-product-image>
        <img src="https://m.media-amazon.com/images/I/51tide._SL500_.jpg"></adbl-product-image></a>
      <h3 slot="title"><a href="/pd/The-Glass-Tide-Audiobook/B0000TIDE1">The Glass Tide</a></h3>
      <h4 slot="subtitle">Tides, Book 1</h4>
      <div slot="buy-box"><script type="application/json">{{"notMetadata": true}}</script></div>
      <script type="application/json">{script}</script>
    </adbl-product-row></adbl-style-scope>"""


def modern_page(*rows: str) -> bytes:
    carousel = modern(metadata()).replace("TIDE1", "OTHER")
    return f"""<html><body class="adbl-main"><adbl-metadata-group>
      <adbl-metadata slot="title"><h1>Tides</h1></adbl-metadata>
      <span slot="child"> 4 books in series </span></adbl-metadata-group>
      <div id="series-titles">{"".join(rows)}</div>
      <adbl-product-carousel id="SeriestoSeries">{carousel}
        <adbl-metadata slot="child-count">3 titles</adbl-metadata></adbl-product-carousel>
      </body></html>""".encode()


def test_the_newer_series_page_says_the_same_as_the_older() -> None:
    page_of_one = parse(modern_page(modern(metadata())), "us", series="B0000TIDES")
    assert (page_of_one.raw_count, page_of_one.total_results) == (1, 4)
    (newer,) = page_of_one.listings
    assert (newer.release_date, newer.runtime_minutes) == (dt.date(2030, 5, 1), 611)
    assert (newer.title, newer.subtitle, newer.language) == (
        "The Glass Tide", "Tides, Book 1", "english",
    )  # fmt: skip
    assert newer.series == (SeriesPlace("B0000TIDES", "Tides", "1"),)
    assert newer.credits == (
        CreditLine("Ada Lund", "B0000LUND1", "author"),
        CreditLine("Una Roth", None, "narrator"),
    )
    assert newer.cover_url == "https://m.media-amazon.com/images/I/51tide._SL500_.jpg"


def test_the_newer_series_page_may_keep_its_days_to_itself() -> None:
    said = metadata()
    del said["releaseDate"], said["duration"]
    (listing,) = parse(modern_page(modern(said, place="Books 1-3")), "us").listings
    assert (listing.release_date, listing.runtime_minutes) == (None, None)
    assert listing.series == (SeriesPlace(None, "Tides", "1-3"),)


def test_newer_rows_without_sense_keep_their_title() -> None:
    for said in ("{not json", "[]", "[" * 900, {"authors": 7, "narrators": {"name": []}},
                 {"duration": [], "releaseDate": {}, "language": 3, "series": "x"}):  # fmt: skip
        (listing,) = parse(modern_page(modern(said)), "us").listings
        assert (listing.title, listing.credits) == ("The Glass Tide", ())


def test_newer_rows_in_the_order_of_their_site() -> None:
    said = metadata(releaseDate="12.05.2026", duration="9 Std. und 3 Min.", language="Deutsch")
    (listing,) = parse(modern_page(modern(said, place="Titel 1")), "de").listings
    assert listing.release_date == dt.date(2026, 5, 12)
    assert (listing.runtime_minutes, listing.language) == (543, "german")
    assert listing.series[0].sequence == "1"


# --- libraries ----------------------------------------------------------------------------------


def test_a_row_of_a_library() -> None:
    markup = """<div id="adbl-library-content-row-B0000TIDE1" class="adbl-library-content-row">
      <a href="/pd/Die-Glasflut-Hoerbuch/B0000TIDE1"><img
        src="https://m.media-amazon.com/images/I/51kWzW0e3uL._SL500_.jpg"></a><ul>
      <li><a href="/pd/Die-Glasflut-Hoerbuch/B0000TIDE1"><span>Die Glasflut</span></a></li>
      <li><span class="bc-text authorLabel">Geschrieben von:
        <a href="/author/B0000LUND1">Ada Lund</a></span></li>
      <li class="narratorLabel">Gesprochen von: <a href="/search?searchNarrator=U">Una Roth</a></li>
      <li class="seriesLabel"><span>Serie: <a href="/series/Tides/B0000TIDES">Fluten</a> ,
        <span> Titel 1.5 </span></span></li>
      <li><h3 class="bc-pub-offscreen">interactive rating stars</h3></li></ul>
      <input type="hidden" name="contentType" value="Product">
      <input type="hidden" name="contentDeliveryType" value="SinglePartBook"></div>"""
    listing = read_one(markup, marketplace="de")
    assert (listing.title, listing.asin) == ("Die Glasflut", "B0000TIDE1")
    assert (listing.content_type, listing.delivery_type) == ("Product", "SinglePartBook")
    assert listing.series == (SeriesPlace("B0000TIDES", "Fluten", "1.5"),)
    assert [line.asin for line in listing.credits] == ["B0000LUND1", None]
