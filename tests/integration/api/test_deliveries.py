"""GET /api/deliveries: one's own log."""

import datetime as dt
import uuid

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import Notice, User
from catalog.models import ReleaseEvent
from notifications.models import Attempt, Channel, Delivery, Message, Posting
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
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
        "webhook_id": str(Message.objects.get().wire_id),
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
        destination=channel.destination,
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


def shown_ids(client: APIClient, query: str) -> list[int]:
    answer = client.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.json()
    return [delivery["id"] for delivery in answer.json()["results"]]


def make_failed(
    channel: Channel, event: ReleaseEvent, now: dt.datetime, reason: str = "-"
) -> Delivery:
    delivery = make_sent(channel, event, now)
    Message.objects.filter(deliveries=delivery).update(state="failed", reason=reason)
    return delivery


def test_the_log_is_filtered_as_it_is_shown(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    hour, client = dt.timedelta(hours=1), client_of(alice)
    hook, other = make_channel(alice), make_channel(alice, address="other.example.org")

    def event() -> ReleaseEvent:
        return event_of(make_audiobook(now=now))

    sent, failed = make_sent(hook, event(), now), make_failed(other, event(), now)
    held = make_delivery(hook, event(), now=now, state="held")
    waits = make_sent(hook, event(), now)
    Message.objects.filter(deliveries=waits).update(state="held", finalized_at=None)
    old = make_delivery(hook, event(), now=now, created_at=now - 2 * hour)
    notice = Notice.objects.create(dedupe_key="1", subject="Look", text="-", created_at=now)
    told = make_delivery(hook, event(), now=now, state="cancelled")
    Delivery.objects.filter(id=told.id).update(event=None, notice=notice)
    everything = {each.id for each in (sent, failed, held, waits, old, told)}
    expected = {
        "state=sent": {sent.id},
        "state=failed": {failed.id},
        "state=held": {held.id, waits.id},
        "state=pending": {old.id},
        "state=cancelled": {told.id},
        "state=sending": set(),
        f"channel={other.id}": {failed.id},
        f"channel={hook.id}&state=sent": {sent.id},
        "kind=notice": {told.id},
        "kind=announced": everything - {told.id},
        "kind=book": set(),
        f"since={(now - hour).isoformat().replace('+00:00', 'Z')}": everything - {old.id},
    }
    assert {query: set(shown_ids(client, query)) for query in expected} == expected
    for query in (
        "state=composed",
        "channel=x",
        "kind=x",
        "since=x",
        "channel=99999999999999999999",
    ):
        assert client.get(f"{PATH}?{query}").status_code == 400, query


@pytest.mark.parametrize(
    ("since", "status"),
    [
        ("2000-01-01T00:00:00+23:59", 200),  # an offset that PostgreSQL does not know
        ("2000-01-01T00:00:00-16:00", 200),
        ("0001-01-01T00:00:00+23:59", 400),  # before all that can be counted
        ("9999-12-31T23:59:59-23:59", 400),
    ],
)
def test_a_moment_of_any_offset_is_a_moment_or_refused(
    alice: User, client_of: ClientOf, since: str, status: int
) -> None:
    assert client_of(alice).get(PATH, {"since": since}).status_code == status


def test_the_log_says_why_in_words(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    channel = make_channel(alice)
    watches = [
        make_watch(alice, now=now),
        make_watch(alice, "glass tide", kind="keyword", now=now),
    ]
    event = event_of(make_audiobook(now=now, title="The Glass Tide", narrators=["Nora Reader"]))
    ids = [watch.id for watch in watches]
    make_delivery(channel, event, now=now, watch_ids=[*ids, 2**40])
    posting = Posting.objects.create(user=alice, book={"title": "Posted"}, created_at=now)
    posted = make_delivery(channel, event_of(make_audiobook(now=now)), now=now)
    Delivery.objects.filter(id=posted.id).update(event=None, posting=posting)
    book, news = client_of(alice).get(PATH).json()["results"]
    assert news["watches"] == [*ids, 2**40]
    assert news["why"] == [
        'author Ada Example: its author "ada example"',
        'keyword glass tide: its titles hold "glass", its titles hold "tide"',
        "a watch that is no more",
    ]
    assert (book["kind"], book["title"], book["why"]) == (
        "book",
        "Posted",
        ["A program of yours posted it."],
    )


def test_what_failed_is_replayed_once(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    channel, client = make_channel(alice), client_of(alice)
    reason = "Unconfirmed: The answer was lost."
    delivery = make_failed(channel, event_of(make_audiobook(now=now)), now, reason)
    (shown,) = client.get(PATH).json()["results"]
    assert (shown["state"], shown["unconfirmed"], shown["reason"]) == ("failed", True, reason)
    answer = client.post(f"{PATH}/{delivery.id}/replay")
    assert (answer.status_code, answer.json()["state"]) == (200, "due")
    assert answer.json()["unconfirmed"] is False
    again = client.post(f"{PATH}/{delivery.id}/replay")
    assert (again.status_code, again.json()["detail"]) == (409, "This is on its way already.")


def test_many_are_replayed_over_one_channel(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    channel, client = make_channel(alice), client_of(alice)
    for _ in range(3):
        make_failed(channel, event_of(make_audiobook(now=now)), now)
        make_delivery(channel, event_of(make_audiobook(now=now)), now=now, state="held")
    path, hour = f"{PATH}/replay", dt.timedelta(hours=1)
    asked = {"channel": channel.id, "state": "failed"}
    assert client.post(path, asked | {"since": now + hour}).json() == {"replayed": 0}
    assert client.post(path, asked).json() == {"replayed": 3}
    assert client.post(path, asked).json() == {"replayed": 0}
    assert client.post(path, asked | {"state": "held"}).json() == {"replayed": 3}
    Channel.objects.update(disabled_at=now)
    refused = client.post(path, asked)
    assert (refused.status_code, "enable it first" in refused.json()["detail"]) == (409, True)
    for body in ({}, asked | {"state": "sent"}, asked | {"channel": 0}, asked | {"since": "x"}):
        assert client.post(path, body).status_code == 400


def test_a_bulk_replay_costs_the_same_for_one_and_for_many(
    alice: User,
    client_of: ClientOf,
    now: dt.datetime,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    channel, client = make_channel(alice), client_of(alice)
    for count in (1, 9):
        for _ in range(count):
            make_failed(channel, event_of(make_audiobook(now=now)), now)
        # the clock twice, the user, the channel, its lock, the statement, a savepoint's two
        with django_assert_num_queries(8):
            answer = client.post(f"{PATH}/replay", {"channel": channel.id, "state": "failed"})
        assert answer.json() == {"replayed": count}


def test_the_log_can_only_be_read(alice: User, client_of: ClientOf) -> None:
    answers = [getattr(client_of(alice), m)(PATH) for m in ("post", "put", "patch", "delete")]
    assert [answer.status_code for answer in answers] == [405] * 4
    assert answers[0]["Content-Type"] == "application/problem+json"
