"""What the operators hear of, and what they do not."""

import datetime as dt

import pytest
from pytest_django import Settings

from accounts.models import Notice, User
from catalog.models import Watch
from scraping import alarms, politeness
from scraping.emulator.server import Emulator
from tests.factories import make_audiobook, make_target, make_watch
from tests.integration.scraping.conftest import AUTHOR
from tests.visits import HOUR, Clock, visit_all

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("breakage", ["empty", "captcha", "error500", "truncated", "blank"])
def test_two_blind_visits_in_a_row_raise_one_alarm(
    breakage: str, alice: User, emulator: Emulator, clock: Clock
) -> None:
    make_watch(alice, AUTHOR, now=clock.now, is_active=False)
    visit_all(clock)
    emulator.break_(breakage, "us")
    visit_all(clock)
    assert not Notice.objects.exists()
    politeness._redis().flushdb()
    visit_all(clock)
    politeness._redis().flushdb()
    visit_all(clock)
    assert Notice.objects.get().user is None


def test_a_throttled_visit_is_not_blind(alice: User, emulator: Emulator, clock: Clock) -> None:
    make_watch(alice, AUTHOR, now=clock.now, is_active=False)
    visit_all(clock)
    emulator.throttle("us")
    for _ in range(3):
        visit_all(clock)
        politeness._redis().flushdb()
    assert not Notice.objects.exists()


def test_a_blind_visit_between_good_ones_raises_none(
    alice: User, emulator: Emulator, clock: Clock
) -> None:
    make_watch(alice, AUTHOR, now=clock.now, is_active=False)
    visit_all(clock)
    for _ in range(2):
        emulator.break_("captcha", "us")
        visit_all(clock)
        emulator.heal("us")
        visit_all(clock)
    assert not Notice.objects.exists()


def test_two_targets_that_fail_one_after_the_other_raise_the_alarm_of_their_store(
    watch: Watch, emulator: Emulator, clock: Clock
) -> None:
    """Proves the guard of the marketplace: behind an open breaker no target fails twice."""
    emulator.break_("captcha", "us")
    visit_all(clock)
    assert "us" in Notice.objects.get().subject


def test_silence_everywhere_raises_one_alarm(
    alice: User, now: dt.datetime, settings: Settings
) -> None:
    make_audiobook(now=now)
    make_watch(alice, AUTHOR, now=now)
    make_target(AUTHOR.lower(), now=now)
    assert not alarms.look_for_silence(now=now + settings.SILENCE_ALARM - HOUR)
    for hours in (1, 2, 99):
        assert alarms.look_for_silence(now=now + settings.SILENCE_ALARM + hours * HOUR)
    assert Notice.objects.count() == 1


def test_where_nobody_looks_silence_is_no_alarm(now: dt.datetime, settings: Settings) -> None:
    make_audiobook(now=now)
    assert not alarms.look_for_silence(now=now + 2 * settings.SILENCE_ALARM)
