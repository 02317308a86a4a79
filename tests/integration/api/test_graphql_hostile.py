"""Whatever is sent to /graphql, there is an answer: never a 500, never what a bug says."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.db import connection
from graphql import GraphQLInputType, get_named_type
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis_graphql import from_schema
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from tests.factories import make_channel
from tests.graphql_schema import SDL, along, inputs, of_field, roots
from tests.hostile import PRIVATE_URLS
from tests.integration.api.conftest import ClientOf

# As JSON: what no Python value can say is among them.
HOSTILE: Final = (
    *("null", "true", "0", "-1", "1.5", "1e999", "-0", str(2**31), str(2**63), "1" + "0" * 4000),
    *("NaN", "Infinity", '""', '" "', r'"\u0000"', r'"a\u0000b"', r'"\ud800"', r'"\udfff\ud800"'),
    *(r'"\u202e"', r'"\ufeff"', '"' + "x" * 100_000 + '"', '"' + "\U0001d518" * 300 + '"'),
    *('"%s"', '"{0.__class__}"', '"\'; DROP TABLE watches; --"', '"${jndi:x}"', '"../../etc"'),
    *('"0001-01-01"', '"9999-12-31"', '"10000-01-01"', '"2027-02-30"', '"-1-01-01"', '"24:00"'),
    *(
        "[]",
        "{}",
        "[null]",
        "[[[[]]]]",
        '{"a": {"b": {}}}',
        '["x", 1, null]',
        "[" * 150 + "]" * 150,
    ),
    *("[" + ", ".join(["1"] * 10_000) + "]", '{"__proto__": 1}', '{"user": 1, "id": 1}'),
)


def ask_raw(client: APIClient, body: Any) -> Any:
    return client.generic("POST", "/graphql", body, content_type="application/json")


def assert_no_bug(answer: Any, what: object) -> None:
    assert answer.status_code < 500, what
    errors = answer.json().get("errors", []) if isinstance(answer.json(), dict) else []
    if isinstance(errors, list):
        assert all(each["extensions"]["status"] < 500 for each in errors), (what, errors)


def places() -> Iterator[tuple[str, str, str | None, Any]]:
    """(field at the top, argument, field of an input, argument's type): everywhere a value can be."""
    for path, field in roots().items():
        for name, argument in field.args.items():
            yield path, name, None, argument.type
            kind = inputs().get(get_named_type(argument.type).name)
            for inner in kind.fields if kind else ():
                yield path, name, inner, argument.type


@pytest.mark.slow
@pytest.mark.parametrize("path", roots())
def test_no_value_breaks_anything_wherever_it_is_put(
    path: str, alice: User, fresh_limits: None
) -> None:
    channel = make_channel(alice)
    client = APIClient()
    client.force_authenticate(alice)
    client.raise_request_exception = False
    for _, name, inner, kind in (each for each in places() if each[0] == path):
        document = document_of(path, {name: kind})
        for value in HOSTILE:
            said = value if inner is None else f'{{"{inner}": {value}}}'
            if inner and "change" not in path:
                said = f'{{"kind": "author", "query": "Ada", "{inner}": {value}}}'
            variables = f'{{"{name}": {said}, "id": {channel.pk}}}'
            body = f'{{"query": {json.dumps(document)}, "variables": {variables}}}'
            assert_no_bug(ask_raw(client, body), (document, variables[:200]))
    assert all(ask_raw(client, json.dumps({"query": "{ __typename }"})).json().values())


def document_of(path: str, given_as: dict[str, GraphQLInputType]) -> str:
    """A field with variables for what it needs and for what is tried out."""
    kind, _, name = path.partition(".")
    field = roots()[path]
    needed = {key: each.type for key, each in field.args.items() if key == "id"} | given_as
    head = ", ".join(f"${key}: {str(each).rstrip('!')}!" for key, each in needed.items())
    said = ", ".join(f"{key}: ${key}" for key in needed)
    further = of_field(field)
    word = kind.lower()
    return f"{word} ({head}) {{ {name}({said}) {along((), further) if further else ''} }}"


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"1", b'"x"', b"[]", b"{}", b"\xff\xfe", b"\xef\xbb\xbf{}", b"{" * 5000),
        *(b'{"query": null}', b'{"query": 1}', b'{"query": ["{ __typename }"]}', b'{"query": {}}'),
        *(b'{"query": "{ __typename }", "variables": []}', b'{"query": "\\ud800"}'),
        *(b'{"query": "{ __typename }", "variables": "x"}', b'{"query": "{ \\u0000 }"}'),
        *(b'{"query": "{ __typename }", "operationName": 1}', b'{"query": "\xc3\x28"}'),
        *(b'{"query": "{ __typename }", "operationName": "Other"}', b'{"query": "\xed\xa0\x80"}'),
        *(b'{"query": "{ work(id: \\"\\ud800\\") { id } }"}', b'{"query": "#"}'),
        *(b'{"query": "{ work(id: \\"\\\\ud800\\") { id } }"}',),
        *(b'{"query": "query ($x: Nothing) { __typename }"}', b'{"query": "{ ...f }"}'),
        *(b'{"query": "query ($x: Work) { __typename }"}', b'{"query": "fragment f on X { y }"}'),
        *(
            b'{"query": "{ work { id } }"}',
            b'{"query": "{ work(id: 1) }"}',
            b'{"query": "{ a.b }"}',
        ),
        *(
            b'{"query": "{ ... on Nothing { x } ...f } fragment f on Int { y }"}',
            b'{"query": "\\t"}',
        ),
    ],
)
def test_what_is_no_question_is_refused(anybody: APIClient, body: bytes) -> None:
    anybody.raise_request_exception = False
    answer = ask_raw(anybody, body)
    assert answer.status_code == 400, answer.content
    assert_no_bug(answer, body)


