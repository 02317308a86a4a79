"""Row 44: no secret of a channel or of the settings is anywhere but where it has to be.

One crew of real workers sends over every kind of channel to receivers that take it, that quote all
they got in their refusal, that say nothing, and that are gone. Then everything that is written or
shown is searched.
"""

import base64
import importlib
import io
import json
import logging
import os
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
import redis
from django.conf import settings as django_settings
from django.contrib import admin
from django.test import Client as Browser
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.keys import make_key
from accounts.models import ApiKey, FeedToken, User
from accounts.refreshing import begin_family
from accounts.services import make_feed
from api.auth import issue_token
from catalog.listing import SeriesPlace
from catalog.lists import make_list, share
from catalog.models import (
    Audiobook,
    Contributor,
    Import,
    ImportItem,
    Mark,
    Series,
    Watch,
    WatchList,
    Work,
)
from notifications.channels import registry
from notifications.channels.base import Channel, Envelope, Outcome
from notifications.models import Attempt
from notifications.models import Channel as ChannelRow
from stalkerr import clock
from stalkerr.embedded.binaries import wheel_binaries
from stalkerr.logging import _formatter
from stalkerr.outbound import Client
from tests.contract.channels import Harness
from tests.e2e.crew import crew, database_url
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
from tests.graphql_schema import CORE, plain
from tests.people import PASSWORD
from tests.promises import tell_all
from tests.sinks import FOREVER, HttpSink, MailSink, Reply, Request, wait_until
from workers.ledger import history

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS"),
]

KINDS: Final = sorted(registry.CHANNELS)
MAIL_PASSWORD: Final = "canary/of the:mail@server"
SETTINGS: Final = ("SECRET_KEY", "JWT_KEY", "METRICS_TOKEN", "FLOWER_PASSWORD")
ROWS: Final[dict[str, type[Any]]] = {
    "channels": ChannelRow,
    "watches": Watch,
    "marks": Mark,
    "feeds": FeedToken,
    "keys": ApiKey,
    "imports": Import,
    "lists": WatchList,
}
CATALOGUE: Final[dict[str, type[Any]]] = {
    "audiobooks": Audiobook,
    "works": Work,
    "books": Audiobook,
    "series": Series,
    "contributors": Contributor,
}
USUAL: Final = {"host", "user-agent", "accept", "accept-encoding", "content-length", "content-type"}
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{11,}={0,2}")


def test_no_secret_is_written_or_shown_anywhere(
    transactional_db: None, fresh_limits: None, alice: User, staff: User, tmp_path: Path
) -> None:
    """Proves the guards together: what is sealed, what is left out, what is starred out."""
    with receivers() as bases, broker_traffic() as traffic:
        made = [register(alice, kind, base) for kind in KINDS for base in bases.values()]
        shown_once = make_news(alice)
        send_for_real(tmp_path)
    secrets = {**secrets_of_settings(), **{k: v for _, found in made for k, v in found.items()}}
    secrets |= shown_once
    assert len(secrets) > len(KINDS)
    places = {
        "answers to creations and refusals": "\n".join(answer for answer, _ in made),
        "logs": "".join(path.read_text() for path in tmp_path.rglob("*.log")),
        "broker": "\n".join(traffic),
        "dump": dump(),
        "admin": pages_of_the_admin(staff),
        "API": answers_of_the_api(alice),
    }
    for place, sign in SIGNS.items():
        assert sign in places[place], f"{place}: nothing was searched"
    found = {place: hits(secrets, text) for place, text in places.items()}
    assert found == {place: [] for place in places}


# What is in each place, whatever else: a search of nothing finds nothing.
SIGNS: Final = {
    "answers to creations and refusals": "There is no such setting.",
    "logs": "ambiguous",
    "broker": "notifications.tell",
    "dump": "alice@example.org",
    "admin": "alice@example.org",
    "API": "The Book",
}


def test_a_secret_that_a_channel_makes_is_shown_once(
    transactional_db: None, fresh_limits: None, alice: User
) -> None:
    make_news(alice)
    client = signed_in(alice)
    asked = {"kind": "webhook", "config": {"url": "https://hooks.example.org/"}}
    created = client.post("/api/channels", asked)
    secret = created.json()["config"]["secret"]
    assert created["Cache-Control"] == "no-store"
    assert hits({"made": secret}, created.content.decode()) == ["made"]
    assert hits({"made": secret}, answers_of_the_api(alice) + dump()) == []


