"""Nothing missed, nothing invented: long random stories of a store, told by the product and a model.

The store announces, fills in, moves, releases, withdraws, restores, throttles and breaks; its
queries are visited in any order, some lag, visitors die, hints are lost. After every step each user
has been promised exactly what tests/story/model.py says, and as often.
"""

import datetime as dt
import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import transaction
from pytest_django import Settings

from notifications.models import Delivery
from scraping import politeness
from scraping.emulator.server import Emulator
from tests.story import model
from tests.story.model import Place, Title
from tests.story.stage import (
    AUTHORS,
    DAY,
    KEYWORD,
    MARKETPLACES,
    NARRATOR,
    SERIES,
    Cut,
    Stage,
    TickingClock,
)
from tests.story.steps import flood, story, take

pytestmark = pytest.mark.django_db

BEGINNING = dt.datetime(2026, 3, 2, 15, 30, tzinfo=dt.UTC)
DAY_A, DAY_B, DAY_C, DAY_D = (dt.date(2026, month, 1) for month in (9, 10, 11, 12))
BEN = AUTHORS[1]
ADAS, FRANKS = (("us", "author", name.lower()) for name in AUTHORS)
STEPS = 200


@pytest.fixture
def no_hurry(settings: Settings) -> Settings:
    settings.STORE_REQUEST_INTERVAL = settings.STORE_SAME_URL_INTERVAL = dt.timedelta()
    return settings


@contextmanager
def stage_set(product: Settings) -> Iterator[Stage]:
    """A store, and people of several kinds whose baselines are over; nothing of it remains."""
    clock = TickingClock(BEGINNING)
    emulator = Emulator(seed=7, marketplaces=MARKETPLACES, authors=0, now=lambda: clock.now)
    with emulator, transaction.atomic():
        product.STORE_URL = emulator.base_url
        politeness._redis().flushdb()
        stage = Stage(emulator, clock)
        _seat(stage)
        yield stage
        transaction.set_rollback(True)


def _seat(stage: Stage) -> None:
    series = stage.announce("us", AUTHORS[0], "Glass Firstborn", series=SERIES).series
    ada, ben = (name.lower() for name in AUTHORS)
    stage.watch(model.Watch("alice", "author", ada, ("us",)))
    stage.watch(model.Watch("bob", "keyword", KEYWORD, MARKETPLACES))
    stage.watch(model.Watch("carol", "author", ada, MARKETPLACES, per_edition=True))
    few = ("announced", "out_now", "withdrawn")
    dave = model.Watch("dave", "series", series, ("us",), event_kinds=few)
    stage.watch(dave, query=SERIES, asin=series)
    stage.watch(model.Watch("erin", "narrator", NARRATOR.lower(), ("us",)))
    stage.watch(model.Watch("frank", "author", ben, MARKETPLACES))
    stage.visit(stage.places(), rng=random.Random(1), later=DAY)
    stage.check()


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_a_story_is_told_as_it_happened(no_hurry: Settings, seed: int) -> None:
    """Proves the guards Told once, held_by, baseline, brake: without one another story is told."""
    with stage_set(no_hurry) as stage:
        take(stage, story(seed, STEPS))
        stage.end(random.Random(1))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [4, 5, 7, 9])
def test_another_story_is_told_as_it_happened(no_hurry: Settings, seed: int) -> None:
    with stage_set(no_hurry) as stage:
        take(stage, story(seed, STEPS))
        stage.end(random.Random(1))


@pytest.fixture
def stage(no_hurry: Settings) -> Iterator[Stage]:
    with stage_set(no_hurry) as stage:
        yield stage


def visit(stage: Stage, *places: Place, hours: float = 1, lose_hints: bool = False) -> None:
    later = dt.timedelta(hours=hours)
    stage.visit(places or stage.places(), rng=random.Random(1), later=later, lose_hints=lose_hints)
    stage.check()


def move(stage: Stage, title: Title, day: dt.date) -> None:
    stage.emulator.move_date(title.marketplace, title.asin, day)
    stage.read_again(title)


def moves_heard(stage: Stage, user: str) -> list[str]:
    """The dates that a user was promised, in order."""
    promised = Delivery.objects.filter(user__email=f"{user}@example.org", event__kind="date_moved")
    days = promised.order_by("created_at", "id").values_list("event__new_date", flat=True)
    return [str(day) for day in days]


def test_a_date_that_flaps_is_told_once_a_value_and_at_last_as_it_stands(stage: Stage) -> None:
    glass = stage.announce("us", BEN, "Glass Tide", release_date=DAY_A)
    visit(stage)
    for turn in range(20):
        move(stage, glass, DAY_A if turn % 2 else DAY_B)
        visit(stage, FRANKS, lose_hints=turn % 3 == 0)
        stage.sweep(random.Random(1))
        stage.check()
    assert moves_heard(stage, "frank") == [str(DAY_B), str(DAY_A)]
    move(stage, glass, DAY_B)
    visit(stage, FRANKS)
    for _ in range(12):
        stage.pass_time(DAY)
        stage.check()
    assert moves_heard(stage, "frank") == [str(DAY_B), str(DAY_A), str(DAY_B)]


