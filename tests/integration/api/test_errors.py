"""One shape for every error under /api."""

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from tests.factories import make_channel
from tests.integration.api.conftest import ClientOf
from tests.people import make_user


def test_an_unknown_path_is_a_problem(anybody: APIClient) -> None:
    answer = anybody.get("/api/nothing")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing here.",
    }


def test_a_method_that_is_not_offered_is_a_problem(anybody: APIClient) -> None:
    answer = anybody.delete("/api/upcoming")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert answer.json()["detail"] == 'Method "DELETE" not allowed.'


@pytest.mark.parametrize(
    ("content_type", "status"),
    [("text/xml", 415), ("application/x-www-form-urlencoded", 415), ("multipart/form-data", 415)],
)
def test_only_json_is_taken(anybody: APIClient, content_type: str, status: int) -> None:
    answer = anybody.generic("POST", "/api/token", "a=b", content_type=content_type)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(
    "body",
    [
        '{"kind": "\\ud800", "query": "x"}',
        '{"kind": "author", "query": "x", "marketplaces": ["\\udfff"]}',
        '{"kind": "author", "query": "x", "\\ud800": 1}',
    ],
)
def test_what_no_answer_could_repeat_is_the_askers_fault(
    alice: User, client_of: ClientOf, body: str
) -> None:
    answer = client_of(alice).generic("POST", "/api/watches", body, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/api/upcoming", "/api/channels", "/api/channels/{id}"])
def test_nothing_is_told_by_way_of_options(client_of: ClientOf, path: str) -> None:
    channel = make_channel(make_user("alice"))
    answer = client_of(channel.user).options(path.format(id=channel.id))
    assert (answer.status_code, answer.json()["status"]) == (405, 405)


def test_what_breaks_half_way_is_a_problem_without_details_and_leaves_nothing(
    alice: User, client_of: ClientOf
) -> None:
    channel, client = make_channel(alice), client_of(alice)
    client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE routes RENAME TO lost_routes")
    body = {"kind": "author", "query": "Ada Example", "channels": [channel.id]}
    answer = client.post("/api/watches", body)
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert "routes" not in answer.content.decode()
    assert alice.watches.count() == 0


def test_other_pages_have_pages_for_errors(client: Client, db: None) -> None:
    answer = client.get("/nothing")
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_an_unknown_host_is_a_problem(anybody: APIClient, settings: Settings) -> None:
    answer = anybody.get("/api/upcoming", headers={"Host": "evil.example"})
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
