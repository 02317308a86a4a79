"""Which slots are due: pure functions, over all zones and whatever their clocks do."""

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from workers import schedule
from workers.checks import check_schedule
from workers.moments import DAY, next_slot, slots_of
from workers.schedule import EACH_MAX, TOO_LATE, Job, due_slots
from workers.timing import Missed, Timing, TimingError, parse, parse_all

ZONES = sorted(available_timezones())
NOON = dt.datetime(2026, 3, 8, 12, tzinfo=dt.UTC)
NEW_AGE = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
HOURLY = Job("j", HOUR, "tick", MINUTE)
EACH, SKIP = (replace(HOURLY, missed=missed) for missed in (Missed.EACH, Missed.SKIP))


def daily(zone: str, at: dt.time, begin: dt.datetime, end: dt.datetime) -> list[dt.datetime]:
    return slots_of(every=DAY, at=at, zone=zone, after=begin, until=end, limit=10_000)


def dates_of(zone: str, begin: dt.datetime, end: dt.datetime) -> set[dt.date]:
    """The dates that the clocks of a zone show between two moments."""
    hours = range(int((end - begin) / HOUR) + 1)
    return {(begin + n * HOUR).astimezone(ZoneInfo(zone)).date() for n in hours}


def test_a_daily_job_runs_once_a_local_date_over_three_years_in_every_zone() -> None:
    """Row 11: 02:30, which many zones leave out once a year and have twice once a year."""
    begin, end = (dt.datetime(year, 1, 1, 12, tzinfo=dt.UTC) for year in (2024, 2027))
    for zone in ZONES:
        slots = daily(zone, dt.time(2, 30), begin, end)
        dates = [slot.astimezone(ZoneInfo(zone)).date() for slot in slots]
        first = dates[0]
        assert dates == [first + n * DAY for n in range(len(dates))], zone
        assert len(dates) in (1095, 1096, 1097), zone
        walls = [slot.astimezone(ZoneInfo(zone)).time() for slot in slots]
        assert sum(wall != dt.time(2, 30) for wall in walls) <= 3, zone  # left out, once a year


@given(
    zone=st.sampled_from(ZONES),
    at=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    begin=st.integers(0, 36 * 365 * 24).map(lambda hours: NEW_AGE + hours * HOUR),
)
def test_at_any_hour_of_any_zone_a_date_has_one_slot(
    zone: str, at: dt.time, begin: dt.datetime
) -> None:
    """Proves the guards of `moments._days`: a gap, a fold, and a date that a zone left out."""
    end = begin + 40 * DAY
    slots = daily(zone, at, begin, end)
    dates = [slot.astimezone(ZoneInfo(zone)).date() for slot in slots]
    assert dates == sorted(set(dates))
    assert dates_of(zone, begin + 2 * DAY, end - 2 * DAY) <= set(dates)


@given(
    zone=st.sampled_from(ZONES),
    at=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    steps=st.lists(st.integers(1, 4000), min_size=1, max_size=60),
    year=st.integers(2000, 2035),
)
def test_however_ticks_fall_each_slot_is_opened_once(
    zone: str, at: dt.time, steps: list[int], year: int
) -> None:
    job = replace(EACH, every=DAY, at=at, zone=zone)
    now = begin = dt.datetime(year, 2, 20, 12, tzinfo=dt.UTC)
    last: dt.datetime | None = begin
    opened: list[dt.datetime] = []
    for minutes in steps:
        now += minutes * MINUTE
        found = due_slots(job, last=last, now=now)
        opened += found
        last = found[-1] if found else last
        following = next_slot(every=DAY, at=at, zone=zone, now=now)
        assert following > now
        assert following == daily(zone, at, now, now + 3 * DAY)[0]
    assert opened == daily(zone, at, begin, now)


def test_a_date_that_a_zone_left_out_has_no_slot_of_its_own() -> None:
    begin, end = (dt.datetime(2011, 12, day, tzinfo=dt.UTC) for day in (27, 31))
    local = ZoneInfo("Pacific/Apia")  # which had no 30 December
    found = daily("Pacific/Apia", dt.time(9), begin, end + DAY)
    assert [slot.astimezone(local).day for slot in found] == [27, 28, 29, 31, 1]


def test_every_beat_means_the_same_slot() -> None:
    early, late = (due_slots(HOURLY, last=None, now=NOON + n * MINUTE) for n in (1, 59))
    assert early == late == [NOON]
    assert due_slots(HOURLY, last=NOON, now=NOON + 59 * MINUTE) == []
    assert due_slots(HOURLY, last=NOON, now=NOON + HOUR) == [NOON + HOUR]


