"""What a complete pass does not list any more: gone, or just not listed?

Gone is what the store denies when asked for alone while it shows a title that is known to be
there; the second such look withdraws it (catalog.services.record_absent).
"""

import datetime as dt
import random
from collections.abc import Callable, Collection, Sequence

from django.conf import settings

from catalog.listing import Listing
from catalog.questions import control_asins, withdrawn_asins
from catalog.services import record_absent
from scraping.asking import Asker
from scraping.outcomes import Absent
from scraping.sources.base import Progress, Query

# Of the titles a pass misses, so many are asked for alone in one visit.
MAX_LOOKS = 5
# Of the titles the store showed lately, so many are asked for before it counts as blind: some of
# those may be gone as well.
CONTROLS = 3
BATCH = 50

Store = Callable[[Asker, list[Listing]], None]


def look_for_missing(
    asker: Asker,
    *,
    missing: Collection[str],
    denied: Sequence[str],
    store: Store,
    held_by: int,
    now: dt.datetime,
) -> set[str]:
    """Find out which of `missing` are gone; those that are not known to be withdrawn by then.

    `denied`: what the store has just denied when asked for alone; `store` writes down what turns up.
    """
    marketplace = asker.marketplace
    gone = [asin for asin in denied if asin in missing]
    # That a whole series is denied says nothing of its titles.
    others = sorted({*missing} - {*denied})
    gone += _ask_for_each(asker, _ask_for_all(asker, others, store), store)
    if gone and (asker.vouched or _control_is_shown(asker, gone)):
        record_absent(
            marketplace=marketplace,
            asins=gone,
            now=now,
            delay=settings.ABSENCE_DELAY,
            held_by=held_by,
        )
    return set(missing) - withdrawn_asins(marketplace=marketplace, asins=missing)


def _ask_for_all(asker: Asker, asins: list[str], store: Store) -> list[str]:
    """Ask for many at once; those that stay missing (all of one: it is asked for alone)."""
    if len(asins) < 2:
        return asins
    # Another choice each time, so that a few stubborn ones do not hide the rest.
    asked = random.sample(asins, min(BATCH, len(asins)))
    answer = asker.ask(Query(asker.marketplace, "batch", asins=tuple(asked)))
    if not isinstance(answer, Progress):
        return []
    store(asker, list(answer.page.listings))
    return [asin for asin in asked if asin not in answer.page.listed]


def _ask_for_each(asker: Asker, asins: list[str], store: Store) -> list[str]:
    """Ask for a few, each alone; those that the store denies."""
    denied: list[str] = []
    for asin in asins[:MAX_LOOKS]:
        answer = asker.ask(Query(asker.marketplace, "asin", asin))
        match answer:
            case None:
                break
            case Absent():
                denied.append(asin)
            case Progress(page, _):
                store(asker, list(page.listings))
    return denied


def _control_is_shown(asker: Asker, gone: list[str]) -> bool:
    return asker.vouch(control_asins(marketplace=asker.marketplace, excluded=gone, limit=CONTROLS))
