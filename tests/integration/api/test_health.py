"""GET /health: each part judged by its own work, one that breaks breaks no other."""

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from django.db import connection
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from api import health
from catalog.models import ReleaseEvent
from notifications.models import Destination, Message
from scraping.models import Target, Visit
from stalkerr import clock
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_target
from workers.ledger import slots

SWEEPS = ("scraping.visit_due_targets", "notifications.sweep")
SWEEP = SWEEPS[0]
NOWHERE = "redis://127.0.0.1:1/0"


def checks(client: Client) -> tuple[int, dict[str, str]]:
    answer = client.get("/health")
    body = answer.json()
    assert (body["status"] == "healthy") is (answer.status_code == 200)
    assert answer.status_code in (200, 503)
    return answer.status_code, body["checks"]


def sick(client: Client) -> set[str]:
    return {name for name, word in checks(client)[1].items() if word != "healthy"}


def run_sweep(now: dt.datetime, sweep: str) -> None:
    """A beat has ticked and a worker has run."""
    slots.open_slots(slots=[(sweep, now)])
    claim = slots.claim(
        job=sweep, slot=now, now=now, lease=dt.timedelta(minutes=1), task_id="1", worker="w"
    )
    assert claim is not None
    slots.finish(claim=claim, now=now)


@pytest.fixture
def alive(ledger: sa.Engine, now: dt.datetime) -> None:
    """Everything runs."""
    for sweep in SWEEPS:
        run_sweep(now, sweep)


def test_all_is_well_where_everything_runs(client: Client, alive: None) -> None:
    assert checks(client) == (
        200,
        {
            "database": "healthy",
            "broker": "healthy",
            "cache": "healthy",
            "audible_api": "healthy",
            "workers": "healthy",
            "beat": "healthy",
            "oldest_due_message": "healthy",
        },
    )


def test_before_the_first_tick_and_run_it_is_not_well(
    client: Client, ledger: sa.Engine, now: dt.datetime
) -> None:
    assert sick(client) == {"workers", "beat"}
    slots.open_slots(slots=[(SWEEP, now)])
    assert sick(client) == {"workers"}


def test_a_beat_and_workers_that_fell_silent_are_noticed(
    client: Client,
    alive: None,
    settings: Settings,
    move_clock: Callable[[dt.timedelta], dt.datetime],
) -> None:
    interval = max(settings.TICK_INTERVAL, settings.SWEEP_INTERVAL)
    move_clock((health.MISSED_TICKS - 1) * interval)
    assert sick(client) == set()
    move_clock(2 * interval)
    assert sick(client) == {"beat"}
    for sweep in SWEEPS:
        run_sweep(clock.now(), sweep)
    slots.open_slots(slots=[(SWEEP, move_clock(health.MISSED_RUNS * interval))])
    assert sick(client) == {"workers"}


@pytest.mark.parametrize("silent", SWEEPS)
def test_workers_of_one_queue_do_not_stand_for_those_of_another(
    client: Client, ledger: sa.Engine, now: dt.datetime, silent: str
) -> None:
    for sweep in SWEEPS:
        if sweep != silent:
            run_sweep(now, sweep)
    assert sick(client) == {"workers"}


