"""One title as a row of a list, in both layouts that the real pages come in."""

from collections.abc import Callable
from html import escape
from typing import Any

from scraping.emulator.catalogue import Product, Shelf
from scraping.emulator.records import cover_url
from scraping.emulator.site.locales import (
    Locale,
    locale_of,
    say_day,
    say_format,
    say_language,
    say_runtime,
)
from scraping.emulator.site.markup import (
    author_url,
    embedded,
    label,
    link,
    narrator_url,
    people_label,
    player,
    product_url,
    series_label,
)

Row = Callable[[Shelf, Product, str | None], str]
# An advertisement between the rows: no title, no ASIN, nothing to learn.
STRAY = '<li class="bc-list-item productListItem"><div class="adbl-promo">Try it free</div></li>'


def kept(shelf: Shelf, product: Product, layout: str, place: str | None = None) -> str:
    """The row, kept until the title changes. `place`: in the series that the list is of."""
    key, version = (product.asin, layout, place), shelf.version(product.asin)
    row: str | None = shelf.recall(key, version)
    if row is None:
        row = shelf.remember(key, version, LAYOUTS[layout](shelf, product, place))
    return row


def bare(product: Product) -> str:
    """A row that names its title and says nothing of it, as podcasts' do."""
    return _item(product, "")


def _legacy(shelf: Shelf, product: Product, place: str | None) -> str:
    if product.content_type == "Podcast":
        return bare(product)
    locale = locale_of(shelf.marketplace)
    labels = _labels(shelf, product, locale)
    if place is None:
        return _item(product, labels, "", locale)
    heading = f'<h2 class="bc-heading bc-size-medium">{locale.book.format(place)}</h2>'
    return _item(product, labels, heading + player(product), locale)


def _item(product: Product, labels: str, heading: str = "", locale: Locale | None = None) -> str:
    asin, address, title = product.asin, product_url(product), escape(product.title)
    subtitle = ""
    if product.subtitle and labels:
        said = f'<span class="bc-text bc-size-base">{escape(product.subtitle)}</span>'
        subtitle = f'<li class="bc-list-item subtitle">{said}</li>'
    shown = say_format(locale, product.format_type) if locale else ""
    return (
        f'<li class="bc-list-item productListItem" id="product-list-item-{asin}"'
        f' aria-label="{title}">{heading}'
        f'<a class="bc-link" href="{escape(address)}"><div class="adbl-asin-impression"'
        f' data-asin="{asin}" data-url="{escape(address)}">{_picture(product)}</div></a>'
        f'<div id="product-list-flyout-{asin}" class="bc-popover bc-hidden"><ul class="bc-list">'
        f'<li class="bc-list-item"><h2 class="bc-heading bc-text-bold">{title}</h2></li>'
        f'<li class="bc-list-item">{shown}</li></ul></div>'
        f'<ul class="bc-list"><li class="bc-list-item">'
        f'<h3 class="bc-heading bc-color-link">{link(product.title, address)}</h3></li>'
        f"{subtitle}{labels}</ul></li>"
    )


def _labels(shelf: Shelf, product: Product, locale: Locale) -> str:
    lines = [
        people_label("authorLabel", locale.author, _authors(product)),
        people_label("narratorLabel", locale.narrator, _narrators(product)),
        series_label(locale, shelf.series_of(product.asin)),
    ]
    if product.runtime_minutes:
        said = say_runtime(locale, product.runtime_minutes)
        lines.append(label("runtimeLabel", locale.runtime.format(said)))
    if product.release_date:
        said = say_day(shelf.marketplace, product.release_date)
        lines.append(label("releaseDateLabel", locale.release_date.format(said)))
    if product.language:
        said = say_language(locale, product.language)
        lines.append(label("languageLabel", locale.language.format(said)))
    lines.append(label("ratingsLabel", locale.unrated))
    return "".join(lines)


def _modern(shelf: Shelf, product: Product, place: str | None) -> str:
    facts = metadata(shelf, product)
    return _component(shelf, product, place, {"rating": {"value": 0, "count": 0}, **facts})


def _undated(shelf: Shelf, product: Product, place: str | None) -> str:
    facts = metadata(shelf, product)
    facts.pop("releaseDate", None)
    return _component(shelf, product, place, facts)


def _component(shelf: Shelf, product: Product, place: str | None, facts: dict[str, Any]) -> str:
    header = locale_of(shelf.marketplace).book.format(place) if place else ""
    address = escape(product_url(product))
    subtitle = f'<h4 slot="subtitle">{escape(product.subtitle)}</h4>' if product.subtitle else ""
    return (
        f'<adbl-style-scope><adbl-product-row variant="catalog" series-header="{escape(header)}"'
        f' placement="base"><a href="{address}" slot="image"><adbl-product-image>'
        f"{_picture(product)}</adbl-product-image></a>"
        f'<h3 slot="title"><a href="{address}">{escape(product.title)}</a></h3>{subtitle}'
        f'<adbl-sample-button slot="sample-button" data-asin="{product.asin}">'
        f"</adbl-sample-button>{embedded(facts)}</adbl-product-row></adbl-style-scope>"
    )


def metadata(shelf: Shelf, product: Product) -> dict[str, Any]:
    """What rows and product pages embed; only what is known."""
    locale = locale_of(shelf.marketplace)
    minutes, day = product.runtime_minutes, product.release_date
    said = {
        "authors": [{"name": name, "url": address} for name, address in _authors(product)],
        "narrators": [{"name": name, "url": address} for name, address in _narrators(product)],
        "duration": say_runtime(locale, minutes) if minutes else None,
        "language": say_language(locale, product.language) if product.language else None,
        "releaseDate": say_day(shelf.marketplace, day) if day else None,
    }
    return {name: value for name, value in said.items() if value}


def _authors(product: Product) -> list[tuple[str, str]]:
    return [(each.name, author_url(each)) for each in product.authors]


def _narrators(product: Product) -> list[tuple[str, str]]:
    return [(each.name, narrator_url(each)) for each in product.narrators]


def _picture(product: Product) -> str:
    if not product.has_cover:
        return ""
    alt = f"{escape(product.title)} cover art"
    return f'<img src="{cover_url(product)}._SL500_.jpg" loading="lazy" alt="{alt}">'


LAYOUTS: dict[str, Row] = {"legacy": _legacy, "modern": _modern, "undated": _undated}
