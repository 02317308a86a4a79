"""Row 33 over GraphQL: whoever is not the owner finds nothing, and changes nothing.

What there is comes from the schema; each field at its top needs a rule in GRAPHQL_RULES.
"""

import base64
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from catalog.models import Watch
from notifications.models import Channel
from tests.graphql_schema import along, arguments, inputs, of_field, roots, ways
from tests.integration.api.conftest import ClientOf
from tests.integration.api.test_strangers import (
    GRAPHQL_RULES,
    assert_no_leak,
    everything,
    of_user,
    rows,
)

__all__ = ["rows"]


def ruled(rule: str) -> list[str]:
    return [path for path, each in GRAPHQL_RULES.items() if each == rule]


def row_of(path: str, rows: dict[str, int]) -> int:
    """That of Alice's which a field is about."""
    return rows["watches" if path.endswith("Watch") else "channels"]


def spellings(row: int, kind: str) -> list[Any]:
    """An id in every form in which one might be taken."""
    relay = base64.b64encode(f"{kind}:{row}".encode()).decode()
    return [
        *(row, str(row), f"0{row}", f" {row}", f"{row}.0", f"+{row}", f"{row} OR 1=1", f"{row}\0"),
        *(-row, relay, str(uuid.UUID(int=row)), f"gid://stalkerr/{kind}/{row}", f"{row:x}"),
        *("".join(chr(0xFF10 + int(digit)) for digit in str(row)), 2**63 + row, 2**64 + row),
    ]


def given(rows: dict[str, int], owner: User) -> dict[str, list[dict[str, Any]]]:
    """What a stranger might say, by the argument that takes it."""
    return {
        "watch": [
            {},
            {"muted": True},
            {"kind": "author", "query": "Stolen"},
            {"kind": "author", "query": "Stolen", "channels": [rows["channels"]]},
        ],
        "channel": [
            {},
            {"name": "Stolen"},
            {"kind": "webhook", "config": {"url": "https://thief.example.org/"}},
            {"config": {"url": "https://thief.example.org/"}},
            {"digest": "daily"},
        ],
    }


def calls(path: str, rows: dict[str, int], owner: User) -> Iterator[dict[str, Any]]:
    """A mutation with all that might be said to it."""
    name = path.partition(".")[2]
    field = roots()[path]
    kinds = {key: argument.type for key, argument in field.args.items()}
    head = ", ".join(f"${key}: {kind}" for key, kind in kinds.items())
    body = ", ".join(f"{key}: ${key}" for key in kinds)
    further = of_field(field)
    document = f"mutation ({head}) {{ {name}({body}) {along((), further) if further else ''} }}"
    ids = spellings(row_of(path, rows), name) if "id" in kinds else [None]
    said: list[dict[str, Any]] = next(
        (given(rows, owner)[key] for key in kinds if key != "id"), [{}]
    )
    for row in ids:
        for each in said:
            values = {"id": row} | dict.fromkeys(kinds.keys() - {"id"}, each)
            yield {"query": document, "variables": {key: values[key] for key in kinds}}


def test_every_field_at_the_top_has_a_rule() -> None:
    """Proves the guard table: what nobody thought about is nobody's."""
    assert roots().keys() == GRAPHQL_RULES.keys()


def test_no_row_is_named_anywhere_else() -> None:
    """Ids are given at the top, or to filters of the catalogue, which is everybody's."""
    named = {(kind, field) for kind, field, argument in arguments() if argument.name == "ID"}
    assert {f"{kind}.{field}" for kind, field in named} == {
        path for path, field in roots().items() if "id" in field.args
    }
    assert {path for path in ruled("object") if "id" not in roots()[path].args} == set()
    within = {
        (name, field)
        for name, kind in inputs().items()
        for field, each in kind.fields.items()
        if "ID" in str(each.type)
    }
    assert within == {
        ("AudiobookWhere", "personId"),
        ("AudiobookWhere", "seriesId"),
        ("WatchInput", "channels"),
    }


