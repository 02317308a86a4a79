"""Whoever leaves hears nothing more, leaves no row behind, and is not brought back by a backup."""

import datetime as dt
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import models
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts.models import IdempotencyKey, User
from accounts.refreshing import begin_family
from accounts.tombstones import bury
from catalog.models import Import, ImportItem
from notifications.models import Attempt, Delivery, DigestSlot, Message, Refan, Told
from notifications.services import fan_out_due
from stalkerr import clock, sql
from tests.factories import event_of, make_audiobook, make_watch
from tests.integration.api.conftest import ClientOf
from tests.integration.api.test_export import everything_of
from tests.integration.api.test_strangers import everything
from tests.people import PASSWORD, make_user
from workers import leaving
from workers.leaving import GRACE, apply_tombstones, leave, remove_left

MANY = 10**6


@pytest.fixture(autouse=True)
def stones(settings: Settings, tmp_path: Path) -> Path:
    """Where tombstones of this test are."""
    settings.VAR_DIR = tmp_path
    return tmp_path / "tombstones"


def with_all_there_is(user: User, now: dt.datetime) -> Message:
    """Rows of a user in every table that we know to refer to one, also through another row."""
    channel = everything_of(user, now)
    IdempotencyKey.objects.create(user=user, key="once", created_at=now)
    delivery = Delivery.objects.get(user=user)
    message = Message.objects.create(
        wire_id="00000000-0000-4000-8000-00000000000" + str(user.pk % 10),
        channel=channel,
        channel_kind=channel.kind,
        destination=channel.destination,
        state="due",
        next_attempt_at=now,
        created_at=now,
    )
    Delivery.objects.create(
        event=event_of(make_audiobook(now=now)),
        source_at=now,
        user=user,
        channel=channel,
        channel_kind=channel.kind,
        destination=channel.destination,
        state="composed",
        due_at=now,
        created_at=now,
        message=message,
        message_at=now,
    )
    Attempt.objects.create(
        message=message,
        message_at=now,
        claim_no=1,
        verdict="not_accepted",
        started_at=now,
        duration_ms=1,
    )
    DigestSlot.objects.create(channel=channel, local_date=now.date())
    Refan.objects.create(event_id=delivery.event_id or 0, user=user)
    imported = Import.objects.create(user=user, kind="opml", created_at=now)
    ImportItem.objects.create(imported=imported, kind="watch", watch_kind="author", title="Ada")
    begin_family(user=user, scope="read", now=now)
    user.groups.add(Group.objects.create(name=user.email))
    LogEntry.objects.create(user=user, action_flag=ADDITION, object_repr="x")
    return message


def columns_of_users() -> Iterator[tuple[str, str]]:
    """(table, column) of all that refers to a user, whether the database knows it or not."""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.concrete_fields:
            is_key = isinstance(field, models.ForeignKey) and field.related_model is User
            if is_key or field.column == "user_id":
                yield model._meta.db_table, str(field.column)


def remove(limit: int = MANY) -> int:
    """What the job does, once the last send is settled."""
    return remove_left(before=clock.now(), limit=limit)


def rows_of(user_id: int) -> dict[str, int]:
    """How many rows each table has that refers to this user."""
    return {
        table: sql.rows(f"SELECT count(*) FROM {table} WHERE {column} = %s", [user_id])[0][0]  # noqa: S608
        for table, column in columns_of_users()
    }


def test_leaving_asks_for_the_password(alice: User, client_of: ClientOf) -> None:
    """Proves the guard check_password."""
    client = client_of(alice)
    for body in ({}, {"password": "wrong"}):
        answer = client.delete("/api/me", body)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["password"])
    assert client.get("/api/watches").status_code == 200


def test_guesses_of_it_are_counted(alice: User, client_of: ClientOf) -> None:
    """Proves the guard limit_guesses: a stolen token does not find the password."""
    client = client_of(alice)
    said = [client.delete("/api/me", {"password": f"guess {n}"}).status_code for n in range(11)]
    assert said == [400] * 10 + [429]
    assert client.delete("/api/me", {"password": PASSWORD}).status_code == 429


