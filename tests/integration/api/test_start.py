"""The start page."""

import datetime as dt

import pytest
from django.test import Client

from tests.factories import make_audiobook

HOSTILE = "<script>alert('x')</script>\"><img onerror=x>"


@pytest.fixture(autouse=True)
def _fresh_page(fresh_limits: None, db: None) -> None:
    """All of the address' requests are left."""


def test_titles_are_text_whatever_they_say(client: Client, now: dt.datetime) -> None:
    make_audiobook(now=now, title=HOSTILE, authors=[HOSTILE])
    text = client.get("/").content.decode()
    assert "&lt;script&gt;alert" in text
    assert "<script" not in text
    assert "<img" not in text


def test_what_was_asked_is_shown_as_text(client: Client) -> None:
    text = client.get("/", {"q": HOSTILE}).content.decode()
    assert "<script" not in text
    assert "Nothing is announced that fits" in text


def test_the_page_is_searched_and_offers_the_feed_of_that_search(
    client: Client, now: dt.datetime
) -> None:
    make_audiobook(now=now, title="Of Sand")
    make_audiobook(now=now, title="Von Meer", marketplace="de")
    text = client.get("/", {"q": "", "marketplace": "de"}).content.decode()
    assert "Von Meer" in text
    assert "Of Sand" not in text
    for extension, kind, name in (
        ("rss", "application/rss+xml", "RSS"),
        ("atom", "application/atom+xml", "Atom"),
        ("json", "application/feed+json", "JSON"),
        ("ics", "text/calendar", "calendar"),
    ):
        found = f'type="{kind}" title="Upcoming audiobooks ({name})" '
        assert f'{found}href="/feeds/upcoming.{extension}?marketplace=de"' in text


def test_an_odd_question_gets_a_sentence(client: Client) -> None:
    answer = client.get("/", {"marketplace": "<script>"})
    assert answer.status_code == 400
    assert "<script" not in answer.content.decode()
