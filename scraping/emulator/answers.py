"""The emulated store's answers to questions about its shelves: pure, in the real one's shapes.

Every function returns (status, JSON object). What the store does not know is left out.
"""

import datetime as dt
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from catalog.marketplaces import MARKETPLACES
from catalog.normalise import fold, words
from scraping.emulator.catalogue import Person, Product, Series, Shelf

Reply = tuple[int, dict[str, Any]]

_LARGEST_PAGE = 50
_LAST_PAGE = 9  # later ones repeat it
_NO_DATE = "2200-01-01"


class Refusal(Exception):  # noqa: N818 (an answer, not a fault)
    """The store's words for a question it does not take."""


def listing(shelf: Shelf, question: Mapping[str, str]) -> Reply:
    """A page of products, or the batch named by `asins`."""
    try:
        groups = _groups(question)
        if "asins" in question:
            asins = question["asins"].split(",")
            if len(asins) > _LARGEST_PAGE:
                raise Refusal(_invalid(question["asins"], "asins", "have at most 50 members"))
            return 200, _answer(groups, products=[_record(shelf, asin, groups) for asin in asins])
        return 200, _page(shelf, question, groups)
    except Refusal as refusal:
        return 400, {"message": str(refusal)}


def single(shelf: Shelf, asin: str, question: Mapping[str, str]) -> Reply:
    """One product, or the stub that stands for "not here"."""
    try:
        groups = _groups(question)
    except Refusal as refusal:
        return 400, {"message": str(refusal)}
    return 200, _answer(groups, product=_record(shelf, asin, groups))


def _page(shelf: Shelf, question: Mapping[str, str], groups: list[str]) -> dict[str, Any]:
    size = _number(question, "num_results", default=10, highest=_LARGEST_PAGE)
    page = min(_number(question, "page", default=0, highest=10_000), _LAST_PAGE)
    found = _sorted(_matching(shelf, question), question.get("products_sort_by", "Relevance"))
    shown = found[page * size : (page + 1) * size]
    return _answer(
        groups,
        products=[_record(shelf, product.asin, groups) for product in shown],
        total_results=len(found) + len(found) // 5,  # overstated, as the real one's
        product_filters=[],
    )


def _answer(groups: Iterable[str], **content: Any) -> dict[str, Any]:
    return {**content, "response_groups": ["always-returned", *groups]}


def _groups(question: Mapping[str, str]) -> list[str]:
    groups = [each for each in question.get("response_groups", "").split(",") if each]
    unknown = [each for each in groups if each not in _GROUPS]
    if unknown:
        raise Refusal(f"Invalid response group(s) requested: {', '.join(unknown)}")
    return groups


def _number(question: Mapping[str, str], name: str, *, default: int, highest: int) -> int:
    given = question.get(name, str(default))
    if not (given.isascii() and given.isdigit()):
        raise Refusal(_invalid(given, name, "satisfy regular expression pattern: ^\\d+$"))
    if int(given[:9]) > highest:
        limit = f"have value less than or equal to {highest}"
        raise Refusal(_invalid(given, name, limit))
    return int(given)


def _invalid(value: str, name: str, rule: str) -> str:
    first, *rest = name.split("_")
    camel = first + "".join(word.capitalize() for word in rest)
    return (
        f"1 validation error detected: Value '{value}' at '{camel}' failed to satisfy constraint: "
        f"Member must {rule}"
    )


def _matching(shelf: Shelf, question: Mapping[str, str]) -> list[Product]:
    """On sale and matching every word asked for; parameters that are unknown change nothing."""
    found = shelf.on_sale()
    for parameter, texts in _SEARCHED.items():
        if parameter in question:
            wanted = set(words(question[parameter]))
            found = [each for each in found if wanted <= set(words(" ".join(texts(each))))]
    if "author" in question:
        found = [each for each in found if _is_by(each, question["author"])]
    return found


def _is_by(product: Product, name: str) -> bool:
    """Fuzzy, as the real one: a shared family name will do."""
    family = fold(name).split()[-1:]
    return bool(family) and any(family[0] in fold(each.name).split() for each in product.authors)


def _names(people: Iterable[Person]) -> list[str]:
    return [each.name for each in people]


_SEARCHED: dict[str, Callable[[Product], list[str]]] = {
    "title": lambda product: [product.title, product.subtitle or ""],
    "narrator": lambda product: _names(product.narrators),
    "publisher": lambda product: [product.publisher],
    "keywords": lambda product: [
        product.title,
        product.subtitle or "",
        *_names(product.authors),
        *_names(product.narrators),
    ],
}
_SORTS: dict[str, tuple[Callable[[Product], Any], bool]] = {
    "Title": (lambda product: product.title, False),
    "-Title": (lambda product: product.title, True),
    "ReleaseDate": (lambda product: (product.release_date, product.asin), False),
    "-ReleaseDate": (lambda product: (product.release_date, product.asin), True),
}
_AS_RELEVANCE = ("Relevance", "ProductSiteLaunchDate", "RuntimeLength", "AvgRating", "BestSellers")


def _sorted(products: list[Product], order: str) -> list[Product]:
    if order in _AS_RELEVANCE:
        return products
    if order not in _SORTS:
        allowed = ", ".join((*_AS_RELEVANCE, *_SORTS))
        raise Refusal(_invalid(order, "products_sort_by", f"satisfy enum value set: [{allowed}]"))
    key, backwards = _SORTS[order]
    return sorted(products, key=key, reverse=backwards)


