"""What a recorded answer or page of a store yields, asking nobody. Pure."""

import re
import zlib
from dataclasses import dataclass
from typing import Any

from catalog.classify import classify
from catalog.listing import Listing
from scraping.pages import Page, StoreError, UnreadableAnswerError
from scraping.sources.registry import SOURCES

# How stores, and what stands before them, word an answer with status 429 or 503.
_THROTTLE = re.compile(
    r"<title>\s*(?:Error\s+)?(?:429|503|504)\b|<title>[^<]*(?:Service (?:Temporarily )?Unavailable|Too Many Requests)"
    r"|Rate exceeded|ThrottlingException|Too many requests",
    re.IGNORECASE,
)
_NOTHING = Page()
_GZIP = b"\x1f\x8b"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_LARGEST = 50_000_000  # bytes that an archive may hold
_HEAD = 20_000  # bytes in which a page says what it is


@dataclass(frozen=True, slots=True)
class Reading:
    """`outcome`: found, absent, throttled or failed; `error` says why, where it failed.

    `broken`: what was read is no whole answer of a store at all. A refusal of the store is one,
    and so is its stub for a title it does not sell.
    """

    outcome: str
    page: Page = _NOTHING
    error: str = ""
    broken: bool = False


def read(body: bytes, marketplace: str, source: str | None = None) -> Reading:
    """Read by the named source, else by what the body looks like."""
    try:
        body = _plain(body)
        page = SOURCES[source or source_of(body)].parse(body, marketplace)
    except (StoreError, UnreadableAnswerError) as error:
        if _THROTTLE.search(body[:_HEAD].decode("utf-8", "replace")):
            return Reading("throttled")
        return _failed(error, body)
    return Reading("absent" if page.stubs and not page.listings else "found", page)


def _failed(error: Exception, body: bytes) -> Reading:
    if isinstance(error, StoreError):
        return Reading("failed", error=f"the store refused the question: {error}")
    is_binary = not body.startswith(_GZIP) and _CONTROLS.search(body[:_HEAD])
    return Reading("failed", error="not a text" if is_binary else str(error), broken=True)


def source_of(body: bytes) -> str:
    """The source for such a body: pages begin with a tag, answers of the API never do."""
    start = body[:1000].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return "audible_html" if start == b"<" else "audible_api"


def _plain(body: bytes) -> bytes:
    """A body as a store sends it, of one that was kept packed, or in another encoding."""
    if body.startswith(_GZIP):
        body = _unpacked(body)
    if body.startswith(_UTF_16):
        return body.decode("utf-16", "replace").encode("utf-8", "replace")
    return body


def _unpacked(body: bytes) -> bytes:
    """Of gzip; raises UnreadableAnswerError where it is broken or beyond measure."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacker.decompress(body, _LARGEST)
    except zlib.error as error:
        raise UnreadableAnswerError("a broken archive") from error
    if not unpacker.eof:
        raise UnreadableAnswerError("a broken archive, or one too large")
    return unpacked


def describe(listing: Listing) -> dict[str, Any]:
    """A listing as others may use it: names without roles, days in ISO form, its kind and voice."""
    found = classify(listing)
    return {
        "marketplace": listing.marketplace,
        "asin": listing.asin,
        "title": listing.title,
        "subtitle": listing.subtitle,
        "language": listing.language,
        "release_date": listing.release_date and listing.release_date.isoformat(),
        "runtime_minutes": listing.runtime_minutes,
        "publisher": listing.publisher,
        "authors": _names(listing, "author"),
        "narrators": _names(listing, "narrator"),
        "credits": [
            {"name": credit.name, "asin": credit.asin, "role": credit.role}
            for credit in listing.credits
        ],
        "series": [
            {"title": place.title, "asin": place.asin, "sequence": place.sequence}
            for place in listing.series
        ],
        "kind": found.kind,
        "voice": found.voice,
        "provenance": listing.provenance,
    }


def _names(listing: Listing, role: str) -> list[str]:
    return [credit.name for credit in listing.credits if credit.role == role]
