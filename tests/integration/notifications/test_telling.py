"""From a promise to what a receiver holds, over real sinks."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from django.db import OperationalError
from pytest_django import Settings
from standardwebhooks import Webhook

from accounts.models import User
from catalog.services import publish_events
from notifications import telling
from notifications.composing import compose_due
from notifications.confirmation import confirm_channel
from notifications.models import Attempt, Channel, Delivery, Message
from notifications.registration import register_channel
from notifications.sender import sender
from notifications.sending import SUSPECT_AFTER
from notifications.telling import tell
from stalkerr import clock
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
from tests.promises import fan_out, tell_all
from tests.sinks import FOREVER, HttpSink, Mail, MailSink, Reply

pytestmark = pytest.mark.django_db(transaction=True)

SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    with HttpSink() as sink:
        yield sink


def promise(channel: Channel, count: int = 1) -> None:
    now = clock.now()
    for _ in range(count):
        make_delivery(channel, event_of(make_audiobook(now=now)), now=now)


def make_hook(user: User, sink: HttpSink) -> Channel:
    config = {"url": f"{sink.url}/hook", "secret": "whsec_" + "A" * 32}
    return make_channel(user, config=config, address="127.0.0.1")


def test_one_announcement_is_heard_once_over_every_kind_of_channel(
    alice: User, sink: HttpSink, settings: Settings
) -> None:
    with MailSink() as mailbox:
        settings.SMTP_URL, now = mailbox.url, clock.now()
        hook = register_channel(
            user=alice, kind="webhook", name="", config={"url": f"{sink.url}/hook"}, now=now
        )
        register_channel(
            user=alice,
            kind="discord",
            name="",
            config={"url": f"{sink.url}/api/webhooks/123456789012345678/{'t' * 68}"},
            now=now,
        )
        register_channel(
            user=alice, kind="email", name="", config={"address": alice.email}, now=now
        )
        tell_all("email")
        (asked,) = mailbox.wait_for(1)
        confirm_channel(token=token_in(asked), now=clock.now())
        make_watch(alice, now=clock.now())
        make_audiobook(now=clock.now(), title="Glass Tide")
        publish_events()
        fan_out(clock.now())
        for kind in ("webhook", "discord", "email"):
            tell_all(kind)
        _, mail = mailbox.wait_for(2)
    posted = {request.path.split("/")[1]: request for request in sink.requests}
    body = Webhook(hook.made["secret"]).verify(posted["hook"].body, posted["hook"].headers)
    assert body["type"] == "release.announced"
    assert body["data"]["audiobook"]["title"] == "Glass Tide"
    embed = posted["api"].json()["embeds"][0]
    assert "Glass Tide" in embed["title"]
    assert "author Ada Example" in str(mail.message)
    assert len(sink.requests) == 2
    assert set(Message.objects.values_list("state", flat=True)) == {"sent"}


def token_in(mail: Mail) -> str:
    """Of the link by which a mail asks to confirm an address."""
    body = mail.message.get_body(("plain",))
    assert body
    (token,) = re.findall(r"/confirm/(\S+)", body.get_content())
    return str(token)


def test_many_messages_are_sent_side_by_side_over_few_connections(
    alice: User, sink: HttpSink, settings: Settings
) -> None:
    settings.TELL_IN_FLIGHT = 8
    promise(make_hook(alice, sink), 60)
    tell_all("webhook")
    assert len({request.headers["webhook-id"] for request in sink.requests}) == 60
    assert sink.connections <= 8
    assert Attempt.objects.count() == 60


def test_what_was_not_accepted_is_sent_again_with_the_same_id(
    alice: User, sink: HttpSink, settings: Settings
) -> None:
    settings.RETRY_BASE = dt.timedelta()
    sink.replies.append(Reply(status=500))
    promise(make_hook(alice, sink))
    tell_all("webhook")
    tell_all("webhook")  # as the next sweep has it
    first, second = sink.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert Message.objects.get().state == "sent"


def test_a_receiver_that_says_nothing_is_ambiguous_and_holds_nobody_up(
    alice: User, sink: HttpSink, settings: Settings
) -> None:
    settings.OUTBOUND_TIMEOUT = SECOND
    sink.replies.append(Reply(delay=FOREVER))
    promise(make_hook(alice, sink), 5)
    tell_all("webhook")
    states = Message.objects.order_by("state").values_list("state", flat=True)
    assert list(states) == ["due", "sent", "sent", "sent", "sent"]
    assert Attempt.objects.filter(verdict="ambiguous").count() == 1


def test_a_channel_whose_key_is_gone_says_so_and_keeps_its_news(
    alice: User, sink: HttpSink, settings: Settings
) -> None:
    promise(make_hook(alice, sink))
    settings.CHANNEL_KEYS = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
    tell_all("webhook")
    message = Message.objects.get()
    assert (message.state, message.ambiguous) == ("due", 0)
    assert "CHANNEL_KEYS" in message.reason
    assert sink.requests == []


def test_what_is_on_the_wire_is_settled_though_the_next_claim_fails(
    alice: User, sink: HttpSink, settings: Settings
) -> None:
    """Proves the guard that a sender outlives the task: what it was given would be sent twice."""
    settings.TELL_IN_FLIGHT = 2
    sink.always = lambda _: Reply(delay=0.05)
    promise(make_hook(alice, sink), 40)

    away: list[OperationalError] = [OperationalError("the database is away")]

    def away_for_a_moment() -> dt.datetime:
        # Of the twenty claimed at first so many are sent: the next to ask is the next claim.
        if away and Message.objects.filter(state="sent").count() >= 4:
            raise away.pop()
        return clock.now()

    with pytest.raises(OperationalError):
        tell(kind="webhook", clock=away_for_a_moment)
    assert sender().wait(left=0, within=10)
    states = Counter(Message.objects.values_list("state", flat=True))
    assert states["sent"] == len(sink.requests) >= 4
    assert states["sending"] == 0


def test_what_can_not_be_made_ready_takes_no_other_along(
    alice: User, sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard _job_or_fault: the whole batch would lose its lease, and again."""
    broken = make_hook(alice, sink)
    Channel.objects.filter(id=broken.id).update(headline_template="broken")
    promise(broken)
    promise(make_hook(alice, sink), 3)

    def render(headline: str, *_: object) -> None:
        raise RuntimeError(headline)

    monkeypatch.setattr(telling, "render", render)
    tell_all("webhook")
    assert sender().wait(left=0, within=10)
    states = Counter(Message.objects.values_list("state", flat=True))
    assert (states["sent"], states["due"]) == (3, 1)
    assert Message.objects.get(state="due").reason == "Our own fault: RuntimeError"


def test_a_suspect_is_sent_alone(alice: User, sink: HttpSink) -> None:
    """Proves the guard _send_suspects: without it a suspect would wait for ever."""
    promise(make_hook(alice, sink))
    compose_due(kind="webhook", groups=1, limit=1, now=clock.now(), lease=dt.timedelta())
    Message.objects.update(lost_leases=SUSPECT_AFTER - 1)
    tell_all("webhook")
    tell_all("webhook")
    assert sender().wait(left=0, within=10)
    assert Message.objects.get().state == "sent"


def test_a_message_about_nothing_takes_no_other_along(alice: User, sink: HttpSink) -> None:
    promise(make_hook(alice, sink), 2)
    now, long_gone = clock.now(), dt.timedelta()
    empty, _ = compose_due(kind="webhook", groups=1, limit=2, now=now, lease=long_gone)
    Delivery.objects.filter(message_id=empty.id).delete()
    tell_all("webhook")
    assert len(sink.requests) == 1
    assert Message.objects.get(id=empty.id).state == "due"
