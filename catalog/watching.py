"""What writes across watches: their keys, their queries, since when they are heard."""

import datetime as dt
from collections.abc import Sequence

from django.db import transaction

from catalog.keys import WatchMatch, store_query, watch_match, word_keys
from catalog.links import learn_ids, lock_names
from catalog.models import Contributor, Series, Watch, WatchKey, WatchQuery
from catalog.normalise import name_key
from stalkerr import sql


def save_watch(*, watch: Watch, now: dt.datetime) -> Watch:
    """Store a new or edited watch with its match keys and queries.

    Marketplaces that are new, and all of them when what is watched changed, start over with a
    baseline. What an edit no longer wants is cancelled by a later step that `edited_at` calls for.
    """
    match = _match(watch)
    with transaction.atomic():
        lock_names(watch.kind)
        if watch.pk is not None:
            watch.edited_at = now
        watch.required_keys, watch.excluded_keys = list(match.required), list(match.excluded)
        watch.phrase = match.phrase
        watch.save()
        _write_keys(watch, match)
        _write_queries(watch)
        _learn(watch)
    return watch


def end_watch(*, watch: Watch, now: dt.datetime) -> None:
    """Take a watch out of service; its row goes once its promises are cancelled."""
    with transaction.atomic():
        WatchKey.objects.filter(watch_id=watch.id).delete()
        WatchQuery.objects.filter(watch=watch).delete()
        Watch.objects.filter(id=watch.id).update(ended_at=now, edited_at=now)


def _match(watch: Watch) -> WatchMatch:
    words = word_keys(watch.query) if watch.kind == Watch.Kind.KEYWORD else ()
    return watch_match(
        kind=watch.kind,
        query=watch.query,
        asin=watch.asin,
        excluded_words=watch.excluded_words,
        rarity=_rarity(words),
    )


def _rarity(keys: Sequence[str]) -> dict[str, int]:
    """In how many audiobooks each key is found (counted to 10,000)."""
    counted = sql.rows(
        """
        SELECT k, (SELECT count(*) FROM (SELECT FROM audiobooks WHERE match_keys @> ARRAY[k]
                                         LIMIT 10000) found)
        FROM unnest(%s::text[]) AS k
        """,
        [list(keys)],
    )
    return dict(counted)


def _write_keys(watch: Watch, match: WatchMatch) -> None:
    WatchKey.objects.filter(watch=watch).exclude(key__in=match.keys).delete()
    WatchKey.objects.bulk_create(
        [WatchKey(key=key, user_id=watch.user_id, watch=watch) for key in match.keys],
        ignore_conflicts=True,
    )


def _write_queries(watch: Watch) -> None:
    kind, query = store_query(kind=watch.kind, query=watch.query, asin=watch.asin)
    same = WatchQuery.objects.filter(
        watch=watch, kind=kind, query=query, marketplace__in=watch.marketplaces
    )
    kept = set(same.values_list("marketplace", flat=True))
    WatchQuery.objects.filter(watch=watch).exclude(marketplace__in=kept).delete()
    WatchQuery.objects.bulk_create(
        WatchQuery(watch=watch, marketplace=marketplace, kind=kind, query=query)
        for marketplace in watch.marketplaces
        if marketplace not in kept
    )


def _learn(watch: Watch) -> None:
    """Give a watch by name the ids already known for that name."""
    key = name_key(watch.query)
    known: dict[str, list[tuple[str, str | None]]] = {
        Watch.Kind.AUTHOR: list(
            Contributor.objects.filter(name_key=key, asin__isnull=False).values_list(
                "name_key", "asin"
            )
        ),
        Watch.Kind.SERIES: list(
            Series.objects.filter(title_key=key).values_list("title_key", "asin")
        ),
    }
    pairs = known.get(watch.kind, [])
    learn_ids(watch.kind, [(name, asin) for name, asin in pairs if asin])


def activate(*, marketplace: str, kind: str, query: str, now: dt.datetime) -> int:
    """A first complete pass is over: from now on its watches are heard. Returns how many."""
    return WatchQuery.objects.filter(
        marketplace=marketplace, kind=kind, query=query, active_from=None
    ).update(active_from=now)