@pytest.mark.parametrize("path", ruled("object"))
def test_a_stranger_finds_nothing_of_others_and_changes_nothing(
    path: str, alice: User, stranger: User, client_of: ClientOf, rows: dict[str, int]
) -> None:
    """Proves the guard owned, for every mutation of a row, every spelling of its id and many bodies."""
    before, client = everything(), client_of(stranger)
    for call in calls(path, rows, alice):
        answer = client.post("/graphql", call)
        (error,) = answer.json()["errors"]
        assert error["extensions"]["status"] in (400, 404), call
        assert not (answer.json().get("data") or {}).get(path.partition(".")[2])
        if call["variables"]["id"] == row_of(path, rows):
            assert error["extensions"]["status"] == 404, call
        assert_no_leak(answer)
    assert everything() == before


def test_whatever_a_stranger_makes_is_the_strangers_own(
    alice: User, stranger: User, client_of: ClientOf, rows: dict[str, int]
) -> None:
    before, client = of_user(alice), client_of(stranger)
    for path in GRAPHQL_RULES:
        if path.startswith("Mutation.") and path in ruled("own"):
            for call in calls(path, rows, alice):
                assert_no_leak(client.post("/graphql", call))
    assert of_user(alice) == before
    assert Watch.objects.filter(user=stranger).exists()
    assert Channel.objects.filter(user=stranger).exists()


def test_a_stranger_gives_no_watch_the_channel_of_another(
    stranger: User, client_of: ClientOf, rows: dict[str, int]
) -> None:
    before = everything()
    for channel in spellings(rows["channels"], "Channel"):
        body = {"kind": "author", "query": "Stolen", "channels": [channel]}
        document = "mutation ($w: WatchInput!) { createWatch(watch: $w) { id } }"
        answer = client_of(stranger).post("/graphql", {"query": document, "variables": {"w": body}})
        assert "errors" in answer.json(), channel
        assert_no_leak(answer)
    assert everything() == before


def test_a_stranger_sees_nothing_of_others_on_any_way(
    stranger: User, client_of: ClientOf, rows: dict[str, int], fresh_limits: None
) -> None:
    """Over every way through the schema; Alice's names are on none that a stranger can go."""
    client, asked = APIClient(), 0
    client.force_authenticate(stranger)
    for path, field in roots().items():
        kind, name = path.split(".")
        start = of_field(field)
        if kind != "Query" or start is None:
            continue
        call = f'{name}(id: "1")' if "id" in field.args else f"{name}(pageSize: 3)"
        for way in ways(start):
            answer = client.post("/graphql", {"query": f"{{ {call} {along(way, start)} }}"})
            assert answer.status_code == 200, answer.content
            assert_no_leak(answer)
            asked += 1
    assert asked > 100
    for name in ("watches", "channels"):
        answer = client.post("/graphql", {"query": f"{{ {name} {{ next results {{ id }} }} }}"})
        assert answer.json()["data"] == {name: {"next": None, "results": []}}


def test_nobody_gets_further_than_the_door(
    alice: User, anybody: APIClient, rows: dict[str, int]
) -> None:
    before = everything()
    for path in [*ruled("own"), *ruled("object")]:
        if path.startswith("Mutation."):
            answer = anybody.post("/graphql", next(calls(path, rows, alice)))
            assert answer.status_code == 401
        else:
            name = path.partition(".")[2]
            answer = anybody.post("/graphql", {"query": f"{{ {name} {{ results {{ id }} }} }}"})
            assert answer.json()["data"] == {name: None}
        assert_no_leak(answer)
    assert everything() == before


def test_the_owner_could_do_it(alice: User, client_of: ClientOf, rows: dict[str, int]) -> None:
    """So that the refusals above are about whose the rows are."""
    client, before = client_of(alice), everything()
    for path in ruled("object"):
        row = row_of(path, rows)
        call = next(each for each in calls(path, rows, alice) if each["variables"]["id"] == row)
        for name in call["variables"].keys() - {"id"}:
            call["variables"][name] = {"muted": True} if name == "watch" else {"name": "Hers"}
        assert "errors" not in client.post("/graphql", call).json(), path
    after = everything()
    assert [before[name] == after[name] for name in ("Watch", "Channel")] == [False, False]
