"""POST /api/webhooks/new-book: one audiobook, to one address, by the same machine as all news."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as configured
from jsonschema import Draft202012Validator
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings
from rest_framework.test import APIClient
from standardwebhooks import Webhook

from accounts.models import User
from accounts.services import notify
from api.auth import issue_token
from notifications import postings, services
from notifications.models import SHARDS, Channel, Delivery, Message, Posting, Route
from stalkerr import clock
from stalkerr.processes import ROOT
from tests.factories import make_audiobook, make_channel, make_watch
from tests.hostile import BAD_URLS, PRIVATE_URLS, TEXTS
from tests.integration.api.conftest import ClientOf
from tests.promises import tell_all
from tests.sinks import HttpSink

PATH = "/api/webhooks/new-book"
URL = "https://receiver.example/hook"
BOOK: dict[str, Any] = {
    "marketplace": "uk",
    "asin": "B00TEST123",
    "title": "The Long Way",
    "subtitle": "A Novel",
    "series": "Wayfarers, book 4",
    "authors": ["A. Writer", "B. Writer"],
    "narrators": ["C. Voice"],
    "language": "english",
    "release_date": "2027-06-09",
    "runtime_minutes": 725,
    "cover_url": "https://images.example/cover.jpg",
    "url": "https://store.example/pd/B00TEST123",
    "summary": "First.\nSecond.",
}
SCHEMA = json.loads((ROOT / "docs" / "reference" / "webhook-v1.schema.json").read_text())


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    with HttpSink() as sink:
        yield sink


def post(client: APIClient, to: str = URL, /, **book: Any) -> Any:
    return client.post(PATH, {"book_data": {"title": "The Long Way"} | book, "webhook_url": to})


@pytest.mark.django_db(transaction=True)
def test_a_book_goes_to_the_address_signed_with_the_secret_that_was_shown(
    alice: User, client_of: ClientOf, sink: HttpSink
) -> None:
    answer = post(client_of(alice), f"{sink.url}/hook", **BOOK)
    assert (answer.status_code, answer["Cache-Control"]) == (202, "no-store")
    shown = answer.json()
    delivery = Delivery.objects.get()
    assert shown == {
        "id": delivery.id,
        "webhook_id": None,
        "channel": Channel.objects.get().id,
        "secret": Channel.objects.get().config["secret"],
    }
    tell_all("webhook")
    (request,) = sink.requests
    said = Webhook(shown["secret"]).verify(request.body, request.headers)
    Draft202012Validator(SCHEMA).validate(said)
    assert (said["type"], said["data"]) == (
        "book.posted",
        {"headline": "The Long Way", "audiobook": BOOK},
    )
    assert request.headers["webhook-id"] == str(Message.objects.get().wire_id)
    assert Message.objects.get().state == "sent"


@pytest.mark.django_db(transaction=True)
def test_a_title_is_all_that_is_needed(alice: User, client_of: ClientOf, sink: HttpSink) -> None:
    assert post(client_of(alice), f"{sink.url}/hook").status_code == 202
    tell_all("webhook")
    (request,) = sink.requests
    Draft202012Validator(SCHEMA).validate(request.json())
    assert request.json()["data"]["audiobook"]["authors"] == []


@pytest.mark.django_db(transaction=True)
def test_what_came_by_a_webhook_can_be_posted_as_it_came(
    alice: User, client_of: ClientOf, sink: HttpSink
) -> None:
    client = client_of(alice)
    post(client, f"{sink.url}/hook")
    tell_all("webhook")
    first = sink.requests[0].json()["data"]["audiobook"]
    assert post(client, f"{sink.url}/hook", **first).status_code == 202
    tell_all("webhook")
    assert sink.requests[1].json()["data"]["audiobook"] == first


def test_the_second_book_finds_the_webhook_that_was_made_for_the_first(
    alice: User, bob: User, client_of: ClientOf
) -> None:
    first, second = (post(client_of(alice)).json() for _ in range(2))
    assert (first["channel"], "secret" in second) == (second["channel"], False)
    other = post(client_of(bob)).json()
    assert other["channel"] != first["channel"]
    assert other["secret"] != first["secret"]


def test_a_webhook_of_ones_own_is_used_and_its_secret_not_shown(
    alice: User, client_of: ClientOf
) -> None:
    channel = make_channel(alice, config={"url": URL, "secret": "whsec_" + "A" * 32})
    Channel.objects.update(destination=channel.destination)
    channel.destination.address = "receiver.example"
    channel.destination.save()
    answer = post(client_of(alice)).json()
    assert (answer["channel"], "secret" in answer) == (channel.id, False)


def test_it_hears_no_watch_and_no_notice(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard in fan_out_notices: what concerns a user is not sent to whatever address."""
    post(client_of(alice))
    make_watch(alice, now=now)
    make_audiobook(now=now + dt.timedelta(hours=1))
    assert services.fan_out_due(now=now, limit=100, chunk=100)
    notify(user_id=alice.id, subject="Hello", text="…", dedupe_key="a", now=now)
    services.fan_out_notices(now=now)
    assert (Route.objects.count(), Delivery.objects.get().posting) == (0, Posting.objects.get())


