"""What writes across watches: their keys, their queries, since when they are heard."""

import datetime as dt
from collections.abc import Collection, Sequence

from django.db import transaction

from catalog.keys import WatchMatch, watch_match, word_keys
from catalog.links import learn_ids, lock_names, lock_names_of
from catalog.models import Contributor, Series, Watch, WatchKey, WatchQuery
from catalog.normalise import name_key
from catalog.people import is_by_name, only_asins, settle
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
            (watch.asin,) = only_asins([watch])
        (match,) = _matches([watch])
        if watch.pk is not None:
            watch.edited_at = now
        _ask(watch, match)
        watch.save()
        WatchKey.objects.filter(watch=watch).exclude(key__in=match.keys).delete()
        _write_keys([watch], [match])
        write_queries([watch], heard=False)
        _learn([watch])
    return watch


def add_watches(*, watches: Sequence[Watch]) -> None:
    """Store many new watches as `save_watch` does one, in as many statements as for one."""
    with transaction.atomic():
        lock_names_of({watch.kind for watch in watches})
        by_name = [watch for watch in watches if is_by_name(watch)]
        for watch, asin in zip(by_name, only_asins(by_name), strict=True):
            watch.asin = asin
        matches = _matches(watches)
        for watch, match in zip(watches, matches, strict=True):
            _ask(watch, match)
        Watch.objects.bulk_create(watches)
        _write_keys(watches, matches)
        write_queries(watches, heard=False)
        _learn(watches)


def mute_watches(*, watch_ids: Collection[int], muted: bool, now: dt.datetime) -> int:
    """Mute watches or let them be heard again. The caller holds their rows. Returns how many change."""
    others = Watch.objects.filter(id__in=watch_ids).exclude(muted=muted)
    return others.update(muted=muted, edited_at=now)


def end_watch(*, watch: Watch, now: dt.datetime) -> None:
    """Take a watch out of service; its row goes once its promises are cancelled."""
    end_watches(watch_ids=[watch.id], now=now)


def end_watches(*, watch_ids: Collection[int], now: dt.datetime) -> None:
    """As `end_watch`, for many at once."""
    with transaction.atomic():
        Watch.objects.filter(id__in=watch_ids).update(ended_at=now, edited_at=now)
        WatchKey.objects.filter(watch_id__in=watch_ids).delete()
        WatchQuery.objects.filter(watch_id__in=watch_ids).delete()


def _is_new_name(watch: Watch) -> bool:
    """Whether a watch is new, or was of somebody else until now."""
    before = Watch.objects.filter(id=watch.id or 0).values_list("kind", "query").first()
    return before is None or (before[0], name_key(before[1])) != (watch.kind, name_key(watch.query))


def _ask(watch: Watch, match: WatchMatch) -> None:
    watch.required_keys, watch.excluded_keys = list(match.required), list(match.excluded)
    watch.phrase = match.phrase


def _matches(watches: Sequence[Watch]) -> list[WatchMatch]:
    places = series_places(watches)
    rarity = _rarity({key for watch in watches for key in _words(watch)})
    return [
        watch_match(
            kind=watch.kind,
            query=watch.query,
            asin=watch.asin,
            # those under which a watched series goes in other marketplaces
            aliases=[
                *watch.aliases,
                *sorted({asin for _, asin in places.get(watch.asin, ())} - {watch.asin}),
            ],
            excluded_words=watch.excluded_words,
            rarity={key: rarity[key] for key in _words(watch)},
        )
        for watch in watches
    ]


def _words(watch: Watch) -> Sequence[str]:
    return word_keys(watch.query) if watch.kind == Watch.Kind.KEYWORD else ()


def _rarity(keys: Collection[str]) -> dict[str, int]:
    """In how many audiobooks each key is found (counted to 10,000)."""
    counted = sql.rows(
        """
        SELECT k, (SELECT count(*) FROM (SELECT FROM audiobooks WHERE match_keys @> ARRAY[k]
                                         LIMIT 10000) found)
        FROM unnest(%s::text[]) AS k
        """,
        [sorted(keys)],
    )
    return dict(counted)


def _write_keys(watches: Sequence[Watch], matches: Sequence[WatchMatch]) -> None:
    WatchKey.objects.bulk_create(
        [
            WatchKey(key=key, user_id=watch.user_id, watch=watch)
            for watch, match in zip(watches, matches, strict=True)
            for key in match.keys
        ],
        ignore_conflicts=True,
    )


def _learn(watches: Sequence[Watch]) -> None:
    """Give watches by name the ids already known for that name."""
    names = {
        kind: {name_key(watch.query) for watch in watches if watch.kind == kind}
        for kind in (Watch.Kind.AUTHOR, Watch.Kind.SERIES)
    }
    authors = Contributor.objects.filter(
        name_key__in=names[Watch.Kind.AUTHOR], asin__isnull=False
    ).values_list("name_key", "asin")
    series = Series.objects.filter(title_key__in=names[Watch.Kind.SERIES]).values_list(
        "title_key", "asin"
    )
    for kind, known in ((Watch.Kind.AUTHOR, authors), (Watch.Kind.SERIES, series)):
        learn_ids(kind, [(name, asin) for name, asin in known if asin] if names[kind] else [])


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
