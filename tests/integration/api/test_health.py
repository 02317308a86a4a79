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
from api import checks as judged
from api import health
from catalog.models import ReleaseEvent
from notifications.models import Destination, Message
from scraping.models import Target, Visit
from stalkerr import sql
from stalkerr.celeryconfig import QUEUES
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_target
from tests.integration.api.conftest import CANARIES, SWEEP, run_sweep
from workers import schedule
from workers.ledger import slots
from workers.ledger.engine import engine

NOWHERE = "redis://127.0.0.1:1/0"


def checks(client: Client) -> tuple[int, dict[str, str]]:
    health.ALL.forget()
    answer = client.get("/health")
    body = answer.json()
    assert (body["status"] == "healthy") is (answer.status_code == 200)
    assert answer.status_code in (200, 503)
    return answer.status_code, body["checks"]


def sick(client: Client) -> set[str]:
    return {name for name, word in checks(client)[1].items() if word != "healthy"}


def test_all_is_well_where_everything_runs(client: Client, alive: None) -> None:
    assert checks(client) == (
        200,
        {
            "database": "healthy",
            "audible_api": "healthy",
            "notification_services": "healthy",
            "cache": "healthy",
            "broker": "healthy",
            "workers": "healthy",
            "beat": "healthy",
            "oldest_due_message": "healthy",
            "backups": "healthy",
            "migrations": "healthy",
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
    move_clock((judged.MISSED_TICKS - 1) * interval)
    assert sick(client) == set()
    move_clock(2 * interval)
    assert sick(client) == {"beat"}
    slots.open_slots(slots=[(SWEEP, move_clock(judged.SILENT))])
    assert sick(client) == {"workers"}


@pytest.mark.parametrize("queue", QUEUES)
def test_workers_of_one_queue_do_not_stand_for_those_of_another(
    client: Client, ledger: sa.Engine, now: dt.datetime, queue: str
) -> None:
    """Proves the guard canary, for each queue: row 7."""
    for job in {SWEEP, *CANARIES} - {schedule.CANARIES[queue]}:
        run_sweep(now, job)
    assert sick(client) == {"workers"}
    assert judged.silent_queues() == [queue]


def silent_but_for(now: dt.datetime, queue: str) -> None:
    for job in {SWEEP, *CANARIES} - {schedule.CANARIES[queue]}:
        run_sweep(now, job)


def test_a_queue_whose_worker_is_busy_is_not_silent(
    client: Client,
    ledger: sa.Engine,
    now: dt.datetime,
    move_clock: Callable[[dt.timedelta], dt.datetime],
) -> None:
    """A long job holds the canary up; a worker that hangs keeps no lease."""
    silent_but_for(now, "scrape")
    target = make_target(now=now, lease_expires_at=now + dt.timedelta(minutes=1))
    assert sick(client) == set()
    move_clock(dt.timedelta(seconds=61))
    assert judged.silent_queues() == ["scrape"]
    target.delete()
    hold = {"now": now, "lease": dt.timedelta(minutes=2), "task_id": "1", "worker": "w"}
    slots.open_slots(slots=[("scraping.prune_visits", now)])
    slots.claim(job="scraping.prune_visits", slot=now, **hold)  # type: ignore[arg-type]
    assert judged.silent_queues() == []
    move_clock(dt.timedelta(seconds=60))
    assert judged.silent_queues() == ["scrape"]


def test_a_canary_that_a_hung_worker_holds_is_not_heard(
    ledger: sa.Engine, now: dt.datetime
) -> None:
    silent_but_for(now, "tell")
    name = schedule.CANARIES["tell"]
    slots.open_slots(slots=[(name, now)])
    hold = {"now": now, "lease": dt.timedelta(minutes=9), "task_id": "1", "worker": "w"}
    slots.claim(job=name, slot=now, **hold)  # type: ignore[arg-type]
    assert judged.silent_queues() == ["tell"]


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
    assert {found[name] for name in judged.OF_DATABASE} == {"unhealthy"}
    assert (found["cache"], found["broker"]) == ("healthy", "healthy")
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "unhealthy")
    assert client.get("/health/live").status_code == 200


def test_a_database_that_hangs_is_not_waited_for(
    client: Client, alive: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard statement_timeout: a question that takes for ever is given up."""
    monkeypatch.setattr(judged, "DATABASE_PATIENCE", 0.1)
    monkeypatch.setitem(judged.CHECKS, "beat", lambda: sql.rows("SELECT pg_sleep(60)"))
    assert sick(client) == {"beat"}


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
    make_visits(now - judged.RECENT, "xxxxxx", make_target(now=now))
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
    wait(alice, prepared(now), now - judged.LATE + dt.timedelta(seconds=15))
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


def contacts(now: dt.datetime, **kinds: str) -> None:
    """One destination a letter: a(nswers), f(ails)."""
    for kind, letters in kinds.items():
        for number, letter in enumerate(letters):
            Destination.objects.create(
                kind=kind,
                address=f"{number}.example",
                failures=0 if letter == "a" else 5,
                credited_at=now,
            )


@pytest.mark.parametrize(
    ("kinds", "is_well"),
    [
        ({}, True),
        ({"discord": "aaa", "email": "a"}, True),
        ({"discord": "ffa", "email": "a"}, True),
        ({"discord": "fff", "email": "a"}, False),
        ({"webhook": "ff", "email": "a"}, True),  # servers of two people
        ({"webhook": "f"}, False),  # nobody is told anything
        ({"webhook": "f", "email": "f"}, False),
    ],
)
def test_channels_are_judged_by_who_answered_lately(
    client: Client, alive: None, now: dt.datetime, kinds: dict[str, str], is_well: bool
) -> None:
    contacts(now, **kinds)
    assert sick(client) == (set() if is_well else {"notification_services"})


def test_who_was_not_asked_lately_says_nothing(
    client: Client, alive: None, now: dt.datetime
) -> None:
    contacts(now - dt.timedelta(hours=2), discord="fff")
    assert sick(client) == set()


def test_a_database_of_another_version_is_not_ready(client: Client, alive: None) -> None:
    assert client.get("/health/ready").json() == {
        "status": "healthy",
        "checks": {"database": "healthy", "migrations": "healthy"},
    }
    sql.rows("DELETE FROM django_migrations WHERE app = 'catalog' AND name LIKE '0010_%'")
    assert sick(client) == {"migrations"}
    health.READY.forget()
    assert client.get("/health/ready").status_code == 503


def test_a_ledger_of_another_version_is_not_ready(client: Client, alive: None) -> None:
    with engine().begin() as ledger:  # its own connections, which no test's transaction covers
        known = ledger.scalar(sa.text("SELECT version_num FROM jobs.alembic_version"))
        ledger.execute(sa.text("UPDATE jobs.alembic_version SET version_num = '0001'"))
    try:
        assert sick(client) == {"migrations"}
    finally:
        with engine().begin() as ledger:
            ledger.execute(
                sa.text("UPDATE jobs.alembic_version SET version_num = :known"), {"known": known}
            )
