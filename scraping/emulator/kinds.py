"""What may be special about a title, each kind as the facts that stores show of it."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from catalog.marketplaces import MARKETPLACES
from scraping.emulator.catalogue import Person, Product

Facts = dict[str, Any]

# By the marketplace's language: who reads where nobody does.
AI_VOICES = {
    "english": "Virtual Voice",
    "german": "Virtuelle Stimme",
    "french": "Voix virtuelle",
    "italian": "Voce virtuale",
    "spanish": "Voz virtual",
    "portuguese": "Voz virtual",
    "japanese": "バーチャルボイス",
}
# By the title's language; others get the English ones.
_OMNIBUS = {
    "english": "Books {}",
    "german": "Band {}",
    "french": "Tomes {}",
    "italian": "Libri {}",
    "spanish": "Libros {}",
    "portuguese": "Livros {}",
}
_PARTS = {
    "english": "(Part 1 of 2)",
    "german": "(Teil 1 von 2)",
    "french": "(Partie 1 sur 2)",
    "italian": "(Parte 1 di 2)",
    "spanish": "(Parte 1 de 2)",
    "portuguese": "(Parte 1 de 2)",
}
OMNIBUS_SEQUENCE = "1-3"
NO_DATE = dt.date(2200, 1, 1)


def ai_voice(marketplace: str) -> str:
    """Whom the marketplace names as the narrator of a title that a machine reads."""
    return AI_VOICES[MARKETPLACES[marketplace].language]


def _podcast(delivery_type: str) -> Callable[[Product], Facts]:
    shown = {
        "content_type": "Podcast",
        "delivery_type": delivery_type,
        "format_type": "original_recording",
    }
    return lambda _product: shown


def _omnibus(product: Product) -> Facts:
    pattern = _OMNIBUS.get(product.language or "", _OMNIBUS["english"])
    return {"subtitle": product.subtitle or pattern.format(OMNIBUS_SEQUENCE)}


def _part(product: Product) -> Facts:
    part = _PARTS.get(product.language or "", _PARTS["english"])
    return {"title": f"{product.title} {part}"}


def _dramatised(product: Product) -> Facts:
    return {"title": f"{product.title} [Dramatized Adaptation]", **_full_cast(product)}


def _full_cast(product: Product) -> Facts:
    return {"narrators": product.narrators or (Person("full cast"),)}


def _ai_voice(product: Product) -> Facts:
    return {"narrators": (Person(ai_voice(product.marketplace)),)}


def _placeholder(product: Product) -> Facts:
    return {
        "publisher": "ZZZ - Series Advisor Placeholder",
        "sku": f"PL_HLDR_{product.sku[-6:]}",
        "release_date": NO_DATE,
    }


def _content(content_type: str, format_type: str = "original_recording") -> Callable[..., Facts]:
    shown = {"content_type": content_type, "format_type": format_type}
    return lambda _product: shown


KINDS: dict[str, Callable[[Product], Facts]] = {
    "podcast": _podcast("PodcastParent"),
    "podcast_season": _podcast("PodcastSeason"),
    "podcast_episode": _podcast("PodcastEpisode"),
    "omnibus": _omnibus,
    "part": _part,
    "multipart": lambda _product: {"delivery_type": "MultiPartBook"},  # long, not a part
    "dramatised": _dramatised,
    "full_cast": _full_cast,
    "abridged": lambda _product: {"format_type": "abridged"},
    "ai_voice": _ai_voice,
    "lecture": _content("Lecture"),
    "performance": _content("Performance"),
    "show": _content("Show"),
    "placeholder": _placeholder,
}
