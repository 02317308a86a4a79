"""Watches and channels over GraphQL: the rules are REST's, and so are the refusals."""

import datetime as dt
import json
from typing import Any

import pytest
from django.test import Client
from rest_framework import serializers
from rest_framework.test import APIClient

from accounts.keys import make_key
from accounts.models import User
from api.auth import issue_token
from api.rest.channel_fields import ChannelSerializer
from api.rest.watches import WatchSerializer
from catalog.models import Watch
from notifications.models import Channel, Route
from stalkerr import clock
from tests.factories import make_channel, make_watch
from tests.graphql_asking import ask, problems
from tests.graphql_schema import CORE, inputs
from tests.integration.api.conftest import ClientOf
from tests.integration.api.test_strangers import everything

CREATE_WATCH = "mutation ($w: WatchInput!) { createWatch(watch: $w) { id kind query marketplaces muted snoozedUntil channels { id } } }"
CHANGE_WATCH = "mutation ($id: ID!, $w: WatchInput!) { changeWatch(id: $id, watch: $w) { id query muted remindDays } }"
DELETE_WATCH = "mutation ($id: ID!) { deleteWatch(id: $id) }"
CREATE_CHANNEL = "mutation ($c: ChannelInput!) { createChannel(channel: $c) { id kind name config digest digestHour quietFrom quietUntil unconfirmedSince } }"
CHANGE_CHANNEL = "mutation ($id: ID!, $c: ChannelInput!) { changeChannel(id: $id, channel: $c) { id name config digest } }"
DELETE_CHANNEL = "mutation ($id: ID!) { deleteChannel(id: $id) }"
HOOK = {"kind": "webhook", "name": "Mine", "config": {"url": "https://hooks.example.org/x"}}


@pytest.fixture
def client(alice: User, client_of: ClientOf) -> APIClient:
    return client_of(alice)


# -- what is done -------------------------------------------------------------------------------


def test_a_mutation_that_comes_again_is_done_once(client: APIClient, alice: User) -> None:
    """Proves the guard Once of GraphQLView."""
    body = {"query": CREATE_WATCH, "variables": {"w": {"kind": "author", "query": "Ada Example"}}}
    said = [
        client.post("/graphql", body, headers={"Idempotency-Key": "one"}).content for _ in range(2)
    ]
    assert said[0] == said[1]
    assert Watch.objects.of(alice.pk).count() == 1


def test_a_watch_is_made_changed_and_ended(client: APIClient, alice: User) -> None:
    channel = make_channel(alice)
    given = {
        "kind": "author",
        "query": "  Ada   Example ",
        "marketplaces": ["us", "de", "us"],
        "snoozedUntil": "2027-01-01T00:00:00Z",
        "channels": [channel.pk],
    }
    made = ask(client, CREATE_WATCH, w=given)["createWatch"]
    assert made == {
        "id": made["id"],
        "kind": "author",
        "query": "Ada Example",
        "marketplaces": ["us", "de"],
        "muted": False,
        "snoozedUntil": "2027-01-01T00:00:00Z",
        "channels": [{"id": str(channel.pk)}],
    }
    changed = ask(client, CHANGE_WATCH, id=made["id"], w={"muted": True, "remindDays": [0, 7, 7]})
    assert changed["changeWatch"] == {
        "id": made["id"],
        "query": "Ada Example",
        "muted": True,
        "remindDays": [7, 0],
    }
    assert client.get(f"/api/watches/{made['id']}").json()["muted"] is True
    assert Route.objects.filter(watch=made["id"]).count() == 1
    assert ask(client, DELETE_WATCH, id=made["id"]) == {"deleteWatch": made["id"]}
    assert not Watch.objects.of(alice.pk).exists()


def test_a_channel_is_made_changed_and_removed(client: APIClient, alice: User) -> None:
    given = HOOK | {"digest": "daily", "digestHour": 7, "quietFrom": "22:00", "quietUntil": "06:30"}
    made = ask(client, CREATE_CHANNEL, c=given)["createChannel"]
    secret = made["config"]["secret"]
    assert secret.startswith("whsec_")
    assert made | {"config": None} == {
        "id": made["id"],
        "kind": "webhook",
        "name": "Mine",
        "config": None,
        "digest": "daily",
        "digestHour": 7,
        "quietFrom": "22:00",
        "quietUntil": "06:30",
        "unconfirmedSince": None,
    }
    changed = ask(client, CHANGE_CHANNEL, id=made["id"], c={"name": "Ours"})["changeChannel"]
    assert (changed["name"], changed["digest"]) == ("Ours", "daily")
    for answer in (changed, ask(client, "{ channels { results { config configError } } }")):
        assert secret not in json.dumps(answer)
    assert ask(client, DELETE_CHANNEL, id=made["id"]) == {"deleteChannel": made["id"]}
    assert not Channel.objects.filter(user=alice).exists()


