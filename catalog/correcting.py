"""Putting an audiobook's facts right: by staff, and for good, whatever its store says later.

A correction is no news by itself. What follows from it is: a title whose date staff move into the
future is out again on that day, and watches that could not find it before are told of it.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

from django.db import transaction

from catalog import records, revisions
from catalog.changes import Change
from catalog.corrections import Corrections, corrected
from catalog.listing import Listing
from catalog.marketplaces import store_date
from catalog.models import Audiobook


def correct_audiobook(
    *, audiobook: Audiobook, facts: Corrections, let_go: Collection[str], now: dt.datetime
) -> Mapping[str, tuple[Any, Any]]:
    """Put `facts` right (catalog/corrections.py), and leave those of `let_go` to the store again.

    The store's next word on it counts for these. Returns what changed: by field, before and after.
    """
    if not (facts or let_go):
        return {}
    place = audiobook.marketplace, audiobook.asin
    with transaction.atomic():
        row = records.lock([place])[place]
        known = records.load_known([row])[row.id]
        kept = {name: value for name, value in known.corrections.items() if name not in let_go}
        new = corrected(known.facts, facts)
        change = Change(
            facts=new,
            is_out=known.is_out and not _is_ahead(facts, new, store_date(place[0], now)),
            is_withdrawn=known.is_withdrawn,
        )
        # Without a fingerprint the store's next answer is read as if it said something new.
        fingerprint = "" if let_go else row.fingerprint
        # Said now: an answer from before can't undo it, and feeds have changed since.
        records.update_facts({row: change}, {place: fingerprint}, {}, now, now)
        Audiobook.objects.filter(id=row.id).update(corrections={**kept, **facts})
        revisions.announce()
    return {
        name: (getattr(known.facts, name), getattr(new, name))
        for name in facts
        if (getattr(known.facts, name) or None) != (getattr(new, name) or None)
    }


def _is_ahead(facts: Corrections, new: Listing, today: dt.date) -> bool:
    """Whether its day was put into the future. One put into the past is found by who looks for days."""
    day = new.release_date
    return "release_date" in facts and day is not None and day > today
