"""What a title is, from what its store says of it. Pure."""

import re
from dataclasses import dataclass

from catalog.listing import Listing
from catalog.normalise import fold

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

_PODCASTS = ("PodcastParent", "PodcastSeason", "PodcastEpisode", "Periodical")
_PART = re.compile(r"\b(?:part|teil|partie|parte) \w+ (?:of|von|sur|de|di) \w+\b|\b\d+ of \d+\b")
_OMNIBUS = re.compile(
    r"\bomnibus\b|\bbox(?:ed)? ?set\b|\bbooks \d+ \d+\b|\bcomplete series\b|\bsammelband\b"
)
_DRAMATISED = re.compile(r"\bdramati[sz]ed\b|\bfull cast\b|\baudio drama\b|\bhorspiel\b")
_ABRIDGED = re.compile(r"(?<!un)\babridged\b")
_RANGE = re.compile(r"\d+(?:\.\d+)?\s*[-–]\s*\d+")
_AI_VOICE = re.compile(
    r"\bvirtual voice\b|\bvoz virtual\b|\bvirtuelle stimme\b|\bvoix virtuelle\b|\bvoce virtuale\b"
    r"|\bvoice replica\b"
)


@dataclass(frozen=True, slots=True)
class Classification:
    """`traits`: every HIDEABLE word that holds, sorted; a dramatised part has both."""

    kind: str
    voice: str
    traits: tuple[str, ...]


def classify(listing: Listing) -> Classification:
    """One kind, one voice, and all that a watch may hide it for."""
    voice = _voice(listing)
    holds = _kinds(listing)
    traits = holds & set(HIDEABLE) | ({"ai_voice"} if voice == "ai" else set())
    order = ("series_placeholder", "podcast", "part", "omnibus", "dramatised", "abridged")
    kinds = [kind for kind in (*order, "lecture", "performance") if kind in holds]
    return Classification(kinds[0] if kinds else "single", voice, tuple(sorted(traits)))


def _kinds(listing: Listing) -> set[str]:
    titles = fold(" ".join(filter(None, (listing.title, listing.subtitle))))
    sequences = [place.sequence or "" for place in listing.series]
    content = (listing.content_type or "").lower()
    holds = {
        "series_placeholder": listing.is_series_object
        or (listing.sku or "").startswith(("SE_RIES_", "PL_HLDR_")),
        "podcast": content == "podcast" or listing.delivery_type in _PODCASTS,
        "part": _PART.search(titles),
        "omnibus": _OMNIBUS.search(titles) or any(map(_RANGE.search, sequences)),
        "dramatised": _DRAMATISED.search(titles) or content in ("show", "radio/tv program"),
        "abridged": listing.format_type == "abridged" or _ABRIDGED.search(titles),
        "lecture": content in ("lecture", "speech"),
        "performance": content == "performance",
    }
    return {kind for kind, found in holds.items() if found}


def _voice(listing: Listing) -> str:
    narrators = [fold(credit.name) for credit in listing.credits if credit.role == "narrator"]
    if any(map(_AI_VOICE.search, narrators)):
        return "ai"
    if "full cast" in narrators:
        return "full_cast"
    return "human" if narrators else "unknown"
