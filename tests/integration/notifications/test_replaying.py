"""Failed and held messages once more: all of a message, with the id it had, for those who hear."""

import datetime as dt
import uuid
from typing import Any

import pytest

from accounts.models import User
from notifications import services
from notifications.models import Channel, Delivery, Message
from notifications.replaying import (
    NotReplayableError,
    replay_delivery,
    replay_failed,
    replay_held,
    replay_messages,
)
from stalkerr import clock
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import event_of, make_audiobook, make_channel, make_delivery
from tests.people import make_user

HOUR = dt.timedelta(hours=1)


def make_message(channel: Channel, now: dt.datetime, state: str, **fields: Any) -> Message:
    ends = {"finalized_at": now} if state in ("sent", "failed") else {}
    return Message.objects.create(
        wire_id=uuid.uuid4(),
        channel=channel,
        channel_kind=channel.kind,
        destination=channel.destination,
        state=state,
        created_at=now,
        **ends | fields,
    )


def make_told(channel: Channel, now: dt.datetime, message: Message) -> Delivery:
    event = event_of(make_audiobook(now=now))
    return make_delivery(channel, event, now=now, state="composed", message=message)


@pytest.mark.django_db
def test_a_failed_message_begins_from_the_start_with_its_id(alice: User, now: dt.datetime) -> None:
    channel = make_channel(alice)
    message = make_message(channel, now, "failed", tries=10, ambiguous=2, lost_leases=6)
    first, second = (make_told(channel, now, message) for _ in range(2))
    replay_delivery(delivery=first, now=now + HOUR)
    after = Message.objects.get()
    assert (after.wire_id, after.state, after.next_attempt_at, after.finalized_at) == (
        message.wire_id,
        "due",
        now + HOUR,
        None,
    )
    assert (after.tries, after.ambiguous, after.lost_leases) == (0, 0, 0)
    with pytest.raises(NotReplayableError, match="on its way already"):
        replay_delivery(delivery=second, now=now)  # it went with the first


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "message_state", "words"),
    [
        ("pending", None, "on its way"),
        ("cancelled", None, "taken back"),
        ("composed", "sent", "was sent"),
        ("composed", "sending", "on its way"),
        ("composed", "due", "on its way"),
    ],
)
def test_what_neither_failed_nor_is_held_is_not_sent_again(
    alice: User, now: dt.datetime, state: str, message_state: str | None, words: str
) -> None:
    channel, message = make_channel(alice), None
    if message_state:
        fields = {"sending": {"lease_expires_at": now}, "due": {"next_attempt_at": now}}
        message = make_message(channel, now, message_state, **fields.get(message_state, {}))
    event = event_of(make_audiobook(now=now))
    delivery = make_delivery(channel, event, now=now, state=state, message=message)
    before = [*Delivery.objects.values(), *Message.objects.values()]
    with pytest.raises(NotReplayableError, match=words):
        replay_delivery(delivery=delivery, now=now + HOUR)
    assert before == [*Delivery.objects.values(), *Message.objects.values()]


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["disabled_at", "unconfirmed_since"])
def test_a_channel_that_does_not_hear_is_replayed_nothing(
    alice: User, now: dt.datetime, field: str
) -> None:
    """Proves the guard in each of the three ways to replay."""
    channel = make_channel(alice)
    Channel.objects.update(**{field: now})
    message = make_message(channel, now, "failed")
    delivery = make_told(channel, now, message)
    with pytest.raises(NotReplayableError):
        replay_delivery(delivery=delivery, now=now)
    for replay in (replay_failed, replay_held):
        with pytest.raises(NotReplayableError):
            replay(channel=channel, now=now)
    assert replay_messages(ids=[message.id], now=now) == 0
    assert Message.objects.get().state == "failed"


@pytest.mark.django_db
def test_many_are_replayed_by_state_and_age_and_no_others(
    alice: User, bob: User, now: dt.datetime
) -> None:
    channel, other = make_channel(alice), make_channel(bob, address="other.example.org")
    for state in ("failed", "held"):
        for age in (0, 5):
            make_message(channel, now - age * HOUR, state)
        make_message(other, now, state)
    for age in (0, 5):
        event = event_of(make_audiobook(now=now))
        created_at = now - age * HOUR
        make_delivery(channel, event, now=now, state="held", created_at=created_at)
    since = now - HOUR
    assert replay_failed(channel=channel, now=now, since=since) == 1
    assert replay_held(channel=channel, now=now, since=since) == 2  # a message and a promise
    assert (replay_failed(channel=channel, now=now), replay_held(channel=channel, now=now)) == (
        1,
        2,
    )
    assert replay_held(channel=channel, now=now) == 0
    assert sorted(Message.objects.filter(channel=other).values_list("state", flat=True)) == [
        "failed",
        "held",
    ]


@pytest.mark.django_db(transaction=True)
def test_of_two_replays_at_once_one_does_it() -> None:
    now = dt.datetime.now(dt.UTC)
    channel = make_channel(make_user("alice"))
    delivery = make_told(channel, now, make_message(channel, now, "failed"))
    refused: list[str] = []

    def replay() -> None:
        try:
            replay_delivery(delivery=Delivery.objects.get(), now=clock.now())
        except NotReplayableError as error:
            refused.append(str(error))

    first = Paused(lambda: replay_delivery(delivery=delivery, now=clock.now()))
    second = start_and_see_it_wait(replay)
    first.finish()
    second.join(20)
    assert (Message.objects.get().state, len(refused)) == ("due", 1)


@pytest.mark.django_db(transaction=True)
def test_a_replay_waits_for_the_hand_that_switches_the_channel_off() -> None:
    """Proves the guard lock: else what is replayed would be due for a channel that is off."""
    now = dt.datetime.now(dt.UTC)
    channel = make_channel(make_user("alice"))
    make_message(channel, now, "failed")
    refused: list[str] = []

    def replay() -> None:
        try:
            replay_failed(channel=channel, now=clock.now())
        except NotReplayableError as error:
            refused.append(str(error))

    off = Paused(lambda: services.disable_channel(channel=channel, reason="-", now=now))
    late = start_and_see_it_wait(replay)
    off.finish()
    late.join(20)
    assert (Message.objects.get().state, len(refused)) == ("failed", 1)
