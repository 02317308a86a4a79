"""GET /api/events: all news, by a cursor that misses nothing."""

import datetime as dt
import json
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from django.db import connection
from jsonschema import Draft202012Validator
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from api.rest import events
from catalog.brake import drop_braked
from catalog.models import Audiobook, ReleaseEvent
from catalog.reminders import remind
from catalog.services import publish_events
from notifications.channels.webhook import body_of
from notifications.contents import release_contents
from stalkerr import clock
from stalkerr.processes import ROOT
from tests.concurrency import Paused
from tests.factories import make_audiobook, make_watch
from tests.hostile import TEXTS
from tests.integration.api.conftest import ClientOf
from tests.people import make_user

PATH = "/api/events"
HOUR = dt.timedelta(hours=1)
SCHEMA = json.loads((ROOT / "docs" / "reference" / "webhook-v1.schema.json").read_text())


def publish(*titles: str, now: dt.datetime, **facts: Any) -> None:
    """One announcement each, in this order."""
    for title in titles:
        make_audiobook(now=now, title=title, **facts)
        publish_events()


def page(client: APIClient, **asked: Any) -> tuple[list[str], int]:
    """Titles, and where to go on."""
    answer = client.get(PATH, asked)
    assert answer.status_code == 200, answer.json()
    body = answer.json()
    return [each["data"]["audiobook"]["title"] for each in body["results"]], body["next"]


