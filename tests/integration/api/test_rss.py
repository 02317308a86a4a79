"""/rss/upcoming: well-formed whatever a store said, stable, cheap to poll."""

import calendar
import datetime as dt
import itertools
from typing import Any
from urllib.parse import quote

import feedparser
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from pytest_django import DjangoAssertNumQueries

from api.feeds.upcoming import description, feed
from catalog.models import Audiobook, Contributor, Credit, Series, SeriesEntry
from tests.factories import make_audiobook

PATH = "/rss/upcoming"


def parsed(body: bytes) -> Any:
    result = feedparser.parse(body)
    assert not result.bozo, result.get("bozo_exception")
    return result


def entries(client: Client, query: str = "") -> list[Any]:
    answer = client.get(f"{PATH}?{query}")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/rss+xml")
    found: list[Any] = parsed(answer.content).entries
    return found


def test_an_entry_says_what_when_and_where(
    client: Client, now: dt.datetime, fresh_limits: None
) -> None:
    book = make_audiobook(now=now, title="Of Sand", summary="Much sand.")
    (entry,) = entries(client)
    assert entry.title == "Of Sand"
    assert entry.link == f"https://www.audible.com/pd/{book.asin}"
    assert (entry.id, entry.guidislink) == (f"urn:stalkerr:us:{book.asin}", False)
    assert "By: Ada Example<br />Read by: Nora Reader<br />" in entry.description
    assert "<p>Much sand.</p>" in entry.description


def test_an_entry_is_dated_by_its_announcement_not_by_the_future(
    client: Client, now: dt.datetime, fresh_limits: None
) -> None:
    make_audiobook(now=now, out_in=300)
    (entry,) = entries(client)
    assert calendar.timegm(entry.published_parsed) == int(now.timestamp())


def test_the_latest_announced_comes_first_and_filters_apply(
    client: Client, now: dt.datetime, fresh_limits: None
) -> None:
    for days, title in enumerate(("old", "newer", "newest")):
        make_audiobook(now=now + dt.timedelta(minutes=days), out_in=9 - days, title=title)
    make_audiobook(now=now, marketplace="de", title="anders", authors=["Zoë Müller"])
    assert [entry.title for entry in entries(client)] == ["newest", "newer", "anders", "old"]
    assert [entry.title for entry in entries(client, "marketplace=de")] == ["anders"]
    assert [entry.title for entry in entries(client, "author=muller")] == ["anders"]
    assert [entry.title for entry in entries(client, "q=newest")] == ["newest"]
    assert [entry.title for entry in entries(client, "language=german&q=old")] == []


def test_the_feed_names_itself_and_us(client: Client, now: dt.datetime, fresh_limits: None) -> None:
    answer = client.get(f"{PATH}?q={quote('a&b<c>')}")
    channel = parsed(answer.content).feed
    links = {link.rel: link.href for link in channel.links}
    assert channel.link == "http://127.0.0.1:8000/"
    assert links["self"] == "http://127.0.0.1:8000/rss/upcoming?q=a%26b%3Cc%3E"


def test_who_has_the_latest_is_told_so(
    client: Client, now: dt.datetime, fresh_limits: None
) -> None:
    make_audiobook(now=now)
    first = client.get(PATH)
    assert first["Cache-Control"] == "public, max-age=300"
    by_tag = client.get(PATH, headers={"If-None-Match": first["ETag"]})
    by_date = client.get(PATH, headers={"If-Modified-Since": first["Last-Modified"]})
    for again in (by_tag, by_date):
        assert (again.status_code, again.content) == (304, b"")
        assert (again["ETag"], again["Cache-Control"]) == (first["ETag"], first["Cache-Control"])
    make_audiobook(now=now + dt.timedelta(seconds=1))
    for name, value in (
        ("If-None-Match", first["ETag"]),
        ("If-Modified-Since", first["Last-Modified"]),
    ):
        assert client.get(PATH, headers={name: value}).status_code == 200


def test_a_moved_date_changes_the_entry_and_not_its_identity(
    client: Client, now: dt.datetime, fresh_limits: None
) -> None:
    book = make_audiobook(now=now)
    (before,), tag = entries(client), client.get(PATH)["ETag"]
    make_audiobook(now=now + dt.timedelta(seconds=1), asin=book.asin, out_in=90)
    (after,) = entries(client)
    assert (after.id, after.published) == (before.id, before.published)
    assert after.description != before.description
    assert client.get(PATH)["ETag"] != tag


def test_the_feed_costs_the_same_for_one_title_and_for_many(
    client: Client,
    now: dt.datetime,
    fresh_limits: None,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for count in (1, 10):
        for n in range(count):
            make_audiobook(now=now, authors=[f"Author {count} {n}"])
        with django_assert_num_queries(4):  # the clock, audiobooks, people, series
            client.get(PATH)


def test_an_odd_question_is_refused_in_plain_text(
    client: Client, db: None, fresh_limits: None
) -> None:
    answer = client.get(f"{PATH}?marketplace=%3Cscript%3E")
    assert (answer.status_code, answer["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert client.post(PATH).status_code == 405
    missing = client.get("/rss/<script>")
    assert (missing.status_code, missing["Content-Type"]) == (404, "text/plain; charset=utf-8")


def test_who_asks_too_often_has_to_wait(client: Client, db: None, fresh_limits: None) -> None:
    answers = [client.get(PATH) for _ in range(101)]
    assert [answer.status_code for answer in answers] == [200] * 100 + [429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert answers[-1]["Content-Type"] == "text/plain; charset=utf-8"


_numbers = itertools.count(1)
hostile = st.one_of(
    st.text(),  # surrogates too
    st.text(st.characters(max_codepoint=0x2FF)),
    st.lists(
        st.sampled_from(
            [
                *("<script>alert(1)</script>", "]]>", "</title>", "&amp;", "&#0;", "<!--", "\x00"),
                *("\x0b", "\ufffe", "\ud800", "\u202e", "\r\n", "{{7*7}}", "<![CDATA[", '"', "é"),
            ]
        )
    ).map("".join),
)


def invented(text: str) -> Audiobook:
    """An audiobook that says `text` everywhere, with no database."""
    now = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    book = Audiobook(
        id=next(_numbers),
        marketplace="us",
        asin="B000000001",
        title=text,
        language=text,
        summary=text,
        release_date=dt.date(2027, 3, 1),
        first_seen_at=now,
        fetched_at=now,
    )
    credit = Credit(role="author", contributor=Contributor(name=text))
    place = SeriesEntry(series=Series(title=text), sequence=text)
    vars(book)["_prefetched_objects_cache"] = {"credits": [credit], "places": [place]}
    return book


@settings(max_examples=200)
@given(st.lists(hostile, min_size=1, max_size=3))
def test_a_feed_of_hostile_texts_is_well_formed_and_holds_no_markup(texts: list[str]) -> None:
    body = feed([invented(text) for text in texts], PATH)
    assert len(parsed(body).entries) == len(texts)
    root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    assert {element.tag for item in root.iter("item") for element in item} == {
        *("title", "link", "description", "guid", "pubDate")
    }


@given(hostile)
def test_a_description_holds_no_tags_but_ours(text: str) -> None:
    tags = {part.split(">")[0] for part in description(invented(text)).split("<")[1:]}
    assert tags <= {"p", "/p", "br"}
