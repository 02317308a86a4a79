"""The demo's reader: what she watches, where she wants to hear of it, and how far that has come."""

import datetime as dt
import urllib.request

from accounts.models import User
from catalog.models import ReleaseEvent, Watch, WatchQuery
from catalog.watching import save_watch
from notifications.models import Delivery, Message
from notifications.registration import register_channel, route_watch
from scraping.models import Target, Visit
from workers.demo.receivers import Receivers
from workers.demo.story import AUTHOR, PHRASE, SERIES, Stock

EMAIL = "reader@demo.example"
TIME_ZONE = "Europe/Berlin"


def make(*, password: str, stock: Stock, receivers: Receivers, now: dt.datetime) -> list[Watch]:
    """A reader with three channels for everything, and her watches; the last has its own route."""
    user = User.objects.create_user(EMAIL, password, time_zone=TIME_ZONE)
    configs = {
        "email": {"address": EMAIL},
        "webhook": {"url": receivers.webhook_url, "secret": receivers.secret},
        "discord": {"url": receivers.discord_url},
    }
    channels = {
        kind: register_channel(user=user, kind=kind, name="", config=config, now=now).channel
        for kind, config in configs.items()
    }
    watches = [
        Watch(user=user, kind="author", query=AUTHOR, marketplaces=["us", "uk"]),
        Watch(user=user, kind="series", query=SERIES, asin=stock.series),
        Watch(user=user, kind="asin", query=stock.german, marketplaces=["de"]),
        Watch(user=user, kind="keyword", query=f'"{PHRASE}"'),
    ]
    for watch in watches:
        save_watch(watch=watch, now=now)
    route_watch(watch=watches[-1], channels=[channels["discord"]])
    return watches


def confirm_address(link: str) -> None:
    """Open the link in the mail that asks for it, and press the button there."""
    with urllib.request.urlopen(link, timeout=10) as page:  # noqa: S310 (our own)
        page.read()
    with urllib.request.urlopen(link, b"", timeout=10) as page:  # noqa: S310
        page.read()


def is_heard() -> bool:
    """Whether every watch has its baseline: what the store shows from now on is news."""
    return not WatchQuery.objects.filter(active_from=None).exists()


def is_quiet(since: dt.datetime) -> bool:
    """Whether every target was visited whole since then, and nothing waits to be told."""
    visited = Visit.objects.filter(started_at__gt=since, complete=True).values("target")
    return not (
        Target.objects.needed().exclude(kind=Target.Kind.DUE).exclude(id__in=visited).exists()
        or ReleaseEvent.objects.unprocessed().exists()
        or Delivery.objects.filter(state=Delivery.State.PENDING).exists()
        or Message.objects.filter(state__in=[Message.State.DUE, Message.State.SENDING]).exists()
    )
