"""Every kind of channel there is. A new one is its module, one line here and one in its test."""

from typing import Any, Final

from notifications.channels.apprise import Apprise
from notifications.channels.base import Channel
from notifications.channels.discord import Discord
from notifications.channels.email import Email
from notifications.channels.gotify import Gotify
from notifications.channels.matrix import Matrix
from notifications.channels.ntfy import Ntfy
from notifications.channels.pushover import Pushover
from notifications.channels.slack import Slack
from notifications.channels.telegram import Telegram
from notifications.channels.web_push import WebPush
from notifications.channels.webhook import Webhook

CHANNELS: Final[dict[str, Channel[Any]]] = {
    channel.kind: channel
    for channel in (
        Email(),
        Webhook(),
        Discord(),
        Slack(),
        Telegram(),
        Pushover(),
        Ntfy(),
        Matrix(),
        Gotify(),
        WebPush(),
        Apprise(),
    )
}


def get(kind: str) -> Channel[Any]:
    """The channel of that kind; KeyError where there is none."""
    return CHANNELS[kind]
