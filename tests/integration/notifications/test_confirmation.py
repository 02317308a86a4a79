"""Addresses that wait for their owner: what is held, what is sent, and who comes at the same time."""

import datetime as dt
import re
from collections.abc import Iterator

import pytest
from django.db import IntegrityError, transaction
from pytest_django import Settings

from accounts.models import Notice, User
from catalog.models import Watch
from notifications import links, services
from notifications.composing import compose_due, put_off_quiet
from notifications.confirmation import ask_to_confirm, confirm_channel
from notifications.contents import load_contents
from notifications.models import Attempt, Channel, Delivery, Message
from notifications.registration import change_channel, register_channel
from notifications.services import PROMISES
from notifications.settling import put_back
from notifications.timing import Wish
from notifications.wishes import quiet_ends, set_wish
from stalkerr import clock
from stalkerr.locks import lock
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
from tests.people import make_user
from tests.promises import fan_out, tell_all
from tests.sinks import Mail, MailSink

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[MailSink]:
    with MailSink() as mailbox:
        settings.SMTP_URL = mailbox.url
        settings.RETRY_BASE = dt.timedelta()
        yield mailbox


def register(user: User, address: str = "alice@example.org") -> Channel:
    config = {"address": address}
    registered = register_channel(user=user, kind="email", name="", config=config, now=clock.now())
    return registered.channel


def token_of(channel: Channel) -> str:
    channel.refresh_from_db()
    assert channel.unconfirmed_since
    url = links.confirm_url(channel_id=channel.id, since=channel.unconfirmed_since)
    return url.rpartition("/")[2]


def token_in(mail: Mail) -> str:
    body = mail.message.get_body(("plain",))
    assert body
    (token,) = re.findall(r"/confirm/(\S+)", body.get_content())
    return str(token)


def send() -> None:
    tell_all("email")


def confirm(channel: Channel) -> int:
    return confirm_channel(token=token_of(channel), now=clock.now()).replayed


@pytest.mark.django_db(transaction=True)
def test_news_waits_until_the_link_in_the_mail_was_followed(alice: User, mailbox: MailSink) -> None:
    channel = register(alice)
    make_watch(alice, now=clock.now())
    make_audiobook(now=clock.now(), title="Glass Tide")
    fan_out(clock.now())
    send()
    (asked,) = mailbox.wait_for(1)
    assert "Glass Tide" not in str(asked.message)
    confirmed = confirm_channel(token=token_in(asked), now=clock.now())
    assert (confirmed.channel, confirmed.replayed) == (channel, 1)
    send()
    assert "Glass Tide" in str(mailbox.wait_for(2)[1].message)
    send()
    assert len(mailbox.mails) == 2


@pytest.mark.django_db(transaction=True)
def test_a_request_that_was_not_accepted_is_sent_again(alice: User, mailbox: MailSink) -> None:
    """Proves that an unconfirmed channel's own request is not held with the rest."""
    mailbox.at_rcpt.append("451 come back later")
    channel = register(alice)
    send()
    send()  # as the next sweep has it
    (asked,) = mailbox.wait_for(1)
    assert confirm_channel(token=token_in(asked), now=clock.now()).channel == channel


@pytest.mark.django_db
def test_the_request_comes_in_quiet_hours_too(alice: User) -> None:
    """Proves the guard of who waits for it: all else is put off until the quiet hours end."""
    channel, now = register(alice), clock.now()
    other = make_channel(alice, kind="email", config={"address": "b@example.org"})
    news = make_delivery(other, event_of(make_audiobook(now=now)), now=now)
    local = now.astimezone(dt.UTC).time().replace(microsecond=0)
    before = (dt.datetime.combine(now.date(), local) - MINUTE).time()
    after = (dt.datetime.combine(now.date(), local) + 60 * MINUTE).time()
    for each in (channel, other):
        wish = Wish("UTC", quiet_from=before, quiet_until=after)
        set_wish(channel=each, wish=wish, now=now)
    put_off_quiet(kind="email", now=now, quiet=quiet_ends(now))
    news.refresh_from_db()
    assert news.due_at > now
    assert Delivery.objects.get(channel=channel).due_at <= now


@pytest.mark.django_db(transaction=True)
def test_news_composed_before_the_address_changed_is_held_not_sent_to_the_new_one(
    alice: User, mailbox: MailSink
) -> None:
    """Proves the guard at the door: what was claimed is no news for an unconfirmed address."""
    channel = register(alice)
    confirm(channel)
    now = clock.now()
    make_delivery(channel, event_of(make_audiobook(now=now)), now=now)
    (news,) = compose_due(kind="email", groups=50, limit=1, now=now, lease=-MINUTE)
    channel.refresh_from_db()
    change_channel(channel=channel, name="", config={"address": "b@example.org"}, now=clock.now())
    send()  # takes over what its sender left behind
    (asked,) = mailbox.wait_for(1)
    message = Message.objects.get(id=news.id)
    assert (message.state, message.lease_expires_at, asked.recipients) == (
        "held",
        None,
        ("b@example.org",),
    )
    assert not Attempt.objects.filter(message=message).exists()
    assert confirm_channel(token=token_in(asked), now=clock.now()).replayed == 1
    send()
    assert len(mailbox.wait_for(2)) == 2


