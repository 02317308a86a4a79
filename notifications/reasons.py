"""Why somebody was told, in words: which of their watches asked, and by what it met the title."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Final

from catalog.models import Watch, WatchKey
from notifications.models import Delivery

OURS: Final = "A message of Stalkerr itself."
POSTED: Final = "A program of yours posted it."
ENDED: Final = "a watch that is no more"

_BY: Final = {  # a match key's family (catalog/keys.py), as what the title has
    "author": "its author",
    "narrator": "its narrator",
    "series": "its series",
    "publisher": "its publisher",
    "genre": "its category",
    "word": "its titles hold",
    "asin": "its ASIN",
}


def reasons(deliveries: Iterable[Delivery]) -> dict[int, list[str]]:
    """By delivery: a sentence per watch; what else there is comes from the system or a program.

    Events come with their audiobooks. Two statements, however many deliveries there are.
    """
    shown = list(deliveries)
    ids = {each for delivery in shown for each in delivery.watch_ids}
    watches = Watch.objects.only("kind", "query", "required_keys").in_bulk(ids) if ids else {}
    keys = _keys(ids)
    return {delivery.pk: _of(delivery, watches, keys) for delivery in shown}


def _keys(watch_ids: Collection[int]) -> dict[int, list[str]]:
    keys: defaultdict[int, list[str]] = defaultdict(list)
    if watch_ids:
        rows = WatchKey.objects.filter(watch__in=watch_ids).order_by("key")
        for watch_id, key in rows.values_list("watch_id", "key"):
            keys[watch_id].append(key)
    return keys


def _of(delivery: Delivery, watches: dict[int, Watch], keys: dict[int, list[str]]) -> list[str]:
    if delivery.event is None:
        return [POSTED if delivery.posting_id else OURS]
    has = set(delivery.event.audiobook.match_keys)
    sentences = []
    for watch_id in delivery.watch_ids:
        watch = watches.get(watch_id)
        asked = {*keys.get(watch_id, []), *(watch.required_keys if watch else [])}
        shared = [_words(key) for key in sorted(asked & has)]
        by = f": {', '.join(shared)}" if shared else ""
        sentences.append(f"{watch or ENDED}{by}")
    return sentences


def _words(key: str) -> str:
    """ "its author B00ADAONE1", 'its titles hold "tide"'."""
    is_name = "~" in key.partition(":")[0]
    family, _, value = key.partition("~" if is_name else ":")
    words = _BY.get(family, family)
    return f'{words} "{value}"' if is_name or family == "word" else f"{words} {value}"
