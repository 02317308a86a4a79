"""Whoever asks the API in these tests."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from api.auth import issue_token
from stalkerr import clock

ClientOf = Callable[[User], APIClient]


@pytest.fixture(autouse=True)
def _fresh(fresh_limits: None) -> None:
    """Each test starts with all its requests left."""


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
