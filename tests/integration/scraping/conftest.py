"""A store of our own for every visit, and nobody in a hurry."""

import datetime as dt
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from accounts.models import User
from catalog.models import Watch
from scraping import politeness
from scraping.emulator.server import Emulator
from tests.factories import make_watch
from tests.visits import Clock, visit_all

AUTHOR = "Ada Example"


@pytest.fixture
def clock(now: dt.datetime) -> Clock:
    return Clock(now)


@pytest.fixture
def emulator(settings: Settings, clock: Clock) -> Iterator[Emulator]:
    with Emulator(seed=7, marketplaces=("us", "uk"), now=clock) as emulator:
        settings.STORE_URL = emulator.base_url
        settings.STORE_REQUEST_INTERVAL = dt.timedelta()
        settings.STORE_SAME_URL_INTERVAL = dt.timedelta()
        politeness._redis().flushdb()
        emulator.stock("us", AUTHOR, 3)
        yield emulator


@pytest.fixture
def watch(alice: User, emulator: Emulator, clock: Clock) -> Watch:
    """One whose baseline is over, so that the store may bring news; beside it another author's."""
    emulator.stock("us", "Tom Other", 2)
    make_watch(alice, "Tom Other", now=clock.now, is_active=False)
    watch = make_watch(alice, AUTHOR, now=clock.now, is_active=False)
    visit_all(clock)
    return watch