@pytest.mark.django_db
def test_what_is_given_back_to_a_channel_that_was_switched_off_is_held(alice: User) -> None:
    """Proves the guard in put_back: due there, it would be sent though nobody wants it."""
    channel, now = make_channel(alice), clock.now()
    make_delivery(channel, event_of(make_audiobook(now=now)), now=now)
    (message,) = compose_due(kind="webhook", groups=1, limit=1, now=now, lease=MINUTE)
    services.disable_channel(channel=channel, reason="-", now=now)
    put_back(waits={message: MINUTE}, now=now)
    assert Message.objects.get().state == "held"


@pytest.mark.django_db(transaction=True)
def test_a_message_for_a_channel_that_was_switched_off_meanwhile_is_held(
    alice: User, mailbox: MailSink
) -> None:
    """Proves the guard at the door for disabled channels: after the one click nothing more comes."""
    channel = register(alice)
    confirm(channel)
    now = clock.now()
    make_delivery(channel, event_of(make_audiobook(now=now)), now=now)
    (news,) = compose_due(kind="email", groups=50, limit=1, now=now, lease=MINUTE)
    put_back(waits={news: dt.timedelta()}, now=now)
    Channel.objects.update(disabled_at=now)  # and what is due is about to be held
    send()
    assert (Message.objects.get().state, mailbox.mails) == ("held", [])


@pytest.mark.django_db
def test_a_request_in_a_mail_that_waits_is_not_sent_once_it_is_not_needed(alice: User) -> None:
    channel, now = register(alice), clock.now()
    (asked,) = compose_due(kind="email", groups=50, limit=1, now=now, lease=MINUTE)
    put_back(waits={asked: MINUTE}, now=now)
    assert Message.objects.get().state == "due"
    confirm(channel)
    message = Message.objects.get()
    assert (message.state, message.reason) == ("failed", "Not needed any more.")


@pytest.mark.django_db
def test_the_link_is_nowhere_but_in_the_message(alice: User) -> None:
    register(alice)
    now = clock.now()
    (asked,) = compose_due(kind="email", groups=50, limit=1, now=now, lease=MINUTE)
    (content,) = load_contents([asked.id])[asked.id].said
    token = content.url.rpartition("/")[2]
    assert token
    rows = [*Notice.objects.values(), *Delivery.objects.values(), *Message.objects.values()]
    assert not any(token in str(row) for row in rows)


# -- two at once -----------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_news_that_is_promised_while_the_link_is_followed_is_not_left_behind() -> None:
    """Proves the guard PROMISES in the confirmation: the chunk still saw the channel unconfirmed."""
    now = dt.datetime.now(dt.UTC)
    user = make_user("alice")
    channel = register(user)
    make_watch(user, now=now)
    event_id = event_of(make_audiobook(now=now + MINUTE)).id
    chunk = Paused(lambda: fan_out(now + MINUTE))
    confirming = start_and_see_it_wait(lambda: confirm(channel))
    chunk.finish()
    confirming.join(20)
    assert Delivery.objects.get(event=event_id).state == "pending"


@pytest.mark.django_db(transaction=True)
def test_news_that_is_promised_while_the_address_changes_is_held() -> None:
    """Proves the guard PROMISES in the request: the chunk still saw the old address confirmed."""
    now = dt.datetime.now(dt.UTC)
    user = make_user("alice")
    channel = register(user)
    confirm(channel)
    make_watch(user, now=now)
    event_id = event_of(make_audiobook(now=now + MINUTE)).id
    chunk = Paused(lambda: fan_out(now + MINUTE))
    channel.refresh_from_db()
    changing = start_and_see_it_wait(lambda: ask_to_confirm(channel=channel, now=now + MINUTE))
    chunk.finish()
    changing.join(20)
    assert Delivery.objects.get(event=event_id).state == "held"


@pytest.mark.django_db(transaction=True)
def test_a_notice_that_is_promised_while_the_address_changes_is_held() -> None:
    """Proves the guard PROMISES in the fan-out of notices."""
    now = dt.datetime.now(dt.UTC)
    user = make_user("alice")
    channel = register(user)
    confirm(channel)
    notice = Notice.objects.create(
        user=user, dedupe_key="x", subject="Look", text="-", created_at=now
    )
    fan_out = Paused(lambda: services.fan_out_notices(now=now))
    channel.refresh_from_db()
    changing = start_and_see_it_wait(lambda: ask_to_confirm(channel=channel, now=now + MINUTE))
    fan_out.finish()
    changing.join(20)
    assert Delivery.objects.get(notice=notice).state == "held"


