"""A broker that is away costs a moment once, not a moment each."""

import time

import pytest
from celery import Celery

from workers import hints


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens where the broker should be."""
    fresh = Celery("elsewhere", broker="redis://127.0.0.1:1/0", set_as_current=False)
    monkeypatch.setattr(hints, "app", fresh)
    monkeypatch.setattr(hints, "_silent_until", 0.0)


def test_a_hint_that_can_not_be_given_is_given_up_and_then_not_even_tried(no_broker: None) -> None:
    begun = time.monotonic()
    assert not hints.hint("workers.tick", "tick")
    assert hints._silent_until > begun + hints.PAUSE - 1
    tried = time.monotonic()
    for _ in range(100):
        assert not hints.hint("workers.tick", "tick")
    assert time.monotonic() - tried < 1
