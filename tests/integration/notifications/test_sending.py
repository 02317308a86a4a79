"""The delivery machine over rows: composed, claimed, settled, lost, held."""

import datetime as dt
import threading
from collections.abc import Iterable
from functools import partial

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import Notice, User
from notifications import replaying, sending, services, settling
from notifications.channels.base import Outcome, Verdict
from notifications.composing import compose_due
from notifications.contents import load_contents
from notifications.destinations import BREAKER_AFTER, BREAKER_FIRST
from notifications.models import SHARDS, Attempt, Channel, Delivery, Destination, Message
from notifications.retry import Decision
from notifications.sending import Claimed
from notifications.settling import Settled
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
from tests.people import make_user

pytestmark = pytest.mark.django_db

LEASE = dt.timedelta(seconds=60)
SECOND = dt.timedelta(seconds=1)
ACCEPTED = Outcome(verdict=Verdict.ACCEPTED, status=200)
BROKEN = Outcome(verdict=Verdict.NOT_ACCEPTED, status=502, detail="The other side has a fault.")


def compose(
    now: dt.datetime, *, groups: int = 1, limit: int = 100, shard: int | None = None
) -> list[Claimed]:
    return compose_due(
        kind="webhook", groups=groups, limit=limit, now=now, lease=LEASE, shard=shard
    )


def claim(now: dt.datetime, limit: int = 100, *, suspects: bool = False) -> list[Claimed]:
    return sending.claim_due(kind="webhook", limit=limit, now=now, lease=LEASE, suspects=suspects)


def settle(
    claimed: Iterable[Claimed],
    now: dt.datetime,
    state: str = "sent",
    outcome: Outcome = ACCEPTED,
    **changes: object,
) -> set[int]:
    again = now + SECOND if state == "due" else None
    decision = Decision(
        **{"state": state, "tries": 1, "ambiguous": 0, "refused_at": None, "next_attempt_at": again}  # type: ignore[arg-type]
        | changes
    )
    settled = [Settled(each, outcome, decision, now, SECOND) for each in claimed]
    return settling.settle(settled=settled, now=now)


def promise(channel: Channel, now: dt.datetime, count: int = 1) -> None:
    for _ in range(count):
        make_delivery(channel, event_of(make_audiobook(now=now)), now=now)


@pytest.fixture
def channel(alice: User) -> Channel:
    return make_channel(alice)


def test_a_promise_becomes_a_message_of_the_one_who_composed_it(
    channel: Channel, now: dt.datetime
) -> None:
    promise(channel, now)
    (claimed,) = compose(now)
    message = Message.objects.get()
    assert (message.id, message.state, message.claim_no) == (claimed.id, "sending", 1)
    assert message.lease_expires_at == now + LEASE
    assert Delivery.objects.get().state == Delivery.State.COMPOSED
    assert compose(now) == claim(now) == []


@pytest.mark.parametrize(("groups", "sizes"), [(1, [1] * 12), (10, [10, 2]), (50, [12])])
def test_news_is_grouped_as_far_as_the_kind_allows(
    groups: int, sizes: list[int], channel: Channel, now: dt.datetime
) -> None:
    promise(channel, now, 12)
    contents: list[int] = []
    while claimed := compose(now, groups=groups):
        contents += [len(each.said) for each in load_contents(c.id for c in claimed).values()]
    assert contents == sizes


def test_what_is_not_due_waits(channel: Channel, now: dt.datetime) -> None:
    make_delivery(channel, event_of(make_audiobook(now=now)), now=now, due_at=now + SECOND)
    assert compose(now) == []
    assert sending.due_shards(now=now) == []
    assert sending.due_shards(now=now + SECOND) == [("webhook", channel.id % SHARDS)]
    assert len(compose(now + SECOND)) == 1


def test_an_accepted_message_is_final(channel: Channel, now: dt.datetime) -> None:
    promise(channel, now)
    assert len(settle(compose(now), now)) == 1
    message = Message.objects.get()
    assert (message.state, message.finalized_at, message.lease_expires_at) == ("sent", now, None)
    assert Attempt.objects.get().status == 200
    assert claim(now + dt.timedelta(days=9)) == []
    assert Destination.objects.get().sent_total == 1


def test_a_message_not_accepted_is_due_again_under_the_same_wire_id(
    channel: Channel, now: dt.datetime
) -> None:
    promise(channel, now)
    (first,) = compose(now)
    settle([first], now, "due", BROKEN)
    assert claim(now) == []
    (again,) = claim(now + SECOND)
    assert (again.wire_id, again.claim_no, again.tries) == (first.wire_id, 2, 1)


