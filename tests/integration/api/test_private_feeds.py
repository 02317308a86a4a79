"""Private feeds: what one's watches find, under a secret address that is shown once."""

import datetime as dt
import io
import logging
from typing import Any

import feedparser
import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import FeedToken, User
from accounts.services import FEEDS_MAX
from catalog.models import Mark, ReleaseEvent, Watch
from stalkerr.logging import _formatter
from tests.factories import make_audiobook, make_watch
from tests.integration.api.conftest import ClientOf
from tests.validity import atom_errors

FORMATS = {"rss", "atom", "json", "ics"}
HOUR = dt.timedelta(hours=1)


def make(client: APIClient, **asked: Any) -> Any:
    answer = client.post("/api/feeds", asked)
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store"), answer.content
    return answer.json()


def path_of(made: Any, extension: str = "rss") -> str:
    url: str = made["urls"][extension]
    assert url.startswith("http://127.0.0.1:8000/feeds/private/")
    return url.removeprefix("http://127.0.0.1:8000")


def titles(client: Client, path: str) -> list[str]:
    result = feedparser.parse(client.get(path).content)
    assert not result.bozo
    return sorted(entry.title for entry in result.entries)


def test_a_feed_has_what_its_watch_finds(
    alice: User, client_of: ClientOf, client: Client, now: dt.datetime
) -> None:
    watch = make_watch(alice, "Ada Example", now=now)
    make_watch(alice, "Bo", now=now, remind_days=[3])
    make_watch(alice, "Cy", now=now, muted=True)
    for author in ("Ada Example", "Bo", "Cy", "Di"):
        make_audiobook(now=now, title=f"by {author}", authors=[author])
    api = client_of(alice)
    one, every = make(api, watch=watch.pk), make(api, name="Mine")
    assert set(one["urls"]) == FORMATS
    assert titles(client, path_of(one)) == ["by Ada Example"]
    assert titles(client, path_of(every)) == ["by Ada Example", "by Bo"]


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        ({"languages": ["german"]}, False),
        ({"languages": ["any"]}, True),
        ({"marketplaces": ["uk"]}, False),
        ({"excluded_words": ["tide"]}, False),
        ({"kind": "keyword", "query": '"glass tide"'}, True),
        ({"kind": "keyword", "query": '"tide glass"'}, False),
        ({"kind": "keyword", "query": "tide wave"}, False),
        ({"kind": "narrator", "query": "Nora Reader"}, True),
    ],
)
def test_a_watchs_wishes_hold_in_its_feed(
    alice: User, client_of: ClientOf, client: Client, now: dt.datetime, wish: Any, found: bool
) -> None:
    make_audiobook(now=now, title="Glass Tide")
    watch = make_watch(alice, **{"query": "Ada Example", **wish}, now=now)
    path = path_of(make(client_of(alice), watch=watch.pk))
    assert titles(client, path) == (["Glass Tide"] if found else [])


def test_what_is_marked_or_waits_for_a_person_is_not_in_it(
    alice: User, client_of: ClientOf, client: Client, now: dt.datetime
) -> None:
    make_watch(alice, now=now)
    marked, braked, _ = (make_audiobook(now=now, title=title) for title in ("a", "b", "c"))
    Mark.objects.create(user=alice, work=marked.work, kind=Mark.Kind.HAVE_IT)
    ReleaseEvent.objects.filter(audiobook=braked).update(braked_at=now, held_by=1)
    assert titles(client, path_of(make(client_of(alice)))) == ["c"]


