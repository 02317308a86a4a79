"""GET /api/audiobooks and what hangs on one: for anybody, whatever they type."""

import base64
import datetime as dt
import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from catalog.brake import drop_braked
from catalog.listing import SeriesPlace
from catalog.models import Audiobook, Contributor, ReleaseEvent, Series
from catalog.normalise import clean, words
from catalog.services import publish_events, record_absent, record_listings
from tests.factories import make_asin, make_audiobook, make_listing
from tests.hostile import TEXTS

PATH = "/api/audiobooks"
HOUR = dt.timedelta(hours=1)
TIDES = SeriesPlace("B0SERIES01", "The Long Tide", "2")


def get(client: APIClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def titles(client: APIClient, query: str = "") -> list[str]:
    return [audiobook["title"] for audiobook in get(client, f"{PATH}?{query}")["results"]]


def description(client: APIClient) -> Any:
    answer = client.get("/api/schema", headers={"Accept": "application/vnd.oai.openapi+json"})
    return answer.json()["components"]["schemas"]


# -- what is shown -------------------------------------------------------------------------------


def test_an_audiobook_is_shown_with_all_that_is_known_of_it(
    anybody: APIClient, now: dt.datetime
) -> None:
    book = make_audiobook(
        now=now,
        title="Of Sand",
        authors=["Ada Example", "Bea Sample"],
        series=[TIDES],
        genres=(("18580606011", "Science Fiction"),),
        isbn="9780000000002",
    )
    shown = get(anybody, f"{PATH}/{book.id}")
    assert (shown["id"], shown["work_id"], shown["title"]) == (book.id, book.work_id, "Of Sand")
    assert shown["authors"] == ["Ada Example", "Bea Sample"]
    assert shown["narrators"] == ["Nora Reader"]
    assert [(each["name"], each["role"]) for each in shown["people"]] == [
        ("Ada Example", "author"),
        ("Bea Sample", "author"),
        ("Nora Reader", "narrator"),
    ]
    (series,) = Series.objects.all()
    place = {"id": series.id, "asin": "B0SERIES01", "title": "The Long Tide", "sequence": "2"}
    assert shown["series"] == [place]
    assert shown["genres"] == [{"id": "18580606011", "name": "Science Fiction"}]
    assert shown["isbn"] == "9780000000002"
    assert shown["last_checked_at"] == now.isoformat().replace("+00:00", "Z")


def test_what_is_shown_is_what_the_description_says(anybody: APIClient, now: dt.datetime) -> None:
    book = make_audiobook(now=now, series=[TIDES])
    schemas = description(anybody)
    (listed,) = get(anybody, PATH)["results"]
    assert set(listed) == set(schemas["Audiobook"]["properties"])
    whole = get(anybody, f"{PATH}/{book.id}")
    assert set(whole) == set(schemas["WholeAudiobook"]["properties"])
    assert listed == {name: whole[name] for name in listed}
    assert set(listed["people"][0]) == set(schemas["Person"]["properties"])
    assert set(listed["series"][0]) == set(schemas["SeriesPlace"]["properties"])


@pytest.mark.parametrize("path", ["audiobooks/{}", "audiobooks/{}/history", "works/{}"])
@pytest.mark.parametrize("number", ["0", "4711", "9" * 30])
def test_what_is_not_there_is_404(anybody: APIClient, db: None, path: str, number: str) -> None:
    answer = anybody.get("/api/" + path.format(number))
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


# -- filters -------------------------------------------------------------------------------------

FILTERS = {
    "": {"Of Sand", "Von Meer", "海辺の物語", "Sand and Salt"},
    "marketplace=de": {"Von Meer"},
    "marketplace=de&marketplace=jp": {"Von Meer", "海辺の物語"},
    "language=German": {"Von Meer"},
    "publisher=TIDE%20press": {"Von Meer"},
    "publisher=Tide": set(),
    "publisher=%21": set(),
    "genre=18580606011": {"Of Sand"},
    "genre=1858060601": set(),
    "kind=omnibus": {"Sand and Salt"},
    "kind=omnibus&kind=single": {"Of Sand", "Von Meer", "海辺の物語", "Sand and Salt"},
    "q=sand": {"Of Sand", "Sand and Salt"},
    "q=SAN": {"Of Sand", "Sand and Salt"},
    "q=sal sand": set(),
    "q=sand sal": {"Sand and Salt"},
    "q=müll": {"Von Meer"},
    "q=nora tid": {"Of Sand"},
    "q=海": {"海辺の物語"},
    "q=辺の物": {"海辺の物語"},
    "q=%26 | ! sand:*": {"Of Sand", "Sand and Salt"},
    "q=%22%27%29%3B--": set(),
    "q=%5C": set(),
    "q=sand%27": {"Of Sand", "Sand and Salt"},
}


@pytest.mark.parametrize("query", FILTERS)
def test_filters_leave_what_was_asked_for(anybody: APIClient, now: dt.datetime, query: str) -> None:
    genres = (("18580606011", "Science Fiction"),)
    make_audiobook(now=now, title="Of Sand", series=[TIDES], genres=genres)
    people: dict[str, Any] = {"authors": ["Zoë Müller"], "narrators": []}
    make_audiobook(now=now, title="Von Meer", marketplace="de", publisher="Tide Press", **people)
    make_audiobook(now=now, title="海辺の物語", marketplace="jp", authors=["例"], narrators=[])
    salt = make_audiobook(now=now, title="Sand and Salt", narrators=[])
    Audiobook.objects.filter(id=salt.id).update(kind="omnibus")
    assert set(titles(anybody, query)) == FILTERS[query]


def test_whatever_is_typed_is_a_search(anybody: APIClient, now: dt.datetime) -> None:
    """Proves the guard folding: no text is a query's grammar, and each finds what is called so."""
    typed = [*TEXTS, "' | 'x", "a' <-> 'b", "!(x)", "a:*B", "\\'", "x" * 200, "a " * 100, "\u0301"]
    for title in filter(None, (clean(text)[:150] for text in typed)):
        book = make_audiobook(now=now, title=f"{title} .", authors=[], narrators=[])
        asked: dict[str, Any] = {"q": title, "page_size": 200}
        answer = anybody.get(PATH, asked)
        assert answer.status_code == 200, title
        found = {each["id"] for each in answer.json()["results"]}
        assert (book.id in found) is bool(words(title)), title


def test_a_persons_audiobooks_are_found_by_any_role_or_by_one(
    anybody: APIClient, now: dt.datetime
) -> None:
    make_audiobook(now=now, title="Written", authors=["Ada Example"])
    make_audiobook(now=now, title="Read", authors=["Bea Sample"], narrators=["Ada Example"])
    make_audiobook(now=now, title="Both", authors=["Ada Example"], narrators=["Ada Example"])
    make_audiobook(now=now, title="Neither", authors=["Bea Sample"])
    ada = Contributor.objects.get(name="Ada Example").id
    assert sorted(titles(anybody, f"person_id={ada}")) == ["Both", "Read", "Written"]
    assert sorted(titles(anybody, f"person_id={ada}&role=narrator")) == ["Both", "Read"]
    assert titles(anybody, f"person_id={ada}&role=translator") == []
    assert titles(anybody, f"person_id={ada + 1000}") == []


def test_audiobooks_of_a_series_are_found_by_its_id(anybody: APIClient, now: dt.datetime) -> None:
    make_audiobook(now=now, title="Of Sand", series=[TIDES])
    make_audiobook(now=now, title="Of Salt")
    assert titles(anybody, f"series_id={Series.objects.get().id}") == ["Of Sand"]


def test_days_are_filtered_with_both_ends_and_leave_out_undated_ones(
    anybody: APIClient, now: dt.datetime
) -> None:
    books = [make_audiobook(now=now, out_in=days, title=str(days)) for days in (-3, 0, 3)]
    make_audiobook(now=now, out_in=None, title="undated")
    first, middle, _ = [book.release_date for book in books]
    assert titles(anybody, f"release_after={middle}") == ["3", "0"]
    assert titles(anybody, f"release_before={middle}") == ["0", "-3"]
    assert titles(anybody, f"release_after={first}&release_before={first}") == ["-3"]


def test_withdrawn_titles_are_there_and_say_so(anybody: APIClient, now: dt.datetime) -> None:
    book = make_audiobook(now=now)
    Audiobook.objects.filter(id=book.id).update(withdrawn_at=now)
    (shown,) = get(anybody, PATH)["results"]
    assert shown["withdrawn_at"] == now.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    "query",
    [
        *("marketplace=xx", "release_after=soon", "release_before=2027-02-30", "q=" + "x" * 201),
        *("q=%00", "publisher=%00", "genre=%00", "genre=" + "x" * 201, "language=" + "x" * 201),
        *("person_id=ada", "person_id=0", "person_id=-1", "person_id=" + "9" * 19),
        *("person_id=" + "9" * 5000, "person_id=1.5", "person_id=%00", "series_id=NaN"),
        *("series_id=1e5000", "role=author", "role=king&person_id=1", "kind=novel", "kind=%00"),
        *("ordering=summary", "ordering=rank", "ordering=rank&q=", "ordering=rank&q=%20"),
        *("page_size=0", "page_size=201", "cursor=abc", "cursor=%00", "cursor=WyIxIl0"),
    ],
)
def test_an_odd_question_is_refused_with_a_sentence(
    anybody: APIClient, db: None, query: str
) -> None:
    """Proves the guard form: what can't be meant is named, and asks the database nothing."""
    answer = anybody.get(f"{PATH}?{query}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert list(answer.json()["errors"]) == [query.split("=")[0]]


@pytest.mark.parametrize("made", ["\0", "\ud800", "x" * 10_000])
def test_a_made_up_cursor_breaks_nothing(anybody: APIClient, now: dt.datetime, made: str) -> None:
    """Proves the guard sayable: what the database can't hold is no cursor."""
    make_audiobook(now=now)
    cursor = base64_of([made, "1"])
    answer = anybody.get(f"{PATH}?ordering=title&cursor={cursor}")
    if len(made) == 1:
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["cursor"])
    else:
        assert answer.status_code == 200


