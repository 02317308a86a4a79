"""Channels: made, changed, enabled and emptied by their owner; secrets go in and stay in."""

import datetime as dt
import json
import uuid
from typing import Any

import pytest
from django.conf import settings
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks
from redis import Redis
from rest_framework.test import APIClient

from accounts.models import User
from notifications.channels.registry import CHANNELS
from notifications.models import Channel, Delivery, Destination, Message, Route
from notifications.services import disable_channel
from tests.factories import event_of, make_audiobook, make_channel, make_delivery
from tests.integration.api.conftest import ClientOf

PATH = "/api/channels"
CANARY = "whsec_" + "Q0FOQVJZ" * 4
HOOK: dict[str, Any] = {"kind": "webhook", "config": {"url": "https://hooks.example.org/news"}}


def errors_of(answer: Any) -> dict[str, list[str]]:
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    errors: dict[str, list[str]] = answer.json()["errors"]
    return errors


def test_a_secret_that_a_channel_makes_is_shown_once(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    answer = client.post(PATH, HOOK | {"name": "My server"})
    made, channel = answer.json(), Channel.objects.get()
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    assert made["config"] == channel.config
    assert channel.config["secret"].startswith("whsec_")
    for again in (
        client.get(PATH),
        client.get(f"{PATH}/{channel.id}"),
        client.patch(f"{PATH}/{channel.id}", {}),
    ):
        assert again.status_code == 200
        assert channel.config["secret"] not in again.content.decode()
    assert client.get(f"{PATH}/{channel.id}").json() == {
        "id": channel.id,
        "kind": "webhook",
        "name": "My server",
        "config": {"url": "https://hooks.example.org/news"},
        "config_error": "",
        "digest": "",
        "digest_hour": 0,
        "digest_weekday": 0,
        "quiet_from": None,
        "quiet_until": None,
        "time_zone": "Europe/Berlin",
        "headline_template": "",
        "body_template": "",
        "unconfirmed_since": None,
        "disabled_at": None,
        "disabled_reason": "",
        "held": 0,
        "created_at": made["created_at"],
    }


@pytest.mark.parametrize(
    ("kind", "config", "address", "shown"),
    [
        (
            "email",
            {"address": "Alice@Example.org"},
            "example.org",
            {"address": "Alice@Example.org"},
        ),
        (
            "webhook",
            {"url": "https://Hooks.example.org/a?b=c", "secret": CANARY},
            "hooks.example.org",
            {"url": "https://hooks.example.org/a?b=c"},
        ),
        ("discord", {"url": "https://discord.com/api/webhooks/123/Canary-token"}, "123", {}),
    ],
)
def test_a_new_channel_is_sealed_addressed_and_hears_every_watch(
    alice: User,
    client_of: ClientOf,
    kind: str,
    config: dict[str, str],
    address: str,
    shown: dict[str, str],
) -> None:
    answer = client_of(alice).post(PATH, {"kind": kind, "config": config})
    channel = Channel.objects.get()
    assert (answer.status_code, answer.json()["config"]) == (201, shown)
    assert (channel.user, channel.destination.kind, channel.destination.address) == (
        alice,
        kind,
        address,
    )
    assert not any(value in channel.sealed_config for value in config.values())
    route = Route.objects.get()
    assert (route.user, route.watch, route.channel) == (alice, None, channel)


def test_channels_of_one_host_share_their_destination(
    alice: User, bob: User, client_of: ClientOf
) -> None:
    client_of(alice).post(PATH, HOOK)
    client_of(bob).post(PATH, HOOK | {"config": {"url": "https://hooks.example.org/other"}})
    assert (Channel.objects.count(), Destination.objects.count()) == (2, 1)


@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    [
        ({"kind": "pigeon", "config": {}}, "kind", '"pigeon" is not a valid choice.'),
        ({"kind": "email"}, "config", "This field is required."),
        (
            {"kind": "email", "config": []},
            "config",
            'Expected a dictionary of items but got type "list".',
        ),
        ({"kind": "email", "config": {}}, "config.address", "This is required."),
        (
            {"kind": "email", "config": {"address": "alice"}},
            "config.address",
            "This is not an e-mail address.",
        ),
        (
            {"kind": "email", "config": {"address": {"a": 1}}},
            "config.address",
            "Not a valid string.",
        ),
        ({"kind": "webhook", "config": {"url": "http://169.254.169.254/"}}, "config.url", ""),
        ({"kind": "webhook", "config": {"url": "file:///etc/passwd"}}, "config.url", ""),
        (
            {"kind": "webhook", "config": HOOK["config"] | {"secret": "short"}},
            "config.secret",
            "This must be",
        ),
        (
            {"kind": "webhook", "config": HOOK["config"] | {"x": "y"}},
            "config.x",
            "There is no such setting.",
        ),
        (
            {"kind": "discord", "config": {"url": "https://evil.example/api/webhooks/1/a"}},
            "config.url",
            "This is not",
        ),
        (HOOK | {"name": "\u0958" * 51}, "name", "This may have 100 characters at most."),
        *(
            ({"kind": "email", "config": {"address": address}}, "config.address", "This is not an")
            for address in ('""@example.org', '"\x01"@example.org')
        ),
        (HOOK | {"name": "x" * 101}, "name", "Ensure this field has no more than 100 characters."),
    ],
)
def test_settings_that_can_not_work_are_refused_with_a_sentence(
    alice: User, client_of: ClientOf, body: dict[str, Any], field: str, sentence: str
) -> None:
    errors = errors_of(client_of(alice).post(PATH, body))
    assert list(errors) == [field]
    assert errors[field][0].startswith(sentence)
    assert not Channel.objects.exists()


