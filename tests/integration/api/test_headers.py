"""Every answer says how browsers are to treat it, whatever it is and whoever gives it."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import AsyncClient, Client
from pytest_django import Settings

from accounts.models import User
from api.headers import ADMIN, CSP, DOCS, NOTHING, PAGE, SAME
from tests.factories import make_audiobook
from tests.integration.api.test_strangers import all_routes

METHODS = ("get", "post", "delete", "options")
STATIC = "/static/api/start.css"


def urls() -> list[str]:
    """One of every route there is, one of none, and a file."""
    routes = {path for path in all_routes() if "(?P" not in path}
    filled = {re.sub(r"<format:\w+>", "rss", path) for path in routes}
    filled = {"/" + re.sub(r"<[^>]+>", "1", path) for path in filled}
    return sorted(filled | {"/nothing", "/api/nothing", "/feeds/nothing", "/admin/nothing", STATIC})


@contextmanager
def broken_database() -> Iterator[None]:
    """Whoever asks it meets a bug."""

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    with connection.execute_wrapper(fail):
        yield


def asked(client: Client, **headers: str) -> Iterator[Any]:
    """The answers to every method at every route."""
    client.raise_request_exception = False
    for url in urls():
        for method in METHODS:
            answer = getattr(client, method)(url, headers=headers)
            yield answer
            read(answer)


def read(answer: Any) -> None:
    """To its end, which closes the file."""
    if answer.streaming:
        b"".join(answer)


def lacking(answer: Any) -> list[str]:
    """What an answer does not say of all that it has to, but for a stricter Referrer-Policy."""
    is_page = answer.get("Content-Type", "").startswith("text/html")
    path = answer.request.get("PATH_INFO") or answer.request["path"]
    policy = {"/admin": ADMIN, "/api/d": DOCS, "/api/r": DOCS}.get(path[:6], PAGE)
    wanted = {CSP: policy if is_page else NOTHING} | SAME
    return [
        f"{answer.status_code} {path} {name}"
        for name, text in wanted.items()
        if answer.get(name) not in (text, "no-referrer" if name == "Referrer-Policy" else text)
    ]


def test_every_answer_of_every_route_carries_them(
    client: Client, alice: User, staff: User, fresh_limits: None, now: Any
) -> None:
    """Proves the guard `safe`: what is answered by middleware, by a bug or by nobody has them too."""
    make_audiobook(now=now)
    statuses = set()
    for user in (None, alice, staff):
        if user:
            client.force_login(user)
        for answer in asked(client):
            assert lacking(answer) == []
            statuses.add(answer.status_code)
    for answer in asked(client, host="evil.example"):
        assert lacking(answer) == []
        assert answer.status_code == 400 or answer.request["PATH_INFO"] == STATIC
    with broken_database():
        for answer in asked(client):
            assert lacking(answer) == []
            statuses.add(answer.status_code)
    assert {200, 302, 400, 401, 403, 404, 405, 500} <= statuses


@pytest.mark.parametrize("url", ["/nothing", "/api/nothing", "/feeds/nothing"])
def test_it_is_the_same_asked_asynchronously(url: str) -> None:
    """As in production; Django's own test client asks synchronously."""
    answer = asyncio.run(AsyncClient().get(url))
    assert lacking(answer) == []


def test_no_policy_lets_a_page_load_from_elsewhere_or_run_what_is_written_into_it() -> None:
    for policy in (NOTHING, PAGE, ADMIN, DOCS):
        assert not re.search(r"https?:|\*|//", policy)
        assert policy.startswith("default-src 'none';")
        scripts = re.findall(r"script-src ([^;]+)", policy)
        assert "unsafe-inline" not in "".join(scripts)
        assert {"frame-ancestors 'none'", "base-uri 'none'"} <= set(policy.split("; "))


@pytest.mark.parametrize("path", ["/", "/confirm/x", "/unsubscribe/x"])
def test_our_own_pages_have_neither_scripts_nor_styles_in_them(
    client: Client, db: None, fresh_limits: None, path: str
) -> None:
    text = client.get(path).content.decode()
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:", text)


@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/catalog/audiobook/", "/api/docs", "/api/redoc"]
)
def test_staffs_pages_have_no_script_in_them(client: Client, staff: User, path: str) -> None:
    client.force_login(staff)
    text = client.get(path).content.decode()
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", text) == []
    assert not re.search(r"\son(click|load|error|submit|change)=|javascript:", text)


@pytest.mark.parametrize("page", ["/api/docs", "/api/docs?script=", "/api/redoc"])
def test_the_pages_of_the_api_are_for_staff(
    client: Client, alice: User, staff: User, page: str
) -> None:
    """Proves the guard staff_member_required: others' scripts run beside no other session."""
    assert client.get(page).status_code == 302
    client.force_login(alice)
    assert client.get(page).status_code == 302
    client.force_login(staff)
    assert client.get(page).status_code == 200
    assert client.get("/api/schema").status_code == 200


def test_by_tls_alone_browsers_are_told_to_stay_there(
    client: Client, db: None, settings: Settings
) -> None:
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    for url in ("/nothing", "/api/nothing"):
        answer = client.get(url, secure=True)
        said = answer["Strict-Transport-Security"]
        assert said == "max-age=31536000; includeSubDomains; preload"
        assert "Strict-Transport-Security" not in client.get(url)


def test_a_file_of_ours_is_for_our_pages(client: Client) -> None:
    answer = client.get(STATIC, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 200
    assert "Access-Control-Allow-Origin" not in answer
    read(answer)


def test_the_outermost_middleware_is_the_one_that_says_it() -> None:
    assert django_settings.MIDDLEWARE[0] == "api.middleware.safe"
