"""Limits: exact however many ask at once, whatever they say of themselves."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from pytest_django import Settings
from redis import Redis
from rest_framework.test import APIClient

from accounts.models import User
from api import throttling
from api.counting import PREFIX, Rate, Rule, take
from stalkerr.checks import check_proxies
from tests.integration.api.conftest import ClientOf
from tests.people import make_user

NOWHERE = "redis://127.0.0.1:1/0"
UPCOMING = "/api/upcoming"


@pytest.fixture
def redis() -> Redis:
    return Redis.from_url(django_settings.BUCKETS_URL)


def rule(count: int, who: str = "me", group: str = "test") -> Rule:
    return Rule(group, Rate(count, dt.timedelta(minutes=1)), who)


def pass_time(redis: Redis, by_ms: int) -> None:
    """Move all that was counted so far into the past."""
    for log in redis.scan_iter(f"{PREFIX}*"):
        for place, moment in enumerate(redis.lrange(log, 0, -1)):
            redis.lset(log, place, str(int(moment) - by_ms))


@pytest.mark.parametrize("most", [1, 10, 99])
def test_of_a_hundred_at_once_exactly_so_many_are_accepted(most: int) -> None:
    """Proves the guard that it is counted in one piece: read and written apart, more would pass."""
    start = Barrier(25)

    def ask(_: int) -> bool:
        start.wait(20)
        return take([rule(most)]).accepted

    with ThreadPoolExecutor(25) as many:
        accepted = list(many.map(ask, range(100)))
    assert sum(accepted) == most


def test_what_costs_several_takes_them_all_or_none() -> None:
    """Proves the guard of costs: three pieces of a question are three, and two are left as they were."""
    dear, cheap = replace(rule(5), cost=3), rule(9, "other")
    assert take([dear, cheap]).remaining == 2
    refused = take([dear, cheap])
    assert (refused.accepted, refused.limit, refused.remaining) == (False, 5, 2)
    assert take([cheap]).remaining == 7
    assert take([replace(dear, cost=2)]).remaining == 0


def test_what_costs_several_waits_until_so_many_are_free(redis: Redis) -> None:
    """Of five, two went before the others: what costs two waits for these, what costs three longer."""
    take([replace(rule(5), cost=2)])
    pass_time(redis, 20_000)
    take([replace(rule(5), cost=3)])
    waits = [take([replace(rule(5), cost=cost)]).reset for cost in (1, 2, 3, 5)]
    assert [39 <= wait <= 40 for wait in waits[:2]] == [True, True]
    assert [59 <= wait <= 60 for wait in waits[2:]] == [True, True]


@pytest.mark.django_db(transaction=True)
def test_of_a_hundred_requests_at_once_exactly_so_many_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(throttling, "ANONYMOUS", "30/h")
    start = Barrier(10)

    def ask(_: int) -> int:
        start.wait(20)
        try:
            return int(APIClient().get(UPCOMING).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as many:
        answers = list(many.map(ask, range(100)))
    assert (answers.count(200), answers.count(429)) == (30, 70)


def test_no_period_wherever_it_begins_has_more(redis: Redis) -> None:
    """Proves the guard log: a counter that begins anew would let twice as many pass around it."""
    assert take([rule(2)]).accepted
    pass_time(redis, 59_000)
    assert [take([rule(2)]).accepted for _ in range(2)] == [True, False]
    pass_time(redis, 1_000)
    assert [take([rule(2)]).accepted for _ in range(2)] == [True, False]


def test_what_is_left_and_when_more_is(redis: Redis) -> None:
    first = take([rule(2)])
    assert (first.accepted, first.limit, first.remaining, first.reset) == (True, 2, 1, 60)
    pass_time(redis, 10_000)
    second = take([rule(2)])
    assert (second.accepted, second.remaining) == (True, 0)
    assert 49 <= second.reset <= 50
    third = take([rule(2)])
    assert (third.accepted, third.remaining) == (False, 0)


def test_what_one_rule_refuses_counts_against_none(redis: Redis) -> None:
    """Proves the guard all or none: an address that is shut out would shut the account too."""
    take([rule(1, "address")])
    assert not take([rule(1, "address"), rule(5, "account")]).accepted
    assert take([rule(5, "account")]).remaining == 4


def test_whoever_asks_can_not_be_read_from_the_counters(redis: Redis) -> None:
    take([rule(1, "alice@example.org")])
    (key,) = redis.scan_iter(f"{PREFIX}*")
    assert b"alice" not in key
    assert 0 < redis.pttl(key) <= 60_000


@pytest.mark.parametrize("text", ["", "0/h", "10", "10/x", "-1/h", "1.5/m", "10/h "])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        Rate.of(text)


def test_a_rate_is_read() -> None:
    assert Rate.of("10/15m") == Rate(10, dt.timedelta(minutes=15))


def test_an_answer_says_what_is_left(anybody: APIClient) -> None:
    answer = anybody.get(UPCOMING)
    left = [answer[f"RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset")]
    assert left == ["100", "99", "3600"]
    assert "Retry-After" not in answer


@pytest.mark.parametrize("path", [UPCOMING, "/feeds/upcoming.rss", "/", "/api/schema"])
def test_the_hundred_and_first_is_told_when_to_come_back(path: str, db: None) -> None:
    client = Client()
    assert [client.get(path).status_code for _ in range(100)] == [200] * 100
    late = client.get(path)
    assert (late.status_code, late["RateLimit-Remaining"]) == (429, "0")
    assert 0 < int(late["Retry-After"]) <= 3600
    assert late["Retry-After"] == late["RateLimit-Reset"]


def test_a_user_has_one_limit_over_all_tokens(
    alice: User, bob: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttling, "SIGNED_IN", "3/h")
    clients = [client_of(alice) for _ in range(4)]
    assert [client.get("/api/watches").status_code for client in clients] == [200, 200, 200, 429]
    assert client_of(alice).get(UPCOMING).status_code == 429
    assert client_of(bob).get("/api/watches").status_code == 200


def test_tokens_can_not_be_guessed_without_end(alice: User, client_of: ClientOf) -> None:
    """Proves the guard limit_bad_tokens; who has a good one at that address is not shut out."""
    thief = APIClient()
    answers = []
    for n in range(61):
        thief.credentials(HTTP_AUTHORIZATION=f"Bearer guess-{n}")
        answers.append(thief.get("/api/watches").status_code)
    assert answers == [401] * 60 + [429]
    assert client_of(alice).get("/api/watches").status_code == 200


NAMES = ("X-Forwarded-For", "X_Forwarded_For", "Forwarded", "X-Real-IP", "X-Client-IP")


@pytest.mark.parametrize("name", NAMES)
def test_readers_gain_nothing_by_another_name(
    name: str, anybody: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard that only a proxy is believed."""
    monkeypatch.setattr(throttling, "ANONYMOUS", "3/h")
    said = [f"10.0.0.{n}" if name != "Forwarded" else f"for=10.0.0.{n}" for n in range(5)]
    answers = [anybody.get(UPCOMING, headers={name: each}).status_code for each in said]
    assert answers == [200, 200, 200, 429, 429]


