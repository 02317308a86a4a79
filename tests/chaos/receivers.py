"""Drills on what receivers do: keep a message and drop the answer, or refuse for an hour."""

import datetime as dt
import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from notifications.models import Attempt, Message
from stalkerr import clock
from tests.chaos.leaps import leap_until, leap_until_done, own_clock
from tests.chaos.scene import SETTINGS, announce, follow, wire_id
from tests.crowd import make_crowd
from tests.e2e.crew import crew
from tests.sinks import HttpSink, Reply, Request

SHARE = 0.3  # of the requests that arrive and are not answered
HOUR = dt.timedelta(hours=1)
UNCONFIRMED = "Unconfirmed"  # how the reason of a message begins that may or may not have arrived


def drop_replies(*, messages: int = 2_000, seed: int = 7) -> dict[str, Any]:
    """Drop 30 % of the replies after the request arrived.

    So many messages go over webhooks, whose receivers drop ids they have seen, and as many over
    Discord, whose hooks take none.
    """
    chance = random.Random(seed)
    dropped: Counter[str] = Counter()

    def answer(request: Request) -> Reply:
        if chance.random() >= SHARE:
            return Reply(body=b"{}")
        dropped[_name(request)] += 1
        return Reply(drop=True)

    with HttpSink(answer) as sink, tempfile.TemporaryDirectory() as logs:
        follow(sink, messages)
        _follow_on_discord(sink, messages)
        announce()
        with own_clock(), crew(Path(logs), workers=2, children=2, **SETTINGS):
            leap_until_done(2 * messages)
        return _drop_figures(sink, 2 * messages, dropped)


def _follow_on_discord(sink: HttpSink, people: int) -> None:
    make_crowd(
        people=people,
        now=clock.now(),
        name="discord",
        kind="discord",
        config=lambda number: {"url": f"{sink.url}/api/webhooks/{number}/token"},
    )


def _name(request: Request) -> str:
    """The channel that a request came over, as tests.crowd calls it."""
    kind, number = ("hook", 2) if request.path.startswith("/hook/") else ("discord", 3)
    return f"{kind}{request.path.split('/')[number]}"


def _drop_figures(sink: HttpSink, messages: int, dropped: Counter[str]) -> dict[str, Any]:
    copies = Counter(_name(request) for request in sink.requests)
    hooked = [request for request in sink.requests if request.path.startswith("/hook/")]
    ids = {wire_id(request) for request in hooked}
    logged = Counter(
        Attempt.objects.filter(verdict="ambiguous").values_list("message__channel__name", flat=True)
    )
    ends = {
        name: (state, reason.startswith(UNCONFIRMED))
        for name, state, reason in Message.objects.values_list("channel__name", "state", "reason")
    }
    unconfirmed = {name for name, end in ends.items() if end == ("failed", True)}
    sent = {name for name, end in ends.items() if end[0] == "sent"}
    lost = messages - len((sent | unconfirmed) & set(copies))
    unexplained = sum(max(0, copies[name] - 1 - logged[name]) for name in copies)
    resent = max((copies[name] - 1 for name in copies if name.startswith("discord")), default=0)
    visible = len(ids) - len({request.path for request in hooked})
    return {
        "drill": "drop_replies",
        "deliveries": messages,
        "dropped": dropped.total(),
        "lost": lost,
        "duplicates": len(sink.requests) - len(copies),
        "ambiguous": logged.total(),
        "unexplained": unexplained,
        "max_resends_without_id": resent,
        "unconfirmed": len(unconfirmed),
        "visible_duplicates": visible,
        "held": not (lost or unexplained or visible or resent > 1)
        and all(name.startswith("discord") for name in unconfirmed),
    }


def bad_gateway(*, messages: int = 500) -> dict[str, Any]:
    """Answer 502 for an hour, then 404 once to each, then take them: nothing is lost."""
    refusing = [Reply(status=502, body=b"bad gateway")]
    missing: set[str] = set()  # hooks that have answered 404

    def answer(request: Request) -> Reply:
        if refusing:
            return refusing[0]
        first = request.path not in missing
        missing.add(request.path)
        return Reply(status=404) if first else Reply()

    with HttpSink(answer) as sink, tempfile.TemporaryDirectory() as logs:
        follow(sink, messages)
        announce()
        with own_clock(), crew(Path(logs), workers=2, children=2, **SETTINGS | {"RETRY_BASE": "5"}):
            leap_until(clock.now() + HOUR, messages)
            refused = len(sink.requests)
            refusing.clear()
            heal_s = leap_until_done(messages)
        taken = Counter(request.path for request in sink.requests[refused:])
        ids = {(request.path, wire_id(request)) for request in sink.requests}
        sent = Message.objects.filter(state="sent").count()
        return {
            "drill": "bad_gateway",
            "deliveries": messages,
            "refused": refused,
            "missing": len(missing),
            "lost": messages - min(sent, len(taken)),
            "duplicates": sum(count - 2 for count in taken.values() if count > 2),
            "heal_s": round(heal_s, 1),
            "held": sent == len(taken) == len(ids) == len(missing) == messages
            and set(taken.values()) == {2},
        }
