"""After a restore: what is found again may have been told before, so it waits for a person."""

import datetime as dt

import pytest

from accounts.models import Notice, User
from catalog import brake
from catalog.models import Gap, ReleaseEvent, Watch
from catalog.reminders import remind
from catalog.services import mark_out_by_date
from scraping.emulator.server import Emulator
from tests.factories import make_audiobook, make_watch
from tests.integration.scraping.conftest import AUTHOR
from tests.visits import HOUR, Clock, CutShort, visit_all

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


def forget(clock: Clock, began_at: dt.datetime | None = None) -> Gap:
    """A restore, now: the database knows nothing of what was since."""
    return Gap.objects.create(began_at=began_at or clock.now, ended_at=clock.now)


def test_what_the_first_pass_after_a_restore_finds_waits_for_a_person(
    watch: Watch, emulator: Emulator, clock: Clock
) -> None:
    """Proves the guard brake.is_forgotten: what was told before the restore would be told again."""
    emulator.announce("us", AUTHOR)
    forget(clock)
    assert visit_all(clock) == []
    assert [event.kind for event in ReleaseEvent.objects.braked()] == ["announced"]
    assert visit_all(clock) == []


def test_what_is_news_after_that_pass_is_told(
    watch: Watch, emulator: Emulator, clock: Clock
) -> None:
    forget(clock)
    assert visit_all(clock) == []
    emulator.announce("us", AUTHOR)
    assert visit_all(clock) == ["announced"]


def test_a_pass_that_is_cut_short_after_a_restore_is_held_to_its_end(
    watch: Watch, emulator: Emulator, clock: Clock
) -> None:
    """Proves that the mark is the complete pass, not the visit: page two may be old news as well."""
    for _ in range(60):
        emulator.announce("us", AUTHOR)
    forget(clock)
    page_by_page = CutShort(clock.now, emulator, "author=ada")
    told = [kind for _ in range(4) for kind in visit_all(page_by_page, dt.timedelta(minutes=1))]
    assert told == []
    assert ReleaseEvent.objects.braked().count() == 60


def test_a_new_target_waits_a_day_as_well(alice: User, emulator: Emulator, clock: Clock) -> None:
    """Proves the guard SEEN_AGAIN: a watch made after the restore finds what others were told of."""
    forget(clock)
    emulator.announce("us", AUTHOR)
    make_watch(alice, AUTHOR, now=clock.now, is_active=False)
    assert visit_all(clock) == []
    emulator.announce("us", "Bea Example")
    make_watch(alice, "Bea Example", now=clock.now, is_active=False)
    clock.now += brake.SEEN_AGAIN
    assert visit_all(clock) == ["announced"]


def test_the_operators_hear_of_it_once(watch: Watch, emulator: Emulator, clock: Clock) -> None:
    """Proves that one alarm is enough: every target's first pass would raise its own."""
    emulator.announce("us", AUTHOR)
    emulator.announce("us", "Tom Other")
    forget(clock)
    visit_all(clock)
    assert ReleaseEvent.objects.braked().count() == 2
    (notice,) = Notice.objects.filter(dedupe_key__startswith="forgotten:")
    assert notice.user is None
    assert not Notice.objects.filter(dedupe_key__startswith="braked:").exists()


def test_a_person_has_it_told(watch: Watch, emulator: Emulator, clock: Clock) -> None:
    emulator.announce("us", AUTHOR)
    forget(clock)
    visit_all(clock)
    (event,) = ReleaseEvent.objects.braked()
    assert brake.tell_braked(event_ids=[event.id]) == 1
    assert event in ReleaseEvent.objects.unprocessed()


def test_a_title_whose_day_lay_before_the_restore_is_out_and_waits(now: dt.datetime) -> None:
    """Proves the guard in mark_out_by_date: its day was told before the restore."""
    book = make_audiobook(now=now, out_in=2)
    Gap.objects.create(began_at=now, ended_at=now + 4 * DAY)
    assert mark_out_by_date(now=now + 4 * DAY + HOUR) == []
    event = book.events.get(kind="out_now")
    assert (event.held_by, event.braked_at is None) == (brake.BY_RESTORE, False)


def test_a_title_whose_day_comes_after_the_restore_is_told(now: dt.datetime) -> None:
    book = make_audiobook(now=now, out_in=9)
    Gap.objects.create(began_at=now, ended_at=now + 4 * DAY)
    assert mark_out_by_date(now=now + 11 * DAY) == [book.events.get(kind="out_now").id]


def test_a_reminder_whose_moment_was_forgotten_waits(alice: User, now: dt.datetime) -> None:
    """Proves the guard in remind: whoever was reminded before the restore would be again."""
    make_watch(alice, now=now, remind_days=[3])
    make_audiobook(now=now, out_in=4)
    make_audiobook(now=now, out_in=9)
    Gap.objects.create(began_at=now, ended_at=now + 2 * DAY)
    assert remind(now=now + 2 * DAY + HOUR) == []
    assert ReleaseEvent.objects.braked().get().kind == "reminder"
    assert len(remind(now=now + 7 * DAY)) == 1
