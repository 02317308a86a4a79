"""One id from a visit to the last message that came of it, and on every line of a log between.

It is bound to the context (structlog's), kept on the rows that outlive a process (Visit and
ReleaseEvent), and passed along with hints to the broker. Nothing depends on it: who finds none begins
a new one. It has the shape of a trace id of OpenTelemetry: 32 hexadecimal digits.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from structlog.contextvars import bound_contextvars, get_contextvars

HEADER: Final = "stalkerr_trace_id"  # of a message to the broker
_ID: Final = re.compile(r"[0-9a-f]{32}")


def new_id() -> str:
    return os.urandom(16).hex()


def current() -> str | None:
    """The id of what goes on here, or None where nobody began."""
    found = get_contextvars().get("trace_id")
    return found if isinstance(found, str) else None


def known(text: Any) -> str | None:
    """The id that this is; what a message or a person says need not be one."""
    spelled = str(text).replace("-", "").lower() if text else ""
    return spelled if _ID.fullmatch(spelled) else None


def headers() -> Mapping[str, str]:
    """What goes along with a hint."""
    trace_id = current()
    return {HEADER: trace_id} if trace_id else {}


@contextmanager
def traced(trace_id: str | None = None, **names: Any) -> Iterator[str]:
    """Within, that trace goes on (without one: a new one), and lines of the log bear `names`."""
    begun = trace_id or new_id()
    with bound_contextvars(trace_id=begun, **names):
        yield begun
