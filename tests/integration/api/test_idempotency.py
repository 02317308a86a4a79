"""Row 27: a POST that comes again under its Idempotency-Key is answered again, and done once."""

import datetime as dt
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts import answers
from accounts.keys import make_key
from accounts.models import ApiKey, IdempotencyKey, User
from api.rest import watches
from api.rest.once import Once
from catalog.models import Import, Watch
from notifications.models import Channel
from stalkerr import clock
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import make_channel, make_watch
from tests.integration.api.conftest import ClientOf
from tests.people import make_user
from tests.sinks import HttpSink
from workers.ledger import slots
from workers.tasks.upkeep import prune

BODY = {"kind": "author", "query": "Ada Example"}
KEY = {"Idempotency-Key": "order-1"}
# Whoever asks here has no name yet under which anything could be kept.
_OPEN = {"token", "token-refresh", "token-revoke"}


def views() -> Iterator[tuple[str, Any]]:
    """Every REST view that takes a POST, by the name of its path."""

    def walk(patterns: list[Any]) -> Iterator[tuple[str, Any]]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns)
            elif isinstance(pattern, URLPattern):
                view: Any = pattern.callback
                actions = getattr(view, "actions", None) or {}
                if hasattr(view, "cls") and ("post" in actions or hasattr(view.cls, "post")):
                    yield str(pattern.name), view.cls

    yield from walk(get_resolver().url_patterns)


def post(client: APIClient, path: str, body: Any, key: str = "order-1", **more: Any) -> Any:
    return client.post(path, body, headers={"Idempotency-Key": key}, **more)


def test_every_post_takes_a_key() -> None:
    """Proves the guard table: a POST that nobody thought about would be done twice."""
    found = dict(views())
    assert len(found) > 15
    assert {name for name, view in found.items() if not issubclass(view, Once)} == _OPEN


@pytest.mark.django_db(transaction=True)
def test_a_hundred_at_once_have_one_effect_and_one_answer(client_of: ClientOf) -> None:
    """Proves the guard unique key: without it there would be a hundred watches."""
    client = client_of(make_user("alice"))

    def ask(_: int) -> tuple[int, bytes]:
        try:
            answer = post(client, "/api/watches", BODY)
            return answer.status_code, answer.content
        finally:
            connection.close()

    with ThreadPoolExecutor(100) as crowd:
        answered = list(crowd.map(ask, range(100)))
    assert len(set(answered)) == 1
    assert answered[0][0] == 201
    assert Watch.objects.count() == 1