def test_news_is_read_page_by_page_in_the_order_it_was_published(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    publish("One", "Two", "Three", now=now)
    client = client_of(alice)
    assert page(client, limit=2) == (["One", "Two"], 2)
    assert page(client, after=2, limit=2) == (["Three"], 3)
    assert page(client, after=3) == ([], 3)
    publish("Four", now=now)
    assert page(client, after=3) == (["Four"], 4)


def test_beyond_the_end_there_is_nothing_and_the_cursor_stays(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    publish("One", now=now)
    for after in (1, 2, 10**6, 2**63 - 1):
        assert page(client_of(alice), after=after) == ([], after)


def test_each_is_as_a_webhook_has_it(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    facts = {"series": [], "runtime_minutes": 725, "cover_url": "https://images.example/c.jpg"}
    publish("Glass Tide", now=now, **facts)
    make_audiobook(now=now + HOUR, asin=ReleaseEvent.objects.get().audiobook.asin, out_in=60)
    publish_events()
    shown = client_of(alice).get(PATH).json()["results"]
    assert [each["type"] for each in shown] == ["release.announced", "release.date_moved"]
    assert shown[1]["data"]["old_date"] == shown[0]["data"]["audiobook"]["release_date"]
    for event, each in zip(ReleaseEvent.objects.order_by("id"), shown, strict=True):
        Draft202012Validator(SCHEMA).validate(each)
        assert each == body_of(release_contents([event.id])[event.id], event.seen_at)
        assert each["data"]["event_id"] == event.published_seq
        assert each["data"]["why"] == ""


# PostgreSQL takes neither NUL nor halves of characters.
@pytest.mark.parametrize(
    "text", [each for each in TEXTS if not re.search("[\x00\ud800-\udfff]", each)]
)
def test_hostile_titles_are_clean_here_too(
    text: str, alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    publish("A Title", now=now)
    Audiobook.objects.update(title=text)
    for each in client_of(alice).get(PATH).json()["results"]:
        Draft202012Validator(SCHEMA).validate(each)
        assert "\n" not in each["data"]["headline"]
        assert "\u202e" not in each["data"]["headline"]


def test_a_filter_leaves_out_the_rest_and_moves_the_cursor_past_it(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    publish("One", now=now)
    publish("Zwei", now=now, marketplace="de")
    publish("Three", now=now)
    client = client_of(alice)
    assert page(client, marketplace="de") == (["Zwei"], 3)
    assert page(client, marketplace="de", limit=1) == (["Zwei"], 2)
    assert page(client, kind="out_now") == ([], 3)
    assert page(client, kind="announced", marketplace="us", limit=2) == (["One", "Three"], 3)


def test_a_filter_that_lets_little_through_looks_at_so_many_at_a_time(
    alice: User, client_of: ClientOf, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard LOOKED_AT: one request does not read all news there ever was."""
    monkeypatch.setattr(events, "LOOKED_AT", 2)
    publish("One", "Two", "Three", now=now)
    publish("Vier", now=now, marketplace="de")
    client = client_of(alice)
    assert page(client, marketplace="de") == ([], 2)
    assert page(client, marketplace="de", after=2) == (["Vier"], 4)


def test_what_is_held_or_was_dropped_is_not_shown(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard not_dropped: what a person called untrue would come with the next number."""
    make_audiobook(now=now, title="Untrue")
    ReleaseEvent.objects.update(held_by=1, braked_at=now)
    publish("True", now=now)
    client = client_of(alice)
    assert page(client) == (["True"], 1)
    drop_braked(event_ids=ReleaseEvent.objects.braked().values_list("id", flat=True), now=now)
    publish_events()
    assert page(client) == (["True"], 2)


def test_reminders_are_for_those_who_asked(
    alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard that leaves reminders out: they say what somebody else waits for."""
    make_watch(bob, now=now, remind_days=[30, 29])
    publish("Glass Tide", now=now)
    assert remind(now=now + 24 * HOUR)
    publish_events()
    results = client_of(alice).get(PATH).json()["results"]
    assert [each["type"] for each in results] == ["release.announced"]


def test_news_without_a_number_is_not_there_yet(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    make_audiobook(now=now, title="Soon")
    assert page(client_of(alice)) == ([], 0)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        *(({"after": value}, "after") for value in ("x", "-1", "1.5", str(2**63), "9" * 2000)),
        *(({"limit": value}, "limit") for value in ("0", "201", "all")),
        ({"marketplace": "xx"}, "marketplace"),
        ({"kind": "reminder"}, "kind"),
        ({"kind": "announced\x00"}, "kind"),
    ],
)
def test_what_can_not_be_meant_is_said_to_be_so(
    asked: dict[str, str], field: str, alice: User, client_of: ClientOf
) -> None:
    answer = client_of(alice).get(PATH, asked)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert list(answer.json()["errors"]) == [field]


def test_a_page_costs_the_same_for_one_event_and_for_many(
    alice: User,
    client_of: ClientOf,
    now: dt.datetime,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client = client_of(alice)
    for number in (1, 9):
        publish(*(f"Title {n}" for n in range(number)), now=now)
        with django_assert_num_queries(5):  # the clock, the user, the newest, events, contents
            page(client, marketplace="us")


# -- while others write ----------------------------------------------------------------------------
def announce(number: int) -> None:
    """What a visit does: its news commits, then somebody numbers what there is."""
    try:
        now = clock.now()
        make_audiobook(now=now, title=f"Title {number}", authors=[f"A{number}"], narrators=[])
        publish_events()
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_reader_with_a_cursor_misses_nothing_while_others_write(client_of: ClientOf) -> None:
    """Every number once, upwards, no gap: the reader's end of test_publish_events.py."""
    client, after = client_of(make_user("alice")), 0
    seen: list[int] = []
    with ThreadPoolExecutor(4) as writers:
        writing = [writers.submit(announce, number) for number in range(40)]
        while len(seen) < 40:
            if all(write.done() for write in writing):
                assert page(client, after=after)[1] > after, "numbers were passed over"
            results, after = numbers_after(client, after)
            seen += results
    for write in writing:
        write.result()
    assert seen == list(range(1, 41))


def numbers_after(client: APIClient, after: int, limit: int = 3) -> tuple[list[int], int]:
    body = client.get(PATH, {"after": after, "limit": limit}).json()
    return [each["data"]["event_id"] for each in body["results"]], body["next"]


@pytest.mark.django_db(transaction=True)
def test_what_is_published_while_a_page_is_made_is_not_passed_over(client_of: ClientOf) -> None:
    """Proves that the newest number is read before the page: after it, the cursor would skip news."""
    client, after = client_of(make_user("alice")), 0
    announced = count()
    seen: list[int] = []

    def announce_after(execute: Any, *statement: Any) -> Any:
        result = execute(*statement)
        with ThreadPoolExecutor(1) as others:
            others.submit(announce, next(announced)).result()
        return result

    with connection.execute_wrapper(announce_after):
        results, after = numbers_after(client, after, limit=50)
    while results:
        seen += results
        results, after = numbers_after(client, after, limit=50)
    assert len(seen) == next(announced) > 4
    assert seen == list(range(1, len(seen) + 1))


@pytest.mark.django_db(transaction=True)
def test_older_news_that_commits_later_comes_later_and_is_not_missed(client_of: ClientOf) -> None:
    client = client_of(make_user("alice"))
    now = clock.now()
    late = Paused(lambda: make_audiobook(now=now, title="Older", authors=["O"], narrators=[]))
    publish("Newer", now=now, authors=["N"], narrators=[])
    titles, after = page(client)
    late.finish()
    publish_events()
    assert (titles, page(client, after=after)) == (["Newer"], (["Older"], 2))
