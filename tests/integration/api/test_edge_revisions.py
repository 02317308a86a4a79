"""How new the lane's answers are: whatever is read moves a revision, and the lane hears of it."""

import datetime as dt
from collections.abc import Callable, Generator

import pytest
from django.conf import settings as django_settings
from django.db.models import F
from pytest_django import Settings
from redis import Redis

from catalog import revisions
from catalog.listing import SeriesPlace
from catalog.models import (
    Audiobook,
    AudiobookCheck,
    Contributor,
    Credit,
    ReleaseEvent,
    Series,
    SeriesEntry,
)
from stalkerr import sql
from tests.edge import Edge, answered, titles
from tests.factories import make_audiobook
from tests.sinks import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_kept")]

UPCOMING = "/api/upcoming"
PLACE = SeriesPlace("B0SERIES01", "The Long Tide", "2")


@pytest.fixture
def edge(now: dt.datetime) -> Generator[Edge]:
    make_audiobook(now=now, title="Of Sand", out_in=5)
    make_audiobook(now=now, title="Von Meer", marketplace="de")
    revisions.publish()
    with Edge() as begun:
        yield begun


CHANGES: dict[str, Callable[[Audiobook, dt.datetime], object]] = {
    "facts": lambda book, _: Audiobook.objects.filter(pk=book.pk).update(title="Another"),
    "withdrawal": lambda book, now: Audiobook.objects.filter(pk=book.pk).update(withdrawn_at=now),
    "hiding": lambda book, now: Audiobook.objects.filter(pk=book.pk).update(hidden_at=now),
    "person": lambda book, _: Contributor.objects.update(name="Bea Sample"),
    "credit": lambda book, _: Credit.objects.filter(audiobook=book).delete(),
    "credit moved": lambda book, _: Credit.objects.filter(audiobook=book).update(position=9),
    "series": lambda book, _: Series.objects.update(title="Tides"),
    "place": lambda book, _: SeriesEntry.objects.filter(audiobook=book).update(sequence="3"),
    "event": lambda book, now: ReleaseEvent.objects.create(
        audiobook=book, kind="detail_changed", revision=9, seen_at=now
    ),
    "event let go": lambda book, _: ReleaseEvent.objects.filter(held_by=7).update(held_by=None),
    "removal": lambda book, _: Audiobook.objects.filter(pk=book.pk).delete(),
}
NO_CHANGES: dict[str, Callable[[Audiobook, dt.datetime], object]] = {
    "looked at": lambda book, now: AudiobookCheck.objects.update(
        last_checked_at=now + dt.timedelta(hours=1)
    ),
    "fetched": lambda book, now: Audiobook.objects.update(
        fetched_at=now, metadata={"price": 3}, revision=8
    ),
    "fanned out": lambda book, now: ReleaseEvent.objects.update(
        fanned_through=5, fanned_out_at=now
    ),
    "held news": lambda book, now: ReleaseEvent.objects.create(
        audiobook=book, kind="detail_changed", revision=9, seen_at=now, held_by=7
    ),
    "reminder": lambda book, now: ReleaseEvent.objects.create(
        audiobook=book, kind="reminder", revision=9, seen_at=now, days_before=1
    ),
    "same name": lambda book, _: Contributor.objects.update(name=F("name")),
    "same title": lambda book, _: Series.objects.update(title=F("title")),
    "same facts": lambda book, _: Credit.objects.update(role="author"),
}


@pytest.mark.parametrize("name", [*CHANGES, *NO_CHANGES])
def test_whatever_is_read_and_nothing_else_moves_the_revision_of_its_store(
    now: dt.datetime, name: str
) -> None:
    """Proves the triggers, each by a case that goes red without it."""
    book = make_audiobook(now=now, series=[PLACE], narrators=[])
    make_audiobook(now=now, marketplace="de", authors=["Zoë Müller"], narrators=[])
    ReleaseEvent.objects.filter(audiobook=book).update(
        held_by=7 if name == "event let go" else None
    )
    before = dict(revisions.number())
    {**CHANGES, **NO_CHANGES}[name](book, now)
    after = dict(revisions.number())
    moved = {code for code, revision in after.items() if revision > before[code]}
    if name == "person":  # all of that name, at every store
        assert moved == {"us", "de"}
    else:
        assert moved == ({"us"} if name in CHANGES else set())


