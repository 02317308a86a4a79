"""The page about one product: its linked data first, then its metadata, then its labels."""

import html
from collections.abc import Iterator
from typing import Any

from bs4 import BeautifulSoup, Tag

from catalog.languages import language
from catalog.listing import Listing
from scraping import fields
from scraping.site.cutting import KINDS_OF_PRODUCT, Cuts, Piece, Record, type_of
from scraping.site.facts import Facts, dicts, from_metadata, genres, labelled, listing, merged
from scraping.site.labels import format_in
from scraping.site.links import is_podcast, product_asin
from scraping.site.rows import cover, kind_of
from scraping.site.runtimes import parse_minutes

_LABELS = (
    *("author", "narrator", "series", "runtime", "releaseDate", "language", "publisher"),
    "categories",
)
# `content_type` and `delivery_type` of what is no book.
_PODCASTS = {
    "PodcastSeries": ("Podcast", "PodcastParent"),
    "PodcastSeason": ("Podcast", "PodcastSeason"),
    "PodcastEpisode": ("Podcast", "PodcastEpisode"),
}


def read_product(cuts: Cuts, piece: Piece, marketplace: str) -> Listing | None:
    """What the page is about; None where it names no ASIN, or nothing but one."""
    records = {type_of(record): record for record in reversed(cuts.linked_data)}
    asin = _asin(records, cuts.address, piece)
    if asin is None:
        return None
    book = next((records[kind] for kind in KINDS_OF_PRODUCT if kind in records), {})
    facts = merged(
        _linked(book, records.get("Product", {})),
        _breadcrumbs(records.get("BreadcrumbList", {})),
        *(from_metadata(record, marketplace) for record in cuts.metadata),
        *_labels(piece.soup, marketplace),
        _shown(piece.soup),
        _linked_people(book),
        kind_of(piece, asin),
        {"content_type": "Podcast" if is_podcast(cuts.address) else None},
        {"raw": _texts(book)},
    )
    # The page says it again, with too few digits to see.
    if fields.is_placeholder(book.get("datePublished")):
        facts |= {"release_date": None, "undated": True}
    return listing(facts, asin, marketplace)


def _asin(records: dict[str, Record], address: str, piece: Piece) -> str | None:
    named = fields.asin(records.get("Product", {}).get("productID"))
    button = piece.soup.select_one("[data-asin]")
    shown = fields.asin(button.get("data-asin")) if button else None
    return named or product_asin(address) or shown


def _linked(book: Record, product: Record) -> Facts:
    """What linked data says best: the day above all, which is the same in every marketplace."""
    content_type, delivery_type = _PODCASTS.get(type_of(book), (None, None))
    summary = _text(book.get("description"))
    return {
        "title": _text(book.get("name")) or _text(product.get("name")),
        "release_date": fields.iso_date(book.get("datePublished")),
        "publisher": _text(_named(book.get("publisher"))) or _text(_named(product.get("brand"))),
        "runtime_minutes": parse_minutes(book.get("duration")),
        "language": language(_text(_named(book.get("inLanguage"))) or ""),
        "summary": fields.plain_text(summary) if summary else None,
        "cover_url": _picture(book.get("image")) or _picture(product.get("image")),
        "sku": _text(product.get("sku")),
        "isbn": _text(book.get("isbn")) or _text(product.get("isbn")),
        "content_type": content_type,
        "delivery_type": delivery_type,
    }


def _linked_people(book: Record) -> Facts:
    """What linked data says worse than the page: people without ASINs, abridged or not."""
    abridged = str(book.get("abridged", "")).lower()
    return {
        "authors": _people(book.get("author")),
        "narrators": _people(book.get("readBy")),
        "format_type": {"true": "abridged", "false": "unabridged"}.get(abridged),
    }


def _people(value: Any) -> list[tuple[str, None]]:
    entries = value if isinstance(value, list) else [value]
    return [(name, None) for each in entries if (name := _text(_named(each)))]


def _breadcrumbs(record: Record) -> Facts:
    items = (item for step in dicts(record, "itemListElement") for item in dicts(step, "item"))
    return {"genres": genres((_text(item.get("name")), item.get("@id")) for item in items)}


def _labels(soup: BeautifulSoup, marketplace: str) -> Iterator[Facts]:
    for name in _LABELS:
        if label := soup.find(class_=f"{name}Label"):
            yield labelled(name, label, marketplace)
    if form := soup.find("li", class_="format"):
        yield {"format_type": format_in(form.get_text(" "))}


def _shown(soup: BeautifulSoup) -> Facts:
    """What only the page's own text says, or says as well."""
    title, subtitle = soup.find("h1"), soup.select_one("[slot=subtitle]") or _line_above(soup)
    summary = soup.select_one("[slot=summary], .productPublisherSummary")
    return {
        "title": _text(title.get_text()) if title else None,
        "subtitle": _text(subtitle.get_text()) if subtitle else None,
        "summary": _text(summary.get_text(" ")) if summary else None,
        "cover_url": cover(soup),
    }


def _line_above(soup: BeautifulSoup) -> Tag | None:
    """The line between title and authors in a list that has no name for it."""
    label = soup.find("li", class_="authorLabel")
    above = label.find_previous_sibling("li") if label else None
    if above is None or above.find("h1") or "Label" in str(above.get("class")):
        return None
    return above


def _texts(record: Record) -> Record:
    """The short texts of a record, as they may be stored."""
    texts = {str(key): _text(value) for key, value in record.items() if key != "description"}
    return {key: value for key, value in texts.items() if value}


def _named(value: Any) -> Any:
    """A text, or the name of a record that stands for it."""
    return value.get("name") if isinstance(value, dict) else value


def _text(value: Any) -> str | None:
    return fields.text(html.unescape(value)) if isinstance(value, str) else None


def _picture(value: Any) -> str | None:
    address = _text(value.get("url") if isinstance(value, dict) else value) or ""
    return address if address.startswith(("https://", "http://")) else None
