"""The API's description and its pages, from our own server."""

import re

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from tests.integration.api.test_strangers import routes


def test_the_description_is_valid_and_complete(client: Client, db: None, tmp_path: object) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=f"{tmp_path}/schema.yml")
    schema = client.get(
        "/api/schema", headers={"Accept": "application/vnd.oai.openapi+json"}
    ).json()
    assert schema["openapi"].startswith("3.1")
    described = {
        path[1:]
        .replace("{token}", "<str:token>")
        .replace("{job}", "<str:job>")
        .replace("{id}", "<int:pk>")
        for path in schema["paths"]
    }
    assert described == routes() - {"api/schema", "api/docs", "api/redoc"}


def test_the_description_says_how_to_sign_in(client: Client, db: None) -> None:
    schema = client.get(
        "/api/schema", headers={"Accept": "application/vnd.oai.openapi+json"}
    ).json()
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


@pytest.mark.parametrize("path", ["/api/docs", "/api/redoc", "/"])
def test_a_page_loads_nothing_from_elsewhere(client: Client, staff: User, path: str) -> None:
    client.force_login(staff)
    answer = client.get(path)
    assert answer.status_code == 200
    loaded = re.findall(
        r"<(?:script|link|img)[^>]*(?:src|href)=\"([^\"]+)\"", answer.content.decode()
    )
    assert loaded
    for url in loaded:
        assert re.match(r"/static/|/feeds/|/api/docs\?script=|data:,", url), url
        if url.startswith("/static/"):
            assert finders.find(url.removeprefix("/static/")), url
