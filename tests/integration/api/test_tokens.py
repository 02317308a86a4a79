"""The doors: who gets a token, and which tokens open nothing."""

import base64
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from api import auth
from stalkerr import clock
from tests.people import PASSWORD

WATCHES = "/api/watches"


def ask(client: APIClient, email: str, password: str = PASSWORD, **extra: Any) -> Any:
    return client.post("/api/token", {"email": email, "password": password}, **extra)


def statuses(token: str) -> list[int]:
    """What a token opens: a door that needs one, and one that does not."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return [client.get(path).status_code for path in (WATCHES, "/api/upcoming")]


def claims_of(user: User, **changes: Any) -> dict[str, Any]:
    token = auth.issue_token(user=user, now=clock.now())
    claims = jwt.decode(token, settings.JWT_KEY, ["HS256"], audience=auth.AUDIENCE)
    return {name: value for name, value in (claims | changes).items() if value is not None}


def signed(claims: dict[str, Any], key: str = "", algorithm: str = "HS256") -> str:
    return jwt.encode(claims, key or settings.JWT_KEY, algorithm=algorithm)


def test_a_password_gets_a_token_that_opens_the_door(alice: User, anybody: APIClient) -> None:
    answer = ask(anybody, "Alice@example.org")
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    body = answer.json()
    assert (body["token_type"], body["scope"], body["expires_in"]) == ("Bearer", "write", 900)
    assert statuses(body["access"]) == [200, 200]


@pytest.mark.parametrize(
    ("email", "password"), [("alice@example.org", "wrong"), ("nobody@example.org", PASSWORD)]
)
def test_a_wrong_password_and_an_unknown_address_look_the_same(
    alice: User, anybody: APIClient, email: str, password: str
) -> None:
    answer = ask(anybody, email, password)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.json()["detail"] == "There is no user with this address and password."


def test_an_old_token_does_not_keep_one_from_getting_another(
    alice: User, anybody: APIClient
) -> None:
    assert ask(anybody, alice.email, HTTP_AUTHORIZATION="Bearer old").status_code == 200


def test_a_disabled_user_gets_no_token(alice: User, anybody: APIClient) -> None:
    User.objects.filter(id=alice.id).update(is_active=False)
    assert ask(anybody, alice.email).status_code == 401


@pytest.mark.parametrize(
    "body",
    ["[]", '"x"', "{", "", '{"email": "a\\u0000@x.org", "password": "\\ud800"}', "[" * 100_000],
)
def test_an_odd_body_is_the_askers_fault(anybody: APIClient, body: str) -> None:
    answer = anybody.generic("POST", "/api/token", body, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_a_large_body_is_not_read(anybody: APIClient) -> None:
    body = json.dumps({"email": "a@example.org", "password": "x" * 1_000_000})
    answer = anybody.generic("POST", "/api/token", body, content_type="application/json")
    assert answer.status_code == 413


def test_the_eleventh_guess_at_an_account_from_one_address_has_to_wait(
    alice: User, bob: User, anybody: APIClient
) -> None:
    answers = [ask(anybody, alice.email, f"guess {n}").status_code for n in range(10)]
    assert answers == [401] * 10
    late = ask(anybody, alice.email)
    assert late.status_code == 429
    assert 0 < int(late["Retry-After"]) <= 900
    assert late.json()["status"] == 429
    assert ask(anybody, bob.email).status_code == 200


def test_an_address_that_tries_many_accounts_has_to_wait(anybody: APIClient) -> None:
    answers = [ask(anybody, f"nobody{n}@example.org").status_code for n in range(31)]
    assert answers == [401] * 30 + [429]


def test_an_account_is_guarded_against_many_addresses(alice: User, anybody: APIClient) -> None:
    answers = [
        ask(anybody, alice.email, "guess", REMOTE_ADDR=f"10.0.{n}.1").status_code
        for n in range(101)
    ]
    assert answers == [401] * 100 + [429]


def test_addresses_of_one_ipv6_network_count_as_one(anybody: APIClient) -> None:
    answers = [
        ask(anybody, f"nobody{n}@example.org", REMOTE_ADDR=f"2001:db8:1:2::{n:x}").status_code
        for n in range(31)
    ]
    assert answers[-1] == 429
    other = ask(anybody, "nobody@example.org", REMOTE_ADDR="2001:db8:1:3::1")
    assert other.status_code == 401


def test_another_spelling_of_an_account_has_no_guesses_of_its_own(
    alice: User, anybody: APIClient
) -> None:
    spelt = "al\u0131ce@example.org"  # PostgreSQL's upper case of it is Alice's
    assert ask(anybody, spelt).status_code == 200
    for n in range(9):
        ask(anybody, alice.email, f"guess {n}")
    assert ask(anybody, spelt).status_code == 429


def test_behind_a_proxy_those_count_whom_it_names_last(
    anybody: APIClient, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.0/8"]

    def try_door(named: str) -> int:
        headers = {"X-Forwarded-For": named} if named else {}
        return int(ask(anybody, "nobody@example.org", headers=headers).status_code)

    assert [try_door(f"10.1.1.{n}, 10.0.0.1") for n in range(11)] == [401] * 10 + [429]
    assert [try_door("10.0.0.2"), try_door("rubbish"), try_door("")] == [401] * 3


def test_behind_a_proxy_readers_have_limits_of_their_own(
    anybody: APIClient, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.0/8"]
    first, other = {"X-Forwarded-For": "10.0.0.1"}, {"X-Forwarded-For": "10.0.0.2"}
    answers = [anybody.get("/api/upcoming", headers=first).status_code for _ in range(101)]
    assert answers == [200] * 100 + [429]
    assert anybody.get("/api/upcoming", headers=other).status_code == 200


def test_guesses_at_the_admins_door_count_as_well(staff: User, client: Client) -> None:
    def sign_in(password: str) -> int:
        form = {"username": staff.email, "password": password}
        return int(client.post("/admin/login/", form).status_code)

    assert [sign_in(f"guess {n}") for n in range(10)] == [200] * 10
    assert sign_in(PASSWORD) == 429
    assert client.get("/admin/login/").status_code == 200


def test_the_admins_door_opens_for_a_password(staff: User, client: Client) -> None:
    form = {"username": staff.email, "password": PASSWORD, "next": "/admin/"}
    assert client.post("/admin/login/", form).status_code == 302
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_a_made_up_forwarded_address_gains_nothing(anybody: APIClient, name: str) -> None:
    for n in range(30):
        ask(anybody, f"nobody{n}@example.org", headers={name: f"10.0.0.{n}"})
    assert ask(anybody, "nobody@example.org", headers={name: "10.9.9.9"}).status_code == 429


def test_guesses_that_nobody_can_count_are_not_answered(
    alice: User, anybody: APIClient, settings: Settings
) -> None:
    settings.BUCKETS_URL = "redis://127.0.0.1:1/0"
    assert ask(anybody, alice.email).status_code == 503
    assert anybody.get("/api/upcoming").status_code == 200


Forgery = Callable[[User], str]


def unsigned(user: User) -> str:
    return jwt.encode(claims_of(user), "", algorithm="none")


def from_the_future(user: User) -> str:
    later = int((clock.now() + dt.timedelta(minutes=5)).timestamp())
    return signed(claims_of(user, iat=later, exp=later + 900))


def expired(user: User) -> str:
    return auth.issue_token(user=user, now=clock.now() - settings.JWT_LIFETIME)


def cut_off(user: User) -> str:
    return signed(claims_of(user))[:-1]


def of_another_header(user: User) -> str:
    _head, body, signature = signed(claims_of(user)).split(".")
    other = base64.urlsafe_b64encode(b'{"alg":"HS512","typ":"JWT"}').decode().rstrip("=")
    return f"{other}.{body}.{signature}"


FORGERIES: dict[str, Forgery] = {
    "alg none": unsigned,
    "another algorithm": lambda user: signed(claims_of(user), algorithm="HS384"),
    "another key": lambda user: signed(claims_of(user), key="another key of a fair length " * 2),
    "the other secret": lambda user: signed(claims_of(user), key=settings.SECRET_KEY),
    "an exchanged header": of_another_header,
    "cut off": cut_off,
    "expired": expired,
    "from the future": from_the_future,
    "for another audience": lambda user: signed(claims_of(user, aud="stalkerr-feeds")),
    "from another issuer": lambda user: signed(claims_of(user, iss="somebody")),
    "of another type": lambda user: signed(claims_of(user, typ="refresh")),
    "of nobody": lambda user: signed(claims_of(user, sub="999999999")),
    "of an impossible number": lambda user: signed(claims_of(user, sub="9" * 40)),
    "of a word": lambda user: signed(claims_of(user, sub="alice")),
    "of an odd numeral": lambda user: signed(claims_of(user, sub="²")),
    "without a subject": lambda user: signed(claims_of(user, sub=None)),
    "without an end": lambda user: signed(claims_of(user, exp=None)),
    "without a beginning": lambda user: signed(claims_of(user, iat=None)),
    "without a password mark": lambda user: signed(claims_of(user, pwd=None)),
    "with another password mark": lambda user: signed(claims_of(user, pwd="0" * 16)),
    "without a scope": lambda user: signed(claims_of(user, scope=None)),
    "of another scope": lambda user: signed(claims_of(user, scope="everything")),
    "of an odd scope": lambda user: signed(claims_of(user, scope=["write"])),
    "with an odd end": lambda user: signed(claims_of(user, exp="tomorrow")),
    "empty": lambda user: "",
    "not ASCII": lambda user: "é.é.é",
    "nested deeply": lambda user: base64.urlsafe_b64encode(b"[" * 1_400).decode() + ".e30.e30",
    "endless": lambda user: "a" * 60_000 + ".e30.e30",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_or_stale_token_opens_nothing(alice: User, name: str) -> None:
    assert statuses(FORGERIES[name](alice)) == [401, 401]


def test_a_token_ends_with_its_lifetime(
    alice: User, move_clock: Callable[[dt.timedelta], dt.datetime]
) -> None:
    token = auth.issue_token(user=alice, now=clock.now())
    assert statuses(token) == [200, 200]
    move_clock(settings.JWT_LIFETIME)
    assert statuses(token) == [401, 401]


def test_a_new_password_ends_all_tokens_at_once(alice: User) -> None:
    token = auth.issue_token(user=alice, now=clock.now())
    alice.set_password("another password")
    alice.save()
    assert statuses(token) == [401, 401]


def test_disabling_a_user_ends_all_tokens_at_once(alice: User) -> None:
    token = auth.issue_token(user=alice, now=clock.now())
    User.objects.filter(id=alice.id).update(is_active=False)
    assert statuses(token) == [401, 401]


def test_deleting_a_user_ends_all_tokens_at_once(alice: User) -> None:
    token = auth.issue_token(user=alice, now=clock.now())
    alice.delete()
    assert statuses(token) == [401, 401]


@pytest.mark.parametrize("header", ["Basic YTpi", "Token abc", "Bearerabc", ""])
def test_other_schemes_are_nobody(anybody: APIClient, header: str) -> None:
    anybody.credentials(HTTP_AUTHORIZATION=header)
    assert anybody.get(WATCHES).status_code == 401
    assert anybody.get("/api/upcoming").status_code == 200


def test_a_session_may_write_only_with_its_csrf_token(alice: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.get(WATCHES).status_code == 200
    answer = client.post(WATCHES, {"kind": "author", "query": "Ada Example"})
    assert answer.status_code == 403
    assert alice.watches.count() == 0


class CountedHasher(MD5PasswordHasher):
    """Says how often a password was hashed: what a guess costs, whatever the clock says."""

    hashed = 0

    def encode(self, password: str, salt: str) -> str:
        CountedHasher.hashed += 1
        return super().encode(password, salt)


@pytest.mark.parametrize("door", ["/api/token", "/admin/login/"])
def test_a_guess_costs_the_same_whether_there_is_such_a_user_or_not(
    door: str, alice: User, bob: User, stranger: User, settings: Settings
) -> None:
    """Who there is can't be told by how long a refusal takes: the same hashes, the same questions."""
    settings.PASSWORD_HASHERS = [f"{__name__}.CountedHasher"]
    User.objects.filter(pk=bob.pk).update(is_active=False)
    stranger.set_unusable_password()
    stranger.save()
    costs = set()
    for email in (alice.email, bob.email, stranger.email, "nobody@example.org"):
        CountedHasher.hashed = 0
        with CaptureQueriesContext(connection) as asked:
            body = {"email": email, "username": email, "password": "a guess"}
            answer = APIClient().post(door, body, format="json" if "api" in door else "multipart")
        assert answer.status_code == (401 if "api" in door else 200)
        costs.add((CountedHasher.hashed, len(asked)))
    assert costs == {(1, 1)}
