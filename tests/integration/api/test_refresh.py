"""Refresh tokens: spent once, stored nowhere, ended as a family."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from rest_framework.test import APIClient

from accounts.models import Notice, RefreshToken, User
from accounts.refreshing import begin_family, end_family_of, forget_expired, rotate
from notifications.models import Delivery
from notifications.services import fan_out_notices
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import make_channel
from tests.integration.api.test_strangers import everything
from tests.people import PASSWORD, make_user

Move = Callable[[dt.timedelta], dt.datetime]


def sign_in(user: User, **fields: str) -> dict[str, Any]:
    body = {"email": user.email, "password": PASSWORD, **fields}
    answer = APIClient().post("/api/token", body)
    assert answer.status_code == 200
    return dict(answer.json())


def refresh(token: str) -> Any:
    return APIClient().post("/api/token/refresh", {"refresh": token})


def opens(access: str) -> bool:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return int(client.get("/api/watches").status_code) == 200


def test_a_refresh_token_gets_the_next_pair(alice: User) -> None:
    first = sign_in(alice, scope="read")
    assert first["refresh_expires_in"] == 30 * 24 * 3600
    answer = refresh(first["refresh"])
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    second = answer.json()
    assert (second["scope"], second["token_type"]) == ("read", "Bearer")
    assert second["refresh"] != first["refresh"]
    assert [opens(first["access"]), opens(second["access"])] == [True, True]
    assert refresh(second["refresh"]).status_code == 200


def test_it_opens_no_other_door(alice: User) -> None:
    assert not opens(sign_in(alice)["refresh"])


def test_it_is_stored_nowhere(alice: User) -> None:
    """Proves the guard digest."""
    assert sign_in(alice)["refresh"] not in str(everything())


def test_one_that_comes_again_ends_its_family_and_no_other(alice: User) -> None:
    """Proves the guard family: a thief who was faster, or slower, is out."""
    first, other = sign_in(alice), sign_in(alice)
    second = refresh(first["refresh"]).json()
    assert refresh(first["refresh"]).status_code == 401
    assert refresh(second["refresh"]).status_code == 401
    assert not opens(first["access"])
    assert not opens(second["access"])
    assert opens(other["access"])
    assert refresh(other["refresh"]).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_fifty_at_once_one_wins_and_the_family_ends(now: dt.datetime) -> None:
    """Proves the guard spent_at: one statement asks and spends."""
    token = begin_family(user=make_user("alice"), scope="write", now=now).token
    start = Barrier(50)

    def ask(_: int) -> Any:
        start.wait(30)
        try:
            return refresh(token)
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as many:
        answers = list(many.map(ask, range(50)))
    won = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    assert [answer.status_code for answer in answers].count(401) == 49
    assert not RefreshToken.objects.filter(revoked_at=None).exists()
    assert not opens(won[0]["access"])
    assert refresh(won[0]["refresh"]).status_code == 401


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("by", [rotate, end_family_of])
def test_a_token_made_meanwhile_does_not_outlive_its_family(
    now: dt.datetime, by: Callable[..., object]
) -> None:
    """Proves the guard lock: who ends a family sees what is being made in it."""
    first = begin_family(user=make_user("alice"), scope="write", now=now).token
    second = rotate(token=first, now=now)
    assert second is not None
    made = Paused(lambda: rotate(token=second.token, now=now))
    ending = start_and_see_it_wait(lambda: by(token=first, now=now))
    made.finish()
    ending.join(20)
    assert RefreshToken.objects.count() == 3
    assert not RefreshToken.objects.filter(revoked_at=None).exists()


def test_signing_out_ends_the_tokens_of_that_sign_in_at_once(alice: User) -> None:
    first, other = sign_in(alice), sign_in(alice)
    second = refresh(first["refresh"]).json()
    answer = APIClient().post("/api/token/revoke", {"refresh": second["refresh"]})
    assert (answer.status_code, answer.content) == (204, b"")
    assert refresh(second["refresh"]).status_code == 401
    assert not opens(second["access"])
    assert opens(other["access"])


def test_a_token_that_is_none_is_signed_out_like_any_other(anybody: APIClient) -> None:
    assert anybody.post("/api/token/revoke", {"refresh": "none"}).status_code == 204


def test_another_password_ends_them_all(alice: User) -> None:
    """Proves the guard password_mark, however the password came to be another."""
    tokens = [sign_in(alice), sign_in(alice)]
    alice.set_password("another password")
    alice.save()
    assert [refresh(each["refresh"]).status_code for each in tokens] == [401, 401]
    alice.set_password(PASSWORD)
    alice.save()
    assert [refresh(each["refresh"]).status_code for each in tokens] == [401, 401]


@pytest.mark.parametrize("change", [{"is_active": False}, None])
def test_a_user_who_is_disabled_or_gone_gets_no_more(
    alice: User, change: dict[str, Any] | None
) -> None:
    token = sign_in(alice)["refresh"]
    rows = User.objects.filter(id=alice.id)
    rows.update(**change) if change else alice.delete()
    assert refresh(token).status_code == 401


def test_it_expires(alice: User, move_clock: Move) -> None:
    token = sign_in(alice)["refresh"]
    move_clock(settings.REFRESH_LIFETIME)
    assert refresh(token).status_code == 401


def test_what_ended_is_forgotten(alice: User, now: dt.datetime) -> None:
    begin_family(user=alice, scope="write", now=now - settings.REFRESH_LIFETIME)
    kept = begin_family(user=alice, scope="write", now=now)
    assert forget_expired(before=now + dt.timedelta(seconds=1)) == 1
    assert rotate(token=kept.token, now=now) is not None


@pytest.mark.parametrize("body", [{}, {"refresh": ""}, {"refresh": "x" * 201}, {"refresh": ["x"]}])
@pytest.mark.parametrize("path", ["/api/token/refresh", "/api/token/revoke"])
def test_what_can_be_no_token_is_the_askers_fault(
    anybody: APIClient, path: str, body: dict[str, Any]
) -> None:
    answer = anybody.post(path, body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["refresh"])


def test_guesses_at_it_are_bounded(anybody: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves the guard limit in both doors."""
    monkeypatch.setattr("api.rest.tokens.REFRESHES", "3/h")
    paths = ["/api/token/refresh", "/api/token/revoke"] * 2
    answers = [anybody.post(path, {"refresh": "guess"}).status_code for path in paths]
    assert answers == [401, 204, 401, 429]