def test_a_sender_that_lost_its_lease_changes_nothing(channel: Channel, now: dt.datetime) -> None:
    """Proves the guard claim_no: without it the stale "failed" would bury the message."""
    promise(channel, now)
    (stale,) = compose(now)
    (fresh,) = claim(now + LEASE + SECOND)
    assert settle([stale], now + LEASE + SECOND, "failed") == set()
    assert Message.objects.get().state == "sending"
    assert settle([fresh], now + LEASE + SECOND) == {fresh.id}
    assert Attempt.objects.get().claim_no == 2


def test_a_message_is_nobody_elses_while_its_lease_lasts(
    channel: Channel, now: dt.datetime
) -> None:
    """Proves the guard lease: without it every sweep would send it again."""
    promise(channel, now)
    compose(now)
    assert claim(now + LEASE) == []
    assert len(claim(now + LEASE + SECOND)) == 1


def test_a_message_whose_senders_keep_vanishing_ends(channel: Channel, now: dt.datetime) -> None:
    promise(channel, now)
    compose(now)
    moment = now
    for _ in range(sending.MAX_LOST_LEASES):
        moment += LEASE + SECOND
        (claimed,) = claim(moment) or claim(moment, suspects=True)
        assert claimed.tries == 0
    moment += LEASE + SECOND
    assert claim(moment) == claim(moment, suspects=True) == []
    assert sending.bury_lost(now=moment) == 1
    message = Message.objects.get()
    assert (message.state, message.reason, message.claim_no) == ("failed", "worker lost", 5)
    alarm = Notice.objects.get(dedupe_key=f"poisoned:{message.wire_id}")
    assert (alarm.user_id, alarm.created_at) == (None, moment)


def test_what_took_two_senders_along_is_no_part_of_a_batch(
    channel: Channel, now: dt.datetime
) -> None:
    """Proves the guard SUSPECT_AFTER: what is beside it again and again would be buried with it."""
    promise(channel, now, 2)
    compose(now)
    moment = now
    for _ in range(sending.SUSPECT_AFTER - 1):
        moment += LEASE + SECOND
        assert len(claim(moment)) == 2
    moment += LEASE + SECOND
    assert not sending.has_suspects(kind="webhook", now=moment)
    assert claim(moment) == []  # both are let go of
    assert sending.has_suspects(kind="webhook", now=moment)
    promise(channel, moment)
    settle(compose(moment), moment, "due", BROKEN)
    assert len(claim(moment + SECOND)) == 1  # the one above suspicion
    assert len(claim(moment + SECOND, limit=1, suspects=True)) == 1


def test_what_our_own_code_breaks_over_ends_with_an_alarm(
    channel: Channel, now: dt.datetime
) -> None:
    promise(channel, now)
    (claimed,) = compose(now)
    fault = Outcome(verdict=Verdict.NOT_ACCEPTED, detail="Our own fault: KeyError", is_ours=True)
    settle([claimed], now, "failed", fault, reason="Given up after 5 tries")
    wire_id = Message.objects.get().wire_id
    assert Notice.objects.filter(dedupe_key=f"poisoned:{wire_id}", user=None).exists()


def test_one_crowded_destination_leaves_room_for_the_others(now: dt.datetime) -> None:
    crowded = make_channel(make_user("crowded"), address="crowded.example.org")
    other = make_channel(make_user("other"), address="other.example.org")
    promise(crowded, now, 40)
    promise(other, now)
    while claimed := compose(now):
        settle(claimed, now, "due", outcome=Outcome(verdict=Verdict.NOT_ACCEPTED, status=400))
    batch = claim(now + SECOND, limit=30)
    assert len([c for c in batch if c.channel_id == crowded.id]) == sending.PER_DESTINATION
    assert [c.channel_id for c in batch].count(other.id) == 1


def test_the_breaker_opens_after_contacts_that_came_to_nothing(
    channel: Channel, now: dt.datetime
) -> None:
    promise(channel, now, BREAKER_AFTER + 1)
    settle(compose(now, limit=BREAKER_AFTER), now, "due", BROKEN)
    assert compose(now) == []
    assert claim(now + SECOND) == []
    later = now + BREAKER_FIRST
    settle(claim(later, limit=1), later)
    assert Destination.objects.get().failures == 0
    assert len(compose(later)) == 1


def test_a_destination_that_asks_for_patience_gets_nothing_before(
    channel: Channel, now: dt.datetime
) -> None:
    promise(channel, now, 2)
    wait = dt.timedelta(seconds=30)
    busy = Outcome(verdict=Verdict.NOT_ACCEPTED, status=429, retry_after=wait, costs_try=False)
    settle(compose(now, limit=1), now, "due", busy, tries=0)
    assert compose(now + wait - SECOND) == claim(now + wait - SECOND) == []
    assert len(compose(now + wait)) == len(claim(now + wait)) == 1


