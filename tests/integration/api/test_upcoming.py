"""GET /api/upcoming: what is still to come, for anybody."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from catalog.listing import SeriesPlace
from catalog.marketplaces import MARKETPLACES, store_date
from catalog.models import Audiobook
from tests.factories import make_asin, make_audiobook
from tests.integration.api.conftest import ClientOf

PATH = "/api/upcoming"
TIDES = SeriesPlace("B0SERIES01", "The Long Tide", "2")


def titles(client: APIClient, query: str = "") -> list[str]:
    answer = client.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.json()
    return [audiobook["title"] for audiobook in answer.json()["results"]]


def test_a_title_is_shown_with_all_that_matters(anybody: APIClient, now: dt.datetime) -> None:
    book = make_audiobook(
        now=now,
        title="Of Sand",
        subtitle="A Tale",
        authors=["Ada Example", "Bea Sample"],
        series=[TIDES],
        summary="Sand.",
        runtime_minutes=61,
    )
    (shown,) = anybody.get(PATH).json()["results"]
    assert shown == {
        "marketplace": "us",
        "asin": book.asin,
        "title": "Of Sand",
        "subtitle": "A Tale",
        "authors": ["Ada Example", "Bea Sample"],
        "narrators": ["Nora Reader"],
        "series": [{"title": "The Long Tide", "asin": "B0SERIES01", "sequence": "2"}],
        "release_date": str(book.release_date),
        "language": "english",
        "publisher": "",
        "runtime_minutes": 61,
        "format_type": "",
        "cover_url": "",
        "url": f"https://www.audible.com/pd/{book.asin}",
        "summary": "Sand.",
        "first_seen_at": now.isoformat().replace("+00:00", "Z"),
    }


def test_titles_come_soonest_first_without_those_that_are_out_undated_or_withdrawn(
    anybody: APIClient, now: dt.datetime
) -> None:
    for days, title in ((9, "third"), (1, "first"), (5, "second"), (0, "today"), (-1, "out")):
        make_audiobook(now=now, out_in=days, title=title)
    make_audiobook(now=now, out_in=None, title="undated")
    withdrawn = make_audiobook(now=now, title="withdrawn")
    Audiobook.objects.filter(id=withdrawn.id).update(withdrawn_at=now)
    assert titles(anybody) == ["first", "second", "third"]


def test_a_day_is_the_stores_own(
    anybody: APIClient, now: dt.datetime, move_clock: Callable[[dt.timedelta], dt.datetime]
) -> None:
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0) + dt.timedelta(days=1)
    noon = move_clock(noon - now)
    tomorrow = store_date("us", noon) + dt.timedelta(days=1)
    assert store_date("au", move_clock(dt.timedelta(hours=3))) == tomorrow
    for code in ("us", "au"):
        make_audiobook(now=now, marketplace=code, release_date=tomorrow, title=code)
    assert titles(anybody) == ["us"]  # Sydney has that day already


FILTERS = {
    "": {"Of Sand", "Von Meer", "海辺の物語", "Sans mots"},
    "marketplace=de": {"Von Meer"},
    "marketplace=de&marketplace=jp": {"Von Meer", "海辺の物語"},
    "language=German": {"Von Meer"},
    "language=klingon": set(),
    "author=EXAMPLE": {"Of Sand"},
    "author=nora": set(),  # she reads
    "author=%21%21": set(),
    "author=Zoë Müller": {"Von Meer"},
    "series=long tide": {"Of Sand"},
    "q=sand": {"Of Sand"},
    "q=SAND example": {"Of Sand"},
    "q=sand müller": set(),
    "q=muller": {"Von Meer"},
    "q=nora tide": {"Of Sand"},
    "q=MÜLLER": {"Von Meer"},
    "q=物語": {"海辺の物語"},
    "q=辺の物": {"海辺の物語"},
    "q=海語": set(),
    "q=%22%27%29%3B--": set(),
    "q=%26 | ! sand:*": {"Of Sand"},
    "q=": {"Of Sand", "Von Meer", "海辺の物語", "Sans mots"},
}


@pytest.mark.parametrize("query", FILTERS)
def test_filters_leave_what_was_asked_for(anybody: APIClient, now: dt.datetime, query: str) -> None:
    make_audiobook(now=now, title="Of Sand", series=[TIDES])
    make_audiobook(
        now=now, title="Von Meer", marketplace="de", authors=["Zoë Müller"], narrators=[]
    )
    make_audiobook(now=now, title="海辺の物語", marketplace="jp", authors=["例"], narrators=[])
    make_audiobook(now=now, title="Sans mots", marketplace="fr", authors=[], narrators=[])
    assert set(titles(anybody, query)) == FILTERS[query]


def test_days_are_filtered_with_both_ends(anybody: APIClient, now: dt.datetime) -> None:
    books = [make_audiobook(now=now, out_in=days, title=str(days)) for days in (3, 4, 5, 6)]
    days = [book.release_date for book in books]
    assert titles(anybody, f"from_date={days[1]}") == ["4", "5", "6"]
    assert titles(anybody, f"to_date={days[2]}") == ["3", "4", "5"]
    assert titles(anybody, f"from_date={days[1]}&to_date={days[2]}") == ["4", "5"]


@pytest.mark.parametrize(
    "query",
    [
        *("marketplace=xx", "from_date=soon", "to_date=2027-02-30", "q=" + "x" * 201),
        *("author=%00", "page_size=201", "cursor=abc", "language=" + "x" * 201),
    ],
)
def test_an_odd_question_is_refused_with_a_sentence(anybody: APIClient, query: str) -> None:
    answer = anybody.get(f"{PATH}?{query}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert list(answer.json()["errors"]) == [query.split("=")[0]]


def test_pages_follow_each_other_also_within_a_day(anybody: APIClient, now: dt.datetime) -> None:
    made = {make_audiobook(now=now, out_in=days).asin for days in (1, 2, 2, 2, 2, 2, 3)}
    seen: list[str] = []
    following: Any = f"{PATH}?page_size=2&language=english"
    while following:
        page = anybody.get(following).json()
        seen += [book["asin"] for book in page["results"]]
        following = page["next"]
    assert (set(seen), len(seen)) == (made, len(made))


def test_a_page_costs_the_same_for_one_title_and_for_many(
    anybody: APIClient, now: dt.datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for count in (1, 29):
        for n in range(count):
            place = SeriesPlace(make_asin(), f"Series {n}", "1")
            make_audiobook(now=now, authors=[f"Author {count} {n}"], series=[place])
        with django_assert_num_queries(2):  # the clock, audiobooks with people and series
            answer = anybody.get(PATH)
    assert len(answer.json()["results"]) == 30


def test_the_hundred_and_first_question_of_an_hour_has_to_wait(
    anybody: APIClient, alice: User, client_of: ClientOf
) -> None:
    assert {anybody.get(PATH).status_code for _ in range(100)} == {200}
    late = anybody.get(PATH)
    assert (late.status_code, late["Content-Type"]) == (429, "application/problem+json")
    assert 0 < int(late["Retry-After"]) <= 3600
    assert anybody.get(PATH, REMOTE_ADDR="10.1.1.1").status_code == 200
    assert client_of(alice).get(PATH).status_code == 200


def test_every_store_is_known_to_the_filter(anybody: APIClient, now: dt.datetime) -> None:
    for code in MARKETPLACES:
        make_audiobook(now=now, marketplace=code, title=code)
        assert titles(anybody, f"marketplace={code}") == [code]
