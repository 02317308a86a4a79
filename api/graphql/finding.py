"""What lists of audiobooks can be asked: the filters of REST, their names in camelCase."""

import datetime as dt
from typing import Any

import strawberry
from django.http import QueryDict
from django_filters.utils import translate_validation

from api.catalogue import AudiobookFilter, CatalogueFilter, Rows, keyset, records
from api.graphql.asking import body_of
from api.graphql.catalogue import Audiobook
from api.graphql.pages import Page, page
from api.upcoming import UpcomingFilter
from catalog import models
from stalkerr import clock


@strawberry.input(
    description="As the parameters of /api/audiobooks; /api/docs says what each means."
)
class AudiobookWhere:
    marketplace: list[str] | None = strawberry.UNSET
    language: str | None = strawberry.UNSET
    q: str | None = strawberry.UNSET
    release_after: dt.date | None = strawberry.UNSET
    release_before: dt.date | None = strawberry.UNSET
    person_id: strawberry.ID | None = strawberry.UNSET
    role: str | None = strawberry.UNSET
    series_id: strawberry.ID | None = strawberry.UNSET
    publisher: str | None = strawberry.UNSET
    genre: str | None = strawberry.UNSET
    kind: list[str] | None = strawberry.UNSET
    ordering: str | None = strawberry.UNSET


@strawberry.input(description="As the parameters of /api/upcoming; /api/docs says what each means.")
class UpcomingWhere:
    marketplace: list[str] | None = strawberry.UNSET
    language: str | None = strawberry.UNSET
    q: str | None = strawberry.UNSET
    from_date: dt.date | None = strawberry.UNSET
    to_date: dt.date | None = strawberry.UNSET
    author: str | None = strawberry.UNSET
    series: str | None = strawberry.UNSET


def audiobooks(where: AudiobookWhere | None, cursor: str, size: int) -> Page[Audiobook]:
    asked = _asked(where)
    keys = keyset({name: str(asked.get(name, "")) for name in ("q", "ordering")})
    found = _filtered(AudiobookFilter, asked, models.Audiobook.objects.shown().sortable())
    columns = [name.lstrip("-") for name in keys]
    return page(records(found, *columns), keys, cursor, size, Audiobook.all_of)


def upcoming(where: UpcomingWhere | None, cursor: str, size: int) -> Page[Audiobook]:
    rows = models.Audiobook.objects.upcoming(clock.now())
    found = _filtered(UpcomingFilter, _asked(where), rows)
    return page(records(found), ("release_date", "id"), cursor, size, Audiobook.all_of)


def _asked(where: AudiobookWhere | UpcomingWhere | None) -> QueryDict:
    """As a query string says it."""
    asked = QueryDict(mutable=True)
    for name, value in body_of(where).items() if where else ():
        if value is not None:
            asked.setlist(
                name, [str(each) for each in value] if isinstance(value, list) else [str(value)]
            )
    return asked


def _filtered(asks: type[CatalogueFilter], asked: QueryDict, rows: Rows) -> Any:
    filters = asks(asked, rows)
    if not filters.is_valid():
        raise translate_validation(filters.errors)
    return filters.qs