def test_jobs_that_rarely_run_are_no_sign_of_life(
    client: Client, ledger: sa.Engine, now: dt.datetime
) -> None:
    slots.open_slots(slots=[("workers.prune", now)])
    assert "beat" in sick(client)


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("broker", {"BROKER_URL": NOWHERE}),
        ("broker", {"BROKER_URL": "amqp://nobody:secret@127.0.0.1:1//"}),
        (
            "cache",
            {
                "CACHES": {
                    "default": {
                        "BACKEND": "django.core.cache.backends.redis.RedisCache",
                        "LOCATION": NOWHERE,
                    }
                }
            },
        ),
    ],
)
def test_a_part_that_is_gone_is_named_alone_and_quickly(
    client: Client, alive: None, settings: Settings, part: str, changes: dict[str, Any]
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    assert sick(client) == {part}
    assert b"secret" not in client.get("/health").content


def test_a_database_that_is_gone_is_said_not_suffered(
    client: Client, alive: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    status, found = checks(client)
    assert (status, found["database"], found["broker"]) == (503, "unhealthy", "healthy")
    assert {found[name] for name in health.OF_DATABASE} == {"unhealthy"}


def make_visits(now: dt.datetime, outcomes: str, target: Target) -> None:
    """One visit a minute, oldest first: f(ound), t(hrottled), x (failed), p(ostponed)."""
    names = {"f": "found", "t": "throttled", "x": "failed", "p": "postponed", "a": "absent"}
    for age, letter in enumerate(reversed(outcomes)):
        moment = now - dt.timedelta(minutes=age)
        Visit.objects.create(
            target=target, outcome=names[letter], started_at=moment, finished_at=moment
        )


@pytest.mark.parametrize(
    ("outcomes", "is_well"),
    [
        ("", True),
        ("x", True),
        ("xxxx", True),
        ("fxxxxx", False),
        ("ftxtxt", False),
        ("xxxxxpp", False),
        ("xxxxxxf", True),
        ("xxxfxx", True),
        ("xxxxxa", True),
    ],
)
def test_the_store_is_judged_by_the_last_visits(
    client: Client, alive: None, now: dt.datetime, outcomes: str, is_well: bool
) -> None:
    make_visits(now, outcomes, make_target(now=now))
    assert sick(client) == (set() if is_well else {"audible_api"})


def test_visits_of_long_ago_say_nothing_of_today(
    client: Client, alive: None, now: dt.datetime
) -> None:
    make_visits(now - health.RECENT, "xxxxxx", make_target(now=now))
    assert sick(client) == set()


Waiting = Callable[[User, ReleaseEvent, dt.datetime], None]


def news(_user: User, event: ReleaseEvent, since: dt.datetime) -> None:
    ReleaseEvent.objects.filter(id=event.id).update(fanned_out_at=None, seen_at=since)


def promise(user: User, event: ReleaseEvent, since: dt.datetime) -> None:
    make_delivery(make_channel(user), event, now=since)


def message(user: User, **fields: Any) -> None:
    channel = make_channel(user)
    Message.objects.create(
        wire_id=uuid.uuid4(),
        channel=channel,
        channel_kind=channel.kind,
        destination=channel.destination,
        **fields,
    )


def due(user: User, _event: ReleaseEvent, since: dt.datetime) -> None:
    message(user, state="due", next_attempt_at=since, created_at=since)


def lost(user: User, _event: ReleaseEvent, since: dt.datetime) -> None:
    message(user, state="sending", lease_expires_at=since, created_at=since)


def prepared(now: dt.datetime) -> ReleaseEvent:
    event = event_of(make_audiobook(now=now))
    ReleaseEvent.objects.update(fanned_out_at=now)
    return event


@pytest.mark.parametrize("wait", [news, promise, due, lost])
def test_what_waits_too_long_is_noticed(
    client: Client,
    alive: None,
    alice: User,
    now: dt.datetime,
    wait: Waiting,
    move_clock: Callable[[dt.timedelta], dt.datetime],
) -> None:
    wait(alice, prepared(now), now - health.LATE + dt.timedelta(seconds=15))
    assert sick(client) == set()
    move_clock(dt.timedelta(seconds=16))
    assert sick(client) == {"oldest_due_message"}


@pytest.mark.parametrize("wait", [promise, due])
def test_what_waits_for_an_address_that_is_spared_is_not_late(
    client: Client, alive: None, alice: User, now: dt.datetime, wait: Waiting
) -> None:
    wait(alice, prepared(now), now - dt.timedelta(hours=1))
    Destination.objects.update(open_until=now + dt.timedelta(minutes=5))
    assert sick(client) == set()
    Destination.objects.update(open_until=now - dt.timedelta(minutes=5))
    assert sick(client) == {"oldest_due_message"}


def test_what_is_due_later_or_held_or_done_is_not_late(
    client: Client, alive: None, alice: User, now: dt.datetime
) -> None:
    event, ago = prepared(now), now - dt.timedelta(hours=1)
    promise(alice, event, now + dt.timedelta(hours=1))
    make_delivery(make_channel(alice, address="b.example"), event, now=ago, state="held")
    message(alice, state="held", created_at=ago)
    message(alice, state="sent", created_at=ago, finalized_at=ago)
    assert sick(client) == set()


def test_nobody_keeps_the_answer(client: Client, alive: None) -> None:
    assert "no-store" in client.get("/health")["Cache-Control"]
    assert client.post("/health").status_code == 405
