"""What a restored database is told: nothing is sent that may have been, nobody is signed in, nobody is back."""

import datetime as dt
import uuid
from typing import Any

import pytest
from django.contrib.sessions.models import Session

from accounts.models import Notice, RefreshToken, User
from accounts.refreshing import begin_family
from accounts.tombstones import bury
from catalog import brake
from catalog.models import Audiobook, ReleaseEvent, StoreChange
from catalog.services import publish_events
from notifications.models import Channel, Delivery, Message, Refan
from notifications.replaying import replay_held
from scraping.models import Target
from tests.factories import (
    event_of,
    make_audiobook,
    make_channel,
    make_delivery,
    make_target,
    make_watch,
)
from tests.promises import fan_out, untold
from workers.backups.settling import settle

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _graves(tmp_path: Any, settings: Any) -> None:
    settings.VAR_DIR = tmp_path


@pytest.fixture
def channel(alice: User) -> Channel:
    return make_channel(alice)


@pytest.fixture
def book(alice: User, channel: Channel, now: dt.datetime) -> Audiobook:
    """A title that Alice waits for."""
    make_watch(alice, now=now - HOUR)
    return make_audiobook(now=now)


def settled(now: dt.datetime) -> None:
    settle(taken_at=now, now=now + HOUR)


def message_of(channel: Channel, now: dt.datetime, **fields: Any) -> Message:
    return Message.objects.create(
        wire_id=uuid.uuid4(),
        channel=channel,
        channel_kind=channel.kind,
        destination=channel.destination,
        created_at=now,
        **fields,
    )


def test_news_that_nobody_was_promised_waits_for_a_person(
    book: Audiobook, now: dt.datetime
) -> None:
    """Proves the guard hold_all_unsaid: it was promised and told a moment after the backup."""
    settled(now)
    assert untold() == []
    fan_out(now + 2 * HOUR)
    assert not Delivery.objects.exists()
    (event,) = ReleaseEvent.objects.braked()
    assert event.held_by == brake.BY_RESTORE
    brake.tell_braked(event_ids=[event.id])
    fan_out(now + 2 * HOUR)
    assert Delivery.objects.get().state == "pending"


def test_news_of_a_visit_that_was_under_way_waits_too(book: Audiobook, now: dt.datetime) -> None:
    target = make_target(now=now)
    ReleaseEvent.objects.update(held_by=target.id)
    settled(now)
    event = event_of(book)
    assert (event.held_by, event.braked_at is None) == (target.id, False)


def test_what_was_promised_or_due_is_held_for_its_owner(
    book: Audiobook, channel: Channel, now: dt.datetime
) -> None:
    """Proves the guard hold_all_unsent: whatever went out after the backup would go out again."""
    fan_out(now)
    due = message_of(channel, now, state="due", next_attempt_at=now)
    sending = message_of(channel, now, state="sending", lease_expires_at=now)
    sent = message_of(channel, now, state="sent", finalized_at=now)
    settled(now)
    assert Delivery.objects.get().state == "held"
    states = {message.id: message.state for message in Message.objects.all()}
    assert states == {due.id: "held", sending.id: "held", sent.id: "sent"}
    assert replay_held(channel=channel, now=now) == 3


def test_notices_and_second_looks_are_held_as_well(
    book: Audiobook, channel: Channel, now: dt.datetime
) -> None:
    """Proves that what was about to be promised is promised before it is held."""
    fan_out(now)
    Delivery.objects.update(state="cancelled")
    Delivery.objects.all().delete()
    book.work.told.all().delete()
    Refan.objects.create(event=event_of(book), user=channel.user)
    Notice.objects.create(
        user=channel.user, dedupe_key="k", subject="Hello", text="-", created_at=now
    )
    settled(now)
    held = Delivery.objects.order_by("id").values_list("state", "event_id", "notice__subject")
    assert set(held) == {("held", event_of(book).id, None), ("held", None, "Hello")}
    assert not Refan.objects.exists()


def test_everybody_signs_in_anew(alice: User, now: dt.datetime) -> None:
    """Proves end_all: a sign-in that was ended after the backup would be alive again."""
    begin_family(user=alice, scope="read", now=now)
    Session.objects.create(session_key="k", session_data="-", expire_date=now + HOUR)
    settled(now)
    assert not RefreshToken.objects.filter(revoked_at=None).exists()
    assert not Session.objects.exists()


def test_whoever_left_after_the_backup_leaves_again(
    alice: User, bob: User, now: dt.datetime
) -> None:
    """Proves that tombstones are applied: a restore would bring back who asked to be forgotten."""
    bury((bob.pk, bob.created_at))
    settled(now)
    assert list(User.objects.values_list("email", flat=True)) == [alice.email]


def test_readers_of_all_news_miss_nothing(book: Audiobook, now: dt.datetime) -> None:
    """Proves the leap: numbers that were given out after the backup would be given out again."""
    publish_events()
    ReleaseEvent.objects.update(fanned_out_at=now)
    read_up_to = event_of(book).published_seq or 0
    settled(now)
    make_audiobook(now=now)
    publish_events()
    assert not ReleaseEvent.objects.filter(published_seq__lt=read_up_to + 1000).exists()


def test_a_visit_that_began_before_the_swap_counts_no_more(now: dt.datetime) -> None:
    """Proves the leap of claims: it would let its news go, and write down a pass."""
    target = make_target(now=now, claim_no=7, lease_expires_at=now + HOUR)
    settled(now)
    after = Target.objects.get(id=target.id)
    assert (after.lease_expires_at, after.claim_no > 1000) == (None, True)


def test_caches_learn_that_all_may_be_another(now: dt.datetime) -> None:
    settled(now)
    assert StoreChange.objects.filter(marketplace="us").exists()


def test_nothing_is_held_where_nothing_waits(channel: Channel, now: dt.datetime) -> None:
    event = event_of(make_audiobook(now=now))
    ReleaseEvent.objects.update(fanned_out_at=now)
    composed = message_of(channel, now, state="sent", finalized_at=now)
    make_delivery(channel, event, now=now, state="composed", message=composed)
    assert settle(taken_at=now, now=now + HOUR).messages == 0
    assert Delivery.objects.get().state == "composed"
    assert not ReleaseEvent.objects.braked().exists()
