"""Machines whose clocks are wrong: an hour ahead, ten minutes behind."""

import datetime as dt
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
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

# The wall clock of a process, moved; what measures spans of time goes on as it does everywhere.
SKEW = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, t);
    const char *by = getenv("CLOCK_SKEW");
    if (!failed && id == CLOCK_REALTIME && by) t->tv_sec += atol(by);
    return failed;
}
time_t time(time_t *to) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (to) *to = t.tv_sec;
    return t.tv_sec;
}
int gettimeofday(struct timeval *to, void *zone) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    to->tv_sec = t.tv_sec;
    to->tv_usec = t.tv_nsec / 1000;
    return 0;
}
"""
LEEWAY = 30  # seconds, of tokens and of what webhooks say


def skewed_clock(*, messages: int = 1000) -> dict[str, Any]:
    """Row 12: one worker an hour ahead, one ten minutes behind, one right; a web an hour ahead.

    Proves the guard clock.now: leases, tokens and what is signed go by the database's clock.
    """
    if not shutil.which("cc"):
        return {"drill": "skewed_clock", "skipped": "no C compiler", "held": True}
    with HttpSink(Reply(delay=0.05)) as sink, tempfile.TemporaryDirectory() as folder:
        logs = Path(folder)
        library = _compiled(logs)
        ahead, behind = ({"LD_PRELOAD": library, "CLOCK_SKEW": by} for by in ("3600", "-600"))
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


def _compiled(folder: Path) -> str:
    source, library = folder / "skew.c", folder / "skew.so"
    source.write_text(SKEW)
    command = ["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)  # noqa: S603 (the words are ours)
    return str(library)


def _tokens(url: str) -> dict[str, int]:
    """What a web whose clock is wrong says to a token that is good, and to one that is just over."""
    user, now = make_user("tokens"), clock.now()
    over = now - settings.JWT_LIFETIME - dt.timedelta(seconds=LEEWAY + 1)
    return {
        "good": _status(url, issue_token(user=user, now=now)),
        "over": _status(url, issue_token(user=user, now=over)),
    }


def _status(url: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    asked = urllib.request.Request(f"{url}/api/watches", headers=headers)  # noqa: S310 (ours)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 (ours)
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
