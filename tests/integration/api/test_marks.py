"""Marks: a user's last word on a work, over all its editions."""

import datetime as dt
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from catalog.models import Mark, ReleaseEvent
from notifications import services
from notifications.models import Delivery
from tests.factories import make_audiobook, make_channel, make_watch
from tests.integration.api.conftest import ClientOf
from tests.promises import fan_out

PATH = "/api/marks"
HOUR = dt.timedelta(hours=1)


def states(user: User) -> list[str]:
    """Of the user's deliveries, in the order of their events."""
    mine = Delivery.objects.filter(user=user).order_by("event_id")
    return list(mine.values_list("state", flat=True))


@pytest.mark.parametrize("named", ["work", "audiobook", "asin"])
def test_a_mark_names_a_work_or_any_edition_of_it(
    named: str, alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    book = make_audiobook(now=now, asin="B0MARKED01", title="Glass Tide")
    names: dict[str, dict[str, Any]] = {
        "work": {"work": book.work_id},
        "audiobook": {"audiobook": book.id},
        "asin": {"marketplace": "us", "asin": "b0marked01"},
    }
    answer = client_of(alice).post(PATH, {"kind": "have_it"} | names[named])
    mark = Mark.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": mark.id,
        "kind": "have_it",
        "work": book.work_id,
        "title": "Glass Tide",
        "editions": [{"marketplace": "us", "asin": "B0MARKED01"}],
        "created_at": answer.json()["created_at"],
    }
    assert (mark.user, mark.work) == (alice, book.work)


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "have_it"},
        {"kind": "have_it", "work": 2**62},
        {"kind": "have_it", "asin": "B0MARKED01"},
        {"kind": "have_it", "marketplace": "us", "asin": "B0UNKNOWN1"},
        {"kind": "sold_it", "marketplace": "us", "asin": "B0MARKED01"},
        {"kind": "have_it", "work": 0},
    ],
)
def test_what_names_no_work_is_refused(
    body: dict[str, Any], alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    make_audiobook(now=now, asin="B0MARKED01")
    assert client_of(alice).post(PATH, body).status_code == 400
    assert not Mark.objects.exists()


def test_the_later_word_counts_and_can_be_taken_back(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    book, client = make_audiobook(now=now), client_of(alice)
    client.post(PATH, {"kind": "not_interested", "work": book.work_id})
    mark = client.post(PATH, {"kind": "have_it", "work": book.work_id}).json()
    assert [each["kind"] for each in client.get(PATH).json()["results"]] == ["have_it"]
    assert client.patch(f"{PATH}/{mark['id']}", {"kind": "not_interested"}).status_code == 405
    assert client.delete(f"{PATH}/{mark['id']}").status_code == 204
    assert not Mark.objects.exists()


def test_a_mark_takes_back_what_is_pending_of_every_edition_and_of_no_other_work(
    alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    for user in (alice, bob):
        make_channel(user)
        make_watch(user, now=now, marketplaces=["us", "uk"], per_edition=True)
    us = make_audiobook(now=now + HOUR, asin="B0MARKED01", title="Glass Tide")
    make_audiobook(now=now + HOUR, asin="B0MARKED01", title="Glass Tide", marketplace="uk")
    make_audiobook(now=now + HOUR, title="Another")
    fan_out(now + HOUR)
    client_of(alice).post(PATH, {"kind": "not_interested", "audiobook": us.id})
    assert states(alice) == ["cancelled", "cancelled", "pending"]
    assert states(bob) == ["pending"] * 3


def test_a_marked_work_is_not_told_by_an_edition_that_comes_later(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=["us", "uk"])
    us = make_audiobook(now=now + HOUR, title="Glass Tide")
    client_of(alice).post(PATH, {"kind": "have_it", "audiobook": us.id})
    make_audiobook(now=now + HOUR, title="Glass Tide (Unabridged)", marketplace="uk")
    fan_out(now + HOUR)
    assert states(alice) == []


def test_a_promise_made_while_the_mark_was_set_goes_with_the_next_sweep(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard edited_at of marks: a chunk under way had not seen the mark yet."""
    channel = make_channel(alice)
    watch = make_watch(alice, now=now)
    book = make_audiobook(now=now + HOUR)
    client_of(alice).post(PATH, {"kind": "have_it", "audiobook": book.id})
    Delivery.objects.create(
        event=ReleaseEvent.objects.get(),
        source_at=now,
        user=alice,
        channel=channel,
        channel_kind=channel.kind,
        destination=channel.destination,
        watch_ids=[watch.id],
        due_at=now,
        created_at=now,
    )
    services.cancel_unwanted(now=now + HOUR)
    assert states(alice) == ["cancelled"]


def test_marks_are_listed_at_the_same_cost_for_many(
    alice: User,
    client_of: ClientOf,
    now: dt.datetime,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client = client_of(alice)
    for number in range(8):
        work = make_audiobook(now=now, title=f"Book {number} of many").work
        Mark.objects.create(user=alice, work=work, kind=Mark.Kind.HAVE_IT)
    with django_assert_num_queries(4):  # the clock, who asks, marks, editions
        assert len(client.get(PATH).json()["results"]) == 8
