"""What the emulated store does instead of answering, or beside it."""

import datetime as dt
from collections.abc import Iterator

import pytest
import requests

from scraping.emulator.catalogue import EmulatorError
from scraping.emulator.server import Emulator

NOW = dt.datetime(2026, 3, 8, 12, tzinfo=dt.UTC)
AUTHOR = "Nora Testament"


@pytest.fixture
def store() -> Iterator[Emulator]:
    with Emulator(seed=7, marketplaces=("us", "de"), now=lambda: NOW) as store:
        yield store


def get(store: Emulator, path: str, **headers: str) -> requests.Response:
    return requests.get(f"{store.base_url}/{path}", headers=headers, timeout=5)


def listing(store: Emulator, *, page: int = 0, size: int = 50) -> requests.Response:
    path = f"us/1.0/catalog/products?author=Nora%20Testament&num_results={size}&page={page}"
    return get(store, f"{path}&products_sort_by=-ReleaseDate&response_groups=product_attrs")


def batch(store: Emulator, asins: list[str]) -> list[dict[str, object]]:
    path = f"us/1.0/catalog/products?response_groups=product_attrs&asins={','.join(asins)}"
    products: list[dict[str, object]] = get(store, path).json()["products"]
    return products


def test_an_answer_that_is_known_is_not_sent_again(store: Emulator) -> None:
    asin = store.announce("us", AUTHOR)
    path = f"us/1.0/catalog/products/{asin}?response_groups=product_attrs"
    tag = get(store, path).headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        again = get(store, path, **{"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    store.move_date("us", asin, "2026-12-01")
    changed = get(store, path, **{"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


def test_a_store_may_know_no_tags(store: Emulator) -> None:
    tag = listing(store).headers["ETag"]
    store.break_("untagged", "us")
    answer = get(store, "us/1.0/catalog/products", **{"If-None-Match": tag})
    assert (answer.status_code, "ETag" in answer.headers) == (200, False)


def test_a_store_may_say_not_modified_to_all(store: Emulator) -> None:
    store.break_("not_modified", "us")
    assert (listing(store).status_code, listing(store).content) == (304, b"")


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_errors_come_with_their_status(store: Emulator, status: int) -> None:
    store.break_(f"error{status}", "us")
    assert get(store, "us/1.0/catalog/products").status_code == status
    assert get(store, "us/search").status_code == status
    assert get(store, "de/search").status_code == 200


def test_a_batch_may_answer_fewer_than_asked(store: Emulator) -> None:
    asins = store.stock("us", AUTHOR, 7)
    store.break_("partial", "us", only="api")
    assert [each["asin"] for each in batch(store, asins)] == asins[::2]
    single = get(store, f"us/1.0/catalog/products/{asins[1]}?response_groups=product_attrs")
    assert "title" in single.json()["product"]


def test_a_batch_may_hold_stubs(store: Emulator) -> None:
    asins = store.stock("us", AUTHOR, 6)
    store.break_("partial_stubs", "us")
    answered = batch(store, asins)
    assert [each["asin"] for each in answered] == asins
    assert ["title" in each for each in answered] == [True, False] * 3


def test_a_mood_may_be_that_of_one_surface(store: Emulator) -> None:
    store.break_("captcha", only="api", requests=1)
    assert "Robot" not in get(store, "us/search").text
    assert "Robot" in get(store, "us/1.0/catalog/products").text
    assert listing(store).status_code == 200
    store.break_("error500", "us", only="html")
    store.throttle("us")
    assert [get(store, path).status_code for path in ("us/search", "us/1.0/wishlist")] == [500, 429]
    with pytest.raises(EmulatorError, match="no such surface: fax"):
        store.throttle(only="fax")  # type: ignore[arg-type]
    with pytest.raises(EmulatorError, match="no such layout: round"):
        store.show_layout("round")


@pytest.mark.parametrize("size", [50, 20])
def test_a_listing_shows_five_hundred_and_then_repeats_itself(store: Emulator, size: int) -> None:
    store.stock("us", AUTHOR, 530)
    pages = 500 // size
    seen: list[str] = []
    for page in range(pages):
        seen += (each["asin"] for each in listing(store, page=page, size=size).json()["products"])
    assert len(set(seen)) == 500
    beyond = listing(store, page=pages, size=size).json()
    assert [each["asin"] for each in beyond["products"]] == seen[-size:]
    assert beyond["total_results"] > 530


def test_requests_are_logged_with_surface_and_status(store: Emulator) -> None:
    listing(store)
    store.throttle("us", requests=1, retry_after=3)
    get(store, "us/search")
    get(store, "us/pd/B000000000")
    log = get(store, "emulator/requests").json()
    assert [(each["surface"], each["status"]) for each in log] == [
        ("api", 200),
        ("html", 429),
        ("html", 404),
    ]


def test_a_marketplace_that_is_none_has_no_pages(store: Emulator) -> None:
    for path in ("mars/search", "mars/pd/B000000000", "mars/1.0/wishlist"):
        assert get(store, path).status_code == 404
