"""Every kind of channel there is. A new one is its module, one line here and one in its test."""

from typing import Any, Final

from notifications.channels.apprise import Apprise
from notifications.channels.base import Channel
from notifications.channels.discord import Discord
from notifications.channels.email import Email
from notifications.channels.web_push import WebPush
from notifications.channels.webhook import Webhook

CHANNELS: Final[dict[str, Channel[Any]]] = {
    channel.kind: channel for channel in (Email(), Webhook(), Discord(), WebPush(), Apprise())
}


def get(kind: str) -> Channel[Any]:
    """The channel of that kind; KeyError where there is none."""
    return CHANNELS[kind]
