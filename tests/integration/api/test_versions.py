"""ETag and If-Match: of two edits of the same, one wins; nobody undoes what they have not seen."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from accounts.models import User
from catalog.models import Watch
from notifications.models import Channel
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
from tests.integration.api.conftest import ClientOf
from tests.people import make_user


def path_of(kind: str, user: User, now: dt.datetime) -> str:
    row: Any = make_watch(user, now=now) if kind == "watches" else make_channel(user)
    return f"/api/{kind}/{row.pk}"


CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "watches": ({"muted": True}, {"languages": ["any"]}),
    "channels": ({"name": "Evenings"}, {"digest": "daily", "digest_hour": 18}),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_an_edit_of_what_was_changed_meanwhile_does_not_happen(
    kind: str, alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard check_tag."""
    client, path = client_of(alice), path_of(kind, alice, now)
    first, second = CHANGES[kind]
    seen = client.get(path)["ETag"]
    assert seen.startswith('"')
    changed = client.patch(path, first, headers={"If-Match": seen})
    assert changed.status_code == 200
    for method in (client.patch, client.put, client.delete):
        refused = method(path, second, headers={"If-Match": seen})
        assert (refused.status_code, refused["Content-Type"]) == (412, "application/problem+json")
        assert refused.json()["detail"].startswith("This was changed since you read it")
    assert client.get(path).json() == changed.json()
    assert client.get(path)["ETag"] == changed["ETag"] != seen
    again = client.patch(path, second, headers={"If-Match": changed["ETag"]})
    assert again.status_code == 200
    assert client.delete(path, headers={"If-Match": again["ETag"]}).status_code == 204


@pytest.mark.parametrize("kind", CHANGES)
def test_without_if_match_the_last_one_wins(
    kind: str, alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    client, path = client_of(alice), path_of(kind, alice, now)
    assert [client.patch(path, each).status_code for each in CHANGES[kind]] == [200, 200]


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_that_saw_the_same_one_wins(kind: str, client_of: ClientOf) -> None:
    """Proves the guard lock: each compares what the one before has left."""
    user = make_user("alice")
    path = path_of(kind, user, dt.datetime.now(dt.UTC))
    client = client_of(user)
    seen = client.get(path)["ETag"]
    field = "query" if kind == "watches" else "name"

    def edit(number: int) -> int:
        try:
            answer = client.patch(path, {field: f"Edit {number}"}, headers={"If-Match": seen})
            return int(answer.status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as crowd:
        with transaction.atomic():
            model: Any = Watch if kind == "watches" else Channel
            model.objects.select_for_update().get()  # so that all of them are there
            edits = [crowd.submit(edit, number) for number in range(8)]
        statuses = sorted(each.result(20) for each in edits)
    assert statuses == [200] + [412] * 7


def test_a_tag_changes_with_all_that_its_owner_may_change(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    client, path = client_of(alice), path_of("watches", alice, now)
    channel = make_channel(alice)
    tags = {client.get(path)["ETag"]}
    changes: list[dict[str, Any]] = [
        *({"muted": True}, {"languages": ["any"]}, {"channels": [channel.pk]}, {"channels": []}),
        *({"remind_days": [1]}, {"snoozed_until": "2027-01-01T00:00:00Z"}, {"query": "Ben Sample"}),
    ]
    for change in changes:
        before = client.get(path).json()
        client.patch(path, change)
        assert client.get(path).json() != before
        tags.add(client.get(path)["ETag"])
    assert len(tags) == len(changes)  # the two of channels undo each other
    assert client.patch(path, {}, headers={"If-Match": client.get(path)["ETag"]}).status_code == 200


def test_what_others_do_changes_no_tag(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    """Proves the guard untagged: an edit would be refused for news that came meanwhile."""
    client = client_of(alice)
    watch, channel = make_watch(alice, now=now), make_channel(alice, disabled_at=now)
    paths = [f"/api/watches/{watch.pk}", f"/api/channels/{channel.pk}"]
    before = [client.get(path) for path in paths]
    audiobook = make_audiobook(now=now)
    make_delivery(channel, event_of(audiobook), now=now, state="held")
    Watch.objects.update(edited_at=None)
    after = [client.get(path) for path in paths]
    assert after[1].json() != before[1].json()
    assert [answer["ETag"] for answer in after] == [answer["ETag"] for answer in before]


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("*", 200),
        ('"x", {tag}', 200),
        ("W/{tag}", 200),  # what a proxy that packs answers makes of it
        ('"x"', 412),
        ("", 412),
        ("nonsense", 412),
        ('"', 412),
    ],
)
def test_what_if_match_may_say(
    value: str, status: int, alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    client, path = client_of(alice), path_of("watches", alice, now)
    asked = value.format(tag=client.get(path)["ETag"])
    assert client.patch(path, {"muted": True}, headers={"If-Match": asked}).status_code == status


def test_a_new_secret_is_in_no_tag(alice: User, client_of: ClientOf) -> None:
    """The tag of the answer that shows it is that of every answer after."""
    client = client_of(alice)
    config = {"url": "https://hooks.example.org/x"}
    made = client.post("/api/channels", {"kind": "webhook", "config": config})
    path = f"/api/channels/{made.json()['id']}"
    assert made["ETag"] == client.get(path)["ETag"]


def test_the_description_names_the_headers(client: Client, db: None) -> None:
    accept = {"Accept": "application/vnd.oai.openapi+json"}
    paths = client.get("/api/schema", headers=accept).json()["paths"]

    def headers(path: str, method: str) -> set[str]:
        parameters = paths[path][method].get("parameters", [])
        return {each["name"] for each in parameters if each["in"] == "header"}

    assert headers("/api/watches", "post") == {"Idempotency-Key"}
    assert headers("/api/token", "post") == set()
    assert headers("/api/watches/{id}", "patch") == {"If-Match"}
    assert headers("/api/watches/{id}", "get") == headers("/api/watches", "get") == set()
    assert headers("/api/watches/{id}/replay", "post") == {"Idempotency-Key"}
    shown = paths["/api/watches/{id}"]["get"]["responses"]["200"]["headers"]
    assert list(shown) == ["ETag"]
