"""What writes across watches: their keys, their queries, since when they are heard."""

import datetime as dt
from collections.abc import Sequence

from django.db import transaction

from catalog.keys import WatchMatch, watch_match, word_keys
from catalog.links import learn_ids, lock_names
from catalog.models import Contributor, Series, Watch, WatchKey, WatchQuery
from catalog.normalise import name_key
from catalog.people import is_by_name, only_asin, settle
from catalog.watch_queries import series_places, write_queries
from stalkerr import sql


def save_watch(*, watch: Watch, now: dt.datetime) -> Watch:
    """Store a new or edited watch with its match keys and queries.

    Marketplaces that are new, and all of them when what is watched changed, start over with a
    baseline. What an edit no longer wants is cancelled by a later step that `edited_at` calls for.
    An author's name that is new here and known of one person only stands for that person.
    """
    with transaction.atomic():
        lock_names(watch.kind)
        if is_by_name(watch) and _is_new_name(watch):
            watch.asin = only_asin(watch)
        match = _match(watch)
        if watch.pk is not None:
            watch.edited_at = now
        watch.required_keys, watch.excluded_keys = list(match.required), list(match.excluded)
        watch.phrase = match.phrase
        watch.save()
        _write_keys(watch, match)
        write_queries([watch], heard=False)
        _learn(watch)
    return watch


def end_watch(*, watch: Watch, now: dt.datetime) -> None:
    """Take a watch out of service; its row goes once its promises are cancelled."""
    with transaction.atomic():
        Watch.objects.filter(id=watch.id).update(ended_at=now, edited_at=now)
        WatchKey.objects.filter(watch_id=watch.id).delete()
        WatchQuery.objects.filter(watch=watch).delete()


def _is_new_name(watch: Watch) -> bool:
    """Whether a watch is new, or was of somebody else until now."""
    before = Watch.objects.filter(id=watch.id or 0).values_list("kind", "query").first()
    return before is None or (before[0], name_key(before[1])) != (watch.kind, name_key(watch.query))


def _match(watch: Watch) -> WatchMatch:
    words = word_keys(watch.query) if watch.kind == Watch.Kind.KEYWORD else ()
    return watch_match(
        kind=watch.kind,
        query=watch.query,
        asin=watch.asin,
        aliases=[*watch.aliases, *_same_series(watch)],
        excluded_words=watch.excluded_words,
        rarity=_rarity(words),
    )


def _same_series(watch: Watch) -> list[str]:
    """The ASINs under which a watched series goes in other marketplaces."""
    places = series_places([watch]).get(watch.asin, set())
    return sorted({asin for _, asin in places} - {watch.asin})


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
    waiting = WatchQuery.objects.filter(
        marketplace=marketplace, kind=kind, query=query, active_from=None
    )
    with transaction.atomic():
        ids = list(waiting.values_list("watch_id", flat=True)) if kind == Watch.Kind.AUTHOR else []
        settle_names(watch_ids=ids, now=now)
        return waiting.update(active_from=now)


def settle_names(*, watch_ids: Sequence[int], now: dt.datetime) -> None:
    """Decide, for watches by an author's name that become heard, whom each of them means.

    Their rows are locked before the names, as by whoever edits one.
    """
    if not watch_ids:
        return
    with transaction.atomic():
        by_name = Watch.objects.select_for_update(no_key=True).filter(
            id__in=watch_ids, kind=Watch.Kind.AUTHOR, asin="", ended_at=None
        )
        watches = list(by_name.order_by("id"))
        if watches:
            lock_names(Watch.Kind.AUTHOR)
            settle(watches, now)
