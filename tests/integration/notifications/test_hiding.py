"""Hidden titles: whoever was about to promise one finds it taken back, and its reader is told why."""

import datetime as dt
from typing import Any

import pytest

from accounts.models import User
from catalog.models import Audiobook
from notifications.explain import about_match
from notifications.hiding import hide_audiobook, hide_work, show_audiobook
from notifications.models import Delivery, Told
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import make_audiobook, make_channel, make_watch
from tests.people import make_user
from tests.promises import fan_out

TIDE: dict[str, Any] = {"title": "Glass Tide", "runtime_minutes": 600}
HOUR = dt.timedelta(hours=1)


def pending() -> int:
    return Delivery.objects.filter(state=Delivery.State.PENDING).count()


@pytest.mark.django_db(transaction=True)
def test_what_a_chunk_is_about_to_promise_is_taken_back_too() -> None:
    """Proves the guard PROMISES: without it the promise would be there a moment after the title went."""
    now = dt.datetime.now(dt.UTC)
    alice = make_user("alice")
    make_channel(alice)
    make_watch(alice, now=now)
    book = make_audiobook(now=now)
    chunk = Paused(lambda: fan_out(now + HOUR))
    hiding = start_and_see_it_wait(lambda: hide_audiobook(audiobook=book, now=now))
    chunk.finish()
    hiding.join()
    assert (pending(), Told.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_an_edition_that_is_about_to_join_a_hidden_work_is_hidden() -> None:
    """Proves the guard lock_works: without it the edition would be born beside the hiding."""
    now = dt.datetime.now(dt.UTC)
    book = make_audiobook(now=now, **TIDE)
    birth = Paused(lambda: make_audiobook(now=now, marketplace="uk", **TIDE))
    hiding = start_and_see_it_wait(lambda: hide_work(work=book.work, now=now))
    birth.finish()
    hiding.join()
    assert Audiobook.objects.shown().count() == 0
    assert Audiobook.objects.filter(work=book.work).count() == 2


@pytest.mark.django_db
def test_a_reader_who_asks_is_told_that_it_is_hidden(alice: User, now: dt.datetime) -> None:
    watch = make_watch(alice, now=now)
    book = make_audiobook(now=now)
    for hide, marks in ((True, ["stopped"]), (False, [])):
        if hide:
            hide_audiobook(audiobook=book, now=now)
        else:
            show_audiobook(audiobook=book)
        book.refresh_from_db()
        steps = about_match(watch=watch, audiobook=book)
        assert [step.mark for step in steps if step.name == "hidden"] == marks


@pytest.mark.django_db
def test_hiding_twice_keeps_when_it_was(now: dt.datetime) -> None:
    book = make_audiobook(now=now)
    for moment in (now, now + HOUR):
        hide_audiobook(audiobook=book, now=moment)
    book.refresh_from_db()
    assert book.hidden_at == now