def test_one_that_is_refused_leaves_the_others_alone(client: APIClient) -> None:
    """Several mutations of one request are done one after the other, each for itself."""
    document = (
        'mutation { a: createWatch(watch: {kind: "author", query: "Ada"}) { query } '
        'b: createWatch(watch: {kind: "asin", query: "?"}) { query } '
        'c: createWatch(watch: {kind: "author", query: "Bea"}) { query } }'
    )
    answer = client.post("/graphql", {"query": document}).json()
    assert {name: row and row["query"] for name, row in answer["data"].items()} == {
        "a": "Ada",
        "b": None,
        "c": "Bea",
    }
    assert [error["path"] for error in answer["errors"]] == [["b"]]
    assert list(Watch.objects.order_by("id").values_list("query", flat=True)) == ["Ada", "Bea"]


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"kind": "author"},
        {"kind": "nothing", "query": "x"},
        {"kind": "asin", "query": "short"},
        {"kind": "author", "query": "x" * 10_000},
        {"kind": "author", "query": "nul \0"},
        {"kind": "author", "query": None},
        {"kind": "author", "query": "Ada", "marketplaces": []},
        {"kind": "author", "query": "Ada", "marketplaces": ["xx"]},
        {"kind": "author", "query": "Ada", "remind_days": [-1]},
        {"kind": "author", "query": "Ada", "event_kinds": ["reminder"]},
        {"kind": "author", "query": "Ada", "channels": [2**62, "9" * 400]},
        {"kind": "author", "query": "Ada", "snoozed_until": "9999-12-31T23:59:59-23:59"},
        {"kind": "author", "query": "Ada", "snoozed_until": "soon"},
        {"kind": "author", "query": "Ada", "aliases": ["B00ADAONE1"] * 1000},
    ],
)
def test_a_watch_is_refused_as_by_rest(client: APIClient, given: dict[str, Any]) -> None:
    theirs = client.post("/api/watches", given)
    assert theirs.status_code == 400
    (error,) = problems(client, CREATE_WATCH, w={camel(name): each for name, each in given.items()})
    mine = error["extensions"]
    assert (mine["status"], error["message"]) == (400, theirs.json()["detail"])
    assert list(mine["errors"].values()) == list(theirs.json()["errors"].values())
    assert not Watch.objects.exists()


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.title() for each in others)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"kind": "nothing", "config": {}},
        HOOK | {"config": {"url": "file:///etc/passwd"}},
        HOOK | {"config": {"url": "http://169.254.169.254/latest"}},
        HOOK | {"config": {"url": "https://hooks.example.org/", "surplus": "x"}},
        HOOK | {"config": ["url"]},
        HOOK | {"config": {"url": {"deep": [[[[]]]]}}},
        HOOK | {"config": {"url": "https://hooks.example.org/\0"}},
        HOOK | {"digest": "hourly"},
        HOOK | {"digest_hour": 7},
        HOOK | {"quiet_from": "25:00"},
        HOOK | {"headline_template": "{nothing}"},
    ],
)
def test_a_channel_is_refused_as_by_rest(client: APIClient, given: dict[str, Any]) -> None:
    theirs = client.post("/api/channels", given)
    assert theirs.status_code == 400
    (error,) = problems(
        client, CREATE_CHANNEL, c={camel(name): each for name, each in given.items()}
    )
    assert error["message"] == theirs.json()["detail"]
    assert list(error["extensions"]["errors"].values()) == list(theirs.json()["errors"].values())
    assert not Channel.objects.exists()


def test_links_are_counted_as_by_rest(client: APIClient, alice: User) -> None:
    """Proves that nobody's mailbox is filled this way instead."""
    given = {"kind": "email", "config": {"address": "somebody@example.org"}}
    for _ in range(5):
        made = ask(client, CREATE_CHANNEL, c=given)["createChannel"]
        assert made["unconfirmedSince"] is not None
    (error,) = problems(client, CREATE_CHANNEL, c=given)
    assert error["extensions"]["status"] == 429
    assert 0 < error["extensions"]["retryAfter"] <= 24 * 3600
    assert client.post("/api/channels", given).status_code == 429
    assert Channel.objects.count() == 5


def test_a_channel_keeps_its_kind(client: APIClient, alice: User) -> None:
    channel = make_channel(alice)
    (error,) = problems(client, CHANGE_CHANNEL, id=channel.pk, c={"kind": "email"})
    assert list(error["extensions"]["errors"]) == ["kind"]


# -- whose word counts --------------------------------------------------------------------------


def mutations(watch: int, channel: int) -> list[str]:
    """One of each."""
    rows = {"Watch": (watch, '{kind: "author", query: "Bea"}'), "Channel": (channel, '{name: "x"}')}
    assert CORE.mutation_type
    found = []
    for name, field in CORE.mutation_type.fields.items():
        row, given = next(each for kind, each in rows.items() if name.endswith(kind))
        values = {"id": row, "watch": given, "channel": given}
        said = ", ".join(f"{key}: {values[key]}" for key in field.args)
        found.append(
            f"mutation {{ {name}({said}) {'' if name.startswith('delete') else '{ id }'} }}"
        )
    return found


