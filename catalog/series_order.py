"""A series in its order: which of its places nobody sells. Pure."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

Span = tuple[int, int]  # first and last whole number

# Series that begin later count something else than books: years, issues.
_COUNTED_FROM_ONE: Final = 20
_WIDEST: Final = 100  # books in one volume; more are two numbers that only look like a span
_SPAN: Final = re.compile(r"(\d{1,6})\s*[-\u2013\u2014~]\s*(\d{1,6})")


def span(sequence: str, position: Decimal | None) -> Span | None:
    """The whole numbers that a place covers: "1-3" is three books, "2.5" is none."""
    if found := _SPAN.search(sequence):
        first, last = int(found[1]), int(found[2])
        if first <= last <= first + _WIDEST:
            return first, last
    if position is None or position != int(position):
        return None
    return int(position), int(position)


def gaps(spans: Iterable[Span]) -> list[Span]:
    """The whole numbers between the first book and the last that no span covers, as spans."""
    missing: list[Span] = []
    covered = sorted(spans)
    if not covered:
        return missing
    lowest = covered[0][0]
    awaited = min(1, lowest) if lowest <= _COUNTED_FROM_ONE else lowest
    for first, last in covered:
        if first > awaited:
            missing.append((awaited, first - 1))
        awaited = max(awaited, last + 1)
    return missing
