"""A visit from watch to news, against the emulated store over real HTTP and a real Redis."""

import datetime as dt

import pytest
from django.db import connection
from pytest_django import Settings

from accounts.models import Notice, User
from catalog.models import Audiobook, ReleaseEvent, Watch, WatchQuery
from catalog.services import record_listings
from scraping import politeness, services
from scraping.emulator.server import Emulator
from scraping.models import Target, Visit
from scraping.products import parse
from tests.factories import make_target, make_watch
from tests.visits import HOUR, Clock, visit_all

pytestmark = pytest.mark.django_db

AUTHOR = "Ada Example"
SECOND = dt.timedelta(seconds=1)


def test_the_first_complete_pass_is_the_baseline(watch: Watch, clock: Clock) -> None:
    """Proves the guard baseline: without it the watch would hear of what was there before."""
    assert Audiobook.objects.count() == 5
    assert watch.queries.get().active_from == clock.now
    assert Target.objects.get(query=AUTHOR.lower()).completed_at == clock.now


def test_a_baseline_silences_only_until_it_is_complete(
    alice: User, emulator: Emulator, clock: Clock
) -> None:
    make_watch(alice, AUTHOR, now=clock.now, is_active=False)
    emulator.throttle("us")
    visit_all(clock)
    assert WatchQuery.objects.get().active_from is None
    emulator.heal("us")
    visit_all(clock)
    assert WatchQuery.objects.get().active_from == clock.now


def test_a_thousand_watches_of_one_author_are_one_target(
    alice: User, emulator: Emulator, clock: Clock
) -> None:
    for name in ("Ada Example", "ada  example", "ADA EXAMPLE"):
        make_watch(alice, name, now=clock.now, is_active=False)
    visit_all(clock)
    assert Target.objects.filter(kind="author").count() == 1
    make_watch(alice, AUTHOR, now=clock.now, is_active=False)
    clock.now += HOUR
    services.sync_targets(now=clock.now)
    assert not WatchQuery.objects.filter(active_from=None).exists()


def test_each_verb_of_the_store_is_one_piece_of_news(
    watch: Watch, emulator: Emulator, clock: Clock, settings: Settings
) -> None:
    store = emulator
    first, second = (store.announce("us", AUTHOR, title) for title in ("Glass Tide", "Salt"))
    assert visit_all(clock) == ["announced", "announced"]
    assert visit_all(clock) == []
    store.move_date("us", first, store.today("us") + dt.timedelta(days=90))
    assert visit_all(clock) == ["date_moved"]
    store.release("us", second)
    assert visit_all(clock) == ["out_now"]
    store.withdraw("us", first)
    assert visit_all(clock) == []
    assert visit_all(clock, HOUR) == []
    assert visit_all(clock, settings.ABSENCE_DELAY) == ["withdrawn"]
    assert visit_all(clock, settings.ABSENCE_DELAY) == []
    store.restore("us", first)
    assert visit_all(clock) == ["restored"]


@pytest.mark.parametrize(
    ("mood", "outcome"),
    [
        ("429", "throttled"),
        ("503", "throttled"),
        ("error500", "failed"),
        ("empty", "failed"),
        ("captcha", "failed"),
        ("truncated", "failed"),
    ],
)
def test_trouble_at_the_store_changes_no_audiobook_and_is_no_news(
    mood: str, outcome: str, watch: Watch, emulator: Emulator, clock: Clock
) -> None:
    asin = emulator.announce("us", AUTHOR)
    assert visit_all(clock) == ["announced"]
    before = list(Audiobook.objects.order_by("id").values())
    if mood.isdigit():
        emulator.throttle("us", status=int(mood), retry_after=60)
    else:
        emulator.break_(mood, "us")
    for _ in range(4):
        assert visit_all(clock, 7 * HOUR) == []
        politeness._redis().flushdb()
    assert Visit.objects.filter(outcome=outcome, complete=False).exists()
    assert list(Audiobook.objects.order_by("id").values()) == before
    emulator.heal("us")
    assert visit_all(clock) == []
    assert Audiobook.objects.get(asin=asin).withdrawn_at is None


