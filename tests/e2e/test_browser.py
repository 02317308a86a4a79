"""Pages work in a real browser under the policy that they are sent with."""

import os
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from stalkerr import clock
from tests.browser import CHROMIUM, visit
from tests.factories import make_audiobook, make_watch
from tests.people import make_user

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
]
# Each with what is there once its scripts have run.
SIGNED_IN = {
    "/admin/": "body",
    "/admin/catalog/audiobook/": "#result_list",
    "/admin/accounts/user/add/": "#user_form",
    "/admin/catalog/watch/add/": "#watch_form",
    "/api/docs": ".opblock",
    "/api/redoc": "[data-section-id]",
}
ANYBODYS = {"/": "ol li", "/admin/login/": "#login-form", "/confirm/no-link": "main p"}


def test_pages_work_under_their_policy(
    live_server: LiveServer, fresh_limits: None, tmp_path: Path
) -> None:
    """Proves the guard headers from the other side: nothing that a page needs is forbidden."""
    staff = make_user("staff", is_staff=True, is_superuser=True)
    prepare(staff)
    client = Client()
    client.force_login(staff)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    complaints: dict[str, list[str]] = {}
    for paths, cookie in ((ANYBODYS, ""), (SIGNED_IN, session)):
        urls = {f"{live_server.url}{path}": selector for path, selector in paths.items()}
        visits = visit(urls, session=cookie, folder=tmp_path)
        keep({url.removeprefix(live_server.url): each.picture for url, each in visits.items()})
        complaints |= {url: each.complaints for url, each in visits.items() if each.complaints}
    (said,) = complaints.pop(f"{live_server.url}/api/redoc")
    assert "https://cdn.redoc.ly/" in said, "what ReDoc would load from elsewhere stays out"
    assert complaints == {}


def prepare(user: User) -> None:
    now = clock.now()
    make_watch(user, now=now)
    make_audiobook(now=now)


def keep(pictures: dict[str, bytes]) -> None:
    """For a person to look at, where a folder is named."""
    if folder := os.environ.get("SHOTS"):
        for path, picture in pictures.items():
            name = path.strip("/").replace("/", "-") or "start"
            Path(folder, f"{name}.png").write_bytes(picture)
