"""Too much news at once waits for a person; a visit's news waits for its end."""

import datetime as dt

import pytest

from accounts.models import Notice, User
from catalog import brake
from catalog.listing import SeriesPlace
from catalog.models import ReleaseEvent, Watch
from catalog.services import mark_out_by_date, publish_events, record_listings
from scraping import services
from scraping.emulator.server import Emulator
from scraping.models import Target, Visit
from tests.factories import make_audiobook, make_listing, make_target, make_watch
from tests.integration.scraping.conftest import AUTHOR
from tests.promises import untold
from tests.visits import HOUR, Clock, CutShort, visit_all

pytestmark = pytest.mark.django_db


MINUTE = dt.timedelta(minutes=1)


def announce(emulator: Emulator, number: int) -> list[str]:
    return [emulator.announce("us", AUTHOR) for _ in range(number)]


def test_fifty_one_pieces_of_news_wait_for_a_person(
    watch: Watch, emulator: Emulator, clock: Clock
) -> None:
    """Proves the guard brake: without it whatever a misread page says goes out to everybody."""
    announce(emulator, 51)
    assert visit_all(clock) == []
    held = ReleaseEvent.objects.braked()
    assert held.count() == 51
    publish_events()
    assert set(untold()).isdisjoint(held.values_list("id", flat=True))
    assert set(held.values_list("published_seq", flat=True)) == {None}


def test_a_target_that_always_brings_much_may_bring_five_times_as_much(
    watch: Watch, emulator: Emulator, clock: Clock
) -> None:
    for _ in range(3):
        announce(emulator, 11)
        visit_all(clock)
    announce(emulator, 55)
    assert visit_all(clock) == ["announced"] * 55
    announce(emulator, 276)
    assert visit_all(clock) == []


def test_fifty_are_never_too_many(watch: Watch, emulator: Emulator, clock: Clock) -> None:
    announce(emulator, 50)
    assert visit_all(clock) == ["announced"] * 50


def test_what_was_braked_does_not_loosen_the_brake(
    watch: Watch, emulator: Emulator, clock: Clock
) -> None:
    """Proves the guard `NOT braked`: else the second flood would be let through by the first."""
    announce(emulator, 60)
    assert visit_all(clock) == []
    announce(emulator, 60)
    assert visit_all(clock) == []


def test_a_first_pass_may_bring_much(alice: User, emulator: Emulator, clock: Clock) -> None:
    announce(emulator, 60)
    make_watch(alice, AUTHOR, now=clock.now, is_active=False)
    assert visit_all(clock) == ["announced"] * 60


def test_what_a_first_pass_brought_is_not_usual(
    alice: User, emulator: Emulator, clock: Clock
) -> None:
    """Proves the guard of the first pass: it would loosen the brake for a month."""
    announce(emulator, 60)
    make_watch(alice, AUTHOR, now=clock.now, is_active=False)
    visit_all(clock)
    announce(emulator, 51)
    assert visit_all(clock) == []


def test_the_operators_are_told_of_the_brake_once(
    watch: Watch, emulator: Emulator, clock: Clock
) -> None:
    announce(emulator, 60)
    visit_all(clock)
    visit_all(clock)
    notice = Notice.objects.get()
    assert notice.user is None
    assert AUTHOR.lower() in notice.subject


def test_a_person_has_it_told(watch: Watch, emulator: Emulator, clock: Clock) -> None:
    announce(emulator, 60)
    visit_all(clock)
    ids = list(ReleaseEvent.objects.braked().values_list("id", flat=True))
    assert brake.tell_braked(event_ids=ids) == 60
    assert set(ids) <= set(untold())
    assert not ReleaseEvent.objects.braked().exists()


def test_a_person_lets_it_count_as_told(watch: Watch, emulator: Emulator, clock: Clock) -> None:
    announce(emulator, 60)
    visit_all(clock)
    before = untold()
    ids = list(ReleaseEvent.objects.braked().values_list("id", flat=True))
    assert brake.drop_braked(event_ids=ids, now=clock.now) == 60
    assert untold() == before


def test_more_news_of_a_title_that_waits_for_a_person_waits_with_it(
    watch: Watch, emulator: Emulator, clock: Clock
) -> None:
    """Proves the guard `braked sibling`: a move would be told of a title nobody heard of."""
    first, *_ = announce(emulator, 60)
    visit_all(clock)
    emulator.move_date("us", first, emulator.today("us") + dt.timedelta(days=200))
    assert visit_all(clock) == []
    assert ReleaseEvent.objects.braked().filter(kind="date_moved").exists()


