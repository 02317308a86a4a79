"""What the emulated store's API says of one ASIN, group by group. Pure."""

import datetime as dt
import json
import struct
import zlib
from collections.abc import Callable, Iterable
from typing import Any

from catalog.marketplaces import MARKETPLACES
from catalog.normalise import fold
from scraping.emulator import words
from scraping.emulator.catalogue import Person, Product, Series, Shelf

Record = dict[str, Any]

_NO_DATE = "2200-01-01"
_NO_DATE_YEAR = 2100  # from here on a date stands for "unknown"


def render(shelf: Shelf, asin: str, groups: tuple[str, ...]) -> str:
    """The record as JSON, kept until the title changes."""
    version = shelf.version(asin)
    kept: str | None = shelf.recall((asin, groups), version)
    if kept is None:
        text = json.dumps(record(shelf, asin, groups), ensure_ascii=False)
        kept = shelf.remember((asin, groups), version, text)
    return kept


def record(shelf: Shelf, asin: str, groups: Iterable[str]) -> Record:
    """What the groups asked for say of this ASIN; nothing where it is unknown or withdrawn."""
    said = stub(asin)
    product, series = shelf.products.get(asin), shelf.series.get(asin)
    for group in groups:
        if series:
            said |= _series_object(series) if group in _SERIES_GROUPS else {}
        elif product and not product.is_withdrawn:
            said |= GROUPS[group](shelf, product)
    return {name: value for name, value in said.items() if value not in (None, "")}


def stub(asin: str) -> Record:
    """What the store says of whatever it does not sell."""
    return {"asin": asin, "asset_details": [], "is_vvab": False}


def _chance(product: Product, nth: int) -> bool:
    """One title in `nth`, always the same ones."""
    return zlib.crc32(product.asin.encode()) % nth == 0


def _contributors(_shelf: Shelf, product: Product) -> Record:
    return {
        "authors": _people(product.authors),
        "narrators": _people(product.narrators),
        "publisher_name": product.publisher,
    }


def _people(people: Iterable[Person]) -> list[dict[str, str]] | None:
    named = [
        {"asin": each.asin, "name": each.name} if each.asin else {"name": each.name}
        for each in people
    ]
    return named or None


def _description(_shelf: Shelf, product: Product) -> Record:
    summary = product.summary
    return {
        "title": product.title,
        "subtitle": product.subtitle,
        "publisher_summary": summary,
        "merchandising_summary": f"{summary[:60]}…" if summary else None,
    }


def _attributes(_shelf: Shelf, product: Product) -> Record:
    day = product.release_date.isoformat() if product.release_date else None
    return {
        "title": product.title,
        "subtitle": product.subtitle,
        "language": product.language,
        "release_date": day,
        "issue_date": day,
        "publication_datetime": _on_sale_at(product),
        "runtime_length_min": product.runtime_minutes,
        "format_type": product.format_type,
        "content_type": product.content_type,
        "content_delivery_type": product.delivery_type,
        "is_adult_product": False,
        "is_listenable": product.runtime_minutes is not None,
        "has_children": product.delivery_type in ("MultiPartBook", "PodcastParent"),
        "sku": product.sku,
        "sku_lite": product.sku,
    }


def _on_sale_at(product: Product) -> str | None:
    """Midnight at the store, or 01:00 UTC where that would be another day."""
    day = product.release_date
    if day is None:
        return None
    if day.year >= _NO_DATE_YEAR:
        return f"{day}T00:00:00Z"
    zone = MARKETPLACES[product.marketplace].zone
    local = dt.datetime.combine(day, dt.time(), tzinfo=zone).astimezone(dt.UTC)
    early = dt.datetime.combine(day, dt.time(1), tzinfo=dt.UTC)
    return _utc(local if local.date() == day else early)


