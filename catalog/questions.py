"""What a visit asks of the catalogue: reads only."""

import datetime as dt
import random
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q

from catalog.marketplaces import store_date
from catalog.models import Audiobook, AudiobookCheck
from stalkerr import sql

# A page that was read to fill a gap is not read again before.
GAP_INTERVAL = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How lively the titles of a target are: the next date ahead, the last piece of news."""

    next_release: dt.date | None
    last_news_at: dt.datetime | None


def rhythm(*, marketplace: str, asins: Iterable[str], now: dt.datetime) -> Rhythm:
    """What cadence wants to know of these titles."""
    ((next_release, last_news_at),) = sql.rows(
        """
        SELECT min(a.release_date) FILTER (WHERE a.release_date >= %(today)s AND a.out_at IS NULL),
               max(e.seen_at)
        FROM audiobooks a
        LEFT JOIN LATERAL (SELECT e.seen_at FROM release_events e WHERE e.audiobook_id = a.id
                           ORDER BY e.revision DESC LIMIT 1) e ON true
        WHERE a.marketplace = %(marketplace)s AND a.asin = ANY(%(asins)s) AND a.withdrawn_at IS NULL
        """,
        {
            "marketplace": marketplace,
            "asins": list(asins),
            "today": store_date(marketplace, now),
        },
    )
    return Rhythm(next_release, last_news_at)


def wanted_keys(*, marketplace: str, kind: str, query: str) -> frozenset[str]:
    """The match keys of all watches that need this query."""
    rows = sql.rows(
        """
        SELECT DISTINCT k.key FROM watch_queries q JOIN watch_keys k ON k.watch_id = q.watch_id
        WHERE (q.marketplace, q.kind, q.query) = (%s, %s, %s)
        """,
        [marketplace, kind, query],
    )
    return frozenset(key for (key,) in rows)


def gap_asins(*, marketplace: str, asins: Iterable[str], now: dt.datetime, limit: int) -> list[str]:
    """Titles to come that lack a title, a date or people, and whose page was not read lately."""
    incomplete = Q(title="") | Q(release_date=None) | Q(credits=None)
    unread = Q(check_row__page_checked_at=None) | Q(
        check_row__page_checked_at__lte=now - GAP_INTERVAL
    )
    found = Audiobook.objects.filter(
        incomplete,
        unread,
        marketplace=marketplace,
        asin__in=list(asins),
        out_at=None,
        withdrawn_at=None,
    )
    return list(found.order_by("-id").values_list("asin", flat=True)[:limit])


def due_out_asins(*, marketplace: str, now: dt.datetime, limit: int) -> list[str]:
    """Titles whose day has come and that the store has not confirmed yet."""
    due = Audiobook.objects.due_out(marketplace, store_date(marketplace, now))
    return list(due.order_by("release_date", "id").values_list("asin", flat=True)[:limit])


def withdrawn_asins(*, marketplace: str, asins: Iterable[str]) -> set[str]:
    """Those of `asins` that are known to be withdrawn."""
    known = Audiobook.objects.filter(
        marketplace=marketplace, asin__in=list(asins), withdrawn_at__isnull=False
    )
    return set(known.values_list("asin", flat=True))


def control_asins(*, marketplace: str, excluded: Iterable[str], limit: int) -> list[str]:
    """Titles the store showed lately: if asking for them fails too, the store is to blame.

    First those of the page it showed last, in any order so that none is asked for often: one seen
    earlier may be gone as well.
    """
    shown = AudiobookCheck.objects.filter(
        absent_at=None, audiobook__marketplace=marketplace, audiobook__withdrawn_at=None
    ).exclude(audiobook__asin__in=list(excluded))
    newest = shown.order_by("-last_checked_at").values_list("last_checked_at", "audiobook__asin")
    lately = list(newest[:100])
    last = lately[0][0] if lately else None
    random.shuffle(lately)
    lately.sort(key=lambda each: each[0] != last)
    return [asin for _, asin in lately[:limit]]


def newest_first_seen() -> dt.datetime | None:
    """When a title was last seen for the first time, anywhere."""
    return Audiobook.objects.order_by("-id").values_list("first_seen_at", flat=True).first()
