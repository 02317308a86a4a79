"""/feeds: what they hold, in whichever format; stable, cheap to poll."""

import calendar
import datetime as dt
import json
from typing import Any
from urllib.parse import quote

import feedparser
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.http import http_date
from pytest_django import DjangoAssertNumQueries, Settings

from catalog.listing import SeriesPlace
from catalog.models import Audiobook, Contributor, ReleaseEvent, Series
from tests.factories import make_audiobook
from tests.validity import atom_errors

PATH = "/feeds/upcoming"
READ = {
    "rss": "application/rss+xml",
    "atom": "application/atom+xml",
    "json": "application/feed+json",
}
MINUTE = dt.timedelta(minutes=1)


def parsed(body: bytes) -> Any:
    result = feedparser.parse(body)
    assert not result.bozo, result.get("bozo_exception")
    return result


def entries(client: Client, path: str, query: str = "") -> list[Any]:
    answer = client.get(f"{path}?{query}")
    content_type = READ[path.rpartition(".")[2]]
    assert (answer.status_code, answer["Content-Type"]) == (200, content_type)
    found: list[Any] = parsed(answer.content).entries
    return found


def titles(client: Client, path: str, query: str = "") -> list[str]:
    return [entry.title for entry in entries(client, path, query)]


@pytest.fixture(autouse=True)
def _database(db: None) -> None:
    """Every feed reads it."""


@pytest.mark.parametrize("extension", ["rss", "atom"])
def test_an_entry_says_what_when_and_where(
    client: Client, now: dt.datetime, extension: str
) -> None:
    cover = "https://covers.example.org/sand.png"
    book = make_audiobook(now=now, title="Of Sand", summary="Much sand.", cover_url=cover)
    (entry,) = entries(client, f"{PATH}.{extension}")
    assert entry.title == "Of Sand"
    assert entry.link == f"https://www.audible.com/pd/{book.asin}"
    assert entry.id == f"urn:stalkerr:us:{book.asin}"
    assert "By: Ada Example<br />Read by: Nora Reader<br />" in entry.summary
    assert "<p>Much sand.</p>" in entry.summary
    assert [author.name for author in entry.authors] == ["Ada Example"]
    assert [(each.href, each.type) for each in entry.enclosures] == [(cover, "image/png")]


def test_an_item_of_the_json_feed_says_the_same(client: Client, now: dt.datetime) -> None:
    cover = "https://covers.example.org/sand.jpg"
    place = SeriesPlace("B0SERIES01", "Grains", "2")
    book = make_audiobook(now=now, title="Of Sand", cover_url=cover, series=[place])
    feed = client.get(f"{PATH}.json").json()
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["feed_url"] == "http://127.0.0.1:8000/feeds/upcoming.json"
    (item,) = feed["items"]
    assert (item["id"], item["title"]) == (f"urn:stalkerr:us:{book.asin}", "Of Sand")
    assert (item["authors"], item["language"]) == ([{"name": "Ada Example"}], "en")
    assert (item["image"], item["attachments"]) == (
        cover,
        [{"url": cover, "mime_type": "image/jpeg"}],
    )
    assert item["_stalkerr"] == {
        "marketplace": "us",
        "asin": book.asin,
        "release_date": str(book.release_date),
        "narrators": ["Nora Reader"],
        "series": ["Grains, book 2"],
    }


@pytest.mark.parametrize("extension", ["rss", "atom"])
def test_an_entry_is_dated_by_its_announcement_not_by_the_future(
    client: Client, now: dt.datetime, extension: str
) -> None:
    book = make_audiobook(now=now, out_in=300)
    make_audiobook(now=now + MINUTE, asin=book.asin, out_in=400)
    (entry,) = entries(client, f"{PATH}.{extension}")
    assert calendar.timegm(entry.published_parsed) == int(now.timestamp())
    if extension == "atom":
        assert calendar.timegm(entry.updated_parsed) == int((now + MINUTE).timestamp())


def test_what_only_some_users_asked_for_is_no_news_of_the_feed(
    client: Client, now: dt.datetime
) -> None:
    """Proves the guard against reminders: they would tell that somebody watches the title."""
    book = make_audiobook(now=now)
    ReleaseEvent.objects.create(
        audiobook=book, kind="reminder", revision=2, seen_at=now + MINUTE, days_before=1
    )
    (entry,) = entries(client, f"{PATH}.atom")
    assert entry.updated == entry.published


