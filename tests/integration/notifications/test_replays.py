"""What a watch would have told: the same as what the product tells, and nothing is written."""

import datetime as dt
from itertools import islice
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from catalog.listing import SeriesPlace
from catalog.models import Audiobook, Mark, ReleaseEvent, Watch
from catalog.reminders import remind
from catalog.services import publish_events
from notifications import replays
from notifications.models import Delivery
from notifications.replays import Replayed, TooMuchError, TooSlowError, replay
from stalkerr import sql
from tests.concurrency import Paused
from tests.factories import make_audiobook, make_channel, make_watch
from tests.integration.api.test_strangers import everything
from tests.integration.notifications.test_explain import CHANGES, PAIRS, TITLE, TITLES
from tests.promises import fan_out

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def draft(user: User, query: str = "Ada Example", kind: str = "author", **fields: Any) -> Watch:
    return Watch(user=user, kind=kind, query=query, **{"hidden": [], **fields})


def ends(found: list[Replayed]) -> list[tuple[str, str, str]]:
    return [(each.end, each.event.kind, each.event.audiobook.title) for each in found]


def sequences() -> dict[str, int]:
    """How far each table's numbers have come."""
    return dict(sql.rows("SELECT sequencename::text, coalesce(last_value, 0) FROM pg_sequences"))


def test_it_shows_what_would_have_been_sent_newest_first(alice: User, now: dt.datetime) -> None:
    make_audiobook(now=now - 3 * DAY, title="Glass Tide")
    make_audiobook(now=now - 2 * DAY, title="Sand")
    make_audiobook(now=now - 1 * DAY, title="Other", authors=["Somebody Else"])
    publish_events()
    assert ends(replay(watch=draft(alice), now=now)) == [
        ("sent", "announced", "Sand"),
        ("sent", "announced", "Glass Tide"),
    ]


def test_an_edition_and_a_repetition_are_folded_into_what_told_the_same(
    alice: User, now: dt.datetime
) -> None:
    us = make_audiobook(now=now - 9 * DAY, title="Glass Tide")
    make_audiobook(now=now - 8 * DAY, title="Glass Tide", asin=us.asin, marketplace="uk")
    for day, out_in in ((7, 60), (6, 90), (5, 60)):  # away, and back
        today = (now - day * DAY).date()
        make_audiobook(
            now=now - day * DAY,
            title="Glass Tide",
            asin=us.asin,
            out_in=None,
            release_date=us.release_date + dt.timedelta(days=out_in) if us.release_date else today,
        )
    publish_events()
    both: dict[str, Any] = {"marketplaces": ["us", "uk"]}
    found = replay(watch=draft(alice, **both), now=now)
    assert [(each.end, each.event.kind) for each in found] == [
        ("folded", "date_moved"),
        ("sent", "date_moved"),
        ("sent", "date_moved"),
        ("folded", "announced"),
        ("sent", "announced"),
    ]
    assert [each.same_as.pk for each in found if each.same_as] == [
        found[2].event.pk,
        found[4].event.pk,
    ]
    each_edition = replay(watch=draft(alice, per_edition=True, **both), now=now)
    assert [each.end for each in each_edition] == ["folded", "sent", "sent", "sent", "sent"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"hidden": ["part"]}, "kind: part, voice human; the watch hides part"),
        ({"languages": ["german"]}, "language: english; the watch asks for german"),
        ({"excluded_words": ["tide"]}, "words: has tide, which the watch excludes"),
        ({"kind": "keyword", "query": '"tide glass"'}, 'words: no title of it has "tide glass"'),
        ({"event_kinds": ["out_now"]}, "the watch does not hear this kind of news"),
    ],
)
def test_what_is_hidden_says_why(
    fields: dict[str, Any], said: str, alice: User, now: dt.datetime
) -> None:
    make_audiobook(now=now - DAY, title="Glass Tide (Part 1 of 2)")
    publish_events()
    (hidden,) = replay(watch=draft(alice, **fields), now=now)
    assert (hidden.end, hidden.because) == ("hidden", (said,))


def test_a_mark_hides_and_being_muted_does_not(alice: User, now: dt.datetime) -> None:
    audiobook = make_audiobook(now=now - DAY)
    publish_events()
    (sent,) = replay(watch=draft(alice, muted=True), now=now)
    Mark.objects.create(user=alice, work_id=audiobook.work_id, kind="have_it")
    (hidden,) = replay(watch=draft(alice), now=now)
    assert (sent.end, hidden.end) == ("sent", "hidden")
    assert hidden.because == ("mark: its reader has it, or is not interested",)


def test_what_is_older_elsewhere_held_or_a_reminder_is_not_part_of_it(
    alice: User, bob: User, now: dt.datetime
) -> None:
    """Proves the guards of _events: a reminder would tell what somebody else waits for."""
    make_audiobook(now=now - 91 * DAY, title="Long ago")
    make_audiobook(now=now - DAY, title="Elsewhere", marketplace="uk")
    make_audiobook(now=now - DAY, title="Held")
    ReleaseEvent.objects.filter(audiobook__title="Held").update(held_by=1, braked_at=now)
    make_audiobook(now=now - DAY, title="Dropped")
    ReleaseEvent.objects.filter(audiobook__title="Dropped").update(fanned_out_at=now)
    make_watch(bob, now=now - 2 * DAY, remind_days=[30, 29])
    make_audiobook(now=now - DAY, title="Reminded of")
    assert remind(now=now)
    publish_events()
    asked: dict[str, Any] = {"event_kinds": ["announced"], "remind_days": [29]}
    found = replay(watch=draft(alice, **asked), now=now)
    assert ends(found) == [("sent", "announced", "Reminded of")]