def test_the_first_answer_comes_again(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    first = post(client, "/api/watches", BODY)
    again = post(client, "/api/watches", dict(reversed(BODY.items())))
    assert (again.status_code, again.content) == (201, first.content)
    assert again["Content-Type"] == first["Content-Type"] == "application/json"
    assert post(client, "/api/watches", BODY, "order-2").json() != first.json()
    assert Watch.objects.count() == 2


def test_another_request_under_the_same_key_is_refused(alice: User, client_of: ClientOf) -> None:
    """Proves the guard fingerprint."""
    client = client_of(alice)
    post(client, "/api/watches", BODY)
    for path, body in (
        ("/api/watches", BODY | {"query": "Ben Sample"}),
        ("/api/watches?x=1", BODY),
        ("/api/feeds", BODY),
    ):
        answer = post(client, path, body)
        assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
        assert answer.json()["detail"] == (
            "This key came with another request before; give each request a key of its own."
        )
    assert Watch.objects.count() == 1


def test_a_key_is_of_one_user(alice: User, bob: User, client_of: ClientOf) -> None:
    """Proves the guard user: nobody gets somebody else's answer."""
    first = post(client_of(alice), "/api/watches", BODY)
    other = post(client_of(bob), "/api/watches", BODY)
    assert other.status_code == 201
    assert other.json()["id"] != first.json()["id"]
    assert {watch.user for watch in Watch.objects.all()} == {alice, bob}


def test_nobody_gets_an_answer_that_they_could_not_have_got(staff: User, now: dt.datetime) -> None:
    """Proves the guard right: a key for writing would be shown the key for staff that staff made."""
    session = Client()
    session.force_login(staff)
    body = {"name": "mine", "scope": "admin"}
    made = session.post("/api/keys", body, "application/json", headers=KEY)
    assert made.status_code == 201
    _, secret = make_key(user=staff, name="p", scope="write", expires_at=None, now=now)
    program = APIClient()
    program.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    answer = post(program, "/api/keys", body)
    assert answer.status_code == 422
    assert made.json()["key"] not in answer.content.decode()


def test_a_secret_comes_again_and_is_stored_nowhere(alice: User, client_of: ClientOf) -> None:
    """Proves the guard encryption."""
    client = client_of(alice)
    made: list[tuple[str, Any, Callable[[Any], str]]] = [
        ("/api/keys", {"name": "script"}, lambda shown: shown["key"]),
        ("/api/feeds", {}, lambda shown: shown["urls"]["rss"].rsplit("/", 1)[1][:-4]),
        (
            "/api/channels",
            {"kind": "webhook", "config": {"url": "https://hooks.example.org/x"}},
            lambda shown: shown["config"]["secret"],
        ),
    ]
    for path, body, secret in made:
        first, again = (post(client, path, body, f"for {path}".replace(" ", "-")) for _ in "ab")
        assert first.status_code == 201
        assert (again.content, again["Cache-Control"]) == (first.content, "no-store")
        with connection.cursor() as cursor:
            cursor.execute("SELECT k::text FROM idempotency_keys k")
            stored = str(cursor.fetchall())
        assert secret(first.json()) not in stored
    assert ApiKey.objects.count() == Channel.objects.count() == 1


def test_what_can_be_read_no_more_is_not_done_again(
    alice: User, client_of: ClientOf, settings: Any
) -> None:
    client = client_of(alice)
    post(client, "/api/keys", {"name": "script"})
    settings.CHANNEL_KEYS = ["A" * 43 + "="]
    assert post(client, "/api/keys", {"name": "script"}).status_code == 409
    assert ApiKey.objects.count() == 1


def test_a_refusal_is_an_answer_too(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    first = post(client, "/api/watches", {"kind": "author"})
    again = post(client, "/api/watches", {"kind": "author"})
    assert (again.status_code, again.content) == (400, first.content)
    assert again["Content-Type"] == "application/problem+json"


def test_not_now_is_not_kept(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    """Proves the guard _NOT_KEPT: what was full then has room now."""
    client = client_of(alice)
    keys = [
        make_key(user=alice, name="p", scope="read", expires_at=None, now=now)[0] for _ in range(20)
    ]
    assert post(client, "/api/keys", {"name": "script"}).status_code == 409
    keys[0].delete()
    assert post(client, "/api/keys", {"name": "script"}).status_code == 201


def test_a_failure_of_ours_leaves_neither_effect_nor_key(
    alice: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard one transaction: whoever dies half-way has done nothing, and may try again."""
    client = client_of(alice)
    client.raise_request_exception = False
    with monkeypatch.context() as patched:
        patched.setattr(watches, "route_watch", lambda **_: 1 / 0)
        assert post(client, "/api/watches", BODY).status_code == 500
    assert (Watch.objects.count(), IdempotencyKey.objects.count()) == (0, 0)
    assert post(client, "/api/watches", BODY).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_who_comes_meanwhile_waits_and_after_a_rollback_does_it(client_of: ClientOf) -> None:
    user = make_user("alice")
    client, found = client_of(user), []
    first = answers.Request(user.pk, "order-1", "of the one that dies")

    def die() -> None:
        answers.take(request=first, now=clock.now())
        transaction.set_rollback(True)

    dying = Paused(die)
    waiting = start_and_see_it_wait(lambda: found.append(post(client, "/api/watches", BODY)))
    dying.finish()
    waiting.join(20)
    assert found[0].status_code == 201


@pytest.mark.django_db(transaction=True)
def test_who_waits_too_long_is_told_to_come_again(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard lock_timeout: one slow request can't hold all that come again."""
    monkeypatch.setattr(answers, "PATIENCE", dt.timedelta(milliseconds=50))
    user = make_user("alice")
    slow = answers.Request(user.pk, "order-1", "slow")
    first = Paused(lambda: answers.take(request=slow, now=clock.now()))
    answer = post(client_of(user), "/api/watches", BODY)
    first.finish()
    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")
    assert "no answer yet" in answer.json()["detail"]


def test_a_message_goes_out_once(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    with HttpSink() as sink:
        config = {"url": f"{sink.url}/hook", "secret": "whsec_" + "A" * 32}
        channel = make_channel(alice, config=config, address="127.0.0.1")
        path = f"/api/channels/{channel.pk}/test"
        first, again = (post(client_of(alice), path, {}) for _ in "ab")
        assert first.json()["verdict"] == "accepted"
        assert again.content == first.content
        assert len(sink.requests) == 1


def test_whether_it_went_out_is_not_guessed(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Of one that died while it spoke to others, nobody knows what they heard."""
    channel = make_channel(alice)
    path, client = f"/api/channels/{channel.pk}/test", client_of(alice)
    post(client, path, {})
    IdempotencyKey.objects.update(answer="")
    assert post(client, path, {}).status_code == 409


def test_after_a_day_a_key_is_free(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    for count in (1, 2):
        assert post(client, "/api/watches", BODY).status_code == 201
        assert (Watch.objects.count(), IdempotencyKey.objects.count()) == (count, 1)
        IdempotencyKey.objects.update(created_at=clock.now() - answers.KEPT)


def test_old_keys_are_removed_in_one_statement(
    alice: User, now: dt.datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for age in range(1, 50):
        hours = dt.timedelta(hours=age)
        IdempotencyKey.objects.create(user=alice, key=str(age), created_at=now - hours)
    with django_assert_num_queries(1):
        assert answers.forget_answers(now=now) == 26
    assert IdempotencyKey.objects.count() == 23


def test_the_hourly_job_removes_them(alice: User, now: dt.datetime, ledger: None) -> None:
    IdempotencyKey.objects.create(user=alice, key="old", created_at=now - 2 * answers.KEPT)
    slots.open_slots(slots=[("workers.prune", now)])
    prune.apply(kwargs={"slot": now.isoformat()})
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 201, "\x01", "a\tb"])
def test_a_key_that_is_none_is_refused(alice: User, client_of: ClientOf, key: str) -> None:
    answer = post(client_of(alice), "/api/watches", BODY, key)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert "Idempotency-Key has 1 to 200" in answer.json()["detail"]
    assert not Watch.objects.exists()


def test_a_file_comes_once(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    opml = b"""<opml version="2.0"><body><outline text="Ada Example" stalkerr-kind="author"/>
               </body></opml>"""
    sent: list[Any] = []
    for file in (opml, opml, opml.replace(b"Ada", b"Eve")):
        form = {"file": SimpleUploadedFile("watches.opml", file)}
        sent.append(post(client, "/api/imports", form, format="multipart"))
    assert [answer.status_code for answer in sent] == [201, 201, 422]
    assert sent[1].content == sent[0].content
    assert Import.objects.count() == 1


def test_who_may_not_ask_takes_no_key(anybody: APIClient) -> None:
    assert post(anybody, "/api/watches", BODY).status_code == 401
    assert not IdempotencyKey.objects.exists()


def test_without_a_key_all_is_as_before(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    make_watch(alice, now=now)
    assert client_of(alice).post("/api/watches", BODY).status_code == 201
    assert not IdempotencyKey.objects.exists()


def test_a_get_takes_no_key(alice: User, client_of: ClientOf) -> None:
    assert client_of(alice).get("/api/watches", headers=KEY).status_code == 200
    assert not IdempotencyKey.objects.exists()
