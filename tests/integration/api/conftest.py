"""Whoever asks the API in these tests."""

import datetime as dt
from collections.abc import Callable, Generator
from typing import Final

import pytest
import sqlalchemy as sa
from rest_framework.test import APIClient

from accounts.models import User
from api import health
from api.auth import issue_token
from stalkerr import clock
from tests.edge import forgetful
from workers import schedule
from workers.ledger import slots

ClientOf = Callable[[User], APIClient]
SWEEP: Final = "scraping.visit_due_targets"
CANARIES: Final = tuple(schedule.CANARIES.values())


@pytest.fixture(autouse=True)
def _fresh(fresh_limits: None) -> None:
    """Each test starts with all its requests left, and with nothing found of health."""
    health.ALL.forget()
    health.READY.forget()


@pytest.fixture
def anybody(db: None) -> APIClient:
    """Not signed in."""
    return APIClient()


@pytest.fixture
def client_of(db: None) -> ClientOf:
    """Makes a client that sends a user's token."""

    def signed_in(user: User) -> APIClient:
        client = APIClient()
        token = issue_token(user=user, now=clock.now())
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return client

    return signed_in


@pytest.fixture
def operator(staff: User) -> APIClient:
    """Staff, by a token that is for what operators do."""
    client = APIClient()
    token = issue_token(user=staff, now=clock.now(), scope="admin")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def run_sweep(now: dt.datetime, sweep: str) -> None:
    """A beat has ticked and a worker has run."""
    slots.open_slots(slots=[(sweep, now)])
    claim = slots.claim(
        job=sweep, slot=now, now=now, lease=dt.timedelta(minutes=1), task_id="1", worker="w"
    )
    assert claim is not None
    slots.finish(claim=claim, now=now)


@pytest.fixture
def alive(ledger: sa.Engine, now: dt.datetime) -> None:
    """Everything runs."""
    for job in (SWEEP, *CANARIES):
        run_sweep(now, job)


@pytest.fixture
def nothing_kept() -> Generator[None]:
    """No answers of earlier tests are left in Redis."""
    with forgetful():
        yield
