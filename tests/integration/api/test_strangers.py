"""Row 33: whoever is not the owner finds nothing, and changes nothing.

The routes are those of the URL resolver; each needs a rule here, or the first test fails.
"""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any, Final, Literal

import pytest
from django.apps import apps
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from rest_framework.test import APIClient

from accounts.keys import make_key
from accounts.models import User
from accounts.refreshing import begin_family
from accounts.services import make_feed
from api.rest.owned import Owned
from catalog.lists import make_list, share
from catalog.models import Import, ImportItem, Mark, Watch
from notifications.models import Channel, Route
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
from tests.integration.api.conftest import ClientOf

Rule = Literal[
    "anybody",  # of nobody's own, without a sign-in
    "shared",  # of nobody's own, for whoever is signed in
    "own",  # what is the user's own, as a whole
    "object",  # one row of the user's own
    "secret",  # opened by a secret in the address or the header, whoever has it
    "staff",
]
RULES: Final[dict[str, Rule]] = {
    "": "anybody",
    "graphql": "anybody",  # what of it is whose: GRAPHQL_RULES
    "graphql/schema": "anybody",
    "health": "anybody",  # what is wrong is for staff: tests/integration/api/test_health.py
    "health/live": "anybody",
    "health/ready": "anybody",
    "feeds/upcoming.<format:extension>": "anybody",
    "feeds/authors/<int:pk>.<format:extension>": "anybody",
    "feeds/series/<int:pk>.<format:extension>": "anybody",
    "feeds/private/<str:token>.<format:extension>": "secret",
    "api/docs": "staff",
    "api/redoc": "staff",
    "api/schema": "anybody",
    "api/token": "anybody",
    "api/token/refresh": "anybody",
    "api/token/revoke": "anybody",
    "api/upcoming": "anybody",
    "api/audiobooks": "anybody",
    "api/audiobooks/<int:pk>": "anybody",
    "api/audiobooks/<int:pk>/history": "anybody",
    "api/contributors/<int:pk>": "anybody",
    "api/series": "anybody",
    "api/series/<int:pk>": "anybody",
    "api/works/<int:pk>": "anybody",
    "api/admin/books": "staff",
    "api/admin/books/<int:pk>": "staff",
    "api/admin/books/<int:pk>/hide": "staff",
    "api/admin/books/<int:pk>/split": "staff",
    "api/admin/books/<int:pk>/unhide": "staff",
    "api/admin/jobs": "staff",
    "api/admin/jobs/<int:pk>": "staff",
    "api/admin/jobs/schedule": "staff",
    "api/admin/jobs/schedule/<str:job>/pause": "staff",
    "api/admin/jobs/schedule/<str:job>/resume": "staff",
    "api/admin/jobs/schedule/<str:job>/run": "staff",
    "api/admin/jobs/slots": "staff",
    "api/admin/jobs/slots/<int:pk>/replay": "staff",
    "api/admin/works/<int:pk>": "staff",
    "api/admin/works/<int:pk>/hide": "staff",
    "api/admin/works/<int:pk>/merge": "staff",
    "api/admin/works/<int:pk>/unhide": "staff",
    "api/channels/kinds": "shared",
    "api/channels/preview": "shared",
    "api/contributors": "shared",
    "api/events": "shared",
    "api/channels": "own",
    "api/channels/<int:pk>": "object",
    "api/channels/<int:pk>/enable": "object",
    "api/channels/<int:pk>/replay": "object",
    "api/channels/<int:pk>/rotate-secret": "object",
    "api/channels/<int:pk>/send-confirmation": "object",
    "api/channels/<int:pk>/test": "object",
    "api/deliveries": "own",
    "api/deliveries/replay": "own",
    "api/deliveries/<int:pk>/replay": "object",
    "api/explain": "own",
    "api/export": "own",
    "api/imports": "own",
    "api/imports/<int:pk>": "object",
    "api/imports/<int:pk>/apply": "object",
    "api/imports/<int:pk>/items": "object",
    "api/me": "own",
    "api/feeds": "own",
    "api/feeds/<int:pk>": "object",
    "api/feeds/<int:pk>/rotate": "object",
    "api/keys": "own",
    "api/keys/<int:pk>": "object",
    "api/preferences": "own",
    "api/lists": "own",
    "api/lists/<int:pk>": "object",
    "api/lists/<int:pk>/share": "object",
    "api/lists/shared/<str:token>": "secret",
    "api/lists/shared/<str:token>/copy": "secret",
    "feeds/lists/<str:token>.<format:extension>": "secret",
    "lists/<str:token>": "secret",
    "api/marks": "own",
    "api/marks/<int:pk>": "object",
    "api/watches": "own",
    "api/watches/bulk": "own",
    "api/watches/bulk/delete": "own",
    "api/watches/bulk/mute": "own",
    "api/watches/bulk/unmute": "own",
    "api/watches/preview": "own",
    "api/watches/<int:pk>/visit": "object",
    "api/watches/replay": "own",
    "api/watches/<int:pk>": "object",
    "api/watches/<int:pk>/replay": "object",
    "api/webhooks/new-book": "own",
    "confirm/<str:token>": "secret",
    "unsubscribe/<str:token>": "secret",
    "metrics": "secret",
}
# Every field at the top of GraphQL's schema.
GRAPHQL_RULES: Final[dict[str, Rule]] = {
    "Query.audiobooks": "anybody",
    "Query.upcoming": "anybody",
    "Query.work": "anybody",
    "Query.series": "anybody",
    "Query.contributor": "anybody",
    "Query.watches": "own",
    "Query.channels": "own",
    "Mutation.createWatch": "own",
    "Mutation.changeWatch": "object",
    "Mutation.deleteWatch": "object",
    "Mutation.createChannel": "own",
    "Mutation.changeChannel": "object",
    "Mutation.deleteChannel": "object",
}
METHODS: Final = ("get", "put", "patch", "delete", "post", "head", "options", "trace")
CANARIES: Final = (
    "alice@example.org",
    "Canary Author",
    "canary.example.org",
    "canary key",
    "canary feed",
    "canary list",
)
_OPEN_TO_STRANGERS: Final = {"admin/login/"}


