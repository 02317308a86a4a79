"""What the operators must hear of: a store that can't be seen, and a silence that is too long."""

import datetime as dt

import structlog
from django.conf import settings

from accounts.services import notify
from catalog.brake import is_forgotten
from catalog.questions import newest_first_seen
from scraping.models import Target, Visit

BLIND = 2  # visits in a row

_log = structlog.get_logger(__name__)


def sound(*, target: Target, visit: Visit, now: dt.datetime) -> None:
    """Say what is wrong with a visit that is over, once a day and marketplace.

    `target` is as it was before the visit.
    """
    if visit.braked and is_forgotten(completed_at=target.completed_at, now=now):
        _say_forgotten(now)
    elif visit.braked:
        say_braked(str(target), f"{target.id}:{visit.id}", visit.events, now)
    if visit.outcome == Visit.Outcome.FAILED and _is_blind(target, visit):
        _say(
            f"blind:{target.marketplace}:{now.date()}",
            f"The store can't be seen: {target.marketplace}",
            f"{BLIND} visits in a row saw nothing; the last one, to {target}: {visit.detail}."
            " It is asked again, more and more rarely; nothing is told or forgotten meanwhile.",
            now,
        )


def say_braked(target: str, visit: str, events: int, now: dt.datetime) -> None:
    """Say that the news of a visit waits for a person."""
    _say(
        f"braked:{visit}",
        f"Too much news at once: {target}",
        f"A visit to {target} brought {events} pieces of news, far more than ever. Nobody"
        " is told of them before somebody says so: look at them in the admin (release events,"
        ' filter "held") and tell them, or let them count as told.',
        now,
    )


def _say_forgotten(now: dt.datetime) -> None:
    """Say once a day, for all targets, that news waits because of a restore."""
    _say(
        f"forgotten:{now.date()}",
        "News waits since the database was restored",
        "What was found or changed between the backup and its restore is found again, and may have"
        " been told before. Nobody is told of it before somebody says so: look at it in the admin"
        ' (release events, filter "held") and tell it, or let it count as told.',
        now,
    )


def _is_blind(target: Target, visit: Visit) -> bool:
    """Whether the last visits all failed: of this target, or of its whole marketplace."""
    if target.blind_visits + 1 == BLIND:
        return True
    last = Visit.objects.filter(target__marketplace=target.marketplace, id__lte=visit.id)
    outcomes = list(last.order_by("-id").values_list("outcome", flat=True)[:BLIND])
    return outcomes == [Visit.Outcome.FAILED] * BLIND


def look_for_silence(*, now: dt.datetime) -> bool:
    """Raise an alarm where no new title was seen anywhere for SILENCE_ALARM, though we look."""
    newest = newest_first_seen()
    if not settings.SILENCE_ALARM or newest is None or now - newest < settings.SILENCE_ALARM:
        return False
    if not Target.objects.needed().exclude(kind=Target.Kind.DUE).exists():
        return False
    _say(
        f"silence:{newest:%Y-%m-%dT%H:%M:%S}",
        "No new title anywhere",
        f"The last time a title was seen for the first time was {newest:%d %B %Y, %H:%M} UTC. Stores"
        " are never that quiet for long: either too little is watched, or we are blind.",
        now,
    )
    return True


def _say(key: str, subject: str, text: str, now: dt.datetime) -> None:
    _log.warning("alarm", key=key, subject=subject)
    notify(subject=subject[:200], text=text, dedupe_key=key[:200], now=now)
