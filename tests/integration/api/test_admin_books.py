"""/api/admin/books and /api/admin/works: what staff put right stays right, and is written down."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.keys import make_key
from accounts.models import User
from catalog.listing import SeriesPlace
from catalog.models import Audiobook, ReleaseEvent, Work
from catalog.services import publish_events
from notifications import services
from notifications.models import Delivery, Message, Told
from tests import promises
from tests.factories import make_audiobook, make_channel, make_watch
from tests.integration.api.conftest import ClientOf
from tests.integration.api.test_strangers import everything

BOOKS = "/api/admin/books"
TIDE: dict[str, Any] = {"title": "Glass Tide", "runtime_minutes": 600}


def correct(operator: APIClient, book: Audiobook, **facts: Any) -> Any:
    answer = operator.patch(f"{BOOKS}/{book.pk}", facts)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def act(operator: APIClient, path: str, **body: Any) -> Any:
    answer = operator.post(f"/api/admin/{path}", body)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def seen_again(now: dt.datetime, book: Audiobook, **facts: Any) -> Audiobook:
    """Shown by its store once more, a minute later."""
    facts |= {"marketplace": book.marketplace, "asin": book.asin}
    return make_audiobook(now=now + dt.timedelta(minutes=1), **facts)


def logged() -> list[tuple[str, str, str]]:
    """(Who, of what, what), the oldest first."""
    return [
        (entry.user.email, str(entry.content_type.model), entry.change_message)
        for entry in LogEntry.objects.order_by("id")
        if entry.content_type
    ]


def fan_out(now: dt.datetime) -> None:
    promises.fan_out(now)
    services.fan_out_again(now=now, limit=100)


def send_all(now: dt.datetime) -> None:
    """What is promised goes out."""
    for delivery in Delivery.objects.filter(state=Delivery.State.PENDING):
        message = Message.objects.create(
            wire_id=uuid.uuid4(),
            channel=delivery.channel,
            channel_kind=delivery.channel_kind,
            destination=delivery.channel.destination,
            state="sent",
            finalized_at=now,
            created_at=now,
        )
        Delivery.objects.filter(id=delivery.id).update(state="composed", message=message)


@contextmanager
def unwritable_log() -> Iterator[None]:
    """Nobody can write down who did what."""

    def fail(execute: Any, statement: str, *others: Any) -> Any:
        if statement.startswith('INSERT INTO "django_admin_log"'):
            raise ZeroDivisionError
        return execute(statement, *others)

    with connection.execute_wrapper(fail):
        yield


def promised(user: User) -> list[tuple[str, str]]:
    mine = Delivery.objects.filter(user=user, state=Delivery.State.PENDING).order_by("event_id")
    return list(mine.values_list("event__audiobook__asin", "event__kind"))


# --- who


def test_it_takes_the_scope_admin(staff: User, client_of: ClientOf, now: dt.datetime) -> None:
    """Proves the guard ForOperators: staff's own key for lesser things opens nothing here."""
    book = make_audiobook(now=now)
    assert client_of(staff).get(BOOKS).status_code == 403
    for scope, status in (("read", 403), ("write", 403), ("admin", 200)):
        _, key = make_key(user=staff, name=scope, scope=scope, expires_at=None, now=now)
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
        assert client.get(f"{BOOKS}/{book.pk}").status_code == status
        assert client.patch(f"{BOOKS}/{book.pk}", {"title": scope}).status_code == status


def test_who_is_not_staff_any_more_finds_nothing(
    staff: User, operator: APIClient, now: dt.datetime
) -> None:
    make_audiobook(now=now)
    User.objects.filter(pk=staff.pk).update(is_staff=False)
    assert operator.get(BOOKS).status_code == 404


# --- list


def test_staff_look_for_books(operator: APIClient, now: dt.datetime) -> None:
    tide = make_audiobook(now=now, **TIDE)
    sand = make_audiobook(now=now, title="Sand", marketplace="uk")
    act(operator, f"books/{sand.pk}/hide")
    correct(operator, tide, publisher="Harbour")
    for query, found in (
        ("", [sand, tide]),
        ("?q=glass", [tide]),
        ("?marketplace=uk", [sand]),
        (f"?asin={tide.asin}", [tide]),
        (f"?work_id={sand.work_id}", [sand]),
        ("?hidden=true", [sand]),
        ("?hidden=false", [tide]),
        ("?corrected=true", [tide]),
        ("?corrected=false", [sand]),
    ):
        rows = operator.get(BOOKS + query).json()["results"]
        assert [row["id"] for row in rows] == [book.pk for book in found], query
    assert rows[0]["hidden_at"] is not None


