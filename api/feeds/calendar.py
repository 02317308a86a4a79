"""Feeds as iCalendar: each title a whole day on its store's calendar."""

import datetime as dt
from collections.abc import Iterable
from typing import Final

from icalendar import Alarm, Calendar, Event

from api.feeds.entries import Entry, Feed

_AT: Final = dt.timedelta(hours=8)  # in the morning, by the clock of whoever looks


def calendar(feed: Feed) -> bytes:
    """Titles without a date are left out; those withdrawn are cancelled, not gone."""
    made = Calendar()
    made.add("prodid", "-//Stalkerr//Releases//EN")
    made.add("version", "2.0")
    made.add("x-wr-calname", feed.title)
    made.add("x-wr-caldesc", feed.description)
    made.add("refresh-interval", dt.timedelta(hours=1), parameters={"VALUE": "DURATION"})
    made.add("x-published-ttl", "PT1H")
    for entry in feed.entries:
        if entry.release_date is not None:
            made.add_component(_event(entry, entry.release_date, feed.remind_days))
    return bytes(made.to_ical())


def _event(entry: Entry, day: dt.date, remind_days: Iterable[int]) -> Event:
    event = Event()
    event.add("uid", f"{entry.marketplace}-{entry.asin}@stalkerr")
    event.add("sequence", entry.moves)
    event.add("dtstamp", entry.updated_at)
    event.add("created", entry.announced_at)
    event.add("last-modified", entry.updated_at)
    event.add("dtstart", day)  # without an end it is that day
    event.add("summary", entry.title)
    event.add("description", entry.text())
    event.add("url", entry.link)
    event.add("transp", "TRANSPARENT")  # nobody is busy all day
    event.add("status", "CANCELLED" if entry.is_withdrawn else "CONFIRMED")
    if entry.cover:
        event.add("attach", entry.cover, parameters={"FMTTYPE": entry.cover_type})
    if not entry.is_withdrawn:
        for days in remind_days:
            event.add_component(_alarm(entry, days))
    return event


def _alarm(entry: Entry, days: int) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", entry.title)
    alarm.add("trigger", _AT - dt.timedelta(days=days))
    return alarm