@pytest.mark.parametrize("how", ["die", "lose"])
def test_what_a_dead_visitor_found_is_told_by_the_next_sweep(how: str, stage: Stage) -> None:
    """Proves the guard let_strays_go: what was stored is no news to the next visitor."""
    rng = random.Random(1)
    stage.announce("us", BEN, "Glass Tide")
    stage.visit([FRANKS], rng=rng, later=DAY, cut=Cut(how, 1))
    stage.check()
    stage.sweep(rng)
    stage.check()
    assert [said[2] for said in stage.heard() if said[0] == "frank"] == ["announced"]


def test_two_titles_gone_at_once_do_not_vouch_for_each_other(stage: Stage) -> None:
    """Proves the guard `the page shown last`: of what nobody sees any more each proved the store blind."""
    lone = {"gina": "Cara Lone", "hugo": "Dora Wick"}
    gone = [stage.announce("us", author, f"Glass {author}") for author in lone.values()]
    places: list[Place] = [("us", "author", author.lower()) for author in lone.values()]
    for user, place in zip(lone, places, strict=True):
        stage.watch(model.Watch(user, "author", place[2], ("us",)))
    visit(stage)
    for title in gone:
        stage.announce("us", title.author, f"Salt {title.author}")
        stage.emulator.withdraw("us", title.asin)
        stage.read_again(title)
    for hours in (1, 7):
        visit(stage, ADAS, FRANKS, hours=hours)
        visit(stage, *places)
    assert {said[0] for said in stage.heard() if said[2] == "withdrawn"} == set(lone)


@pytest.mark.parametrize("both", [False, True])
def test_a_date_that_another_edition_told_last_is_not_told_once_more(
    both: bool, stage: Stage
) -> None:
    """Proves the guard `dates this edition ever had`: what was heard last was told again for standing."""
    ours = stage.announce("us", BEN, "Glass Tide", release_date=DAY_A)
    theirs = stage.sell_also(ours)
    visit(stage)
    moves = [(ours, DAY_C), (theirs, DAY_B), (ours, DAY_B)]
    if both:  # theirs goes on, and comes back to what ours stands at: that is told once more
        moves += [(theirs, DAY_D), (theirs, DAY_B)]
    for title, day in moves:
        move(stage, title, day)
        visit(stage, FRANKS, ("uk", *FRANKS[1:]))
    for _ in range(25):
        stage.pass_time(DAY)
        stage.check()
    heard = (DAY_C, DAY_B, DAY_D, DAY_B) if both else (DAY_C, DAY_B)
    assert moves_heard(stage, "frank") == [str(day) for day in heard]


def test_what_waits_for_a_person_is_not_told_for_having_stood(stage: Stage) -> None:
    """Proves the guard `held_by` of retell: a flood of moves got past the brake after three days."""
    rng = random.Random(1)
    flood(stage, rng)
    visit(stage)
    stage.release_braked()
    stage.sweep(rng)
    flooded = [each for each in stage.model.store.values() if each.name.startswith("Flood")]
    for day in (DAY_A, DAY_B, DAY_A):
        for title in flooded:
            move(stage, title, day)
        visit(stage)
        if day == DAY_B or not moves_heard(stage, "alice"):
            stage.release_braked()
            stage.sweep(rng)
    before = len(moves_heard(stage, "alice"))
    for _ in range(8):
        stage.pass_time(DAY)
        stage.check()
    assert len(moves_heard(stage, "alice")) == before


@pytest.mark.parametrize("kind", ["asin", "series"])
def test_a_store_of_stubs_is_no_baseline(kind: str, stage: Stage) -> None:
    """Proves the guard `blindness of a stub`: what was there would be announced as new."""
    first = stage.announce("us", BEN, "Glass Tide", series="Far Shore", release_date=DAY_A)
    query = first.asin if kind == "asin" else first.series
    fields = {} if kind == "asin" else {"query": "Far Shore", "asin": query}
    stage.watch(model.Watch("gina", kind, query, ("us",)), **fields)
    stage.upset("us", "stubs")
    visit(stage)
    stage.heal("us")
    visit(stage)
    assert not [said for said in stage.heard() if said[0] == "gina"]


def test_a_page_of_stubs_is_not_the_end_of_a_baseline(stage: Stage) -> None:
    """Proves the guard `nothing but stubs`: what stood behind them would be announced as new."""
    flood(stage, random.Random(1))
    last = stage.announce("us", AUTHORS[0], "Glass Tide")
    stage.watch(model.Watch("gina", "author", ADAS[2], ("us",)))
    later = dt.timedelta(hours=13)
    stage.visit([ADAS], rng=random.Random(1), later=later, cut=Cut("stubs", 1))
    visit(stage, ADAS)
    assert ("gina", last.book, "announced", "") not in stage.heard()
