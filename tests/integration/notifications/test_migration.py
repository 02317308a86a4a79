"""The way of what was there before months: every row is kept, and the tables end up the same."""

import datetime as dt
import uuid
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from accounts.models import User
from accounts.services import notify
from notifications.models import Attempt, Channel, Delivery, Message
from notifications.partitions import make_months
from stalkerr import sql
from tests.factories import event_of, make_audiobook, make_channel

pytestmark = pytest.mark.django_db

TABLES = ("attempts", "deliveries", "messages")
SECOND = dt.timedelta(seconds=1)


def shape() -> set[tuple[Any, ...]]:
    """Columns, keys and indexes of the three tables."""
    found = sql.rows(
        """
        SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity
        FROM information_schema.columns WHERE table_name = ANY(%(tables)s)
        UNION ALL
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), NULL, NULL, NULL
        FROM pg_constraint WHERE conrelid::regclass::text = ANY(%(tables)s)
        UNION ALL
        SELECT tablename, indexname, indexdef, NULL, NULL, NULL
        FROM pg_indexes WHERE tablename = ANY(%(tables)s)
        """,
        {"tables": list(TABLES)},
    )
    return set(found)


def go_back() -> Any:
    """The tables of the migration before, empty; returns its models."""
    sql.rows("SET CONSTRAINTS ALL IMMEDIATE")
    sql.rows("DROP TABLE attempts, deliveries, messages CASCADE")
    loader = MigrationLoader(connection)
    apps = loader.project_state([("notifications", "0001_initial")]).apps
    with connection.schema_editor(atomic=False) as editor:
        for name in ("Message", "Delivery", "Attempt"):
            editor.create_model(apps.get_model("notifications", name))
    return apps


def go_forward() -> None:
    sql.rows("SET CONSTRAINTS ALL IMMEDIATE")
    months = import_module("notifications.migrations.0002_when_and_where")
    where_to = import_module("notifications.migrations.0003_where_to")
    with connection.cursor() as cursor:
        for statement in (*months.STATEMENTS, where_to.UP):
            cursor.execute(statement)
    sql.rows("SET CONSTRAINTS ALL IMMEDIATE")


def fill(apps: Any, channel: Channel, now: dt.datetime) -> dict[str, list[dict[str, Any]]]:
    """A row in every state; returns all of them, by table."""
    old = {
        name: apps.get_model("notifications", name) for name in ("Message", "Delivery", "Attempt")
    }
    common = {"channel_id": channel.id, "channel_kind": "webhook"}
    ends: dict[str, dict[str, Any]] = {
        "sent": {"finalized_at": now, "remote_id": "r1"},
        "failed": {"finalized_at": now, "reason": "Given up."},
        "due": {"next_attempt_at": now, "tries": 3, "ambiguous": 1, "refused_at": now},
        "sending": {"lease_expires_at": now, "lost_leases": 2},
        "held": {},
    }
    for number, (state, fields) in enumerate(ends.items()):
        at = now - number * 40 * dt.timedelta(days=1)
        message = old["Message"].objects.create(
            wire_id=uuid.uuid4(),
            destination_id=channel.destination_id,
            state=state,
            created_at=at,
            claim_no=number,
            **common,
            **fields,
        )
        old["Attempt"].objects.create(
            message=message, claim_no=1, verdict="x", started_at=at, duration_ms=7, status=502
        )
        event = event_of(make_audiobook(now=at))
        old["Delivery"].objects.create(
            event_id=event.id,
            user_id=channel.user_id,
            state="composed",
            message=message,
            due_at=at,
            created_at=at + SECOND,
            watch_ids=[1, 2],
            **common,
        )
    notify(user_id=channel.user_id, subject="Hello", text="…", dedupe_key="a", now=now)
    ((notice,),) = sql.rows("SELECT id FROM accounts_notice")
    for state in ("pending", "held", "cancelled"):
        about = (
            {"notice_id": notice}
            if state == "pending"
            else {"event_id": event_of(make_audiobook(now=now)).id}
        )
        old["Delivery"].objects.create(
            user_id=channel.user_id,
            state=state,
            due_at=now + SECOND,
            created_at=now,
            **common,
            **about,
        )
    return {name: list(model.objects.order_by("id").values()) for name, model in old.items()}


def kept(model: Any, before: list[dict[str, Any]]) -> bool:
    """Whether the rows are the same in all that there was."""
    names = list(before[0])
    return list(model.objects.order_by("id").values(*names)) == before


def test_every_row_is_kept_and_numbers_go_on(alice: User, now: dt.datetime) -> None:
    channel, fresh = make_channel(alice), shape()
    rows = fill(go_back(), channel, now)
    go_forward()
    assert shape() == fresh
    assert kept(Message, rows["Message"])
    assert kept(Delivery, rows["Delivery"])
    assert kept(Attempt, rows["Attempt"])
    for delivery in Delivery.objects.select_related("event", "notice", "message"):
        source = delivery.event.seen_at if delivery.event else delivery.notice.created_at  # type: ignore[union-attr]
        assert delivery.source_at == source
        assert delivery.message_at == (delivery.message and delivery.message.created_at)
        assert delivery.destination_id == channel.destination_id
    assert all(each.message_at == each.message.created_at for each in Attempt.objects.all())
    last = max(row["id"] for row in rows["Message"])
    message = Message.objects.create(
        wire_id=uuid.uuid4(),
        channel=channel,
        channel_kind="webhook",
        destination=channel.destination,
        state="held",
        created_at=now,
    )
    assert message.id == last + 1
    sql.rows("SET CONSTRAINTS ALL IMMEDIATE")
    make_months(now=now)
    assert kept(Delivery, rows["Delivery"])


def test_empty_tables_move_as_well(db: None) -> None:
    fresh = shape()
    go_back()
    go_forward()
    assert shape() == fresh
