"""Pages by cursor, with the keys and sizes of REST."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import strawberry

from api.rest.paging import page_of

RowT = TypeVar("RowT")


@strawberry.type
class Page(Generic[RowT]):
    next: str | None = strawberry.field(
        description="The `cursor` of the next page; null: the last."
    )
    results: list[RowT]


def page(
    rows: Any,
    keyset: Sequence[str],
    cursor: str,
    size: int,
    shown: Callable[[list[Any]], list[RowT]],
) -> Page[RowT]:
    """A page of rows, all of them shown at once."""
    found, following = page_of(rows, keyset, cursor, size)
    return Page(next=following, results=shown(found))