def routes() -> set[str]:
    """Every path under /api."""
    return {path for path in all_routes() if path.startswith("api/")}


def all_routes() -> set[str]:
    """Every path there is."""
    return set(_walk(get_resolver().url_patterns, ""))


def _walk(patterns: list[Any], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            yield path


def rule_of(path: str) -> Rule | None:
    """Under admin/ all is for staff."""
    return "staff" if path.startswith("admin/") else RULES.get(path)


def ruled(*rules: Rule) -> list[str]:
    return sorted(path for path in all_routes() if rule_of(path) in rules)


def everything() -> dict[str, list[Any]]:
    """All rows of all our tables."""
    ours = ("accounts", "catalog", "scraping", "notifications")
    return {
        model.__name__: list(model._default_manager.order_by("pk").values())
        for app in ours
        for model in apps.get_app_config(app).get_models()
    }


@pytest.fixture
def rows(alice: User, now: dt.datetime) -> dict[str, int]:
    """Of each sort one of Alice's, by the first word of its path."""
    watch = make_watch(alice, "Canary Author", now=now)
    channel = make_channel(alice, disabled_at=now, address="canary.example.org")
    Route.objects.create(user=alice, watch=watch, channel=channel)
    audiobook = make_audiobook(now=now, asin="B0STOLEN01")
    delivery = make_delivery(channel, event_of(audiobook), now=now, state="held")
    mark = Mark.objects.create(user=alice, work=audiobook.work, kind=Mark.Kind.NOT_INTERESTED)
    key, _ = make_key(user=alice, name="canary key", scope="write", expires_at=None, now=now)
    begin_family(user=alice, scope="write", now=now)
    feed, _ = make_feed(user_id=alice.pk, watch_id=watch.pk, now=now, name="canary feed")
    of = {"watches": watch, "channels": channel, "marks": mark, "deliveries": delivery, "keys": key}
    imported = Import.objects.create(user=alice, kind="opml", created_at=now)
    ImportItem.objects.create(
        imported=imported, kind="watch", watch_kind="author", title="Canary Author"
    )
    listed = make_list(user=alice, name="canary list", watch_ids=[watch.pk], now=now)
    share(watch_list=listed, now=now)
    others = {"feeds": feed.pk, "imports": imported.pk, "lists": listed.pk}
    others |= {"books": audiobook.pk, "works": audiobook.work_id, "jobs": 1}
    return {name: row.pk for name, row in of.items()} | others


def url_of(path: str, rows: dict[str, int]) -> str:
    """That of Alice's row."""
    return "/" + path.replace("<int:pk>", str(rows.get(path.split("/")[1], 0)))


def bodies(rows: dict[str, int], owner: User) -> list[dict[str, Any]]:
    return [
        {},
        {"kind": "author", "query": "Stolen", "channels": [rows["channels"]]},
        {"kind": "webhook", "name": "Stolen", "config": {"url": "https://thief.example.org/"}},
        {"id": rows["watches"], "user": owner.pk, "user_id": owner.pk},
        {"kind": "have_it", "marketplace": "us", "asin": "B0STOLEN01"},
        {"name": "Stolen", "scope": "read", "user": owner.pk},
        {"watch": rows["watches"]},
        {"ids": [rows["watches"]]},
        {"watches": [{"kind": "author", "query": "Stolen", "channels": [rows["channels"]]}]},
        {"name": "Stolen", "watches": [rows["watches"]], "list": rows["lists"]},
    ]


def assert_no_leak(answer: Any) -> None:
    said = getattr(answer, "content", b"").decode() + str(answer.headers)
    assert not [canary for canary in CANARIES if canary in said]


def test_every_path_has_a_rule() -> None:
    """Proves the guard table: an endpoint that nobody thought about is nobody's."""
    assert {path for path in all_routes() if not path.startswith("admin/")} == RULES.keys()


def test_every_path_of_a_row_is_ruled_as_one_and_finds_it_in_one_place() -> None:
    """Proves the guard Owned: no view looks for a user's rows by itself."""
    of_rows = {RULES[path] for path in routes() if "<" in path}
    assert of_rows == {"object", "anybody", "staff", "secret"}
    for path in ruled("object"):
        assert "<int:pk>" in path
        view: Any = resolve(url_of(path, {})).func
        assert issubclass(view.cls, Owned), path


def test_a_stranger_finds_nothing_of_others_and_changes_nothing(
    alice: User, stranger: User, client_of: ClientOf, rows: dict[str, int]
) -> None:
    """Proves the guard owned, for every route of a row, every method and many bodies."""
    before, client = everything(), client_of(stranger)
    for path in ruled("object"):
        allowed = set()
        for method in METHODS:
            for body in [{}] if method == "trace" else bodies(rows, alice):
                data = {} if method == "trace" else {"data": body}
                answer = getattr(client, method)(url_of(path, rows), **data)
                assert answer.status_code in (404, 405), (method, path)
                assert_no_leak(answer)
                allowed |= {method} if answer.status_code == 404 else set()
        assert allowed, f"{path} was never asked for its row"
    assert everything() == before


def test_a_stranger_sees_nothing_of_others_in_what_is_not_theirs(
    alice: User, stranger: User, client_of: ClientOf, rows: dict[str, int]
) -> None:
    client = client_of(stranger)
    for path in ruled("own", "shared", "anybody"):
        for query in ("", f"?watch={rows['watches']}&channel={rows['channels']}&user={alice.pk}"):
            answer = client.get(f"/{path}{query}")
            assert answer.status_code in (200, 400, 404, 405, 503), (
                path
            )  # 503: no worker, no health
            assert_no_leak(answer)
    for path in ("watches", "channels", "marks", "deliveries", "keys", "lists"):
        assert client.get(f"/api/{path}").json() == {"next": None, "results": []}


def test_whatever_a_stranger_sends_nothing_of_others_changes(
    alice: User, stranger: User, client_of: ClientOf, rows: dict[str, int]
) -> None:
    """What comes of it is the stranger's own: no row of Alice's is another, none is added to hers."""
    before, client = of_user(alice), client_of(stranger)
    for path in ruled("own", "shared"):
        for method in ("post", "put", "patch", "delete"):
            for body in bodies(rows, alice):
                answer = getattr(client, method)(f"/{path}", body)
                assert answer.status_code < 500, (method, path)
                assert_no_leak(answer)
    assert of_user(alice) == before


def of_user(user: User) -> dict[str, list[Any]]:
    mine = {
        name: [row for row in found if row.get("user_id") == user.pk]
        for name, found in everything().items()
    }
    return {name: rows for name, rows in mine.items() if rows}


def test_a_stranger_replays_nothing_of_others(
    stranger: User, client_of: ClientOf, rows: dict[str, int]
) -> None:
    """Proves the guard owner in the bulk replay."""
    before = everything()
    for state in ("held", "failed"):
        body = {"channel": rows["channels"], "state": state}
        answer = client_of(stranger).post("/api/deliveries/replay", body)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["channel"])
    assert everything() == before