def test_news_that_waits_for_the_end_of_its_visit_is_not_in_the_feed_yet(
    client: Client, now: dt.datetime
) -> None:
    """Proves the guard held_by."""
    book = make_audiobook(now=now)
    ReleaseEvent.objects.create(
        audiobook=book, kind="detail_changed", revision=2, seen_at=now + MINUTE, held_by=1
    )
    (entry,) = entries(client, f"{PATH}.atom")
    assert entry.updated == entry.published


@pytest.mark.parametrize("extension", ["rss", "atom"])
def test_the_latest_announced_comes_first_and_filters_apply(
    client: Client, now: dt.datetime, extension: str
) -> None:
    for days, title in enumerate(("old", "newer", "newest")):
        make_audiobook(now=now + days * MINUTE, out_in=9 - days, title=title)
    make_audiobook(now=now, marketplace="de", title="anders", authors=["Zoë Müller"])
    path = f"{PATH}.{extension}"
    assert titles(client, path) == ["newest", "newer", "anders", "old"]
    assert titles(client, path, "marketplace=de") == ["anders"]
    assert titles(client, path, "author=muller") == ["anders"]
    assert titles(client, path, "q=newest") == ["newest"]
    assert titles(client, path, "language=german&q=old") == []


def test_an_authors_feed_has_what_they_wrote(client: Client, now: dt.datetime) -> None:
    make_audiobook(now=now, title="hers", authors=["Ada Example"])
    make_audiobook(now=now, title="read by her", authors=["Bo"], narrators=["Ada Example"])
    make_audiobook(now=now, title="no day yet", authors=["Ada Example"], out_in=None)
    make_audiobook(now=now, title="out lately", authors=["Ada Example"], out_in=-10)
    make_audiobook(now=now, title="out long ago", authors=["Ada Example"], out_in=-50)
    ada = Contributor.objects.get(name="Ada Example")
    path = f"/feeds/authors/{ada.pk}.rss"
    assert set(titles(client, path)) == {"hers", "no day yet", "out lately"}
    assert parsed(client.get(path).content).feed.title == "Stalkerr: Ada Example"


def test_a_series_feed_has_its_books(client: Client, now: dt.datetime) -> None:
    place = SeriesPlace("B0SERIES01", "Grains", "2")
    make_audiobook(now=now, title="second", series=[place])
    make_audiobook(now=now, title="another")
    path = f"/feeds/series/{Series.objects.get().pk}"
    assert titles(client, f"{path}.atom") == ["second"]
    assert parsed(client.get(f"{path}.atom").content).feed.title == "Stalkerr: Grains"


@pytest.mark.parametrize("number", [10**6, 2**63, 10**30])
@pytest.mark.parametrize("kind", ["authors", "series"])
def test_of_nobody_there_is_no_feed(client: Client, kind: str, number: int) -> None:
    answer = client.get(f"/feeds/{kind}/{number}.rss")
    assert (answer.status_code, answer.content) == (404, b"There is nothing here.")


def test_withdrawn_titles_leave_the_feed(client: Client, now: dt.datetime) -> None:
    make_audiobook(now=now, title="gone")
    Audiobook.objects.update(withdrawn_at=now)
    ada = Contributor.objects.get(name="Ada Example")
    for path in (PATH, f"/feeds/authors/{ada.pk}"):
        assert titles(client, f"{path}.rss") == []


@pytest.mark.parametrize("extension", ["rss", "atom"])
def test_the_feed_names_itself_and_us(client: Client, extension: str) -> None:
    answer = client.get(f"{PATH}.{extension}?q={quote('a&b<c>')}")
    channel = parsed(answer.content).feed
    links = {link.rel: link.href for link in channel.links}
    own = f"http://127.0.0.1:8000/feeds/upcoming.{extension}?q=a%26b%3Cc%3E"
    assert links == {"self": own, "alternate": "http://127.0.0.1:8000/"}
    assert answer["Link"] == f'<{own}>; rel="self"'


def test_a_hub_is_named_where_there_is_one(client: Client, settings: Settings) -> None:
    settings.WEBSUB_HUB = hub = "https://hub.example.org/"
    for extension in READ:
        answer = client.get(f"{PATH}.{extension}")
        assert f'<{hub}>; rel="hub"' in answer["Link"]
        assert hub.encode() in answer.content
    assert atom_errors(client.get(f"{PATH}.atom").content) == []