def base64_of(values: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


# -- order and pages -----------------------------------------------------------------------------


def test_the_order_is_as_asked(anybody: APIClient, now: dt.datetime) -> None:
    for days, title in ((2, "Émile"), (1, "echo"), (None, "Zebra"), (3, "Dune")):
        make_audiobook(now=now, out_in=days, title=title)
    assert titles(anybody) == ["Dune", "Émile", "echo", "Zebra"]
    assert titles(anybody, "ordering=-release_date") == ["Dune", "Émile", "echo", "Zebra"]
    assert titles(anybody, "ordering=release_date") == ["Zebra", "echo", "Émile", "Dune"]
    assert titles(anybody, "ordering=title") == ["Dune", "echo", "Émile", "Zebra"]


def test_the_nearest_hit_of_a_search_comes_first(anybody: APIClient, now: dt.datetime) -> None:
    make_audiobook(now=now, title="Glass", authors=["Tide Example"])
    make_audiobook(now=now, title="Tidewater")
    make_audiobook(now=now, title="The Tide")
    make_audiobook(now=now, title="All About the Tide and Many More Things Beside It")
    nearest = [
        "The Tide",
        "All About the Tide and Many More Things Beside It",
        "Glass",
        "Tidewater",
    ]
    assert titles(anybody, "q=tide") == nearest
    assert titles(anybody, "q=tide&ordering=rank") == nearest
    assert titles(anybody, "q=tide&ordering=title")[0].startswith("All About")


@pytest.mark.parametrize("ordering", ["release_date", "-release_date", "title", "rank"])
def test_pages_follow_each_other_in_every_order(
    anybody: APIClient, now: dt.datetime, ordering: str
) -> None:
    for days in (None, None, None, 1, 2, 2, 2, 3):
        make_audiobook(now=now, out_in=days, title="The Same Book")
    whole = [each["id"] for each in get(anybody, f"{PATH}?q=same&ordering={ordering}")["results"]]
    seen: list[int] = []
    following: Any = f"{PATH}?page_size=2&q=same&ordering={ordering}"
    while following:
        page = get(anybody, following)
        seen += [book["id"] for book in page["results"]]
        following = page["next"]
    assert (seen, len(set(seen))) == (whole, 8)


# -- what it costs -------------------------------------------------------------------------------


def statements(client: APIClient, path: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        get(client, path)
    return len(asked)


def make_many(count: int, now: dt.datetime, **facts: Any) -> list[Audiobook]:
    return [
        make_audiobook(
            now=now,
            authors=[f"Author {make_asin()}"],
            series=[SeriesPlace(make_asin(), "One of Many", "1"), TIDES],
            **facts,
        )
        for _ in range(count)
    ]


def test_a_page_costs_the_same_for_one_title_and_for_thirty(
    anybody: APIClient, now: dt.datetime
) -> None:
    make_many(1, now)
    paths = [PATH, f"{PATH}?q=book", f"{PATH}?series_id={Series.objects.latest('id').id}"]
    assert [statements(anybody, path) for path in paths] == [1, 1, 1]
    make_many(29, now)
    assert [statements(anybody, path) for path in paths] == [1, 1, 1]
    assert len(get(anybody, PATH)["results"]) == 30


def test_one_audiobook_and_its_history_cost_one_statement_and_two(
    anybody: APIClient, now: dt.datetime
) -> None:
    (book,) = make_many(1, now)
    for days in range(31, 61):
        make_audiobook(now=now + days * HOUR, asin=book.asin, out_in=days)
    publish_events()
    assert statements(anybody, f"{PATH}/{book.id}") == 1
    assert statements(anybody, f"{PATH}/{book.id}/history") == 2
    assert len(get(anybody, f"{PATH}/{book.id}/history")["results"]) == 31


# -- history -------------------------------------------------------------------------------------


def test_a_history_is_all_that_happened_oldest_first(anybody: APIClient, now: dt.datetime) -> None:
    book = make_audiobook(now=now, title="Of Sand", out_in=30)
    moved = make_audiobook(now=now + HOUR, asin=book.asin, out_in=40)
    for hours in (2, 9):
        record_absent(marketplace="us", asins=[book.asin], now=now + hours * HOUR, delay=6 * HOUR)
    make_audiobook(now=now + 10 * HOUR, asin=book.asin)
    publish_events()
    history = get(anybody, f"{PATH}/{book.id}/history")["results"]
    told = ["announced", "date_moved", "withdrawn", "restored"]
    assert [event["kind"] for event in history] == told
    assert [event["revision"] for event in history] == [1, 2, 3, 4]
    assert (history[1]["old_date"], history[1]["new_date"]) == (
        str(book.release_date),
        str(moved.release_date),
    )
    assert set(history[0]) == set(description(anybody)["History"]["properties"])


def test_a_history_has_nothing_that_is_not_published(anybody: APIClient, now: dt.datetime) -> None:
    """Proves the guard public: neither what waits, nor what a person dropped, nor reminders."""
    book = make_audiobook(now=now)
    path = f"{PATH}/{book.id}/history"
    assert get(anybody, path)["results"] == []
    publish_events()
    assert len(get(anybody, path)["results"]) == 1
    listing = make_listing(asin=book.asin, title=book.title, release_date=dt.date(2031, 1, 1))
    record_listings(listings=[listing], fetched_at=now + HOUR, now=now, held_by=1)
    publish_events()
    assert len(get(anybody, path)["results"]) == 1
    ReleaseEvent.objects.filter(held_by=1).update(braked_at=now)
    drop_braked(event_ids=ReleaseEvent.objects.values_list("id", flat=True), now=now)
    reminder = {"kind": "reminder", "revision": 9, "seen_at": now, "days_before": 1}
    ReleaseEvent.objects.create(audiobook=book, **reminder)
    publish_events()
    assert not ReleaseEvent.objects.filter(published_seq=None).exists()
    assert [event["kind"] for event in get(anybody, path)["results"]] == ["announced"]


def test_a_long_history_has_pages(anybody: APIClient, now: dt.datetime) -> None:
    book = make_audiobook(now=now)
    for days in range(31, 35):
        make_audiobook(now=now + days * HOUR, asin=book.asin, out_in=days)
    publish_events()
    seen: list[int] = []
    following: Any = f"{PATH}/{book.id}/history?page_size=2"
    while following:
        page = get(anybody, following)
        seen += [event["revision"] for event in page["results"]]
        following = page["next"]
    assert seen == [1, 2, 3, 4, 5]


# -- works and people ----------------------------------------------------------------------------


def test_a_work_is_shown_with_its_editions(anybody: APIClient, now: dt.datetime) -> None:
    late = make_audiobook(now=now, title="Of Sand", out_in=30)
    early = make_audiobook(now=now, title="Of Sand", marketplace="uk", out_in=20)
    Audiobook.objects.update(work=late.work_id)
    path = f"/api/works/{late.work_id}"
    shown = get(anybody, path)
    assert (shown["id"], shown["title"]) == (late.work_id, "Of Sand")
    assert [edition["id"] for edition in shown["editions"]] == [early.id, late.id]
    assert shown["editions"] == get(anybody, f"{PATH}?ordering=release_date")["results"]
    assert statements(anybody, path) == 2
    make_many(28, now)
    Audiobook.objects.update(work=late.work_id)
    assert statements(anybody, path) == 2


def test_a_person_is_shown_with_roles_and_stores(anybody: APIClient, now: dt.datetime) -> None:
    for code in ("us", "uk"):
        make_audiobook(now=now, marketplace=code, authors=["Ada Example"])
    make_audiobook(now=now, authors=["Bea"], narrators=["Ada Example"])
    ada = Contributor.objects.get(name="Ada Example")
    path = f"/api/contributors/{ada.id}"
    assert get(anybody, path) == {
        "id": ada.id,
        "asin": None,
        "name": "Ada Example",
        "roles": [{"role": "author", "audiobooks": 2}, {"role": "narrator", "audiobooks": 1}],
        "marketplaces": ["uk", "us"],
    }
    assert statements(anybody, path) == 3
    assert anybody.get(f"/api/contributors/{ada.id + 1000}").status_code == 404
