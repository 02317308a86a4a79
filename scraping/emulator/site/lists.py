"""The emulated pages that list titles: what a search finds, and what a series holds."""

import re
from collections.abc import Iterable, Mapping
from html import escape

from scraping.emulator.catalogue import Product, Series, Shelf
from scraping.emulator.questions import Refusal, listed
from scraping.emulator.site import rows
from scraping.emulator.site.locales import locale_of
from scraping.emulator.site.markup import frame, series_url

_ASKED = {
    "searchAuthor": "author",
    "searchNarrator": "narrator",
    "searchProvider": "publisher",
    "keywords": "keywords",
    "title": "title",
    "node": "category_id",
}
_SORTS = {"pubdate-desc-rank": "-ReleaseDate", "title-asc-rank": "Title"}
_SIZES = ("20", "30", "40", "50")
_CAP = 500
_STRAY_AFTER = 4  # rows
_BARE = ("stubs", "partial_stubs")  # all of them, every second one
_NUMBER = re.compile(r"[1-9]\d{0,5}")

Place = tuple[Product, str | None]


def search_page(shelf: Shelf, question: Mapping[str, str], mood: str = "") -> str | None:
    """A page of what is found, first page 1; unknown parameters and numbers change nothing.

    None where nothing is found and the mood is to have no page for that.
    """
    asked = {_ASKED[name]: value for name, value in question.items() if name in _ASKED}
    try:
        found = listed(shelf, asked, _SORTS.get(question.get("sort", ""), "Relevance"))
    except Refusal:
        found = []
    shown, first = _page([(each, None) for each in found[:_CAP]], question, "20")
    if not shown and mood == "led_away":
        return None
    items = _rows(shelf, shown, "legacy", mood)
    summary = _summary(shelf, first, len(shown), len(found))
    body = f'<ul class="bc-list">{items}</ul><div class="bc-pagination">{summary}</div>'
    return frame("Search", body)


def series_page(
    shelf: Shelf, series: Series, question: Mapping[str, str], layout: str, mood: str = ""
) -> str:
    """A page of what is on sale of a series, in one of rows.LAYOUTS."""
    products = ((shelf.products.get(asin), place) for asin, place in list(series.children.items()))
    on_sale = [(each, place) for each, place in products if each and not each.is_withdrawn]
    shown, _ = _page(on_sale, question, "50")
    items = _rows(shelf, shown, layout, mood)
    title = escape(series.title)
    if layout == "legacy":
        heading = f'<h1 class="bc-heading bc-text-bold">{title}</h1>'
        count = f'<span class="bc-text">{len(on_sale)} books</span>'
        content = f'<ul class="bc-list">{items}</ul>'
    else:
        heading = f'<adbl-metadata slot="title"><h1>{title}</h1></adbl-metadata>'
        count = f'<span slot="child"> {len(on_sale)} books in series </span>'
        content = f'<div id="series-titles" class="bc-container">{items}</div>'
    body = f"<adbl-metadata-group>{heading}{count}</adbl-metadata-group>{content}"
    return frame(series.title, body + _others(shelf, series), address=series_url(series))


def _page(found: list[Place], question: Mapping[str, str], usual: str) -> tuple[list[Place], int]:
    """What stands on the page asked for, and the place of the first there."""
    asked, number = question.get("pageSize", ""), question.get("page", "")
    size = int(asked if asked in _SIZES else usual)
    start = (int(number) - 1 if _NUMBER.fullmatch(number) else 0) * size
    return found[start : start + size], start


def _rows(shelf: Shelf, places: Iterable[Place], layout: str, mood: str) -> str:
    """With an advertisement in between, and moody: fewer, or less of them."""
    items = [
        _row(shelf, product, place, layout, is_bare=mood in _BARE[: 1 + n % 2])
        for n, (product, place) in enumerate(places)
        if not (n % 2 and mood == "partial")
    ]
    if layout == "legacy" and len(items) > _STRAY_AFTER:
        items.insert(_STRAY_AFTER, rows.STRAY)
    return "".join(items)


def _row(shelf: Shelf, product: Product, place: str | None, layout: str, *, is_bare: bool) -> str:
    return rows.bare(product) if is_bare else rows.kept(shelf, product, layout, place)


def _summary(shelf: Shelf, first: int, shown: int, total: int) -> str:
    locale = locale_of(shelf.marketplace)
    if not shown:
        return f'<h2 class="bc-heading">{locale.no_results}</h2>'
    said = locale.results.format(first + 1, first + shown, f"{total:,}")
    return f'<span class="bc-text resultsSummarySubheading">{said}</span>'


def _others(shelf: Shelf, series: Series) -> str:
    """Series that have nothing to do with this one."""
    others = [each for each in list(shelf.series.values()) if each.asin != series.asin][:3]
    tiles = "".join(
        f'<adbl-product-grid-item><div class="adbl-impression-emitted" data-asin="{each.asin}">'
        f'</div><adbl-metadata slot="title"><a href="{series_url(each)}">{escape(each.title)}</a>'
        "</adbl-metadata></adbl-product-grid-item>"
        for each in others
    )
    return f'<adbl-product-carousel id="SeriestoSeries">{tiles}</adbl-product-carousel>'
