"""POST /api/watches/preview: how much a watch would find, before it is made."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from api.rest import previews as answers
from catalog.models import Mark
from catalog.services import publish_events
from notifications import previews, replays
from tests.factories import event_of, make_audiobook
from tests.integration.api.conftest import ClientOf
from tests.integration.api.test_strangers import everything

PATH = "/api/watches/preview"
DRAFT = {"kind": "author", "query": "Ada Example"}
DAY = dt.timedelta(days=1)


def test_titles_and_news_are_counted(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    make_audiobook(now=now - 2 * DAY, title="Glass Tide")
    make_audiobook(now=now - 2 * DAY, title="Glass Tide", marketplace="uk")
    make_audiobook(now=now - 3 * DAY, title="Salt Road")
    make_audiobook(now=now - 200 * DAY, title="Long out", out_in=-199)
    make_audiobook(now=now - DAY, title="Sand (Part 1 of 2)")
    make_audiobook(now=now - DAY, title="Another's", authors=["Ben Sample"])
    owned = make_audiobook(now=now - DAY, title="Owned")
    Mark.objects.create(user=alice, work=owned.work, kind=Mark.Kind.HAVE_IT)
    braked = event_of(make_audiobook(now=now - DAY, title="Braked"))
    braked.held_by, braked.braked_at = 1, now
    braked.save()
    publish_events()
    before = everything()
    answer = client_of(alice).post(PATH, DRAFT)
    assert answer.status_code == 200, answer.json()
    assert answer.json() == {"titles": 3, "upcoming": 2, "news": 2}
    both = client_of(alice).post(PATH, DRAFT | {"marketplaces": ["us", "uk"], "hidden": []})
    assert both.json() == {"titles": 5, "upcoming": 4, "news": 3}
    assert everything() == before


def test_it_counts_as_its_user_prefers(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    client = client_of(alice)
    client.patch("/api/preferences", {"marketplaces": ["uk"]})
    make_audiobook(now=now, marketplace="uk")
    assert client.post(PATH, DRAFT).json()["titles"] == 1


def test_what_is_too_much_is_not_counted_to_its_end(
    alice: User, client_of: ClientOf, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guards TITLES_MAX and EVENTS_MAX."""
    for _ in range(3):
        make_audiobook(now=now - DAY)
    publish_events()
    monkeypatch.setattr(previews, "TITLES_MAX", 2)
    assert client_of(alice).post(PATH, DRAFT).json() == {
        "titles": None,
        "upcoming": None,
        "news": 3,
    }
    monkeypatch.setattr(replays, "EVENTS_MAX", 2)
    assert client_of(alice).post(PATH, DRAFT).json()["news"] is None


def test_it_is_quick_or_says_that_it_was_not(
    alice: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard PATIENCE."""
    monkeypatch.setattr(replays, "PATIENCE", dt.timedelta(milliseconds=20))
    monkeypatch.setattr(previews, "_COUNT", "SELECT pg_sleep(30), 1 WHERE %(watch)s IS NOT NULL")
    answer = client_of(alice).post(PATH, DRAFT)
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")


def test_there_is_an_end_to_asking(
    alice: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "RATE", "1/h")
    statuses = [client_of(alice).post(PATH, DRAFT).status_code for _ in range(2)]
    assert statuses == [200, 429]


@pytest.mark.parametrize("body", [{}, {"kind": "author"}, DRAFT | {"query": "..."}])
def test_what_is_no_watch_is_refused(body: Any, alice: User, client_of: ClientOf) -> None:
    answer = client_of(alice).post(PATH, body)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_it_costs_the_same_for_one_title_and_for_many(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    counts = []
    for count in (1, 20):
        for _ in range(count):
            make_audiobook(now=now - DAY)
        publish_events()
        with CaptureQueriesContext(connection) as asked:
            assert client_of(alice).post(PATH, DRAFT).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1]
