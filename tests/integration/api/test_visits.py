"""POST /api/watches/{id}/visit: brought forward, as far as politeness allows."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from api.rest import visits
from catalog.models import Watch
from scraping.hurrying import bring_forward
from scraping.models import Target
from scraping.services import claim_due, sync_targets
from tests.factories import make_watch
from tests.integration.api.conftest import ClientOf

HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)


def watched(user: User, now: dt.datetime, **fields: Any) -> tuple[Watch, Target]:
    """A watch whose only target was visited hours ago and is due in some hours."""
    watch = make_watch(user, now=now, is_active=False)
    sync_targets(now=now)
    usual = {"visited_at": now - 2 * HOUR, "completed_at": now - 2 * HOUR}
    targets = Target.objects.exclude(kind="due")
    targets.update(**{**usual, "next_visit_at": now + 4 * HOUR, **fields})
    return watch, targets.get()


def ask(client: APIClient, watch: Watch) -> Any:
    return client.post(f"/api/watches/{watch.pk}/visit")


def test_a_visit_is_brought_forward(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    watch, target = watched(alice, now)
    answer = ask(client_of(alice), watch)
    assert answer.status_code == 202, answer.json()
    (visit,) = answer.json()["visits"]
    assert (visit["marketplace"], visit["kind"], visit["query"]) == ("us", "author", "ada example")
    assert visit["state"] == "waiting"
    target.refresh_from_db()
    assert now <= target.next_visit_at < now + MINUTE
    later = now + MINUTE
    assert target.pk in [each.target_id for each in claim_due(now=later, limit=9)]


@pytest.mark.parametrize(
    ("fields", "state", "due_in"),
    [
        # visited lately: what it would be told is what it was told
        ({"visited_at": -10 * MINUTE}, "waiting", 20 * MINUTE),
        # due before that anyway
        ({"visited_at": -10 * MINUTE, "next_visit_at": 5 * MINUTE}, "waiting", 5 * MINUTE),
        # its store is in trouble, and left alone
        ({"failures": 2}, "in_trouble", 4 * HOUR),
        # under way
        ({"lease_expires_at": MINUTE}, "visiting", 4 * HOUR),
        # a visit that died is none
        ({"lease_expires_at": -MINUTE}, "waiting", dt.timedelta()),
    ],
)
def test_nobody_comes_earlier_than_is_polite(
    fields: dict[str, Any], state: str, due_in: dt.timedelta, alice: User, now: dt.datetime
) -> None:
    """Proves the guards of _BRING_FORWARD."""
    moments = {k: v if isinstance(v, int) else now + v for k, v in fields.items()}
    watch, target = watched(alice, now, **moments)
    (errand,) = bring_forward(watch_id=watch.pk, now=now)
    assert (errand.state, errand.due_at) == (state, now + due_in)
    target.refresh_from_db()
    assert target.next_visit_at == now + due_in
    assert bring_forward(watch_id=watch.pk, now=now) == [errand]


def test_a_watch_that_is_new_is_looked_for_anyway(alice: User, now: dt.datetime) -> None:
    watch = make_watch(alice, now=now, marketplaces=["us", "uk"], is_active=False)
    errands = bring_forward(watch_id=watch.pk, now=now)
    assert [(each.marketplace, each.state, each.due_at) for each in errands] == [
        ("uk", "waiting", now),
        ("us", "waiting", now),
    ]


def test_only_its_own_targets_are_moved(alice: User, now: dt.datetime) -> None:
    watch, _ = watched(alice, now)
    make_watch(alice, "Ben Sample", now=now, is_active=False)
    sync_targets(now=now)
    others = Target.objects.exclude(query="ada example")
    others.update(next_visit_at=now + HOUR)
    bring_forward(watch_id=watch.pk, now=now)
    assert set(others.values_list("next_visit_at", flat=True)) == {now + HOUR}


def test_a_watch_is_hurried_once_in_half_an_hour(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard PER_WATCH."""
    client, (watch, _) = client_of(alice), watched(alice, now)
    other = make_watch(alice, "Ben Sample", now=now)
    assert ask(client, watch).status_code == 202
    again = ask(client, watch)
    assert (again.status_code, again["Content-Type"]) == (429, "application/problem+json")
    assert 1700 < int(again["Retry-After"]) <= 1800
    assert ask(client, other).status_code == 202


def test_the_same_request_may_come_again(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    client, (watch, _) = client_of(alice), watched(alice, now)
    path, key = f"/api/watches/{watch.pk}/visit", {"Idempotency-Key": "once"}
    first, again = (client.post(path, headers=key) for _ in "ab")
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.content == first.content


def test_a_user_hurries_no_more_than_some(
    alice: User, client_of: ClientOf, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard PER_USER."""
    monkeypatch.setattr(visits, "PER_USER", "2/h")
    watches = [make_watch(alice, f"Author {n}", now=now) for n in range(3)]
    answers = [ask(client_of(alice), watch) for watch in watches]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert int(answers[2]["Retry-After"]) > 3000


def test_it_costs_the_same_for_one_place_and_for_many(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    counts = []
    for codes in (["us"], ["us", "uk", "de", "fr", "ca"]):
        watch = make_watch(
            alice, f"Author {len(codes)}", now=now, is_active=False, marketplaces=codes
        )
        sync_targets(now=now)
        with CaptureQueriesContext(connection) as asked:
            assert len(ask(client_of(alice), watch).json()["visits"]) == len(codes)
        counts.append(len(asked))
    assert counts[0] == counts[1]
