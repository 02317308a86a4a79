"""How the site is asked, and what its answers come to."""

import dataclasses
import datetime as dt
import json
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_django import Settings

from scraping.outcomes import Absent, Failed, Throttled
from scraping.pages import Answer, Page
from scraping.sources.audible_html import AudibleHtml, judge
from scraping.sources.base import Pass, Progress, Query, QueryKind

NOW = dt.datetime(2026, 3, 8, 12, tzinfo=dt.UTC)
SOURCE = AudibleHtml()
AUTHOR = Query("us", "author", "Ada Lund")


def asins(start: int, count: int) -> list[str]:
    return [f"B{number:09d}" for number in range(start, start + count)]


def listed(wanted: Iterable[str], total: int | None = None) -> Answer:
    rows = "".join(
        f'<li class="productListItem" id="product-list-item-{asin}"><h3>{asin}</h3></li>'
        for asin in wanted
    )
    count = f'<span class="resultsSummarySubheading">1 - 50 of {total} results</span>'
    return answer(f'<div class="adbl-main">{count if total else ""}<ul>{rows}</ul></div>')


def product(asin: str) -> Answer:
    record = json.dumps({"@type": "Product", "productID": asin, "name": "Tide"})
    return answer(f'<script type="application/ld+json">{record}</script>')


def answer(content: str, status: int = 200, **headers: str) -> Answer:
    body = f"<!doctype html><html><body>{content}</body></html>"
    return Answer(status, headers, body.encode())


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


STAY = {"ipRedirectOverride": "true", "overrideBaseCountry": "true"}


@pytest.mark.parametrize(
    ("kind", "parameter"),
    [("author", "searchAuthor"), ("narrator", "searchNarrator"), ("publisher", "searchProvider"),
     ("genre", "node"), ("keyword", "keywords")],
)  # fmt: skip
def test_a_search_is_asked_newest_first_from_page_1(kind: QueryKind, parameter: str) -> None:
    host, path, parameters = asked(Query("jp", kind, "Ada & Lund"), Pass(step=2))
    assert (host, path) == ("www.audible.co.jp", "/search")
    assert parameters == STAY | {
        parameter: "Ada & Lund",
        "sort": "pubdate-desc-rank",
        "page": "3",
        "pageSize": "50",
    }


def test_a_series_and_a_title_have_pages_of_their_own() -> None:
    series = Query("de", "series", "B0000TIDES")
    assert asked(series, SOURCE.start(series)) == (
        "www.audible.de", "/series/B0000TIDES", STAY | {"page": "1", "pageSize": "50"},
    )  # fmt: skip
    title = Query("de", "asin", "B0000TIDE1")
    assert asked(title, SOURCE.start(title)) == ("www.audible.de", "/pd/B0000TIDE1", STAY)


def test_a_store_of_ones_own_answers_for_every_marketplace(settings: Settings) -> None:
    settings.STORE_URL = "http://127.0.0.1:8080/"
    query = Query("br", "asin", "B0000TIDE1")
    url = SOURCE.url(query, SOURCE.start(query))
    assert url.startswith("http://127.0.0.1:8080/br/pd/B0000TIDE1?")


def test_a_list_ends_when_its_total_is_seen() -> None:
    reading = read(AUTHOR, listed(asins(0, 50), 70), listed(asins(50, 20), 70))
    assert (reading.complete, reading.step, reading.total_results) == (True, 2, 70)
    assert reading.seen == tuple(asins(0, 70))


def test_a_list_goes_on_though_its_pages_are_shorter_than_asked() -> None:
    """The site may make pages of 20 whatever it is asked."""
    assert not read(AUTHOR, listed(asins(0, 20), 70)).done
    assert not read(AUTHOR, listed(asins(0, 20))).done


def test_a_list_ends_with_a_page_shorter_than_the_site_makes() -> None:
    assert read(AUTHOR, listed(asins(0, 20)), listed(asins(20, 7))).complete


def test_a_list_ends_with_a_page_that_brings_nothing_new() -> None:
    reading = read(AUTHOR, listed(asins(0, 50), 9000), listed(asins(0, 50), 9000))
    assert (reading.complete, len(reading.seen)) == (True, 50)


