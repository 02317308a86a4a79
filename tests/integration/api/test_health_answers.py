"""Whom /health tells what, how often it looks, and that living asks nobody."""

import datetime as dt
import threading

import pytest
from django.test import Client

from accounts.models import User
from api import checks as judged
from api import health
from tests.integration.api.conftest import ClientOf
from tests.integration.api.test_health import contacts


def test_only_staff_hear_why(
    client: Client,
    alive: None,
    staff: User,
    stranger: User,
    client_of: ClientOf,
    operator: Client,
    now: dt.datetime,
) -> None:
    """Proves the guard _is_for_staff: to others it says which part, and no more."""
    contacts(now, discord="fff")
    health.ALL.forget()
    for asker in (client, client_of(stranger), client_of(staff)):  # hers is no operator's token
        assert set(asker.get("/health").json()) == {"status", "checks"}
    client.force_login(stranger)
    assert set(client.get("/health").json()) == {"status", "checks"}
    client.force_login(staff)
    for asker in (client, operator):
        details = asker.get("/health").json()["details"]
        assert details == {"notification_services": "UnhealthyError: nobody answers over discord"}


def test_a_bad_token_is_a_strangers(client: Client, alive: None) -> None:
    answer = client.get("/health", headers={"Authorization": "Bearer nonsense"})
    assert (answer.status_code, set(answer.json())) == (200, {"status", "checks"})


def test_one_request_judges_for_all_who_ask(
    client: Client, alive: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard Kept: however many ask, each part is looked at once."""
    asked, go_on = [], threading.Event()

    def look() -> None:
        asked.append(1)
        go_on.wait(10)

    monkeypatch.setattr(judged, "CHECKS", {"cache": look})
    kept = health.Kept(frozenset({"cache"}))
    threads = [threading.Thread(target=kept.verdict) for _ in range(20)]
    for thread in threads:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert (len(asked), kept.verdict().is_healthy) == (1, True)
    kept.forget()
    kept.verdict()
    assert len(asked) == 2


def test_while_one_judges_others_are_told_what_was_found_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A check that hangs holds one request up, not all."""
    begun, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(judged, "CHECKS", {"cache": lambda: None})
    monkeypatch.setattr(health, "KEPT_FOR", 0.0)
    kept = health.Kept(frozenset({"cache"}))
    first = kept.verdict()

    def hang() -> None:
        begun.set()
        go_on.wait(10)

    monkeypatch.setattr(judged, "CHECKS", {"cache": hang})
    slow = threading.Thread(target=kept.verdict)
    slow.start()
    begun.wait(10)
    assert kept.verdict() is first
    go_on.set()
    slow.join(10)


def test_living_asks_nobody(client: Client) -> None:
    """Without a database (this test may not use it), it lives."""
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})
    assert "no-store" in answer["Cache-Control"]
