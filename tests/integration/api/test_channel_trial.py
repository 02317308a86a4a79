"""The test button tells the truth and leaves no trace; secrets change without a gap."""

import asyncio
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import AsyncClient
from pytest_django import Settings
from standardwebhooks import Webhook, WebhookVerificationError

from accounts.models import User
from api.auth import issue_token
from notifications import services
from notifications.channels.webhook import signed
from notifications.models import Attempt, Channel, Delivery, Destination, Message
from notifications.registration import register_channel
from stalkerr import clock
from tests.factories import event_of, make_audiobook, make_channel, make_delivery
from tests.integration.api.conftest import ClientOf
from tests.sinks import FOREVER, HttpSink, MailSink, Reply, wait_until

CANARY = "whsec_" + "Q0FOQVJZ" * 4


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    with HttpSink() as sink:
        yield sink


@pytest.fixture
def hook(alice: User, sink: HttpSink) -> Channel:
    config = {"url": f"{sink.url}/hook", "secret": CANARY}
    return make_channel(alice, config=config, address="127.0.0.1")


def path_of(channel: Channel, action: str = "test") -> str:
    return f"/api/channels/{channel.id}/{action}"


def trial(client_of: ClientOf, user: User, channel: Channel) -> dict[str, Any]:
    answer = client_of(user).post(path_of(channel))
    assert answer.status_code == 200, answer.json()
    shown: dict[str, Any] = answer.json()
    assert shown.pop("duration_ms") >= 0
    return shown


def rows() -> list[Any]:
    models = (Channel, Delivery, Message, Attempt, Destination)
    return [row for model in models for row in model._default_manager.order_by("pk").values()]


def test_a_test_is_one_real_message_and_leaves_no_trace(
    alice: User, hook: Channel, sink: HttpSink, client_of: ClientOf
) -> None:
    before = rows()
    shown = trial(client_of, alice, hook)
    assert shown == {"verdict": "accepted", "status": 200, "detail": "200: ok", "retry_after": None}
    (request,) = sink.requests
    body = Webhook(CANARY).verify(request.body, request.headers)
    assert (body["type"], body["data"]["subject"]) == ("notice", "A test from Stalkerr")
    assert rows() == before


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (
            Reply(status=500, body=f"no {CANARY} <b>\n".encode() + b"x" * 100_000),
            ("not_accepted", 500),
        ),
        (Reply(status=410, body=b"gone"), ("refused", 410)),
        (Reply(status=429, headers={"Retry-After": "7"}), ("not_accepted", 429)),
        (Reply(delay=FOREVER), ("ambiguous", None)),
        (Reply(drop=True), ("ambiguous", None)),
        (Reply(status=302, headers={"Location": "http://127.0.0.1/"}), ("not_accepted", 302)),
    ],
)
def test_what_the_other_side_said_is_shown_capped_and_without_secrets(
    alice: User,
    hook: Channel,
    sink: HttpSink,
    client_of: ClientOf,
    settings: Settings,
    reply: Reply,
    expected: tuple[str, int | None],
) -> None:
    settings.OUTBOUND_TIMEOUT = dt.timedelta(seconds=1)
    sink.replies.append(reply)
    shown = trial(client_of, alice, hook)
    assert (shown["verdict"], shown["status"]) == expected
    assert 0 < len(shown["detail"]) <= 300
    assert CANARY not in json.dumps(shown)
    assert shown["retry_after"] == (7 if reply.status == 429 else None)
    assert len(sink.requests) == 1
    hook.refresh_from_db()
    assert hook.disabled_at is None  # not even by a 410


def test_settings_that_can_not_be_used_say_so(
    alice: User, client_of: ClientOf, settings: Settings, sink: HttpSink
) -> None:
    private = make_channel(alice, config={"url": "http://10.0.0.1/", "secret": CANARY})
    shown = trial(client_of, alice, private)
    assert (shown["verdict"], shown["status"]) == ("not_accepted", None)
    assert shown["detail"].startswith("url: ")
    settings.SMTP_URL = ""
    mail = make_channel(alice, kind="email", config={"address": "a@example.org"}, address="e")
    assert trial(client_of, alice, mail)["detail"] == "This server has no SMTP_URL."
    settings.CHANNEL_KEYS = ["b3RoZXIta2V5LW90aGVyLWtleS1vdGhlci1rZXktMDA="]
    assert "put that key back" in trial(client_of, alice, private)["detail"]