def _utc(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _extended(_shelf: Shelf, product: Product) -> Record:
    day = product.release_date
    year, authors = product.launched_at.year, ", ".join(each.name for each in product.authors)
    return {
        "isbn": product.isbn,
        "copyright": f"©{year} {authors} (P){year} {product.publisher}" if product.isbn else None,
        "date_first_available": day.isoformat() if day else None,
        "product_site_launch_date": _utc(product.launched_at),
    }


def _media(_shelf: Shelf, product: Product) -> Record:
    if not product.has_cover:
        return {}
    url = cover_url(product)
    return {"product_images": {"500": f"{url}._SL500_.jpg", "1024": f"{url}._SL1024_.jpg"}}


def cover_url(product: Product) -> str:
    """Without size and ending."""
    return f"https://covers.example/images/I/{product.asin}"


def _series(shelf: Shelf, product: Product) -> Record:
    places = [
        {"asin": each.asin, "title": each.title, "sequence": place or "", "url": series_url(each)}
        for each, place in shelf.series_of(product.asin)
    ]
    return {"series": places or None}


def _relationships(shelf: Shelf, product: Product) -> Record:
    relations = [
        {
            "asin": each.asin,
            "content_delivery_type": "BookSeries",
            "relationship_to_product": "parent",
            "relationship_type": "series",
            "sequence": place or "",
            "sort": "1",
            "title": each.title,
            "url": series_url(each),
        }
        for each, place in shelf.series_of(product.asin)
    ]
    relations += _files(product) + _episodes(shelf, product) + _podcasts(shelf, product)
    return {"relationships": relations or None}


def _files(product: Product) -> list[Record]:
    """A long book comes in several, each with an ASIN that is not for sale."""
    if product.delivery_type != "MultiPartBook":
        return []
    asins = (f"BC{zlib.crc32(f'{product.asin}/{number}'.encode()):08X}" for number in (1, 2))
    return [_child(asin, "component", number) for number, asin in enumerate(asins, start=1)]


def _episodes(shelf: Shelf, product: Product) -> list[Record]:
    if product.content_type != "Podcast":
        return []
    return [
        _child(each.asin, _relation(each), number)
        for number, each in enumerate(shelf.children_of(product.asin), start=1)
    ]


def _podcasts(shelf: Shelf, product: Product) -> list[Record]:
    above = shelf.products.get(product.parent or "")
    if above is None:
        return []
    parent = {
        "asin": above.asin,
        "content_delivery_type": above.delivery_type,
        "relationship_to_product": "parent",
        "relationship_type": _relation(product),
        "sort": "1",
        "title": above.title,
        "url": f"/podcast/{_slug(above.title)}/{above.asin}",
    }
    return [parent]


def _relation(product: Product) -> str:
    return "season" if product.delivery_type == "PodcastSeason" else "episode"


def _child(asin: str, relation: str, number: int) -> Record:
    return {
        "asin": asin,
        "relationship_to_product": "child",
        "relationship_type": relation,
        "sort": str(number),
    }


def series_url(series: Series) -> str:
    return f"/pd/{_slug(series.title)}-Audiobook/{series.asin}"


def _slug(title: str) -> str:
    return fold(title).replace(" ", "-")


def _ladders(_shelf: Shelf, product: Product) -> Record:
    ladders = [
        {"ladder": [{"id": rung, "name": name} for rung, name in words.ladder(each)]}
        for each in product.genres
    ]
    return {"category_ladders": [{**each, "root": "Genres"} for each in ladders] or None}


def _price(_shelf: Shelf, product: Product) -> Record:
    if _chance(product, 9):
        return {"price": {}}
    marketplace = MARKETPLACES[product.marketplace]
    noisy = struct.unpack("f", struct.pack("f", 29.99))[0]  # the real one's prices are
    money = {
        "base": noisy,
        "currency_code": marketplace.currency,
        "merchant_id": marketplace.id,
        "type": "list",
    }
    lowest = {**money, "type": "sale" if _chance(product, 5) else "member"}
    return {"price": {"credit_price": 1.0, "list_price": money, "lowest_price": lowest}}


def _rating(_shelf: Shelf, product: Product) -> Record:
    rated = product.has_cover and _chance(product, 2)
    stars = {"display_average_rating": "4.5", "average_rating": 4.5, "num_ratings": 12}
    unrated = {"display_average_rating": "0.0", "average_rating": 0.0, "num_ratings": 0}
    shown = stars if rated else unrated
    names = ("overall_distribution", "performance_distribution", "story_distribution")
    return {"rating": {"num_reviews": 3 if rated else 0, **dict.fromkeys(names, shown)}}


def _details(_shelf: Shelf, _product: Product) -> Record:
    return {"read_along_support": "false", "is_pdf_url_available": False}


def _nothing(_shelf: Shelf, _product: Product) -> Record:
    return {}


GROUPS: dict[str, Callable[[Shelf, Product], Record]] = {
    "contributors": _contributors,
    "product_attrs": _attributes,
    "product_desc": _description,
    "product_extended_attrs": _extended,
    "media": _media,
    "series": _series,
    "relationships": _relationships,
    "category_ladders": _ladders,
    "price": _price,
    "rating": _rating,
    "product_details": _details,
    **dict.fromkeys(
        ("product_plans", "product_plan_details", "sample", "sku", "rights", "customer_rights"),
        _nothing,
    ),
    **dict.fromkeys(("reviews", "review_attrs", "claim_code_url", "provided_review"), _nothing),
    "goodreads_ratings": _nothing,
}
_SERIES_GROUPS = ("product_attrs", "product_desc", "relationships")


def _series_object(series: Series) -> Record:
    """The placeholder that stands for a whole series; withdrawn titles stay among its children."""
    children = [
        {**_child(asin, "series", number), **({"sequence": sequence} if sequence else {})}
        for number, (asin, sequence) in enumerate(list(series.children.items()), start=1)
    ]
    sku = f"SE_RIES_{zlib.crc32(series.asin.encode()) % 1_000_000:06d}"
    return {
        "title": series.title,
        "content_delivery_type": "BookSeries",
        "content_type": "Product",
        "format_type": "unabridged",
        "has_children": False,
        "is_adult_product": False,
        "issue_date": _NO_DATE,
        "release_date": _NO_DATE,
        "publication_datetime": f"{_NO_DATE}T00:00:00Z",
        "product_site_launch_date": f"{_NO_DATE}T00:00:00Z",
        "publisher_name": "ZZZ - Series Advisor Placeholder",
        "sku": sku,
        "sku_lite": sku,
        "relationships": children,
    }
