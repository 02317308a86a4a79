"""/api/lists: named sets of watches, shared by a secret link, and copied in one step."""

import datetime as dt
import json
import logging
from typing import Any

import feedparser
import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import FeedToken, User
from api.shared import GUESSES
from catalog.lists import LISTS_MAX, copy_list, make_list
from catalog.models import Mark, Watch, WatchKey, WatchList, WatchListEntry, WatchQuery
from notifications.services import cancel_unwanted
from stalkerr.logging import _formatter
from tests.factories import event_of, make_audiobook, make_channel, make_watch
from tests.integration.api.conftest import ClientOf

PATH = "/api/lists"
HERE = "http://127.0.0.1:8000"
LINKS = {"page", "api", "rss", "atom", "json", "ics"}


def made(client: APIClient, *watches: Watch, name: str = "Tides") -> str:
    answer = client.post(PATH, {"name": name, "watches": [watch.pk for watch in watches]})
    assert answer.status_code == 201, answer.json()
    return f"{PATH}/{answer.json()['id']}"


def shared(client: APIClient, path: str) -> dict[str, str]:
    """Its addresses, without the host."""
    answer = client.post(f"{path}/share")
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    return {name: url.removeprefix(HERE) for name, url in answer.json()["urls"].items()}


def test_a_list_is_made_changed_and_deleted(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    client = client_of(alice)
    ada, ben = make_watch(alice, "Ada Example", now=now), make_watch(alice, "Ben Sample", now=now)
    path = made(client, ben, ada, ada)
    shown = client.get(path).json()
    assert (shown["name"], shown["watches"]) == ("Tides", [ada.pk, ben.pk])
    assert shown["shared_at"] is None
    assert client.patch(path, {"name": "Sands"}).json()["watches"] == [ada.pk, ben.pk]
    changed = client.patch(path, {"watches": [ben.pk]}).json()
    assert (changed["name"], changed["watches"]) == ("Sands", [ben.pk])
    assert client.get(PATH).json()["results"] == [changed]
    assert client.delete(path).status_code == 204
    assert not WatchListEntry.objects.exists()
    assert Watch.objects.of(alice.pk).count() == 2


def test_an_edit_of_a_list_that_was_changed_meanwhile_does_not_happen(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    client, watch = client_of(alice), make_watch(alice, now=now)
    path = made(client)
    seen = {"If-Match": client.get(path)["ETag"]}
    assert client.patch(path, {"watches": [watch.pk]}, headers=seen).status_code == 200
    assert client.patch(path, {"watches": []}, headers=seen).status_code == 412
    assert client.delete(path, headers=seen).status_code == 412
    assert client.get(path).json()["watches"] == [watch.pk]


def test_a_watch_of_somebody_else_gets_into_no_list(
    alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard Watch.of, that of the statement, and that of the database."""
    theirs, client = make_watch(bob, now=now), client_of(alice)
    path = made(client)
    for answer in (
        client.post(PATH, {"name": "Stolen", "watches": [theirs.pk]}),
        client.patch(path, {"watches": [theirs.pk]}),
    ):
        assert answer.status_code == 400
        assert answer.json()["errors"] == {"watches": [f"You have no watch {theirs.pk}."]}
    make_list(user=alice, name="By service", watch_ids=[theirs.pk], now=now)
    assert not WatchListEntry.objects.exists()
    mine = WatchList.objects.filter(user=alice)[0]
    entry = WatchListEntry(watch_list=mine, watch=theirs, user_id=alice.pk)
    with pytest.raises(IntegrityError):
        save_at_once(entry)


def save_at_once(row: WatchListEntry) -> None:
    """With its keys looked at now, not at the commit."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        row.save()


def test_a_watch_that_ends_leaves_its_lists(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    client, watch = client_of(alice), make_watch(alice, now=now)
    path = made(client, watch)
    links = shared(client, path)
    client.delete(f"/api/watches/{watch.pk}")
    assert client.get(path).json()["watches"] == []
    assert Client().get(links["api"]).json()["watches"] == []
    cancel_unwanted(now=now, limit=10)
    assert not WatchListEntry.objects.exists()


def test_who_has_the_link_sees_the_list_and_nothing_of_its_owner(
    alice: User, client_of: ClientOf, client: Client, now: dt.datetime
) -> None:
    """Proves the guard found_in: what is missing says nothing of its owner either."""
    api = client_of(alice)
    watch = make_watch(alice, "Ada Example", now=now, muted=True, remind_days=[13])
    make_watch(alice, "Secret Wish", now=now)
    make_channel(alice, name="My hook")
    listed = make_audiobook(now=now, title="Glass Tide", asin="B0GLASS001")
    owned = make_audiobook(now=now, title="Salt Road")
    make_audiobook(now=now, title="Unlisted", authors=["Secret Wish"])
    make_audiobook(now=now, title="Long out", out_in=-300)
    Mark.objects.create(user=alice, work=owned.work, kind=Mark.Kind.HAVE_IT)
    path = made(api, watch)
    links = shared(api, path)
    assert set(links) == LINKS
    seen = client.get(links["api"])
    assert seen.json() == {
        "name": "Tides",
        "watches": [{"kind": "author", "query": "Ada Example"}],
        "upcoming": [
            {
                "marketplace": "us",
                "asin": each.asin,
                "title": each.title,
                "authors": ["Ada Example"],
                "series": [],
                "release_date": str(each.release_date),
                "url": f"https://www.audible.com/pd/{each.asin}",
            }
            for each in (listed, owned)
        ],
    }
    for name in LINKS:
        answer = client.get(links[name])
        assert answer.status_code == 200
        assert answer["Cache-Control"] == "private, no-cache"
        assert (answer["Referrer-Policy"], answer["X-Robots-Tag"]) == ("no-referrer", "noindex")
        text = answer.content.decode()
        assert "Glass Tide" in text
        assert "Salt Road" in text
        for hidden in (
            "alice",
            "example.org/hook",
            "My hook",
            "Secret",
            "Unlisted",
            "muted",
            "13]",
        ):
            assert hidden not in text, (name, hidden)


def test_a_title_that_waits_for_a_person_is_in_no_shared_list(
    alice: User, client_of: ClientOf, client: Client, now: dt.datetime
) -> None:
    api = client_of(alice)
    audiobook = make_audiobook(now=now)
    event = event_of(audiobook)
    event.held_by, event.braked_at = 1, now
    event.save()
    links = shared(api, made(api, make_watch(alice, now=now)))
    assert client.get(links["api"]).json()["upcoming"] == []


def test_a_page_is_inert(
    alice: User, client_of: ClientOf, client: Client, now: dt.datetime
) -> None:
    api = client_of(alice)
    watch = make_watch(alice, "<script>alert(1)</script> Ada", now=now)
    make_audiobook(now=now, title="<img src=x>", authors=["<script>alert(1)</script> Ada"])
    links = shared(api, made(api, watch, name="<b>\u202e'\""))
    text = client.get(links["page"]).content.decode()
    assert not [each for each in ("<script", "<img", "<b>", "\u202e") if each in text]


@pytest.mark.parametrize("extension", ["rss", "atom"])
def test_a_shared_feed_is_one(
    alice: User, client_of: ClientOf, client: Client, now: dt.datetime, extension: str
) -> None:
    api = client_of(alice)
    make_audiobook(now=now, title="Glass Tide")
    links = shared(api, made(api, make_watch(alice, now=now)))
    answer = client.get(links[extension])
    result = feedparser.parse(answer.content)
    assert (result.feed.title, [each.title for each in result.entries]) == (
        "Stalkerr: Tides",
        ["Glass Tide"],
    )
    assert (
        client.get(links[extension], headers={"If-None-Match": answer["ETag"]}).status_code == 304
    )


def test_another_link_ends_the_one_before_and_none_ends_all(
    alice: User, client_of: ClientOf, client: Client, now: dt.datetime
) -> None:
    """Proves the guard digest: rotated, revoked, deleted, or of who may not come in any more."""
    api = client_of(alice)
    path = made(api, make_watch(alice, now=now))
    old = shared(api, path)
    new = shared(api, path)
    assert [client.get(old[name]).status_code for name in LINKS] == [404] * 6
    assert [client.get(new[name]).status_code for name in LINKS] == [200] * 6
    assert api.delete(f"{path}/share").status_code == 204
    assert api.get(path).json()["shared_at"] is None
    assert [client.get(new[name]).status_code for name in LINKS] == [404] * 6
    last = shared(api, path)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert [client.get(last[name]).status_code for name in LINKS] == [404] * 6
    User.objects.filter(pk=alice.pk).update(is_active=True)
    assert api.delete(path).status_code == 204
    assert [client.get(last[name]).status_code for name in LINKS] == [404] * 6


def test_a_link_is_kept_as_a_hash_and_shown_once(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    api = client_of(alice)
    path = made(api)
    secret = shared(api, path)["page"].rsplit("/", 1)[1]
    assert len(secret) == 43
    assert secret not in str(list(WatchList.objects.values()))
    assert secret not in api.get(path).content.decode() + api.get(PATH).content.decode()
    assert secret not in b"".join(api.get("/api/export").streaming_content).decode()  # type: ignore[attr-defined]


def test_no_line_of_the_log_shows_a_link(
    alice: User, client_of: ClientOf, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Proves the guard _SECRET_PATHS."""
    api = client_of(alice)
    links = shared(api, made(api))
    secret = links["page"].rsplit("/", 1)[1]
    with caplog.at_level(logging.WARNING):
        assert client.post(links["page"]).status_code == 405
        assert client.get(links["api"] + "/x").status_code == 404
        assert client.get(links["rss"] + "x").status_code == 404
    formatter = _formatter(json=True)
    lines = [formatter.format(record) for record in caplog.records]
    assert len(lines) >= 3
    assert not [line for line in lines if secret[:20] in line]


def test_guesses_are_counted_and_good_links_still_open(
    alice: User, client_of: ClientOf, client: Client
) -> None:
    api = client_of(alice)
    links = shared(api, made(api))
    count = int(GUESSES.split("/")[0])
    answers = [client.get(f"/lists/guess{number}").status_code for number in range(count + 1)]
    assert answers == [404] * count + [429]
    assert client.get("/feeds/lists/guess.rss").status_code == 429
    assert client.get(links["page"]).status_code == 200


def test_a_copy_asks_for_the_same_and_is_its_users_own(
    alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    api, other = client_of(alice), client_of(bob)
    other.patch("/api/preferences", {"remind_days": [3]})
    asked: dict[str, Any] = {
        "asin": "B00ADAONE1",
        "aliases": ["B00PENNAM3"],
        "marketplaces": ["uk", "us"],
        "languages": ["any"],
        "hidden": ["part"],
        "excluded_words": ["abridged"],
    }
    told: dict[str, Any] = {
        "muted": True,
        "remind_days": [9],
        "event_kinds": ["out_now"],
        "per_edition": True,
    }
    ada = make_watch(alice, "Ada Example", now=now, **asked, **told)
    tide = make_watch(alice, '"glass tide" wave', now=now, kind="keyword")
    links = shared(api, made(api, ada, tide))
    answer = other.post(links["api"] + "/copy", {})
    assert answer.status_code == 201, answer.json()
    shown = answer.json()
    assert (shown["name"], shown["shared_at"]) == ("Tides", None)
    copies = [other.get(f"/api/watches/{watch_id}").json() for watch_id in shown["watches"]]
    for copy, source in zip(
        sorted(copies, key=lambda copy: copy["kind"]), (ada, tide), strict=True
    ):
        own = api.get(f"/api/watches/{source.pk}").json()
        names = ("kind", "query", *asked)
        assert {name: copy[name] for name in names} == {name: own[name] for name in names}
        assert (copy["muted"], copy["remind_days"], copy["channels"]) == (False, [3], [])
        assert "out_now" in copy["event_kinds"]
        assert len(copy["event_kinds"]) > 1
        row = Watch.objects.get(pk=copy["id"])
        assert (row.required_keys, row.excluded_keys, row.phrase) == (
            source.required_keys,
            source.excluded_keys,
            source.phrase,
        )
        for model, columns in (
            (WatchKey, ("key",)),
            (WatchQuery, ("marketplace", "kind", "query")),
        ):
            theirs, ours = (
                set(model._default_manager.filter(watch=each).values_list(*columns))
                for each in (source, row)
            )
            assert theirs == ours != set()
        assert not row.queries.exclude(active_from=None).exists()
    assert set(WatchKey.objects.filter(watch__user=bob).values_list("user_id", flat=True)) == {
        bob.pk
    }
    assert api.get(PATH).json()["results"][0]["watches"] == [ada.pk, tide.pk]


def test_what_is_watched_already_is_not_watched_twice(
    alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard known."""
    api, other = client_of(alice), client_of(bob)
    mine = make_watch(bob, "ada example", now=now)
    watches = [make_watch(alice, name, now=now) for name in ("Ada Example", "Ben Sample")]
    watches.append(make_watch(alice, "Ben sample", now=now))
    links = shared(api, made(api, *watches))
    first, again = (other.post(links["api"] + "/copy", {"name": "X"}).json() for _ in "ab")
    assert mine.pk in first["watches"]
    assert first["watches"] == again["watches"]
    assert len(first["watches"]) == Watch.objects.of(bob.pk).count() == 2


def test_a_copy_hears_of_what_comes(
    alice: User, bob: User, client_of: ClientOf, client: Client, now: dt.datetime
) -> None:
    api, other = client_of(alice), client_of(bob)
    links = shared(api, made(api, make_watch(alice, now=now)))
    other.post(links["api"] + "/copy", {})
    feed = other.post("/api/feeds", {}).json()["urls"]["rss"].removeprefix(HERE)
    make_audiobook(now=now, title="Glass Tide")
    entries = feedparser.parse(client.get(feed).content).entries
    assert [entry.title for entry in entries] == ["Glass Tide"]


def test_a_copy_is_one_step_however_long_the_list(alice: User, bob: User, now: dt.datetime) -> None:
    counts = []
    for number in (1, 30):
        watches = [make_watch(alice, f"Author {number} {n}", now=now).pk for n in range(number)]
        listed = make_list(user=alice, name="Long", watch_ids=watches, now=now)
        with CaptureQueriesContext(connection) as asked:
            copy_list(shared=listed, user=bob, name="Mine", remind_days=[], now=now)
        counts.append(len(asked))
    assert counts[0] == counts[1]
    assert Watch.objects.of(bob.pk).count() == 31


def test_who_is_not_signed_in_copies_nothing(
    alice: User, client_of: ClientOf, anybody: APIClient
) -> None:
    api = client_of(alice)
    links = shared(api, made(api))
    assert anybody.post(links["api"] + "/copy", {}).status_code == 401


def test_a_private_feed_of_a_list(
    alice: User, bob: User, client_of: ClientOf, client: Client, now: dt.datetime
) -> None:
    """Proves the guard list_id: it has what the list's watches find, and ends with the list."""
    api = client_of(alice)
    path = made(api, make_watch(alice, "Ada Example", now=now))
    make_watch(alice, "Bo", now=now)
    marked = make_audiobook(now=now, title="Marked")
    Mark.objects.create(user=alice, work=marked.work, kind=Mark.Kind.HAVE_IT)
    for author in ("Ada Example", "Bo"):
        make_audiobook(now=now, title=f"by {author}", authors=[author])
    list_id = int(path.rsplit("/", 1)[1])
    answer = api.post("/api/feeds", {"watch_list": list_id})
    assert (answer.status_code, answer.json()["watch_list"]) == (201, list_id)
    feed = answer.json()["urls"]["rss"].removeprefix(HERE)
    titles = [entry.title for entry in feedparser.parse(client.get(feed).content).entries]
    assert titles == ["by Ada Example"]
    refused = client_of(bob).post("/api/feeds", {"watch_list": list_id})
    assert refused.json()["errors"] == {"watch_list": [f"You have no list {list_id}."]}
    watch = Watch.objects.filter(user=alice)[0]
    both = api.post("/api/feeds", {"watch_list": list_id, "watch": watch.pk})
    assert both.status_code == 400
    api.delete(path)
    assert not FeedToken.objects.exists()
    assert client.get(feed).status_code == 404


def test_there_is_an_end_to_lists(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    """Proves the guard LISTS_MAX."""
    WatchList.objects.bulk_create(
        WatchList(user=alice, name=str(n), created_at=now) for n in range(LISTS_MAX)
    )
    assert client_of(alice).post(PATH, {"name": "One more"}).status_code == 409
    assert WatchList.objects.count() == LISTS_MAX


def test_lists_cost_the_same_for_one_and_for_many(
    alice: User,
    client_of: ClientOf,
    client: Client,
    now: dt.datetime,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    api = client_of(alice)
    for count in (1, 9):
        watches = [make_watch(alice, f"Author {count} {n}", now=now) for n in range(count)]
        for n in range(count):
            make_audiobook(now=now, authors=[f"Author {count} {n}"])
            made(api, *watches)
        path = made(api, *watches)
        links = shared(api, path)
        with django_assert_num_queries(4):  # the clock, the user, the lists, their entries
            api.get(PATH)
        for name in ("page", "api"):
            with django_assert_num_queries(4):  # the list, its watches, the clock, the titles
                client.get(links[name])
        for name in ("rss", "ics"):
            with django_assert_num_queries(3):
                client.get(links[name])
    body = {"watches": [watch.pk for watch in watches]}
    counts = []
    for some in (body["watches"][:1], body["watches"]):
        with CaptureQueriesContext(connection) as asked:
            assert api.patch(path, {"watches": some}).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"name": ""}', "name"),
        ('{"name": "  "}', "name"),
        ('{"name": null}', "name"),
        (r'{"name": "a\u0000b"}', "name"),
        (r'{"name": "\ud800"}', ""),
        (json.dumps({"name": "x" * 81}), "name"),
        (json.dumps({"name": "x", "watches": list(range(1, 10_001))}), "watches"),
        ('{"name": "x", "watches": [0]}', "watches.0"),
        ('{"name": "x", "watches": [99999999999999999999]}', "watches.0"),
        ('{"name": "x", "watches": ["\u0661\u0662"]}', "watches.0"),
        ('{"name": "x", "watches": [[1]]}', "watches.0"),
        ('{"name": "x", "watches": {"1": 1}}', "watches"),
        ("[]", ""),
        ("null", ""),
    ],
)
def test_what_is_no_list_is_refused(
    body: str, field: str, alice: User, client_of: ClientOf
) -> None:
    answer = client_of(alice).post(PATH, body, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert not field or field in answer.json()["errors"]
    assert not WatchList.objects.exists()
