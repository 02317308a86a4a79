"""Row 33: whoever is not the owner finds nothing, and changes nothing. The list is generated."""

import datetime as dt
from typing import Any

from django.apps import apps
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from accounts.models import User
from catalog.models import Import, ImportItem, Mark, Watch
from notifications.models import Channel, Route
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
from tests.integration.api.conftest import ClientOf

METHODS = ("get", "put", "patch", "delete", "post")
# Of nobody's own, for whoever is signed in.
SHARED = {"api/contributors", "api/events", "api/channels/kinds", "api/channels/preview"}
PUBLIC = {"api/upcoming", "api/token", "api/schema", "api/docs", "api/redoc"}
OWNED = {
    "api/watches",
    "api/watches/<int:pk>",
    "api/channels",
    "api/channels/<int:pk>",
    "api/channels/<int:pk>/enable",
    "api/channels/<int:pk>/replay",
    "api/channels/<int:pk>/rotate-secret",
    "api/channels/<int:pk>/send-confirmation",
    "api/channels/<int:pk>/test",
    "api/marks",
    "api/me",
    "api/marks/<int:pk>",
    "api/deliveries",
    "api/deliveries/<int:pk>/replay",
    "api/deliveries/replay",
    "api/explain",
    "api/export",
    "api/imports",
    "api/imports/<int:pk>",
    "api/imports/<int:pk>/apply",
    "api/imports/<int:pk>/items",
    "api/watches/replay",
    "api/watches/<int:pk>/replay",
    "api/webhooks/new-book",
}


def routes() -> set[str]:
    """Every path under /api."""
    found: set[str] = set()

    def walk(patterns: list[Any], prefix: str) -> None:
        for pattern in patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns, path)
            elif isinstance(pattern, URLPattern):
                found.add(path)

    walk(get_resolver().url_patterns, "")
    return {path for path in found if path.startswith("api/")}


def everything() -> dict[str, list[Any]]:
    """All rows of all our tables."""
    ours = ("accounts", "catalog", "scraping", "notifications")
    return {
        model.__name__: list(model._default_manager.order_by("pk").values())
        for app in ours
        for model in apps.get_app_config(app).get_models()
    }


def bodies(watch: Watch, channel: Channel) -> list[dict[str, Any]]:
    return [
        {},
        {"kind": "author", "query": "Stolen", "channels": [channel.id]},
        {"kind": "webhook", "name": "Stolen", "config": {"url": "https://thief.example.org/"}},
        {"id": watch.id, "user": watch.user_id},
        {"kind": "have_it", "marketplace": "us", "asin": "B0STOLEN01"},
    ]


def test_every_path_has_a_rule() -> None:
    assert routes() == PUBLIC | SHARED | OWNED


def test_a_stranger_finds_nothing_of_others_and_changes_nothing(
    alice: User, stranger: User, client_of: ClientOf, now: dt.datetime
) -> None:
    watch = make_watch(alice, now=now)
    channel = make_channel(alice, disabled_at=now)
    Route.objects.create(user=alice, watch=watch, channel=channel)
    audiobook = make_audiobook(now=now, asin="B0STOLEN01")
    delivery = make_delivery(channel, event_of(audiobook), now=now, state="held")
    mark = Mark.objects.create(user=alice, work=audiobook.work, kind=Mark.Kind.NOT_INTERESTED)
    imported = Import.objects.create(user=alice, kind="opml", created_at=now)
    ImportItem.objects.create(imported=imported, kind="watch", watch_kind="author", title="Ada")
    before, client = everything(), client_of(stranger)
    ids = {
        "imports": imported.id,
        "watches": watch.id,
        "channels": channel.id,
        "marks": mark.id,
        "deliveries": delivery.id,
    }
    for path in sorted(OWNED):
        if "<" not in path:
            continue
        own = path.split("/")[1]
        for method in METHODS:
            for body in bodies(watch, channel):
                answer = getattr(client, method)(
                    f"/{path.replace('<int:pk>', str(ids[own]))}", body
                )
                assert answer.status_code in (404, 405), (method, path)
    assert everything() == before


def test_a_stranger_replays_nothing_of_others(
    alice: User, stranger: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard owner in the bulk replay."""
    channel = make_channel(alice)
    make_delivery(channel, event_of(make_audiobook(now=now)), now=now, state="held")
    before = everything()
    for state in ("held", "failed"):
        body = {"channel": channel.id, "state": state}
        answer = client_of(stranger).post("/api/deliveries/replay", body)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["channel"])
    assert everything() == before


def test_a_stranger_sees_empty_lists(
    alice: User, stranger: User, client_of: ClientOf, now: dt.datetime
) -> None:
    make_watch(alice, now=now)
    audiobook = make_audiobook(now=now)
    make_delivery(make_channel(alice), event_of(audiobook), now=now)
    Mark.objects.create(user=alice, work=audiobook.work, kind=Mark.Kind.HAVE_IT)
    client = client_of(stranger)
    Import.objects.create(user=alice, kind="opml", created_at=now)
    for path in ("watches", "channels", "marks", "deliveries", "imports"):
        assert client.get(f"/api/{path}").json() == {"next": None, "results": []}


def test_nobody_gets_further_than_the_door(
    alice: User, anybody: APIClient, now: dt.datetime
) -> None:
    watch, channel = make_watch(alice, now=now), make_channel(alice)
    mark = Mark.objects.create(
        user=alice, work=make_audiobook(now=now).work, kind=Mark.Kind.HAVE_IT
    )
    before = everything()
    ids = {
        "watches": watch.id,
        "channels": channel.id,
        "marks": mark.id,
        "deliveries": 1,
        "imports": 1,
    }
    for path in sorted(OWNED | SHARED):
        own = path.split("/")[1]
        for method in METHODS:
            url = f"/{path.replace('<int:pk>', str(ids.get(own)))}"
            assert getattr(anybody, method)(url, {}).status_code == 401, (method, path)
    assert everything() == before