@pytest.mark.parametrize("query", ["hidden=maybe", "hidden=-1", "corrected=x"])
def test_what_is_neither_yes_nor_no_is_refused(operator: APIClient, query: str) -> None:
    assert operator.get(f"{BOOKS}?{query}").status_code == 400


def test_the_list_goes_on_by_cursor_and_costs_the_same_for_many(
    operator: APIClient, now: dt.datetime, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    books = [make_audiobook(now=now) for _ in range(2)]
    with django_assert_max_num_queries(10) as few:
        operator.get(BOOKS)
    books += [make_audiobook(now=now) for _ in range(5)]
    with django_assert_max_num_queries(len(few.captured_queries)):
        page = operator.get(f"{BOOKS}?page_size=4").json()
    rows = page["results"] + operator.get(page["next"]).json()["results"]
    assert [row["id"] for row in rows] == [book.pk for book in reversed(books)]


# --- corrections


@pytest.mark.parametrize(
    ("field", "right", "wrong"),
    [
        ("title", "The Right Title", "The Wrong Title"),
        ("subtitle", "A Novel", "Unabridged"),
        ("language", "german", "english"),
        ("release_date", "2098-05-01", dt.date(2098, 6, 1)),
        ("publisher", "Harbour", "Harbor"),
        ("runtime_minutes", 601, 60),
        ("cover_url", "https://img.example/right.jpg", "https://img.example/wrong.jpg"),
        ("summary", "It is about sand.", "TBA"),
        ("isbn", "9780000000019", "9780000000026"),
    ],
)
def test_a_correction_outlives_whatever_the_store_says(
    operator: APIClient, now: dt.datetime, field: str, right: Any, wrong: Any
) -> None:
    """Proves the guard `corrected`: the next visit with other facts would undo it, and make news."""
    book = make_audiobook(now=now, **{"release_date": dt.date(2098, 3, 1), field: wrong})
    events = ReleaseEvent.objects.count()
    assert correct(operator, book, **{field: right})[field] == right
    other = {"release_date": dt.date(2098, 3, 1), "sku": "BK_TEST_000001", field: wrong}
    book = seen_again(now, book, **other)
    assert book.sku == "BK_TEST_000001", "all else is as the store says"
    shown = operator.get(f"{BOOKS}/{book.pk}").json()
    assert shown[field] == right
    assert shown["corrections"] == {field: right}
    assert ReleaseEvent.objects.count() == events


def test_a_correction_reaches_readers_who_ask_only_for_what_changed(
    operator: APIClient, now: dt.datetime, move_clock: Callable[[dt.timedelta], dt.datetime]
) -> None:
    book = make_audiobook(now=now, title="Glsas Tide")
    feed = f"/feeds/authors/{book.credits.get(role='author').contributor_id}.rss"
    had = {"If-None-Match": operator.get(feed)["ETag"]}
    assert operator.get(feed, headers=had).status_code == 304
    move_clock(dt.timedelta(seconds=5))
    correct(operator, book, title="Glass Tide")
    answer = operator.get(feed, headers=had)
    assert (answer.status_code, "Glass Tide" in answer.content.decode()) == (200, True)


def test_there_may_be_nothing_to_be_said(operator: APIClient, now: dt.datetime) -> None:
    book = make_audiobook(now=now, subtitle="Advert", publisher="Nobody")
    correct(operator, book, subtitle=None, publisher=None, release_date=None)
    book = seen_again(
        now, book, subtitle="Advert 2", publisher="Nobody", release_date=dt.date(2098, 1, 1)
    )
    assert (book.subtitle, book.publisher, book.release_date) == ("", "", None)


def test_a_correction_is_found_by_search_and_by_who_watches_it(
    operator: APIClient, alice: User, now: dt.datetime
) -> None:
    make_channel(alice)
    make_watch(alice, "Harbour", kind="publisher", now=now)
    book = make_audiobook(now=now, title="Glsas Tide", publisher="")
    fan_out(now)
    assert promised(alice) == []
    correct(operator, book, title="Glass Tide", publisher="Harbour")
    found = operator.get("/api/audiobooks?q=glass").json()["results"]
    assert [row["id"] for row in found] == [book.pk]
    fan_out(now)
    assert promised(alice) == [(book.asin, "announced")]


def test_a_correction_is_told_to_nobody_who_was_told(
    operator: APIClient, alice: User, now: dt.datetime
) -> None:
    make_channel(alice)
    make_watch(alice, now=now)
    book = make_audiobook(now=now, **TIDE)
    fan_out(now)
    before = promised(alice)
    correct(operator, book, title="Glass Tides", release_date="2098-01-01", runtime_minutes=700)
    fan_out(now)
    assert promised(alice) == before == [(book.asin, "announced")]


def test_what_is_let_go_is_the_stores_again(operator: APIClient, now: dt.datetime) -> None:
    book = make_audiobook(now=now, publisher="Harbor", **TIDE)
    correct(operator, book, publisher="Harbour", subtitle="A Novel")
    shown = correct(operator, book, let_go=["publisher"])
    assert shown["corrections"] == {"subtitle": "A Novel"}
    book = seen_again(now, book, publisher="Harbor", **TIDE)
    assert (book.publisher, book.subtitle) == ("Harbor", "A Novel")


def test_a_day_put_into_the_future_is_told_when_it_comes(
    operator: APIClient, now: dt.datetime
) -> None:
    book = make_audiobook(now=now, out_in=-400)
    assert book.out_at is not None
    correct(operator, book, release_date="2098-01-01")
    assert Audiobook.objects.get().out_at is None
    assert book.events.count() == 0
    correct(operator, book, title="Another")
    correct(operator, book, release_date="2020-01-01")
    assert Audiobook.objects.get().out_at is None, (
        "whoever looks for days that have come will find it"
    )


def test_what_is_withdrawn_stays_so(operator: APIClient, now: dt.datetime) -> None:
    """Proves the guard is_withdrawn: a correction is no sight of it in its store."""
    book = make_audiobook(now=now)
    Audiobook.objects.filter(pk=book.pk).update(withdrawn_at=now)
    assert correct(operator, book, title="Sand")["withdrawn_at"] is not None


@pytest.mark.parametrize(
    "body",
    [
        *({"title": ""}, {"title": None}, {"title": "x" * 1001}, {"release_date": "2100-01-01"}),
        *({"release_date": "soon"}, {"runtime_minutes": 0}, {"runtime_minutes": -1}),
        *({"cover_url": "javascript:alert(1)"}, {"isbn": "none"}, {"language": "Deutsch!"}),
        *({"isbn": "- - - - - -"}, {"isbn": "978-3-16-148410-"}),
        *({"let_go": ["asin"]}, {"let_go": "title"}, {"title": "x", "let_go": ["title"]}),
    ],
)
def test_what_can_not_be_meant_is_refused(
    operator: APIClient, now: dt.datetime, body: dict[str, Any]
) -> None:
    book = make_audiobook(now=now)
    before = everything()
    assert operator.patch(f"{BOOKS}/{book.pk}", body).status_code == 400
    assert everything() == before


def test_what_is_not_to_be_corrected_is_not(operator: APIClient, now: dt.datetime) -> None:
    book = make_audiobook(now=now)
    before = everything()
    correct(operator, book, asin="B0OTHER001", marketplace="uk", hidden_at="2026-01-01", work_id=7)
    assert everything() == before
    assert logged() == []


# --- hidden


SHOWN_AT = (
    *("/api/upcoming", "/api/audiobooks", "/api/audiobooks/{book}", "/api/works/{work}"),
    *("/api/audiobooks/{book}/history", "/api/events", "/api/contributors?name=Ada Example"),
    *("/feeds/upcoming.rss", "/feeds/upcoming.ics", "/"),
)


def places_of(client: APIClient, book: Audiobook) -> list[str]:
    """Where a title is to be read."""
    paths = [path.format(book=book.pk, work=book.work_id) for path in SHOWN_AT]
    return [path for path in paths if book.title in client.get(path).content.decode()]


@pytest.mark.parametrize("way", ["books/{book}", "works/{work}"])
def test_what_is_hidden_is_shown_nowhere_and_to_nobody(
    operator: APIClient, alice: User, client_of: ClientOf, now: dt.datetime, way: str
) -> None:
    """Proves the guard shown, for every place: lists, feeds, pages, events."""
    make_channel(alice)
    make_watch(alice, now=now)
    book = make_audiobook(now=now, **TIDE)
    fan_out(now)
    publish_events()
    reader = client_of(alice)
    seen = places_of(reader, book)
    assert len(seen) >= 7
    assert promised(alice) == [(book.asin, "announced")]
    path = way.format(book=book.pk, work=book.work_id)
    act(operator, f"{path}/hide")
    assert places_of(reader, book) == []
    history = reader.get(f"/api/audiobooks/{book.pk}/history")
    assert (history.status_code, reader.get(f"/api/audiobooks/{book.pk}").status_code) == (404, 404)
    assert promised(alice) == []
    fan_out(now)
    assert promised(alice) == []
    act(operator, f"{path}/unhide")
    assert places_of(reader, book) == seen
    fan_out(now)
    assert promised(alice) == [(book.asin, "announced")]


ASKED = (
    "{ audiobooks { results { title } } }",
    "{ upcoming { results { title } } }",
    "{ work(id: %(work)s) { title } }",
    "{ contributor(id: %(person)s) { audiobooks { title } } }",
    "{ series(id: %(series)s) { entries { audiobook { title } } } }",
)


@pytest.mark.parametrize("question", ASKED)
def test_what_is_hidden_is_not_found_by_graphql(
    operator: APIClient, now: dt.datetime, question: str
) -> None:
    """Proves the guards shown and hidden_at of api/graphql."""
    place: dict[str, Any] = {"series": [SeriesPlace("B0SERIES01", "The Long Tide", "1")]}
    book = make_audiobook(now=now, **TIDE, **place)
    (credit, *_), (series,) = book.credits.all(), book.places.all()
    ids = {"work": book.work_id, "person": credit.contributor_id, "series": series.series_id}

    def answer() -> str:
        asked = {"query": question % ids}
        said: str = APIClient().post("/graphql", asked, format="json").content.decode()
        return said

    assert book.title in answer()
    act(operator, f"works/{book.work_id}/hide")
    assert book.title not in answer()


def test_what_is_hidden_is_not_counted_and_not_tried_out(
    operator: APIClient, now: dt.datetime
) -> None:
    """Proves the guards of series, people, previews and replays, which name titles or count them."""
    place: dict[str, Any] = {"series": [SeriesPlace("B0SERIES01", "The Long Tide", "1")]}
    book = make_audiobook(now=now - dt.timedelta(days=1), **TIDE, **place)
    publish_events()
    series = book.places.get().series_id
    person = book.credits.get(role="author").contributor_id
    draft = {"kind": "author", "query": "Ada Example"}

    def said() -> tuple[Any, ...]:
        return (
            operator.get("/api/series").json()["results"][0]["entries"],
            len(operator.get(f"/api/series/{series}").json()["entries"]),
            [each["role"] for each in operator.get(f"/api/contributors/{person}").json()["roles"]],
            operator.post("/api/channels/preview", {"audiobook": book.pk}).status_code,
            operator.post("/api/watches/replay", draft).json()["counts"],
            "Glass Tide" in operator.get(f"/feeds/series/{series}.ics").content.decode(),
        )

    one = {"sent": 1, "folded": 0, "hidden": 0}
    assert said() == (1, 1, ["author"], 200, one, True)
    act(operator, f"books/{book.pk}/hide")
    assert said() == (0, 0, [], 400, one | {"sent": 0}, False)


def test_what_was_told_before_it_was_hidden_is_not_told_again(
    operator: APIClient, alice: User, now: dt.datetime
) -> None:
    make_channel(alice)
    make_watch(alice, now=now)
    book = make_audiobook(now=now, **TIDE)
    fan_out(now)
    send_all(now)
    for word in ("hide", "unhide"):
        act(operator, f"books/{book.pk}/{word}")
    fan_out(now)
    assert promised(alice) == []
    assert Told.objects.count() == 1


def test_news_that_a_hidden_edition_told_is_told_by_another(
    operator: APIClient, alice: User, now: dt.datetime
) -> None:
    """Proves the guard refans: the channel would count as told by what it never got."""
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=["us", "uk"])
    first = make_audiobook(now=now, **TIDE)
    second = make_audiobook(now=now, marketplace="uk", **TIDE)
    assert first.work_id == second.work_id
    fan_out(now)
    assert promised(alice) == [(first.asin, "announced")]
    act(operator, f"books/{first.pk}/hide")
    fan_out(now)
    assert promised(alice) == [(second.asin, "announced")]