def test_a_refusal_for_good_disables_the_channel_holds_the_rest_and_tells_its_owner(
    channel: Channel, now: dt.datetime
) -> None:
    elsewhere = make_channel(channel.user, address="elsewhere.example.org")
    promise(channel, now, 3)
    gone = Outcome(verdict=Verdict.REFUSED, status=410, detail="Gone.")
    first, second = compose(now, limit=2)
    settle([first], now, "failed", gone, disable_channel=True, reason="Refused for good: Gone.")
    channel.refresh_from_db()
    assert channel.disabled_at == now
    assert Delivery.objects.filter(state=Delivery.State.HELD).count() == 1
    settle([second], now, "due", BROKEN)
    assert Message.objects.get(id=second.id).state == "held"
    assert Notice.objects.get().user == channel.user
    services.fan_out_notices(now=now)
    assert Delivery.objects.get(event=None).channel == elsewhere

    services.enable_channel(channel=channel)
    assert compose(now + SECOND) != []  # the notice only
    assert replaying.replay_held(channel=channel, now=now) == 2
    assert len(compose(now + SECOND)) + len(claim(now + SECOND)) == 2


def test_a_composed_promise_can_not_be_taken_back(channel: Channel, now: dt.datetime) -> None:
    watch = make_watch(channel.user, now=now)
    make_delivery(channel, event_of(make_audiobook(now=now)), now=now, watch_ids=[watch.id])
    compose(now)
    watch.excluded_words = ["book"]
    watch.edited_at = now
    watch.save()
    services.cancel_unwanted(now=now)
    assert Delivery.objects.get().state == Delivery.State.COMPOSED


@pytest.mark.parametrize(
    "broken",
    [
        {"state": "sent"},
        {"state": "sending", "lease_expires_at": None},
        {"state": "due", "lease_expires_at": None},
        {"finalized_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)},
    ],
)
def test_the_database_refuses_states_that_can_not_be(
    broken: dict[str, object], channel: Channel, now: dt.datetime
) -> None:
    promise(channel, now)
    compose(now)
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.update(**broken)


@pytest.mark.parametrize("size", [1, 20])
def test_a_batch_takes_a_fixed_number_of_statements(
    size: int, alice: User, now: dt.datetime
) -> None:
    channel = make_channel(alice)
    promise(channel, now, size)
    with CaptureQueriesContext(connection) as queries:
        claimed = compose(now, shard=channel.id % SHARDS)
        load_contents(each.id for each in claimed)
        settle(claimed, now)
    assert len(claimed) == size
    assert len(queries) == 13


@pytest.mark.django_db(transaction=True)
def test_many_composers_and_claimers_never_share_a_message() -> None:
    now = dt.datetime.now(dt.UTC)
    channels = [make_channel(make_user(f"u{n}"), address=f"h{n}.example.org") for n in range(5)]
    for channel in channels:
        promise(channel, now, 20)
    start = threading.Barrier(4)
    taken: list[tuple[int, int]] = []

    def work() -> None:
        start.wait()
        while claimed := compose(now, limit=7) + claim(now, limit=7):
            taken.extend((each.id, each.claim_no) for each in claimed)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 100
    assert Delivery.objects.filter(state=Delivery.State.COMPOSED).count() == 100


def test_a_failed_message_can_be_sent_again_with_the_same_id(
    channel: Channel, now: dt.datetime
) -> None:
    promise(channel, now)
    (first,) = compose(now)
    settle([first], now, "failed", BROKEN, tries=10)
    assert replaying.replay_messages(ids=[first.id], now=now) == 1
    (again,) = claim(now)
    assert (again.wire_id, again.tries) == (first.wire_id, 0)


def test_what_was_held_for_a_month_is_given_up(channel: Channel, now: dt.datetime) -> None:
    promise(channel, now, 2)
    claimed = compose(now, limit=1)
    services.disable_channel(channel=channel, reason="gone", now=now)
    settle(claimed, now, "due", BROKEN)
    later = now + dt.timedelta(days=31)
    assert services.drop_held(before=now, now=later) == 0
    assert services.drop_held(before=now + SECOND, now=later) == 2
    assert Message.objects.get().state == "failed"
    assert Delivery.objects.filter(state=Delivery.State.CANCELLED).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_refusals_of_one_channel_do_not_wait_for_each_other() -> None:
    """Proves the guard lock of settled channels: two that share it could not both change the row."""
    now = dt.datetime.now(dt.UTC)
    channel = make_channel(make_user("gone"))
    promise(channel, now, 2)
    composed = compose(now)
    gone = Outcome(verdict=Verdict.REFUSED, status=410, detail="Gone.")
    busy = Paused(lambda: list(Destination.objects.select_for_update()))
    settled: list[int] = []

    def work(claimed: Claimed) -> None:
        settled.extend(settle([claimed], now, "failed", gone, disable_channel=True, reason="Gone."))

    threads = [
        start_and_see_it_wait(partial(work, claimed), waiting)
        for waiting, claimed in enumerate(composed, start=1)
    ]
    busy.finish()
    for thread in threads:
        thread.join()
    assert len(settled) == 2
    assert Notice.objects.count() == 1