def test_nobody_gets_further_than_the_door(anybody: APIClient, rows: dict[str, int]) -> None:
    before = everything()
    for path in ruled("own", "object", "shared"):
        for method in METHODS[:5]:
            answer = getattr(anybody, method)(url_of(path, rows), {})
            assert answer.status_code == 401, (method, path)
    assert everything() == before


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_stranger_finds_no_way_into_the_admin(
    stranger: User, client: Client, rows: dict[str, int], *, signed_in: bool
) -> None:
    before = everything()
    if signed_in:
        client.force_login(stranger)
        before = everything()
    for path in ruled("staff"):
        url = "/" + re.sub(r"<[^>]+>", str(rows["watches"]), path)
        if path in _OPEN_TO_STRANGERS or "(?P" in path or path.startswith("api/admin/"):
            continue
        for method in ("get", "post"):
            answer = getattr(client, method)(url)
            assert answer.status_code in (302, 403, 404), (method, path)
            assert_no_leak(answer)
    assert everything() == before


def test_what_is_for_operators_is_not_there_for_others(
    alice: User, stranger: User, client_of: ClientOf, anybody: APIClient, rows: dict[str, int]
) -> None:
    """Proves the guard OperatorsView, for every route of theirs, every method and many bodies."""
    before = everything()
    for path in (path for path in ruled("staff") if path.startswith("api/admin/")):
        row = str(rows[path.split("/")[2]])
        url = "/" + path.replace("<int:pk>", row).replace("<str:job>", "workers.prune")
        for method in METHODS:
            for body in [{}] if method == "trace" else [*bodies(rows, alice), {"title": "Stolen"}]:
                data = {} if method == "trace" else {"data": body}
                answers = [
                    getattr(each, method)(url, **data) for each in (client_of(stranger), anybody)
                ]
                assert [answer.status_code for answer in answers] == [404, 401], (method, path)
                assert_no_leak(answers[0])
    assert everything() == before


@pytest.mark.parametrize("path", ruled("secret"))
def test_without_the_secret_there_is_nothing(path: str, client: Client, db: None) -> None:
    answer = client.get("/" + path.replace("<str:token>", "guess"))
    assert answer.status_code in (401, 403, 404)


def test_the_stranger_of_these_tests_could_do_it_with_their_own(
    alice: User, client_of: ClientOf, rows: dict[str, int]
) -> None:
    """So that the refusals above are about whose the rows are."""
    client = client_of(alice)
    assert {
        path: client.get(url_of(path, rows)).status_code
        for path in ruled("object")
        if path.count("/") == 2 and not path.startswith("api/deliveries")
    } == {
        f"api/{name}/<int:pk>": 200
        for name in ("channels", "feeds", "imports", "keys", "lists", "marks", "watches")
    }
    assert Watch.objects.of(alice.pk).count() == Channel.objects.filter(user=alice).count() == 1
