"""When a channel is told, through every change of every clock there is."""

import datetime as dt
from collections.abc import Iterable, Iterator
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifications.timing import Wish, digest_at, last_digest, next_digest, quiet_end

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)
YEARS = dt.date(2026, 1, 1), dt.date(2029, 1, 1)
SPAN = [dt.datetime.combine(day, dt.time()) for day in YEARS]
# Clocks that change at midnight, by half an hour, by two hours, in the evening, by a quarter past.
ODD_ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Havana",
    "America/Nuuk",
    "America/Scoresbysund",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
)


def days(first: dt.date, end: dt.date) -> list[dt.date]:
    return [first + number * DAY for number in range((end - first).days)]


def digests(wish: Wish, first: dt.date, end: dt.date) -> Iterator[dt.datetime]:
    """All digests of these days, each found from the one before."""
    zone = ZoneInfo(wish.zone)
    moment = dt.datetime.combine(first, dt.time(), zone).astimezone(dt.UTC) - SECOND
    while (moment := next_digest(wish, moment)).astimezone(zone).date() < end:
        yield moment


def assert_once_a_day(zone: str, hours: Iterable[int], first: dt.date, end: dt.date) -> None:
    for hour in hours:
        wish = Wish(zone=zone, digest="daily", hour=hour)
        moments = list(digests(wish, first, end))
        local = [moment.astimezone(ZoneInfo(zone)) for moment in moments]
        assert [each.date() for each in local] == days(first, end), (zone, hour)
        late = [each for each in local if each.time() != dt.time(hour)]
        assert not any(exists(each, hour) for each in late), (zone, hour, late)


def exists(day: dt.datetime, hour: int) -> bool:
    """Whether the clock shows that hour on that day."""
    there = dt.datetime.combine(day.date(), dt.time(hour), day.tzinfo)
    back = there.astimezone(dt.UTC).astimezone(day.tzinfo)
    return back.replace(tzinfo=None) == there.replace(tzinfo=None)


@pytest.mark.parametrize("zone", ODD_ZONES)
def test_there_is_exactly_one_digest_on_each_local_date(zone: str) -> None:
    """Proves the guards of gaps: an hour that a change skips would be of another day, or none."""
    assert_once_a_day(zone, (0, 1, 2, 3, 23), dt.date(2026, 3, 1), dt.date(2027, 4, 15))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_there_is_exactly_one_digest_on_each_local_date_in_every_zone_for_three_years() -> None:
    zones = {changes(zone): zone for zone in sorted(available_timezones())}
    assert len(zones) > 50
    for zone in zones.values():
        assert_once_a_day(zone, range(24), *YEARS)


def changes(zone: str) -> tuple[object, ...]:
    """What its clock does in these years: zones that do the same are one."""
    there = ZoneInfo(zone)
    noons = [dt.datetime.combine(day, dt.time(12), dt.UTC) for day in days(*YEARS)]
    first = noons[0].astimezone(there).utcoffset()
    found = [
        (_change(before, after, there), after.astimezone(there).utcoffset())
        for before, after in pairwise(noons)
        if before.astimezone(there).utcoffset() != after.astimezone(there).utcoffset()
    ]
    return (first, *found)


def _change(before: dt.datetime, after: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    old = before.astimezone(zone).utcoffset()
    while after - before > SECOND:
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


@pytest.mark.parametrize("zone", ODD_ZONES)
@pytest.mark.parametrize("weekday", [0, 5, 6])
def test_a_weekly_digest_comes_once_in_each_week_on_its_day(zone: str, weekday: int) -> None:
    wish = Wish(zone=zone, digest="weekly", hour=0, weekday=weekday)
    found = [each.astimezone(ZoneInfo(zone)).date() for each in digests(wish, *YEARS)]
    assert found == [day for day in days(*YEARS) if day.weekday() == weekday]


def test_a_day_that_a_calendar_skips_has_no_digest() -> None:
    """Proves the guard _has_day: Samoa crossed the date line and had no 30 December 2011."""
    wish = Wish(zone="Pacific/Apia", digest="daily", hour=9)
    around = dt.date(2011, 12, 28), dt.date(2012, 1, 2)
    found = [each.astimezone(ZoneInfo(wish.zone)).day for each in digests(wish, *around)]
    assert found == [28, 29, 31, 1]


@given(
    zone=st.sampled_from(ODD_ZONES),
    hour=st.integers(0, 23),
    weekly=st.booleans(),
    moment=st.datetimes(*SPAN),
)
def test_the_last_digest_is_due_and_the_next_is_not(
    *, zone: str, hour: int, weekly: bool, moment: dt.datetime
) -> None:
    now = moment.replace(tzinfo=dt.UTC)
    wish = Wish(zone=zone, digest="weekly" if weekly else "daily", hour=hour, weekday=6)
    last = digest_at(wish, last_digest(wish, now))
    assert last <= now < next_digest(wish, now)
    assert next_digest(wish, last) == next_digest(wish, now)


def test_what_a_change_skips_comes_right_after_it_and_what_comes_twice_the_first_time() -> None:
    skipped = digest_at(Wish(zone="Europe/Berlin", digest="daily", hour=2), dt.date(2026, 3, 29))
    assert skipped == dt.datetime(2026, 3, 29, 1, tzinfo=dt.UTC)  # 3:00 in Berlin
    twice = digest_at(Wish(zone="Europe/Berlin", digest="daily", hour=2), dt.date(2026, 10, 25))
    assert twice == dt.datetime(2026, 10, 25, 0, tzinfo=dt.UTC)
    # In Nuuk the 28th of March ends at 23:00: its digest of 23:00 comes a minute before.
    cut = digest_at(Wish(zone="America/Nuuk", digest="daily", hour=23), dt.date(2026, 3, 28))
    assert cut == dt.datetime(2026, 3, 29, 0, 59, tzinfo=dt.UTC)


# -- quiet hours -------------------------------------------------------------------------------
TIMES = st.builds(dt.time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45, 59]))
# Half of the moments are close to a change of the clock in one of the odd zones.
MOMENTS = st.datetimes(*SPAN) | st.builds(
    lambda day, minutes: dt.datetime.combine(day, dt.time()) + dt.timedelta(minutes=minutes),
    st.sampled_from(
        [dt.date(2026, 3, 29), dt.date(2026, 10, 25), dt.date(2026, 4, 5), dt.date(2026, 10, 4)]
    ),
    st.integers(-1440, 2880),
)


