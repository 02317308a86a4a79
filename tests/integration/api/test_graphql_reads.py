"""What GraphQL answers about the catalogue, watches and channels: the facts that REST has."""

import datetime as dt
from typing import Any, Final

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from catalog.listing import SeriesPlace
from catalog.models import Audiobook, Contributor, Credit, Series
from catalog.services import publish_events
from tests.factories import make_audiobook
from tests.graphql_asking import ask, problems, shelve, watch
from tests.graphql_schema import of_field, roots


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.title() for each in others)


PLAIN: Final = (
    *("id", "marketplace", "asin", "title", "subtitle", "release_date", "language", "publisher"),
    *("runtime_minutes", "format_type", "kind", "voice", "cover_url", "url", "summary"),
    *("first_seen_at", "out_at", "withdrawn_at", "authors", "narrators"),
)


def same(mine: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether both say the same; ids are text here, and moments end otherwise."""

    def plain(value: Any) -> Any:
        return str(value).replace("+00:00", "Z") if isinstance(value, int | str) else value

    return {name: plain(mine[camel(name)]) for name in PLAIN} == {
        name: plain(theirs[name]) for name in PLAIN
    }


FACTS: Final = " ".join(camel(name) for name in PLAIN)


@pytest.mark.parametrize(
    ("where", "query"),
    [
        ({}, ""),
        ({"q": "ada 3"}, "q=ada 3"),
        ({"marketplace": ["us", "de"], "ordering": "title"}, "marketplace=us&ordering=title"),
        ({"releaseAfter": "2027-01-01", "kind": ["single"]}, "release_after=2027-01-01"),
        ({"marketplace": ["jp"]}, "marketplace=jp"),
        ({"language": "ENGLISH", "q": None}, "language=english"),
    ],
)
def test_a_list_holds_what_rest_has(
    anybody: APIClient, now: dt.datetime, where: dict[str, Any], query: str
) -> None:
    shelve(now, 6)
    document = f"query ($w: AudiobookWhere) {{ audiobooks(where: $w) {{ results {{ {FACTS} }} }} }}"
    mine = ask(anybody, document, w=where)["audiobooks"]["results"]
    theirs = anybody.get(f"/api/audiobooks?{query}").json()["results"]
    assert len(mine) == len(theirs)
    assert all(same(*each) for each in zip(mine, theirs, strict=True))


def test_people_and_series_are_asked_for_by_their_ids(anybody: APIClient, now: dt.datetime) -> None:
    shelve(now, 4)
    person = Contributor.objects.get(name="Author 1")
    series = Series.objects.get(title="Series 0")
    document = "query ($w: AudiobookWhere) { audiobooks(where: $w) { results { authors } } }"
    hers = ask(anybody, document, w={"personId": person.pk, "role": "author"})["audiobooks"]
    its = ask(anybody, document, w={"seriesId": str(series.pk)})["audiobooks"]
    assert hers["results"] == [{"authors": ["Author 1", "Ada Example"]}] * 2
    assert its["results"] == [{"authors": ["Author 0", "Ada Example"]}] * 2


def test_pages_follow_each_other_to_the_end(anybody: APIClient, now: dt.datetime) -> None:
    shelve(now, 6)
    document = 'query ($c: String! = "") { %s(cursor: $c, pageSize: 2) { next results { id } } }'
    for name in ("audiobooks", "upcoming"):
        seen, cursor = [], ""
        while cursor is not None:
            page = ask(anybody, document % name, c=cursor)[name]
            seen += [row["id"] for row in page["results"]]
            cursor = page["next"]
        assert len(seen) == len(set(seen)) == 6
        assert seen == sorted(seen, key=int, reverse=name == "audiobooks")


def test_a_cursor_of_rest_is_good_here_too(anybody: APIClient, now: dt.datetime) -> None:
    shelve(now, 4)
    following = anybody.get("/api/audiobooks?page_size=2").json()["next"]
    cursor = following.partition("cursor=")[2].partition("&")[0]
    document = "query ($c: String!) { audiobooks(cursor: $c) { results { id } } }"
    page = ask(anybody, document, c=cursor)["audiobooks"]
    theirs = anybody.get(following).json()["results"]
    assert [row["id"] for row in page["results"]] == [str(row["id"]) for row in theirs]


def test_only_what_is_still_to_come_is_upcoming(anybody: APIClient, now: dt.datetime) -> None:
    make_audiobook(now=now, out_in=-3)
    soon = make_audiobook(now=now, authors=["Bea Example"])
    document = "query ($w: UpcomingWhere) { upcoming(where: $w) { results { asin } } }"
    assert ask(anybody, document)["upcoming"]["results"] == [{"asin": soon.asin}]
    for where, count in (({"author": "bea"}, 1), ({"author": "ada"}, 0), ({"series": "!"}, 0)):
        assert len(ask(anybody, document, w=where)["upcoming"]["results"]) == count


def test_what_can_not_be_meant_is_said_by_the_names_that_were_given(anybody: APIClient) -> None:
    document = 'query ($w: AudiobookWhere, $c: String! = "") { audiobooks(where: $w, cursor: $c) { next } }'
    (error,) = problems(
        anybody, document, w={"marketplace": ["xx"], "personId": "x", "role": "author"}
    )
    assert error["path"] == ["audiobooks"]
    assert error["extensions"]["status"] == 400
    assert set(error["extensions"]["errors"]) == {"marketplace", "personId"}
    (error,) = problems(anybody, document, c="made up")
    assert error["extensions"]["errors"] == {"cursor": ["This is no cursor of ours."]}


# -- what leads on ------------------------------------------------------------------------------


def test_a_work_has_its_editions_by_date_and_no_more_than_asked(
    anybody: APIClient, now: dt.datetime
) -> None:
    books = [make_audiobook(now=now, out_in=days) for days in (30, 10, 20)]
    others = [make_audiobook(now=now, out_in=days) for days in (5, 40)]
    for group in (books, others):
        ids = [book.pk for book in group]
        Audiobook.objects.filter(id__in=ids).update(work=group[0].work)
    document = "{ audiobooks { results { asin work { editions(pageSize: 2) { asin } } } } }"
    found = {
        row["asin"]: [each["asin"] for each in row["work"]["editions"]]
        for row in ask(anybody, document)["audiobooks"]["results"]
    }
    first, second, third = (book.asin for book in books)
    assert found[first] == found[second] == [second, third]
    assert found[others[1].asin] == [others[0].asin, others[1].asin]


def test_a_person_has_their_latest_and_of_one_role_only_these(
    anybody: APIClient, now: dt.datetime
) -> None:
    """Proves the guard in audiobooks_of: what another person brings along is not too many for one."""
    for days in (10, 20, 30):
        make_audiobook(now=now, out_in=days, title=f"Book {days}", narrators=["Ada Example"])
    make_audiobook(now=now, out_in=40, title="Hers", authors=["Bea"], narrators=["Ada Example"])
    undated = make_audiobook(now=now, out_in=None, title="Undated", authors=["Ada Example", "Bea"])
    ada, bea = (Contributor.objects.get(name=name) for name in ("Ada Example", "Bea"))
    document = "query ($id: ID!, $r: String, $n: Int!) { contributor(id: $id) { audiobooks(role: $r, pageSize: $n) { title } } }"

    def titles(person: Contributor, role: str | None, size: int) -> list[str]:
        answer = ask(anybody, document, id=person.pk, r=role, n=size)
        return [each["title"] for each in answer["contributor"]["audiobooks"]]

    assert titles(ada, None, 2) == ["Hers", "Book 30"]
    assert titles(ada, None, 200) == ["Hers", "Book 30", "Book 20", "Book 10", "Undated"]
    assert titles(ada, "author", 2) == ["Book 30", "Book 20"]
    assert titles(bea, "author", 9) == ["Hers", "Undated"]
    assert titles(bea, "nobody", 9) == []
    both = "{ work(id: %d) { editions { people { name contributor { audiobooks(pageSize: 1) { title } } } } } }"
    (edition,) = ask(anybody, both % undated.work_id)["work"]["editions"]
    assert {each["name"]: each["contributor"]["audiobooks"] for each in edition["people"]} == {
        "Ada Example": [{"title": "Hers"}],
        "Bea": [{"title": "Hers"}],
        "Nora Reader": [{"title": "Undated"}],
    }


def test_a_series_is_in_its_order(anybody: APIClient, now: dt.datetime) -> None:
    for number in ("2", "", "10", "1-3", "1"):
        place = SeriesPlace("B0SERIES01", "The Long Tide", number)
        make_audiobook(now=now, title=f"No. {number}", series=[place])
    series = Series.objects.get()
    document = f"{{ series(id: {series.pk}) {{ title asin marketplace entries(pageSize: %d) {{ sequence position audiobook {{ title }} }} }} }}"
    found = ask(anybody, document % 9)["series"]
    theirs = anybody.get(f"/api/series/{series.pk}").json()["entries"]
    assert [entry["sequence"] for entry in found["entries"]] == [
        each["sequence"] for each in theirs
    ]
    assert [entry["position"] for entry in found["entries"]] == [
        each["position"] for each in theirs
    ]
    assert all(
        entry["audiobook"]["title"] == f"No. {entry['sequence']}" for entry in found["entries"][:4]
    )
    assert ask(anybody, document % 2)["series"]["entries"] == found["entries"][:2]


def test_a_history_is_what_was_published(anybody: APIClient, now: dt.datetime) -> None:
    book = make_audiobook(now=now, asin="B0GLASS001")
    make_audiobook(now=now + dt.timedelta(hours=1), asin="B0GLASS001", out_in=50)
    document = "{ audiobooks { results { history(pageSize: %d) { eventId revision kind seenAt oldDate newDate foundLate unconfirmed } } } }"
    assert ask(anybody, document % 9)["audiobooks"]["results"] == [{"history": []}]
    publish_events()
    ((mine,), theirs) = (
        ask(anybody, document % 9)["audiobooks"]["results"],
        anybody.get(f"/api/audiobooks/{book.pk}/history").json()["results"],
    )
    assert [event["kind"] for event in mine["history"]] == ["announced", "date_moved"]
    assert [
        {name: str(value).replace("+00:00", "Z") for name, value in event.items()}
        for event in mine["history"]
    ] == [{camel(name): str(value) for name, value in event.items()} for event in theirs]
    (first,) = ask(anybody, document % 1)["audiobooks"]["results"][0]["history"]
    assert first == mine["history"][0]


@pytest.mark.parametrize("name", ["work", "series", "contributor"])
@pytest.mark.parametrize(
    "row",
    ["0", "-1", "9999999", str(2**63), "1" * 400, "x", "", "\uff11", "1e3", " 1", "V29yazox", "\0"],
)
def test_what_is_not_there_is_null(anybody: APIClient, name: str, row: str) -> None:
    document = f"query ($id: ID!) {{ {name}(id: $id) {{ id }} }}"
    assert ask(anybody, document, id=row) == {name: None}


def test_credits_without_anybody_known_are_no_trouble(anybody: APIClient, now: dt.datetime) -> None:
    make_audiobook(now=now, authors=[], narrators=[])
    assert not Credit.objects.exists()
    document = (
        "{ audiobooks { results { people { contributor { id } } series { series { id } } } } }"
    )
    assert ask(anybody, document)["audiobooks"]["results"] == [{"people": [], "series": []}]


# -- one's own ----------------------------------------------------------------------------------


def test_watches_and_channels_are_shown_as_rest_shows_them(
    alice: User, bob: User, now: dt.datetime
) -> None:
    watch(alice, now, 3)
    watch(bob, now, 1)
    client = APIClient()
    client.force_authenticate(alice)
    for name in ("watches", "channels"):
        start = of_field(roots()[f"Query.{name}"])
        assert start
        kind = of_field(start.fields["results"])
        assert kind
        fields = " ".join(
            f"{field} {{ asin name titles latest marketplaces }}" if field == "choices" else field
            for field in kind.fields
            if field != "channels"
        )
        channels = "channels { id }" if name == "watches" else ""
        found = ask(client, f"{{ {name} {{ next results {{ {fields} {channels} }} }} }}")[name]
        theirs = client.get(f"/api/{name}").json()
        assert found["next"] is None
        assert [told(row) for row in found["results"]] == [
            {camel(key): value for key, value in row.items()} for row in theirs["results"]
        ]


def told(row: dict[str, Any]) -> dict[str, Any]:
    """With numbers where REST has them."""
    more = {"channels": [int(each["id"]) for each in row["channels"]]} if "channels" in row else {}
    return row | {"id": int(row["id"])} | more


def test_who_is_not_signed_in_has_neither(anybody: APIClient) -> None:
    for name in ("watches", "channels"):
        answer = anybody.post("/graphql", {"query": f"{{ {name} {{ next }} }}"})
        (error,) = answer.json()["errors"]
        assert (answer.json()["data"], error["extensions"]["status"]) == ({name: None}, 401)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/graphql-response+json", "application/graphql-response+json"),
        ("application/graphql-response+json, application/json", "application/json"),
    ],
)
def test_an_answer_is_of_the_type_that_was_asked_for(
    anybody: APIClient, accept: str, content_type: str
) -> None:
    for document, status in (("{ __typename }", 200), ("{ nothing }", 400)):
        answer = anybody.post("/graphql", {"query": document}, headers={"Accept": accept})
        assert (answer.status_code, answer["Content-Type"]) == (status, content_type)
        assert answer["Cache-Control"] == "no-store"
