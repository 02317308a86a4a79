"""All that is kept of a user leaves in one answer: theirs, without secrets, inert."""

import asyncio
import csv
import datetime as dt
import io
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from django.http import StreamingHttpResponse
from django.test import AsyncRequestFactory
from lxml import etree
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.keys import make_key
from accounts.models import Notice, Preferences, User
from accounts.services import make_feed
from api.export import parts
from api.export.shapes import NAMESPACE, cell
from api.streaming import streamed
from catalog.lists import make_list
from catalog.models import Mark
from notifications.models import Channel, Posting, Route, Told
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
from tests.integration.api.conftest import ClientOf

SECRET = "whsec_" + "A" * 32


def everything_of(user: User, now: dt.datetime, title: str = "Glass Tide") -> Channel:
    """A row of every part."""
    watch = make_watch(user, "Ada Example", now=now)
    channel = make_channel(user, name=f"{user.email}'s hook")
    Route.objects.create(user=user, watch=watch, channel=channel)
    audiobook = make_audiobook(now=now, title=title)
    event = event_of(audiobook)
    make_delivery(channel, event, now=now)
    Mark.objects.create(user=user, work=audiobook.work, kind=Mark.Kind.HAVE_IT)
    Told.objects.create(
        work=audiobook.work, channel=channel, kind=event.kind, event=event, told_at=now
    )
    Notice.objects.create(
        user=user, dedupe_key=user.email, subject="A word", text=user.email, created_at=now
    )
    make_key(user=user, name="program", scope="read", expires_at=None, now=now)
    make_feed(user_id=user.pk, watch_id=watch.pk, now=now)
    Preferences.objects.create(user=user)
    make_list(user=user, name="Mine", watch_ids=[watch.pk], now=now)
    Posting.objects.create(user=user, book={"title": f"For {user.email}"}, created_at=now)
    return channel


