"""Pages by key: as quick and exact for the thousandth page as for the first."""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError as FieldError
from django.db.models import Model, Q, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

SIZE = 50
SIZE_MAX = 200


class KeysetPagination(BasePagination):
    """Follows a view's `keyset`: fields that order its rows and together name one row.

    Rows are models or dictionaries; of the latter, annotations may be among the fields.
    All ascending, or all descending with a `-` before each. The cursor holds their values in the
    last row of a page; it is no secret, and made-up ones are harmless.
    """

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any]:
        keyset: Sequence[str] = getattr(view, "keyset", ("id",))
        asked = request.query_params
        cursor = asked.get("cursor", "")
        rows, following = page_of(queryset, keyset, cursor, size_of(asked))
        self.following = following and replace_query_param(
            request.build_absolute_uri(), "cursor", following
        )
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self.following, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        following = {
            "type": ["string", "null"],
            "format": "uri",
            "description": "The next page; null on the last.",
        }
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {"next": following, "results": schema},
        }

    def get_schema_operation_parameters(self, _view: APIView) -> list[dict[str, Any]]:
        size = {"type": "integer", "minimum": 1, "maximum": SIZE_MAX, "default": SIZE}
        return [
            {
                "name": "cursor",
                "in": "query",
                "description": "From `next` of the page before.",
                "schema": {"type": "string"},
            },
            {"name": "page_size", "in": "query", "schema": size},
        ]


def page_of(
    rows: Any, keyset: Sequence[str], cursor: str, size: int
) -> tuple[list[Any], str | None]:
    """At most `size` rows behind the cursor's, and the cursor of the page after them, if any."""
    ordered = behind(rows.order_by(*keyset), keyset, cursor)
    found = list(ordered[: size + 1])
    is_cut = len(found) > size
    return found[:size], cursor_of(_values_of(found[size - 1], keyset)) if is_cut else None


def size_of(asked: Mapping[str, str]) -> int:
    """How many rows a query string asks for; ValidationError where it can't be meant."""
    text = asked.get("page_size") or str(SIZE)
    size = int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else 0
    if not 1 <= size <= SIZE_MAX:
        raise ValidationError({"page_size": [f"This is a number from 1 to {SIZE_MAX}."]})
    return size


def cursor_of(values: Iterable[Any]) -> str:
    """Names the row whose keyset has these values."""
    texts = json.dumps([str(value) for value in values])
    return base64.urlsafe_b64encode(texts.encode()).decode().rstrip("=")


def _values_of(row: Model | Mapping[str, Any], keyset: Sequence[str]) -> list[Any]:
    names = [name.lstrip("-") for name in keyset]
    return [row[name] if isinstance(row, Mapping) else getattr(row, name) for name in names]


def behind(rows: QuerySet[Any, Any], keyset: Sequence[str], cursor: str) -> QuerySet[Any, Any]:
    """Those after the row that the cursor names; ValidationError where it is none of ours."""
    if not cursor:
        return rows
    values = _values(cursor, rows, keyset)
    direction = "lt" if keyset[0].startswith("-") else "gt"
    names = [name.lstrip("-") for name in keyset]
    behind = Q()
    for place, name in enumerate(names):
        same = dict(zip(names[:place], values, strict=False))
        behind |= Q(**same, **{f"{name}__{direction}": values[place]})
    # Implied by the rest, but said so that an index on the first field is of use.
    return rows.filter(behind, **{f"{names[0]}__{direction}e": values[0]})


def _values(cursor: str, rows: QuerySet[Any], keyset: Sequence[str]) -> list[Any]:
    fields = [_field(rows, name.lstrip("-")) for name in keyset]
    try:
        texts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return [
            field.clean(_sayable(str(text)), None)
            for field, text in zip(fields, texts, strict=True)
        ]
    except (FieldError, binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise ValidationError({"cursor": ["This is no cursor of ours."]}) from error


def _field(rows: QuerySet[Any], name: str) -> Any:
    annotation = rows.query.annotations.get(name)
    return annotation.output_field if annotation else rows.model._meta.get_field(name)


def _sayable(text: str) -> str:
    """`text`; ValueError if PostgreSQL can't hold it."""
    if "\0" in text:
        raise ValueError("a zero")
    text.encode()  # halves of characters can't be
    return text