@example(
    zone="Europe/Berlin",
    begins=dt.time(2, 45),
    ends=dt.time(2, 30),
    moment=dt.datetime.combine(dt.date(2026, 3, 29), dt.time()),
)
@given(zone=st.sampled_from(ODD_ZONES), begins=TIMES, ends=TIMES, moment=MOMENTS)
def test_quiet_hours_end_later_than_now_within_a_day_and_are_over_then(
    *, zone: str, begins: dt.time, ends: dt.time, moment: dt.datetime
) -> None:
    """Proves the guard of gaps: what is open between two quiet hours may be skipped by a change."""
    now = moment.replace(tzinfo=dt.UTC)
    wish = Wish(zone=zone, quiet_from=begins, quiet_until=ends)
    if wish.errors():
        return
    local = now.astimezone(ZoneInfo(zone))
    end = quiet_end(wish, now)
    assert (end is not None) == wish.is_quiet(local.time())
    if end is None:
        return
    there = end.astimezone(ZoneInfo(zone))
    assert end > now
    assert not wish.is_quiet(there.time())
    # No clock is changed by more than two hours; an opening shorter than that may be skipped.
    opening = minutes(begins) - minutes(ends)
    may_be_skipped = opening % DAY <= 2 * HOUR
    assert end - now <= DAY + 2 * HOUR + may_be_skipped * DAY


def minutes(time: dt.time) -> dt.timedelta:
    return dt.timedelta(hours=time.hour, minutes=time.minute)


@pytest.mark.parametrize(
    ("begins", "ends", "now", "end"),
    [
        # over midnight, and not
        ("22:00", "07:00", "2026-06-01T21:00", "2026-06-02T05:00"),
        ("22:00", "07:00", "2026-06-01T03:00", "2026-06-01T05:00"),
        ("13:00", "14:00", "2026-06-01T11:30", "2026-06-01T12:00"),
        ("22:00", "07:00", "2026-06-01T05:00", None),
        ("22:00", "07:00", "2026-06-01T19:59", None),
        ("22:00", "07:00", "2026-06-01T20:00", "2026-06-02T05:00"),
        # they end in the hour that is skipped: at its end
        ("22:00", "02:30", "2026-03-28T23:00", "2026-03-29T01:00"),
        # the night is an hour shorter, an hour longer
        ("22:00", "07:00", "2026-03-28T22:00", "2026-03-29T05:00"),
        ("22:00", "07:00", "2026-10-24T22:00", "2026-10-25T06:00"),
        # they end in the hour that comes twice: the first time, and then again
        ("22:00", "02:30", "2026-10-24T23:00", "2026-10-25T00:30"),
        ("22:00", "02:30", "2026-10-25T01:10", "2026-10-25T01:30"),
    ],
)
def test_quiet_hours_in_berlin(begins: str, ends: str, now: str, end: str | None) -> None:
    wish = Wish(
        zone="Europe/Berlin",
        quiet_from=dt.time.fromisoformat(begins),
        quiet_until=dt.time.fromisoformat(ends),
    )
    moment = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)
    found = quiet_end(wish, moment)
    assert found == (dt.datetime.fromisoformat(end).replace(tzinfo=dt.UTC) if end else None)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"quiet_from": dt.time(22)}, "quiet_until"),
        ({"quiet_from": dt.time(22), "quiet_until": dt.time(22)}, "quiet_until"),
        (
            {
                "digest": "daily",
                "hour": 23,
                "quiet_from": dt.time(22),
                "quiet_until": dt.time(7),
            },
            "digest_hour",
        ),
    ],
)
def test_what_can_not_be_meant_so_is_said(fields: dict[str, object], named: str) -> None:
    assert list(Wish(zone="UTC", **fields).errors()) == [named]  # type: ignore[arg-type]