def test_an_edition_of_a_hidden_work_is_born_hidden(
    operator: APIClient, alice: User, now: dt.datetime
) -> None:
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=["us", "uk"])
    first = make_audiobook(now=now, **TIDE)
    act(operator, f"works/{first.work_id}/hide")
    second = make_audiobook(now=now, marketplace="uk", **TIDE)
    assert second.work_id == first.work_id
    assert second.hidden_at is not None
    fan_out(now)
    assert promised(alice) == []


def test_an_edition_that_joins_a_hidden_work_is_hidden(
    operator: APIClient, now: dt.datetime
) -> None:
    hidden, other = make_audiobook(now=now, title="Sand"), make_audiobook(now=now, title="Tide")
    act(operator, f"works/{hidden.work_id}/hide")
    shown = act(operator, f"works/{hidden.work_id}/merge", works=[other.work_id])
    assert all(edition["hidden_at"] for edition in shown["editions"])
    assert len(shown["editions"]) == 2


# --- works


def test_two_works_are_one_book_and_nobody_is_told_again(
    operator: APIClient, alice: User, now: dt.datetime
) -> None:
    make_channel(alice)
    make_watch(alice, now=now, marketplaces=["us", "de"])
    first = make_audiobook(now=now, title="Glass Tide")
    second = make_audiobook(now=now, title="Glasflut", marketplace="de")
    fan_out(now)
    send_all(now)
    shown = act(operator, f"works/{first.work_id}/merge", works=[second.work_id])
    assert [edition["id"] for edition in shown["editions"]] == [first.pk, second.pk]
    assert all(edition["work_pinned"] for edition in shown["editions"])
    assert not Work.objects.filter(pk=second.work_id).exists()
    fan_out(now)
    assert promised(alice) == []
    assert Told.objects.count() == 1
    split = act(operator, f"books/{second.pk}/split")
    assert split["work_id"] != first.work_id
    fan_out(now)
    assert promised(alice) == []


