"""The lane before Django: it answers as Django does, sooner, and hears of every change."""

import datetime as dt
import gzip
import json
import threading
from collections.abc import Callable, Generator

import brotli
import pytest
import zstandard
from django.test import Client
from pytest_django import Settings

from accounts.models import FeedToken, User
from api import throttling
from api.edge.answers import chosen
from catalog import revisions
from catalog.listing import SeriesPlace
from catalog.models import Contributor, Series
from stalkerr import figures
from tests.edge import PEER, Edge, Reply, answered, titles
from tests.factories import make_audiobook
from tests.integration.api.conftest import ClientOf

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_kept")]

UPCOMING = "/api/upcoming"
NOWHERE = "redis://127.0.0.1:1/0"
OWN = {"etag", "content-length", "vary", "ratelimit-remaining", "ratelimit-reset"}
PLACE = SeriesPlace("B0SERIES01", "The Long Tide", "2")


@pytest.fixture
def edge(now: dt.datetime) -> Generator[Edge]:
    for number in range(3):
        title, summary = f"Of Sand {number}", "Sand. “Much” of it & <more>. " * 30
        make_audiobook(now=now, title=title, summary=summary, series=[PLACE], out_in=5 + number)
    make_audiobook(now=now, title="Von Meer", marketplace="de", authors=["Zoë Müller"])
    make_audiobook(now=now, title="海辺の物語", marketplace="jp", authors=[], narrators=[])
    revisions.publish()
    with Edge() as begun:
        yield begun


def by_django(path: str, **headers: str) -> Reply:
    answer = Client().get(path, headers=headers, REMOTE_ADDR="203.0.113.9")
    return Reply(
        answer.status_code, {n.lower(): v for n, v in answer.headers.items()}, answer.content
    )


QUERIES = (
    *("", "?page_size=2", "?page_size=2&marketplace=us", "?marketplace=de&marketplace=jp"),
    *("?language=German", "?language=klingon", "?q=sand", "?q=muller", "?q=%E7%89%A9%E8%AA%9E"),
    *("?q=%22%27%29%3B--", "?q=%26%20%7C%20!%20sand:*", "?author=%21%21", "?author=EXAMPLE"),
    *("?series=long%20tide", "?from_date=2020-01-01&to_date=2100-01-01", "?q=&language="),
    *("?to_date=2000-01-01", "?q=%FF%FE", "?author=a%25b", "?page_size=1&q=sand&language=english"),
)
ODD = (
    *("?marketplace=xx", "?from_date=soon", "?page_size=0", "?cursor=abc", "?q=%00", "?format=xml"),
    *("?utm_source=x", "?q=" + "x" * 201, "?q=" + "x" * 600),
)


@pytest.mark.parametrize("query", [*QUERIES, *ODD])
def test_it_answers_to_the_byte_what_django_answers(edge: Edge, query: str) -> None:
    path = f"{UPCOMING}{query}"
    edge.get(UPCOMING)  # from here on it makes pages by itself
    expected = by_django(path)
    for _ in range(2):
        answer = edge.get(path)
        assert (answer.status, answer.body) == (expected.status, expected.body)
        assert answer.headers.get("etag") == expected.headers.get("etag")
        same = answer.headers.keys() | expected.headers.keys()
        assert {n: answer.headers.get(n) for n in same - OWN} == {
            n: expected.headers.get(n) for n in same - OWN
        }
    left_to_django = edge.asked_of_django.count(UPCOMING) - 1
    assert left_to_django == (0 if query in QUERIES else 2)


def test_its_pages_follow_each_other(edge: Edge) -> None:
    seen: list[str] = []
    path = f"{UPCOMING}?page_size=2"
    while path:
        page = edge.get(path)
        seen += titles(page)
        path = (json.loads(page.body)["next"] or "").removeprefix("http://testserver")
    assert len(seen) == len(set(seen)) == 5


@pytest.mark.parametrize("extension", ["rss", "atom", "json", "ics"])
def test_feeds_are_djangos_and_made_once(edge: Edge, extension: str) -> None:
    ada = Contributor.objects.get(name="Ada Example").pk
    for name in ("upcoming", f"authors/{ada}", f"series/{Series.objects.get().pk}"):
        path = f"/feeds/{name}.{extension}"
        expected = by_django(path)
        edge.asked_of_django.clear()
        for _ in range(3):
            answer = edge.get(path)
            assert (answer.status, answer.body) == (200, expected.body)
            for header in ("etag", "cache-control", "link", "content-type", "x-frame-options"):
                assert answer.headers.get(header) == expected.headers.get(header)
        assert edge.asked_of_django == [path]
    assert edge.get("/feeds/authors/999999.rss").status == 404