def test_what_was_missed_is_run_once_or_each_or_not() -> None:
    """Proves the policies."""
    now = NOON + 5 * HOUR + 2 * TOO_LATE
    assert due_slots(HOURLY, last=NOON, now=now) == [NOON + 5 * HOUR]
    assert due_slots(EACH, last=NOON, now=now) == [NOON + n * HOUR for n in range(1, 6)]
    assert due_slots(SKIP, last=NOON, now=now) == []
    assert due_slots(SKIP, last=NOON, now=now - TOO_LATE) == [NOON + 5 * HOUR]


def test_what_expired_is_not_run_whatever_the_policy() -> None:
    now = NOON + 5 * HOUR + MINUTE
    expiring = [replace(job, expires=2 * HOUR) for job in (HOURLY, EACH)]
    assert due_slots(expiring[0], last=NOON, now=now) == [NOON + 5 * HOUR]
    assert due_slots(expiring[1], last=NOON, now=now) == [NOON + 4 * HOUR, NOON + 5 * HOUR]
    assert due_slots(replace(HOURLY, expires=MINUTE), last=NOON, now=now + MINUTE) == []


def test_a_year_without_a_beat_is_no_flood() -> None:
    """Proves the guard EACH_MAX."""
    found = due_slots(EACH, last=NOON, now=NOON + 365 * DAY)
    assert found == [NOON + 365 * DAY - n * HOUR for n in reversed(range(EACH_MAX))]


def test_a_job_that_never_ran_has_one_slot_due() -> None:
    for job in (HOURLY, EACH):
        assert due_slots(job, last=None, now=NOON + MINUTE) == [NOON]


def test_a_pause_leaves_nothing_behind() -> None:
    """Proves the guard `since`."""
    assert due_slots(replace(EACH, paused=True), last=NOON, now=NOON + 9 * HOUR) == []
    resumed = replace(EACH, since=NOON + 9 * HOUR)
    assert due_slots(resumed, last=NOON, now=NOON + 9 * HOUR) == []
    assert due_slots(resumed, last=NOON, now=NOON + 10 * HOUR) == [NOON + 10 * HOUR]


@pytest.mark.parametrize(
    ("words", "means"),
    [
        ("1800", Timing(every=30 * MINUTE)),
        ("04:30", Timing(every=DAY, at=dt.time(4, 30))),
        ("4:30 Europe/Berlin", Timing(every=DAY, at=dt.time(4, 30), zone="Europe/Berlin")),
        ("3600 skip", Timing(every=HOUR, missed=Missed.SKIP)),
        ("each", Timing(missed=Missed.EACH)),
        ("paused", Timing(paused=True)),
        ("", Timing()),
    ],
)
def test_a_time_is_said_in_words(words: str, means: Timing) -> None:
    assert parse(words) == means


@pytest.mark.parametrize(
    "words",
    [
        *(
            "soon",
            "0",
            "99999999999",
            "999999999",
            "24:00",
            "04:60",
            "-5",
            "1.5",
            "04:30 Mars/North",
        ),
        *(
            "04:30 04:30",
            "1800 3600",
            "1800 04:30",
            "UTC",
            "1800 UTC",
            "once each",
            "../etc/passwd",
        ),
        *(
            "04:30 ../../etc/passwd",
            "04:30 /etc/localtime",
            "\uff14:30",
            "04:30 Europe",
            "x" * 10_000,
        ),
    ],
)
def test_what_is_no_time_is_refused_in_a_sentence(words: str) -> None:
    with pytest.raises(TimingError, match=r"\.$"):
        parse(words)


def test_a_deployment_may_time_jobs_otherwise(settings: Settings) -> None:
    settings.SCHEDULE = ["workers.prune=60", " catalog.remind = 07:00 UTC each"]
    assert schedule.find("workers.prune").every == MINUTE
    remind = schedule.find("catalog.remind")
    assert (remind.at, remind.missed) == (dt.time(7), Missed.EACH)
    assert schedule.in_words(remind) == "daily at 07:00 UTC"
    assert check_schedule() == []


@pytest.mark.parametrize(
    "said",
    [
        *("workers.prune", "=60", "workers.prune=", "nothing.at_all=60", "workers.prune=often"),
        *(
            "notifications.sweep=60",
            "scraping.visit_due_targets=paused",
            "notifications.sweep=each",
        ),
    ],
)
def test_a_schedule_that_can_not_be_meant_is_refused_before_anything_starts(
    said: str, settings: Settings
) -> None:
    """Proves the guard workers.E002."""
    settings.SCHEDULE = [said]
    (error,) = check_schedule()
    assert (error.id, error.msg[:9]) == ("workers.E002", "SCHEDULE:")
    assert error.hint


def test_a_job_is_not_changed_twice() -> None:
    with pytest.raises(TimingError, match="twice"):
        parse_all(["workers.prune=60", "workers.prune=70"])
