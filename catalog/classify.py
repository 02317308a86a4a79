"""What a title is, from what its store says of it. Pure.

One kind each, the first that holds: series_placeholder (a whole series, or a volume not even dated:
nothing to listen to), podcast (by either content field), part (of one work, not a place in a
series; MultiPartBook is none, that is a long book in several files), omnibus, dramatised, abridged,
lecture, performance, else single. All that holds are its traits, and what a watch hides goes by
them: a dramatised part is hidden by whoever hides either.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.listing import Listing
from catalog.normalise import fold
from catalog.roles import FULL_CASTS, UNNAMED, is_ai_voice
from catalog.title_words import (
    is_abridged,
    is_dramatised,
    is_omnibus,
    is_part,
    names_full_cast,
    plain,
)

KINDS = (
    "single",
    "part",
    "omnibus",
    "dramatised",
    "abridged",
    "podcast",
    "lecture",
    "performance",
    "series_placeholder",
)
VOICES = ("human", "ai", "full_cast", "unknown")
# What a watch may hide; "reissue" is known over editions only (catalog/works.py).
HIDEABLE = (
    "part",
    "omnibus",
    "dramatised",
    "abridged",
    "podcast",
    "lecture",
    "performance",
    "ai_voice",
    "reissue",
)
HIDDEN_BY_DEFAULT = ("podcast", "part", "omnibus", "ai_voice", "reissue")

_PRECEDENCE = (
    "series_placeholder",
    "podcast",
    "part",
    "omnibus",
    "dramatised",
    "abridged",
    "lecture",
    "performance",
)
_BY_CONTENT = {
    "podcast": "podcast",
    "episode": "podcast",
    "periodical": "podcast",
    "newspaper magazine": "podcast",
    "show": "dramatised",
    "radio tv program": "dramatised",
    "lecture": "lecture",
    "speech": "lecture",
    "sermon": "lecture",
    "performance": "performance",
}
_BY_DELIVERY = {
    "bookseries": "series_placeholder",
    "podcastparent": "podcast",
    "podcastseason": "podcast",
    "podcastepisode": "podcast",
    "periodical": "podcast",
    "subscription": "podcast",
    "singlepartissue": "podcast",
    "multipartissue": "podcast",
    "audiopart": "part",
    "bundle": "omnibus",
}
_BY_PUBLISHER = {
    "graphicaudio": "dramatised",
    "graphic audio": "dramatised",
    "l a theatre works": "dramatised",
    "la theatre works": "dramatised",
    "the great courses": "lecture",
    "the teaching company": "lecture",
    "zzz series advisor placeholder": "series_placeholder",
}
_PLACEHOLDER_SKUS = ("SE_RIES_", "PL_HLDR_")


@dataclass(frozen=True, slots=True)
class Classification:
    """`kind` of KINDS, `voice` of VOICES; `traits`: every word of HIDEABLE that holds, sorted."""

    kind: str
    voice: str
    traits: tuple[str, ...]


def classify(listing: Listing) -> Classification:
    """What it is, who reads it, and all that a watch may hide it for."""
    texts = [plain(text) for text in (listing.title, listing.subtitle) if text]
    holds = _stated(listing) | _worded(listing, texts)
    voice = _voice(listing, texts)
    traits = holds & set(HIDEABLE) | ({"ai_voice"} if voice == "ai" else set())
    kind = next((kind for kind in _PRECEDENCE if kind in holds), "single")
    return Classification(kind, voice, tuple(sorted(traits)))


def _stated(listing: Listing) -> set[str]:
    """What the store's own fields say."""
    found = {
        _of(_BY_CONTENT, listing.content_type),
        _of(_BY_DELIVERY, listing.delivery_type),
        _of(_BY_PUBLISHER, listing.publisher),
        "series_placeholder" if _is_stand_in(listing) else "",
    }
    return found - {""}


def _is_stand_in(listing: Listing) -> bool:
    """Whether it only keeps a place: by its sku, or dated 2200 with nothing to listen to."""
    if (listing.sku or "").startswith(_PLACEHOLDER_SKUS):
        return True
    read = any(credit.role == "narrator" for credit in listing.credits)
    return listing.undated and not (read or listing.runtime_minutes)


def _of(table: Mapping[str, str], field: str | None) -> str:
    return table.get(fold(field), "") if field else ""


def _worded(listing: Listing, texts: list[str]) -> set[str]:
    """What the title says."""
    sequences = [place.sequence for place in listing.series if place.sequence]
    holds = {
        "part": is_part(texts, sequences),
        "omnibus": is_omnibus(texts, sequences, listing.language),
        "dramatised": is_dramatised([*texts, *_series_words(listing)]),
        "abridged": is_abridged(texts, listing.format_type),
    }
    return {kind for kind, found in holds.items() if found}


def _series_words(listing: Listing) -> list[str]:
    """Series of plays say so: "Harry Potter (Full-Cast Editions)", place "4, Dramatized Adaptation"."""
    return [plain(f"{place.title} {place.sequence or ''}") for place in listing.series]


def _voice(listing: Listing, texts: list[str]) -> str:
    """By credit: the store's flag for machine voices is set on hardly any that have one."""
    narrators = [credit.name for credit in listing.credits if credit.role == "narrator"]
    if any(map(is_ai_voice, narrators)):
        return "ai"
    folded = {fold(name) for name in narrators}
    if folded & FULL_CASTS or names_full_cast(texts):
        return "full_cast"
    return "human" if folded - UNNAMED else "unknown"
