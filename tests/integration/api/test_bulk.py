"""/api/watches/bulk: many watches at once, all of them or none, in as many statements as for one."""

import dataclasses
import datetime as dt
import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from catalog.listing import CreditLine, SeriesPlace
from catalog.models import Watch, WatchKey, WatchQuery
from catalog.services import record_listings
from notifications.models import Delivery, Route
from notifications.services import cancel_unwanted
from tests.factories import (
    event_of,
    make_audiobook,
    make_channel,
    make_delivery,
    make_listing,
    make_watch,
)
from tests.integration.api.conftest import ClientOf
from tests.integration.api.test_strangers import everything

PATH = "/api/watches/bulk"
CHANGES = ("mute", "unmute", "delete")


def authors(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"kind": "author", "query": f"Author {n}"} for n in range(first, first + count)]


def test_what_is_made_at_once_is_what_is_made_one_by_one(
    alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard add_watches against save_watch: ids, keys, queries, phrases, routes."""
    place = SeriesPlace("B0SERIES01", "The Long Tide", "1")
    people = (
        ("Ada Example", "B00ADAONE1"),
        ("Two Names", "B00ADATWO2"),
        ("Two Names", "B00ADATRE3"),
    )
    listings = [
        dataclasses.replace(make_listing(series=[place]), credits=(CreditLine(*who, "author"),))
        for who in people
    ]
    record_listings(listings=listings, fetched_at=now, now=now)
    asked: list[dict[str, Any]] = [
        {"kind": "author", "query": "Ada Example", "marketplaces": ["us", "uk"]},
        {"kind": "author", "query": "Two Names"},
        {"kind": "author", "query": "Eve", "asin": "B00EVEONE1", "aliases": ["B00PENNAM3"]},
        {"kind": "series", "query": "The Long Tide"},
        {"kind": "series", "query": "Long", "asin": "B0SERIES01"},
        {"kind": "keyword", "query": '"glass tide" wave', "excluded_words": ["sand"]},
        {"kind": "narrator", "query": "Nora Reader", "languages": ["Deutsch"], "muted": True},
        {"kind": "publisher", "query": "House"},
        {"kind": "genre", "query": "123"},
        {"kind": "asin", "query": "b0glass001", "remind_days": [1]},
    ]
    answer = client_of(alice).post(PATH, {"watches": asked})
    assert answer.status_code == 201, answer.json()
    stored = _stored(alice)  # before those of Bob bring hers what she lacks
    one_by_one = [client_of(bob).post("/api/watches", each).json() for each in asked]
    varying = {"id", "created_at"}
    for made, alone in zip(answer.json()["watches"], one_by_one, strict=True):
        assert {k: v for k, v in made.items() if k not in varying} == {
            k: v for k, v in alone.items() if k not in varying
        }
    for ours, theirs in zip(stored, _stored(bob), strict=True):
        assert ours == theirs
    assert [made["asin"] for made in answer.json()["watches"]][:2] == ["B00ADAONE1", ""]
    assert len(answer.json()["watches"][1]["choices"]) == 2


def _stored(user: User) -> list[tuple[Any, ...]]:
    return [
        (
            *(watch.kind, watch.query, watch.required_keys, watch.excluded_keys, watch.phrase),
            set(WatchKey.objects.filter(watch=watch).values_list("key", flat=True)),
            set(WatchQuery.objects.filter(watch=watch).values_list("marketplace", "kind", "query")),
        )
        for watch in Watch.objects.filter(user=user).order_by("id")
    ]


def test_a_new_watch_is_told_over_its_channels(alice: User, bob: User, client_of: ClientOf) -> None:
    hook, other, theirs = make_channel(alice), make_channel(alice), make_channel(bob)
    one, two = authors(2)
    asked = [one | {"channels": [hook.pk, other.pk, hook.pk]}, two]
    made = client_of(alice).post(PATH, {"watches": asked}).json()["watches"]
    assert [watch["channels"] for watch in made] == [[hook.pk, other.pk], []]
    asked[1] = two | {"channels": [theirs.pk]}
    refused = client_of(alice).post(PATH, {"watches": asked})
    assert refused.json()["errors"] == {"watches.1.channels": [f"You have no channel {theirs.pk}."]}
    assert Route.objects.filter(user=alice).exclude(watch=None).count() == 2


def test_it_is_as_its_user_prefers(alice: User, client_of: ClientOf) -> None:
    """Proves the guard initial_data."""
    client = client_of(alice)
    client.patch("/api/preferences", {"marketplaces": ["de"], "remind_days": [2]})
    one, two = client.post(PATH, {"watches": authors(2)}).json()["watches"]
    assert (one["marketplaces"], two["remind_days"]) == (["de"], [2])


def test_all_are_made_or_none(alice: User, client_of: ClientOf) -> None:
    """And each is told why not."""
    asked = [
        *authors(2),
        {"kind": "author", "query": "..."},
        {"kind": "nothing", "query": "x"},
        {"query": "x"},
        "x",
        None,
    ]
    answer = client_of(alice).post(PATH, {"watches": asked})
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    errors = answer.json()["errors"]
    assert list(errors)[:3] == ["watches.2.query", "watches.3.kind", "watches.4.kind"]
    assert {name.split(".")[1] for name in errors} == {"2", "3", "4", "5", "6"}
    assert not Watch.objects.exists()


def test_the_same_twice_is_refused(alice: User, client_of: ClientOf) -> None:
    asked = [*authors(2), {"kind": "author", "query": "AUTHOR  0"}]
    answer = client_of(alice).post(PATH, {"watches": asked})
    assert answer.json()["errors"] == {"watches.2.query": ["This is the same as number 0."]}
    assert not Watch.objects.exists()


def test_two_hundred_cost_as_many_statements_as_one(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard set-based."""
    client, counts = client_of(alice), []
    channel = make_channel(alice)
    for count, first in ((1, 0), (200, 1)):
        kinds = ("author", "keyword", "series", "narrator")
        asked = [
            {"kind": kind, "query": f"Some {n}", "channels": [channel.pk]}
            for n in range(first, first + max(1, count // 4))
            for kind in kinds
        ][: max(4, count)]
        with CaptureQueriesContext(connection) as made:
            answer = client.post(PATH, {"watches": asked})
        assert answer.status_code == 201
        counts.append(len(made))
    assert counts[0] == counts[1]
    assert Watch.objects.count() == 204
    changes = []
    ids = list(Watch.objects.values_list("id", flat=True))
    for change in CHANGES:
        for some in (ids[:1], ids[1:200]):
            with CaptureQueriesContext(connection) as changed:
                assert client.post(f"{PATH}/{change}", {"ids": some}).status_code == 200
            changes.append(len(changed))
    assert changes[0::2] == changes[1::2]


def test_watches_are_paused_and_heard_again(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    client = client_of(alice)
    watches = [make_watch(alice, f"Author {n}", now=now) for n in range(3)]
    ids = [watch.pk for watch in watches]
    channel = make_channel(alice)
    event = event_of(make_audiobook(now=now, authors=["Author 0"]))
    promise = make_delivery(channel, event, now=now, watch_ids=ids[:1])
    assert client.post(f"{PATH}/mute", {"ids": [*ids[:2], ids[0]]}).json() == {"changed": 2}
    assert client.post(f"{PATH}/mute", {"ids": ids}).json() == {"changed": 1}
    assert Watch.objects.filter(muted=True).count() == 3
    cancel_unwanted(now=now)
    assert Delivery.objects.get(pk=promise.pk).state == "cancelled"
    assert client.post(f"{PATH}/unmute", {"ids": ids[:2]}).json() == {"changed": 2}
    assert list(Watch.objects.filter(muted=True)) == [watches[2]]


def test_watches_are_deleted(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    client = client_of(alice)
    ids = [make_watch(alice, f"Author {n}", now=now).pk for n in range(3)]
    assert client.post(f"{PATH}/delete", {"ids": ids[:2]}).json() == {"changed": 2}
    assert [watch["id"] for watch in client.get("/api/watches").json()["results"]] == ids[2:]
    assert set(WatchKey.objects.values_list("watch_id", flat=True)) == {ids[2]}
    assert set(WatchQuery.objects.values_list("watch_id", flat=True)) == {ids[2]}
    assert client.post(f"{PATH}/delete", {"ids": ids}).status_code == 404
    assert Watch.objects.of(alice.pk).count() == 1


@pytest.mark.parametrize("change", CHANGES)
def test_where_one_is_somebody_elses_nothing_changes(
    change: str, alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guards mine and missing."""
    mine = make_watch(alice, now=now, muted=change == "unmute")
    theirs = make_watch(bob, now=now, muted=change == "unmute")
    before = everything()
    answer = client_of(alice).post(f"{PATH}/{change}", {"ids": [mine.pk, theirs.pk]})
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["detail"] == f"You have no watch {theirs.pk}; nothing was changed."
    assert everything() == before


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "[]",
        "null",
        '{"ids": []}',
        '{"ids": "1"}',
        '{"ids": [0]}',
        '{"ids": [-1]}',
        '{"ids": [1.5]}',
        '{"ids": [99999999999999999999]}',
        r'{"ids": ["1\u0000"]}',
        json.dumps({"ids": list(range(1, 10_001))}),
    ],
)
@pytest.mark.parametrize("change", CHANGES)
def test_ids_that_are_none_are_refused(
    change: str, body: str, alice: User, client_of: ClientOf
) -> None:
    answer = client_of(alice).post(f"{PATH}/{change}", body, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "[]",
        '{"watches": []}',
        '{"watches": {}}',
        '{"watches": [[]]}',
        r'{"watches": [{"kind": "author", "query": "a\u0000"}]}',
        r'{"watches": [{"kind": "author", "query": "\ud800"}]}',
        json.dumps({"watches": authors(201)}),
        json.dumps({"watches": [None] * 10_000}),
    ],
)
def test_watches_that_are_none_are_refused(body: str, alice: User, client_of: ClientOf) -> None:
    answer = client_of(alice).post(PATH, body, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert not Watch.objects.exists()