@pytest.mark.parametrize("as_json", [True, False])
def test_an_error_of_ours_is_logged_without_its_words(
    as_json: bool, transactional_db: None, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard `story`: a module may raise with all that it knows in its words."""

    class Careless(type(registry.get("webhook"))):  # type: ignore[misc]
        kind = "careless"

        async def send(
            self, envelope: Envelope, config: Any, client: Client, now: object
        ) -> Outcome:
            try:
                raise KeyError(config.secret)
            except KeyError as error:
                raise RuntimeError(f"could not sign with {config}") from error

    channel: Channel[Any] = Careless()
    monkeypatch.setitem(registry.CHANNELS, "careless", channel)
    row = make_channel(alice, kind="careless")
    make_delivery(row, event_of(make_audiobook(now=clock.now())), now=clock.now())
    with logged(as_json=as_json) as log:
        tell_all("careless")
    assert "send_failed" in log.getvalue()
    assert "RuntimeError" in log.getvalue()
    assert "KeyError" in log.getvalue()
    assert "could not sign with" in log.getvalue(), "the line of the code is there"
    assert hits({"config": row.config["secret"]}, log.getvalue() + dump()) == []


@pytest.mark.parametrize("secret", ["canary/of the:mail@server", "t0ken-of_the-hook", 'a"b\\cdef'])
@pytest.mark.parametrize(
    "write",
    [
        str,
        quote,
        json.dumps,
        lambda secret: quote(secret, safe=""),
        lambda secret: base64.b64encode(secret.encode()).decode(),
        lambda secret: base64.b64encode(f"stalkerr:{secret}".encode()).decode(),
        lambda secret: base64.b64encode(json.dumps([secret] * 3).encode()).decode(),
        lambda secret: base64.urlsafe_b64encode(f"xx{secret}yy".encode()).decode().rstrip("="),
    ],
)
def test_a_secret_is_found_however_it_is_written(secret: str, write: Callable[[str], str]) -> None:
    assert hits({"it": secret, "other": "something-else"}, f"a line: {write(secret)}.") == ["it"]


# -- what is sent -------------------------------------------------------------------------------


@contextmanager
def receivers() -> Iterator[dict[str, str]]:
    """Addresses of receivers, by how they behave."""

    def quoting(request: Request) -> Reply:
        ours = {name: text for name, text in request.headers.items() if name not in USUAL}
        return Reply(400, body=f"{request.path} {json.dumps(ours)} {request.body!r}".encode())

    ways: dict[str, Reply | Callable[[Request], Reply]] = {
        "taking": Reply(),
        "quoting": quoting,
        "silent": Reply(delay=FOREVER),
        "gone": Reply(410),
    }
    with ExitStack() as stack:
        yield {name: stack.enter_context(HttpSink(way)).url for name, way in ways.items()}


def register(user: User, kind: str, base: str) -> tuple[str, dict[str, str]]:
    """Make a channel over the API; what was answered, and the secrets that it must not hold."""
    harness: Harness = importlib.import_module(f"tests.contract.test_{kind}").HARNESS
    config = harness.config(base)
    given = {"kind": kind, "config": config}
    wrong = {"kind": kind, "config": {**config, "surplus": "x"}}
    client = signed_in(user)
    answers = [client.post("/api/channels", each) for each in (given, wrong)]
    assert [answer.status_code for answer in answers] == [201, 400], answers[0].content
    secrets = {
        f"{kind}.{name}": config[name].removeprefix(base)
        for name in registry.get(kind).secret_fields
    }
    assert all(len(secret) >= 8 for secret in secrets.values()), "too short to be searched for"
    return "\n".join(answer.content.decode() for answer in answers), secrets


def make_news(user: User) -> dict[str, str]:
    """News, and what else can be read; secrets of a feed, a key and a sign-in."""
    now = clock.now()
    make_watch(user, now=now)
    book = make_audiobook(now=now, series=[SeriesPlace("B0SERIES01", "The Series", "1")])
    Mark.objects.create(user=user, work=book.work, kind=Mark.Kind.HAVE_IT)
    make_audiobook(now=now)
    imported = Import.objects.create(user=user, kind="opml", created_at=now)
    ImportItem.objects.create(imported=imported, kind="watch", watch_kind="author", title="Ada")
    _, feed = make_feed(user_id=user.pk, watch_id=None, now=now)
    _, key = make_key(user=user, name="program", scope="read", expires_at=None, now=now)
    watch_list = make_list(user=user, name="Mine", watch_ids=[], now=now)
    return {
        "feed": feed,
        "list": share(watch_list=watch_list, now=now),
        "key": key.split("_", 2)[2],  # what comes before is how its owner recognises it
        "refresh": begin_family(user=user, scope="read", now=now).token,
    }


def send_for_real(logs: Path) -> None:
    """Let real workers send until every channel has been tried that needs no word of its owner."""
    ready = [kind for kind in KINDS if not registry.get(kind).confirmed_by_link]
    channels = ChannelRow.objects.filter(kind__in=ready).count()
    with MailSink(password=MAIL_PASSWORD) as mailbox:
        chatty: Any = {"LOG_LEVEL": "DEBUG", "LOG_FORMAT": "json", "OUTBOUND_TIMEOUT": "1"}
        with crew(logs, workers=1, SMTP_URL=mailbox.url, RETRY_BASE="0.5", **chatty):
            wait_until(
                lambda: Attempt.objects.values("message__channel").distinct().count() >= channels,
                within=60,
            )


@contextmanager
def broker_traffic() -> Iterator[list[str]]:
    """All that is said to the broker meanwhile: tasks and events of workers, as they are sent."""
    heard: list[str] = []
    broker: Any = redis.Redis.from_url(os.environ["BROKER_URL"], socket_timeout=None)
    with broker.monitor() as monitor:

        def listen() -> None:
            for command in monitor.listen():
                heard.append(command["command"])
                if "the drill is over" in command["command"]:
                    return

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            yield heard
        finally:
            broker.echo("the drill is over")
            listener.join(30)


@contextmanager
def logged(*, as_json: bool) -> Iterator[io.StringIO]:
    """What is logged meanwhile, as production or a terminal has it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(json=as_json))
    logging.getLogger().addHandler(handler)
    try:
        yield stream
    finally:
        logging.getLogger().removeHandler(handler)