@pytest.mark.django_db(transaction=True)
def test_news_that_is_promised_while_a_channel_is_enabled_is_there_to_be_replayed() -> None:
    """Proves the guard PROMISES in enable_channel: held after the replay, it would stay held."""
    now = dt.datetime.now(dt.UTC)
    user = make_user("alice")
    channel = make_channel(user, disabled_at=now)
    make_watch(user, now=now)
    make_audiobook(now=now + MINUTE)
    chunk = Paused(lambda: fan_out(now + MINUTE))
    enabling = start_and_see_it_wait(lambda: services.enable_channel(channel=channel))
    assert not Channel.objects.enabled().exists()  # it waits for the chunk
    chunk.finish()
    enabling.join(20)
    assert Delivery.objects.get().state == "held"
    assert Channel.objects.enabled().exists()


@pytest.mark.django_db(transaction=True)
def test_a_change_and_a_confirmation_wait_in_no_ring_and_the_change_counts() -> None:
    """Proves the guard order: a channel's row is locked before the promises."""
    user = make_user("alice")
    channel = register(user)
    token = token_of(channel)
    results: list[object] = []

    def follow() -> None:
        try:
            results.append(confirm_channel(token=token, now=clock.now()))
        except links.BadLinkError as error:
            results.append(error)

    with transaction.atomic():
        (mine,) = services.lock_channels([channel.id])
        following = start_and_see_it_wait(follow)
        lock(PROMISES)  # had the other one taken it first, this would be the ring
        change_channel(channel=mine, name="", config={"address": "b@example.org"}, now=clock.now())
    following.join(20)
    assert [type(result) for result in results] == [links.BadLinkError]
    channel.refresh_from_db()
    assert channel.unconfirmed_since is not None


@pytest.mark.django_db(transaction=True)
def test_a_request_that_breaks_off_half_way_leaves_the_old_address_as_it_was() -> None:
    """Proves the one transaction: its last rows can't be written, so nothing of it is there."""
    user = make_user("alice")
    channel = register(user)
    confirm(channel)
    later = clock.now()
    make_delivery(channel, event_of(make_audiobook(now=later)), now=later)
    key = links.confirmation_key(channel_id=channel.id, since=later)
    Notice.objects.create(user=user, dedupe_key=key, subject="-", text="-", created_at=later)
    before = list(Channel.objects.values()), list(Delivery.objects.order_by("id").values())
    channel.refresh_from_db()
    with pytest.raises(IntegrityError):
        change_channel(channel=channel, name="", config={"address": "b@example.org"}, now=later)
    after = list(Channel.objects.values()), list(Delivery.objects.order_by("id").values())
    assert after == before


@pytest.mark.django_db(transaction=True)
def test_what_somebody_composes_while_the_address_changes_is_not_mixed_with_the_request() -> None:
    """Proves the guard in _hold: skipped, what is put back would go along with the link."""
    user = make_user("alice")
    channel = register(user)
    confirm(channel)
    now = clock.now()
    make_delivery(channel, event_of(make_audiobook(now=now)), now=now)

    def look_and_leave() -> None:  # as a composer whose destination has no room
        list(Delivery.objects.select_for_update().filter(state="pending"))

    composer = Paused(look_and_leave)
    channel.refresh_from_db()
    changing = start_and_see_it_wait(lambda: ask_to_confirm(channel=channel, now=now + MINUTE))
    composer.finish()
    changing.join(20)
    pending = Delivery.objects.get(state="pending")
    assert pending.notice is not None


@pytest.mark.django_db(transaction=True)
def test_a_new_address_with_a_new_wish_waits_in_no_ring_with_a_mark() -> None:
    """Proves the guard order: promises, watches, deliveries."""
    now = dt.datetime.now(dt.UTC)
    user = make_user("alice")
    channel = register(user)
    confirm(channel)
    watch, audiobook = make_watch(user, now=now), make_audiobook(now=now)
    make_delivery(channel, event_of(audiobook), now=now, watch_ids=[watch.id])
    channel.refresh_from_db()

    def change() -> None:
        with transaction.atomic():
            ask_to_confirm(channel=channel, now=now + MINUTE)
            set_wish(channel=channel, wish=Wish("UTC", "daily", 8), now=now)

    with transaction.atomic():
        list(Watch.objects.select_for_update(no_key=True).filter(id=watch.id))
        changing = start_and_see_it_wait(change)
        # What mark_work does next; had the other one taken the promise first, this was the ring.
        Delivery.objects.filter(event__audiobook=audiobook).update(state="cancelled")
    changing.join(20)
    channel.refresh_from_db()
    assert channel.timing is not None