def test_nothing_is_told_before_the_visit_is_over(now: dt.datetime) -> None:
    """Proves the guard held_by: page one would be out before page two shows that all is wrong."""
    target = make_target(now=now)
    listings = [make_listing(release_date=now.date() + dt.timedelta(days=9))]
    record_listings(listings=listings, fetched_at=now, now=now, held_by=target.id)
    publish_events()
    assert untold() == []
    event = ReleaseEvent.objects.get()
    assert event.published_seq is None


def test_the_news_of_a_visit_that_died_is_told_once_its_lease_is_over(now: dt.datetime) -> None:
    """Proves the guard let_strays_go: without it what a killed visitor found stays held for ever."""
    target = make_target(now=now, lease_expires_at=now + HOUR)
    listings = [make_listing(release_date=now.date() + dt.timedelta(days=9))]
    record_listings(listings=listings, fetched_at=now, now=now, held_by=target.id)
    assert services.let_strays_go(now=now) == ()
    told = services.let_strays_go(now=now + 2 * HOUR)
    assert list(told) == untold() != []


def test_a_visit_says_what_it_covered(watch: Watch, emulator: Emulator, clock: Clock) -> None:
    announce(emulator, 60)
    emulator.stock("us", "Bea Example", 2)  # a fuzzy search for Ada Example shows hers as well
    visit_all(clock)
    visit = Visit.objects.filter(target__query=AUTHOR.lower()).latest("id")
    assert (visit.pages, visit.products, visit.others) == (2, 63, 2)
    assert (visit.new, visit.changed, visit.events, visit.braked) == (60, 0, 60, True)
    assert (visit.outcome, visit.complete, visit.capped) == ("found", True, False)
    assert (visit.total_results or 0) > 65
    assert visit.source == "audible_api"
    assert len(Target.objects.get(query=AUTHOR.lower()).asins) == 63


def test_the_operators_are_told_what_a_visit_that_died_left_waiting(now: dt.datetime) -> None:
    """Proves the guard say_braked: nobody would look for news that a dead visit left held."""
    target = make_target(now=now, completed_at=now)
    day = now.date() + dt.timedelta(days=9)
    listings = [make_listing(release_date=day) for _ in range(51)]
    record_listings(listings=listings, fetched_at=now, now=now, held_by=target.id)
    assert services.let_strays_go(now=now + HOUR) == ()
    assert ReleaseEvent.objects.braked().count() == 51
    assert "51 pieces of news" in Notice.objects.get().text


def test_a_pass_that_is_cut_short_again_and_again_meets_the_brake(
    watch: Watch, emulator: Emulator, clock: Clock
) -> None:
    """Proves the guard `lately`: a flood would slip through page by page."""
    announce(emulator, 120)
    page_by_page = CutShort(clock.now, emulator, "author=ada")
    told = [kind for _ in range(3) for kind in visit_all(page_by_page, MINUTE)]
    assert told == ["announced"] * 50
    assert ReleaseEvent.objects.braked().count() == 70


def test_what_waits_for_a_person_is_not_told_by_its_date(now: dt.datetime) -> None:
    """Proves the guard of mark_out_by_date: a misread page would be told on the days it invents."""
    audiobook = make_audiobook(now=now, out_in=2)
    audiobook.events.update(held_by=1, braked_at=now)
    other = make_audiobook(now=now, out_in=2)
    (told,) = mark_out_by_date(now=now + dt.timedelta(days=4))
    assert told == other.events.get(kind="out_now").id
    event = audiobook.events.get(kind="out_now")
    assert (event.held_by, event.unconfirmed) == (1, True)
    assert brake.tell_braked(event_ids=audiobook.events.values_list("id", flat=True)) == 2
    assert event.id in untold()


def test_what_a_person_dropped_is_not_announced_once_its_series_is_known(now: dt.datetime) -> None:
    """Proves the guard not_dropped: its fan-out would begin anew."""
    day = now.date() + dt.timedelta(days=30)
    audiobook = make_audiobook(now=now, release_date=day)
    audiobook.events.update(held_by=1, braked_at=now)
    brake.drop_braked(event_ids=audiobook.events.values_list("id", flat=True), now=now)
    place = SeriesPlace("B0SERIES01", "Tides", "2")
    make_audiobook(now=now + HOUR, asin=audiobook.asin, release_date=day, series=[place])
    assert untold() == []
