"""What watches need asked of the stores, kept in step with what the catalogue comes to know."""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence

from catalog.keys import store_queries
from catalog.models import Contributor, Watch, WatchKey, WatchQuery
from catalog.series_groups import Place, places_of

Asked = tuple[int, str, str, str]  # (watch, marketplace, kind, query)


def write_queries(watches: Sequence[Watch], *, heard: bool) -> None:
    """Make the queries of these watches what they need.

    A new query begins with a baseline of its own. With `heard`, where the catalogue has learnt
    something and nobody asked for more, it is heard since its watch is in that marketplace.
    """
    wanted = _wanted(watches)
    held = {_asked(query): query for query in WatchQuery.objects.filter(watch__in=watches)}
    stale = [query.id for asked, query in held.items() if asked not in wanted]
    if stale:
        WatchQuery.objects.filter(id__in=stale).delete()
    since = _since(held.values()) if heard else {}
    WatchQuery.objects.bulk_create(
        [
            WatchQuery(
                watch_id=watch_id,
                marketplace=code,
                kind=kind,
                query=query,
                active_from=since.get((watch_id, code)),
            )
            for watch_id, code, kind, query in sorted(wanted - held.keys())
        ],
        ignore_conflicts=True,
    )


def _asked(query: WatchQuery) -> Asked:
    return query.watch_id, query.marketplace, query.kind, query.query


def _since(queries: Iterable[WatchQuery]) -> dict[tuple[int, str], dt.datetime]:
    """Since when each watch is heard in each marketplace, where it is."""
    found: dict[tuple[int, str], dt.datetime] = {}
    for query in queries:
        if query.active_from:
            place = query.watch_id, query.marketplace
            found[place] = min(query.active_from, found.get(place, query.active_from))
    return found


def _wanted(watches: Sequence[Watch]) -> set[Asked]:
    names = _names(watches)
    places = series_places(watches)
    return {
        (watch.id, code, *asked)
        for watch in watches
        for code in watch.marketplaces
        for asked in store_queries(
            kind=watch.kind,
            query=watch.query,
            asin=watch.asin,
            names=[names[asin] for asin in (watch.asin, *watch.aliases) if asin in names],
            series=_sold_in(places.get(watch.asin), code),
        )
    }


def _names(watches: Iterable[Watch]) -> dict[str, str]:
    """Under which name each ASIN of these watches' authors is known."""
    authors = [watch for watch in watches if watch.kind == Watch.Kind.AUTHOR]
    asins = {asin for watch in authors for asin in (watch.asin, *watch.aliases) if asin}
    if not asins:
        return {}
    known = Contributor.objects.filter(asin__in=asins).values_list("asin", "name")
    return {asin: name for asin, name in known if asin}


def series_places(watches: Iterable[Watch]) -> dict[str, set[Place]]:
    """By ASIN of these watches' series: where its group is sold, as far as we know."""
    asins = {watch.asin for watch in watches if watch.kind == Watch.Kind.SERIES and watch.asin}
    return places_of(asins) if asins else {}


def _sold_in(places: set[Place] | None, code: str) -> list[str] | None:
    return None if places is None else [asin for marketplace, asin in places if marketplace == code]


def refresh_series(asins: Collection[str]) -> None:
    """The catalogue has met these series, or grouped them: those who watch one watch its group."""
    watches = _watching(Watch.Kind.SERIES, asins)
    places = series_places(watches)
    keys = [
        WatchKey(key=f"series:{asin}", user_id=watch.user_id, watch=watch)
        for watch in watches
        for asin in sorted({asin for _, asin in places.get(watch.asin, ())})
    ]
    WatchKey.objects.bulk_create(keys, ignore_conflicts=True)
    if watches:
        write_queries(watches, heard=True)


def refresh_authors(asins: Collection[str]) -> None:
    """The catalogue has met these authors: by other names, maybe, than their watches have."""
    watches = _watching(Watch.Kind.AUTHOR, asins)
    if watches:
        write_queries(watches, heard=True)


def _watching(kind: str, asins: Collection[str]) -> list[Watch]:
    """Watches of such a kind that were given ASINs, and have one of these."""
    keys = [f"{kind}:{asin}" for asin in sorted(asins)]
    given = Watch.objects.filter(kind=kind, ended_at=None).exclude(asin="", aliases=[])
    return list(given.filter(keys__key__in=keys).order_by("id").distinct()) if keys else []
