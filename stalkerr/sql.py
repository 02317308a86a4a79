"""SQL written by hand: statements that touch many rows at once."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

import orjson
import psycopg
from django.db import connection

Parameters = Sequence[Any] | Mapping[str, Any]


def rows(statement: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
    """What a statement returns; of one that returns nothing, nothing."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


def prepared(statement: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
    """As `rows`, for what is asked over and over: planned once for each connection.

    Planning a statement over partitions costs more than running it. Not where the best plan depends
    on the values, as with the fan-out.
    """
    connection.ensure_connection()
    make = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    raw: Any = _Preparing(connection.connection)
    with make(raw) as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


def by_index() -> None:
    """Until the end of this transaction, what has an index is read by it, in its order.

    For loose scans over what comes in bursts: statistics of an hour ago say that nothing waits,
    and the planner then sorts all of it for every step.
    """
    prepared(
        "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)"
    )


class _Preparing(psycopg.Cursor[Any]):
    """Django's own cursors put values into the text, so that nothing could be prepared."""

    def execute(self, query: Any, params: Any = None, **_: Any) -> Self:
        return super().execute(query, params, prepare=True)


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