def test_a_commit_is_answered_at_once(edge: Edge, now: dt.datetime) -> None:
    paths = [UPCOMING, "/feeds/upcoming.rss", f"{UPCOMING}?marketplace=us", f"{UPCOMING}?q=brand"]
    before = edge.get_all(paths)
    make_audiobook(now=now, title="Brand new", out_in=1)
    for path, old in zip(paths, before, strict=True):
        answer = edge.get(path, if_none_match=old.headers["etag"])
        assert answer.status == 200
        assert b"Brand new" in answer.body


def test_of_another_store_nothing_is_made_anew(edge: Edge, now: dt.datetime) -> None:
    path = f"{UPCOMING}?marketplace=de"
    edge.get(path)
    make_audiobook(now=now, title="Brand new")
    count = answered("miss")
    edge.get(path)
    assert answered("miss") == count


def test_a_hint_that_was_lost_is_given_again(
    edge: Edge, now: dt.datetime, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the pulse: without it, the answer would stay old for as long as it is kept."""
    monkeypatch.setattr("api.edge.lane.PULSE", 0.05)
    edge.get(UPCOMING)
    monkeypatch.setattr(revisions, "announce", lambda: None)
    make_audiobook(now=now, title="Brand new", out_in=1)
    wait_until(lambda: "Brand new" in titles(edge.get(UPCOMING, peer=peer())), within=10, every=0.2)


def test_the_pulse_outlives_a_database_that_fails(
    edge: Edge, now: dt.datetime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Proves the guard around what the pulse asks of PostgreSQL."""
    monkeypatch.setattr("api.edge.lane.PULSE", 0.05)
    monkeypatch.setattr(revisions, "announce", lambda: None)
    sql.rows("ALTER TABLE store_revisions RENAME TO elsewhere")
    try:
        wait_until(lambda: "revisions_not_read" in caplog.text, within=20)
    finally:
        sql.rows("ALTER TABLE elsewhere RENAME TO store_revisions")
    make_audiobook(now=now, title="Brand new", out_in=1)
    wait_until(lambda: "Brand new" in titles(edge.get(UPCOMING, peer=peer())), within=10, every=0.2)


_peers = iter(range(1, 255))


def peer() -> str:
    return f"203.0.113.{next(_peers)}"


def test_while_nobody_knows_how_new_it_is_django_answers(edge: Edge) -> None:
    edge.get(UPCOMING)
    with Redis.from_url(django_settings.BUCKETS_URL) as redis:
        redis.delete(revisions.PLACE)
    edge.asked_of_django.clear()
    assert edge.get(UPCOMING).status == 200
    assert edge.asked_of_django == [UPCOMING]


def test_a_number_that_comes_late_takes_back_none(now: dt.datetime) -> None:
    """Proves the guard in _SAY: of two that publish, the slower has the older numbers."""
    make_audiobook(now=now)
    revisions.publish()
    with Redis.from_url(django_settings.BUCKETS_URL) as redis:
        said = redis.hget(f"{revisions.PLACE}:each", "us")
        script = redis.register_script(revisions._SAY)
        script(keys=[revisions.PLACE], args=[0, "us", 1])
        assert redis.hget(f"{revisions.PLACE}:each", "us") == said


def test_at_midnight_of_a_store_its_day_is_over(
    edge: Edge, now: dt.datetime, move_clock: Callable[[dt.timedelta], dt.datetime]
) -> None:
    """Proves the guard day in the stamp: nothing was written, and yet the answer is another."""
    make_audiobook(now=now, marketplace="au", title="Tomorrow", out_in=1)
    assert "Tomorrow" in titles(edge.get(UPCOMING))
    move_clock(dt.timedelta(days=1))
    revisions.publish()  # says the time, too
    assert "Tomorrow" not in titles(edge.get(UPCOMING))
    move_clock(dt.timedelta(days=-1))


def test_an_answer_that_is_too_old_is_made_anew(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge.get(UPCOMING)
    monkeypatch.setattr("api.edge.answers.KEEP", 0)
    before = answered("miss")
    edge.get(UPCOMING)
    assert answered("miss") == before + 1
