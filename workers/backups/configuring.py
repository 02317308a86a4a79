"""What a configuration file says is set up again: once or twice, the result is the same.

Users that are not there are made without a password and without rights. Channels can't be made
without their secrets: those that are there get their times and templates, the others are named.
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import Preferences, User
from catalog.models import Watch
from catalog.watching import save_watch
from notifications.models import Channel
from notifications.registration import route_watch
from notifications.timing import Wish
from notifications.wishes import set_wish
from workers.backups import configuration
from workers.backups.configuration import OF_PREFERENCES, OF_WATCH, Shape
from workers.backups.database import RefusedError

LARGEST: Final = 200_000_000  # bytes
_TEMPLATES: Final = ("headline_template", "body_template")


@dataclass(slots=True)
class Made:
    """How much was made or changed, and which channels are to be made anew by their owners."""

    users: int = 0
    preferences: int = 0
    channels: int = 0
    watches: int = 0
    missing: list[str] = field(default_factory=list)

    @property
    def is_nothing(self) -> bool:
        return not (self.users or self.preferences or self.channels or self.watches)


def read(text: bytes) -> list[Shape]:
    """The users of a configuration file. Raises RefusedError where it is none."""
    if len(text) > LARGEST:
        raise RefusedError("This configuration is larger than any that Stalkerr has written.")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError("This is no configuration: it is no JSON.") from error
    if not isinstance(content, dict) or content.get("format") != configuration.FORMAT:
        raise RefusedError(f"This is no configuration: it does not say {configuration.FORMAT}.")
    if content.get("version") != configuration.VERSION:
        raise RefusedError("This configuration was written by a newer Stalkerr: use that one.")
    users = content.get("users")
    if not isinstance(users, list):
        raise RefusedError("This configuration has no list of users.")
    return users


def set_up(*, users: list[Shape], now: dt.datetime) -> Made:
    """Make what is missing and change what differs, all or nothing. Raises RefusedError."""
    made = Made()
    with transaction.atomic():
        for number, shape in enumerate(users, 1):
            try:
                _set_up_user(shape, made, now)
            except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
                raise RefusedError(
                    f"User {number} of this configuration can't be read ({error}): nothing was changed."
                ) from error
    return made


def _set_up_user(shape: Shape, made: Made, now: dt.datetime) -> None:
    user = User.objects.filter(email__iexact=shape["email"]).first()
    if user is None:
        user = User(
            email=shape["email"], time_zone=shape["time_zone"], alarms=bool(shape["alarms"])
        )
        user.set_unusable_password()
        user.full_clean(exclude=["password"])
        user.save()
        made.users += 1
    made.preferences += _set_preferences(user, shape["preferences"])
    channels = {
        number: _set_channel(user, each, made, now)
        for number, each in enumerate(shape["channels"], 1)
    }
    made.watches += _set_watches(user, shape["watches"], channels, now)


def _set_preferences(user: User, shape: Shape | None) -> bool:
    there = Preferences.objects.filter(user=user).first()
    if shape is None or (there and _same(configuration.preferences_shape(there), shape)):
        return False
    wanted = there or Preferences(user=user)
    for name in OF_PREFERENCES:
        setattr(wanted, name, shape[name])
    wanted.full_clean()
    wanted.save()
    return True


def _set_channel(user: User, shape: Shape, made: Made, now: dt.datetime) -> Channel | None:
    """The channel that this describes, if it is there, with its times and templates."""
    alike = Channel.objects.filter(user=user, kind=shape["kind"], name=shape["name"])
    found = [
        channel
        for channel in alike.select_related("timing").order_by("id")
        if _same(configuration.channel_shape(channel, None)["settings"], shape["settings"])
    ]
    if not found:
        made.missing.append(f"{user.email}: {shape['kind']} {shape['name']}".strip())
        return None
    channel = found[0]
    timing, templates = shape["timing"], {name: shape[name] for name in _TEMPLATES}
    is_same = _same(configuration.timing_shape(channel.timing), timing)
    if not is_same:
        set_wish(channel=channel, wish=_wish(user, timing), now=now)
    is_worded = all(getattr(channel, name) == text for name, text in templates.items())
    if not is_worded:
        for name, text in templates.items():
            setattr(channel, name, text)
        channel.save(update_fields=list(templates))
    made.channels += not (is_same and is_worded)
    return channel


def _set_watches(
    user: User, shapes: list[Shape], channels: Mapping[int, Channel | None], now: dt.datetime
) -> int:
    """Those that are there stay; one that asks for the same of the same stores is changed."""
    there = list(Watch.objects.of(user.pk).order_by("id"))
    left: list[Shape] = []
    for shape in shapes:
        same = next((watch for watch in there if _is_this(watch, shape)), None)
        if same is None:
            left.append(shape)
        else:
            there.remove(same)
    for shape in left:
        watch = next((watch for watch in there if _place(watch) == _place_of(shape)), None)
        if watch is None:
            watch = Watch(user=user)
        else:
            there.remove(watch)
        _set_watch(watch, shape, channels, now)
    return len(left)


def _set_watch(
    watch: Watch, shape: Shape, channels: Mapping[int, Channel | None], now: dt.datetime
) -> None:
    for name in OF_WATCH:
        setattr(watch, name, shape[name])
    watch.full_clean(exclude=["user"])
    save_watch(watch=watch, now=now)
    chosen = [channel for number in shape["channels"] if (channel := channels.get(number))]
    if chosen:
        route_watch(watch=watch, channels=chosen)


def _is_this(watch: Watch, shape: Shape) -> bool:
    return _same(configuration.watch_shape(watch, []), {**shape, "channels": []})


def _place(watch: Watch) -> tuple[object, ...]:
    return (watch.kind, watch.query, watch.asin, sorted(watch.marketplaces))


def _place_of(shape: Shape) -> tuple[object, ...]:
    return (shape["kind"], shape["query"], shape["asin"], sorted(shape["marketplaces"]))


def _wish(user: User, timing: Mapping[str, Any] | None) -> Wish:
    if timing is None:
        return Wish(user.time_zone)
    quiet = {
        name: dt.time.fromisoformat(timing[name]) if timing[name] else None
        for name in ("quiet_from", "quiet_until")
    }
    return Wish(
        zone=user.time_zone,
        digest=str(timing["digest"]),
        hour=int(timing["hour"]),
        weekday=int(timing["weekday"]),
        **quiet,
    )


def _same(one: Any, other: Any) -> bool:
    """Whether both are the same JSON."""
    return bool(configuration.plain(one) == configuration.plain(other))