def test_who_has_it_is_told_so_without_django_or_database(edge: Edge) -> None:
    first = edge.get(UPCOMING)
    edge.asked_of_django.clear()
    asked = edge.open._pool.get_stats().get("requests_num", 0)
    for tags in (
        first.headers["etag"],
        f"W/{first.headers['etag']}",
        f'"x", {first.headers["etag"]}',
        "*",
    ):
        again = edge.get(UPCOMING, if_none_match=tags, accept_encoding="br")
        assert (again.status, again.body) == (304, b"")
        assert (again.headers["etag"].removeprefix("W/"), "content-length" in again.headers) == (
            first.headers["etag"],
            False,
        )
        assert "ratelimit-remaining" in again.headers
    assert edge.get(UPCOMING, if_none_match='"other"').status == 200
    assert edge.asked_of_django == []
    assert edge.open._pool.get_stats().get("requests_num", 0) == asked


def test_who_has_it_hears_what_may_have_changed_and_no_more(edge: Edge) -> None:
    first = edge.get("/feeds/upcoming.rss")
    again = edge.get("/feeds/upcoming.rss", if_none_match=first.headers["etag"])
    assert again.status == 304
    counted = {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"}
    assert set(again.headers) == {"etag", "vary", "cache-control", *counted}
    assert again.headers["cache-control"] == first.headers["cache-control"]


def test_head_has_the_head_alone(edge: Edge) -> None:
    whole, head = edge.get(UPCOMING), edge.get(UPCOMING, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.body))


UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": zstandard.decompress,
}


@pytest.mark.parametrize("coding", UNPACK)
def test_it_is_packed_as_it_was_asked_for(edge: Edge, coding: str) -> None:
    for path in (UPCOMING, "/feeds/upcoming.rss"):
        plain, packed = edge.get(path), edge.get(path, accept_encoding=coding)
        assert packed.headers["content-encoding"] == coding
        assert "content-encoding" not in plain.headers
        assert UNPACK[coding](packed.body) == plain.body
        assert len(packed.body) == int(packed.headers["content-length"]) < len(plain.body)
        assert "Accept-Encoding" in packed.headers["vary"]
        assert packed.headers["etag"] == f"W/{plain.headers['etag']}"


def test_what_is_small_is_not_packed(edge: Edge) -> None:
    answer = edge.get(f"{UPCOMING}?q=nothing", accept_encoding="gzip")
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        *((b"", ""), (b"gzip", "gzip"), (b"gzip, deflate, br, zstd", "br"), (b"identity", "")),
        *((b"br;q=0, gzip", "gzip"), (b"gzip;q=0.5, zstd;q=0.8", "zstd"), (b"*", "br")),
        *((b"*;q=0", ""), (b"gzip;q=0", ""), (b"deflate", ""), (b"gzip;q=x", "")),
        (b"identity, gzip;q=0.5", ""),
    ],
)
def test_the_coding_is_what_both_like_best(accepted: bytes, coding: str) -> None:
    assert chosen(accepted) == coding


def test_what_a_token_opens_is_neither_kept_nor_packed(
    edge: Edge, alice: User, client_of: ClientOf
) -> None:
    """Proves the guard against BREACH: lengths of packed secrets tell what is in them."""
    made = client_of(alice).post("/api/feeds", {"name": "mine"})
    assert made.status_code == 201, made.json()
    assert FeedToken.objects.count() == 1
    url = next(value for value in str(made.json()).split("'") if "/feeds/private/" in value)
    path = "/" + url.split("/", 3)[3].rsplit(".", 1)[0] + ".rss"
    for _ in range(2):
        answer = edge.get(path, accept_encoding="gzip, br")
        assert (answer.status, "content-encoding" in answer.headers) == (200, False)
    assert edge.asked_of_django == [path, path]


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer x"},
        {"cookie": "a=b; sessionid=x"},
        {"origin": "https://page.example"},
        {"range": "bytes=0-1"},
        {"accept": "text/html"},
        {"host": "elsewhere.example"},
    ],
)
def test_what_is_no_plain_read_is_djangos(edge: Edge, headers: dict[str, str]) -> None:
    edge.get(UPCOMING)
    edge.asked_of_django.clear()
    answer = edge.get(UPCOMING, **headers)
    assert edge.asked_of_django == [UPCOMING]
    assert answer.status == {"authorization": 401, "accept": 406, "host": 400}.get(
        next(iter(headers)), 200
    )


