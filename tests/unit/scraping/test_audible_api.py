import datetime as dt
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_django import Settings

from scraping.outcomes import Absent, Failed, Throttled
from scraping.pages import Answer, Page
from scraping.sources.audible_api import FALLBACK_GROUPS, AudibleApi, judge
from scraping.sources.base import Pass, Progress, Query

NOW = dt.datetime(2026, 3, 8, 12, tzinfo=dt.UTC)
SOURCE = AudibleApi()
AUTHOR = Query("us", "author", "Ada Lund")


def asins(start: int, count: int) -> list[str]:
    return [f"B{number:09d}" for number in range(start, start + count)]


def products(wanted: Iterable[str]) -> list[dict[str, Any]]:
    return [{"asin": asin, "title": f"Title {asin}"} for asin in wanted]


def listed(wanted: Iterable[str], total: int = 9999) -> Answer:
    return answer({"products": products(wanted), "total_results": total})


def answer(content: object, status: int = 200, **headers: str) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Answer(status, headers, body)


def step(query: Query, reading: Pass, given: Answer | Failed) -> Progress:
    progress = SOURCE.step(query, reading, given, now=NOW)
    assert isinstance(progress, Progress)
    return progress


def read(query: Query, *answers: Answer) -> Pass:
    """The state after these answers, kept as JSON between any two."""
    reading = SOURCE.start(query)
    for given in answers:
        assert not reading.done
        after = step(query, reading, given).reading
        reading = Pass.from_json(json.loads(json.dumps(after.as_json())))
        assert reading == after
    return reading


def asked(query: Query, reading: Pass) -> tuple[str, str, dict[str, str]]:
    parts = urlsplit(SOURCE.url(query, reading))
    return parts.netloc, parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()}


def test_an_author_is_asked_for_newest_first_from_page_0() -> None:
    host, path, parameters = asked(Query("jp", "author", "Ada & Lund"), Pass())
    assert (host, path) == ("api.audible.co.jp", "/1.0/catalog/products")
    groups = parameters.pop("response_groups").split(",")
    assert {"contributors", "series", "relationships", "product_extended_attrs"} < set(groups)
    assert parameters == {
        "author": "Ada & Lund",
        "num_results": "50",
        "page": "0",
        "products_sort_by": "-ReleaseDate",
    }


def test_keywords_go_by_their_own_parameter() -> None:
    _, _, parameters = asked(Query("us", "keyword", "glass tide"), Pass(step=3))
    assert (parameters["keywords"], parameters["page"]) == ("glass tide", "3")
    assert "author" not in parameters


def test_one_title_is_asked_for_by_its_path() -> None:
    _, path, parameters = asked(Query("us", "asin", "B000000001"), Pass())
    assert path == "/1.0/catalog/products/B000000001"
    assert set(parameters) == {"response_groups"}


def test_a_batch_is_asked_for_by_asins() -> None:
    query = Query("us", "batch", asins=tuple(asins(0, 60)))
    _, path, parameters = asked(query, SOURCE.start(query))
    assert path == "/1.0/catalog/products"
    assert parameters["asins"].split(",") == asins(0, 50)
    assert parameters["num_results"] == "50"


def test_a_store_of_ones_own_answers_for_every_marketplace(settings: Settings) -> None:
    settings.STORE_URL = "http://127.0.0.1:8080/"
    url = SOURCE.url(Query("br", "asin", "B000000001"), Pass())
    assert url.startswith("http://127.0.0.1:8080/br/1.0/catalog/products/B000000001?")


def test_a_listing_ends_with_a_page_that_is_not_full() -> None:
    reading = read(AUTHOR, listed(asins(0, 50)), listed(asins(50, 7)))
    assert (reading.done, reading.complete, reading.step) == (True, True, 2)
    assert reading.seen == tuple(asins(0, 57))
    assert reading.total_results == 9999


def test_fullness_is_counted_on_what_the_store_listed() -> None:
    unreadable = [*products(asins(0, 40)), *[None] * 5, *products(asins(0, 5))]
    assert not read(AUTHOR, answer({"products": unreadable})).done


def test_a_listing_ends_with_a_page_that_brings_nothing_new() -> None:
    reading = read(AUTHOR, listed(asins(0, 50)), listed(asins(0, 50)))
    assert (reading.complete, len(reading.seen)) == (True, 50)


def test_a_listing_ends_at_the_cap() -> None:
    pages = [listed(asins(50 * page, 50)) for page in range(10)]
    assert not read(AUTHOR, *pages[:9]).done
    assert read(AUTHOR, *pages).complete


def test_a_listing_with_nothing_on_it_is_complete() -> None:
    assert read(AUTHOR, listed([], total=0)).complete


