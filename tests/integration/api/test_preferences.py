"""/api/preferences: what new watches and channels begin with, and by whose clock."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import Preferences, User
from catalog.models import Import
from notifications.models import Channel
from notifications.timing import Wish
from notifications.wishes import set_wish
from tests.concurrency import waiting
from tests.factories import make_channel, make_watch
from tests.integration.api.conftest import ClientOf
from tests.people import make_user
from tests.sinks import wait_until

PATH = "/api/preferences"
USUAL = {
    "time_zone": "Europe/Berlin",
    "marketplaces": ["us"],
    "languages": [],
    "hidden": ["podcast", "part", "omnibus", "ai_voice", "reissue"],
    "remind_days": [],
    "digest": "",
    "digest_hour": 0,
    "digest_weekday": 0,
    "quiet_from": None,
    "quiet_until": None,
}
WATCH = {"kind": "author", "query": "Ada Example"}
CHANNEL = {"kind": "webhook", "config": {"url": "https://hooks.example.org/x"}}


def test_who_said_nothing_has_the_usual(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    assert client.get(PATH).json() == USUAL
    made = client.post("/api/watches", WATCH).json()
    assert {name: made[name] for name in ("marketplaces", "hidden", "remind_days")} == {
        name: USUAL[name] for name in ("marketplaces", "hidden", "remind_days")
    }
    assert not Preferences.objects.exists()


def test_a_new_watch_begins_as_its_owner_wishes(
    alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard Preferred: each of these has its effect, on new watches only."""
    client, old = client_of(alice), make_watch(alice, now=now)
    wishes: dict[str, Any] = {
        "marketplaces": ["de", "uk"],
        "languages": ["german", "any"],
        "hidden": [],
        "remind_days": [7, 0],
    }
    assert client.patch(PATH, wishes).json() == USUAL | wishes
    made = client.post("/api/watches", WATCH).json()
    assert {name: made[name] for name in wishes} == wishes
    own = client.post("/api/watches", WATCH | {"marketplaces": ["jp"], "hidden": ["part"]}).json()
    assert (own["marketplaces"], own["hidden"], own["remind_days"]) == (["jp"], ["part"], [7, 0])
    shown = client.patch(f"/api/watches/{old.pk}", {"muted": True}).json()
    assert (shown["marketplaces"], shown["remind_days"]) == (["us"], [])
    assert client.put(f"/api/watches/{old.pk}", WATCH).json()["marketplaces"] == ["us"]
    assert client_of(bob).post("/api/watches", WATCH).json()["marketplaces"] == ["us"]


