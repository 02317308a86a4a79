"""How channels come about and change: settings checked by their kind, sealed, and routed."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction

from accounts.models import User
from catalog.models import Watch
from catalog.normalise import clean
from notifications.channels import registry
from notifications.models import Channel, Destination, Route
from stalkerr.locks import lock


@dataclass(frozen=True, slots=True)
class Registered:
    """A new channel, and the secrets made for it: the only time that anybody is shown them."""

    channel: Channel
    made: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Checked:
    """Settings that their kind of channel accepted."""

    stored: dict[str, Any]
    address: str


def register_channel(*, user: User, kind: str, name: str, config: Mapping[str, Any]) -> Registered:
    """Store a channel of `user`; it hears every watch that has no channels of its own.

    Raises ConfigError where its kind can't use `config`.
    """
    checked = _checked(kind, config)
    with transaction.atomic():
        channel = Channel(user=user, kind=kind)
        _store(channel, name, checked)
        Route.objects.create(user=user, channel=channel)
    made = {field: value for field, value in checked.stored.items() if field not in config}
    return Registered(channel, made)


def find_or_register(*, user: User, kind: str, url: str) -> Registered:
    """The user's channel of that kind at `url`, made where there is none; a new one hears no watch.

    Raises ConfigError where its kind can't use the address.
    """
    checked = _checked(kind, {"url": url})
    with transaction.atomic():
        lock("channels", user.pk)
        for channel in Channel.objects.filter(
            user=user, kind=kind, destination__address=checked.address
        ).order_by("id"):
            if channel.config.get("url") == checked.stored["url"]:
                return Registered(channel, {})
        channel = Channel(user=user, kind=kind)
        _store(channel, "", checked)
    made = {field: value for field, value in checked.stored.items() if field != "url"}
    return Registered(channel, made)


def change_channel(*, channel: Channel, name: str, config: Mapping[str, Any]) -> Channel:
    """Give a channel another name or other settings; what `config` leaves out stays.

    Raises ConfigError where its kind can't use the result.
    """
    checked = _checked(channel.kind, {**channel.config, **config}) if config else None
    with transaction.atomic():
        _store(channel, name, checked)
    return channel


def shown_config(channel: Channel) -> dict[str, Any]:
    """The settings that may be shown: without secrets."""
    secret = registry.get(channel.kind).secret_fields
    return {field: value for field, value in channel.config.items() if field not in secret}


def route_watch(*, watch: Watch, channels: Iterable[Channel]) -> None:
    """Let exactly these channels hear a watch; none: those that hear all its user's watches.

    The caller saves the watch in the same transaction: that has earlier promises looked at again.
    """
    chosen = list(channels)
    with transaction.atomic():
        Route.objects.filter(watch=watch).exclude(channel__in=chosen).delete()
        Route.objects.bulk_create(
            [Route(user_id=watch.user_id, watch=watch, channel=channel) for channel in chosen],
            ignore_conflicts=True,
        )


def _checked(kind: str, config: Mapping[str, Any]) -> _Checked:
    channel_kind = registry.get(kind)
    parsed = channel_kind.parse_config(channel_kind.completed(config))
    stored = {field: value for field, value in asdict(parsed).items() if value != ""}
    return _Checked(stored, channel_kind.destination(parsed))


def _store(channel: Channel, name: str, checked: _Checked | None) -> None:
    channel.name = clean(name)
    if checked is not None:
        channel.config = checked.stored
        channel.destination, _ = Destination.objects.get_or_create(
            kind=channel.kind, address=checked.address
        )
    channel.save()