def _record(shelf: Shelf, asin: str, groups: Iterable[str]) -> dict[str, Any]:
    """What the groups asked for say of this ASIN; nothing where it is unknown or withdrawn."""
    record: dict[str, Any] = {"asin": asin, "asset_details": [], "is_vvab": False}
    product, series = shelf.products.get(asin), shelf.series.get(asin)
    for group in groups:
        if series:
            record |= _series_object(series) if group in _SERIES_GROUPS else {}
        elif product and not product.is_withdrawn:
            record |= _GROUPS[group](shelf, product)
    return {name: value for name, value in record.items() if value not in (None, "")}


def _contributors(_shelf: Shelf, product: Product) -> dict[str, Any]:
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


def _description(_shelf: Shelf, product: Product) -> dict[str, Any]:
    summary = product.summary
    return {
        "title": product.title,
        "subtitle": product.subtitle,
        "publisher_summary": summary,
        "merchandising_summary": f"{summary[:60]}…" if summary else None,
    }


def _attributes(_shelf: Shelf, product: Product) -> dict[str, Any]:
    day = product.release_date.isoformat()
    return {
        "title": product.title,
        "subtitle": product.subtitle,
        "language": product.language,
        "release_date": day,
        "issue_date": day,
        "publication_datetime": _utc(_on_sale_at(product)),
        "runtime_length_min": product.runtime_minutes,
        "format_type": product.format_type,
        "content_type": product.content_type,
        "content_delivery_type": product.delivery_type,
        "is_adult_product": False,
        "is_listenable": product.runtime_minutes is not None,
        "has_children": False,
        "sku": product.sku,
        "sku_lite": product.sku,
    }


def _on_sale_at(product: Product) -> dt.datetime:
    """Midnight at the store, or 01:00 UTC where that would be another day."""
    zone = MARKETPLACES[product.marketplace].zone
    midnight = dt.datetime.combine(product.release_date, dt.time(), tzinfo=zone)
    early = dt.datetime.combine(product.release_date, dt.time(1), tzinfo=dt.UTC)
    local = midnight.astimezone(dt.UTC)
    return local if local.date() == product.release_date else early


def _utc(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _extended(_shelf: Shelf, product: Product) -> dict[str, Any]:
    return {
        "isbn": product.isbn,
        "date_first_available": product.release_date.isoformat(),
        "product_site_launch_date": _utc(product.launched_at),
    }


def _media(_shelf: Shelf, product: Product) -> dict[str, Any]:
    if not product.has_cover:
        return {}
    url = f"https://covers.example/{product.asin}"
    return {"product_images": {"500": f"{url}._SL500_.jpg", "1024": f"{url}._SL1024_.jpg"}}


def _series(shelf: Shelf, product: Product) -> dict[str, Any]:
    places = [
        {"asin": each.asin, "title": each.title, "sequence": place or "", "url": _url(each)}
        for each, place in shelf.series_of(product.asin)
    ]
    return {"series": places or None}


def _relationships(shelf: Shelf, product: Product) -> dict[str, Any]:
    relations = [
        {
            "asin": each.asin,
            "content_delivery_type": "BookSeries",
            "relationship_to_product": "parent",
            "relationship_type": "series",
            "sequence": place or "",
            "sort": "1",
            "title": each.title,
            "url": _url(each),
        }
        for each, place in shelf.series_of(product.asin)
    ]
    return {"relationships": relations or None}


def _url(series: Series) -> str:
    return f"/pd/{fold(series.title).replace(' ', '-')}-Audiobook/{series.asin}"


def _ladders(_shelf: Shelf, product: Product) -> dict[str, Any]:
    genre_id, name = product.genre
    return {"category_ladders": [{"ladder": [{"id": genre_id, "name": name}], "root": "Genres"}]}


def _price(_shelf: Shelf, product: Product) -> dict[str, Any]:
    money = {
        "base": struct.unpack("f", struct.pack("f", 29.99))[0],  # the real one's prices are noisy
        "currency_code": MARKETPLACES[product.marketplace].currency,
        "type": "list",
    }
    return {"price": {"credit_price": 1.0, "list_price": money, "lowest_price": money}}


def _rating(_shelf: Shelf, _product: Product) -> dict[str, Any]:
    unrated = {"display_average_rating": "0.0", "num_ratings": 0}
    return {"rating": {"num_reviews": 0, "overall_distribution": unrated}}


def _details(_shelf: Shelf, _product: Product) -> dict[str, Any]:
    return {"read_along_support": "false", "is_pdf_url_available": False}


def _nothing(_shelf: Shelf, _product: Product) -> dict[str, Any]:
    return {}


_GROUPS: dict[str, Callable[[Shelf, Product], dict[str, Any]]] = {
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
}
_SERIES_GROUPS = ("product_attrs", "product_desc", "relationships")


def _series_object(series: Series) -> dict[str, Any]:
    """The placeholder that stands for a whole series; withdrawn titles stay among its children."""
    children = [
        {
            "asin": asin,
            "relationship_to_product": "child",
            "relationship_type": "series",
            "sort": str(number),
            **({"sequence": sequence} if sequence else {}),
        }
        for number, (asin, sequence) in enumerate(list(series.children.items()), start=1)
    ]
    return {
        "title": series.title,
        "content_delivery_type": "BookSeries",
        "content_type": "Product",
        "issue_date": _NO_DATE,
        "release_date": _NO_DATE,
        "publication_datetime": f"{_NO_DATE}T00:00:00Z",
        "publisher_name": "ZZZ - Series Placeholder",
        "sku": f"SE_RIES_{series.asin}",
        "relationships": children,
    }