def test_a_series_is_its_children_in_batches() -> None:
    query = Query("us", "series", "B0000TIDES")
    children = asins(0, 70)
    relations = [
        {"asin": asin, "relationship_type": "series", "relationship_to_product": "child"}
        for asin in children
    ]
    head = answer({"product": {"asin": query.text, "title": "Tides", "relationships": relations}})
    first = read(query, head)
    assert (first.todo, first.done) == (tuple(children), False)
    assert asked(query, first)[2]["asins"].split(",") == children[:50]
    second = read(query, head, listed(children[:50]))
    assert asked(query, second)[2]["asins"].split(",") == children[50:]
    whole = read(query, head, listed(children[:50]), listed(children[50:]))
    assert whole.complete
    assert set(whole.seen) == {query.text, *children}


def test_a_batch_that_answers_fewer_than_asked_is_partial() -> None:
    query = Query("us", "batch", asins=tuple(asins(0, 3)))
    stub = {"asin": asins(1, 1)[0], "asset_details": []}
    reading = read(query, answer({"products": [*products(asins(0, 1)), stub]}))
    assert (reading.done, reading.complete) == (True, False)
    assert reading.missing == tuple(asins(2, 1))  # the stub was an answer
    assert reading.seen == tuple(asins(0, 1))  # but showed nothing


def test_stubs_alone_in_a_batch_are_no_absence() -> None:
    query = Query("us", "batch", asins=tuple(asins(0, 1)))
    progress = step(query, SOURCE.start(query), answer({"products": [{"asin": asins(0, 1)[0]}]}))
    assert progress.page.stubs == tuple(asins(0, 1))


def test_an_empty_batch_asks_nothing() -> None:
    assert SOURCE.start(Query("us", "batch")).complete


@pytest.mark.parametrize("kind", ["asin", "series"])
def test_a_stub_for_a_title_asked_for_alone_is_absence(kind: Any) -> None:
    stub = {"product": {"asin": "B000000001", "asset_details": [], "is_vvab": False}}
    outcome = SOURCE.step(Query("us", kind, "B000000001"), Pass(), answer(stub), now=NOW)
    assert outcome == Absent(("B000000001",))


def test_one_title_is_one_step() -> None:
    query = Query("us", "asin", "B000000001")
    assert read(query, answer({"product": products(["B000000001"])[0]})).complete
    other = read(query, answer({"product": products(["B000000002"])[0]}))
    assert (other.complete, other.missing) == (False, ("B000000001",))


@pytest.mark.parametrize("status", [429, 503, 504])
@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ({}, None),
        ({"retry-after": "90"}, dt.timedelta(seconds=90)),
        ({"retry-after": "Sun, 08 Mar 2026 12:02:00 GMT"}, dt.timedelta(minutes=2)),
        ({"retry-after": "later"}, None),
        ({"retry-after": "99999999"}, dt.timedelta(hours=24)),
    ],
)
def test_it_is_told_to_wait(status: int, header: dict[str, str], wait: dt.timedelta | None) -> None:
    given = answer(b"<html>Busy</html>", status, **header)
    assert judge(given, "us", NOW) == Throttled(wait)


@pytest.mark.parametrize(
    ("given", "blind"),
    [
        (answer(b"", 200), True),
        (answer(b"<html>Are you a robot?</html>", 200), True),
        (answer(b'{"products": [{"as', 200), True),
        (answer(b"{}", 200), True),
        (answer(b"oops", 500), True),
        (answer({"products": products(asins(0, 3))}, 502), True),
        (answer(b"", 302), True),
        (answer(b"no", 403), True),
        (answer({"message": "gone"}, 404), True),
        (answer(b"<html>", 400), True),
        (answer({"message": "1 validation error detected"}, 400), False),
        (answer({"message": "1 validation error detected"}, 200), False),
        (Failed("no answer: ConnectTimeout", blind=True), True),
    ],
    ids=lambda given: getattr(given, "body", b"")[:12].decode() if given is not None else "",
)
def test_what_teaches_nothing_is_a_failure(given: Answer | Failed, *, blind: bool) -> None:
    outcome = SOURCE.step(AUTHOR, Pass(), given, now=NOW)
    assert isinstance(outcome, Failed)
    assert outcome.blind is blind


def test_an_empty_page_is_no_failure_and_no_absence() -> None:
    assert judge(listed([], total=0), "us", NOW) == Page(total_results=0)


def test_an_unknown_response_group_is_left_out_once() -> None:
    refusal = answer({"message": "Invalid response group(s) requested: moods"}, 400)
    progress = step(AUTHOR, Pass(step=2, seen=("B000000001",)), refusal)
    assert progress.page == Page()
    assert progress.reading == Pass(step=2, seen=("B000000001",), plain=True)
    groups = asked(AUTHOR, progress.reading)[2]["response_groups"]
    assert groups.split(",") == list(FALLBACK_GROUPS)
    again = SOURCE.step(AUTHOR, progress.reading, refusal, now=NOW)
    assert again == Failed("Invalid response group(s) requested: moods")


def test_what_it_falls_back_on_is_asked_for_on_the_next_page_too() -> None:
    reading = step(AUTHOR, Pass(plain=True), listed(asins(0, 50))).reading
    assert reading.plain
