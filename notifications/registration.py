"""How channels come about and change: settings checked by their kind, sealed, and routed."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction

from accounts.models import User
from catalog.models import Watch
from catalog.normalise import clean
from notifications.channels import registry, webhook
from notifications.channels.base import ConfigError
from notifications.confirmation import ask_to_confirm
from notifications.models import Channel, Delivery, Destination, Message, Route
from notifications.services import PROMISES
from stalkerr.crypto import UnreadableSecretError
from stalkerr.locks import lock


@dataclass(frozen=True, slots=True)
class Registered:
    """A channel, and the secrets made for it: the only time that anybody is shown them."""

    channel: Channel
    made: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Checked:
    """Settings that their kind of channel accepted."""

    stored: dict[str, Any]
    address: str


def register_channel(
    *, user: User, kind: str, name: str, config: Mapping[str, Any], now: dt.datetime
) -> Registered:
    """Store a channel of `user`; it hears every watch that has no channels of its own.

    Some kinds are told nothing before their owner has followed a link (notifications/confirmation.py).
    Raises ConfigError where its kind can't use `config`.
    """
    checked = _checked(kind, config)
    with transaction.atomic():
        channel = Channel(user=user, kind=kind)
        _store(channel, name, checked)
        Route.objects.create(user=user, channel=channel)
        if registry.get(kind).confirmed_by_link:
            ask_to_confirm(channel=channel, now=now)
    return Registered(channel, _made(checked, config))


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
            if known_config(channel).get("url") == checked.stored["url"]:
                return Registered(channel, {})
        channel = Channel(user=user, kind=kind)
        _store(channel, "", checked)
    return Registered(channel, _made(checked, ["url"]))


def change_channel(
    *, channel: Channel, name: str, config: Mapping[str, Any], now: dt.datetime
) -> Registered:
    """Give a channel another name or other settings; what `config` leaves out stays.

    A new address has to be confirmed like a new channel's. Settings whose key is lost can't stay:
    all of them are given anew. The caller holds the channel's row. Raises ConfigError where its
    kind can't use the result.
    """
    known = known_config(channel)
    checked = _checked(channel.kind, {**known, **config}) if config else None
    with transaction.atomic():
        _store(channel, name, checked)
        if checked is None or checked.stored == known:
            return Registered(channel, {})
        _follow_destination(channel)
        if registry.get(channel.kind).confirmed_by_link:
            ask_to_confirm(channel=channel, now=now)
    return Registered(channel, _made(checked, [*known, *config]))


def rotate_secret(*, channel: Channel, now: dt.datetime) -> Registered:
    """Make a new signing secret; the one before signs beside it for a day. Its owner is shown it.

    The caller holds the channel's row. Raises ConfigError where the kind has no such secret, or
    its settings can't be used; UnreadableSecretError where they can't be read.
    """
    kind = registry.get(channel.kind)
    if not isinstance(kind, webhook.Webhook):
        raise ConfigError({"secret": f"{kind.label} has no secret that Stalkerr could make anew."})
    config = webhook.rotated(kind.parse_config(channel.config), now)
    channel.config = asdict(config)
    channel.save(update_fields=["sealed_config"])
    return Registered(channel, {"secret": config.secret})


def check_config(*, kind: str, config: Mapping[str, Any]) -> None:
    """Raises ConfigError where a kind of channel can't use these settings."""
    _checked(kind, config)


def known_config(channel: Channel) -> dict[str, Any]:
    """A channel's settings; none where their key is lost."""
    try:
        return channel.config
    except UnreadableSecretError:
        return {}


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


def route_new(*, chosen: Iterable[tuple[Watch, Iterable[Channel]]]) -> None:
    """Let new watches be heard by these channels; none: by those that hear all. In one statement."""
    Route.objects.bulk_create(
        Route(user_id=watch.user_id, watch=watch, channel=channel)
        for watch, channels in chosen
        for channel in channels
    )


def _checked(kind: str, config: Mapping[str, Any]) -> _Checked:
    channel_kind = registry.get(kind)
    parsed = channel_kind.parse_config(channel_kind.completed(config))
    stored = {field: value for field, value in asdict(parsed).items() if value != ""}
    return _Checked(stored, channel_kind.destination(parsed))


def _made(checked: _Checked, given: Iterable[str]) -> dict[str, Any]:
    """What the kind itself put beside what it was given."""
    return {field: value for field, value in checked.stored.items() if field not in set(given)}


def _follow_destination(channel: Channel) -> None:
    """What waits does so for the new address's sake, not for the old one's."""
    lock(PROMISES)  # a chunk that read the old one has promised by then
    promised = Delivery.objects.filter(channel=channel, state__in=Delivery.REVOCABLE)
    promised.update(destination=channel.destination)
    waiting = (Message.State.DUE, Message.State.HELD)
    messages = Message.objects.filter(channel=channel, state__in=waiting)
    messages.update(destination=channel.destination)


def _store(channel: Channel, name: str, checked: _Checked | None) -> None:
    channel.name = clean(name)
    if checked is not None:
        channel.config = checked.stored
        channel.destination, _ = Destination.objects.get_or_create(
            kind=channel.kind, address=checked.address
        )
    channel.save()
