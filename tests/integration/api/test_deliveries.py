"""GET /api/deliveries: one's own log."""

import datetime as dt
import uuid

from pytest_django import DjangoAssertNumQueries

from accounts.models import Notice, User
from catalog.models import ReleaseEvent
from notifications.models import Attempt, Channel, Delivery, Message
from tests.factories import event_of, make_audiobook, make_channel, make_delivery
from tests.integration.api.conftest import ClientOf

PATH = "/api/deliveries"


def make_sent(channel: Channel, event: ReleaseEvent, now: dt.datetime) -> Delivery:
    """One that took two attempts."""
    message = Message.objects.create(
        wire_id=uuid.uuid4(),
        channel=channel,
        channel_kind=channel.kind,
        destination=channel.destination,
        state="sent",
        created_at=now,
        finalized_at=now,
        reason="503: busy",
    )
    for claim_no, verdict in ((2, "accepted"), (1, "not_accepted")):
        Attempt.objects.create(
            message=message,
            message_at=now,
            claim_no=claim_no,
            verdict=verdict,
            started_at=now,
            duration_ms=7,
        )
    return make_delivery(channel, event, now=now, state="composed", message=message, watch_ids=[5])


def test_the_log_says_what_where_when_and_how_it_went(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    channel, book = make_channel(alice), make_audiobook(now=now, title="Of Sand")
    delivery = make_sent(channel, event_of(book), now)
    moment = now.isoformat().replace("+00:00", "Z")
    (shown,) = client_of(alice).get(PATH).json()["results"]
    attempts = shown.pop("attempts")
    assert shown == {
        "id": delivery.id,
        "kind": "announced",
        "title": "Of Sand",
        "marketplace": "us",
        "asin": book.asin,
        "new_date": str(book.release_date),
        "watches": [5],
        "why": ["a watch that is no more"],
        "channel": channel.id,
        "channel_kind": "webhook",
        "state": "sent",
        "reason": "503: busy",
        "unconfirmed": False,
        "created_at": moment,
        "due_at": moment,
        "sent_at": moment,
    }
    assert [attempt["verdict"] for attempt in attempts] == ["not_accepted", "accepted"]


def test_a_notice_and_a_promise_are_shown_as_well(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    channel = make_channel(alice)
    notice = Notice.objects.create(dedupe_key="1", subject="Look here", text="-", created_at=now)
    Delivery.objects.create(
        source_at=now,
        notice=notice,
        user=alice,
        channel=channel,
        channel_kind="x",
        due_at=now,
        created_at=now,
    )
    make_delivery(channel, event_of(make_audiobook(now=now)), now=now)
    promised, told = client_of(alice).get(PATH).json()["results"]
    assert (told["kind"], told["title"], told["asin"]) == ("notice", "Look here", None)
    assert (promised["state"], promised["sent_at"], promised["attempts"]) == ("pending", None, [])


def test_a_page_costs_the_same_for_one_delivery_and_for_many(
    alice: User,
    client_of: ClientOf,
    now: dt.datetime,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client, channel = client_of(alice), make_channel(alice)
    for count in (1, 9):
        for _ in range(count):
            make_sent(channel, event_of(make_audiobook(now=now)), now)
        # the clock, the user, deliveries, attempts, watches, their keys
        with django_assert_num_queries(6):
            answer = client.get(PATH)
    ids = [delivery["id"] for delivery in answer.json()["results"]]
    assert (len(ids), ids) == (10, sorted(ids, reverse=True))


def test_the_log_is_read_page_by_page_backwards(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    client, channel = client_of(alice), make_channel(alice)
    made = [make_delivery(channel, event_of(make_audiobook(now=now)), now=now).id for _ in range(5)]
    seen, following = [], f"{PATH}?page_size=2"
    while following:
        page = client.get(following).json()
        seen += [delivery["id"] for delivery in page["results"]]
        following = page["next"]
    assert seen == sorted(made, reverse=True)


def test_the_log_can_only_be_read(alice: User, client_of: ClientOf) -> None:
    answers = [getattr(client_of(alice), m)(PATH) for m in ("post", "put", "patch", "delete")]
    assert [answer.status_code for answer in answers] == [405] * 4
    assert answers[0]["Content-Type"] == "application/problem+json"
