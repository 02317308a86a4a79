"""What the drill on the API's description (tests/chaos/fuzz.py) once found: each thing by its name."""

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from api.describing import SAYABLE
from tests.integration.api.conftest import ClientOf

PROBLEM = "application/problem+json"
Operations = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture
def description(client: Client, db: None) -> dict[str, Any]:
    answer = client.get("/api/schema", headers={"Accept": "application/vnd.oai.openapi+json"})
    described: dict[str, Any] = answer.json()
    return described


@pytest.fixture
def operations(description: dict[str, Any]) -> Operations:
    return {
        (method, path): operation
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    }


def test_every_no_is_described_by_its_status_and_is_a_problem(operations: Operations) -> None:
    for where, operation in operations.items():
        answers = operation["responses"]
        assert "default" not in answers, where
        refusals = {status: answer for status, answer in answers.items() if status >= "400"}
        for status, answer in refusals.items():
            assert answer == {"$ref": f"#/components/responses/Problem{status}"}, where
        assert "429" in refusals, where
        if "security" in operation:
            assert "401" in refusals, where
        if "{id}" in where[1]:
            assert "404" in refusals, where
        if "requestBody" in operation:
            assert {"400", "413"} <= set(refusals), where


def test_a_problem_is_described_once_for_all(description: dict[str, Any]) -> None:
    answers = description["components"]["responses"]
    for name, answer in answers.items():
        assert list(answer["content"]) == [PROBLEM], name
        assert answer["description"], name
    assert answers["Problem429"]["headers"]["Retry-After"]["required"]
    assert answers["Problem401"]["headers"]["WWW-Authenticate"]["required"]


@pytest.mark.parametrize(
    ("where", "statuses"),
    [
        (("post", "/api/token"), {"401", "503"}),
        (("post", "/api/keys"), {"409"}),
        (("post", "/api/feeds"), {"409"}),
        (("post", "/api/watches/replay"), {"422", "503"}),
        (("post", "/api/webhooks/new-book"), {"409", "503"}),
        (("get", "/api/explain"), {"404"}),
        (("post", "/api/watches/bulk/delete"), {"404"}),
        (("post", "/api/watches/bulk/mute"), {"404"}),
        (("post", "/api/watches/bulk/unmute"), {"404"}),
        (("post", "/api/watches/preview"), {"503"}),
        (("post", "/api/watches/{id}/visit"), {"503"}),
        (("get", "/api/admin/books"), {"404"}),
        (("get", "/api/admin/jobs"), {"404"}),
        (("get", "/api/admin/jobs/slots"), {"404"}),
    ],
)
def test_what_only_one_operation_answers_is_described_too(
    operations: Operations, where: tuple[str, str], statuses: set[str]
) -> None:
    assert statuses <= set(operations[where]["responses"])


def test_that_leaving_takes_a_password_is_described(operations: Operations) -> None:
    body = operations["delete", "/api/me"]["requestBody"]
    assert body["required"]
    assert "application/json" in body["content"]
    assert "requestBody" not in operations["delete", "/api/watches/{id}"]


def test_what_is_made_is_not_asked_for(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    assert "id" not in schemas["WatchRequest"]["properties"]
    assert {"id", "choices", "created_at"} <= set(schemas["Watch"]["required"])
    assert schemas["Feed"]["properties"]["rotated_at"]["type"] == ["string", "null"]
    assert schemas["BookRequest"]["additionalProperties"] is False
    assert schemas["WatchRequest"]["properties"]["marketplaces"]["minItems"] == 1


def test_an_empty_text_is_described_in_one_way_only(description: dict[str, Any]) -> None:
    """Of `oneOf` exactly one may fit: a text that any rule lets be empty would fit two."""
    schemas = description["components"]["schemas"]
    name = schemas["FeedRequest"]["properties"]["name"]
    assert (name["type"], name["pattern"]) == ("string", SAYABLE)
    asin, empty = schemas["WatchRequest"]["properties"]["asin"]["oneOf"]
    assert (asin["pattern"], empty) == ("^[A-Z0-9]{10}$", {"type": "string", "maxLength": 0})


def test_a_list_of_objects_says_how_many_there_may_be(description: dict[str, Any]) -> None:
    watches = description["components"]["schemas"]["BulkRequest"]["properties"]["watches"]
    assert (watches["minItems"], watches["maxItems"]) == (1, 200)


def test_what_is_shown_may_be_sent_back_as_it_is(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    watch = client.post("/api/watches", {"kind": "author", "query": "Ada Example"}).json()
    again = client.put(f"/api/watches/{watch['id']}", watch | {"id": str(watch["id"])})
    assert (again.status_code, again.json()) == (200, watch)


@pytest.mark.parametrize(
    "path",
    [
        "/api/upcoming?page_size=&to_date=&author=",
        "/api/audiobooks?release_before=&ordering=&person_id=",
        "/api/deliveries?since=&channel=&state=&cursor=",
        "/api/events?marketplace=&after=",
        "/api/export?format=",
    ],
)
def test_an_empty_parameter_is_as_good_as_none(alice: User, client_of: ClientOf, path: str) -> None:
    answer: Any = client_of(alice).get(path)
    assert answer.status_code == 200, answer.content


def test_only_the_export_has_a_format(anybody: APIClient) -> None:
    assert anybody.get("/api/upcoming?format=xml").status_code == 200


def test_a_channel_is_a_whole_number(alice: User, client_of: ClientOf) -> None:
    answer = client_of(alice).get("/api/deliveries?channel=1.5")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["channel"])


@pytest.mark.parametrize(
    ("path", "name", "most"),
    [("/api/admin/books", "asin", 10), ("/api/audiobooks", "q", 200), ("/api/series", "q", 200)],
)
def test_how_long_a_text_to_look_for_may_be_is_described(
    operations: Operations, path: str, name: str, most: int
) -> None:
    parameters = {each["name"]: each["schema"] for each in operations["get", path]["parameters"]}
    assert parameters[name]["maxLength"] == most
