"""What is asked of 100,000 audiobooks is found by an index: no table is read from end to end."""

import contextlib
import datetime as dt
import json
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from catalog.models import AudiobookCheck, Contributor, Series
from catalog.questions import control_asins
from stalkerr import clock, sql
from tests.shelves import library

# The library takes half a minute to fill on a busy machine.
pytestmark = [pytest.mark.slow, pytest.mark.django_db, pytest.mark.timeout(300)]

# Tables of a row or two, read whole by design.
SMALL = {"clock_offset"}


@pytest.fixture(scope="module", autouse=True)
def _library(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Generator[None]:
    with contextlib.ExitStack() as kept:
        with django_db_blocker.unblock():
            kept.enter_context(library(clock.now()))
            connection.close()
        yield
        with django_db_blocker.unblock():
            kept.close()


def nodes(plan: Any) -> Iterator[Any]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def plan_of(statement: str) -> list[Any]:
    """Every step that PostgreSQL would take."""
    ((found,),) = sql.rows(f"EXPLAIN (FORMAT JSON) {statement.replace('%', '%%')}")
    (whole,) = found if isinstance(found, list) else json.loads(found)
    return list(nodes(whole["Plan"]))


def plans(path: str) -> list[list[Any]]:
    """Of each statement that a request takes."""
    with CaptureQueriesContext(connection) as asked:
        answer = APIClient().get(path)
    assert answer.status_code == 200, answer.json()
    assert answer.json().get("results", True), "nothing was found"
    statements = [query["sql"].strip() for query in asked if "FROM clock" not in query["sql"]]
    return [plan_of(each) for each in statements if each.startswith(("SELECT", "WITH"))]


def read_whole(steps: list[Any]) -> set[str]:
    return {step["Relation Name"] for step in steps if step["Node Type"] == "Seq Scan"} - SMALL


def indexes(steps: list[Any]) -> set[str]:
    return {step["Index Name"] for step in steps if "Index Name" in step}


def drop_rival(index: str) -> None:
    """For this test alone: its transaction is rolled back."""
    if index in RIVALS:
        sql.rows(f"DROP INDEX {RIVALS[index]}")


# Which of two that hold the same titles is taken is a near tie: without its rival the one that is
# named must do.
RIVALS = {"audiobook_upcoming": "audiobook_due"}
# What is asked, and an index that the plan must use.
QUESTIONS = {
    "upcoming": "audiobook_upcoming",
    "upcoming?marketplace=us": "audiobook_due",
    "upcoming?q=w15": "audiobook_search",
    "audiobooks": "audiobook_by_day",
    "audiobooks?ordering=release_date": "audiobook_by_day",
    "audiobooks?ordering=title": "audiobook_by_title",
    "audiobooks?release_after={day}&ordering=release_date": "audiobook_by_day",
    "audiobooks?release_after={day}&release_before={day}": "audiobook_by_day",
    "audiobooks?q=w15": "audiobook_search",
    "audiobooks?q=w2999&ordering=title": "audiobook_search",
    "audiobooks?person_id={person}": "credits_contributor",
    "audiobooks?person_id={person}&role=narrator": "credits_contributor",
    "audiobooks?series_id={series}": "series_entry_order",
    "audiobooks?publisher=press%207": "audiobook_keys",
    "audiobooks?genre=7": "audiobook_keys",
    "audiobooks/{book}": "audiobooks_pkey",
    "audiobooks/{book}/history": "event_revision_once",
    "works/{work}": "audiobooks_work",
    "contributors/{person}": "credits_contributor",
    "series": "series_title",
    "series?q=series%2017": "series_title",
    "series/{series}": "series_entry_order",
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_table_is_read_from_end_to_end(question: str) -> None:
    """Proves the guard indexes: without the one that is named, this goes red."""
    ((book, work),) = sql.rows("SELECT id, work_id FROM audiobooks ORDER BY id LIMIT 1 OFFSET 500")
    named = question.format(
        book=book,
        work=work,
        person=Contributor.objects.order_by("id")[70].id,
        series=Series.objects.order_by("id")[70].id,
        day=clock.now().date() - dt.timedelta(days=2),
    )
    drop_rival(QUESTIONS[question])
    found = plans(f"/api/{named}")
    assert [read_whole(steps) for steps in found] == [set()] * len(found)
    used = {index for steps in found for index in indexes(steps)}
    assert any(index.startswith(QUESTIONS[question]) for index in used), used


# A feed, and an index that its entries are found by.
FEEDS = {
    "upcoming.rss": "audiobook_upcoming",
    "upcoming.ics": "audiobook_upcoming",
    "upcoming.json?marketplace=us": "audiobook_due",
    "upcoming.atom?q=w15": "audiobook_search",
    "authors/{person}.rss": "credits_contributor",
    "authors/{person}.ics": "credits_contributor",
    "series/{series}.atom": "series_entry_order",
    "series/{series}.ics": "series_entry_order",
}


@pytest.mark.parametrize("feed", FEEDS)
def test_a_feed_reads_no_table_from_end_to_end(feed: str) -> None:
    """Proves the guard indexes, for the entries of public feeds."""
    named = feed.format(
        person=Contributor.objects.order_by("id")[70].id,
        series=Series.objects.order_by("id")[70].id,
    )
    drop_rival(FEEDS[feed])
    with CaptureQueriesContext(connection) as asked:
        answer = APIClient().get(f"/feeds/{named}")
    assert answer.status_code == 200
    found = [plan_of(each["sql"]) for each in asked if "FROM clock" not in each["sql"]]
    assert [read_whole(steps) for steps in found] == [set()] * len(found)
    used = {index for steps in found for index in indexes(steps)}
    assert any(index.startswith(FEEDS[feed]) for index in used), used


@pytest.mark.parametrize("ordering", ["release_date", "-release_date", "title"])
def test_a_later_page_begins_where_the_one_before_ended(ordering: str) -> None:
    """A page in the middle reads no more than the first: its cursor bounds the index."""
    page = APIClient().get(f"/api/audiobooks?ordering={ordering}&page_size=200").json()
    ((steps),) = plans(page["next"])
    assert read_whole(steps) == set()
    (scan,) = [step for step in steps if step.get("Index Name", "").startswith("audiobook_by")]
    assert "Index Cond" in scan


def test_the_latest_checks_are_found_by_their_index() -> None:
    with CaptureQueriesContext(connection) as asked:
        assert control_asins(marketplace="us", limit=3, excluded=[])
    (steps,) = [plan_of(query["sql"]) for query in asked]
    assert read_whole(steps) == set()
    assert "check_last_checked" in indexes(steps)


def test_the_oldest_checks_are_found_by_their_index() -> None:
    oldest = AudiobookCheck.objects.order_by("last_checked_at")[:100]
    assert indexes(plan_of(str(oldest.query))) == {"check_last_checked"}
