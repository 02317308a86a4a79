"""SQL written by hand: statements that touch many rows at once."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.db import connection

Parameters = Sequence[Any] | Mapping[str, Any]


def rows(statement: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
    """What a statement returns; of one that returns nothing, nothing."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


def count(statement: str, parameters: Parameters = ()) -> int:
    """How many rows a statement touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return int(cursor.rowcount)


def as_json(value: Any) -> str:
    """A parameter for jsonb_to_recordset and the like; moments and days in their ISO spelling."""
    return orjson.dumps(value).decode()


def parsed(value: Any) -> Any:
    """jsonb of a raw cursor: Django hands it over as text."""
    return json.loads(value) if isinstance(value, str) else value