def body_of(client: APIClient, name: str) -> bytes:
    answer: Any = client.get(f"/api/export?format={name}")
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def table_of(client: APIClient) -> list[dict[str, str]]:
    text = body_of(client, "csv").decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_a_user_takes_all_of_theirs(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    channel = everything_of(alice, now)
    answer: Any = client_of(alice).get("/api/export")
    assert answer["Content-Disposition"].startswith('attachment; filename="stalkerr-')
    assert answer["Cache-Control"] == "no-store"
    export = orjson.loads(b"".join(answer.streaming_content))
    assert export["profile"]["email"] == "alice@example.org"
    (watch,) = export["watches"]
    assert (watch["query"], watch["channels"]) == ("Ada Example", [channel.pk])
    (shown,) = export["channels"]
    assert shown["config"]["url"] == "https://hooks.example.org/hook"
    (delivery,) = export["deliveries"]
    assert (delivery["title"], delivery["state"]) == ("Glass Tide", "pending")
    for part in parts.PARTS[1:]:
        (row,) = export[part.name]
        assert set(row) == set(part.columns), part.name


def test_two_users_export_and_neither_sees_the_other(
    alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard owner of every part: each has a row of both."""
    everything_of(alice, now, "Glass Tide")
    everything_of(bob, now, "Salt Road")
    for name in ("json", "csv"):
        body = body_of(client_of(alice), name).decode()
        assert "alice@example.org" in body
        assert "bob@example.org" not in body
        assert "Salt Road" not in body
    export = orjson.loads(body_of(client_of(alice), "json"))
    assert {name: len(export[name]) for name in export if isinstance(export[name], list)} == {
        part.name: 1 for part in parts.PARTS[1:]
    }


def test_no_secret_leaves(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    """Proves the guard shown_config."""
    everything_of(alice, now)
    for name in ("json", "csv", "opml"):
        body = body_of(client_of(alice), name).decode()
        assert SECRET not in body
        assert alice.password not in body


def test_settings_that_can_not_be_read_stop_nothing(alice: User, client_of: ClientOf) -> None:
    channel = make_channel(alice)
    Channel.objects.filter(id=channel.pk).update(sealed_config="written under a lost key")
    (shown,) = orjson.loads(body_of(client_of(alice), "json"))["channels"]
    assert shown["config"] is None


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "\uff1d1"])
def test_a_text_is_no_formula(text: str) -> None:
    """Proves the guard cell()."""
    assert cell(text) == f"'{text}"
    assert cell([text]) == f"'{text}"


def test_numbers_and_other_texts_are_as_they_are() -> None:
    assert [cell(value) for value in (-12, 1.5, "1-2", "a=b", None, True, ["us", "uk"])] == [
        *(-12, 1.5, "1-2", "a=b", None, "yes", "us; uk")
    ]
    assert cell({"title": "é"}) == '{"title": "é"}'


def test_a_spreadsheet_runs_nothing_of_what_a_store_or_a_user_wrote(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    title = '=HYPERLINK("https://thief.example.org","Glass, Tide")'
    everything_of(alice, now, title)
    make_watch(alice, "@ada lund", now=now)
    rows = table_of(client_of(alice))
    assert {row["part"] for row in rows} == {part.name for part in parts.PARTS}
    cells = [text for row in rows for text in row.values()]
    assert f"'{title}" in cells
    assert "'@ada lund" in cells
    assert not [text for text in cells if (text and text[0] in "=+@\t\r") or text[:1] == "-"]


def test_watches_are_an_outline(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    make_watch(alice, 'Tom & "Ann" <x>', now=now, marketplaces=["us", "de"])
    make_watch(alice, "Tides", now=now, kind="series", asin="B0000TIDES")
    root = etree.fromstring(body_of(client_of(alice), "opml"))
    outlines = root.findall("body/outline")
    assert [(each.get("text"), each.get("category")) for each in outlines] == [
        ('Tom & "Ann" <x>', "/author"),
        ("Tides", "/series"),
    ]
    assert outlines[0].get(f"{{{NAMESPACE}}}marketplaces") == "us de"
    assert outlines[1].get(f"{{{NAMESPACE}}}asin") == "B0000TIDES"


def test_who_has_nothing_gets_an_export_too(bob: User, client_of: ClientOf) -> None:
    export = orjson.loads(body_of(client_of(bob), "json"))
    assert export["watches"] == []
    assert [row["part"] for row in table_of(client_of(bob))] == ["profile"]
    assert etree.fromstring(body_of(client_of(bob), "opml")).findall("body/outline") == []


def test_an_unknown_form_is_refused(alice: User, client_of: ClientOf) -> None:
    answer = client_of(alice).get("/api/export?format=xlsx")
    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        {"format": ["This is one of json, csv, opml."]},
    )


def test_it_takes_a_statement_a_page_not_a_row(
    alice: User,
    client_of: ClientOf,
    now: dt.datetime,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    """Proves that the export is made of pages: as many statements for 7 watches as for 3."""
    monkeypatch.setattr(parts, "PAGE", 10)
    client = client_of(alice)
    for count in (3, 4):
        for number in range(count):
            make_watch(alice, f"Author {count} {number}", now=now)
        with django_assert_num_queries(
            3 + len(parts.PARTS)
        ):  # who asks, when (twice), and a page each
            body_of(client, "json")


def test_pages_follow_one_another(
    alice: User, client_of: ClientOf, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PAGE", 2)
    queries = [make_watch(alice, f"Author {number}", now=now).query for number in range(5)]
    export = orjson.loads(body_of(client_of(alice), "json"))
    assert [watch["query"] for watch in export["watches"]] == queries


def test_under_asgi_each_piece_leaves_before_the_next_is_made() -> None:
    """Proves the guard of ASGI in streamed(): Django would make all of it first."""
    made: list[bytes] = []

    def pieces() -> Any:
        for piece in (b"1", b"", b"2"):
            made.append(piece)
            yield piece

    answer = streamed(
        AsyncRequestFactory().get("/"), pieces(), content_type="text/plain", filename="x"
    )

    async def first_and_rest() -> tuple[bytes, list[bytes], bytes]:
        content: AsyncIterator[bytes] = aiter(answer)
        first = await anext(content)
        then = list(made)
        return first, then, b"".join([piece async for piece in content])

    assert isinstance(answer, StreamingHttpResponse)
    assert answer.is_async
    assert asyncio.run(first_and_rest()) == (b"1", [b"1"], b"2")
