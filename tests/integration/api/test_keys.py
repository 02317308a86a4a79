"""API keys: shown once, stored nowhere, for no more than their maker may do."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory

from accounts import keys
from accounts.keys import TooManyKeysError, make_key
from accounts.models import ApiKey, Scope, User
from api import throttling
from api.auth import Access, ForOperators, issue_token
from stalkerr import clock
from tests.concurrency import Paused, start_and_see_it_wait
from tests.integration.api.conftest import ClientOf
from tests.integration.api.test_strangers import everything
from tests.people import make_user

Move = Callable[[dt.timedelta], dt.datetime]
KEYS, WATCHES = "/api/keys", "/api/watches"
BODY = {"kind": "author", "query": "Ada Example"}


def key_for(user: User, scope: str = "read", **fields: Any) -> str:
    fields = {"name": "a script", "expires_at": None, "now": clock.now()} | fields
    _, key = make_key(user=user, scope=scope, **fields)
    return key


def client_with(secret: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def test_a_key_is_made_shown_once_and_deleted(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    made = client.post(KEYS, {"name": "my feed reader"})
    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    body = made.json()
    key = body.pop("key")
    assert key.startswith(f"stk_{body['prefix']}_")
    assert (body["scope"], body["expires_at"], body["last_used_at"]) == ("read", None, None)
    path = f"{KEYS}/{body['id']}"
    assert client.get(KEYS).json() == {"next": None, "results": [body]}
    assert client.get(path).json() == body
    assert client_with(key).get(WATCHES).status_code == 200
    assert client.delete(path).status_code == 204
    assert client_with(key).get(WATCHES).status_code == 401


def test_it_is_stored_nowhere(alice: User) -> None:
    """Proves the guard digest."""
    key = key_for(alice)
    assert key.split("_", 2)[2] not in str(everything())


def test_a_key_reads_writes_or_does_what_staff_do(alice: User) -> None:
    reader, writer = client_with(key_for(alice)), client_with(key_for(alice, "write"))
    assert [each.get(WATCHES).status_code for each in (reader, writer)] == [200, 200]
    assert [each.post(WATCHES, BODY).status_code for each in (reader, writer)] == [403, 201]


def test_a_key_that_is_no_key_opens_nothing(alice: User) -> None:
    """Proves the guards digest and prefix."""
    key = key_for(alice)
    forged = [
        key[:-1],
        key + "x",
        key.upper(),
        key[4:],
        "stk_",
        "stk_" + "0" * 56,
        "stk_\u00e9" * 9,
    ]
    forged.append(key[:17] + key_for(alice)[17:])
    assert [client_with(each).get(WATCHES).status_code for each in forged] == [401] * len(forged)


def test_a_key_expires(alice: User, now: dt.datetime, move_clock: Move) -> None:
    client = client_with(key_for(alice, expires_at=now + dt.timedelta(hours=1)))
    assert client.get(WATCHES).status_code == 200
    move_clock(dt.timedelta(hours=1))
    assert client.get(WATCHES).status_code == 401


def test_a_disabled_users_key_opens_nothing(alice: User) -> None:
    key = key_for(alice)
    User.objects.filter(id=alice.id).update(is_active=False)
    assert client_with(key).get(WATCHES).status_code == 401


def test_another_password_leaves_keys_alone(alice: User) -> None:
    key = key_for(alice)
    alice.set_password("another password")
    alice.save()
    assert client_with(key).get(WATCHES).status_code == 200


def test_use_is_noted_once_a_minute(
    alice: User, move_clock: Move, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Proves the guard USE_NOTED: the second request writes nothing."""
    client = client_with(key_for(alice))
    client.get(KEYS)
    used_at = ApiKey.objects.get().last_used_at
    assert used_at is not None
    with django_assert_num_queries(3):  # the clock, the key with its user, the list
        client.get(KEYS)
    assert ApiKey.objects.get().last_used_at == used_at
    move_clock(dt.timedelta(minutes=1))
    client.get(KEYS)
    later = ApiKey.objects.get().last_used_at
    assert later is not None
    assert later - used_at >= dt.timedelta(minutes=1)


