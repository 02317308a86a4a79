"""What is made of imported files, chunk by chunk."""

import datetime as dt

from celery import shared_task

from catalog import importing
from stalkerr import clock
from workers.hints import hint, hint_once, taken
from workers.jobs import job

AT_ONCE = 20  # chunks, a second or two; then others have their turn
KEEP = dt.timedelta(days=30)


@job("catalog.apply_imports")
def apply_imports(now: dt.datetime) -> int:
    """Go on where a worker died or a hint was lost; forget imports of long ago."""
    return _apply() + importing.drop_old(before=now - KEEP)


@shared_task(name="catalog.apply_import")
def apply_import() -> None:
    """The same at once, for an import just begun."""
    taken("catalog.apply_import")
    _apply()


def _apply() -> int:
    done = 0
    for _ in range(AT_ONCE):
        made = importing.apply_some(now=clock.now())
        done += made
        if not made:
            break
    else:
        hint_once("catalog.apply_import", "scrape")
    if done:
        hint("scraping.visit_new_targets", "scrape")
    return done
