"""How many statements the database is asked, by whatever way they go there."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from psycopg.pq import Trace


class Asked:
    """Statements so far; whole once its block is left."""

    count = 0


@contextmanager
def statements() -> Iterator[Asked]:
    """Counts what this thread's connection sends within the block."""
    asked = Asked()
    connection.ensure_connection()
    pgconn = connection.connection.pgconn
    with tempfile.TemporaryFile("w+") as trace:
        pgconn.trace(trace.fileno())
        pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
        try:
            yield asked
        finally:
            pgconn.untrace()
            trace.seek(0)
            asked.count = len(re.findall(r"^F\t\d+\t(?:Parse|Query)\t", trace.read(), re.MULTILINE))