# -- where it is searched for -------------------------------------------------------------------


def secrets_of_settings() -> dict[str, str]:
    keys = {name: getattr(django_settings, name) for name in SETTINGS}
    keys |= {f"CHANNEL_KEYS[{n}]": key for n, key in enumerate(django_settings.CHANNEL_KEYS)}
    return {**keys, "SMTP_URL": MAIL_PASSWORD, "alice's password": PASSWORD}


def dump() -> str:
    """The whole database, as text."""
    folder = wheel_binaries().postgres
    command = [str(folder / "pg_dump"), "--inserts", "--dbname", database_url()]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603


def pages_of_the_admin(staff: User) -> str:
    """Every list, and the page of every row."""
    browser, pages = Browser(), []
    browser.force_login(staff)
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        pages.append(reverse(f"{name}_changelist"))
        pages += [reverse(f"{name}_change", args=[row.pk]) for row in model._default_manager.all()]
    answers = [browser.get(page) for page in pages]
    assert {answer.status_code for answer in answers} == {200}
    return "\n".join(answer.content.decode() for answer in answers)


def answers_of_the_api(user: User) -> str:
    """Every path that can be read, with all that its owner has; operators' paths as one of them."""
    client = signed_in(user)
    operator = signed_in(User.objects.filter(is_staff=True).first() or make_operator())
    paths = client.get("/api/schema", HTTP_ACCEPT="application/vnd.oai.openapi+json").json()[
        "paths"
    ]
    urls = [
        url
        for path, operations in paths.items()
        if "get" in operations
        for url in _filled(path, user)
    ]
    book = Audiobook.objects.order_by("id").first()
    assert book
    asked = [f"/api/explain?audiobook={book.pk}", "/api/contributors?name=Ada Example"]
    answers = [
        (operator if "/admin/" in url else client).get(url)
        for url in [*urls, *asked, "/", "/health", "/feeds/upcoming.rss"]
    ]
    refused = [answer.request["PATH_INFO"] for answer in answers if answer.status_code >= 400]
    # Those that want a query are asked with one as well.
    assert Counter(refused) - Counter(["/health", "/api/contributors", "/api/explain"]) == Counter()
    answers.append(client.post("/graphql", {"query": _everything_of_ones_own()}))
    return "\n".join(_text_of(answer) for answer in answers)


def make_operator() -> User:
    return User.objects.create_superuser("operator@example.org", PASSWORD)


def _everything_of_ones_own() -> str:
    """A question for all that GraphQL shows of watches and channels."""
    kinds: Any = CORE.type_map
    fields = {name: " ".join(plain(kinds[name])) for name in ("Watch", "Channel")}
    channels = f"channels {{ {fields['Channel']} }}"
    watches = f"watches {{ results {{ {fields['Watch']} {channels} }} }}"
    return f"{{ {watches} channels {{ results {{ {fields['Channel']} }} }} }}"


def _text_of(answer: Any) -> str:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return str(body.decode())


def _filled(path: str, user: User) -> list[str]:
    if "{" not in path:
        return [path]
    if "{token}" in path:
        return []  # opened by a secret: it is not of who asks
    if "/jobs/" in path:
        return [path.replace("{id}", str(row["id"])) for row in history.runs(limit=5)]
    name = path.removeprefix("/api/").removeprefix("admin/").split("/")[0]
    rows = (
        CATALOGUE[name].objects.all() if name in CATALOGUE else ROWS[name].objects.filter(user=user)
    )
    ids = rows.values_list("id", flat=True)
    assert ids, f"nothing of {path} was searched"
    return [re.sub(r"{\w+}", str(row), path) for row in ids]


def signed_in(user: User) -> APIClient:
    client = APIClient()
    scope = "admin" if user.is_staff else "write"
    token = issue_token(user=user, now=clock.now(), scope=scope)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def hits(secrets: Mapping[str, str], text: str) -> list[str]:
    """The names of the secrets that `text` holds, plain, escaped or within base64."""
    inside = [_decoded(found[0]) for found in _BASE64.finditer(text)]
    everything = "\n".join([text, *inside])
    return [name for name, secret in secrets.items() if _is_in(secret, everything)]


def _is_in(secret: str, text: str) -> bool:
    spellings = {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1]}
    return any(spelling in text for spelling in spellings)


def _decoded(text: str) -> str:
    """What is in some base64; nothing legible where it is none."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    return base64.b64decode(plain + "=" * (-len(plain) % 4)).decode(errors="replace")
