"""Whole pages of the site: lists, series, products."""

import dataclasses
import re
from collections.abc import Sequence

from catalog.listing import Listing, SeriesPlace
from catalog.normalise import clean
from scraping.pages import Page, UnreadableAnswerError
from scraping.site.cutting import Cuts, Piece, cut
from scraping.site.labels import count_in
from scraping.site.links import series_asin, series_title
from scraping.site.product_page import read_product
from scraping.site.rows import linked_series, place_in, position_in_series, read_row

_NUMBER = re.compile(r"\d+")


def parse(body: bytes, marketplace: str, *, series: str | None = None) -> Page:
    """The page that an answer's body holds; `series` is the ASIN where a series was asked for.

    Raises UnreadableAnswerError where this is no whole page of the store, or one that says it
    lists something but shows nothing that can be read. A list may be empty.
    """
    cuts = cut(body)
    if cuts.product is not None:
        return _of_one(cuts, cuts.product, marketplace)
    total = count_in(clean(cuts.count))
    listings = tuple(_listings(cuts, marketplace, series))
    if not listings and (cuts.rows or total):
        raise UnreadableAnswerError(f"a list of {total or len(cuts.rows)} without a readable row")
    return Page(listings=listings, raw_count=len(cuts.rows), total_results=total)


def _of_one(cuts: Cuts, piece: Piece, marketplace: str) -> Page:
    found = read_product(cuts, piece, marketplace)
    if found is None:
        raise UnreadableAnswerError("a product page without a product")
    return Page(listings=(found,), raw_count=1)


def _listings(cuts: Cuts, marketplace: str, series: str | None) -> Sequence[Listing]:
    """Each ASIN once, in order, with its place in the series where this is a series page."""
    page_of = _series_of(cuts, series)
    listings: dict[str, Listing] = {}
    for piece in cuts.rows:
        found = read_row(piece, marketplace)
        if found is None:
            continue
        if page_of and not found.series:
            found = dataclasses.replace(found, series=place_in(page_of, piece))
        listings.setdefault(found.asin, found)
    return [*listings.values()]


def _series_of(cuts: Cuts, asked: str | None) -> SeriesPlace | None:
    """The series that the page is about: as asked, as it says, or as all its buttons agree.

    Its title is the page's heading; on a page cut out of its frame, what the address says of it.
    """
    named = asked or series_asin(cuts.address)
    linked = {asin: title for piece in cuts.rows for asin, title in linked_series(piece).items()}
    title = clean(cuts.heading)
    if named:
        spelt = title or series_title(cuts.address) or linked.get(named, "")
        return SeriesPlace(named, spelt, None)
    if _is_search(cuts):
        return None
    if len(linked) == 1:
        ((asin, spelt),) = linked.items()
        return SeriesPlace(asin, title or spelt, None)
    if title and any(map(position_in_series, cuts.rows)):
        return SeriesPlace(None, title, None)
    return None


def _is_search(cuts: Cuts) -> bool:
    """Whether its rows name their own series, or are counted from one to another of many."""
    named = any(piece.soup.find(class_="seriesLabel") for piece in cuts.rows)
    return named or len(_NUMBER.findall(cuts.count)) > 1