def test_a_calendar_may_ring_and_is_cached_by_nobody_else(
    alice: User, client_of: ClientOf, client: Client, now: dt.datetime
) -> None:
    make_watch(alice, now=now)
    make_audiobook(now=now)
    made = make(client_of(alice), remind_days=[0, 7, 7])
    assert made["remind_days"] == [7, 0]
    answer = client.get(path_of(made, "ics"))
    assert answer.content.count(b"BEGIN:VALARM") == 2
    assert answer["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("extension", ["rss", "atom", "json"])
def test_it_is_nobody_elses_and_does_not_say_where_it_is(
    alice: User, client_of: ClientOf, client: Client, now: dt.datetime, extension: str
) -> None:
    make_watch(alice, now=now)
    make_audiobook(now=now)
    made = make(client_of(alice))
    path = path_of(made, extension)
    answer = client.get(path)
    assert answer["Cache-Control"] == "private, no-cache"
    assert (answer["Referrer-Policy"], answer["X-Robots-Tag"]) == ("no-referrer", "noindex")
    assert "Link" not in answer
    assert path.split("/")[3].split(".")[0].encode() not in answer.content
    again = client.get(path, headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again["Cache-Control"]) == (304, "private, no-cache")
    if extension == "atom":
        assert atom_errors(answer.content) == []


def test_a_secret_is_shown_once_and_kept_as_a_hash(alice: User, client_of: ClientOf) -> None:
    api = client_of(alice)
    made = make(api)
    secret = path_of(made).removeprefix("/feeds/private/").removesuffix(".rss")
    assert len(secret) == 43  # 256 bits
    again = api.get("/api/feeds").content + api.get(f"/api/feeds/{made['id']}").content
    assert secret.encode() not in again
    with connection.cursor() as cursor:
        cursor.execute("SELECT feed_tokens::text FROM feed_tokens")
        assert secret not in str(cursor.fetchall())


def test_a_rotated_or_ended_feed_opens_nothing(
    alice: User, client_of: ClientOf, client: Client
) -> None:
    """Proves the guard digest."""
    api = client_of(alice)
    made = make(api)
    rotated = api.post(f"/api/feeds/{made['id']}/rotate")
    assert (rotated.status_code, rotated["Cache-Control"]) == (200, "no-store")
    old, new = path_of(made), path_of(rotated.json())
    assert [client.get(path).status_code for path in (old, new)] == [404, 200]
    assert api.delete(f"/api/feeds/{made['id']}").status_code == 204
    assert client.get(new).status_code == 404


def test_a_wrong_token_is_404_like_any_other(client: Client, db: None) -> None:
    answers = [
        client.get(path)
        for path in ("/feeds/private/x.rss", f"/feeds/private/{'é' * 43}.ics", "/feeds/nothing")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (404, b"There is nothing here.")
    }


def test_guesses_are_counted_and_good_tokens_still_open(
    alice: User, client_of: ClientOf, client: Client
) -> None:
    """Proves the guard GUESSES."""
    path = path_of(make(client_of(alice)))
    codes = [client.get(f"/feeds/private/{n}.rss").status_code for n in range(101)]
    assert codes == [404] * 100 + [429]
    assert client.get(path).status_code == 200


def test_who_may_not_come_in_any_more_has_no_feeds(
    alice: User, client_of: ClientOf, client: Client
) -> None:
    """Proves the guard is_active."""
    path = path_of(make(client_of(alice)))
    User.objects.update(is_active=False)
    assert client.get(path).status_code == 404


@transaction.atomic
def save_at_once(row: FeedToken) -> None:
    row.save()
    connection.check_constraints()


def test_a_feed_is_of_ones_own_watch(
    alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard validate_watch, and the database's key behind it."""
    watch = make_watch(bob, now=now)
    answer = client_of(alice).post("/api/feeds", {"watch": watch.pk})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["watch"])
    stolen = FeedToken(user=alice, watch_id=watch.pk, digest="x", created_at=now)
    with pytest.raises(IntegrityError):
        save_at_once(stolen)


def test_a_feed_ends_with_its_watch(
    alice: User, client_of: ClientOf, client: Client, now: dt.datetime
) -> None:
    watch = make_watch(alice, now=now)
    make_audiobook(now=now)
    path = path_of(make(client_of(alice), watch=watch.pk))
    Watch.objects.filter(pk=watch.pk).update(ended_at=now)
    assert titles(client, path) == []
    watch.delete()
    assert client.get(path).status_code == 404


def test_there_is_an_end_to_feeds(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    """Proves the guard FEEDS_MAX."""
    FeedToken.objects.bulk_create(
        FeedToken(user=alice, digest=str(n), created_at=now) for n in range(FEEDS_MAX)
    )
    answer = client_of(alice).post("/api/feeds", {})
    assert answer.status_code == 409
    assert FeedToken.objects.count() == FEEDS_MAX


@pytest.mark.parametrize("as_json", [True, False])
def test_no_line_of_the_log_shows_the_address(
    alice: User, client_of: ClientOf, client: Client, as_json: bool
) -> None:
    """Proves the guard _without_secrets: Django logs the path of whatever it refuses."""
    path = path_of(make(client_of(alice)))
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(json=as_json))
    logging.getLogger().addHandler(handler)
    try:
        assert client.post(path).status_code == 405
        assert client.get(f"{path}x").status_code == 404
        logging.getLogger("elsewhere").error("cannot answer %s", f"https://example.org{path}?x=1")
    finally:
        logging.getLogger().removeHandler(handler)
    assert stream.getvalue().count("/feeds/private/***") >= 3
    assert path.split("/")[3][:20] not in stream.getvalue()


@pytest.mark.parametrize("extension", sorted(FORMATS))
def test_a_private_feed_costs_the_same_for_one_title_and_for_many(
    alice: User,
    client_of: ClientOf,
    client: Client,
    now: dt.datetime,
    django_assert_num_queries: DjangoAssertNumQueries,
    extension: str,
) -> None:
    api = client_of(alice)
    watch = make_watch(alice, now=now)
    paths = [path_of(make(api, watch=each), extension) for each in (watch.pk, None)]
    for count in (1, 29):
        for n in range(count):
            make_audiobook(now=now, authors=["Ada Example", f"Author {count} {n}"])
            make_watch(alice, f"Author {count} {n}", now=now)
        for path in paths:
            with django_assert_num_queries(3):  # the token, the clock, the entries
                client.get(path)


def test_the_list_of_feeds_costs_the_same_for_many(
    alice: User,
    client_of: ClientOf,
    now: dt.datetime,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    api = client_of(alice)
    for count in (1, 29):
        FeedToken.objects.bulk_create(
            FeedToken(user=alice, digest=f"{count} {n}", created_at=now) for n in range(count)
        )
        with django_assert_num_queries(3):  # the clock, the user, the feeds
            assert api.get("/api/feeds").status_code == 200
