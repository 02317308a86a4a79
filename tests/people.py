"""The people of our tests: Alice and Bob use the product, a stranger tries doors, staff look after it."""

import pytest

from accounts.models import User

PASSWORD = "correct horse battery staple"


def make_user(name: str, **fields: object) -> User:
    """A user whose e-mail address is `name`@example.org."""
    return User.objects.create_user(f"{name}@example.org", PASSWORD, **fields)


@pytest.fixture
def alice(db: None) -> User:
    return make_user("alice", time_zone="Europe/Berlin")


@pytest.fixture
def bob(db: None) -> User:
    return make_user("bob")


@pytest.fixture
def stranger(db: None) -> User:
    """Signed in like anybody, owns nothing."""
    return make_user("stranger")


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_superuser("staff@example.org", PASSWORD)
