"""What people have set up, as JSON that a person can read: no secret is in it, and no news.

Users with their preferences, channels (address and secrets left out where they are secret), watches,
and the schedule. The other way round: workers/backups/configuring.py.
"""

import datetime as dt
import json
from collections.abc import Iterator
from typing import IO, Any, Final

from django.db.models import Prefetch

from accounts.models import Preferences, User
from catalog.models import Watch
from notifications.models import Channel, Route, Timing
from notifications.registration import shown_config
from stalkerr.crypto import UnreadableSecretError
from workers import schedule

FORMAT: Final = "stalkerr-configuration"
VERSION: Final = 1
AT_ONCE: Final = 500  # users in memory

Shape = dict[str, Any]

OF_PREFERENCES: Final = (
    *("marketplaces", "languages", "hidden", "remind_days", "digest", "digest_hour"),
    *("digest_weekday", "quiet_from", "quiet_until"),
)
OF_TIMING: Final = ("digest", "hour", "weekday", "quiet_from", "quiet_until")
OF_WATCH: Final = (
    *("kind", "query", "asin", "aliases", "marketplaces", "languages", "hidden", "excluded_words"),
    *("event_kinds", "remind_days", "include_announced", "per_edition", "muted", "snoozed_until"),
)


def write(target: IO[str], *, now: dt.datetime) -> int:
    """Write all of it, user by user; returns how many there are."""
    head = {"format": FORMAT, "version": VERSION, "exported_at": now, "schedule": _schedule()}
    target.write(_json(head).removesuffix("\n}") + ',\n "users": [')
    count = 0
    for count, user in enumerate(users(), 1):
        target.write((",\n" if count > 1 else "\n") + _json(user))
    target.write("\n]}\n")
    return count


def users() -> Iterator[Shape]:
    """Each user with what is theirs; those who are about to leave left out."""
    watches = Watch.objects.filter(ended_at=None).order_by("id").prefetch_related("routes")
    channels = Channel.objects.select_related("timing").order_by("id")
    found = User.objects.filter(left_at=None).order_by("id").select_related("preferences")
    routes = Route.objects.filter(watch=None)
    rows = found.prefetch_related(
        Prefetch("watches", watches),
        Prefetch("channels", channels),
        Prefetch("routes", routes, to_attr="usual_routes"),
    )
    yield from map(_user, rows.iterator(chunk_size=AT_ONCE))


def _user(user: Any) -> Shape:
    channels = list(user.channels.all())
    numbers = {channel.id: number for number, channel in enumerate(channels, 1)}
    usual = {route.channel_id: route for route in user.usual_routes}
    preferences = getattr(user, "preferences", None)
    return {
        "email": user.email,
        "time_zone": user.time_zone,
        "alarms": user.alarms,
        "preferences": preferences_shape(preferences) if preferences else None,
        "channels": [channel_shape(each, usual.get(each.id)) for each in channels],
        "watches": [
            watch_shape(watch, [numbers[route.channel_id] for route in watch.routes.all()])
            for watch in user.watches.all()
        ],
    }


def preferences_shape(preferences: Preferences) -> Shape:
    return {name: getattr(preferences, name) for name in OF_PREFERENCES}


def watch_shape(watch: Watch, channels: list[int]) -> Shape:
    """`channels`: the numbers, from 1 on, of those of its user's that it has to itself."""
    return {**{name: getattr(watch, name) for name in OF_WATCH}, "channels": sorted(channels)}


def channel_shape(channel: Channel, usual: Route | None) -> Shape:
    """`usual`: its route for watches without channels of their own."""
    try:
        shown = shown_config(channel)
    except UnreadableSecretError:
        shown = {}
    return {
        "kind": channel.kind,
        "name": channel.name,
        "settings": shown,
        "timing": timing_shape(channel.timing),
        "headline_template": channel.headline_template,
        "body_template": channel.body_template,
        "hears_all": usual is not None,
        "event_kinds": usual.event_kinds if usual else [],
        "disabled": channel.disabled_at is not None,
    }


def timing_shape(timing: Timing | None) -> Shape | None:
    return {name: getattr(timing, name) for name in OF_TIMING} if timing else None


def plain(value: Any) -> Any:
    """As it looks once it was JSON."""
    return json.loads(_json(value))


def _schedule() -> list[Shape]:
    return [
        {"job": job.task, "every_s": job.every.total_seconds(), "queue": job.queue}
        for job in schedule.jobs()
    ]


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=_text)


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