def test_a_list_ends_at_the_cap() -> None:
    pages = [listed(asins(50 * page, 50), 9000) for page in range(10)]
    assert not read(AUTHOR, *pages[:9]).done
    capped = read(AUTHOR, *pages)
    assert (capped.complete, capped.capped) == (True, True)
    assert not read(AUTHOR, *pages[:9], listed(asins(450, 19), 9000)).capped


def test_a_search_without_results_leads_away() -> None:
    led = answer("", 302, location="/no-search-results?keywords=null")
    progress = step(AUTHOR, SOURCE.start(AUTHOR), led)
    assert progress.page == Page()
    assert progress.reading.complete


def test_a_series_is_read_from_its_page() -> None:
    query = Query("us", "series", "B0000TIDES")
    progress = step(query, SOURCE.start(query), listed(asins(0, 4)))
    assert (progress.reading.complete, progress.page.listed) == (True, tuple(asins(0, 4)))
    assert {place.asin for x in progress.page.listings for place in x.series} == {"B0000TIDES"}


def test_one_title() -> None:
    query = Query("us", "asin", "B0000TIDE1")
    assert read(query, product("B0000TIDE1")).complete
    other = read(query, product("B0000OTHER"))
    assert (other.done, other.missing) == (True, ("B0000TIDE1",))


def test_a_batch_is_one_page_after_the_other() -> None:
    query = Query("us", "batch", asins=("B0000TIDE1", "B0000TIDE2", "B0000TIDE1", "B0000TIDE3"))
    gone = answer("not here", 404)
    reading = read(query, product("B0000TIDE1"), gone, product("B0000OTHER"))
    assert (reading.done, reading.complete, reading.missing) == (True, False, ("B0000TIDE3",))
    assert reading.seen == ("B0000TIDE1", "B0000OTHER")
    denied = step(query, SOURCE.start(query), gone)
    assert denied.page.stubs == ("B0000TIDE1",)
    assert SOURCE.start(Query("us", "batch")).done


@pytest.mark.parametrize("kind", ["asin", "series"])
@pytest.mark.parametrize(
    "given", [answer("", 404), answer("", 410), answer("", 302, location="/pderror?x=1")]
)
def test_what_has_no_page_is_absent(kind: QueryKind, given: Answer) -> None:
    query = Query("us", kind, "B0000TIDE1")
    assert SOURCE.step(query, SOURCE.start(query), given, now=NOW) == Absent(("B0000TIDE1",))


def test_a_list_is_never_absent() -> None:
    given = SOURCE.step(AUTHOR, SOURCE.start(AUTHOR), answer("", 404), now=NOW)
    assert given == Failed("the site has no such list", blind=True)
    later = SOURCE.step(Query("us", "series", "B0000TIDES"), Pass(step=1), answer("", 404), now=NOW)
    assert isinstance(later, Failed)


@pytest.mark.parametrize("status", [429, 503, 504])
def test_throttled(status: int) -> None:
    assert judge(answer("", status), "us", NOW) == Throttled(None)
    asked_for = answer("", status, **{"retry-after": "90"})
    assert judge(asked_for, "us", NOW) == Throttled(dt.timedelta(seconds=90))


@pytest.mark.parametrize(
    "given",
    [
        answer("", 403),
        dataclasses.replace(listed(asins(0, 3)), status=403),
        dataclasses.replace(listed(asins(0, 3)), status=500),
        answer("", 301, location="https://www.amazon.com/ap/signin"),
        answer("", 302),
        answer("Type the characters you see"),
        Answer(200, {}, b""),
        Answer(200, {}, b"{}"),
        Answer(200, {}, b"<html><body class='adbl-main'><ul><li class="),
        listed([], 99),
    ],
)
def test_blind(given: Answer) -> None:
    """Proves the guards that keep an outage from passing for an empty list."""
    verdict = judge(given, "us", NOW)
    assert isinstance(verdict, Failed)
    assert verdict.blind


def test_a_failure_to_fetch_stays_one() -> None:
    failed = Failed("no answer: Timeout", blind=True)
    assert judge(failed, "us", NOW) is failed