def test_a_stub_alone_withdraws_nothing_while_the_control_is_a_stub_too(
    watch: Watch, emulator: Emulator, clock: Clock, settings: Settings
) -> None:
    """Proves the guard control ASIN: a store that answers stubs to everything is to blame."""
    emulator.announce("us", AUTHOR, "Salt")
    gone = emulator.announce("us", AUTHOR, "Glass Tide")
    visit_all(clock)
    emulator.withdraw("us", gone)
    target = Target.objects.get(query=AUTHOR.lower())
    asked = 0

    def only_listings_are_whole() -> dt.datetime:
        if len(emulator.requests) > asked:
            emulator.break_("stubs", "us")
        return clock.now

    for _ in range(3):
        clock.now += settings.ABSENCE_DELAY + HOUR
        asked = len(emulator.requests)
        Target.objects.exclude(id=target.id).update(next_visit_at=clock.now + HOUR)
        Target.objects.filter(id=target.id).update(next_visit_at=clock.now)
        (claimed,) = services.claim_due(now=clock.now, limit=10)
        news = services.visit(
            target_id=target.id, claim_no=claimed.claim_no, clock=only_listings_are_whole
        )
        assert len(emulator.requests) == asked + 5  # the listing, the title alone, three controls
        assert news == ()
        emulator.heal("us")


def test_a_title_that_is_only_not_listed_is_not_gone(
    watch: Watch, emulator: Emulator, clock: Clock, settings: Settings
) -> None:
    asin = emulator.announce("us", AUTHOR)
    visit_all(clock)
    emulator.change("us", asin, authors=[])
    for _ in range(3):
        assert visit_all(clock, settings.ABSENCE_DELAY) == []


def test_a_title_whose_day_has_come_is_confirmed_by_its_own_query(
    watch: Watch, emulator: Emulator, clock: Clock
) -> None:
    two_days = dt.timedelta(days=2)
    emulator.announce("us", AUTHOR, release_date=emulator.today("us") + two_days)
    assert visit_all(clock) == ["announced"]
    clock.now += two_days
    Target.objects.exclude(kind="due").update(next_visit_at=clock.now + HOUR)
    (claimed,) = services.claim_due(now=clock.now, limit=10)
    services.visit(target_id=claimed.target_id, claim_no=claimed.claim_no, clock=clock)
    event = ReleaseEvent.objects.get(kind="out_now")
    assert not event.unconfirmed


def test_a_long_listing_is_read_page_by_page_and_goes_on_where_it_was_cut_short(
    alice: User, emulator: Emulator, clock: Clock
) -> None:
    emulator.stock("us", AUTHOR, 120)
    make_watch(alice, AUTHOR, now=clock.now, is_active=False)
    services.sync_targets(now=clock.now)
    target = Target.objects.get(kind="author")
    claimed = next(
        each for each in services.claim_due(now=clock.now, limit=10) if each.target_id == target.id
    )

    def refuse_the_third_request() -> dt.datetime:
        if len(emulator.requests) == 2:
            emulator.throttle("us", retry_after=0, requests=1)
        return clock.now

    services.visit(target_id=target.id, claim_no=claimed.claim_no, clock=refuse_the_third_request)
    target.refresh_from_db()
    assert target.unfinished_pass is not None
    assert target.completed_at is None
    visit_all(clock, SECOND)
    target.refresh_from_db()
    assert target.unfinished_pass is None
    assert len(target.asins) == 123
    urls = [request["url"] for request in emulator.requests if "author=" in request["url"]]
    assert len(urls) == len(set(urls)) + 1  # only the page that was refused was asked for twice


def test_a_claimed_target_is_nobody_elses_until_its_lease_ends(
    now: dt.datetime, settings: Settings, alice: User
) -> None:
    """Proves the guard lease of a target: without it two workers would visit it at once."""
    make_watch(alice, AUTHOR, now=now)
    make_target(AUTHOR.lower(), now=now)
    (first,) = services.claim_due(now=now, limit=10)
    assert services.claim_due(now=now + settings.VISIT_LEASE, limit=10) == []
    (second,) = services.claim_due(now=now + settings.VISIT_LEASE + SECOND, limit=10)
    assert second.claim_no == first.claim_no + 1


def test_a_visitor_that_lost_its_lease_writes_nothing(
    watch: Watch, emulator: Emulator, clock: Clock
) -> None:
    clock.now += HOUR
    Target.objects.update(next_visit_at=clock.now)
    stale = services.claim_due(now=clock.now, limit=10)
    Target.objects.update(claim_no=99)
    visits = Visit.objects.count()
    for claimed in stale:
        services.visit(target_id=claimed.target_id, claim_no=claimed.claim_no, clock=clock)
    assert Visit.objects.count() == visits


def test_a_target_that_nobody_needs_is_not_visited(now: dt.datetime) -> None:
    make_target("nobody", now=now)
    assert services.claim_due(now=now, limit=10) == []


