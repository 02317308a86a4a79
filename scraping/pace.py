"""How fast each marketplace may be asked, and by which source: the settings, read. Pure but for them."""

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings

from catalog.marketplaces import MARKETPLACES
from scraping.sources.registry import DEFAULT, SOURCES


@dataclass(frozen=True, slots=True)
class Pace:
    """A token bucket's measures: one request per `interval`, and `burst` at once after a rest."""

    interval: dt.timedelta
    burst: int


def pace_of(marketplace: str) -> Pace:
    """Its own pace where the settings name it, else everybody's. Raises ValueError (see problems)."""
    intervals = read("STORE_REQUEST_INTERVALS", settings.STORE_REQUEST_INTERVALS)
    bursts = read("STORE_BURSTS", settings.STORE_BURSTS)
    interval = settings.STORE_REQUEST_INTERVAL
    if marketplace in intervals:
        interval = dt.timedelta(seconds=intervals[marketplace])
    return Pace(interval, int(bursts.get(marketplace, settings.STORE_BURST)))


def read(name: str, entries: Sequence[str]) -> dict[str, float]:
    """`["us=2", "jp=10"]` as numbers by marketplace; ValueError says what is wrong with it."""
    numbers = {}
    for marketplace, number in by_marketplace(name, entries).items():
        try:
            numbers[marketplace] = float(number)
        except ValueError:
            entry = f"{marketplace}={number}".rstrip("=")
            raise ValueError(f"{name}: {entry!r} has no number; write it as us=2,jp=10.") from None
    return numbers


def by_marketplace(name: str, entries: Sequence[str]) -> dict[str, str]:
    """`["us=x", "jp=y"]` by marketplace; ValueError says what is wrong with it."""
    said = {}
    for entry in entries:
        marketplace, _, value = (part.strip() for part in entry.partition("="))
        if marketplace not in MARKETPLACES:
            known = " ".join(MARKETPLACES)
            raise ValueError(f"{name}: {entry!r} names no marketplace; they are {known}.")
        said[marketplace] = value
    return said


def source_of(marketplace: str) -> str:
    """The source that is asked first: the deployment's choice, else the store's API."""
    return by_marketplace("STORE_SOURCES", settings.STORE_SOURCES).get(marketplace, DEFAULT)


def problems() -> Iterator[str]:
    """What can't be obeyed in the settings about stores, each in one sentence."""
    if settings.STORE_REQUEST_INTERVAL.total_seconds() < 0:
        yield "STORE_REQUEST_INTERVAL is negative."
    if settings.STORE_BURST < 1:
        yield "STORE_BURST must be at least 1: no bucket is smaller than one request."
    if settings.STORE_BREAKER_FAILURES < 1:
        yield "STORE_BREAKER_FAILURES must be at least 1."
    if settings.STORE_BREAKER_OPEN.total_seconds() <= 0:
        yield "STORE_BREAKER_OPEN must be longer than nothing."
    yield from _problems_of("STORE_REQUEST_INTERVALS", settings.STORE_REQUEST_INTERVALS, least=0)
    yield from _problems_of("STORE_BURSTS", settings.STORE_BURSTS, least=1)
    yield from _problems_of_sources()


def _problems_of_sources() -> Iterator[str]:
    try:
        chosen = by_marketplace("STORE_SOURCES", settings.STORE_SOURCES)
    except ValueError as error:
        yield str(error)
        return
    for marketplace, source in chosen.items():
        if source not in SOURCES:
            yield f"STORE_SOURCES: {marketplace} must be one of {', '.join(SOURCES)}."


def _problems_of(name: str, entries: Sequence[str], *, least: int) -> Iterator[str]:
    try:
        numbers = read(name, entries)
    except ValueError as error:
        yield str(error)
        return
    for marketplace, number in numbers.items():
        if not math.isfinite(number) or number < least:
            yield f"{name}: {marketplace} must be at least {least}."
