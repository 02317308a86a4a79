"""What all of the emulated pages are made of: addresses, links, the frame around them."""

import json
from collections.abc import Iterable
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

from scraping.emulator import words
from scraping.emulator.catalogue import Person, Product, Series
from scraping.emulator.site.locales import Locale

_SPAN = '<span class="bc-text bc-size-small bc-color-secondary">'
_QUERY = "?ref_pageloadid=not_applicable&ref=a_search_c3_lProduct_1_1"
# The real one's robot check says little more.
ROBOT_CHECK = (
    "<!doctype html><html><head><title>Robot Check</title></head><body>"
    "<h4>Enter the characters you see below</h4>"
    '<form method="get" action="/errors/validateCaptcha"><input name="field-keywords"></form>'
    "</body></html>"
)
BUSY = "<html><body><h1>Service busy</h1></body></html>"


def frame(title: str, body: str, *, address: str = "") -> str:
    """A page of the store around `body`."""
    canonical = f'<link rel="canonical" href="{escape(address)}">' if address else ""
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'{canonical}</head><body class="bc-seo"><div class="adbl-page desktop">'
        f'<div id="center-1">{body}</div></div></body></html>'
    )


def missing_page() -> str:
    """What stands at an address that leads nowhere."""
    sorry = '<h1 class="bc-heading">Looking for something?</h1><p>This page does not exist.</p>'
    return frame("Page not found", sorry)


def product_url(product: Product) -> str:
    kind = "Podcast" if product.content_type == "Podcast" else "Audiobook"
    return f"/pd/{_slug(product.title)}-{kind}/{product.asin}"


def series_url(series: Series) -> str:
    return f"/series/{_slug(series.title)}-Audiobooks/{series.asin}"


def author_url(person: Person) -> str:
    """Their page, or a search for those who have none."""
    if person.asin:
        return f"/author/{_slug(person.name)}/{person.asin}"
    return f"/search?searchAuthor={quote_plus(person.name)}"


def narrator_url(person: Person) -> str:
    return f"/search?searchNarrator={quote_plus(person.name)}"


def publisher_url(name: str) -> str:
    return f"/search?searchProvider={quote_plus(name)}"


def category_links(product: Product) -> list[tuple[str, str]]:
    """(name, address) of the categories that the page names, from the top down."""
    rungs = words.ladder(product.genres[0]) if product.genres else []
    return [(name, f"/cat/{_slug(name)}-Audiobooks/{rung}") for rung, name in rungs]


def link(text: str, address: str) -> str:
    tracked = address + ("&ref=a_search" if "?" in address else _QUERY)
    return (
        f'<a class="bc-link bc-color-link" tabindex="0" href="{escape(tracked)}">{escape(text)}</a>'
    )


def player(product: Product) -> str:
    """The button that plays it, which knows what it plays."""
    return (
        f'<button type="button" name="playButton" asin="{product.asin}"'
        f' contenttype="{product.content_type}" contentdeliverytype="{product.delivery_type}">'
        "</button>"
    )


def label(name: str, content: str) -> str:
    """One labelled line, of markup."""
    return f'<li class="bc-list-item {name}">{_SPAN}{content}</span></li>'


def people_label(name: str, pattern: str, people: Iterable[tuple[str, str]]) -> str:
    """The line of those who wrote or read it, if any, as (name, address)."""
    links = ", ".join(link(*each) for each in people)
    return label(name, pattern.format(links)) if links else ""


def embedded(data: Any, kind: str = "application/json") -> str:
    """JSON as pages carry it."""
    text = json.dumps(data, ensure_ascii=False).replace("</", "<\\/")
    return f'<script type="{kind}">{text}</script>'


def series_label(locale: Locale, places: Iterable[tuple[Series, str | None]]) -> str:
    """The line that says where it stands in its series."""
    said = []
    for series, sequence in places:
        place = f", {escape(locale.book.format(sequence))}" if sequence else ""
        said.append(link(series.title, series_url(series)) + place)
    return label("seriesLabel", locale.series.format(", ".join(said))) if said else ""


def _slug(text: str) -> str:
    return quote("-".join("".join(c if c.isalnum() else " " for c in text).split()))
