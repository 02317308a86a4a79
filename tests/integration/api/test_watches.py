"""Watches: said, changed and ended by their owner only."""

import dataclasses
import datetime as dt
from typing import Any

import pytest
from django.conf import settings
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks
from redis import Redis
from rest_framework.test import APIClient

from accounts.models import User
from catalog.listing import CreditLine
from catalog.models import Watch, WatchQuery
from catalog.services import record_listings
from notifications.models import Route
from tests.factories import make_channel, make_listing, make_watch
from tests.integration.api.conftest import ClientOf

PATH = "/api/watches"
MINIMAL = {"kind": "author", "query": "Ada Example"}


def errors_of(answer: Any) -> dict[str, list[str]]:
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    errors: dict[str, list[str]] = answer.json()["errors"]
    return errors


def test_a_watch_needs_no_more_than_a_kind_and_a_query(alice: User, client_of: ClientOf) -> None:
    answer = client_of(alice).post(PATH, MINIMAL)
    body = answer.json()
    watch = Watch.objects.get()
    assert answer.status_code == 201
    assert (watch.user, watch.id) == (alice, body["id"])
    assert body == {
        "id": watch.id,
        "kind": "author",
        "query": "Ada Example",
        "asin": "",
        "aliases": [],
        "marketplaces": ["us"],
        "languages": [],
        "hidden": ["podcast", "part", "omnibus", "ai_voice", "reissue"],
        "excluded_words": [],
        "event_kinds": ["announced", "date_moved", "out_now", "withdrawn", "restored"],
        "remind_days": [],
        "include_announced": True,
        "per_edition": False,
        "muted": False,
        "snoozed_until": None,
        "channels": [],
        "choices": [],
        "created_at": body["created_at"],
    }


def test_a_new_watch_is_ready_to_match(alice: User, client_of: ClientOf) -> None:
    client_of(alice).post(
        PATH, MINIMAL | {"asin": "B000AUTHOR", "marketplaces": ["de", "us", "de"]}
    )
    watch = Watch.objects.get()
    assert {key.key for key in watch.keys.all()} == {"author:B000AUTHOR", "author~ada example"}
    queries = WatchQuery.objects.filter(watch=watch).values_list("marketplace", "active_from")
    assert set(queries) == {("de", None), ("us", None)}


