"""Links in messages: looking changes nothing, a POST acts, for one channel, in one way."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from accounts.models import Notice, User
from notifications import links, services
from notifications.confirmation import ask_to_confirm
from notifications.models import Channel, Delivery
from notifications.registration import register_channel
from tests.factories import event_of, make_audiobook, make_channel, make_delivery
from tests.integration.api.conftest import ClientOf

OFF = "Switched off by the link in a message."
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def channel(alice: User, now: dt.datetime) -> Channel:
    """An e-mail channel that nobody has confirmed."""
    config = {"address": "alice@example.org"}
    return register_channel(user=alice, kind="email", name="", config=config, now=now).channel


def confirm_path(channel: Channel) -> str:
    assert channel.unconfirmed_since
    url = links.confirm_url(channel_id=channel.id, since=channel.unconfirmed_since)
    return url.removeprefix("http://127.0.0.1:8000")


def unsubscribe_path(channel: Channel) -> str:
    return links.unsubscribe_url(channel_id=channel.id).removeprefix("http://127.0.0.1:8000")


def state_of(channel: Channel) -> tuple[bool, bool]:
    """Whether it is confirmed, and whether it is enabled."""
    channel.refresh_from_db()
    return channel.unconfirmed_since is None, channel.disabled_at is None


def test_looking_at_a_link_changes_nothing(channel: Channel, client: Client) -> None:
    """Proves the guard POST: mail scanners and previews open every link."""
    for path in (confirm_path(channel), unsubscribe_path(channel)):
        for look in (client.get, client.head):
            answer = look(path)
            assert answer.status_code == 200
            assert answer["Cache-Control"] == "no-store"
            assert answer["Referrer-Policy"] == "no-referrer"
        page = client.get(path).content.decode()
        assert '<form method="post">' in page
        assert "alice" not in page  # whoever looks need not be her
    assert state_of(channel) == (False, True)


def test_a_confirmed_address_hears_what_was_held(
    channel: Channel, client: Client, now: dt.datetime
) -> None:
    news = make_delivery(channel, event_of(make_audiobook(now=now)), now=now, state="held")
    path = confirm_path(channel)
    answer = client.post(path)
    assert (answer.status_code, "is on its way" in answer.content.decode()) == (200, True)
    assert state_of(channel) == (True, True)
    news.refresh_from_db()
    assert news.state == "pending"
    asked = Delivery.objects.exclude(notice=None).get()
    assert asked.state == "cancelled"  # it had not been sent, and is not needed any more
    for again in (client.get(path), client.post(path)):
        assert (again.status_code, "is confirmed" in again.content.decode()) == (200, True)


def test_a_channel_that_was_switched_off_is_confirmed_and_stays_off(
    channel: Channel, client: Client, now: dt.datetime
) -> None:
    services.disable_channel(channel=channel, reason="-", now=now)
    news = make_delivery(channel, event_of(make_audiobook(now=now)), now=now, state="held")
    answer = client.post(confirm_path(channel))
    assert "is switched off" in answer.content.decode()
    assert state_of(channel) == (True, False)
    news.refresh_from_db()
    assert news.state == "held"


def test_a_link_from_before_is_void(channel: Channel, client: Client, now: dt.datetime) -> None:
    """Proves the guard moment: a link confirms the address that it was sent to, and no later one."""
    old = confirm_path(channel)
    ask_to_confirm(channel=channel, now=now + dt.timedelta(seconds=1))
    for answer in (client.get(old), client.post(old)):
        assert answer.status_code == 404
        assert "not valid" in answer.content.decode()
    assert state_of(channel) == (False, True)
    assert client.post(confirm_path(channel)).status_code == 200
    assert state_of(channel) == (True, True)


def test_a_link_grows_old(channel: Channel, client: Client, monkeypatch: Any) -> None:
    path = confirm_path(channel)
    monkeypatch.setattr(links, "CONFIRM_WITHIN", dt.timedelta())
    assert client.post(path).status_code == 404
    assert state_of(channel) == (False, True)


def test_a_token_acts_for_one_channel_in_one_way(
    channel: Channel, bob: User, client: Client, now: dt.datetime
) -> None:
    """Proves the guard salt: what confirms does not unsubscribe, nor the other way round."""
    other = make_channel(bob, kind="email", config={"address": "b@example.org"})
    confirm, unsubscribe = confirm_path(channel), unsubscribe_path(channel)
    swapped = [
        confirm.replace("/confirm/", "/unsubscribe/"),
        unsubscribe.replace("/unsubscribe/", "/confirm/"),
    ]
    bent = [confirm[:-1] + ("A" if confirm[-1] != "A" else "B"), unsubscribe + "A"]
    made_up = ["/confirm/x", "/unsubscribe/x", "/confirm/::", "/unsubscribe/" + "é" * 3000]
    for path in (*swapped, *bent, *made_up):
        for answer in (client.get(path), client.post(path, ONE_CLICK)):
            assert answer.status_code == 404, path
    assert state_of(channel) == (False, True)
    assert client.post(unsubscribe).status_code == client.post(confirm).status_code == 200
    assert state_of(channel) == (True, False)
    assert state_of(other) == (True, True)


def test_one_click_needs_no_cookie_and_no_page(channel: Channel, now: dt.datetime) -> None:
    """RFC 8058: a mail program posts from nowhere. Proves that no CSRF token is asked for."""
    news = make_delivery(channel, event_of(make_audiobook(now=now)), now=now)
    strict = Client(enforce_csrf_checks=True)
    for _ in range(2):
        answer = strict.post(unsubscribe_path(channel), ONE_CLICK)
        assert (answer.status_code, "switched off" in answer.content.decode()) == (200, True)
    channel.refresh_from_db()
    news.refresh_from_db()
    assert (channel.disabled_reason, news.state) == (OFF, "held")
    assert Notice.objects.filter(subject__endswith="was switched off").count() == 1
    assert strict.post(confirm_path(channel)).status_code == 200


def test_a_channel_that_is_off_keeps_its_reason(
    channel: Channel, client: Client, now: dt.datetime
) -> None:
    services.disable_channel(channel=channel, reason="Refused for good", now=now)
    assert client.post(unsubscribe_path(channel)).status_code == 200
    channel.refresh_from_db()
    assert (channel.disabled_reason, channel.disabled_at) == ("Refused for good", now)


def test_the_owner_hears_of_it_elsewhere_but_not_where_nobody_confirmed(
    alice: User, channel: Channel, client: Client, now: dt.datetime
) -> None:
    elsewhere = make_channel(alice)
    off = make_channel(alice, kind="email", config={"address": "c@example.org"}, address="c")
    client.post(unsubscribe_path(off))
    services.fan_out_notices(now=now)
    told = Delivery.objects.filter(notice__subject__contains="switched off")
    assert [delivery.channel for delivery in told] == [elsewhere]  # not `channel`, nor `off`


def test_links_of_a_channel_that_is_gone_lead_nowhere(channel: Channel, client: Client) -> None:
    paths = [confirm_path(channel), unsubscribe_path(channel)]
    channel.delete()
    assert [client.post(path).status_code for path in paths] == [404, 404]


def test_other_methods_are_refused_and_too_many_are_slowed_down(
    channel: Channel, client: Client
) -> None:
    assert client.put(unsubscribe_path(channel)).status_code == 405
    answers = [client.get(unsubscribe_path(channel)).status_code for _ in range(61)]
    assert (answers.count(200), answers.count(429)) == (60, 1)


PATH = "/api/channels"
MAIL: dict[str, Any] = {"kind": "email", "config": {"address": "alice@example.org"}}


def test_the_request_to_confirm_goes_to_that_address_alone(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    make_channel(alice)
    shown = client_of(alice).post(PATH, MAIL).json()
    assert shown["unconfirmed_since"] is not None
    services.fan_out_notices(now=now)
    (asked,) = Delivery.objects.all()
    assert (asked.channel_id, asked.state) == (shown["id"], "pending")
    assert asked.notice
    assert "/confirm/" not in asked.notice.text  # the link is nowhere but in the message


def test_another_address_is_confirmed_anew_and_the_same_one_is_not(
    channel: Channel, alice: User, client_of: ClientOf, client: Client, now: dt.datetime
) -> None:
    client.post(confirm_path(channel))
    news = make_delivery(channel, event_of(make_audiobook(now=now)), now=now)
    mine, path = client_of(alice), f"{PATH}/{channel.id}"
    same = mine.patch(path, {"name": "x", "config": {"address": "alice@example.org"}})
    assert same.json()["unconfirmed_since"] is None
    other = mine.patch(path, {"config": {"address": "other@example.org"}})
    assert other.json()["unconfirmed_since"] is not None
    news.refresh_from_db()
    assert news.state == "held"
    assert Delivery.objects.filter(state="pending").get().notice is not None


def test_enabling_or_replaying_confirms_nothing(
    channel: Channel, alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    services.disable_channel(channel=channel, reason="-", now=now)
    mine, path = client_of(alice), f"{PATH}/{channel.id}"
    assert mine.post(f"{path}/send-confirmation").status_code == 409
    shown = mine.post(f"{path}/enable").json()
    assert (shown["disabled_at"], shown["unconfirmed_since"] is None) == (None, False)
    refused = mine.post(f"{path}/replay")
    assert (refused.status_code, "not confirmed" in refused.json()["detail"]) == (409, True)


def test_the_link_is_sent_once_more_and_not_too_often(
    channel: Channel, alice: User, bob: User, client_of: ClientOf, client: Client
) -> None:
    """Proves the guard of strangers' mailboxes: five requests a day to one address, from anybody."""
    mine, path = client_of(alice), f"{PATH}/{channel.id}/send-confirmation"
    old = confirm_path(channel)
    assert mine.post(path).status_code == 200
    assert client.post(old).status_code == 404
    answers = [mine.post(path).status_code for _ in range(5)]
    assert answers == [200] * 4 + [429]
    loud = {"kind": "email", "config": {"address": "ALICE@example.org"}}
    assert client_of(bob).post(PATH, loud).status_code == 429
    assert client_of(bob).post(PATH, MAIL | {"config": {"address": "x"}}).status_code == 400
    assert Delivery.objects.filter(state="pending").count() == 1  # the others are withdrawn
    channel.refresh_from_db()
    client.post(confirm_path(channel))
    done = mine.post(path)
    assert (done.status_code, "waits for no" in done.json()["detail"]) == (409, True)


def test_an_address_that_is_changed_too_often_stays_as_it_is(
    channel: Channel, alice: User, client_of: ClientOf
) -> None:
    """Proves that a change counts like a new channel."""
    mine, path = client_of(alice), f"{PATH}/{channel.id}"
    answers = [
        mine.patch(path, {"config": {"address": f"a{n}@example.org"}}).status_code
        for n in range(21)
    ]
    assert answers == [200] * 20 + [429]
    channel.refresh_from_db()
    assert channel.config == {"address": "a19@example.org"}


def test_a_webhook_is_never_asked_to_confirm(alice: User, client_of: ClientOf) -> None:
    hook = {"kind": "webhook", "config": {"url": "https://hooks.example.org/"}}
    shown = client_of(alice).post(PATH, hook).json()
    assert shown["unconfirmed_since"] is None
    again = client_of(alice).post(f"{PATH}/{shown['id']}/send-confirmation")
    assert again.status_code == 409
    assert not Delivery.objects.exists()
