"""What exists, as GraphQL shows it. Rows come from the statements that REST asks (api/catalogue.py)."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Self

import strawberry
import strawberry_django

from api.catalogue import Record, shown
from api.graphql import rows
from api.graphql.levels import Level
from api.rest.paging import SIZE
from catalog import models


@strawberry_django.type(models.Contributor, description="Who wrote, read or made something.")
class Contributor:
    id: strawberry.auto
    asin: strawberry.auto
    name: strawberry.auto
    level: strawberry.Private[Level[models.Contributor]]

    @classmethod
    def all_of(cls, people: Sequence[models.Contributor]) -> "list[Self]":
        level = Level(people)
        return [cls(id=row.pk, asin=row.asin, name=row.name, level=level) for row in people]

    @strawberry.field(description="In any role, or in one; the latest first.")
    def audiobooks(self, role: str | None = None, page_size: int = SIZE) -> "list[Audiobook]":
        return self.level.once(audiobooks_of_people, role, page_size)[self.id]


@strawberry.type(description="A role that somebody has on an audiobook.")
class Credit:
    role: str
    name: str
    level: strawberry.Private[Level[Record]]
    contributor_id: strawberry.Private[int]

    @strawberry.field
    def contributor(self) -> Contributor:
        return self.level.once(contributors_of)[self.contributor_id]


@strawberry_django.type(models.Work, description="What the editions of one book have in common.")
class Work:
    id: strawberry.auto
    title: strawberry.auto
    level: strawberry.Private[Level[models.Work]]

    @classmethod
    def all_of(cls, works: Sequence[models.Work]) -> "list[Self]":
        level = Level(works)
        return [cls(id=row.pk, title=row.title, level=level) for row in works]

    @strawberry.field(description="Recordings, re-issues and marketplaces, by date.")
    def editions(self, page_size: int = SIZE) -> "list[Audiobook]":
        return self.level.once(editions_of, page_size)[self.id]


@strawberry_django.type(models.Series, description="A series in one marketplace.")
class Series:
    id: strawberry.auto
    marketplace: strawberry.auto
    asin: strawberry.auto
    title: strawberry.auto
    level: strawberry.Private[Level[models.Series]]

    @classmethod
    def all_of(cls, found: Sequence[models.Series]) -> "list[Self]":
        level = Level(found)
        return [
            cls(id=row.pk, marketplace=row.marketplace, asin=row.asin, title=row.title, level=level)
            for row in found
        ]

    @strawberry.field(description="In the series' order; not numbered ones last.")
    def entries(self, page_size: int = SIZE) -> "list[SeriesEntry]":
        return self.level.once(entries_of, page_size)[self.id]


@strawberry.type(description="An audiobook's place in a series.")
class SeriesEntry:
    sequence: str = strawberry.field(description="As sold, such as 1-3; empty: not numbered.")
    position: float | None = strawberry.field(description="Sortable.")
    level: strawberry.Private[Level[Record]]
    audiobook_id: strawberry.Private[int]

    @strawberry.field
    def audiobook(self) -> "Audiobook":
        return self.level.once(audiobooks_of_entries)[self.audiobook_id]


@strawberry.type(description="The series that an audiobook is in, and where.")
class Place:
    title: str
    sequence: str = strawberry.field(description="As sold, such as 1-3; empty: not numbered.")
    level: strawberry.Private[Level[Record]]
    series_id: strawberry.Private[int]

    @strawberry.field
    def series(self) -> Series:
        return self.level.once(series_of)[self.series_id]


@strawberry.type(description="A piece of news, published.")
class News:
    event_id: strawberry.ID = strawberry.field(description="As in webhooks and /api/events.")
    revision: int
    kind: str
    seen_at: dt.datetime
    old_date: dt.date | None
    new_date: dt.date | None
    found_late: bool
    unconfirmed: bool


@strawberry.type(description="One recording sold in one marketplace.")
class Audiobook:
    id: strawberry.ID
    marketplace: str
    asin: str
    title: str
    subtitle: str
    release_date: dt.date | None = strawberry.field(description="On the store's calendar.")
    language: str
    publisher: str
    runtime_minutes: int | None
    format_type: str
    kind: str
    voice: str
    cover_url: str
    url: str
    summary: str
    first_seen_at: dt.datetime
    out_at: dt.datetime | None
    withdrawn_at: dt.datetime | None
    authors: list[str]
    narrators: list[str]
    people: list[Credit]
    series: list[Place]
    level: strawberry.Private[Level[Record]]
    work_id: strawberry.Private[int]

    @classmethod
    def all_of(cls, records: Sequence[Record]) -> "list[Self]":
        level = Level(records)
        return [cls._one_of(record, level) for record in records]

    @classmethod
    def _one_of(cls, record: Record, level: Level[Record]) -> "Self":
        facts = shown(record) | {
            "people": [
                Credit(role=each["role"], name=each["name"], contributor_id=each["id"], level=level)
                for each in record["people"]
            ],
            "series": [
                Place(
                    title=each["title"],
                    sequence=each["sequence"],
                    series_id=each["id"],
                    level=level,
                )
                for each in record["series"]
            ],
        }
        return cls(level=level, **facts)

    @strawberry.field
    def work(self) -> Work:
        return self.level.once(works_of)[self.work_id]

    @strawberry.field(description="What happened to it, oldest first.")
    def history(self, page_size: int = SIZE) -> list[News]:
        return self.level.once(history_of, page_size)[int(self.id)]


# -- a level further ----------------------------------------------------------------------------


def works_of(records: Sequence[Record]) -> Mapping[int, Work]:
    works = rows.by_id(models.Work, (record["work_id"] for record in records))
    return {work.id: work for work in Work.all_of(works)}


def contributors_of(records: Sequence[Record]) -> Mapping[int, Contributor]:
    ids = (person["id"] for record in records for person in record["people"])
    return {each.id: each for each in Contributor.all_of(rows.by_id(models.Contributor, ids))}


def series_of(records: Sequence[Record]) -> Mapping[int, Series]:
    ids = (place["id"] for record in records for place in record["series"])
    return {each.id: each for each in Series.all_of(rows.by_id(models.Series, ids))}


def history_of(records: Sequence[Record], size: int) -> Mapping[int, list[News]]:
    found = rows.history([record["id"] for record in records], size)
    return {audiobook_id: [_news(event) for event in each] for audiobook_id, each in found.items()}


def editions_of(works: Sequence[models.Work], size: int) -> Mapping[int, list[Audiobook]]:
    return _shelves(rows.editions([work.pk for work in works], size))


def audiobooks_of_people(
    people: Sequence[models.Contributor], role: str | None, size: int
) -> Mapping[int, list[Audiobook]]:
    return _shelves(rows.audiobooks_of([each.pk for each in people], role, size))


def entries_of(found: Sequence[models.Series], size: int) -> Mapping[int, list[SeriesEntry]]:
    entries = rows.entries([each.pk for each in found], size)
    level = Level([entry for each in entries.values() for entry in each])
    return {
        series_id: [SeriesEntry(level=level, **_of_entry(entry)) for entry in each]
        for series_id, each in entries.items()
    }


def audiobooks_of_entries(entries: Sequence[Record]) -> Mapping[int, Audiobook]:
    found = rows.audiobooks({entry["audiobook_id"] for entry in entries})
    return {int(each.id): each for each in Audiobook.all_of(found)}


def _news(event: Record) -> News:
    facts = {name: event[name] for name in event if name not in ("id", "audiobook_id")}
    return News(event_id=strawberry.ID(str(event["id"])), **facts)


def _of_entry(entry: Record) -> dict[str, Any]:
    position = entry["position"]
    return {
        "sequence": entry["sequence"],
        "position": None if position is None else float(position),
        "audiobook_id": entry["audiobook_id"],
    }


def _shelves(found: Mapping[int, Sequence[Record]]) -> Mapping[int, list[Audiobook]]:
    """Of each owner its audiobooks; one that several have is one row of the level."""
    records = {record["id"]: record for each in found.values() for record in each}
    books = {int(book.id): book for book in Audiobook.all_of(list(records.values()))}
    return {owner: [books[record["id"]] for record in each] for owner, each in found.items()}
