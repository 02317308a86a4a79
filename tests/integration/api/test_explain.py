"""GET /api/explain, and `manage.py explain --user`: why one heard of a title, or did not."""

import datetime as dt
import io
import json
import uuid
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from catalog.models import Audiobook, Watch, WatchKey
from notifications.models import Channel, Message
from scraping.models import Target
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
from tests.integration.api.conftest import ClientOf
from tests.promises import fan_out
from workers import explain as explaining

PATH = "/api/explain"
HOUR = dt.timedelta(hours=1)


def make_told(channel: Channel, audiobook: Audiobook, watch: Watch, now: dt.datetime) -> None:
    """The latest news of it was sent there, because of that watch."""
    message = Message.objects.create(
        wire_id=uuid.uuid4(),
        channel=channel,
        channel_kind=channel.kind,
        destination=channel.destination,
        state="sent",
        created_at=now,
        finalized_at=now,
    )
    fields = {"state": "composed", "message": message, "watch_ids": [watch.id]}
    make_delivery(channel, event_of(audiobook), now=now, **fields)


def test_one_answer_over_all_watches_that_it_could_concern(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    channel = make_channel(alice, kind="discord", name="phone", config={"url": "x"})
    author = make_watch(alice, now=now)
    word = make_watch(alice, "tide", kind="keyword", now=now, languages=["german"])
    make_watch(alice, "Somebody Else", now=now)
    audiobook = make_audiobook(now=now + HOUR, title="Glass Tide")
    make_told(channel, audiobook, author, now + HOUR)
    body = client_of(alice).get(PATH, {"audiobook": audiobook.id}).json()
    assert body["outcome"] == "told"
    assert body["summary"] == (
        f'Told (us): sent to discord channel "phone" on {now + HOUR:%Y-%m-%d %H:%M} UTC '
        f"after 1 attempt. (watch {author.id})"
    )
    assert [(way["watch"], way["outcome"]) for way in body["ways"]] == [
        (author.id, "told"),
        (word.id, "stopped"),
    ]
    assert body["ways"][1]["verdict"].startswith("Stopped at language (us): english;")
    assert (body["ways"][0]["asks"], body["left_out"]) == ("author Ada Example", 0)
    assert {"name": "keys", "mark": "passed", "text": "both have author~ada example"} in body[
        "ways"
    ][0]["steps"]


def test_a_work_is_asked_about_over_its_editions(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=["us", "uk"])
    us = make_audiobook(now=now + HOUR, title="Glass Tide")
    for code in ("uk", "de"):  # nobody looks in de
        make_audiobook(now=now + HOUR, title="Glass Tide", asin=us.asin, marketplace=code)
    fan_out(now + HOUR)
    body = client_of(alice).get(PATH, {"work": us.work_id}).json()
    assert [(way["marketplace"], way["asin"]) for way in body["ways"]] == [
        ("uk", us.asin),
        ("us", us.asin),
    ]
    assert body["outcome"] == "waiting"


def test_by_its_asin_a_title_need_not_be_known(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    watch = make_watch(alice, "B0GLASS001", kind="asin", now=now)
    body = client_of(alice).get(PATH, {"marketplace": "us", "asin": "b0glass001"}).json()
    assert [way["watch"] for way in body["ways"]] == [watch.id]
    assert body["ways"][0]["steps"][-1]["text"].startswith("never seen there")


def test_what_no_watch_shares_a_key_with_says_so(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    watch = make_watch(alice, "Somebody Else", now=now)
    audiobook = make_audiobook(now=now)
    client = client_of(alice)
    body = client.get(PATH, {"audiobook": audiobook.id}).json()
    assert (body["outcome"], body["ways"]) == ("stopped", [])
    assert body["summary"].startswith("Stopped: none of your watches shares a key with it;")
    named = client.get(PATH, {"audiobook": audiobook.id, "watch": watch.id}).json()
    assert named["summary"].startswith("Stopped at keys (us): the watch asks for author~somebody")
    unseen = client.get(PATH, {"marketplace": "us", "asin": "B0GLASS009"}).json()
    assert "it was never seen" in unseen["summary"]


def test_a_watch_that_was_narrowed_since_still_explains_what_it_told(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    channel, watch = make_channel(alice), make_watch(alice, now=now)
    audiobook = make_audiobook(now=now + HOUR)
    make_told(channel, audiobook, watch, now + HOUR)
    WatchKey.objects.filter(watch=watch).delete()
    body = client_of(alice).get(PATH, {"audiobook": audiobook.id}).json()
    assert (body["outcome"], len(body["ways"])) == ("told", 1)


def test_nobody_sees_another_users(
    alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the owner filter: neither their watches nor what they were told, nor that they are."""
    channel, watch = make_channel(alice), make_watch(alice, now=now)
    audiobook = make_audiobook(now=now + HOUR)
    make_told(channel, audiobook, watch, now + HOUR)
    client = client_of(bob)
    body = client.get(PATH, {"audiobook": audiobook.id}).json()
    assert (body["outcome"], body["ways"]) == ("stopped", [])
    assert client.get(PATH, {"audiobook": audiobook.id, "watch": watch.id}).status_code == 404
    make_watch(bob, now=now)
    Target.objects.create(marketplace="us", kind="author", query="ada example", next_visit_at=now)
    answer = client.get(PATH, {"audiobook": audiobook.id})
    assert "shared by" not in answer.content.decode()
    assert answer.json()["outcome"] == "stopped"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 400),
        ({"watch": 1}, 400),
        ({"work": 1, "audiobook": 1}, 400),
        ({"marketplace": "us"}, 400),
        ({"asin": "B0GLASS001"}, 400),
        ({"marketplace": "xx", "asin": "B0GLASS001"}, 400),
        ({"marketplace": "us", "asin": "B0"}, 400),
        ({"work": "x"}, 400),
        ({"work": 2**63}, 400),
        ({"work": 2**63 - 1}, 404),
        ({"audiobook": 2**63 - 1}, 404),
        ({"marketplace": "us", "asin": "B0GLASS001", "watch": 2**63 - 1}, 404),
    ],
)
def test_what_can_not_be_meant_is_a_problem(
    asked: dict[str, Any], status: int, alice: User, client_of: ClientOf
) -> None:
    answer = client_of(alice).get(PATH, asked)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")


def test_it_asks_no_more_for_many_watches_editions_and_events(
    alice: User, client_of: ClientOf, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guards WAYS_MAX and EVENTS_MAX: nobody has a thousand ways explained at once."""
    monkeypatch.setattr(explaining, "WAYS_MAX", 2)
    make_channel(alice)
    client, asked = client_of(alice), []
    for count in (2, 20):
        for _ in range(count):
            make_watch(alice, now=now)
        for turn in range(5 * count):
            facts: dict[str, Any] = {
                "asin": "B0GLASS001",
                "title": "Glass Tide",
                "out_in": 90 + turn,
            }
            audiobook = make_audiobook(now=now + turn * HOUR, **facts)
        with CaptureQueriesContext(connection) as queries:
            body = client.get(PATH, {"work": audiobook.work_id}).json()
        asked.append(len(queries))
    assert (len(body["ways"]), body["left_out"]) == (2, 20)
    names = [step["name"] for step in body["ways"][0]["steps"]]
    assert names.count("news") == explaining.EVENTS_MAX
    assert asked[0] == asked[1] < 120


def test_it_can_change_nothing(
    alice: User, client_of: ClientOf, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard READ ONLY here as well."""
    audiobook = make_audiobook(now=now)

    def write(**_: object) -> None:
        Watch.objects.update(muted=True)

    monkeypatch.setattr("api.rest.explain.explain_to", write)
    with pytest.raises(DatabaseError, match="read-only transaction"):
        client_of(alice).get(PATH, {"audiobook": audiobook.id})


# -- on the command line ---------------------------------------------------------------------------
def explain(*arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("explain", *arguments, stdout=out, **options)
    return out.getvalue()


def test_the_command_says_the_same(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    make_channel(alice)
    watch = make_watch(alice, now=now)
    audiobook = make_audiobook(now=now + HOUR)
    fan_out(now + HOUR)
    said = client_of(alice).get(PATH, {"audiobook": audiobook.id}).json()
    for arguments in (["--user", "Alice@example.org", audiobook.asin],):
        assert explain(*arguments).splitlines()[-1] == said["summary"]
        told = json.loads(explain(*arguments, json=True, marketplace="us"))
        assert (told["summary"], told["ways"][0]["watch"]) == (said["summary"], watch.id)
        assert told["ways"][0]["steps"] == said["ways"][0]["steps"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--user", "nobody@example.org", "B0GLASS001"], "There is no user"),
        (["--user", "alice@example.org", "1", "B0GLASS001"], "either WATCH ASIN, or --user"),
        (["B0GLASS001"], "either WATCH ASIN, or --user"),
        (["--user", "alice@example.org", "B0"], "is not an ASIN"),
    ],
)
def test_what_can_not_be_meant_is_an_error(arguments: list[str], said: str, alice: User) -> None:
    with pytest.raises(CommandError, match=said):
        explain(*arguments)