def test_a_new_watch_is_hinted_at_once(
    alice: User,
    client_of: ClientOf,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    broker = Redis.from_url(settings.BROKER_URL)
    broker.delete("stalkerr:scrape")
    with django_capture_on_commit_callbacks(execute=True):
        client_of(alice).post(PATH, MINIMAL)
    hints = broker.lrange("stalkerr:scrape", 0, -1)
    broker.delete("stalkerr:scrape")
    broker.close()
    assert len(hints) == 1
    assert b"scraping.visit_new_targets" in hints[0]


def test_a_query_is_stored_tidied(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    client.post(PATH, {"kind": "asin", "query": " b0123abcde "})
    client.post(PATH, {"kind": "series", "query": "  The \u200b Long\tTide "})
    assert list(Watch.objects.order_by("id").values_list("query", flat=True)) == [
        "B0123ABCDE",
        "The Long Tide",
    ]


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"kind": "reader"}, "kind", '"reader" is not a valid choice.'),
        ({"kind": "genre"}, "query", "This is not a category's id: digits only."),
        (
            {"kind": "narrator", "query": "Full Cast"},
            "query",
            "Stores write this where they name nobody: it can't be watched.",
        ),
        ({"kind": "narrator", "asin": "B012345678"}, "asin", "Only an author or a series has one."),
        ({"aliases": ["B0"]}, "aliases", "Each of these must be an ASIN: ten capitals and digits."),
        (
            {"kind": "publisher", "aliases": ["B012345678"]},
            "aliases",
            "Only an author has aliases.",
        ),
        ({"hidden": ["single"]}, "hidden.0", '"single" is not a valid choice.'),
        ({"query": ""}, "query", "This field may not be blank."),
        ({"query": " \u200b "}, "query", "There is no word in this to look for."),
        ({"query": "!!!"}, "query", "There is no word in this to look for."),
        ({"kind": "keyword", "query": '"…"'}, "query", "There is no word in this to look for."),
        ({"query": "x" * 201}, "query", "Ensure this field has no more than 200 characters."),
        ({"query": "a\x00b"}, "query", "Null characters are not allowed."),
        ({"query": ["a"]}, "query", "Not a valid string."),
        (
            {"kind": "asin", "query": "B012"},
            "query",
            "This is not an ASIN: ten capitals and digits.",
        ),
        ({"asin": "b012345678"}, "asin", "This is not an ASIN: ten capitals and digits."),
        ({"asin": "B01234567é"}, "asin", "This is not an ASIN: ten capitals and digits."),
        (
            {"kind": "keyword", "asin": "B012345678"},
            "asin",
            "Only an author or a series has one.",
        ),
        (
            {"kind": "asin", "query": "B012345678", "asin": "B012345679"},
            "asin",
            "This differs from the query; leave it out.",
        ),
        ({"marketplaces": ["us", "xx"]}, "marketplaces.1", '"xx" is not a valid choice.'),
        ({"marketplaces": []}, "marketplaces", "This list may not be empty."),
        ({"marketplaces": "us"}, "marketplaces", 'Expected a list of items but got type "str".'),
        ({"event_kinds": []}, "event_kinds", "This list may not be empty."),
        ({"event_kinds": ["gone"]}, "event_kinds.0", '"gone" is not a valid choice.'),
        (
            {"languages": ["x"] * 51},
            "languages",
            "Ensure this field has no more than 50 elements.",
        ),
        (
            {"excluded_words": ["ok", "--"]},
            "excluded_words",
            "Each of these needs a letter or a digit.",
        ),
        ({"channels": [10**30]}, "channels.0", "Ensure this value is less than or equal to"),
        ({"channels": [123456]}, "channels", "You have no channel 123456."),
        ({"snoozed_until": "soon"}, "snoozed_until", "Datetime has wrong format."),
        ({"snoozed_until": "0001-01-01T00:00:00+14:00"}, "snoozed_until", "Datetime value out of"),
    ],
)
def test_what_can_not_be_meant_is_refused_with_a_sentence(
    alice: User, client_of: ClientOf, changes: dict[str, Any], field: str, sentence: str
) -> None:
    errors = errors_of(client_of(alice).post(PATH, MINIMAL | changes))
    assert list(errors) == [field]
    assert errors[field][0].startswith(sentence)
    assert not Watch.objects.exists()


