"""Statements for many rows of one level at once, each with a bound for every one of them."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar

from django.db.models import F, Model, QuerySet, Value, Window
from django.db.models.functions import Coalesce, DenseRank

from api.catalogue import Record, records
from catalog.models import Audiobook, Credit, ReleaseEvent, SeriesEntry

ModelT = TypeVar("ModelT", bound=Model)

_NEWS = (
    *("audiobook_id", "id", "revision", "kind", "seen_at", "old_date", "new_date"),
    *("found_late", "unconfirmed"),
)


def by_id(model: type[ModelT], ids: Iterable[int]) -> list[ModelT]:
    return list(model._default_manager.filter(pk__in=set(ids)))


def audiobooks(ids: Collection[int]) -> list[Record]:
    return list(records(Audiobook.objects.shown().filter(pk__in=ids)))


def editions(works: Collection[int], size: int) -> Mapping[int, list[Record]]:
    """Of each work its first ones, by date."""
    shown = Audiobook.objects.shown().filter(work__in=works)
    first = _first(shown, "work", ["release_date", "id"], size)
    found = records(Audiobook.objects.filter(pk__in=first.values("pk")))
    return _grouped(works, found.order_by("release_date", "id"), "work_id")


def audiobooks_of(
    people: Collection[int], role: str | None, size: int
) -> Mapping[int, list[Record]]:
    """Of each contributor the latest in which they have that role, or any."""
    credits = Credit.objects.filter(contributor__in=people, audiobook__hidden_at=None)
    if role is not None:
        credits = credits.filter(role=role)
    day = Coalesce("audiobook__release_date", Value(dt.date.min))
    order = [day.desc(), F("audiobook").desc()]
    latest = _first(credits, "contributor", order, size).values("audiobook")
    found = records(Audiobook.objects.sortable().filter(pk__in=latest)).order_by("-day", "-id")
    shelves: dict[int, list[Record]] = {person: [] for person in people}
    for record in found:
        for person in _with_role(record, role):
            # One that another person brought here may be too many for this one.
            if person in shelves and len(shelves[person]) < size:
                shelves[person].append(record)
    return shelves


def history(ids: Collection[int], size: int) -> Mapping[int, list[Record]]:
    """Of each audiobook its first pieces of news, oldest first."""
    events = ReleaseEvent.objects.public().filter(audiobook__in=ids)
    found = _first(events, "audiobook", ["revision"], size).order_by("revision").values(*_NEWS)
    return _grouped(ids, found, "audiobook_id")


def entries(series: Collection[int], size: int) -> Mapping[int, list[Record]]:
    """Of each series its first places, in its order."""
    order = [
        F("position").asc(nulls_last=True),
        F("audiobook__release_date").asc(nulls_last=True),
        F("id").asc(),
    ]
    shown = SeriesEntry.objects.filter(series__in=series, audiobook__hidden_at=None)
    first = _first(shown, "series", order, size)
    found = first.order_by(*order).values("series_id", "audiobook_id", "sequence", "position")
    return _grouped(series, found, "series_id")


def _first(rows: Any, owner: str, order: list[Any], size: int) -> QuerySet[Any]:
    """Of each owner the first `size`, with all that share a place."""
    place = Window(DenseRank(), partition_by=F(owner), order_by=order)
    found: QuerySet[Any] = rows.order_by().annotate(place=place).filter(place__lte=size)
    return found


def _with_role(record: Record, role: str | None) -> set[int]:
    return {each["id"] for each in record["people"] if role in (None, each["role"])}


def _grouped(owners: Collection[int], found: Any, name: str) -> Mapping[int, list[Record]]:
    groups: dict[int, list[Record]] = {owner: [] for owner in owners}
    for record in found:
        groups[record[name]].append(record)
    return groups