def test_a_change_keeps_the_secret_it_does_not_name(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    channel_id = client.post(PATH, HOOK).json()["id"]
    secret = Channel.objects.get().config["secret"]
    new = {"config": {"url": "https://elsewhere.example.org/"}}
    answer = client.patch(f"{PATH}/{channel_id}", new)
    channel = Channel.objects.get()
    assert answer.json()["config"] == new["config"]
    assert channel.config == new["config"] | {"secret": secret}
    assert channel.destination.address == "elsewhere.example.org"


def test_a_change_that_can_not_work_changes_nothing(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    channel_id = client.post(PATH, HOOK).json()["id"]
    before = Channel.objects.values().get()
    bad = {"name": "new", "config": {"url": "http://169.254.169.254/"}}
    assert "config.url" in errors_of(client.patch(f"{PATH}/{channel_id}", bad))
    assert Channel.objects.values().get() == before


def test_a_channel_keeps_its_kind(alice: User, client_of: ClientOf) -> None:
    channel = make_channel(alice)
    body = {"kind": "email", "config": {"address": "a@example.org"}}
    errors = errors_of(client_of(alice).put(f"{PATH}/{channel.id}", body))
    assert errors == {"kind": ["A channel keeps its kind; make another channel."]}


def test_fields_that_are_not_ones_own_to_set_stay_as_they_are(
    alice: User, bob: User, client_of: ClientOf
) -> None:
    channel = make_channel(alice)
    other = make_channel(bob, address="other.example.org")
    before = Channel.objects.filter(id=channel.id).values().get()
    forbidden = {
        "id": other.id,
        "user": bob.id,
        "is_staff": True,
        "disabled_at": "2001-01-01T00:00:00Z",
        "disabled_reason": "x",
        "destination": other.destination_id,
        "destination_id": other.destination_id,
        "sealed_config": "x",
        "held": 5,
        "created_at": "2001-01-01T00:00:00Z",
    }
    answer = client_of(alice).patch(f"{PATH}/{channel.id}", forbidden)
    after = Channel.objects.filter(id=channel.id).values().get()
    assert (answer.status_code, after) == (200, before)


def test_what_was_held_is_offered_then_replayed(
    alice: User,
    client_of: ClientOf,
    now: dt.datetime,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    channel, client = make_channel(alice), client_of(alice)
    for _ in range(2):
        make_delivery(channel, event_of(make_audiobook(now=now)), now=now)
    disable_channel(channel=channel, reason="410 Gone", now=now)
    shown = client.get(f"{PATH}/{channel.id}").json()
    assert (shown["held"], shown["disabled_reason"]) == (2, "410 Gone")
    assert shown["disabled_at"] is not None

    early = client.post(f"{PATH}/{channel.id}/replay")
    assert (early.status_code, early.json()["title"]) == (409, "Conflict")
    enabled = client.post(f"{PATH}/{channel.id}/enable").json()
    assert (enabled["disabled_at"], enabled["held"]) == (None, 2)

    broker = Redis.from_url(settings.BROKER_URL)
    broker.delete("stalkerr:tell")
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(f"{PATH}/{channel.id}/replay").json() == {"replayed": 2}
    hints = broker.lrange("stalkerr:tell", 0, -1)
    broker.delete("stalkerr:tell")
    broker.close()
    assert [b"notifications.tell" in hint for hint in hints] == [True]
    assert set(Delivery.objects.values_list("state", flat=True)) == {"pending"}


def test_settings_whose_key_is_lost_are_said_to_be_and_can_be_given_anew(
    alice: User, client_of: ClientOf, settings: Any
) -> None:
    client, channel = client_of(alice), make_channel(alice)
    settings.CHANNEL_KEYS = ["b3RoZXIta2V5LW90aGVyLWtleS1vdGhlci1rZXktMDA="]
    (shown,) = client.get(PATH).json()["results"]
    assert (shown["config"], "put that key back" in shown["config_error"]) == (None, True)
    path = f"{PATH}/{channel.id}"
    assert client.patch(path, {"name": "Still mine"}).json()["config"] is None
    assert client.post(f"{path}/rotate-secret").status_code == 409
    assert errors_of(client.patch(path, {"config": {"secret": CANARY}})) == {
        "config.url": ["This is required."]
    }
    repaired = client.patch(path, {"config": {"url": "https://hooks.example.org/new"}})
    assert repaired.json()["config_error"] == ""
    assert repaired.json()["config"] == Channel.objects.get().config  # with its new secret, once
    assert (repaired["Cache-Control"], "secret" in client.get(path).json()["config"]) == (
        "no-store",
        False,
    )


def test_a_new_address_does_not_wait_for_the_old_ones_sake(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    channel = make_channel(alice)
    message = Message.objects.create(
        wire_id=uuid.uuid4(),
        channel=channel,
        channel_kind="webhook",
        destination=channel.destination,
        state="due",
        next_attempt_at=now,
        created_at=now,
    )
    body = {"config": {"url": "https://elsewhere.example.org/"}}
    assert client_of(alice).patch(f"{PATH}/{channel.id}", body).status_code == 200
    message.refresh_from_db()
    assert message.destination.address == "elsewhere.example.org"


def test_a_deleted_channel_is_gone_with_what_it_was_promised(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    channel = make_channel(alice)
    make_delivery(channel, event_of(make_audiobook(now=now)), now=now)
    assert client_of(alice).delete(f"{PATH}/{channel.id}").status_code == 204
    assert not Channel.objects.exists()
    assert not Delivery.objects.exists()


def test_a_list_costs_the_same_for_one_channel_and_for_many(
    alice: User,
    client_of: ClientOf,
    now: dt.datetime,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client, event = client_of(alice), event_of(make_audiobook(now=now))
    for count in (1, 8):
        for _ in range(count):
            make_delivery(make_channel(alice), event, now=now, state="held")
        with django_assert_num_queries(3):  # the clock, the user, channels
            answer = client.get(PATH)
    assert [channel["held"] for channel in answer.json()["results"]] == [1] * 9


def test_no_answer_to_anybody_holds_a_secret(
    alice: User, bob: User, client_of: ClientOf, anybody: APIClient, now: dt.datetime
) -> None:
    tokens = {"webhook": CANARY, "discord": "Canary-token"}
    configs = [
        {"kind": "webhook", "config": {"url": "https://hooks.example.org/", "secret": CANARY}},
        {"kind": "discord", "config": {"url": "https://discord.com/api/webhooks/123/Canary-token"}},
    ]
    answers = [client_of(alice).post(PATH, config) for config in configs]
    assert [answer.status_code for answer in answers] == [201, 201]
    for channel in Channel.objects.all():
        make_delivery(channel, event_of(make_audiobook(now=now)), now=now)
        for client in (client_of(alice), client_of(bob), anybody):
            answers += [
                client.get(f"{PATH}/{channel.id}"),
                client.get(PATH),
                client.get("/api/deliveries"),
                client.patch(f"{PATH}/{channel.id}", {"config": {"url": "x"}}),
                client.post(f"{PATH}/{channel.id}/enable"),
            ]
    text = json.dumps([answer.content.decode() for answer in answers])
    assert [secret for secret in tokens.values() if secret in text] == []


def test_an_optional_setting_is_taken_back_by_a_blank(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    config = {"topic": "my-topic", "token": "tk_0123456789"}
    answer = client.post(PATH, {"kind": "ntfy", "config": config})
    assert (answer.status_code, answer.json()["config"]) == (201, {"url": "https://ntfy.sh"})
    channel = Channel.objects.get()
    answer = client.patch(f"{PATH}/{channel.id}", {"config": {"token": ""}})
    assert answer.status_code == 200
    assert Channel.objects.get().config == {
        "topic": "my-topic",
        "url": "https://ntfy.sh",
    }
    answer = client.patch(f"{PATH}/{channel.id}", {"config": {"topic": ""}})
    assert errors_of(answer) == {"config.topic": ["This is required."]}


def test_the_description_names_every_setting_of_every_kind(client: Any) -> None:
    schema = client.get(
        "/api/schema", headers={"Accept": "application/vnd.oai.openapi+json"}
    ).json()
    words = schema["components"]["schemas"]["Channel"]["properties"]["config"]["description"]
    for kind, channel in CHANNELS.items():
        assert f"{kind}: " in words
        for name, meaning in channel.fields.items():
            assert f"`{name}` ({meaning})" in words