def test_redirects_to_tls_are_djangos(edge: Edge, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    edge.get(UPCOMING)
    assert edge.asked_of_django == [UPCOMING]


def test_the_hundred_and_first_has_to_wait_and_none_is_counted_twice(edge: Edge) -> None:
    """Proves the guard COUNTED: what the lane counted would be counted by Django once more."""
    answers = edge.get_all([f"{UPCOMING}?utm={n % 3}" if n % 2 else UPCOMING for n in range(103)])
    statuses = [answer.status for answer in answers]
    assert (statuses.count(200), statuses.count(429)) == (100, 3)
    late = edge.get(UPCOMING)
    assert (late.status, late.headers["content-type"]) == (429, "application/problem+json")
    assert late.headers["retry-after"] == late.headers["ratelimit-reset"]
    assert by_django(UPCOMING).headers["ratelimit-remaining"] == "99"
    assert edge.get(UPCOMING, peer="203.0.113.77").headers["ratelimit-remaining"] == "99"


def test_strangers_gain_nothing_by_what_they_say_of_themselves(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttling, "ANONYMOUS", "3/h")
    said = [f"10.0.0.{number}" for number in range(5)]
    assert [edge.get(UPCOMING, x_forwarded_for=each).status for each in said] == [200] * 3 + [
        429
    ] * 2


def test_the_lane_and_django_count_in_one_log(edge: Edge) -> None:
    assert edge.get(UPCOMING).headers["ratelimit-remaining"] == "99"
    by_it = Client().get(UPCOMING, REMOTE_ADDR=PEER)
    assert by_it["RateLimit-Remaining"] == "98"


def test_without_redis_django_answers(now: dt.datetime, settings: Settings) -> None:
    make_audiobook(now=now, title="Of Sand")
    settings.BUCKETS_URL = settings.CACHE_URL = NOWHERE
    with Edge() as edge:
        for _ in range(3):
            assert titles(edge.get(UPCOMING)) == ["Of Sand"]
        assert edge.get("/feeds/upcoming.rss").status == 200


def test_without_the_cache_each_process_keeps_its_own(now: dt.datetime, settings: Settings) -> None:
    make_audiobook(now=now, title="Of Sand")
    revisions.publish()
    settings.CACHE_URL = NOWHERE
    with Edge() as edge:
        answers = [titles(edge.get(UPCOMING)) for _ in range(4)]
        assert answers == [["Of Sand"]] * 4
        assert edge.asked_of_django == [UPCOMING]
        before = answered("miss")
        assert len({reply.body for reply in edge.get_all([f"{UPCOMING}?q=sand"] * 25)}) == 1
        assert answered("miss") == before + 1  # proves the guard flights


def test_of_fifty_at_once_one_is_made(edge: Edge) -> None:
    """Proves the guard turn: of two processes, one makes what is missing."""
    edge.get(UPCOMING)
    paths = [f"{UPCOMING}?q=sand"] * 25
    with Edge() as other:
        other.get(UPCOMING)
        before = answered("miss")
        replies: list[Reply] = []
        threads = [
            threading.Thread(target=lambda each=each: replies.extend(each.get_all(paths)))
            for each in (edge, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        after = answered("miss")
    assert len({reply.body for reply in replies}) == 1
    assert (len(replies), after - before) == (50, 1)


def test_what_is_known_asks_neither_database_nor_django(edge: Edge) -> None:
    first = edge.get(UPCOMING)
    asked = edge.open._pool.get_stats().get("requests_num", 0)
    edge.asked_of_django.clear()
    again = edge.get(UPCOMING)
    assert (again.body, edge.asked_of_django) == (first.body, [])
    assert edge.open._pool.get_stats().get("requests_num", 0) == asked


def test_the_figures_of_all_processes_are_one_sum(edge: Edge) -> None:
    edge.get(UPCOMING)
    edge.get(UPCOMING)
    first = edge.get(UPCOMING)
    edge.get(UPCOMING, if_none_match=first.headers["etag"])
    assert figures.tell(edge.open._pools())
    (answers,) = (each for each in figures.read() if each.name == "stalkerr_edge_answers")
    counted = {sample.labels["outcome"]: sample.value for sample in answers.samples}
    assert counted["miss"] >= 1
    assert counted["hit"] >= 3
    assert counted["not_modified"] >= 1
    assert ("edge", "size") in {(pool, state) for pool, state, number in figures.pools() if number}
    told = Client().get("/metrics", headers={"Authorization": "Bearer test-metrics-token"})
    assert b'stalkerr_edge_answers_total{outcome="hit"}' in told.content
    assert b'stalkerr_pool{pool="edge",state="in_use"} 0.0' in told.content