def test_channels_that_do_not_hear_can_be_tested(
    alice: User, client_of: ClientOf, settings: Settings, now: dt.datetime
) -> None:
    """Three a day to an address that nobody has confirmed. Proves that limit, for anybody."""
    with MailSink() as mailbox:
        settings.SMTP_URL = mailbox.url
        channels = [
            register_channel(
                user=alice, kind="email", name="", config={"address": address}, now=clock.now()
            ).channel
            for address in ("a@example.org", "A@example.org")
        ]
        services.disable_channel(channel=channels[0], reason="-", now=now)
        client = client_of(alice)
        answers = [client.post(path_of(channels[n % 2])) for n in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert all(answer.json()["verdict"] == "accepted" for answer in answers[:3])
        mails = mailbox.wait_for(3)
    assert mails[0].message["Subject"] == "A test from Stalkerr"
    assert "/unsubscribe/" in mails[0].message["List-Unsubscribe"]
    assert not any("/confirm/" in str(mail.message) for mail in mails)


@pytest.mark.django_db(transaction=True)
def test_the_button_works_in_the_web_servers_event_loop(alice: User, sink: HttpSink) -> None:
    """The request is served by a loop; the test message has one of its own."""
    config = {"url": f"{sink.url}/hook", "secret": CANARY}
    channel = make_channel(alice, config=config, address="127.0.0.1")
    headers = {"Authorization": f"Bearer {issue_token(user=alice, now=clock.now())}"}
    answer = asyncio.run(AsyncClient().post(path_of(channel), headers=headers))
    assert answer.json()["verdict"] == "accepted"


def test_six_tests_a_minute_are_enough(
    alice: User, hook: Channel, sink: HttpSink, client_of: ClientOf
) -> None:
    client = client_of(alice)
    answers = [client.post(path_of(hook)) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 6 + [429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert len(sink.requests) == 6


@pytest.mark.django_db(transaction=True)
def test_nothing_is_locked_and_no_connection_kept_while_a_slow_receiver_thinks(
    alice: User, client_of: ClientOf, sink: HttpSink
) -> None:
    """Proves the guard of the database: who tests a slow receiver keeps nobody else from it."""
    seen: list[int] = []
    config = {"url": f"{sink.url}/hook", "secret": CANARY}
    channel = make_channel(alice, config=config, address="127.0.0.1")
    client = client_of(alice)

    def look(_request: Any) -> Reply:
        seen.append(in_use())
        return Reply()

    sink.always = look
    wait_until(
        lambda: in_use() == 1, within=10
    )  # ours; an earlier test's threads have none any more
    assert client.post(path_of(channel)).status_code == 200
    assert seen == [0]


def in_use() -> int:
    """How many connections of this process's pool somebody has."""
    default: Any = connections["default"]
    stats = default.pool.get_stats()
    return int(stats["pool_size"] - stats["pool_available"])


# -- secrets ---------------------------------------------------------------------------------------
def test_a_new_secret_is_shown_once_and_the_old_one_signs_for_a_day(
    alice: User, hook: Channel, sink: HttpSink, client_of: ClientOf, now: dt.datetime
) -> None:
    client = client_of(alice)
    answer = client.post(path_of(hook, "rotate-secret"))
    new = answer.json()["config"]["secret"]
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert new != CANARY
    trial(client_of, alice, hook)
    (request,) = sink.requests
    for secret in (new, CANARY):
        assert Webhook(secret).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "B" * 32).verify(request.body, request.headers)
    for again in (client.get("/api/channels"), client.get(f"/api/channels/{hook.id}")):
        assert new not in again.content.decode()
        assert CANARY not in again.content.decode()
    twice = client.post(path_of(hook, "rotate-secret")).json()["config"]["secret"]
    hook.refresh_from_db()
    assert (hook.config["secret"], hook.config["old_secret"]) == (twice, new)
    assert signed("id", now, b"", twice)


def test_kinds_without_a_secret_of_ours_have_none_to_change(
    alice: User, client_of: ClientOf
) -> None:
    channel = make_channel(
        alice, kind="discord", config={"url": "https://discord.com/api/webhooks/1/x"}
    )
    answer = client_of(alice).post(path_of(channel, "rotate-secret"))
    assert answer.status_code == 400
    assert answer.json()["errors"] == {
        "config.secret": ["Discord has no secret that Stalkerr could make anew."]
    }


def test_a_test_shows_nothing_in_the_log(
    alice: User, hook: Channel, client_of: ClientOf, now: dt.datetime
) -> None:
    make_delivery(hook, event_of(make_audiobook(now=now)), now=now)
    trial(client_of, alice, hook)
    (shown,) = client_of(alice).get("/api/deliveries").json()["results"]
    assert (shown["kind"], shown["attempts"]) == ("announced", [])
