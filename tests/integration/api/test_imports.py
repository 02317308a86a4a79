"""A file becomes a preview, and what is chosen of it watches and marks: once, whoever dies."""

import datetime as dt
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from catalog import importing
from catalog.imports.reading import read
from catalog.models import Import, Mark, Watch
from catalog.resolving import SEVERAL, UNKNOWN
from catalog.watching import save_watch
from notifications.models import Delivery
from notifications.services import cancel_unwanted, fan_out_due
from stalkerr import clock
from tests.factories import event_of, make_audiobook, make_channel, make_watch
from tests.integration.api.conftest import ClientOf
from workers.tasks.imports import apply_import

HEADER = "Title,Author,ISBN13,Exclusive Shelf\n"
FILE = (
    HEADER
    + '"Glass Tide (Tides, #3)",Ada Lund,"=""9780439785969""",read\n'
    + "Salt Road,Ada Lund,,to-read\n"
    + "Soil Mechanics,Cy Dee,,read\n"
    + "Anonymous Verses,,,to-read\n"
)


def bring(client: APIClient, text: str = FILE) -> Any:
    answer = client.post("/api/imports", text.encode(), content_type="text/csv")
    assert answer.status_code == 201, answer.json()
    return answer.json()


def apply(client: APIClient, pk: int, **body: Any) -> Any:
    answer = client.post(f"/api/imports/{pk}/apply", body)
    assert answer.status_code == 202, answer.json()
    while importing.apply_some(now=clock.now()):
        pass
    return client.get(f"/api/imports/{pk}").json()


def watches_of(user: User) -> list[tuple[str, str]]:
    return sorted(Watch.objects.of(user.pk).values_list("kind", "query"))


