"""The emulated store's answers against what is known of the real one's, field by field.

The same table is held against the recordings, which are not ours to ship, so that it is known to
be true; and broken records turn it red.
"""

import copy
import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from scraping.emulator.kinds import KINDS
from scraping.emulator.server import Emulator

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "audible" / "A_api"
NOW = dt.datetime(2026, 3, 8, 12, tzinfo=dt.UTC)
GROUPS = (
    "contributors,product_attrs,product_desc,product_extended_attrs,media,series,relationships,"
    "category_ladders,rating,price,product_details"
)
Record = dict[str, Any]
Check = Callable[[Any], bool]


# -- what the values are --------------------------------------------------------------------------
def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_said(value: Any) -> bool:
    """Text that says something."""
    return isinstance(value, str) and bool(value.strip())


def is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_money(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def matches(pattern: str) -> Check:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def one_of(*words: str) -> Check:
    return lambda value: value in words


def is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and dt.date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def is_moment(value: Any) -> bool:
    return (
        isinstance(value, str) and value[10:11] == "T" and is_day(value[:10]) and value[-1] == "Z"
    )


def many(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def shaped(needed: dict[str, Check], allowed: dict[str, Check] | None = None) -> Check:
    """An object with the needed keys; others only where they are allowed, or null."""
    known = needed | (allowed or {})
    return lambda value: (
        isinstance(value, dict)
        and needed.keys() <= value.keys()
        and all(
            name in known and (inner is None or known[name](inner)) for name, inner in value.items()
        )
    )


ASIN = matches("B0[0-9A-Z]{8}|[0-9]{9}[0-9X]|BC[0-9A-F]{8}")
PERSON = shaped({"name": is_said}, {"asin": ASIN})
PLACE = shaped({"asin": ASIN, "title": is_said, "sequence": is_text, "url": is_said})
RELATION = shaped(
    {
        "asin": ASIN,
        "relationship_type": one_of("series", "component", "episode", "season"),
        "relationship_to_product": one_of("parent", "child"),
        "sort": matches(r"\d+"),
    },
    {
        "sequence": is_text,
        "title": is_said,
        "url": is_said,
        "content_delivery_type": is_said,
        "sku": is_said,
        "sku_lite": is_said,
    },
)
LADDER = shaped({"ladder": many(shaped({"id": matches(r"\d+"), "name": is_said})), "root": is_said})
MONEY = shaped(
    {"base": is_money, "currency_code": matches("[A-Z]{3}"), "type": is_said},
    {"merchant_id": is_said},
)
PRICE = shaped(
    {},
    {
        **dict.fromkeys(("list_price", "lowest_price", "ws4v_upsell_price"), MONEY),
        **dict.fromkeys(
            (f"is_{what}_eligible" for what in ("buy_for_free", "credit_price", "free")), is_flag
        ),
        "is_ws4v_upsell_eligible": is_flag,
        "credit_price": is_money,
    },
)
STARS = shaped(
    {"display_average_rating": matches(r"\d\.\d"), "num_ratings": is_count},
    {
        "average_rating": is_money,
        "display_stars": is_money,
        **{f"num_{n}_star_ratings": is_count for n in ("one", "two", "three", "four", "five")},
    },
)
RATING = shaped(
    {"num_reviews": is_count, "overall_distribution": STARS},
    {"performance_distribution": STARS, "story_distribution": STARS},
)


def is_covers(value: Any) -> bool:
    """Addresses by width."""
    return isinstance(value, dict) and all(
        width.isdigit() and address.startswith("https://") for width, address in value.items()
    )


@dataclass(frozen=True)
class Field:
    """`groups`: any of these answers it, none: it is always there."""

    check: Check
    groups: str = ""
    may_be_absent: bool = True
    may_be_null: bool = True  # in a signed-in user's list, never elsewhere


ATTRS, DESC, EXTENDED = "product_attrs", "product_desc", "product_extended_attrs"
FIELDS = {
    "asin": Field(ASIN, may_be_absent=False, may_be_null=False),
    "asset_details": Field(many(lambda _: True), may_be_null=False),
    "is_vvab": Field(is_flag, may_be_null=False),
    "title": Field(is_said, f"{ATTRS} {DESC}", may_be_absent=False, may_be_null=False),
    "subtitle": Field(is_said, f"{ATTRS} {DESC}"),
    "authors": Field(many(PERSON), "contributors", may_be_null=False),
    "narrators": Field(many(PERSON), "contributors"),
    "publisher_name": Field(is_said, "contributors", may_be_null=False),
    "language": Field(matches("[a-z_]+"), ATTRS, may_be_null=False),
    "release_date": Field(is_day, ATTRS, may_be_absent=False, may_be_null=False),
    "issue_date": Field(is_day, ATTRS, may_be_absent=False, may_be_null=False),
    "publication_datetime": Field(is_moment, ATTRS, may_be_absent=False, may_be_null=False),
    "runtime_length_min": Field(is_count, ATTRS),
    "content_delivery_type": Field(
        one_of(
            *("SinglePartBook", "MultiPartBook", "BookSeries", "Periodical"),
            *("PodcastParent", "PodcastSeason", "PodcastEpisode"),
        ),
        ATTRS,
        may_be_absent=False,
        may_be_null=False,
    ),
    "content_type": Field(
        one_of("Product", "Podcast", "Performance", "Show", "Radio/TV Program", "Lecture"),
        ATTRS,
        may_be_absent=False,
        may_be_null=False,
    ),
    "format_type": Field(
        one_of("unabridged", "abridged", "original_recording"),
        ATTRS,
        may_be_absent=False,
        may_be_null=False,
    ),
    "is_adult_product": Field(is_flag, ATTRS, may_be_absent=False, may_be_null=False),
    "is_listenable": Field(is_flag, ATTRS, may_be_null=False),
    "has_children": Field(is_flag, ATTRS, may_be_absent=False, may_be_null=False),
    "sku": Field(is_said, ATTRS, may_be_absent=False, may_be_null=False),
    "sku_lite": Field(is_said, ATTRS, may_be_absent=False, may_be_null=False),
    "series": Field(many(PLACE), "series"),
    "product_images": Field(is_covers, "media"),
    "merchandising_summary": Field(is_said, DESC, may_be_null=False),
    "publisher_summary": Field(is_said, DESC),
    "rating": Field(RATING, "rating", may_be_null=False),
    "category_ladders": Field(many(LADDER), "category_ladders"),
    "price": Field(PRICE, "price", may_be_null=False),
    "product_site_launch_date": Field(is_moment, f"{EXTENDED} {ATTRS}"),
    "date_first_available": Field(is_day, EXTENDED),
    "isbn": Field(matches(r"\d{13}|\d{9}[\dX]"), EXTENDED),
    "copyright": Field(is_text, EXTENDED),
    "voice_description": Field(is_text, EXTENDED),
    "relationships": Field(many(RELATION), "relationships", may_be_null=False),
    "read_along_support": Field(one_of("true", "false"), "product_details"),
    "is_pdf_url_available": Field(is_flag, "product_details"),
    "is_preorderable": Field(is_flag, "customer_rights", may_be_null=False),
    "is_buyable": Field(is_flag, "customer_rights", may_be_null=False),
    "product_state": Field(
        one_of("AVAILABLE", "AVAILABLE_FOR_PREORDER", "NOT_AVAILABLE_FOR_PURCHASE"),
        "customer_rights",
        may_be_null=False,
    ),
    "preorder_release_date": Field(is_moment, "customer_rights", may_be_null=False),
}
# Named by signed-in users' lists only, and seen as null there.
SIGNED_IN = {
    *("accolades", "asin_trends", "asset_badges", "availability", "buying_options"),
    *("episode_number", "library_status", "listening_status", "preorder_status"),
}


def day_of(record: Record) -> str:
    return str(record["release_date"])


RULES: dict[str, Callable[[Record], bool]] = {
    "issue_date is release_date": lambda r: r["issue_date"] == day_of(r),
    "publication_datetime is on release_date": lambda r: (
        r["publication_datetime"][:10] == day_of(r)
    ),
    "date_first_available is release_date": lambda r: (
        r.get("date_first_available") in (None, day_of(r))
    ),
    "the page was up before release": lambda r: (
        (r.get("product_site_launch_date") or "")[:10] <= day_of(r)
    ),
    "sequences stand on series only": lambda r: all(
        "sequence" not in each or each["relationship_type"] == "series"
        for each in r.get("relationships") or []
    ),
    "a series is a placeholder": lambda r: (
        r["content_delivery_type"] != "BookSeries"
        or (day_of(r) == "2200-01-01" and r["sku"].startswith("SE_RIES_"))
    ),
    "unrated says 0.0": lambda r: all(
        (stars["num_ratings"] > 0) or stars["display_average_rating"] == "0.0"
        for name, stars in (r.get("rating") or {}).items()
        if name != "num_reviews"
    ),
}


def troubles(record: Record, *, signed_in: bool = False, whole: bool = True) -> list[str]:
    """What is wrong with one record; not `whole`: other groups were asked for, or it was cut."""
    found = [
        trouble
        for name, rule in FIELDS.items()
        if (trouble := _trouble(record, name, rule, signed_in=signed_in, whole=whole))
    ]
    if found or not whole:
        return found
    return [name for name, holds in RULES.items() if not holds(record)]


def _trouble(record: Record, name: str, rule: Field, *, signed_in: bool, whole: bool) -> str | None:
    if name not in record:
        return f"{name} is absent" if whole and not rule.may_be_absent else None
    value = record[name]
    if value is None:
        return None if signed_in and rule.may_be_null else f"{name} is null"
    return None if rule.check(value) else f"{name} can't be {value!r}"


def is_stub(record: Record) -> bool:
    return record == {"asin": record["asin"], "asset_details": [], "is_vvab": False}


# -- the emulator ---------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def store() -> Iterator[Emulator]:
    """With every kind of title on its shelves."""
    with Emulator(seed=7, marketplaces=("us", "de", "jp"), now=lambda: NOW) as emulator:
        for marketplace in emulator.shelves:
            stock_everything(emulator, marketplace)
        yield emulator


def stock_everything(emulator: Emulator, marketplace: str) -> None:
    author = "Nora Testament"
    for kind in KINDS:
        for sparse in (True, False):
            emulator.announce(marketplace, author, kind=kind, series="Kettles", sparse=sparse)
    podcast = emulator.announce(marketplace, author, kind="podcast")
    season = emulator.announce(marketplace, author, kind="podcast_season", parent=podcast)
    emulator.announce(marketplace, author, kind="podcast_episode", parent=season)
    emulator.announce(marketplace, author, author_asin="B00OTHER01", genre="90100001111")
    emulator.announce(marketplace, [author, "Zoë Kahl - foreword"], release_date="2200-01-01")
    (book,) = emulator.stock(marketplace, author, 1)
    emulator.reissue(marketplace, book)
    emulator.rerecord(marketplace, book, "Ib Falk")
    emulator.translate(marketplace, book, "italian", translator="Ada Lund - traduttore")
    gone = emulator.announce(marketplace, author, series="Kettles")
    emulator.withdraw(marketplace, gone)


def ask(store: Emulator, marketplace: str, path: str, **question: str) -> Any:
    url = f"{store.base_url}/{marketplace}/1.0/{path}"
    answer = requests.get(url, params={"response_groups": GROUPS, **question}, timeout=10)
    assert answer.status_code == 200
    return answer.json()


def everything(store: Emulator, marketplace: str) -> list[str]:
    shelf = store.shelves[marketplace]
    return [*shelf.products, *shelf.series, "B000000000"]


MARKETPLACES = ["us", "de", "jp"]


@pytest.mark.parametrize("marketplace", MARKETPLACES)
def test_single_answers_are_in_the_inventory(store: Emulator, marketplace: str) -> None:
    for asin in everything(store, marketplace):
        answer = ask(store, marketplace, f"catalog/products/{asin}")
        assert set(answer) == {"product", "response_groups"}
        assert "always-returned" in answer["response_groups"]
        record = answer["product"]
        assert record["asin"] == asin
        assert is_stub(record) or troubles(record) == []
        assert record.keys() <= FIELDS.keys()


@pytest.mark.parametrize("marketplace", MARKETPLACES)
def test_listings_are_in_the_inventory(store: Emulator, marketplace: str) -> None:
    question = {"num_results": "50", "products_sort_by": "-ReleaseDate"}
    answer = ask(store, marketplace, "catalog/products", **question)
    assert set(answer) == {"products", "response_groups", "total_results", "product_filters"}
    assert len(answer["products"]) == 50 < answer["total_results"]
    for record in answer["products"]:
        assert troubles(record) == []


@pytest.mark.parametrize("marketplace", MARKETPLACES)
def test_batches_are_in_the_inventory_and_hold_stubs(store: Emulator, marketplace: str) -> None:
    asins = everything(store, marketplace)[-50:]
    answer = ask(store, marketplace, "catalog/products", asins=",".join(asins))
    assert [record["asin"] for record in answer["products"]] == asins
    stubs = [record for record in answer["products"] if is_stub(record)]
    assert len(stubs) == 2  # withdrawn, unknown
    for record in answer["products"]:
        assert record in stubs or troubles(record) == []


@pytest.mark.parametrize("marketplace", MARKETPLACES)
def test_a_users_list_says_null(store: Emulator, marketplace: str) -> None:
    """Proves the guard: the same record is in trouble where nobody is signed in."""
    wishes = ask(store, marketplace, "wishlist")["products"]
    assert wishes
    for record in wishes:
        assert troubles(record, signed_in=True) == []
        assert troubles(record)
        assert record.keys() <= FIELDS.keys() | SIGNED_IN


@pytest.mark.parametrize("group", GROUPS.split(","))
def test_each_group_answers_its_own_fields(store: Emulator, group: str) -> None:
    own = {name for name, rule in FIELDS.items() if not rule.groups or group in rule.groups.split()}
    answered: set[str] = set()
    for asin in store.shelves["us"].products:
        record = ask(store, "us", f"catalog/products/{asin}", response_groups=group)["product"]
        assert record.keys() <= own
        answered |= record.keys()
    assert answered > {"asin", "asset_details", "is_vvab"}


def test_a_title_without_a_date_lacks_nothing_else(store: Emulator) -> None:
    asin = store.announce("us", "Nora Testament", dated=False)
    record = ask(store, "us", f"catalog/products/{asin}")["product"]
    store.withdraw("us", asin)
    dates = ("release_date", "issue_date", "publication_datetime")
    assert troubles(record) == [f"{name} is absent" for name in dates]


# -- the table itself -----------------------------------------------------------------------------
RECORDED = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.json"))
CUT = ("small/", "us_library", "us_product_B07BS4RKGH")  # fields were taken out of these


def recorded(name: str) -> list[Record]:
    answer = json.loads((FOLDER / name).read_text())
    return answer.get("products") or answer.get("items") or [answer.get("product", {})]


@pytest.mark.skipif(not RECORDED, reason="no recorded answers beside this checkout")
@pytest.mark.parametrize("name", [name for name in RECORDED if not name.startswith("screens/")])
def test_the_table_is_true_of_what_was_recorded(name: str) -> None:
    whole, signed_in = not name.startswith(CUT), name.startswith("us_wishlist")
    for record in filter(None, recorded(name)):
        assert is_stub(record) or troubles(record, signed_in=signed_in, whole=whole) == []


STARS_OF_NOBODY = {"display_average_rating": "4.0", "num_ratings": 0}
FILE = {
    "asin": "B00FILE001",
    "relationship_type": "component",
    "relationship_to_product": "child",
    "sort": "1",
}
BROKEN: list[tuple[str, Any]] = [
    ("asin", "b00nora001"),
    ("title", None),
    ("title", ""),
    ("subtitle", None),
    ("authors", {"name": "Nora Testament"}),
    ("authors", [{"asin": "B00OTHER01"}]),
    ("narrators", ["Ib Falk"]),
    ("language", "English"),
    ("release_date", "08/03/2026"),
    ("release_date", "2026-03-09"),
    ("issue_date", "2027-01-01"),
    ("publication_datetime", "2026-03-08"),
    ("publication_datetime", "2020-03-08T08:00:00Z"),
    ("runtime_length_min", "579"),
    ("content_delivery_type", "Single"),
    ("content_type", "Book"),
    ("format_type", "Unabridged"),
    ("series", [{"asin": "B00SERIES1", "title": "Kettles", "sequence": 1, "url": "/pd/x"}]),
    ("relationships", [{"asin": "B00SERIES1", "relationship_type": "series", "sort": 1}]),
    ("product_images", {"large": "https://covers.example/x.jpg"}),
    ("category_ladders", [{"ladder": [{"id": 1, "name": "Far Coasts"}], "root": "Genres"}]),
    ("price", {"list_price": {"base": "29.99", "currency_code": "USD", "type": "list"}}),
    ("rating", {"num_reviews": "0"}),
    ("rating", {"num_reviews": 0, "overall_distribution": STARS_OF_NOBODY}),
    ("relationships", [{**FILE, "sequence": "1"}]),
    ("content_delivery_type", "BookSeries"),
    ("product_site_launch_date", "2199-01-01T00:00:00Z"),
    ("date_first_available", "2020-01-01"),
    ("isbn", "978-1"),
    ("is_adult_product", "false"),
    ("sku", None),
    ("read_along_support", False),
]


@pytest.mark.parametrize(("name", "value"), BROKEN, ids=[f"{n}={v!r:.30}" for n, v in BROKEN])
def test_a_broken_record_is_noticed(store: Emulator, name: str, value: Any) -> None:
    """Proves the guard of every test above: the check of each field can fail."""
    asin = next(iter(store.shelves["us"].products))
    record = ask(store, "us", f"catalog/products/{asin}")["product"]
    assert troubles(record) == []
    assert troubles(copy.deepcopy(record) | {name: value})


@pytest.mark.parametrize("name", FIELDS)
def test_a_value_of_no_kind_is_noticed(store: Emulator, name: str) -> None:
    asin = next(iter(store.shelves["us"].products))
    record = ask(store, "us", f"catalog/products/{asin}")["product"]
    assert troubles(record | {name: 3.5}) == [f"{name} can't be 3.5"]


@pytest.mark.parametrize("name", [name for name, rule in FIELDS.items() if not rule.may_be_absent])
def test_what_must_be_there_is_missed(store: Emulator, name: str) -> None:
    asin = next(iter(store.shelves["us"].products))
    record = ask(store, "us", f"catalog/products/{asin}")["product"]
    del record[name]
    assert f"{name} is absent" in troubles(record)