@pytest.mark.parametrize("trusted", [[], ["127.0.0.1"], ["127.0.0.0/8", "10.0.0.0/8"]])
def test_behind_proxies_what_is_put_in_front_gains_nothing(
    trusted: list[str],
    anybody: APIClient,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Proves the guard that names count from the right, up to the first that is no proxy."""
    settings.TRUSTED_PROXIES = trusted
    monkeypatch.setattr(throttling, "ANONYMOUS", "3/h")
    said = [f"198.51.100.{n}, 203.0.113.7, 10.0.0.1" for n in range(5)]
    answers = [
        anybody.get(UPCOMING, headers={"X-Forwarded-For": each}).status_code for each in said
    ]
    assert answers == [200, 200, 200, 429, 429]


def test_the_peer_of_a_proxy_in_ipv6_is_trusted_too(
    anybody: APIClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.1", "fd00::/8"]
    monkeypatch.setattr(throttling, "ANONYMOUS", "1/h")
    for peer in ("::ffff:10.0.0.1", "fd00::7"):
        for client in ("203.0.113.7", "203.0.113.8"):
            named = {"X-Forwarded-For": f"{client}{peer[-1]}"}
            assert anybody.get(UPCOMING, headers=named, REMOTE_ADDR=peer).status_code == 200


def test_nobody_but_a_proxy_says_that_it_came_by_tls(client: Client, settings: Settings) -> None:
    """Proves the guard that drops forwarded headers, before anything else reads them."""
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    said = {"X-Forwarded-Proto": "https"}
    assert client.get("/api/schema", headers=said).status_code == 301
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    assert client.get("/api/schema", headers=said).status_code == 200


@pytest.mark.parametrize("text", ["proxy", "10.0.0.1/8", "0.0.0.0/0", "::/0", ""])
def test_a_network_that_is_none_is_refused_at_the_start(text: str, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", text]
    assert [error.id for error in check_proxies()] == ["stalkerr.E006"]


def test_while_nobody_can_count_readers_read_and_guesses_are_not_answered(
    client_of: ClientOf, settings: Settings, anybody: APIClient, db: None
) -> None:
    """Proves the guard `guarded`: open where it reads, shut where it would be guessed open."""
    user = make_user("carol")
    settings.BUCKETS_URL = NOWHERE
    answer = anybody.get(UPCOMING)
    assert (answer.status_code, "RateLimit-Limit" in answer) == (200, False)
    assert Client().get("/feeds/upcoming.rss").status_code == 200
    assert client_of(user).get("/api/watches").status_code == 200
    body = {"email": user.email, "password": "guess"}
    assert anybody.post("/api/token", body).status_code == 503
    form = {"username": user.email, "password": "guess"}
    assert Client().post("/admin/login/", form).status_code == 503


def test_all_reads_of_the_catalogue_share_one_limit(
    anybody: APIClient, alice: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard anonymous_rate of AnybodysView."""
    monkeypatch.setattr("api.rest.anybody.AnybodysView.anonymous_rate", "3/h")
    books = "/api/audiobooks"
    paths = [books, "/api/series", "/api/works/1", f"{books}/1/history"]
    assert [anybody.get(path).status_code for path in paths] == [200, 200, 404, 429]
    assert client_of(alice).get(books).status_code == 200


def test_a_factor_widens_every_limit(anybody: APIClient, settings: Settings) -> None:
    settings.LIMITS_FACTOR = 3
    assert anybody.get("/api/upcoming")["RateLimit-Limit"] == "300"
