"""Messages over which our own code breaks, and a thousand good ones behind them."""

import datetime as dt
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from accounts.models import Notice
from catalog.services import record_listings
from notifications.models import Message
from stalkerr import clock
from tests.chaos.leaps import leap_until_done, own_clock
from tests.chaos.scene import SETTINGS, announce, follow
from tests.crowd import SECRET, make_crowd
from tests.e2e.crew import crew
from tests.factories import make_listing
from tests.sinks import HttpSink

MAX_STARTS = 5
HUGE = 50_000_000  # characters
HUGE_AUTHOR = "Hugo Example"
KILLS, RAISES = "Kilian Example", "Rae Example"  # tests/chaos/poisoned.py


def poison(*, messages: int = 1000, lease: int = 8) -> dict[str, Any]:
    """Row 3: one message kills its process, one raises, one is of 50 MB; all others are sent.

    Its guards MAX_LOST_LEASES, MAX_OWN_FAULTS and SUSPECT_AFTER (who is beside the first again and again
    would be given up with it) are proven by the tests of sending, retry and telling.
    """
    with HttpSink() as sink, tempfile.TemporaryDirectory() as logs:
        for author in (KILLS, RAISES, HUGE_AUTHOR):
            _follow_alone(sink, author)
        follow(sink, messages)
        announce(KILLS)
        announce(RAISES)
        _announce_huge()
        announce()
        settings = SETTINGS | {"TELL_IN_FLIGHT": "8"}
        settings |= {"DJANGO_SETTINGS_MODULE": "tests.chaos.poisoned"}
        settings |= {"TELL_LEASE": str(lease), "OUTBOUND_TIMEOUT": str(lease // 3)}
        with own_clock(), crew(Path(logs), workers=2, children=1, **settings):
            heal_s = leap_until_done(messages + 3)
        copies = Counter(each.path for each in sink.requests if each.path.startswith("/hook/"))
    ends = {name: _end_of(name) for name in ("kilian", "rae", "hugo")}
    bad = [ends["kilian"], ends["rae"]]
    good = Message.objects.filter(state="sent", channel__name__startswith="hook").count()
    return {
        "drill": "poison",
        "good": messages,
        "sent": good,
        "lost": messages - len(copies),
        "starts": {name: end["starts"] for name, end in ends.items()},
        "reasons": [end["reason"] for end in bad],
        "alarms": sum(end["alarms"] for end in bad),
        "heal_s": round(heal_s, 1),
        "held": good == messages == len(copies)
        and all(end["state"] == "failed" and end["reason"] and end["alarms"] == 1 for end in bad)
        and all(end["starts"] <= MAX_STARTS for end in ends.values())
        and ends["hugo"]["state"] == "sent",
    }


def _follow_alone(sink: HttpSink, author: str) -> None:
    name = author.split()[0].lower()
    config = {"url": f"{sink.url}/{name}", "secret": SECRET}
    make_crowd(people=1, now=clock.now(), name=name, config=config, author=author)


def _announce_huge() -> None:
    now = clock.now()
    day = now.date() + dt.timedelta(days=30)
    listing = make_listing(release_date=day, authors=(HUGE_AUTHOR,), summary="x" * HUGE)
    record_listings(listings=[listing], fetched_at=now, now=now)


def _end_of(name: str) -> dict[str, Any]:
    message = Message.objects.get(channel__name=f"{name}0")
    return {
        "state": message.state,
        "starts": message.claim_no,
        "reason": message.reason,
        "alarms": Notice.objects.filter(dedupe_key=f"poisoned:{message.wire_id}").count(),
    }
