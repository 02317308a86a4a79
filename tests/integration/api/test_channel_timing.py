"""When and in which words a channel is told, and what kinds there are."""

import datetime as dt
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from catalog.services import publish_events
from notifications.channels.registry import CHANNELS
from notifications.models import Channel, Timing
from notifications.wishes import follow_zones
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
from tests.integration.api.conftest import ClientOf
from tests.integration.api.test_channels import HOOK, errors_of

PATH = "/api/channels"
QUIET = {"quiet_from": "22:00", "quiet_until": "07:30"}
WISHES = ("digest", "digest_hour", "digest_weekday", "quiet_from", "quiet_until")


def wishes_of(shown: dict[str, Any]) -> list[Any]:
    return [shown[name] for name in WISHES]


def test_a_wish_is_kept_part_by_part_in_its_owners_zone(alice: User, client_of: ClientOf) -> None:
    """Proves that a PATCH of one part keeps the others."""
    client = client_of(alice)
    body = {"digest": "weekly", "digest_hour": 18, "digest_weekday": 4}
    made = client.post(PATH, HOOK | body).json()
    assert (wishes_of(made), made["time_zone"]) == (["weekly", 18, 4, None, None], "Europe/Berlin")
    path = f"{PATH}/{made['id']}"
    client.patch(path, QUIET)
    assert wishes_of(client.get(path).json()) == ["weekly", 18, 4, "22:00", "07:30"]
    client.patch(path, {"digest_hour": 8})
    assert wishes_of(client.get(path).json()) == ["weekly", 8, 4, "22:00", "07:30"]
    client.patch(path, {"name": "Else"})
    client.patch(path, {"digest": ""})
    assert wishes_of(client.get(path).json()) == ["", 0, 0, "22:00", "07:30"]
    client.patch(path, {"quiet_from": None, "quiet_until": None})
    assert wishes_of(client.get(path).json()) == ["", 0, 0, None, None]
    assert Channel.objects.get().timing is None


@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    [
        ({"digest": "hourly"}, "digest", '"hourly" is not a valid choice.'),
        ({"digest": "daily", "digest_hour": 24}, "digest_hour", "Ensure this value is less"),
        ({"digest_hour": 8}, "digest_hour", "This is of a digest; choose daily or weekly as well."),
        (
            {"digest": "daily", "digest_weekday": 2},
            "digest_weekday",
            "This is of a weekly digest; choose weekly as well.",
        ),
        ({"quiet_from": "22:00"}, "quiet_until", "Quiet hours need both a beginning and an end."),
        ({"quiet_from": "25:00"}, "quiet_from", "Time has wrong format."),
        ({"quiet_from": "22:00:01"}, "quiet_from", "Time has wrong format."),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, "quiet_until", "Quiet hours that end"),
        (QUIET | {"digest": "daily", "digest_hour": 23}, "digest_hour", "This is in the quiet"),
        ({"headline_template": "{titel}"}, "headline_template", "There is no placeholder {titel};"),
        ({"headline_template": "x" * 201}, "headline_template", "Ensure this field has no more"),
        ({"body_template": "a } b"}, "body_template", "A } stands alone:"),
    ],
)
def test_what_can_not_be_meant_is_refused_with_a_sentence(
    alice: User, client_of: ClientOf, body: dict[str, Any], field: str, sentence: str
) -> None:
    client, channel = client_of(alice), make_channel(alice)
    for answer in (client.post(PATH, HOOK | body), client.patch(f"{PATH}/{channel.id}", body)):
        errors = errors_of(answer)
        assert list(errors) == [field]
        assert errors[field][0].startswith(sentence)
    assert Channel.objects.get().timing is None


