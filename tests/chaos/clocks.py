"""Machines whose clocks are wrong: an hour ahead, ten minutes behind."""

import datetime as dt
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from accounts.models import Notice
from api.auth import issue_token
from notifications.models import Message
from stalkerr import clock
from tests.chaos.scene import SETTINGS, figures, promise, wait_for_the_end
from tests.e2e.crew import crew
from tests.people import make_user
from tests.sinks import HttpSink, Reply
from tests.web import web

LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")
LEEWAY = 30  # seconds, of tokens and of what webhooks say


def skewed_clock(*, messages: int = 1000) -> dict[str, Any]:
    """Row 12: one worker an hour ahead, one ten minutes behind, one right; a web an hour ahead.

    Proves the guard clock.now: leases, tokens and what is signed go by the database's clock.
    """
    library = next(_libraries(), None)
    if library is None:
        return {"drill": "skewed_clock", "skipped": "no libfaketime", "held": True}
    ahead, behind = _skewed(library, "+3600s"), _skewed(library, "-600s")
    with HttpSink(Reply(delay=0.05)) as sink, tempfile.TemporaryDirectory() as folder:
        logs = Path(folder)
        promise(sink, messages)
        environments = {"worker0": ahead, "worker1": behind}
        with crew(logs, workers=3, children=1, environments=environments, **SETTINGS):
            heal_s = wait_for_the_end(messages)
        now = time.time()
        skews = [
            abs(int(each.headers["webhook-timestamp"]) - (now - time.monotonic() + each.at))
            for each in sink.requests
        ]
        with web(logs / "web.log", LIMITS_FACTOR="1000", **ahead) as url:
            tokens = _tokens(url)
    found = figures(
        "skewed_clock",
        sink,
        messages=messages,
        kills=0,
        in_flight=0,
        heal_s=heal_s,
        children=1,
    )
    claims = Message.objects.filter(lost_leases__gt=0).count()
    alarms = Notice.objects.filter(dedupe_key__startswith="skew:").count()
    return found | {
        "double_claims": claims,
        "webhook_skew_s": round(max(skews), 1),
        "tokens": tokens,
        "alarms": alarms,
        "held": found["held"]
        and not claims
        and max(skews) <= LEEWAY
        and tokens == {"good": 200, "over": 401}
        and alarms > 0,
    }


def _libraries() -> Iterator[str]:
    for pattern in LIBRARIES:
        yield from map(str, Path("/").glob(pattern.lstrip("/")))


def _skewed(library: str, by: str) -> dict[str, str]:
    return {"LD_PRELOAD": library, "FAKETIME": by, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def _tokens(url: str) -> dict[str, int]:
    """What a web whose clock is wrong says to a token that is good, and to one that is just over."""
    user, now = make_user("tokens"), clock.now()
    over = now - settings.JWT_LIFETIME - dt.timedelta(seconds=LEEWAY + 1)
    return {
        "good": _status(url, issue_token(user=user, now=now)),
        "over": _status(url, issue_token(user=user, now=over)),
    }


def _status(url: str, token: str) -> int:
    asked = urllib.request.Request(f"{url}/api/me", headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 (ours)
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
