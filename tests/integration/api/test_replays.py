"""POST /api/watches/replay and /api/watches/{id}/replay: what it would have told, and no more."""

import datetime as dt
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import User
from api.rest import replays as answers
from catalog.services import publish_events
from notifications import replays
from tests.factories import make_audiobook, make_channel, make_watch
from tests.integration.api.conftest import ClientOf
from tests.integration.api.test_strangers import everything

PATH = "/api/watches/replay"
DRAFT = {"kind": "author", "query": "Ada Example"}
DAY = dt.timedelta(days=1)


def test_a_draft_shows_what_it_would_have_told(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    told = make_audiobook(now=now - 2 * DAY, title="Glass Tide")
    make_audiobook(now=now - 2 * DAY, title="Glass Tide", asin=told.asin, marketplace="uk")
    make_audiobook(now=now - DAY, title="Sand (Part 1 of 2)")
    publish_events()
    answer = client_of(alice).post(PATH, DRAFT | {"marketplaces": ["us", "uk"]})
    assert answer.status_code == 200, answer.json()
    body = answer.json()
    (sent,), (folded,), (hidden,) = (body[end] for end in ("sent", "folded", "hidden"))
    assert sent == {
        "event_id": 1,
        "kind": "announced",
        "marketplace": "us",
        "asin": told.asin,
        "title": "Glass Tide",
        "seen_at": (now - 2 * DAY).isoformat().replace("+00:00", "Z"),
        "old_date": None,
        "new_date": str(told.release_date),
    }
    assert (folded["event_id"], folded["marketplace"], folded["same_as"]) == (2, "uk", 1)
    assert hidden["because"] == ["kind: part, voice human; the watch hides part"]
    assert body["counts"] == {"sent": 1, "folded": 1, "hidden": 1}
    assert {month["month"] for month in body["months"]} <= {
        f"{now - days * DAY:%Y-%m}" for days in (1, 2)
    }
    assert sum(month["hidden"] for month in body["months"]) == 1


def test_a_watch_is_replayed_with_the_changes_that_are_given(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    watch = make_watch(alice, now=now, hidden=["part"], muted=True)
    make_audiobook(now=now - DAY, title="Sand (Part 1 of 2)")
    publish_events()
    client, path = client_of(alice), f"/api/watches/{watch.id}/replay"
    before = everything()
    bodies: list[dict[str, Any]] = [{}, {"hidden": []}]
    counts = [client.post(path, body).json()["counts"] for body in bodies]
    assert [(each["sent"], each["hidden"]) for each in counts] == [(0, 1), (1, 0)]
    other = client.post(path, {"query": "Somebody Else"}).json()["counts"]
    assert other == {"sent": 0, "folded": 0, "hidden": 0}
    assert everything() == before


def test_nothing_is_written_and_nobody_is_sent_anywhere(
    alice: User,
    client_of: ClientOf,
    now: dt.datetime,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    make_channel(alice)
    watch = make_watch(alice, now=now)
    make_audiobook(now=now - DAY)
    publish_events()
    client, before = client_of(alice), everything()
    with django_capture_on_commit_callbacks() as callbacks:
        assert client.post(PATH, DRAFT).status_code == 200
        assert client.post(f"/api/watches/{watch.id}/replay", {}).status_code == 200
    assert callbacks == []
    assert everything() == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kind"),
        (DRAFT | {"kind": "reader"}, "kind"),
        (DRAFT | {"query": "!!!"}, "query"),
        (DRAFT | {"asin": "B0"}, "asin"),
        (DRAFT | {"channels": [999_999]}, "channels"),
        (DRAFT | {"event_kinds": []}, "event_kinds"),
    ],
)
def test_a_draft_is_checked_as_a_watch_is(
    body: dict[str, Any], field: str, alice: User, client_of: ClientOf
) -> None:
    answer = client_of(alice).post(PATH, body)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert field in answer.json()["errors"]


def test_what_meets_too_much_is_said_to(
    alice: User, client_of: ClientOf, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard EVENTS_MAX: a genre that half the store is in is not gone through."""
    monkeypatch.setattr(replays, "EVENTS_MAX", 1)
    for _ in range(2):
        make_audiobook(now=now - DAY)
    publish_events()
    answer = client_of(alice).post(PATH, DRAFT)
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert "narrower" in answer.json()["detail"]


def test_what_takes_too_long_is_said_to(
    alice: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise replays.TooSlowError

    monkeypatch.setattr(replays, "_events", never)
    answer = client_of(alice).post(PATH, DRAFT)
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")


def test_all_is_counted_and_the_newest_are_shown(
    alice: User, client_of: ClientOf, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "SHOWN_MAX", 2)
    for number in range(4):
        make_audiobook(now=now - DAY, title=f"Title {number}")
    publish_events()
    body = client_of(alice).post(PATH, DRAFT).json()
    assert body["counts"]["sent"] == 4
    assert [each["title"] for each in body["sent"]] == ["Title 3", "Title 2"]


def test_another_users_watch_is_not_there_and_their_marks_do_not_count(
    alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the owner filter of replay."""
    watch = make_watch(alice, now=now)
    assert client_of(bob).post(f"/api/watches/{watch.id}/replay", {}).status_code == 404


def test_a_user_replays_so_many_an_hour(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    answers = [client.post(PATH, DRAFT).status_code for _ in range(61)]
    assert answers == [200] * 60 + [429]