@pytest.mark.parametrize("extra", ["extensions", "id", "persistedQuery", "__proto__"])
def test_what_else_a_client_sends_is_of_no_interest(anybody: APIClient, extra: str) -> None:
    body = json.dumps({"query": "{ __typename }", extra: {"sha256Hash": "x"}, "variables": None})
    assert ask_raw(anybody, body).json() == {"data": {"__typename": "Query"}}


@hypothesis_settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(document=from_schema(SDL))
def test_whatever_the_schema_allows_is_answered(alice: User, document: str) -> None:
    client = APIClient()
    client.force_authenticate(alice)
    client.raise_request_exception = False
    answer = client.post("/graphql", {"query": document})
    if answer.status_code != 429:
        assert_no_bug(answer, document)


def test_addresses_that_may_not_be_contacted_are_refused_here_too(
    alice: User, client_of: ClientOf, settings: Settings
) -> None:
    settings.OUTBOUND_ALLOW = []
    client = client_of(alice)
    document = "mutation ($c: ChannelInput!) { createChannel(channel: $c) { id } }"
    for url in PRIVATE_URLS[::3]:
        channel = {"kind": "webhook", "config": {"url": url}}
        answer = client.post("/graphql", {"query": document, "variables": {"c": channel}})
        assert "errors" in answer.json(), url
        assert_no_bug(answer, url)


def test_what_breaks_says_nothing_of_itself_and_leaves_nothing(
    alice: User, client_of: ClientOf
) -> None:
    """Proves the guard HIDDEN: PostgreSQL's words name tables, columns and values."""
    channel, client = make_channel(alice), client_of(alice)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE routes RENAME TO lost_routes")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger("api.graphql.errors").addHandler(handler)
    document = "mutation ($w: WatchInput!) { createWatch(watch: $w) { id } }"
    watch = {"kind": "author", "query": "Ada Example", "channels": [channel.pk]}
    answer = client.post("/graphql", {"query": document, "variables": {"w": watch}})
    logging.getLogger("api.graphql.errors").removeHandler(handler)
    (error,) = answer.json()["errors"]
    assert (error["message"], error["extensions"]) == (
        "Something broke here; it has been logged.",
        {"status": 500},
    )
    assert "routes" not in answer.content.decode()
    assert "graphql_broke" in stream.getvalue()
    assert alice.watches.count() == 0