def test_who_leaves_is_signed_out_and_hears_nothing_more(
    alice: User, client_of: ClientOf, now: dt.datetime, client: Client
) -> None:
    """Proves the guards of leave(): tokens, sessions, promises, messages, matching."""
    message = with_all_there_is(alice, now)
    client.force_login(alice)
    api = client_of(alice)
    assert api.delete("/api/me", {"password": PASSWORD}).status_code == 204
    assert api.get("/api/watches").status_code == 401
    assert client.get("/api/watches").status_code == 401
    body = {"email": alice.email, "password": PASSWORD}
    assert api.post("/api/token", body).status_code == 401
    message.refresh_from_db()
    assert (message.state, message.reason) == ("failed", leaving.REASON)
    states = Delivery.objects.filter(user=alice).values_list("state", flat=True)
    assert sorted(states) == ["cancelled", "composed"]
    make_audiobook(now=now + dt.timedelta(seconds=1), title="Later")
    while fan_out_due(now=now, limit=10, chunk=100):
        pass
    assert Delivery.objects.filter(user=alice).count() == 2


def test_no_row_is_left_and_nobody_else_loses_any(alice: User, bob: User, now: dt.datetime) -> None:
    """Proves the guards of remove_left(): over all tables that refer to a user."""
    with_all_there_is(bob, now)
    others = ("Work", "Audiobook", "AudiobookCheck", "Contributor", "Credit", "ReleaseEvent")
    with_all_there_is(alice, now)
    missing = [table for table, count in rows_of(alice.pk).items() if not count]
    assert missing == ["accounts_user_user_permissions"]
    before, bobs = everything(), rows_of(bob.pk)
    leave(user=alice, now=now)
    assert remove() > 10
    assert not User.objects.filter(id=alice.pk).exists()
    assert {table: count for table, count in rows_of(alice.pk).items() if count} == {}
    assert rows_of(bob.pk) == bobs
    after = everything()
    for name in others:
        assert after[name] == before[name]
    counts = {model.__name__: model.objects.count() for model in (Attempt, Told, DigestSlot)}
    assert counts == {"Attempt": 1, "Told": 1, "DigestSlot": 1}
    assert (Message.objects.count(), ImportItem.objects.count()) == (1, 1)


def test_removal_goes_on_where_it_stopped(
    alice: User, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_all_there_is(alice, now)
    leave(user=alice, now=now)
    monkeypatch.setattr(leaving, "AT_ONCE", 1)
    assert remove(limit=2) == 2
    assert User.objects.filter(id=alice.pk).exists()
    while remove(limit=2):
        pass
    assert not User.objects.filter(id=alice.pk).exists()


def test_what_is_on_the_wire_is_settled_first(alice: User, now: dt.datetime) -> None:
    """Proves the guard GRACE: a sender writes down what it came to, on a row that is there."""
    leave(user=alice, now=now)
    assert remove_left(before=now + dt.timedelta(seconds=1) - GRACE, limit=MANY) == 0
    assert remove_left(before=now + dt.timedelta(seconds=1), limit=MANY) > 0


def test_who_has_not_left_loses_nothing(alice: User, now: dt.datetime) -> None:
    """Proves the guard left_at."""
    with_all_there_is(alice, now)
    before = everything()
    assert remove() == 0
    assert everything() == before


def test_a_tombstone_stays_outside_the_database_and_tells_nothing(
    alice: User,
    now: dt.datetime,
    stones: Path,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        leave(user=alice, now=now)
    (stone,) = stones.iterdir()
    assert (len(stone.name), stone.read_bytes()) == (64, b"")
    stone.unlink()
    remove()  # whoever died before it was written
    assert [each.name for each in stones.iterdir()] == [stone.name]


def test_a_restore_brings_nobody_back(
    alice: User, bob: User, now: dt.datetime, stones: Path
) -> None:
    """Proves the guard tombstones: the backup is from before, and knows nothing of it."""
    made = {"id": alice.pk, "email": alice.email, "created_at": alice.created_at}
    leave(user=alice, now=now)
    remove()
    User.objects.create(**made)
    restored = User.objects.get(id=alice.pk)
    make_watch(restored, now=now)
    said = StringIO()
    call_command("apply_tombstones", stdout=said)
    assert said.getvalue() == "1 had left since; their rows are removed.\n"
    assert list(User.objects.values_list("id", flat=True)) == [bob.pk]


def test_another_user_with_the_same_id_stays(alice: User, now: dt.datetime) -> None:
    """Proves the guard created_at: a database made anew counts its users from one again."""
    bury((alice.pk, alice.created_at - dt.timedelta(days=1)))
    assert apply_tombstones(now=now) == 0


def test_the_address_is_free_again(alice: User, now: dt.datetime) -> None:
    leave(user=alice, now=now)
    remove()
    again: Any = make_user("alice")
    assert again.pk != alice.pk