def test_only_staff_get_the_scope_of_staff(alice: User, staff: User, anybody: APIClient) -> None:
    """Proves the guard at the door: admin is refused before a token is made."""
    body = {"email": alice.email, "password": PASSWORD, "scope": "admin"}
    answer = anybody.post("/api/token", body)
    assert (answer.status_code, answer.json()["errors"]) == (400, {"scope": ["This is for staff."]})
    assert not RefreshToken.objects.exists()
    assert sign_in(staff, scope="admin")["scope"] == "admin"


def test_signing_out_needs_no_token_and_heeds_no_old_one(alice: User) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Bearer old")
    token = sign_in(alice)["refresh"]
    assert client.post("/api/token/refresh", {"refresh": token}).status_code == 200


def test_the_owner_of_a_token_that_comes_again_hears_of_it_once(
    alice: User, bob: User, now: dt.datetime
) -> None:
    """Proves the guard `_warn` and its key: thieves try often, and each sign-in is another matter."""
    for user in (alice, bob):
        make_channel(user)
    for _ in range(2):
        stolen = sign_in(alice)["refresh"]
        refresh(stolen)
        for _ in range(3):
            assert refresh(stolen).status_code == 401
    fan_out_notices(now=now)
    heard = Delivery.objects.order_by("id").values_list("user", "notice__subject")
    assert {user for user, _ in heard} == {alice.pk}
    assert len(heard) == Notice.objects.count() == 2
    assert "one of its tokens came twice" in heard[0][1]
    assert stolen not in "".join(Notice.objects.values_list("text", flat=True))


def test_no_other_end_of_a_sign_in_is_told(alice: User, anybody: APIClient) -> None:
    """A sign-out, a guess and a token that is no more are nothing to be warned of."""
    token = sign_in(alice)["refresh"]
    anybody.post("/api/token/revoke", {"refresh": token})
    for each in (token, token, "str_guess"):
        assert refresh(each).status_code == 401
    assert Notice.objects.count() == 0
