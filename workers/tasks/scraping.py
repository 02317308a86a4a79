"""What runs when stores are visited, and what runs next."""

import datetime as dt
from collections.abc import Iterable

from celery import shared_task

from catalog import reminders
from catalog.services import mark_out_by_date as mark_titles_out
from scraping import alarms, services
from stalkerr import clock
from workers.hints import hint, hint_once
from workers.jobs import job

# Visits under way in one marketplace: they wait for each other's turns anyway.
AT_ONCE = 4
KEEP_VISITS = dt.timedelta(days=90)


@job("scraping.visit_due_targets")
def visit_due_targets(now: dt.datetime) -> int:
    """Make the targets that new watches need, and send workers to those that are due."""
    return _visit_due(now)


@shared_task(name="scraping.visit_new_targets")
def visit_new_targets() -> None:
    """The same at once, for a watch just made."""
    _visit_due(clock.now())


def _visit_due(now: dt.datetime) -> int:
    services.sync_targets(now=now)
    _tell(services.let_strays_go(now=now))
    claimed = services.claim_due(now=now, limit=AT_ONCE)
    for each in claimed:
        hint("scraping.visit_target", "scrape", target_id=each.target_id, claim_no=each.claim_no)
    return len(claimed)


@shared_task(name="scraping.visit_target", soft_time_limit=540, time_limit=570)
def visit_target(*, target_id: int, claim_no: int) -> None:
    """Visit one target; its news is told next."""
    _tell(services.visit(target_id=target_id, claim_no=claim_no, clock=clock.now))


def _tell(event_ids: Iterable[int]) -> None:
    if any(True for _ in event_ids):
        hint_once("notifications.fan_out", "tell")


@job("scraping.mark_out_by_date")
def mark_out_by_date(now: dt.datetime) -> int:
    """Titles whose day has come and that the store could not confirm."""
    news = mark_titles_out(now=now)
    _tell(news)
    return len(news)


@job("catalog.remind")
def remind(now: dt.datetime) -> int:
    """Titles whose day is near, for watches that asked to be reminded."""
    news = reminders.remind(now=now)
    _tell(news)
    return len(news)


@job("scraping.prune_visits")
def prune_visits(now: dt.datetime) -> int:
    """Keep the log of visits small."""
    return services.prune_visits(before=now - KEEP_VISITS)


@job("scraping.look_for_silence")
def look_for_silence(now: dt.datetime) -> int:
    """An alarm where no store has shown anything new for long."""
    return int(alarms.look_for_silence(now=now))
