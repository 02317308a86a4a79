"""Authors of one name: who is known under it, which of them a watch means, who else turns up.

A watch that was given a name only takes everybody of that name until it is settled: by the only
ASIN known, or by its user's choice. From then on a namesake is not learnt but told of, once.
"""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from accounts.models import Notice
from accounts.services import notify_each
from catalog.models import Watch
from catalog.normalise import name_key
from stalkerr import sql

_SHOWN_MAX = 50  # namesakes of one name
_SUBJECT_MAX = 200


@dataclass(frozen=True, slots=True)
class Namesake:
    """An author with an ASIN: how many works of theirs are known, the latest, and where."""

    asin: str
    name: str
    titles: int
    latest: str
    marketplaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sighting:
    """An author with an ASIN on one audiobook."""

    marketplace: str
    asin: str
    name: str
    title: str


def namesakes(names: Iterable[str]) -> dict[str, list[Namesake]]:
    """The authors known under each of these folded names, those with most titles first."""
    rows = sql.rows(
        """
        SELECT c.name_key, c.asin, c.name, count(DISTINCT a.work_id) AS titles,
               coalesce((array_agg(a.title ORDER BY a.release_date DESC NULLS LAST, a.id DESC)
                         FILTER (WHERE a.hidden_at IS NULL))[1], ''),
               array_agg(DISTINCT a.marketplace)
        FROM contributors c
        JOIN credits k ON k.contributor_id = c.id AND k.role = 'author'
        JOIN audiobooks a ON a.id = k.audiobook_id
        WHERE c.name_key = ANY(%s) AND c.asin IS NOT NULL
        GROUP BY c.id ORDER BY titles DESC, c.asin
        """,
        [sorted({*names} - {""})],
    )
    found: defaultdict[str, list[Namesake]] = defaultdict(list)
    for key, asin, name, titles, latest, codes in rows:
        found[key].append(Namesake(asin, name, titles, latest, tuple(sorted(codes))))
    return {key: people[:_SHOWN_MAX] for key, people in found.items()}


def choices(watches: Collection[Watch]) -> dict[int, list[Namesake]]:
    """By watch: among whom its user may choose; nothing where there is nothing to choose."""
    by_name = [watch for watch in watches if is_by_name(watch)]
    return {watch.id: people for watch, people in _known_to(by_name) if len(people) > 1}


def is_by_name(watch: Watch) -> bool:
    """Whether a watch takes every author of its name."""
    return watch.kind == Watch.Kind.AUTHOR and not watch.asin


def only_asins(watches: Sequence[Watch]) -> list[str]:
    """For each watch the ASIN of the only author known under its name; empty if none is, or several."""
    return [people[0].asin if len(people) == 1 else "" for _, people in _known_to(watches)]


def _known_to(watches: Sequence[Watch]) -> list[tuple[Watch, list[Namesake]]]:
    """Each watch with those of its name, but for its aliases: they are joined already."""
    known = namesakes(name_key(watch.query) for watch in watches) if watches else {}
    return [
        (
            watch,
            [
                each
                for each in known.get(name_key(watch.query), [])
                if each.asin not in watch.aliases
            ],
        )
        for watch in watches
    ]


def settle(watches: Sequence[Watch], now: dt.datetime) -> None:
    """After their first pass: watches by name get the only ASIN known, or their user a notice.

    The caller has locked the watches, then the names.
    """
    people = _known_to(watches)
    _resolve({watch.id: found[0].asin for watch, found in people if len(found) == 1})
    notify_each(
        notices=[
            _which(watch, found, now)
            for watch, found in people
            if len(found) > 1 and not watch.muted
        ]
    )


def _resolve(asins: Mapping[int, str]) -> None:
    """Give each watch its ASIN, and no key of anybody else."""
    if not asins:
        return
    sql.rows(
        """
        WITH known AS (
            SELECT * FROM jsonb_to_recordset(%s) AS n(id bigint, asin text)
        ), settled AS (
            UPDATE watches w SET asin = n.asin FROM known n WHERE w.id = n.id
            RETURNING w.id, w.user_id, w.aliases, 'author:' || n.asin AS key
        ), others AS (
            DELETE FROM watch_keys k USING settled s
            WHERE k.watch_id = s.id AND k.key LIKE 'author:%%' AND k.key <> s.key
              AND substr(k.key, 8) <> ALL(s.aliases)
        )
        INSERT INTO watch_keys (key, user_id, watch_id) SELECT key, user_id, id FROM settled
        ON CONFLICT DO NOTHING
        """,
        [json.dumps([{"id": watch_id, "asin": asin} for watch_id, asin in asins.items()])],
    )