def test_a_title_that_was_there_before_counts_as_it_does_for_a_watch(
    alice: User, now: dt.datetime
) -> None:
    make_audiobook(now=now - 100 * DAY, title="Glass Tide", asin="B0GLASS001", out_in=200)
    make_audiobook(now=now - DAY, title="Glass Tide", asin="B0GLASS001", out_in=300)
    publish_events()
    (sent,) = replay(watch=draft(alice), now=now)
    (hidden,) = replay(watch=draft(alice, include_announced=False), now=now)
    assert (sent.end, hidden.end) == ("sent", "hidden")
    assert "there before the watch" in hidden.because[0]


# -- the same as what is told ----------------------------------------------------------------------
def titles(now: dt.datetime) -> None:
    """Some titles with up to two pieces of news, and others in which "wave" is a common word."""
    for _ in range(2):
        make_audiobook(now=now, title="Wave", authors=["Una Else"])
    for number, facts in enumerate(TITLES.values()):
        facts = TITLE | {"asin": f"B0GLASS{number:03d}"} | facts
        then = facts.pop("then")
        make_audiobook(now=now, **facts)
        if then:
            make_audiobook(now=now + HOUR, **{**facts, "out_in": then})
    publish_events()


def test_it_says_what_the_product_tells(alice: User, now: dt.datetime) -> None:
    """Proves that a replay is no second telling of the rules: over many watches, who is told what
    by the fan-out would have been sent by the replay, and nothing else."""
    make_channel(alice)
    titles(now - 2 * HOUR)
    changes = [{}, *CHANGES, *islice(PAIRS, 0, None, 17)]
    asks = [each for each in changes if not each.keys() & {"heard", "muted", "ended", "route"}]
    assert len(asks) > 30
    for asked in asks:
        with transaction.atomic():
            facts = {"asked": ("author", "Ada Example"), "hidden": []} | asked
            (kind, query), marked = facts.pop("asked"), facts.pop("marked", False)
            if marked:
                for work in Audiobook.objects.values_list("work_id", flat=True).distinct():
                    Mark.objects.create(user=alice, work_id=work, kind="have_it")
            supposed = replay(watch=draft(alice, query, kind, **facts), now=now)
            make_watch(alice, query, kind=kind, now=now - 3 * HOUR, **facts)
            fan_out(now)
            told = set(Delivery.objects.values_list("event_id", flat=True))
            sent = {each.event.pk for each in supposed if each.end == "sent"}
            assert sent == told, asked
            transaction.set_rollback(True)


# -- nothing is written ----------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["author", "series", "keyword", "narrator"])
def test_asking_writes_nothing_at_all(kind: str, alice: User, now: dt.datetime) -> None:
    """Proves the guard set_rollback: the draft, what it learns and its queries are gone."""
    make_watch(alice, "Glass Tide", kind=kind, now=now)
    people: dict[str, Any] = {"authors": ["Glass Tide"], "narrators": ["Glass Tide"]}
    series = [SeriesPlace("B0SERIES01", "Glass Tide", "1")]
    make_audiobook(now=now - DAY, title="Glass Tide", series=series, **people)
    publish_events()
    before, numbers = everything(), sequences()
    assert replay(watch=draft(alice, "Glass Tide", kind, marketplaces=["us", "uk"]), now=now)
    assert everything() == before
    moved = {name for name, last in sequences().items() if last != numbers[name]}
    assert moved <= {"watch_queries_id_seq"}  # numbers that nobody is shown


def test_a_failure_on_the_way_writes_nothing_either(
    alice: User, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_audiobook(now=now - DAY)
    publish_events()
    monkeypatch.setattr(replays, "EVENTS_MAX", 0)
    before = everything()
    with pytest.raises(TooMuchError):
        replay(watch=draft(alice), now=now)
    assert everything() == before


def test_what_takes_too_long_is_given_up(
    alice: User, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard statement_timeout: nobody keeps the database busy by asking."""
    monkeypatch.setattr(replays, "PATIENCE", dt.timedelta(milliseconds=50))
    monkeypatch.setattr(replays, "_events", lambda *_: sql.rows("SELECT pg_sleep(100)"))
    before = everything()
    with pytest.raises(TooSlowError):
        replay(watch=draft(alice), now=now)
    assert everything() == before


def test_another_failure_of_the_database_is_not_called_slow(
    alice: User, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(replays, "_events", fail)
    with pytest.raises(OperationalError, match="lost"):
        replay(watch=draft(alice), now=now)


@pytest.mark.django_db(transaction=True)
def test_a_long_look_keeps_nobody_from_making_watches(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the savepoint: the names' lock is given back before the news is looked through."""
    now = dt.datetime.now(dt.UTC)
    looking: list[str] = []

    def look(*_: object) -> list[ReleaseEvent]:
        other = Paused(lambda: make_watch(bob, now=now))
        other.finish()
        looking.append("made")
        return []

    monkeypatch.setattr(replays, "_events", look)
    assert replay(watch=draft(alice), now=now) == []
    assert looking == ["made"]


def test_it_asks_no_more_for_much_news_than_for_little(alice: User, now: dt.datetime) -> None:
    asked = []
    for count in (1, 20):
        for _ in range(count):
            make_audiobook(now=now - DAY)
        publish_events()
        with CaptureQueriesContext(connection) as queries:
            found = replay(watch=draft(alice), now=now)
        asked.append(len(queries))
    assert len(found) == 21
    assert asked[0] == asked[1] < 30