def granted(client: APIClient) -> list[bool]:
    """Which keys it can make: to read, to write, for staff."""
    answers = [client.post(KEYS, {"name": "x", "scope": scope}) for scope in Scope.values]
    assert {answer.status_code for answer in answers} <= {201, 400, 403}
    return [answer.status_code == 201 for answer in answers]


def test_nobody_makes_a_key_for_more_than_they_may(alice: User, staff: User) -> None:
    """Proves the guard may_grant, for keys, tokens and sessions, of users and of staff."""
    assert granted(client_with(key_for(alice, "read"))) == [False, False, False]
    assert granted(client_with(key_for(alice, "write"))) == [True, True, False]
    assert granted(client_with(key_for(staff, "write"))) == [True, True, False]
    assert granted(client_with(key_for(staff, "admin"))) == [True, True, True]
    assert granted(client_with(key_for(alice, "admin"))) == [True, True, False]
    token = issue_token(user=staff, now=clock.now(), scope="write")
    assert granted(client_with(token)) == [True, True, False]
    for user, expected in ((alice, [True, True, False]), (staff, [True, True, True])):
        session = APIClient()
        session.force_login(user)
        assert granted(session) == expected


def test_a_key_makes_none_that_lives_longer(alice: User, now: dt.datetime) -> None:
    """Proves the guard last end."""
    end = now + dt.timedelta(hours=1)
    client = client_with(key_for(alice, "write", expires_at=end))
    ends = [None, end + dt.timedelta(seconds=1), end]
    answers = [client.post(KEYS, {"name": "x", "expires_at": each}) for each in ends]
    assert [answer.status_code for answer in answers] == [400, 400, 201]
    assert list(answers[0].json()["errors"]) == ["expires_at"]


def test_it_can_not_have_expired_already(alice: User, client_of: ClientOf) -> None:
    answer = client_of(alice).post(KEYS, {"name": "x", "expires_at": "2020-01-01T00:00:00Z"})
    assert answer.json()["errors"] == {"expires_at": ["This has passed."]}


@pytest.mark.django_db(transaction=True)
def test_a_user_has_so_many_and_no_more_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves the guards KEYS_MAX and lock: who makes one sees the one that is being made."""
    monkeypatch.setattr(keys, "KEYS_MAX", 1)
    user, refused = make_user("alice"), []

    def make_another() -> None:
        with pytest.raises(TooManyKeysError):
            key_for(user)
        refused.append(True)

    first = Paused(lambda: key_for(user))
    second = start_and_see_it_wait(make_another)
    first.finish()
    second.join(20)
    assert (refused, ApiKey.objects.count()) == ([True], 1)


def test_who_has_too_many_is_told(
    alice: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "KEYS_MAX", 0)
    answer = client_of(alice).post(KEYS, {"name": "x"})
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("You have 20 keys")


def test_a_key_has_a_limit_of_its_own(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves the guard BY_KEY: one program does not use up what its user has."""
    monkeypatch.setattr(throttling, "BY_KEY", "2/h")
    client, other = client_with(key_for(alice)), client_with(key_for(alice))
    assert [client.get(WATCHES).status_code for _ in range(3)] == [200, 200, 429]
    assert other.get(WATCHES).status_code == 200


@pytest.mark.parametrize(
    ("scope", "by_staff", "opened"),
    [
        ("admin", True, True),
        ("write", True, False),
        ("admin", False, False),
        (None, True, True),
        (None, False, False),
    ],
)
def test_doors_for_operators_want_staff_and_the_scope(
    alice: User, staff: User, *, scope: str | None, by_staff: bool, opened: bool
) -> None:
    """Proves the guard ForOperators."""
    user = staff if by_staff else alice
    request = Request(APIRequestFactory().get("/"))
    request.user = user
    request.auth = Access(user, Scope(scope)) if scope else None
    assert ForOperators().has_permission(request, None) is opened