def test_a_partial_change_is_judged_with_what_stays(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    watch = make_watch(alice, "42", kind="keyword", now=now)
    answer = client_of(alice).patch(f"{PATH}/{watch.id}", {"kind": "asin"})
    assert errors_of(answer) == {"query": ["This is not an ASIN: ten capitals and digits."]}


def test_a_change_looks_at_earlier_promises_again(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    watch = make_watch(alice, now=now, excluded_words=["abridged"])
    answer = client_of(alice).patch(f"{PATH}/{watch.id}", {"query": "Bea Sample"})
    watch.refresh_from_db()
    assert answer.json()["query"] == watch.query == "Bea Sample"
    assert (watch.edited_at is not None, watch.excluded_words) == (True, ["abridged"])
    assert [key.key for key in watch.keys.all()] == ["author~bea sample"]


def test_a_replacement_resets_what_it_leaves_out(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    watch = make_watch(alice, now=now, muted=True, marketplaces=["de"])
    answer = client_of(alice).put(f"{PATH}/{watch.id}", MINIMAL)
    assert (answer.json()["muted"], answer.json()["marketplaces"]) == (False, ["us"])


def test_only_its_own_channels_hear_a_watch_that_names_some(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    one, two = make_channel(alice), make_channel(alice)
    client = client_of(alice)
    watch_id = client.post(PATH, MINIMAL | {"channels": [one.id, one.id]}).json()["id"]

    def routed() -> set[int]:
        return set(Route.objects.filter(watch=watch_id).values_list("channel_id", flat=True))

    assert routed() == {one.id}
    both = client.patch(f"{PATH}/{watch_id}", {"channels": [two.id, one.id]})
    assert both.json()["channels"] == sorted([one.id, two.id])
    assert client.patch(f"{PATH}/{watch_id}", {"muted": True}).json()["channels"] == sorted(
        routed()
    )
    assert client.patch(f"{PATH}/{watch_id}", {"channels": []}).json()["channels"] == []
    assert routed() == set()


def test_a_watch_can_not_be_sent_to_somebody_elses_channel(
    alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    channel = make_channel(bob)
    errors = errors_of(client_of(alice).post(PATH, MINIMAL | {"channels": [channel.id]}))
    assert errors == {"channels": [f"You have no channel {channel.id}."]}
    assert not Route.objects.filter(user=alice).exists()


def test_an_ended_watch_is_gone_for_its_owner(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    watch, client = make_watch(alice, now=now), client_of(alice)
    assert client.delete(f"{PATH}/{watch.id}").status_code == 204
    watch.refresh_from_db()
    assert watch.ended_at is not None
    assert client.get(PATH).json()["results"] == []
    for method in ("get", "delete", "patch"):
        assert getattr(client, method)(f"{PATH}/{watch.id}").status_code == 404


def test_fields_that_are_not_ones_own_to_set_stay_as_they_are(
    alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    watch = make_watch(alice, now=now)
    forbidden = {
        "id": 1,
        "user": bob.id,
        "user_id": bob.id,
        "is_staff": True,
        "created_at": "2001-01-01T00:00:00Z",
        "ended_at": "2001-01-01T00:00:00Z",
        "edited_at": None,
        "required_keys": ["word:x"],
        "phrase": "x",
        "queries": [],
        "keys": ["author~x"],
        "routes": [],
    }
    before = Watch.objects.filter(id=watch.id).values().get()
    answer = client_of(alice).patch(f"{PATH}/{watch.id}", forbidden)
    after = Watch.objects.filter(id=watch.id).values().get()
    assert answer.status_code == 200
    assert after | {"edited_at": None} == before
    alice.refresh_from_db()
    assert not alice.is_staff


@pytest.fixture
def namesakes(now: dt.datetime) -> list[str]:
    """The ASINs of two authors called Ada Example, the one with more titles first."""
    asins = ["B00ADAONE1", "B00ADATWO2"]
    for asin, title in zip([*asins, asins[0]], ["Glass", "Sand", "Tide"], strict=True):
        listing = make_listing(title=title, release_date=now.date() + dt.timedelta(days=90))
        credits = (CreditLine("Ada Example", asin, "author"),)
        listing = dataclasses.replace(listing, credits=credits)
        record_listings(listings=[listing], fetched_at=now, now=now)
    return asins


def test_a_watch_by_a_name_of_several_offers_a_choice_until_it_is_made(
    alice: User, client_of: ClientOf, namesakes: list[str]
) -> None:
    client = client_of(alice)
    made = client.post(PATH, MINIMAL).json()
    assert made["asin"] == ""
    assert made["choices"] == [
        {
            "asin": namesakes[0],
            "name": "Ada Example",
            "titles": 2,
            "latest": "Tide",
            "marketplaces": ["us"],
        },
        {
            "asin": namesakes[1],
            "name": "Ada Example",
            "titles": 1,
            "latest": "Sand",
            "marketplaces": ["us"],
        },
    ]
    path = f"{PATH}/{made['id']}"
    (listed,) = client.get(PATH).json()["results"]
    assert listed["choices"] == client.get(path).json()["choices"] == made["choices"]
    assert client.get("/api/contributors?name=ada%20exámple").json() == made["choices"]
    chosen = client.patch(path, {"asin": namesakes[1]}).json()
    assert (chosen["asin"], chosen["choices"]) == (namesakes[1], [])


def test_both_of_a_name_may_be_joined(
    alice: User, client_of: ClientOf, namesakes: list[str]
) -> None:
    client = client_of(alice)
    path = f"{PATH}/{client.post(PATH, MINIMAL).json()['id']}"
    joined = client.patch(path, {"asin": namesakes[0], "aliases": [namesakes[1]] * 2}).json()
    assert (joined["aliases"], joined["choices"]) == ([namesakes[1]], [])
    keys = set(Watch.objects.get().keys.values_list("key", flat=True))
    assert keys == {*(f"author:{asin}" for asin in namesakes), "author~ada example"}


def test_a_watch_by_a_name_of_one_is_given_the_asin(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    listing = dataclasses.replace(
        make_listing(), credits=(CreditLine("Ada Example", "B00ADAONE1", "author"),)
    )
    record_listings(listings=[listing], fetched_at=now, now=now)
    client = client_of(alice)
    made = client.post(PATH, MINIMAL).json()
    assert (made["asin"], made["choices"]) == ("B00ADAONE1", [])
    path = f"{PATH}/{made['id']}"
    respelt = client.patch(path, {"query": "ADA example"}).json()
    assert (respelt["query"], respelt["asin"]) == ("ADA example", "B00ADAONE1")
    assert client.patch(path, {"asin": ""}).json()["asin"] == ""


@pytest.mark.parametrize(
    "change", [{"query": "Bea Sample"}, {"kind": "keyword"}, {"kind": "narrator"}]
)
def test_another_person_does_not_inherit_the_asins_of_the_one_before(
    change: dict[str, str], alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    watch = make_watch(alice, now=now, asin="B00ADAONE1", aliases=["B00PENNAM3"])
    changed = client_of(alice).patch(f"{PATH}/{watch.id}", change).json()
    assert (changed["asin"], changed["aliases"]) == ("", [])


@pytest.mark.parametrize("query", ["", "?name=", "?name=%00", "?name=" + "x" * 201])
def test_contributors_are_asked_for_by_a_name(query: str, alice: User, client_of: ClientOf) -> None:
    errors = errors_of(client_of(alice).get(f"/api/contributors{query}"))
    assert list(errors) == ["name"]


def test_a_name_nobody_has_is_nobodys(alice: User, client_of: ClientOf, anybody: APIClient) -> None:
    assert client_of(alice).get("/api/contributors?name=!!!").json() == []
    assert anybody.get("/api/contributors?name=Ada").status_code == 401


def test_a_list_costs_the_same_for_one_watch_and_for_many(
    alice: User,
    client_of: ClientOf,
    now: dt.datetime,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client, channel = client_of(alice), make_channel(alice)
    for count in (1, 8):
        for n in range(count):
            watch = make_watch(alice, f"Author {count} {n}", now=now)
            Route.objects.create(user=alice, watch=watch, channel=channel)
        with django_assert_num_queries(5):  # the clock, the user, watches, routes, namesakes
            answer = client.get(PATH)
    assert len(answer.json()["results"]) == 9


def test_pages_follow_each_other_without_gap_or_repetition(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    made = [make_watch(alice, f"Author {n}", now=now).id for n in range(7)]
    client, seen, following = client_of(alice), [], f"{PATH}?page_size=3"
    sizes = []
    while following:
        page = client.get(following).json()
        sizes.append(len(page["results"]))
        seen += [watch["id"] for watch in page["results"]]
        following = page["next"]
    assert (seen, sizes) == (made, [3, 3, 1])


@pytest.mark.parametrize(
    "query",
    [
        *("page_size=0", "page_size=201", "page_size=x", "page_size=-1", "page_size=%C2%B2"),
        *("cursor=x", "cursor=W10", "cursor=WyJ4Il0", "cursor=%F0%9F%98%80", "cursor=bnVsbA"),
        *("cursor=eyJhIjoxfQ", "cursor=W251bGxd", "cursor=WyI5OTk5OTk5OTk5OTk5OTk5OTk5OTkiXQ"),
    ],
)
def test_an_odd_page_is_refused(alice: User, client_of: ClientOf, query: str) -> None:
    errors_of(client_of(alice).get(f"{PATH}?{query}"))


@pytest.mark.parametrize("path", [f"{PATH}/x", f"{PATH}/-1", f"{PATH}/{10**30}", f"{PATH}/"])
def test_there_is_nothing_at_odd_paths(alice: User, client_of: ClientOf, path: str) -> None:
    answer = client_of(alice).get(path)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_without_a_token_there_are_no_watches(anybody: APIClient) -> None:
    answer = anybody.get(PATH)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.json()["title"] == "Unauthorized"