@pytest.mark.parametrize("works", [[], [0], ["x"], [10**30], [99_999_999], "all"])
def test_only_works_that_exist_are_merged(
    operator: APIClient, now: dt.datetime, works: Any
) -> None:
    book = make_audiobook(now=now)
    for ids in (works, [book.work_id]):
        answer = operator.post(f"/api/admin/works/{book.work_id}/merge", {"works": ids})
        assert (answer.status_code, next(iter(answer.json()["errors"]))[:5]) == (400, "works")


@pytest.mark.parametrize(
    "path",
    [
        *("books/{}", "books/{}/hide", "books/{}/unhide", "books/{}/split"),
        *("works/{}", "works/{}/hide", "works/{}/unhide", "works/{}/merge"),
    ],
)
def test_what_is_not_there_is_not_found(operator: APIClient, path: str) -> None:
    for number in (0, 99_999_999, 10**30):
        url = f"/api/admin/{path.format(number)}"
        asked = operator.get if path.endswith("{}") else operator.post
        assert asked(url, {"works": [1]} if "merge" in path else None).status_code == 404
    assert logged() == []


# --- written down


def test_all_that_staff_do_is_written_down_with_who_did_it(
    staff: User, operator: APIClient, now: dt.datetime
) -> None:
    first = make_audiobook(now=now, title="Tide", publisher="")
    second = make_audiobook(now=now, title="Sand")
    old = second.work_id
    correct(operator, first, title="Glass Tide", publisher="Harbour")
    correct(operator, first, let_go=["publisher"])
    act(operator, f"works/{first.work_id}/merge", works=[old])
    act(operator, f"books/{second.pk}/split")
    for path in (f"books/{first.pk}", f"works/{first.work_id}"):
        for word in ("hide", "unhide"):
            act(operator, f"{path}/{word}")
    assert logged() == [
        (
            staff.email,
            "audiobook",
            "corrected title: Tide → Glass Tide; publisher: nothing → Harbour",
        ),
        (staff.email, "audiobook", "let go publisher"),
        (staff.email, "work", f"merged work {old} (Sand)"),
        (staff.email, "audiobook", "split off its work"),
        (staff.email, "audiobook", "hidden"),
        (staff.email, "audiobook", "not hidden any more"),
        (staff.email, "work", "hidden"),
        (staff.email, "work", "not hidden any more"),
    ]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        *(("books/{book}", {"title": "X"}), ("books/{book}/hide", {}), ("books/{book}/split", {})),
        *(("works/{work}/hide", {}), ("works/{work}/merge", {"works": ["{other}"]})),
    ],
)
def test_what_can_not_be_written_down_is_not_done(
    operator: APIClient, now: dt.datetime, path: str, body: dict[str, Any]
) -> None:
    """Proves the guard transaction: half of it, without the row that says who did it, is nothing."""
    book, other = make_audiobook(now=now, **TIDE), make_audiobook(now=now, title="Sand")
    make_audiobook(now=now, marketplace="uk", **TIDE)
    if "works" in body:
        body = {"works": [other.work_id]}
    before = everything()
    operator.raise_request_exception = False
    url = f"/api/admin/{path.format(book=book.pk, work=book.work_id)}"
    with unwritable_log():
        answer = (operator.patch if "title" in body else operator.post)(url, body)
    assert answer.status_code == 500
    assert everything() == before