def test_a_store_that_knows_fewer_groups_withdraws_all_the_same(
    watch: Watch, emulator: Emulator, clock: Clock, settings: Settings
) -> None:
    settings.STORE_RESPONSE_GROUPS = ["product_attrs", "moods"]
    gone = emulator.announce("us", AUTHOR)
    assert visit_all(clock) == ["announced"]
    emulator.withdraw("us", gone)
    assert visit_all(clock) == []
    assert visit_all(clock, settings.ABSENCE_DELAY) == ["withdrawn"]


@pytest.mark.parametrize(
    "note", [rb"\\ud83d\udc00", rb"\ud83d\\udc00", rb"\u0000", rb"\ud83d\udc00"]
)
def test_whatever_a_record_holds_can_be_stored(note: bytes, now: dt.datetime) -> None:
    """Proves the guard _UNSTORABLE: one escape that PostgreSQL refuses would cost the page."""
    body = rb'{"products": [{"asin": "B0GLASS001", "title": "Glass Tide", "note": "%s"}]}' % note
    page = parse(body, "us")
    assert record_listings(listings=page.listings, fetched_at=now, now=now).new == 1


_TRIP = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.title = 'Poison' THEN RAISE 'this can not be stored'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON works FOR EACH ROW EXECUTE FUNCTION refuse();
"""


def test_an_answer_that_trips_us_fails_its_target_and_holds_up_no_other(
    watch: Watch, alice: User, emulator: Emulator, clock: Clock
) -> None:
    """Proves the guard _go: the target would keep its lease and its place at the head for ever."""
    with connection.cursor() as cursor:
        cursor.execute(_TRIP)
    emulator.announce("us", AUTHOR, "Poison")
    emulator.announce("us", "Tom Other")
    assert visit_all(clock) == ["announced"]
    target = Target.objects.get(query=AUTHOR.lower())
    assert (target.failures, target.lease_expires_at) == (1, None)
    visit = Visit.objects.filter(target=target).latest("id")
    assert (visit.outcome, visit.detail) == ("failed", "our error: ProgrammingError")
    assert visit_all(clock) == []
    assert Notice.objects.filter(user=None).count() == 1


def test_titles_whose_whole_series_is_gone_are_looked_for_each(
    watch: Watch, alice: User, emulator: Emulator, clock: Clock, settings: Settings
) -> None:
    """Proves the guard `others`: that the series is denied would end the look."""
    emulator.announce("us", "Bea Example", "Glass Tide", series="Tides", sequence="1")
    asin = emulator.announce("us", "Bea Example", "Glass Wave", series="Tides", sequence="2")
    shelf = emulator._shelf("us")
    series_asin = shelf.find_series("Tides").asin
    make_watch(alice, "Tides", kind="series", asin=series_asin, now=clock.now, is_active=False)
    visit_all(clock)
    emulator.withdraw("us", asin)
    shelf.series.pop(series_asin)
    shelf._note(series_asin)
    assert visit_all(clock, settings.ABSENCE_DELAY) == []
    assert visit_all(clock, settings.ABSENCE_DELAY) == ["withdrawn"]


def test_what_falls_off_the_end_of_a_capped_listing_is_followed_no_more(
    alice: User, emulator: Emulator, clock: Clock
) -> None:
    """Proves the guard `capped`: a lively genre's target would grow for ever."""
    emulator.stock("us", AUTHOR, 520)
    make_watch(alice, AUTHOR, now=clock.now, is_active=False)
    visit_all(clock)
    target = Target.objects.get(query=AUTHOR.lower())
    assert len(target.asins) == 500
    for _ in range(3):
        emulator.announce("us", AUTHOR)
    visit_all(clock)
    target.refresh_from_db()
    assert len(target.asins) == 500


def test_a_target_that_nobody_needs_rests_until_somebody_does(
    alice: User, now: dt.datetime, settings: Settings
) -> None:
    """Proves the guard _put_orphans_off: each claim would look through all that nobody needs."""
    target = make_target(now=now, visited_at=now, failures=3)
    services.sync_targets(now=now)
    target.refresh_from_db()
    assert (
        now + settings.VISIT_INTERVAL / 2 <= target.next_visit_at <= now + settings.VISIT_INTERVAL
    )
    make_watch(alice, AUTHOR, now=now, is_active=False)
    services.sync_targets(now=now + HOUR)
    claimed = services.claim_due(now=now + HOUR, limit=10)
    assert target.id in {each.target_id for each in claimed}


def test_visits_of_long_ago_are_forgotten(watch: Watch, clock: Clock) -> None:
    number = Visit.objects.count()
    assert services.prune_visits(before=clock.now - HOUR) == 0
    assert services.prune_visits(before=clock.now + HOUR) == number > 0