def test_a_file_is_previewed_and_makes_nothing(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    audiobook = make_audiobook(now=now, title="Glass Tide", authors=["Ada Lund"])
    make_watch(alice, "cy dee", now=now)
    shown = bring(client_of(alice))
    assert {name: shown[name] for name in ("kind", "state", "watches", "marks", "known")} == {
        **{"kind": "goodreads", "state": "preview"},
        **{"watches": 2, "marks": 1, "known": 1},
    }
    preview = shown["preview"]
    assert [(each["watch_kind"], each["title"], each["titles"]) for each in preview["watch"]] == [
        ("author", "Ada Lund", 2),
        ("series", "Tides", 1),
    ]
    assert [(each["title"], each["audiobook"]) for each in preview["mark"]] == [
        ("Glass Tide", audiobook.pk)
    ]
    assert [(each["title"], each["reason"]) for each in preview["unresolved"]] == [
        ("Soil Mechanics", UNKNOWN),
        ("Anonymous Verses", "It names neither an author nor a series."),
    ]
    assert watches_of(alice) == [("author", "cy dee")]
    assert not Mark.objects.exists()


def test_all_of_it_is_made(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    audiobook = make_audiobook(now=now, title="Glass Tide", authors=["Ada Lund"])
    client = client_of(alice)
    shown = apply(client, bring(client)["id"], marketplaces=["de", "us", "de"])
    assert (shown["state"], shown["chosen"], shown["done"]) == ("done", 4, 4)
    assert watches_of(alice) == [
        ("author", "Ada Lund"),
        ("author", "Cy Dee"),
        ("series", "Tides"),
    ]
    watch = Watch.objects.of(alice.pk).get(query="Ada Lund")
    assert (watch.marketplaces, watch.queries.count()) == (["de", "us"], 2)
    mark = Mark.objects.get(user=alice)
    assert (mark.work_id, mark.kind) == (audiobook.work_id, Mark.Kind.HAVE_IT)


def test_only_what_is_chosen_is_made_and_more_may_be_chosen_later(
    alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    shown = bring(client)
    ids = {each["title"]: each["id"] for each in shown["preview"]["watch"]}
    after = apply(client, shown["id"], items=[ids["Tides"]])
    assert watches_of(alice) == [("series", "Tides")]
    assert (after["chosen"], after["done"]) == (1, 1)
    apply(client, shown["id"], items=[ids["Tides"], ids["Cy Dee"]])
    assert watches_of(alice) == [("author", "Cy Dee"), ("series", "Tides")]


def test_nothing_is_made_twice(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    """Proves the guards done_at and watched: asked again, brought again, and had already."""
    make_audiobook(now=now, title="Glass Tide", authors=["Ada Lund"])
    client = client_of(alice)
    first, second = bring(client), bring(client)
    for pk in (first["id"], first["id"], second["id"]):
        apply(client, pk)
    assert len(watches_of(alice)) == 3
    assert Mark.objects.count() == 1
    assert bring(client)["known"] == 3


def test_who_dies_half_way_loses_nothing(
    alice: User, client_of: ClientOf, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard done_at: the next worker goes on where the last one was."""
    monkeypatch.setattr(importing, "WATCHES_AT_ONCE", 2)
    client = client_of(alice)
    authors = "".join(f"A Title,Author {number},,to-read\n" for number in range(5))
    shown = bring(client, HEADER + authors)
    client.post(f"/api/imports/{shown['id']}/apply", {})
    assert importing.apply_some(now=now) == 2
    assert client.get(f"/api/imports/{shown['id']}").json()["done"] == 2

    class LostError(Exception):
        pass

    saved: list[int] = []

    def save_one(**arguments: Any) -> Watch:
        if saved:
            raise LostError
        saved.append(1)
        return save_watch(**arguments)

    monkeypatch.setattr(importing, "save_watch", save_one)
    with pytest.raises(LostError):
        importing.apply_some(now=now)
    monkeypatch.setattr(importing, "save_watch", save_watch)
    apply_import()
    assert [query for _, query in watches_of(alice)] == [f"Author {n}" for n in range(5)]
    assert client.get(f"/api/imports/{shown['id']}").json()["state"] == "done"


def test_a_lost_hint_costs_only_time(alice: User, client_of: ClientOf, now: dt.datetime) -> None:
    """The tick's job finds the row: nothing but the row says that there is something to do."""
    client = client_of(alice)
    pk = bring(client)["id"]
    client.post(f"/api/imports/{pk}/apply", {})
    assert watches_of(alice) == []
    apply_import()
    assert len(watches_of(alice)) == 3


def test_what_is_marked_is_not_told_any_more(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard edited_at of a mark: what was promised before is taken back."""
    make_channel(alice)
    make_watch(alice, "Ada Lund", now=now)
    audiobook = make_audiobook(
        now=now + dt.timedelta(seconds=1), title="Glass Tide", authors=["Ada Lund"]
    )
    assert event_of(audiobook)
    assert fan_out_due(now=now, limit=10, chunk=100)
    assert Delivery.objects.get().state == Delivery.State.PENDING
    client = client_of(alice)
    apply(client, bring(client)["id"])
    while cancel_unwanted(now=now):
        pass
    assert Delivery.objects.get().state == Delivery.State.CANCELLED


def test_what_a_user_said_of_a_work_stays(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    audiobook = make_audiobook(now=now, title="Glass Tide", authors=["Ada Lund"])
    Mark.objects.create(user=alice, work=audiobook.work, kind=Mark.Kind.NOT_INTERESTED)
    client = client_of(alice)
    apply(client, bring(client)["id"])
    assert Mark.objects.get().kind == Mark.Kind.NOT_INTERESTED


def test_a_title_is_known_by_asin_by_isbn_and_by_author_and_whole_title(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    by_asin = make_audiobook(now=now, asin="B000TIDE01", title="Another Name", authors=["Bo Ek"])
    by_isbn = make_audiobook(now=now, title="Third Name", authors=["Bo Ek"], isbn="9780439785969")
    by_title = make_audiobook(now=now, title="Salt Road", authors=["Ada Lund"])
    volume = make_audiobook(now=now, title="Soil Mechanics 2", authors=["Ada Lund"])
    assert any(key.startswith("isbn:") for key in by_isbn.work_keys)
    assert volume.work_keys
    text = (
        "Title,Authors,ISBN/UID,Read Status\n"
        "Glass Tide,Ada Lund,B000TIDE01,read\n"
        "Fourth Name,Ada Lund,9780439785969,read\n"
        "SALT ROAD,Ada Lúnd,,read\n"
        "Soil Mechanics,Ada Lund,,read\n"
    )
    preview = bring(client_of(alice), text)["preview"]
    assert [each["audiobook"] for each in preview["mark"]] == [
        by_asin.pk,
        by_isbn.pk,
        by_title.pk,
    ]
    assert [each["title"] for each in preview["unresolved"]] == ["Soil Mechanics"]


def test_when_in_doubt_nothing_is_marked(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard one work: two books of one author and title are not told apart by a file."""
    for runtime in (300, 900):
        make_audiobook(now=now, title="Glass Tide", authors=["Ada Lund"], runtime_minutes=runtime)
    preview = bring(client_of(alice))["preview"]
    assert preview["mark"] == []
    assert preview["unresolved"][0]["reason"] == SEVERAL


def test_our_own_exports_come_back(
    alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    make_watch(alice, "Tides", now=now, kind="series", asin="B0000TIDES")
    make_watch(alice, '"sea salt"', now=now, kind="keyword")
    make_watch(alice, 'Tom & "Ann" <x>', now=now)
    for form in ("json", "opml"):
        exported: Any = client_of(alice).get(f"/api/export?format={form}")
        text = b"".join(exported.streaming_content).decode()
        Watch.objects.filter(user=bob).delete()
        client = client_of(bob)
        apply(client, bring(client, text)["id"])
        assert watches_of(bob) == watches_of(alice)
        assert Watch.objects.get(user=bob, kind="series").asin == "B0000TIDES"


def test_a_form_may_bring_the_file(alice: User, client_of: ClientOf) -> None:
    file = SimpleUploadedFile("library.csv", FILE.encode())
    answer = client_of(alice).post("/api/imports", {"file": file}, format="multipart")
    assert (answer.status_code, answer.json()["watches"]) == (201, 3)
    empty = client_of(alice).post("/api/imports", {"other": "x"}, format="multipart")
    assert (empty.status_code, list(empty.json()["errors"])) == (400, ["file"])


def test_a_body_of_json_is_a_file_too(alice: User, client_of: ClientOf) -> None:
    body = {"audiobooks": {"author": {"Ada Lund": [{"title": "x", "series": "Tides"}]}}}
    shown = bring(client_of(alice), json.dumps(body))
    assert (shown["kind"], shown["watches"]) == ("ancestor", 2)


@override_settings(IMPORT_MAX_BYTES=1000)
def test_too_large_a_file_is_refused(alice: User, client_of: ClientOf) -> None:
    """Proves the guards of size: what is said of it, and what there is."""
    client, data = client_of(alice), b"x" * 1001
    raw = client.post("/api/imports", data, content_type="text/csv")
    assert (raw.status_code, "1000 bytes" in raw.json()["detail"]) == (413, True)
    file = SimpleUploadedFile("library.csv", data)
    form = client.post("/api/imports", {"file": file}, format="multipart")
    assert (form.status_code, "1000 bytes" in str(form.json())) == (400, True)
    huge = client.post("/api/imports", b"x" * 20_000, content_type="text/csv")
    assert huge.status_code == 413
    assert not Import.objects.exists()


def test_what_can_not_be_read_is_said_in_a_sentence(alice: User, client_of: ClientOf) -> None:
    answer = client_of(alice).post("/api/imports", b"\0\0", content_type="text/csv")
    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        {"file": ["This file holds NUL characters: it is no text."]},
    )


def test_files_are_counted(alice: User, client_of: ClientOf) -> None:
    """Proves the guard IMPORTS."""
    client = client_of(alice)
    statuses = [
        client.post("/api/imports", b"x", content_type="text/csv").status_code for _ in range(31)
    ]
    assert statuses == [400] * 30 + [429]


def test_a_preview_and_its_pages_cost_the_same_whatever_is_in_it(
    alice: User, client_of: ClientOf, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(alice)
    for count in (3, 300):
        authors = "".join(f"T,Author {count} {number},,to-read\n" for number in range(count))
        shown = bring(client, HEADER + authors)
        assert (shown["watches"], len(shown["preview"]["watch"])) == (count, min(count, 100))
        with django_assert_num_queries(6):  # who asks, when; the import, items of three kinds
            client.get(f"/api/imports/{shown['id']}")
        with django_assert_num_queries(4):
            client.get(f"/api/imports/{shown['id']}/items")
    page = client.get(f"/api/imports/{shown['id']}/items?page_size=200").json()
    assert len(page["results"]) == 200
    assert len(client.get(page["next"]).json()["results"]) == 100


def test_others_items_are_chosen_in_vain(
    alice: User, bob: User, client_of: ClientOf, now: dt.datetime
) -> None:
    """Proves the guard owner of items: ids in the body are looked for in one's own import only."""
    theirs = bring(client_of(bob))
    mine = bring(client_of(alice))
    apply(client_of(alice), mine["id"], items=[each["id"] for each in theirs["preview"]["watch"]])
    assert watches_of(alice) == watches_of(bob) == []
    assert Import.objects.get(id=theirs["id"]).items.filter(is_chosen=True).count() == 0


def test_old_imports_are_forgotten_and_what_they_made_stays(
    alice: User, client_of: ClientOf, now: dt.datetime
) -> None:
    client = client_of(alice)
    apply(client, bring(client)["id"])
    bring(client)
    waiting = importing.prepare(user=alice, reading=read(FILE.encode(), limit=9999), now=now)
    importing.begin(imported=waiting, chosen=[], marketplaces=["us"])
    importing.drop_old(before=now + dt.timedelta(hours=1))
    assert [each.pk for each in Import.objects.all()] == [waiting.pk]
    assert len(watches_of(alice)) == 3