def _which(watch: Watch, people: Iterable[Namesake], now: dt.datetime) -> Notice:
    lines = [
        f"- {each.asin}: {each.name}, {_titles(each.titles)} in {', '.join(each.marketplaces)}, "
        f"lately “{each.latest}”"
        for each in people
    ]
    text = (
        f"Several authors go by the name {watch.query}:\n\n{chr(10).join(lines)}\n\n"
        f"Until you choose, your watch hears of all of them. To choose, give watch {watch.id} the "
        "ASIN of the one you mean; further ASINs of the same author go into its aliases."
    )
    return Notice(
        user_id=watch.user_id,
        subject=f"Which {watch.query} do you mean?"[:_SUBJECT_MAX],
        text=text,
        dedupe_key=f"choices:{watch.id}",
        created_at=now,
    )


def _titles(number: int) -> str:
    return "1 title" if number == 1 else f"{number} titles"


def tell_of_others(
    met: Iterable[tuple[str, str]], sightings: Iterable[Sighting], now: dt.datetime
) -> None:
    """Tell those who watch somebody of the same name whom we met: once a watch and ASIN.

    `met`: (folded name, ASIN) of authors met for the first time, each with its sightings. Watches
    by name hear of them as well; they are told from the second one on, once their first pass is over.
    """
    new = set(met)
    seen = {(name_key(each.name), each.asin, each.marketplace): each for each in sightings}
    records = [
        {"name": name, "asin": asin, "marketplace": marketplace}
        for name, asin, marketplace in seen
        if (name, asin) in new
    ]
    if not records:
        return
    rows = sql.rows(
        """
        SELECT DISTINCT ON (w.id, n.asin) w.id, w.user_id, w.query, w.asin = '', n.name, n.asin,
               n.marketplace
        FROM jsonb_to_recordset(%s) AS n(name text, asin text, marketplace text)
        JOIN watch_keys k ON k.key = 'author~' || n.name
        JOIN watches w ON w.id = k.watch_id
        WHERE n.asin <> w.asin AND n.asin <> ALL(w.aliases)
          AND n.marketplace = ANY(w.marketplaces) AND NOT w.muted AND w.ended_at IS NULL
          AND (w.asin <> '' OR (
               EXISTS (SELECT FROM watch_queries q
                       WHERE q.watch_id = w.id AND q.active_from IS NOT NULL)
               AND EXISTS (SELECT FROM watch_keys o WHERE o.watch_id = w.id
                           AND o.key LIKE 'author:%%' AND o.key <> 'author:' || n.asin
                           AND substr(o.key, 8) <> ALL(w.aliases))))
        ORDER BY w.id, n.asin, n.marketplace
        """,
        [json.dumps(records)],
    )
    notices = [
        _another(
            seen[name, asin, code],
            watch_id=watch_id,
            user_id=user_id,
            advice=_advice(watch_id, query, asin, takes_all=takes_all),
            now=now,
        )
        for watch_id, user_id, query, takes_all, name, asin, code in rows
    ]
    notify_each(notices=notices)


def _advice(watch_id: int, query: str, asin: str, *, takes_all: bool) -> str:
    if takes_all:
        return (
            f"Your watch of {query} hears of everybody of that name. To hear of one of them only, "
            f"give watch {watch_id} the ASIN of the one you mean."
        )
    return (
        f"Your watch of {query} does not hear of it. If it is the same person, add {asin} to the "
        f"aliases of watch {watch_id}."
    )


def _another(
    sighting: Sighting, *, watch_id: int, user_id: int, advice: str, now: dt.datetime
) -> Notice:
    return Notice(
        user_id=user_id,
        subject=f"Another {sighting.name}"[:_SUBJECT_MAX],
        text=f"Another {sighting.name} ({sighting.asin}) published “{sighting.title}” "
        f"({sighting.marketplace}). {advice}",
        dedupe_key=f"namesake:{watch_id}:{sighting.asin}",
        created_at=now,
    )
