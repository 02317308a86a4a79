"""Which pages of others may ask the API: those of listed origins, letter by letter."""

import pytest
from django.conf import settings as django_settings
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from stalkerr.checks import check_origins

FRIEND = "https://friend.example"
PORTED = "http://localhost:5173"
HOSTILE = [
    *("null", "*", "", "file://", "https://evil.example"),
    *("https://friend.example.evil.example", "https://evilfriend.example", "https://friend.exampl"),
    *("https://a.friend.example", "https://friend.example.", "https://friend_example"),
    *("http://friend.example", "HTTPS://friend.example", "https://FRIEND.example"),
    *("https://friend.example:443", "https://friend.example:8443", "http://localhost:5174"),
    *("http://localhost", "https://friend.example/", "https://friend.example/path"),
    *("https://friend.example?x", "https://friend.example#x", "https://friend\t.example"),
    *("https://user@friend.example", "https://friend.example@evil.example", " " + FRIEND),
    *(
        "https://friend.example, https://evil.example",
        "https://friend.example https://evil.example",
    ),
]


@pytest.fixture(autouse=True)
def _listed(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [FRIEND, PORTED]


@pytest.mark.parametrize("origin", [FRIEND, PORTED])
def test_a_listed_origin_may_ask_with_its_cookies(anybody: APIClient, origin: str) -> None:
    answer = anybody.get("/api/upcoming", headers={"Origin": origin})
    assert answer["Access-Control-Allow-Origin"] == origin
    assert answer["Access-Control-Allow-Credentials"] == "true"
    assert "RateLimit-Remaining" in answer["Access-Control-Expose-Headers"]
    assert "origin" in answer["Vary"].lower()


@pytest.mark.parametrize("origin", HOSTILE)
@pytest.mark.parametrize("method", ["get", "options"])
def test_no_other_origin_is_told_anything(anybody: APIClient, origin: str, method: str) -> None:
    """Proves the guard ExactOrigins: the library lets in some of these, and says them back."""
    asked = {"Origin": origin, "Access-Control-Request-Method": "DELETE"}
    answer = getattr(anybody, method)("/api/upcoming", headers=asked)
    assert [name for name in answer.headers if name.lower().startswith("access-control")] == []


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_listed_origin_is_told_beforehand_what_it_may(anybody: APIClient, method: str) -> None:
    asked = {
        "Origin": FRIEND,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key,if-match",
    }
    answer = anybody.options("/api/watches", headers=asked)
    assert (answer.status_code, answer.content) == (200, b"")
    assert method in answer["Access-Control-Allow-Methods"].split(", ")
    allowed = set(answer["Access-Control-Allow-Headers"].split(", "))
    assert set(asked["Access-Control-Request-Headers"].split(",")) <= allowed
    assert answer["Access-Control-Max-Age"] == "600"


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/admin/login/", "/confirm/x", "/static/x", "/metrics", "/graphqlx", "/graphql/x"),
        *("/feeds/private/x.rss", "/feeds/lists/x.rss", "/feeds/upcomingx"),
    ],
)
def test_only_the_api_is_asked_from_elsewhere(client: Client, db: None, path: str) -> None:
    answer = client.get(path, headers={"Origin": FRIEND})
    assert "Access-Control-Allow-Origin" not in answer


@pytest.mark.parametrize("path", ["/feeds/upcoming.rss", "/feeds/authors/9.ics", "/graphql/schema"])
def test_what_anybody_may_read_is_read_by_listed_pages(client: Client, db: None, path: str) -> None:
    answer = client.get(path, headers={"Origin": FRIEND})
    assert answer["Access-Control-Allow-Origin"] == FRIEND
    # Caches between must not give it to another page, or to this one what a stranger was given.
    for known in (answer, client.get(path)):
        assert "origin" in known["Vary"].lower()
    assert "Access-Control-Allow-Origin" not in client.get(path, headers={"Origin": "null"})


def test_a_listed_page_may_ask_by_graphql(anybody: APIClient) -> None:
    asked = {
        "Origin": FRIEND,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }
    before = anybody.options("/graphql", headers=asked)
    assert (before.status_code, before["Access-Control-Allow-Origin"]) == (200, FRIEND)
    body = {"query": "{ __typename }"}
    answer = anybody.post("/graphql", body, headers={"Origin": FRIEND})
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (200, FRIEND)
    refused = anybody.post("/graphql", body, headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in refused


def test_a_session_of_a_listed_page_needs_its_csrf_token_for_graphql(alice: User) -> None:
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(alice)
    body = {"query": "{ __typename }"}
    assert browser.post("/graphql", body, headers={"Origin": FRIEND}).status_code == 403


def test_a_session_of_a_listed_origin_still_needs_its_csrf_token(alice: User) -> None:
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(alice)
    body = {"kind": "author", "query": "Ada Example"}
    assert browser.get("/api/watches", headers={"Origin": FRIEND}).status_code == 200
    assert browser.post("/api/watches", body, headers={"Origin": FRIEND}).status_code == 403


def test_nobody_is_listed_unless_named() -> None:
    assert not getattr(django_settings, "CORS_ALLOW_ALL_ORIGINS", False)
    assert not getattr(django_settings, "CORS_ALLOWED_ORIGIN_REGEXES", [])


@pytest.mark.parametrize(
    "origin",
    [
        *("*", "null", "friend.example", "https://", "https://friend.example/", "ftp://a.example"),
        *("https://*.friend.example/x", "https://Friend.example", "https://friend.example:443"),
        *("https://friend.example:x", "https://user@friend.example", "http://a.example:80"),
    ],
)
def test_what_no_browser_says_is_no_origin(settings: Settings, origin: str) -> None:
    """Proves the check: one that is written otherwise would let nobody in, and nobody would know."""
    settings.CORS_ALLOWED_ORIGINS = [FRIEND, origin]
    assert [error.id for error in check_origins()] == ["stalkerr.E007"]


@pytest.mark.parametrize("origin", [FRIEND, PORTED, "http://[::1]:3000", "https://127.0.0.1:8443"])
def test_what_browsers_say_is_one(settings: Settings, origin: str) -> None:
    settings.CORS_ALLOWED_ORIGINS = [origin]
    assert check_origins() == []