def test_a_new_wish_reaches_what_is_promised_already(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    channel, watch = make_channel(alice), make_watch(alice, now=now)
    event = event_of(make_audiobook(now=now))
    make_delivery(channel, event, now=now, watch_ids=[watch.id])
    client_of(alice).patch(f"{PATH}/{channel.id}", {"digest": "daily", "digest_hour": 18})
    watch.refresh_from_db()
    assert watch.edited_at is not None  # the next sweep makes the promise anew


def test_channels_follow_their_owner_to_another_zone(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    client = client_of(alice)
    made = client.post(PATH, HOOK | {"digest": "daily", "digest_hour": 18}).json()
    alice.time_zone = "Asia/Tokyo"
    alice.save()
    assert (follow_zones(users=[alice], now=now), follow_zones(now=now)) == (1, 0)
    shown = client.get(f"{PATH}/{made['id']}").json()
    assert (shown["time_zone"], shown["digest_hour"]) == ("Asia/Tokyo", 18)


def test_ones_own_words_are_kept_as_they_are_and_blank_ones_are_none(
    alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    words = {"headline_template": "{title} by {authors}", "body_template": "{news}\n\n {link}"}
    made = client.post(PATH, HOOK | words).json()
    assert {name: made[name] for name in words} == words
    path = f"{PATH}/{made['id']}"
    changed = client.patch(path, {"body_template": " \n"}).json()
    assert (changed["headline_template"], changed["body_template"]) == (
        "{title} by {authors}",
        "",
    )


def test_lists_with_timing_cost_the_same_for_one_channel_and_for_many(
    alice: User, client_of: ClientOf, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(alice)
    for count in (1, 4):
        for hour in range(count):
            timing, _ = Timing.objects.get_or_create(zone="UTC", digest="daily", hour=hour)
            make_channel(alice, timing=timing)
        with django_assert_num_queries(3):  # the clock, the user, channels
            client.get(PATH)


# -- a look at words -------------------------------------------------------------------------------
def test_words_are_shown_with_an_example_or_with_real_news(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    client, path = client_of(alice), f"{PATH}/preview"
    usual = client.post(path, {}).json()
    assert usual["headline"] == "Moved from 3 March to 9 June 2027: The Glass Tide"
    assert (len(usual["lines"]) > 3, usual["errors"]) == (True, {})
    words = {"headline_template": "{title}!", "body_template": "By {authors}\nSeries: {series}"}
    assert client.post(path, words).json() == {
        "headline": "The Glass Tide!",
        "lines": ["By Ada Example, Ben Sample", "Series: The Salt Roads, book 3"],
        "errors": {},
    }
    event = event_of(make_audiobook(now=now, title="Sand <b>{authors}</b>"))
    publish_events()
    event.refresh_from_db()
    for which in ({"event": event.published_seq}, {"audiobook": event.audiobook_id}):
        shown = client.post(path, words | which).json()
        assert shown["headline"] == "Sand <b>{authors}</b>!"
        assert shown["lines"] == ["By Ada Example"]


def test_words_that_can_not_be_used_are_said_to_be(alice: User, client_of: ClientOf) -> None:
    client, path = client_of(alice), f"{PATH}/preview"
    shown = client.post(path, {"headline_template": "{titel}", "body_template": "x" * 2001}).json()
    assert list(shown["errors"]) == ["headline_template", "body_template"]
    assert "did you mean {title}?" in shown["errors"]["headline_template"][0]
    assert shown["headline"].startswith("Moved from")  # the usual words
    for body in ({"event": 1}, {"audiobook": 1}):
        errors = errors_of(client.post(path, body))
        assert list(errors.values()) == [["There is no such news."]]


def test_news_that_is_not_published_is_not_shown(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard published: what a person holds back is nobody's to see."""
    event = event_of(make_audiobook(now=now))
    answer = client_of(alice).post(f"{PATH}/preview", {"audiobook": event.audiobook_id})
    assert answer.status_code == 400


# -- kinds -----------------------------------------------------------------------------------------
def test_every_kind_says_what_it_wants_to_know(alice: User, client_of: ClientOf) -> None:
    kinds = {each["kind"]: each for each in client_of(alice).get(f"{PATH}/kinds").json()}
    assert list(kinds) == list(CHANNELS)
    for kind, channel in CHANNELS.items():
        assert [each["name"] for each in kinds[kind]["settings"]] == list(channel.fields)
        assert all(each["help"] for each in kinds[kind]["settings"])
        assert any(each["required"] for each in kinds[kind]["settings"])
        assert kinds[kind]["facts"] == channel.public_facts()
    email, webhook = kinds["email"], kinds["webhook"]
    assert (email["label"], email["groups"], email["confirmed_by_link"]) == ("E-mail", 50, True)
    assert webhook["confirmed_by_link"] is False
    secret = {"name": "secret", "required": False, "secret": True}
    assert secret.items() <= webhook["settings"][1].items()
    assert webhook["settings"][0]["required"] is True