def test_who_may_only_read_changes_nothing(alice: User, now: dt.datetime) -> None:
    """Proves the guard _allow, for tokens and keys, and for nobody."""
    watch, channel = make_watch(alice, now=now), make_channel(alice)
    _, key = make_key(user=alice, name="k", scope="read", expires_at=None, now=now)
    token = issue_token(user=alice, now=clock.now(), scope="read")
    before = without_use(everything())
    for secret, status in ((key, 403), (token, 403), ("", 401)):
        client = APIClient()
        if secret:
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
            assert ask(client, "{ watches { results { id } } }")["watches"]["results"]
        for document in mutations(watch.pk, channel.pk):
            answer = client.post("/graphql", {"query": document})
            said = answer.status_code, answer["Content-Type"]
            assert said == (status, "application/problem+json"), document
    assert without_use(everything()) == before


def without_use(rows: dict[str, Any]) -> dict[str, Any]:
    """A key remembers that it was used."""
    return {name: each for name, each in rows.items() if name != "ApiKey"}


def test_each_of_them_would_have_changed_something(
    alice: User, client: APIClient, now: dt.datetime
) -> None:
    watch, channel = make_watch(alice, now=now), make_channel(alice)
    for document in mutations(watch.pk, channel.pk):
        answer = client.post("/graphql", {"query": document}).json()
        if "createChannel" in document:
            assert answer["errors"][0]["extensions"]["errors"].keys() == {"kind", "config"}
        else:
            assert "errors" not in answer, document


def test_a_key_that_may_write_does(alice: User, now: dt.datetime) -> None:
    _, key = make_key(user=alice, name="k", scope="write", expires_at=None, now=now)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    assert ask(client, CREATE_WATCH, w={"kind": "author", "query": "Ada"})["createWatch"]["id"]


def test_a_bad_token_is_refused_even_for_what_anybody_may_read(anybody: APIClient) -> None:
    anybody.credentials(HTTP_AUTHORIZATION="Bearer made-up")
    assert anybody.post("/graphql", {"query": "{ __typename }"}).status_code == 401


def test_a_session_needs_its_csrf_token_for_whatever_it_asks(alice: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    body = {"query": CREATE_WATCH, "variables": {"w": {"kind": "author", "query": "Ada"}}}
    for each in (body, {"query": "{ watches { next } }"}):
        refused = browser.post("/graphql", each, content_type="application/json")
        assert (refused.status_code, "CSRF" in refused.json()["detail"]) == (403, True)
    assert not Watch.objects.exists()
    browser.get("/admin/login/")
    token = browser.cookies["csrftoken"].value
    answer = browser.post(
        "/graphql", body, content_type="application/json", headers={"X-CSRFToken": token}
    )
    assert answer.json()["data"]["createWatch"]["query"] == "Ada"


# -- row 34: what nobody may say of a row -------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "serializer"), [("WatchInput", WatchSerializer), ("ChannelInput", ChannelSerializer)]
)
def test_what_can_be_given_is_what_rest_takes(
    name: str, serializer: type[serializers.Serializer[Any]]
) -> None:
    """And what is shown is what it shows: a field of one is never missing in the other."""
    fields: dict[str, Any] = dict(serializer().fields)
    taken = {camel(each) for each, field in fields.items() if not field.read_only}
    assert inputs()[name].fields.keys() == taken
    shown: Any = CORE.type_map[name.removesuffix("Input")]
    assert shown.fields.keys() == {camel(each) for each in fields}


@pytest.mark.parametrize(
    "surplus",
    [
        *(
            "id",
            "user",
            "userId",
            "user_id",
            "owner",
            "isStaff",
            "is_staff",
            "endedAt",
            "createdAt",
        ),
        *("nextAttemptAt", "next_attempt_at", "secret", "sealed", "destination", "disabledAt"),
        *("unconfirmedSince", "unconfirmed_since", "requiredKeys", "held", "timing", "__class__"),
    ],
)
def test_nothing_else_can_be_said_of_a_row(
    alice: User, bob: User, client: APIClient, now: dt.datetime, surplus: str
) -> None:
    watch, channel = make_watch(alice, now=now), make_channel(alice)
    before = everything()
    for document, name, row in (
        (CHANGE_WATCH, "w", watch.pk),
        (CHANGE_CHANNEL, "c", channel.pk),
        (CREATE_WATCH, "w", None),
        (CREATE_CHANNEL, "c", None),
    ):
        variables: Any = {name: {surplus: bob.pk}} | ({"id": row} if row else {})
        answer = client.post("/graphql", {"query": document, "variables": variables})
        assert answer.status_code == 400
        assert "not to include unknown field" in answer.json()["errors"][0]["message"]
    assert everything() == before
