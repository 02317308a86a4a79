"""Which places of a series are missing."""

from decimal import Decimal

import pytest

from catalog.series_order import Span, gaps, span

SPANS: dict[tuple[str, str | None], Span | None] = {
    ("1", "1"): (1, 1),
    ("0", "0"): (0, 0),
    ("Book 4", "4"): (4, 4),
    ("2.5", "2.5"): None,
    ("", None): None,
    ("1-3", "1"): (1, 3),
    ("Books 1 \u2013 3", "1"): (1, 3),
    ("3-1", "3"): (3, 3),
    ("1-999999", "1"): (1, 1),
    ("2019-12", "2019"): (2019, 2019),
    ("9" * 5000 + "-" + "9" * 5000, None): (999999, 999999),
}


@pytest.mark.parametrize(("sequence", "position"), SPANS)
def test_a_place_covers_whole_numbers(sequence: str, position: str | None) -> None:
    found = span(sequence, Decimal(position) if position is not None else None)
    assert found == SPANS[sequence, position]


GAPS: list[tuple[list[Span], list[Span]]] = [
    ([], []),
    ([(1, 1)], []),
    ([(1, 1), (2, 2), (3, 3)], []),
    ([(1, 1), (4, 4)], [(2, 3)]),
    ([(3, 3)], [(1, 2)]),
    ([(0, 0), (2, 2)], [(1, 1)]),
    ([(5, 5), (1, 3)], [(4, 4)]),
    ([(1, 9), (2, 2), (11, 11)], [(10, 10)]),
    ([(1, 1), (1, 1), (3, 3), (3, 3)], [(2, 2)]),
    ([(2019, 2019), (2021, 2021)], [(2020, 2020)]),
    ([(1, 1), (999_999, 999_999)], [(2, 999_998)]),
]


@pytest.mark.parametrize(("spans", "missing"), GAPS)
def test_gaps_are_what_no_span_covers(spans: list[Span], missing: list[Span]) -> None:
    assert gaps(spans) == missing
    assert gaps(reversed(spans)) == missing
