import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from catalog.listing import CreditLine, Listing, SeriesPlace

TIDE = Listing(
    marketplace="us",
    asin="B000000001",
    url="https://www.audible.com/pd/B000000001",
    title="The Glass Tide",
    release_date=dt.date(2030, 5, 1),
    credits=(CreditLine("Ada Lund", None, "author"),),
    series=(SeriesPlace("B0SERIES01", "Tides", "1"), SeriesPlace(None, "Coast", None)),
    genres=(("1", "Fantasy"), ("2", "Sea")),
    raw={"asin": "B000000001"},
)


@pytest.mark.parametrize(
    "change",
    [
        {"marketplace": "uk"},
        {"title": "The Glass Tides"},
        {"subtitle": "A Novel"},
        {"release_date": dt.date(2030, 5, 2)},
        {"publication_at": dt.datetime(2030, 5, 1, 7, tzinfo=dt.UTC)},
        {"launched_at": dt.datetime(2029, 5, 1, 7, tzinfo=dt.UTC)},
        {"publisher": "Lamp"},
        {"runtime_minutes": 600},
        {"credits": (CreditLine("Ada Lund", None, "editor"),)},
        {"series": (SeriesPlace("B0SERIES01", "Tides", "2"),)},
        {"genres": (("1", "Fantasy"),)},
        {"cover_url": "https://example.org/1.jpg"},
        {"summary": "Waves."},
        {"isbn": "1"},
        {"url": "https://example.org/"},
        {"delivery_type": "MultiPartBook"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_fact_changes_the_fingerprint(change: dict[str, Any]) -> None:
    assert replace(TIDE, **change).fingerprint() != TIDE.fingerprint()


def test_the_raw_record_and_the_order_of_series_and_genres_do_not() -> None:
    shuffled = replace(TIDE, raw={"other": 1}, series=TIDE.series[::-1], genres=TIDE.genres[::-1])
    assert shuffled.fingerprint() == TIDE.fingerprint()


def test_the_fingerprint_is_the_same_in_another_process() -> None:
    # A value, not hash(): it is compared with what another worker stored.
    assert TIDE.fingerprint() == "717a98072d61d2eef77058fb7815f45a"


def test_only_a_series_object_is_one() -> None:
    assert replace(TIDE, delivery_type="BookSeries").is_series_object
    assert not TIDE.is_series_object
