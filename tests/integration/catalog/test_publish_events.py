"""The public order of news is the order in which it became visible."""

import pytest

from catalog.models import ReleaseEvent
from catalog.services import publish_events
from stalkerr import clock
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import make_audiobook

pytestmark = pytest.mark.django_db(transaction=True)


def announce(title: str) -> None:
    make_audiobook(now=clock.now(), title=title, authors=[title], narrators=[])


def test_numbers_given_side_by_side_are_given_in_turn() -> None:
    """Proves the guard publish lock: without it the second publisher, who sees an older event
    come to light, gives a number that the first has given but not yet committed."""
    late = Paused(lambda: announce("Older, seen later"))
    announce("Newer, seen first")
    first = Paused(publish_events)
    late.finish()
    second = start_and_see_it_wait(publish_events)
    first.finish()
    second.join()
    order = ReleaseEvent.objects.order_by("published_seq").values_list(
        "published_seq", "audiobook__title"
    )
    assert list(order) == [(1, "Newer, seen first"), (2, "Older, seen later")]
