"""What those see who watch: real processes that work, hang, fail and talk too much."""

import json
import os
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from django.conf import settings as django_settings
from django.test import Client
from redis import Redis

from accounts.models import User
from accounts.services import make_feed
from api import checks, health
from stalkerr import clock, figures
from stalkerr.celery import app
from tests.e2e.crew import Crew, crew
from tests.sinks import wait_until
from tests.web import web
from workers import schedule
from workers.hints import hint
from workers.ledger import signs

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.django_db(transaction=True),
]
CANARY = "cAnArY" + "0123456789abcdefghijklmnopqrstuvw"
METRICS = {"Authorization": "Bearer test-metrics-token"}


@pytest.fixture
def workers(ledger: sa.Engine, tmp_path: Path) -> Iterator[Crew]:
    with Redis.from_url(django_settings.BUCKETS_URL) as redis:
        redis.delete(figures.TOTALS)
    with crew(tmp_path, workers=1, LOG_FORMAT="json") as processes:
        yield processes


def is_well(*names: str) -> bool:
    health.ALL.forget()
    found = health.ALL.verdict().found
    return not any(found[name] for name in names)


def logged(folder: Path, event: str) -> list[dict[str, Any]]:
    text = "".join(path.read_text() for path in folder.glob("*.log"))
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("event") == event]


def test_a_worker_that_hangs_is_noticed_and_forgiven(
    workers: Crew, move_clock: Callable[[Any], Any]
) -> None:
    """Row 7: it lives, its connections stand, and nothing comes back."""
    names = list(schedule.CANARIES.values())
    wait_until(lambda: len(signs.last_done(names)) == len(names), within=60)
    group = workers.pids()["worker0"]
    os.killpg(group, signal.SIGSTOP)
    try:
        assert is_well("workers")  # it may just be busy
        move_clock(checks.SILENT)
        wait_until(lambda: not is_well("workers"), within=30)
        assert Client().get("/health").status_code == 503
    finally:
        os.killpg(group, signal.SIGCONT)
    wait_until(lambda: is_well("workers", "beat"), within=60)


def test_each_task_has_a_line_and_is_counted(workers: Crew, tmp_path: Path) -> None:
    """Proves the guard witness: name, id, outcome, runtime, and whose trace it is."""
    sweeps: list[dict[str, Any]] = []

    def has_swept() -> bool:
        sweeps.extend(
            line for line in logged(tmp_path, "task") if line["task"] == "notifications.sweep"
        )
        return bool(sweeps)

    wait_until(has_swept, within=60)
    line = sweeps[0]
    assert line["outcome"] == "done"
    assert line["runtime"] > 0
    assert re.fullmatch(r"[0-9a-f-]{36}", line["task_id"])
    assert re.fullmatch(r"[0-9a-f]{32}", line["trace_id"])

    def is_counted() -> bool:
        text = Client().get("/metrics", headers=METRICS).content.decode()
        return (
            'stalkerr_tasks_total{outcome="done",task="notifications.sweep"}' in text
            and 'stalkerr_task_wait_seconds_count{task="notifications.sweep"}' in text
            and 'stalkerr_queue_messages{queue="tell"}' in text
        )

    wait_until(is_counted, within=30)


def test_a_task_that_fails_tells_no_secret(workers: Crew, tmp_path: Path) -> None:
    """Row 44: what is wrong with its arguments is quoted by whoever complains of them."""
    address = f"https://discord.com/api/webhooks/1/{CANARY}"
    assert hint("notifications.tell", "tell", kind=address, shard=0)
    assert hint("notifications.tell", "tell", password=f"two words {CANARY}")
    app.send_task(f"nobody.knows.{address}", queue="tell", kwargs={"token": CANARY})

    def is_told() -> bool:
        failed = [line for line in logged(tmp_path, "task") if line["outcome"] == "failed"]
        return len(failed) >= 2

    wait_until(is_told, within=60)
    wait_until(lambda: "nobody.knows" in text_of(tmp_path), within=30)
    assert CANARY not in text_of(tmp_path)
    assert "Traceback" in text_of(tmp_path)


def text_of(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.glob("*.log"))


def test_the_web_servers_own_log_tells_no_secret(
    alice: User, fresh_limits: None, tmp_path: Path
) -> None:
    """Proves the guard _OF_SERVER: its access log would show every path as it was asked."""
    _, token = make_feed(user_id=alice.pk, watch_id=None, now=clock.now(), name="mine")
    log = tmp_path / "web.log"
    access = {"GRANIAN_LOG_ACCESS_ENABLED": "true"}
    with web(log, LOG_FORMAT="json", WEB_WORKERS="1", **access) as url:
        for path in (f"/feeds/private/{token}.rss", f"/confirm/7:{CANARY}", f"/x?token={CANARY}"):
            with suppress(urllib.error.HTTPError):
                urllib.request.urlopen(url + path, timeout=10)  # noqa: S310 (ours)
        wait_until(lambda: "granian.access" in log.read_text(), within=20)
        wait_until(lambda: log.read_text().count('"event":"request"') >= 3, within=20)
    said = log.read_text()
    assert token not in said
    assert CANARY not in said
    assert "/feeds/private/***" in said
