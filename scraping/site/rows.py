"""A row of a list: of a search, an author, a series in both its forms, or a library."""

import html
from typing import Any

from bs4 import BeautifulSoup, Tag

from catalog.listing import Listing, SeriesPlace
from scraping import fields
from scraping.site.cutting import Piece, read_json
from scraping.site.facts import Facts, from_metadata, labelled, listing, merged
from scraping.site.labels import format_in, sequence_in
from scraping.site.links import is_podcast, product_asin, series_asin, series_title

_LABELS = ("author", "narrator", "series", "runtime", "releaseDate", "language", "publisher")
_METADATA = frozenset({"authors", "narrators", "duration", "releaseDate", "language", "series"})
_ROW_ID = "product-list-item-"
_LIBRARY_ROW_ID = "adbl-library-content-row-"


def read_row(piece: Piece, marketplace: str) -> Listing | None:
    """What a row lists; None where it names no ASIN, or nothing but one."""
    row = piece.soup
    flyout = _take_flyout(row)
    asin = row_asin(row)
    if asin is None:
        return None
    labels = {name: label for name in _LABELS if (label := row.find(class_=f"{name}Label"))}
    record = _metadata(row)
    facts = merged(
        {"title": _title(row), "subtitle": _subtitle(row), "cover_url": cover(row)},
        *(labelled(name, label, marketplace) for name, label in labels.items()),
        from_metadata(record, marketplace),
        {"format_type": flyout and format_in(flyout)},
        kind_of(piece, asin),
    )
    raw: dict[str, Any] = {
        f"{name}Label": fields.text(labels[name].get_text(" ")) for name in labels
    }
    return listing(merged(facts, {"raw": raw}), asin, marketplace)


def row_asin(row: BeautifulSoup) -> str | None:
    """By the row's own id, the address of its page, or a button's."""
    for node in row.find_all(id=True, limit=5):
        name = str(node.get("id"))
        if name.startswith((_ROW_ID, _LIBRARY_ROW_ID)):
            return fields.asin(name.rsplit("-", 1)[1])
    addresses = (str(link.get("href")) for link in row.find_all("a", href=True))
    if asin := next(filter(None, map(product_asin, addresses)), None):
        return asin
    named = row.select_one("[data-asin]")
    return fields.asin(named.get("data-asin")) if named else None


def position_in_series(piece: Piece) -> str | None:
    """The place that a series page puts above a row: "1-3" of "Book 1-3".

    A bare number there is a rank.
    """
    row = piece.soup.select_one("adbl-product-row[series-header]")
    headings = [heading.get_text(" ") for heading in piece.soup.find_all("h2")]
    if row:
        headings.insert(0, str(row.get("series-header")))
    for text in headings:
        place = sequence_in(text)
        if place and place[0].isdigit() and place != fields.text(text):
            return place
    return None


def place_in(series: SeriesPlace, piece: Piece) -> tuple[SeriesPlace, ...]:
    """Where in the series of its page a row stands."""
    return (SeriesPlace(series.asin, series.title, position_in_series(piece)),)


def linked_series(piece: Piece) -> dict[str, str]:
    """The series that a row's buttons lead to: their ASINs, and the titles in the addresses."""
    found = ((series_asin(link), series_title(link)) for link in piece.series_links)
    return {asin: title for asin, title in found if asin}


def kind_of(piece: Piece, asin: str) -> Facts:
    """As its buttons say; else an address may at least say that it is a podcast."""
    for player in piece.players:
        if player["asin"] == asin:
            return {
                "content_type": fields.text(player["content_type"]),
                "delivery_type": fields.text(player["delivery_type"]),
            }
    links = (str(link.get("href")) for link in piece.soup.find_all("a", href=True))
    own = (link for link in links if product_asin(link) == asin)
    return {"content_type": "Podcast"} if any(map(is_podcast, own)) else _hidden_kind(piece.soup)


def _hidden_kind(soup: BeautifulSoup) -> Facts:
    """As the rows of a library say it in fields that nobody sees."""
    names = {"content_type": "contentType", "delivery_type": "contentDeliveryType"}
    found = {key: soup.find("input", attrs={"name": name}) for key, name in names.items()}
    return {key: fields.text(field.get("value")) for key, field in found.items() if field}


def cover(soup: BeautifulSoup) -> str | None:
    """The first picture that is no placeholder."""
    for picture in soup.find_all("img", src=True):
        address = str(picture.get("src"))
        if address.startswith(("https://", "http://")) and "/images/I/" in address:
            return fields.text(address)
    return None


def _take_flyout(row: BeautifulSoup) -> str | None:
    """The text of the pop-up, out of the row: it repeats the row, shortened, but for the format."""
    flyout = row.find(class_="bc-popover")
    if flyout is None:
        return None
    lines = [line.get_text(" ") for line in flyout.find_all("li", limit=12)]
    for each in row.find_all(class_="bc-popover"):
        each.extract()
    return next((line for line in lines if ":" not in line and format_in(line)), None)


def _title(row: BeautifulSoup) -> str | None:
    """Not of the heading above the row, which counts; names come escaped twice at times."""
    item = row.select_one("li.productListItem[aria-label]")
    texts = [
        *(node.get_text() for node in row.select("[slot=title], h3 a[href]")),
        str(item.get("aria-label")) if item else "",
        *(link.get_text() for link in row.find_all("a", href=True) if _leads_to_product(link)),
        *(node.get_text() for node in row.select("h3:not(.bc-pub-offscreen), h1")),
    ]
    return next(filter(None, (fields.text(html.unescape(text)) for text in texts)), None)


def _leads_to_product(link: Tag) -> bool:
    return product_asin(str(link.get("href"))) is not None


def _subtitle(row: BeautifulSoup) -> str | None:
    found = row.select_one("[slot=subtitle], li.subtitle")
    return fields.text(html.unescape(found.get_text())) if found else None


def _metadata(row: BeautifulSoup) -> Facts:
    """The JSON that describes the product; other scripts of a row are about its buttons."""
    for script in row.find_all("script"):
        record = read_json(script.string or "")
        if isinstance(record, dict) and not _METADATA.isdisjoint(record):
            return record
    return {}
