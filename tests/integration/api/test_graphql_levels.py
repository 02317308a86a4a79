"""One statement a level: for every way through what GraphQL offers."""

import datetime as dt
from typing import Any, Final

from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from api.graphql.measures import DEPTH
from catalog.models import Contributor, Series, Work
from tests.graphql_asking import ask, shelve, watch
from tests.graphql_schema import Step, along, of_field, roots, ways

# Statements of the field at the top; the clock is one, and so are routes and namesakes of watches.
OF_ROOTS: Final = {
    "audiobooks": 1,
    "upcoming": 2,
    "work": 1,
    "series": 1,
    "contributor": 1,
    "watches": 3,
    "channels": 1,
}
# Steps that look something up; all others come with what they are of.
LOOKED_UP: Final = {
    ("Audiobook", "work"),
    ("Audiobook", "history"),
    ("Credit", "contributor"),
    ("Contributor", "audiobooks"),
    ("Place", "series"),
    ("Series", "entries"),
    ("SeriesEntry", "audiobook"),
    ("Work", "editions"),
    ("Watch", "channels"),
}


def all_ways() -> list[tuple[str, tuple[Step, ...]]]:
    found = []
    for path, field in roots().items():
        kind, name = path.split(".")
        start = of_field(field)
        if kind == "Query" and start:
            found += [(name, way) for way in ways(start)]
    return found


def document_of(name: str, way: tuple[Step, ...]) -> str:
    field = roots()[f"Query.{name}"]
    start = of_field(field)
    assert start
    return f"query Q {{ {name}{arguments_of(name)} {along(way, start)} }}"


def arguments_of(name: str) -> str:
    rows: Any = {"work": Work, "series": Series, "contributor": Contributor}.get(name)
    if rows is None:
        return "(pageSize: 2)"
    return f'(id: "{rows.objects.order_by("id").values_list("id", flat=True)[0]}")'


def statements(client: APIClient, document: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        ask(client, document)
    return len(captured)


def test_every_root_is_counted_and_every_step_is_on_a_way() -> None:
    names = {path.removeprefix("Query.") for path in roots() if path.startswith("Query.")}
    assert names == OF_ROOTS.keys()
    assert {step for _, way in all_ways() for step in way} >= LOOKED_UP
    assert max(len(way) for _, way in all_ways()) == DEPTH - 2


def test_each_level_is_one_statement_however_many_rows_it_has(
    alice: User, now: dt.datetime, fresh_limits: None
) -> None:
    """Proves the guard Level, for every way through the schema."""
    shelve(now, 8)
    watch(alice, now, 4)
    client = APIClient()
    client.force_authenticate(alice)
    for name, way in all_ways():
        document = document_of(name, way)
        levels = OF_ROOTS[name] + len(LOOKED_UP.intersection(way))
        assert statements(client, document) == levels, document
    assert len(all_ways()) > 100


def test_what_is_asked_by_other_names_is_looked_up_once(
    anybody: APIClient, now: dt.datetime
) -> None:
    shelve(now, 4)
    document = "{ audiobooks { results { work { id } again: work { title } } } }"
    assert statements(anybody, document) == 2
    sizes = "{ audiobooks(pageSize: 9) { results { a: history(pageSize: 1) { kind } b: history(pageSize: 2) { kind } } } }"
    assert statements(anybody, sizes) == 3