def test_an_import_looks_where_its_owner_wishes(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    client = client_of(alice)
    client.patch(PATH, {"marketplaces": ["fr"]})
    imported = Import.objects.create(user=alice, kind="opml", created_at=now)
    assert client.post(f"/api/imports/{imported.pk}/apply", {}).status_code == 202
    imported.refresh_from_db()
    assert imported.marketplaces == ["fr"]


def test_a_new_channel_is_told_when_its_owner_wishes(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    old = make_channel(alice)
    wishes = {
        "digest": "weekly",
        "digest_hour": 18,
        "digest_weekday": 4,
        "quiet_from": "22:00",
        "quiet_until": "07:00",
    }
    assert client.patch(PATH, wishes).json() == USUAL | wishes
    made = client.post("/api/channels", CHANNEL).json()
    assert {name: made[name] for name in wishes} == wishes
    assert made["time_zone"] == "Europe/Berlin"
    shown = client.get(f"/api/channels/{old.pk}").json()
    assert (shown["digest"], shown["quiet_from"]) == ("", None)


@pytest.mark.parametrize(
    ("given", "digest", "hour", "quiet"),
    [
        ({"digest": ""}, "", 0, "22:00"),
        ({"digest": "daily"}, "daily", 0, "22:00"),
        ({"digest": "daily", "digest_hour": 9}, "daily", 9, "22:00"),
        ({"quiet_from": None, "quiet_until": None}, "weekly", 18, None),
    ],
)
def test_who_says_a_part_says_all_of_it(
    given: dict[str, Any],
    digest: str,
    hour: int,
    quiet: str | None,
    alice: User,
    client_of: ClientOf,
) -> None:
    """Proves the guard beside: an hour that was wished for a digest is of no other one."""
    client = client_of(alice)
    wishes = {"digest": "weekly", "digest_hour": 18, "quiet_from": "22:00", "quiet_until": "23:00"}
    assert client.patch(PATH, wishes).status_code == 200
    shown = client.post("/api/channels", CHANNEL | given).json()
    assert (shown["digest"], shown["digest_hour"], shown["quiet_from"]) == (digest, hour, quiet)


def test_all_hours_move_with_the_zone(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    client, channel = client_of(alice), make_channel(alice)
    set_wish(channel=channel, wish=Wish("Europe/Berlin", "daily", 8), now=now)
    assert client.patch(PATH, {"time_zone": "Asia/Tokyo"}).json()["time_zone"] == "Asia/Tokyo"
    timing = Channel.objects.get().timing
    assert timing is not None
    assert (timing.zone, timing.hour) == ("Asia/Tokyo", 8)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"time_zone": "Berlin"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"time_zone": "UTC\0"}, "time_zone"),
        ({"time_zone": None}, "time_zone"),
        ({"marketplaces": []}, "marketplaces"),
        ({"marketplaces": ["xx"]}, "marketplaces.0"),
        ({"marketplaces": "us"}, "marketplaces"),
        ({"languages": ["\0"]}, "languages.0"),
        ({"languages": ["x"] * 10_000}, "languages"),
        ({"hidden": ["everything"]}, "hidden.0"),
        ({"remind_days": [-1]}, "remind_days.0"),
        ({"remind_days": [1] * 10_000}, "remind_days"),
        ({"digest": "hourly"}, "digest"),
        ({"digest_hour": 8}, "digest_hour"),
        ({"digest": "daily", "digest_hour": 24}, "digest_hour"),
        ({"digest": "daily", "digest_weekday": 1}, "digest_weekday"),
        ({"quiet_from": "22:00"}, "quiet_until"),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, "quiet_until"),
        ({"quiet_from": "22:00:30", "quiet_until": "07:00"}, "quiet_from"),
    ],
)
def test_what_can_not_be_meant_is_refused(
    change: dict[str, Any], field: str, alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    answer = client.patch(PATH, change)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert field in answer.json()["errors"]
    assert client.get(PATH).json() == USUAL


@pytest.mark.parametrize(
    "body",
    ["[]", '"x"', "null", "1", "{", r'{"time_zone": "\ud800"}', r'{"languages": ["\ud800"]}'],
)
def test_what_is_no_change_at_all_is_refused(body: str, alice: User, client_of: ClientOf) -> None:
    answer = client_of(alice).patch(PATH, body, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_repetitions_go(alice: User, client_of: ClientOf) -> None:
    change = {
        "marketplaces": ["uk", "us", "uk"],
        "remind_days": [1, 7, 1],
        "languages": ["Deutsch"],
    }
    shown = client_of(alice).patch(PATH, change).json()
    assert shown["marketplaces"] == ["uk", "us"]
    assert (shown["remind_days"], shown["languages"]) == ([7, 1], ["german"])


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_that_saw_the_same_one_wins(client_of: ClientOf) -> None:
    """Proves the guard lock of preferences."""
    client = client_of(make_user("alice"))
    seen = client.get(PATH)["ETag"]

    def change(day: int) -> int:
        try:
            answer = client.patch(PATH, {"remind_days": [day]}, headers={"If-Match": seen})
            return int(answer.status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as crowd:
        with transaction.atomic():
            User.objects.select_for_update().get()  # so that all of them are there
            changes = [crowd.submit(change, day) for day in range(8)]
            wait_until(lambda: waiting() >= 2)
        statuses = sorted(each.result(20) for each in changes)
    assert statuses == [200] + [412] * 7


def test_a_change_that_has_seen_too_little_does_not_happen(
    alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    seen = client.get(PATH)["ETag"]
    changed = client.patch(PATH, {"remind_days": [1]}, headers={"If-Match": seen})
    refused = client.patch(PATH, {"remind_days": [2]}, headers={"If-Match": seen})
    assert (changed.status_code, refused.status_code) == (200, 412)
    assert client.get(PATH)["ETag"] == changed["ETag"]


def test_wishes_are_read_once(alice: User, client_of: ClientOf) -> None:
    """Proves the guard _preferences: five fields of a channel ask for them."""
    client = client_of(alice)
    with CaptureQueriesContext(connection) as asked:
        client.post("/api/channels", CHANNEL)
    assert len([each for each in asked if 'FROM "preferences"' in each["sql"]]) == 1
