"""The emulated page about one title: linked data first, then what people read."""

from html import escape
from typing import Any

from catalog.marketplaces import MARKETPLACES
from scraping.emulator.catalogue import Product, Shelf
from scraping.emulator.records import cover_url
from scraping.emulator.site.locales import (
    locale_of,
    say_day,
    say_format,
    say_language,
    say_runtime,
)
from scraping.emulator.site.markup import (
    author_url,
    category_links,
    embedded,
    frame,
    label,
    narrator_url,
    people_label,
    player,
    product_url,
    publisher_url,
    series_label,
    series_url,
)
from scraping.emulator.site.rows import metadata

_SCHEMA = "http://schema.org"
_KINDS = {
    "PodcastParent": "PodcastSeries",
    "PodcastSeason": "PodcastSeason",
    "PodcastEpisode": "PodcastEpisode",
}
_PEOPLE = ("authors", "narrators")


def product_page(shelf: Shelf, product: Product, layout: str) -> str:
    """In the layout "legacy" with labels, in any other with embedded metadata."""
    shown = _labelled(shelf, product) if layout == "legacy" else _embedded(shelf, product)
    ld = "application/ld+json"
    linked = embedded(_audiobook(product), ld) + embedded([_product(product)], ld)
    address = f"https://www.{MARKETPLACES[product.marketplace].site}{product_url(product)}"
    return frame(f"{product.title} Audiobook", linked + shown + player(product), address=address)


def _audiobook(product: Product) -> list[dict[str, Any]]:
    """What is unknown is left out; whether it is cut short is text."""
    is_original = product.format_type == "original_recording"
    hours, minutes = divmod(product.runtime_minutes or 0, 60)
    said = {
        "@context": _SCHEMA,
        "@type": _KINDS.get(product.delivery_type, "Audiobook"),
        "bookFormat": "AudiobookFormat",
        "name": product.title,
        "description": product.summary,
        "image": f"{cover_url(product)}._SL500_.jpg" if product.has_cover else None,
        "abridged": None if is_original else str(product.format_type == "abridged").lower(),
        "author": [{"@type": "Person", "name": each.name} for each in product.authors],
        "readBy": [{"@type": "Person", "name": each.name} for each in product.narrators],
        "publisher": product.publisher,
        "datePublished": product.release_date and product.release_date.isoformat(),
        "inLanguage": product.language,
        "duration": f"PT{hours}H{minutes}M" if product.runtime_minutes else None,
        "offers": _offer(product),
    }
    known = {name: value for name, value in said.items() if value}
    return [known, _breadcrumbs(product)]


def _product(product: Product) -> dict[str, Any]:
    said = {
        "@context": _SCHEMA,
        "@type": "Product",
        "additionalType": "http://www.productontology.org/id/Audiobook",
        "productID": product.asin,
        "name": product.title,
        "image": f"{cover_url(product)}._SL500_.jpg" if product.has_cover else None,
        "sku": product.sku,
        "brand": product.publisher,
        "offers": _offer(product),
    }
    return {name: value for name, value in said.items() if value}


def _offer(product: Product) -> dict[str, str]:
    return {
        "@type": "Offer",
        "availability": "http://schema.org/InStock",
        "price": "29.99",
        "priceCurrency": MARKETPLACES[product.marketplace].currency,
    }


def _breadcrumbs(product: Product) -> dict[str, Any]:
    steps = [("Home", "/"), *category_links(product)]
    items = [
        {"@type": "ListItem", "position": number, "item": {"@id": address, "name": name}}
        for number, (name, address) in enumerate(steps, start=1)
    ]
    return {"@context": _SCHEMA, "@type": "BreadcrumbList", "itemListElement": items}


def _labelled(shelf: Shelf, product: Product) -> str:
    locale = locale_of(shelf.marketplace)
    authors = [(each.name, author_url(each)) for each in product.authors]
    narrators = [(each.name, narrator_url(each)) for each in product.narrators]
    lines = [
        people_label("authorLabel", locale.author, authors),
        people_label("narratorLabel", locale.narrator, narrators),
        series_label(locale, shelf.series_of(product.asin)),
        _line("runtimeLabel", locale.runtime, _runtime(shelf, product)),
        f'<li class="bc-list-item format">{say_format(locale, product.format_type)}</li>',
        _line("releaseDateLabel", locale.release_date, _day(shelf, product)),
        _line("languageLabel", locale.language, _language(shelf, product)),
        people_label("publisherLabel", locale.publisher, _publisher(product)),
        people_label("categoriesLabel", locale.categories, category_links(product)),
    ]
    subtitle = product.subtitle or ""
    return (
        f'<ul class="bc-list"><li class="bc-list-item"><h1 class="bc-heading bc-text-bold">'
        f'{escape(product.title)}</h1></li><li class="bc-list-item"><span class="bc-text">'
        f"{escape(subtitle)}</span></li>{''.join(lines)}</ul>"
        f'<div class="bc-container productPublisherSummary"><span class="bc-text">'
        f"{product.summary or ''}</span></div>"
    )


def _embedded(shelf: Shelf, product: Product) -> str:
    """The metadata comes in two pieces: people, then everything else."""
    facts = metadata(shelf, product)
    people = {name: facts[name] for name in _PEOPLE if name in facts}
    rest: dict[str, Any] = {k: value for k, value in facts.items() if k not in _PEOPLE}
    locale = locale_of(shelf.marketplace)
    rest["format"] = f"{say_format(locale, product.format_type)} Audiobook"
    for name, url in _publisher(product):
        rest["publisher"] = {"name": name, "url": url}
    rest["categories"] = [{"name": name, "url": url} for name, url in category_links(product)]
    rest["series"] = [
        {"name": series.title, "url": series_url(series)}
        | ({"part": locale.book.format(place)} if place else {})
        for series, place in shelf.series_of(product.asin)
    ]
    slot = '<adbl-product-metadata class="product-metadata" slot="metadata">'
    pieces = "".join(f"{slot}{embedded(each)}</adbl-product-metadata>" for each in (people, rest))
    subtitle = f'<h2 slot="subtitle">{escape(product.subtitle)}</h2>' if product.subtitle else ""
    return (
        f'<adbl-product-hero><adbl-title-lockup slot="title-lockup"><h1 slot="title">'
        f"{escape(product.title)}</h1>{subtitle}</adbl-title-lockup>{pieces}</adbl-product-hero>"
        f'<adbl-text-block slot="summary">{product.summary or ""}</adbl-text-block>'
    )


def _line(name: str, pattern: str, said: str | None) -> str:
    return label(name, pattern.format(said)) if said else ""


def _runtime(shelf: Shelf, product: Product) -> str | None:
    minutes = product.runtime_minutes
    return say_runtime(locale_of(shelf.marketplace), minutes) if minutes else None


def _language(shelf: Shelf, product: Product) -> str | None:
    language = product.language
    return say_language(locale_of(shelf.marketplace), language) if language else None


def _day(shelf: Shelf, product: Product) -> str | None:
    return say_day(shelf.marketplace, product.release_date) if product.release_date else None


def _publisher(product: Product) -> list[tuple[str, str]]:
    return [(product.publisher, publisher_url(product.publisher))] if product.publisher else []
