"""What every test may use: the database with both its schemas, the movable clock, people."""

import datetime as dt
from collections.abc import Callable, Generator

import pytest
import sqlalchemy as sa
from django.conf import settings
from django.test import TransactionTestCase
from hypothesis import settings as hypothesis_settings
from pytest_django import DjangoDbBlocker
from redis import Redis

from api.counting import PREFIX
from stalkerr import clock
from tests import database
from tests.people import alice, bob, staff, stranger
from workers.ledger.engine import engine
from workers.ledger.tables import metadata

__all__ = ["alice", "bob", "staff", "stranger"]

# A busy machine may pause any test for a while; pytest-timeout watches over the ones that hang.
hypothesis_settings.register_profile("patient", deadline=None)
hypothesis_settings.load_profile("patient")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Generator[None]:
    """Beside Django's tables: the job ledger, and the row that moves the clock."""
    with django_db_blocker.unblock():
        database.complete()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: database.empty())
        yield
    engine().dispose()  # or the database can't be dropped


@pytest.fixture
def now(db: None) -> dt.datetime:
    """The moment the test began, by the database's clock."""
    return clock.now()


@pytest.fixture
def move_clock(db: None) -> Generator[Callable[[dt.timedelta], dt.datetime]]:
    """Moves the clock of all processes on and says what it shows then; put back afterwards."""
    moved = dt.timedelta()

    def move(by: dt.timedelta) -> dt.datetime:
        nonlocal moved
        moved += by
        clock.shift(by)
        return clock.now()

    yield move
    clock.shift(-moved)


@pytest.fixture
def ledger(db: None) -> Generator[sa.Engine]:
    """The ledger's engine, its tables empty before and after: no test's transaction covers them."""
    _empty_ledger()
    yield engine()
    _empty_ledger()


def _empty_ledger() -> None:
    with engine().begin() as ledger:
        for table in metadata.sorted_tables:
            ledger.execute(sa.delete(table))


@pytest.fixture
def fresh_limits() -> None:
    """Nobody has asked for anything yet, as far as rate limits know."""
    redis = Redis.from_url(settings.BUCKETS_URL)
    counters = list(redis.scan_iter(f"{PREFIX}*", count=1000))
    if counters:
        redis.delete(*counters)
    redis.close()