def test_it_goes_at_once(
    alice: User,
    client_of: ClientOf,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    told: list[Any] = []
    monkeypatch.setattr("api.rest.postings.hint_once", lambda *a, **facts: told.append((a, facts)))
    with django_capture_on_commit_callbacks(execute=True):
        shown = post(client_of(alice)).json()
    where = {"kind": "webhook", "shard": shown["channel"] % SHARDS}
    assert told == [(("notifications.tell", "tell"), where)]


# -- what is not sent ------------------------------------------------------------------------------
def refused(answer: Any, *fields: str) -> str:
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    errors = answer.json()["errors"]
    assert sorted(errors) == sorted(fields)
    assert not Delivery.objects.exists()
    assert not Channel.objects.exists()
    return " ".join(errors[fields[0]])


def test_a_private_address_is_refused_in_the_guards_words(
    alice: User, client_of: ClientOf, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.rest.postings.RATE", "1000/h")
    settings.OUTBOUND_ALLOW, client = [], client_of(alice)
    for url in PRIVATE_URLS[::2]:  # all of them: tests/contract/test_webhook.py
        assert "may not be contacted" in refused(post(client, url), "webhook_url"), url


def test_what_is_no_address_is_refused(
    alice: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.rest.postings.RATE", "1000/h")
    client = client_of(alice)
    for url in BAD_URLS[::2]:  # all of them: tests/contract/test_webhook.py
        if "\ud800" not in url and url.strip() == url:
            refused(post(client, url), "webhook_url")


@pytest.mark.parametrize(
    ("book", "field", "said"),
    [
        ({"title": ""}, "title", "may not be blank"),
        ({"title": None}, "title", "may not be null"),
        ({"title": 5}, "title", "Not a valid string"),
        ({"title": True}, "title", "Not a valid string"),
        ({"title": "\u202e\u200f"}, "title", "nothing to see"),
        ({"title": "x" * 301}, "title", "no more than 300"),
        ({"subtitle": ["x"]}, "subtitle", "Not a valid string"),
        ({"summary": "x" * 1001}, "summary", "no more than 1000"),
        ({"authors": "A. Writer"}, "authors", "list"),
        ({"authors": ["x"] * 11}, "authors", "no more than 10"),
        ({"authors": ["x" * 81]}, "authors.0", "no more than 80"),
        ({"narrators": [5]}, "narrators.0", "Not a valid string"),
        ({"marketplace": "xx"}, "marketplace", "not a valid choice"),
        ({"asin": "B0"}, "asin", "not an ASIN"),
        ({"asin": "b00test123"}, "asin", "not an ASIN"),
        ({"release_date": "9 June 2027"}, "release_date", "wrong format"),
        ({"release_date": 20270609}, "release_date", "wrong format"),
        ({"runtime_minutes": "725"}, "runtime_minutes", "valid integer"),
        ({"runtime_minutes": True}, "runtime_minutes", "valid integer"),
        ({"runtime_minutes": -1}, "runtime_minutes", "greater than or equal to 0"),
        ({"runtime_minutes": 10**30}, "runtime_minutes", "less than or equal to"),
        ({"cover_url": "javascript:alert(1)"}, "cover_url", "not a plain web address"),
        ({"url": "https://x.example/ y"}, "url", "not a plain web address"),
        ({"url": "https://x.example/" + "x" * 500}, "url", "no more than 500"),
        ({"secret": "x"}, "secret", "no such field"),
        ({"kind": "announced"}, "kind", "no such field"),
        ({"event_id": 5}, "event_id", "no such field"),
        ({"why\x1b[2J": 5}, "why [2J", "no such field"),
    ],
)
def test_a_field_that_can_not_be_meant_is_named(
    book: dict[str, Any], field: str, said: str, alice: User, client_of: ClientOf
) -> None:
    answer = post(client_of(alice), **book)
    assert said in refused(answer, f"book_data.{field}")


@pytest.mark.parametrize(
    "body",
    [
        *({"book_data": book, "webhook_url": URL} for book in (None, [], "x", 5, [["x"] * 5000])),
        {"webhook_url": URL},
        {"book_data": {"title": "x"} | {"authors": [[]] * 100_000}, "webhook_url": URL},
        {"book_data": {f"field{n}": 1 for n in range(1000)}, "webhook_url": URL},
    ],
)
def test_an_odd_book_is_refused_briefly(body: Any, alice: User, client_of: ClientOf) -> None:
    """Proves the guard SIZE_MAX: a hundred thousand faults are not told one by one."""
    answer = client_of(alice).post(PATH, body)
    assert answer.status_code == 400
    assert len(answer.content) < 3000


@pytest.mark.parametrize("text", [text for text in TEXTS if "\ud800" not in text])
@pytest.mark.django_db(transaction=True)
def test_hostile_text_is_refused_or_arrives_clean(
    text: str, alice: User, client_of: ClientOf, sink: HttpSink
) -> None:
    facts = {"subtitle": text, "summary": text, "authors": [text[:80] or "x"]}
    answer = post(client_of(alice), f"{sink.url}/hook", **facts)
    assert answer.status_code in (202, 400)
    tell_all("webhook")
    for request in sink.requests:
        Draft202012Validator(SCHEMA).validate(request.json())
        assert "\u202e" not in request.body.decode()


@pytest.mark.django_db(transaction=True)
def test_the_longest_book_stays_below_what_webhooks_may_have(
    alice: User, client_of: ClientOf, sink: HttpSink
) -> None:
    wide = "\U0001f4d6"
    names = {name: [wide * 80] * 10 for name in ("authors", "narrators")}
    texts = dict.fromkeys(("title", "subtitle", "series"), wide * 300)
    answer = post(client_of(alice), f"{sink.url}/hook", summary=wide * 1000, **names, **texts)
    assert answer.status_code == 202, answer.json()
    tell_all("webhook")
    assert len(sink.requests[0].body) < 20_000


def test_a_disabled_webhook_says_what_to_do(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    channel = post(client_of(alice)).json()["channel"]
    Channel.objects.update(disabled_at=now, disabled_reason="Refused for good: Gone.")
    answer = post(client_of(alice))
    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")
    assert f"enable it first: POST /api/channels/{channel}/enable" in answer.json()["detail"]
    assert Delivery.objects.count() == 1


def test_a_user_sends_so_many_an_hour(alice: User, bob: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    assert [post(client).status_code for _ in range(60)] == [202] * 60
    late = post(client)
    assert (late.status_code, 0 < int(late["Retry-After"]) <= 3600) == (429, True)
    assert post(client_of(bob)).status_code == 202


def test_a_book_that_nobody_can_count_is_not_sent(
    alice: User, client_of: ClientOf, settings: Settings
) -> None:
    """Proves the guard `guarded`: the quota holds also while its counters can't be reached."""
    settings.BUCKETS_URL = "redis://127.0.0.1:1/0"
    assert post(client_of(alice)).status_code == 503
    assert not Delivery.objects.exists()


def test_a_user_has_so_many_addresses(
    alice: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard ADDRESSES_MAX: a program can't make webhooks without end."""
    monkeypatch.setattr(postings, "ADDRESSES_MAX", 2)
    client = client_of(alice)
    answers = [post(client, f"https://receiver.example/{n}").status_code for n in range(3)]
    assert answers == [202, 202, 409]
    assert post(client, "https://receiver.example/1").status_code == 202
    assert Channel.objects.count() == 2


def test_a_token_that_may_only_read_sends_nothing(alice: User) -> None:
    client = APIClient()
    token = issue_token(user=alice, now=clock.now(), scope="read")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert post(client).status_code == 403
    assert not Posting.objects.exists()


def test_a_book_is_forgotten_with_its_delivery(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard NOT EXISTS: a book that is still to be sent is not forgotten."""
    later = now + dt.timedelta(days=1)
    first, _ = (post(client_of(alice)).json()["id"] for _ in range(2))
    assert postings.drop_postings(before=later) == 0
    Delivery.objects.filter(id=first).delete()
    assert postings.drop_postings(before=now) == 0
    assert postings.drop_postings(before=later) == 1
    assert Posting.objects.get() == Delivery.objects.get().posting


def test_the_secret_is_stored_sealed(alice: User, client_of: ClientOf) -> None:
    secret = post(client_of(alice)).json()["secret"]
    sealed = Channel.objects.values_list("sealed_config", flat=True).get()
    assert secret not in str(sealed)
    assert configured.CHANNEL_KEYS


def test_posting_costs_the_same_with_many_addresses(
    alice: User, client_of: ClientOf, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(alice)
    post(client)  # makes the destination as well
    for count in (1, 9):
        for n in range(count):
            make_channel(alice, config={"url": f"{URL}/{count}{n}"}, address="receiver.example")
        # the clock twice, the user; two savepoints about two locks, the channel found, made,
        # counted, locked; its destination; the posting, the delivery
        with django_assert_num_queries(16):
            assert post(client, f"https://receiver.example/{count}").status_code == 202
