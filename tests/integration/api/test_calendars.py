"""/feeds/….ics: days that move and vanish in the calendars of those who took them over."""

import datetime as dt
from typing import Any

import icalendar
import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from catalog.models import Audiobook, Contributor, ReleaseEvent
from tests.factories import make_audiobook
from tests.feeds import feed_of, hostile_texts

PATH = "/feeds/upcoming.ics"
MINUTE = dt.timedelta(minutes=1)


def events(body: bytes) -> list[Any]:
    """The events of a calendar that is read as a stranger reads it."""
    assert max(map(len, body.split(b"\r\n"))) <= 75
    found: list[Any] = icalendar.Calendar.from_ical(body).walk("VEVENT")
    assert [event.errors for event in found] == [[]] * len(found)
    return found


def shown(client: Client, path: str = PATH) -> list[Any]:
    answer = client.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    return events(answer.content)


@pytest.mark.django_db
def test_a_title_is_a_whole_day_on_its_stores_calendar(client: Client, now: dt.datetime) -> None:
    cover = "https://covers.example.org/sand.jpg"
    book = make_audiobook(now=now, title="Sand; salt, \\ sea", cover_url=cover, marketplace="jp")
    (event,) = shown(client)
    assert (event.decoded("dtstart"), event.get("dtend")) == (book.release_date, None)
    assert event["uid"] == f"jp-{book.asin}@stalkerr"
    assert event["summary"] == "Sand; salt, \\ sea"
    assert event["url"] == f"https://www.audible.co.jp/pd/{book.asin}"
    assert (event["attach"], event["attach"].params["FMTTYPE"]) == (cover, "image/jpeg")
    assert (event["sequence"], event["status"], event["transp"]) == (0, "CONFIRMED", "TRANSPARENT")
    assert "By: Ada Example\nRead by: Nora Reader" in event["description"]
    assert event.decoded("created") == event.decoded("dtstamp") == now.replace(microsecond=0)
    assert not event.walk("VALARM")


@pytest.mark.django_db
def test_a_moved_date_is_the_same_event_with_a_higher_sequence(
    client: Client, now: dt.datetime
) -> None:
    book = make_audiobook(now=now)
    seen = []
    for turn in (1, 2, 3):
        (event,) = shown(client)
        seen.append((event["uid"], event["sequence"], event.decoded("dtstart")))
        make_audiobook(now=now + turn * MINUTE, asin=book.asin, out_in=30 + 10 * turn)
    assert [sequence for _, sequence, _ in seen] == [0, 1, 2]
    assert len({uid for uid, _, _ in seen}) == 1
    assert len({day for _, _, day in seen}) == 3


@pytest.mark.django_db
def test_a_withdrawn_title_is_cancelled_not_gone(client: Client, now: dt.datetime) -> None:
    book = make_audiobook(now=now)
    Audiobook.objects.filter(pk=book.pk).update(withdrawn_at=now)
    ReleaseEvent.objects.create(audiobook=book, kind="withdrawn", revision=2, seen_at=now)
    (event,) = shown(client)
    assert (event["status"], event["sequence"]) == ("CANCELLED", 1)


@pytest.mark.django_db
def test_a_calendar_has_days_only_and_keeps_those_just_passed(
    client: Client, now: dt.datetime
) -> None:
    for title, out_in in (
        ("soon", 1),
        ("today", 0),
        ("lately", -5),
        ("past", -9),
        ("some day", None),
    ):
        make_audiobook(now=now, title=title, out_in=out_in)
    assert [event["summary"] for event in shown(client)] == ["lately", "today", "soon"]


@pytest.mark.django_db
def test_a_calendar_is_filtered_and_costs_the_same_for_many(
    client: Client, now: dt.datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for count in (1, 29):
        for n in range(count):
            make_audiobook(now=now, authors=["Ada Example", f"Author {count} {n}"])
        ada = Contributor.objects.get(name="Ada Example")
        with django_assert_num_queries(2):  # the clock, the entries
            assert len(shown(client)) == (1 if count == 1 else 30)
        with django_assert_num_queries(3):  # and whose they are
            assert len(shown(client, f"/feeds/authors/{ada.pk}.ics")) == (1 if count == 1 else 30)
    assert len(shown(client, f"{PATH}?author=author 29 3")) == 1
    assert client.get(f"{PATH}?from_date=x").status_code == 400


@pytest.mark.django_db
def test_who_has_the_latest_calendar_is_told_so(client: Client, now: dt.datetime) -> None:
    make_audiobook(now=now)
    first = client.get(PATH)
    assert client.get(PATH, headers={"If-None-Match": first["ETag"]}).status_code == 304


def test_a_calendar_rings_when_its_owner_asked() -> None:
    from api.feeds.calendar import calendar

    kept, withdrawn = events(calendar(feed_of(["x"] * 7, remind_days=(7, 0))))[0::6]
    triggers = [alarm.decoded("trigger") for alarm in kept.walk("VALARM")]
    assert triggers == [dt.timedelta(days=-7, hours=8), dt.timedelta(hours=8)]
    assert withdrawn["status"] == "CANCELLED"
    assert not withdrawn.walk("VALARM")


def test_ten_thousand_hostile_titles_come_back_as_they_were() -> None:
    from api.feeds.calendar import calendar

    feed = feed_of(list(hostile_texts(10_000)), title="A,\r\nEND:VCALENDAR;\\", remind_days=(1,))
    found = events(calendar(feed))
    assert [event["summary"] for event in found] == [entry.title for entry in feed.entries]
    assert [event["description"] for event in found] == [entry.text() for entry in feed.entries]
    assert {event["uid"] for event in found} == {
        f"us-{entry.asin}@stalkerr" for entry in feed.entries
    }