@pytest.mark.parametrize("extension", READ)
def test_who_has_the_latest_is_told_so(client: Client, now: dt.datetime, extension: str) -> None:
    make_audiobook(now=now)
    path = f"{PATH}.{extension}"
    first = client.get(path)
    assert first["Cache-Control"] == "public, max-age=300"
    again = client.get(path, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (again["ETag"], again["Cache-Control"]) == (first["ETag"], first["Cache-Control"])
    make_audiobook(now=now + dt.timedelta(seconds=1))
    assert client.get(path, headers={"If-None-Match": first["ETag"]}).status_code == 200


@pytest.mark.parametrize("extension", [*READ, "ics"])
def test_who_asks_by_date_alone_hears_of_a_withdrawal_at_once(
    client: Client, now: dt.datetime, extension: str
) -> None:
    """Proves the guard no date: of a title that left, none is left in the feed."""
    make_audiobook(now=now, title="gone")
    path = f"{PATH}.{extension}"
    first = client.get(path)
    assert "Last-Modified" not in first
    Audiobook.objects.update(withdrawn_at=now)
    much_later = http_date((now + dt.timedelta(days=1)).timestamp())
    again = client.get(path, headers={"If-Modified-Since": much_later})
    assert (again.status_code, again.content != first.content) == (200, True)


@pytest.mark.parametrize("extension", READ)
def test_a_visit_that_brings_nothing_new_changes_no_byte(
    client: Client, now: dt.datetime, extension: str
) -> None:
    book = make_audiobook(now=now)
    before = client.get(f"{PATH}.{extension}")
    Audiobook.objects.filter(pk=book.pk).update(fetched_at=now + MINUTE)
    assert client.get(f"{PATH}.{extension}").content == before.content


def test_a_moved_date_changes_the_entry_and_not_its_identity(
    client: Client, now: dt.datetime
) -> None:
    book = make_audiobook(now=now)
    path = f"{PATH}.rss"
    (before,), tag = entries(client, path), client.get(path)["ETag"]
    make_audiobook(now=now + dt.timedelta(seconds=1), asin=book.asin, out_in=90)
    (after,) = entries(client, path)
    assert (after.id, after.published) == (before.id, before.published)
    assert after.description != before.description
    assert client.get(path)["ETag"] != tag


@pytest.mark.parametrize("extension", READ)
@pytest.mark.parametrize(
    ("kind", "queries"), [("upcoming", 2), ("author", 3), ("series", 3)]
)  # the clock, the entries; whose they are
def test_a_feed_costs_the_same_for_one_title_and_for_many(
    client: Client,
    now: dt.datetime,
    django_assert_num_queries: DjangoAssertNumQueries,
    extension: str,
    kind: str,
    queries: int,
) -> None:
    for count in (1, 29):
        for n in range(count):
            authors = ["Ada Example", f"Author {count} {n}"]
            place = SeriesPlace("B0SERIES01", "Grains", str(n))
            make_audiobook(now=now, authors=authors, series=[place])
        ada, series = Contributor.objects.get(name="Ada Example"), Series.objects.get()
        paths = {
            "upcoming": PATH,
            "author": f"/feeds/authors/{ada.pk}",
            "series": f"/feeds/series/{series.pk}",
        }
        with django_assert_num_queries(queries):
            answer = client.get(f"{paths[kind]}.{extension}")
        assert answer.content.count(b"urn:stalkerr:us:") == (1 if count == 1 else 30)


def test_who_has_no_title_to_show_has_a_valid_feed(client: Client) -> None:
    for extension in ("rss", "atom"):
        assert entries(client, f"{PATH}.{extension}") == []
    assert atom_errors(client.get(f"{PATH}.atom").content) == []
    assert client.get(f"{PATH}.json").json()["items"] == []


def test_an_odd_question_is_refused_in_plain_text(client: Client) -> None:
    for extension in READ:
        answer = client.get(f"{PATH}.{extension}?marketplace=%3Cscript%3E")
        assert (answer.status_code, answer["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert client.post(f"{PATH}.rss").status_code == 405
    for path in ("/feeds/<script>", "/feeds/upcoming.exe", "/feeds/upcoming"):
        missing = client.get(path)
        assert (missing.status_code, missing["Content-Type"]) == (404, "text/plain; charset=utf-8")


def test_who_asks_too_often_has_to_wait(client: Client) -> None:
    answers = [client.get(f"{PATH}.{('rss', 'json')[n % 2]}") for n in range(101)]
    assert [answer.status_code for answer in answers] == [200] * 100 + [429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert answers[-1]["Content-Type"] == "text/plain; charset=utf-8"


def test_the_statement_of_a_feed_reads_no_table_through(client: Client, now: dt.datetime) -> None:
    """Its people, places and news are found by index, row by row."""
    make_audiobook(now=now)
    with CaptureQueriesContext(connection) as asked:
        client.get(f"{PATH}.rss")
    statement = asked.captured_queries[-1]["sql"]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN (FORMAT JSON) " + statement)
        plan = json.dumps(cursor.fetchone())
    assert "Seq Scan" not in plan
