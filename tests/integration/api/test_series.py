"""GET /api/series: in order, with what is missing and what is next."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from catalog.listing import SeriesPlace
from catalog.models import Audiobook, Series, SeriesGroup
from tests.factories import make_asin, make_audiobook

PATH = "/api/series"


def get(client: APIClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def make_entry(now: dt.datetime, title: str, sequence: str | None, **facts: Any) -> Audiobook:
    place = SeriesPlace("B0SERIES01", "The Long Tide", sequence)
    return make_audiobook(now=now, title=title, series=[place], **facts)


def make_series(now: dt.datetime, *names: str, marketplace: str = "us") -> None:
    for name in names:
        place = SeriesPlace(make_asin(), name, "1")
        make_audiobook(now=now, marketplace=marketplace, series=[place])


def the_series(client: APIClient) -> Any:
    return get(client, f"{PATH}/{Series.objects.get(asin='B0SERIES01').id}")


def titles(client: APIClient, query: str = "") -> list[str]:
    return [series["title"] for series in get(client, f"{PATH}?{query}")["results"]]


def test_a_series_is_shown_in_its_order(anybody: APIClient, now: dt.datetime) -> None:
    make_entry(now, "Ten", "10", out_in=-1)
    make_entry(now, "Novella", "2.5", out_in=-2)
    make_entry(now, "Companion", None, out_in=-9)
    make_entry(now, "Two", "2", out_in=-5)
    book = make_entry(now, "One", "1", out_in=-7)
    shown = the_series(anybody)
    order = ["One", "Two", "Novella", "Ten", "Companion"]
    assert [entry["title"] for entry in shown["entries"]] == order
    assert [entry["position"] for entry in shown["entries"]] == [1, 2, 2.5, 10, None]
    assert shown["gaps"] == [{"first": 3, "last": 9}]
    assert shown["next"] is None
    first = shown["entries"][0]
    assert (first["audiobook_id"], first["work_id"]) == (book.id, book.work_id)
    assert (first["asin"], first["sequence"]) == (book.asin, "1")
    assert first["release_date"] == str(book.release_date)


def test_the_next_is_what_comes_out_soonest(anybody: APIClient, now: dt.datetime) -> None:
    make_entry(now, "Out", "1", out_in=0)
    make_entry(now, "Undated", "2", out_in=None)
    assert the_series(anybody)["next"]["title"] == "Undated"
    make_entry(now, "Later", "3", out_in=60)
    soon = make_entry(now, "Soon", "4", out_in=30)
    make_entry(now, "Also Later", "5", out_in=90)
    assert the_series(anybody)["next"]["title"] == "Soon"
    Audiobook.objects.filter(id=soon.id).update(withdrawn_at=now)
    shown = the_series(anybody)
    assert shown["next"]["title"] == "Later"
    assert shown["gaps"] == [{"first": 4, "last": 4}]


def test_a_volume_of_three_books_leaves_no_gap(anybody: APIClient, now: dt.datetime) -> None:
    make_entry(now, "Omnibus", "1-3")
    make_entry(now, "Five", "5")
    assert the_series(anybody)["gaps"] == [{"first": 4, "last": 4}]


def test_the_same_series_is_named_in_other_marketplaces(
    anybody: APIClient, now: dt.datetime
) -> None:
    make_entry(now, "One", "1")
    make_entry(now, "One", "1", marketplace="uk")
    make_series(now, "Another")
    uk = Series.objects.get(marketplace="uk")
    Series.objects.filter(asin="B0SERIES01").update(group=SeriesGroup.objects.create(title="Tide"))
    us = Series.objects.get(asin="B0SERIES01", marketplace="us")
    elsewhere = [{"id": uk.id, "marketplace": "uk", "asin": "B0SERIES01", "title": uk.title}]
    assert get(anybody, f"{PATH}/{us.id}")["elsewhere"] == elsewhere


def test_one_of_no_group_is_nowhere_else(anybody: APIClient, now: dt.datetime) -> None:
    make_series(now, "One", "Two")
    Series.objects.update(group=None)
    for series in Series.objects.all():
        assert get(anybody, f"{PATH}/{series.id}")["elsewhere"] == []


def test_what_is_shown_is_what_the_description_says(anybody: APIClient, now: dt.datetime) -> None:
    make_entry(now, "One", "1")
    answer = anybody.get("/api/schema", headers={"Accept": "application/vnd.oai.openapi+json"})
    schemas = answer.json()["components"]["schemas"]
    (listed,) = get(anybody, PATH)["results"]
    assert set(listed) == set(schemas["Series"]["properties"])
    shown = the_series(anybody)
    assert set(shown) == set(schemas["WholeSeries"]["properties"])
    assert set(shown["next"]) == set(schemas["Entry"]["properties"])


def test_series_are_listed_by_title_with_how_many_they_have(
    anybody: APIClient, now: dt.datetime
) -> None:
    make_series(now, "Zebra", "Émile", "dune")
    make_entry(now, "One", "1")
    make_entry(now, "Two", "2")
    listed = get(anybody, PATH)["results"]
    assert [series["title"] for series in listed] == ["dune", "Émile", "The Long Tide", "Zebra"]
    assert [series["entries"] for series in listed] == [1, 1, 2, 1]


FILTERS = {
    "": ["50% Off_Tide", "The Ä Team", "The Tide", "The Tide"],
    "marketplace=uk": ["The Tide"],
    "q=THE": ["The Ä Team", "The Tide", "The Tide"],
    "q=the a": ["The Ä Team"],
    "q=tide": [],
    "q=50%25": ["50% Off_Tide"],
    "q=%25": [],
    "q=_": [],
    "q=%27%22%5C": [],
    "q=the&marketplace=uk": ["The Tide"],
}


@pytest.mark.parametrize("query", FILTERS)
def test_filters_leave_what_was_asked_for(anybody: APIClient, now: dt.datetime, query: str) -> None:
    make_series(now, "The Tide", "The Ä Team", "50% Off_Tide")
    make_series(now, "The Tide", marketplace="uk")
    assert titles(anybody, query) == FILTERS[query]


@pytest.mark.parametrize(
    "query", ["marketplace=xx", "q=%00", "q=" + "x" * 201, "page_size=x", "cursor=abc"]
)
def test_an_odd_question_is_refused_with_a_sentence(
    anybody: APIClient, db: None, query: str
) -> None:
    answer = anybody.get(f"{PATH}?{query}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert list(answer.json()["errors"]) == [query.split("=")[0]]


@pytest.mark.parametrize("number", ["0", "4711", "9" * 30])
def test_what_is_not_there_is_404(anybody: APIClient, db: None, number: str) -> None:
    assert anybody.get(f"{PATH}/{number}").status_code == 404


def test_pages_follow_each_other_also_among_equal_titles(
    anybody: APIClient, now: dt.datetime
) -> None:
    make_series(now, *["The Tide"] * 3, "Dune", "Zebra")
    seen: list[int] = []
    following: Any = f"{PATH}?page_size=2"
    while following:
        page = get(anybody, following)
        seen += [series["id"] for series in page["results"]]
        following = page["next"]
    assert (len(seen), set(seen)) == (5, set(Series.objects.values_list("id", flat=True)))


def test_a_series_and_a_list_cost_the_same_for_one_and_for_thirty(
    anybody: APIClient, now: dt.datetime
) -> None:
    def statements() -> list[int]:
        counts = []
        for path in (PATH, f"{PATH}/{Series.objects.get(asin='B0SERIES01').id}"):
            with CaptureQueriesContext(connection) as asked:
                get(anybody, path)
            counts.append(len(asked))
        return counts

    make_entry(now, "Book 1", "1")
    assert statements() == [1, 4]  # the series, its entries, the clock, the others
    for number in range(2, 31):
        make_entry(now, f"Book {number}", str(number))
    make_series(now, *(f"Series {number}" for number in range(29)))
    assert statements() == [1, 4]
    assert len(get(anybody, PATH)["results"]) == 30
