"""What a token that may only read can do: read. The list is generated from the API's description."""

import re
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from api.auth import issue_token
from stalkerr import clock
from tests.integration.api.test_strangers import everything
from tests.people import PASSWORD

SAFE = {"get", "head", "options"}
UNSAFE = {"post", "put", "patch", "delete"}
# Whoever asks for one need not have one.
WITHOUT_A_TOKEN = {
    ("post", path) for path in ("/api/token", "/api/token/refresh", "/api/token/revoke")
}
ANYBODYS = {path for _, path in WITHOUT_A_TOKEN} | {  # nothing else can be done there
    *("/api/upcoming", "/api/audiobooks", "/api/audiobooks/{id}"),
    *("/api/audiobooks/{id}/history", "/api/works/{id}", "/api/series", "/api/series/{id}"),
    *("/api/contributors/{id}", "/api/lists/shared/{token}"),
}
OPERATORS = "/api/admin/"  # to others it is not there
BODY = {"kind": "author", "query": "Ada Example"}


def described() -> set[tuple[str, str]]:
    """(method, path) of every operation that the API's description has."""
    answer = Client().get("/api/schema", headers={"Accept": "application/vnd.oai.openapi+json"})
    schema: dict[str, Any] = answer.json()
    return {(method, path) for path, methods in schema["paths"].items() for method in methods}


def reader_of(user: User) -> APIClient:
    client = APIClient()
    answer = client.post(
        "/api/token", {"email": user.email, "password": PASSWORD, "scope": "read"}
    ).json()
    assert answer["scope"] == "read"
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer['access']}")
    return client


def test_a_token_that_may_only_read_changes_nothing_anywhere(alice: User) -> None:
    """Proves the guard InScope, for every path and every method that writes."""
    client, before = reader_of(alice), everything()
    paths = {path for _, path in described()}
    assert {method for method, _ in described()} <= SAFE | UNSAFE
    for path in sorted(paths):
        url = re.sub(r"{\w+}", "1", path)
        for method in sorted(UNSAFE):
            if (method, path) in WITHOUT_A_TOKEN:
                continue
            answer = getattr(client, method)(url, BODY)
            status = 405 if path in ANYBODYS else 404 if path.startswith(OPERATORS) else 403
            said = answer.status_code, answer["Content-Type"]
            assert said == (status, "application/problem+json"), (method, path)
    assert everything() == before


def test_a_token_that_may_only_read_reads_everything(alice: User) -> None:
    client = reader_of(alice)
    lists = {path for method, path in described() if method == "get" and "{" not in path}
    assert {"/api/watches", "/api/events", "/api/deliveries"} <= lists
    for path in (path for path in lists if not path.startswith(OPERATORS)):
        assert client.get(path).status_code in (200, 400), path  # 400: it lacks its question


def test_it_is_told_what_it_lacks(alice: User) -> None:
    answer = reader_of(alice).post("/api/watches", BODY)
    assert answer.json()["detail"] == "This token may only read; get one with the scope “write”."


def test_a_token_that_may_write_reads_as_well(alice: User) -> None:
    client = APIClient()
    token = issue_token(user=alice, now=clock.now(), scope="write")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert client.post("/api/watches", BODY).status_code == 201
    assert client.get("/api/watches").status_code == 200


def test_a_session_may_write(alice: User, client: Client) -> None:
    client.force_login(alice)
    answer = client.post("/api/watches", BODY, content_type="application/json")
    assert answer.status_code == 201


@pytest.mark.parametrize("scope", ["admin", "", "read write", ["write"], None, 1])
def test_an_unknown_scope_is_refused(alice: User, anybody: APIClient, scope: Any) -> None:
    body = {"email": alice.email, "password": PASSWORD, "scope": scope}
    answer = anybody.post("/api/token", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["scope"])
