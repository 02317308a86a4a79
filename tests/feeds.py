"""Feeds of titles that no store would sell: what every format must survive."""

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

from api.feeds.entries import Entry, Feed, entry_of
from tests.hostile import TEXTS

_PIECES: Final[tuple[str, ...]] = (
    *("<script>alert(1)</script>", "]]>", "<![CDATA[", "</title>", "&amp;", "&#0;", "<!--", "<?x"),
    *("\x00", "\x0b", "\x1b[31m", "\x7f", "\x85", "\ufffe", "\uffff", "\ud800", "\udfff\ud800"),
    *("\u202e", "\u2066", "\u200f", "\u061c", "\u2028", "\ufeff", "\r\n", "\n", "\r", "\t", " "),
    *("{{7*7}}", '"', "'", "\\", "\\n", ";", ",", ":", "é", "🎧", "漢字", "עברית", "a" * 75),
    *("END:VEVENT", "\r\nEND:VCALENDAR\r\n", "SUMMARY;X=1:", "=?utf-8?q?x?=", "%0d%0a", "http://"),
)


def hostile_texts(count: int, seed: int = 20270309) -> Iterator[str]:
    """The worst that we know of, then made-up ones; the same for a seed. A few have 100 kB."""
    yield from TEXTS[:count]
    draw = random.Random(seed)
    for _ in range(count - len(TEXTS)):
        if draw.random() < 0.001:
            yield draw.choice(_PIECES) * 100_000
            continue
        pieces = draw.choices(_PIECES, k=draw.randint(0, 6))
        pieces += [chr(draw.randrange(0x110000)) for _ in range(draw.randint(0, 4))]
        draw.shuffle(pieces)
        yield "".join(pieces)


def invented(text: str, number: int = 1) -> Entry:
    """An entry whose store says `text`, with no database.

    It is the title; in one of five, the first among them, all else says it as well.
    """
    rest = text if number % 5 == 1 else "plain"
    now = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    row: dict[str, Any] = {
        "marketplace": "us",
        "asin": f"B{number:09d}",
        "title": text,
        "summary": rest,
        "cover_url": f"https://covers.example.org/{rest}.jpg" if number % 2 else text,
        "language": rest,
        "release_date": dt.date(2027, 3, 1),
        "first_seen_at": now,
        "withdrawn_at": now if number % 7 == 0 else None,
        "people": [{"role": role, "name": rest} for role in ("author", "narrator")],
        "in_series": [{"title": rest, "sequence": rest}],
        "news": {"updated": (now + dt.timedelta(hours=1)).isoformat(), "moves": number % 3},
    }
    return entry_of(row)


def feed_of(texts: Sequence[str], **fields: Any) -> Feed:
    """A feed of entries that say these texts."""
    return Feed(
        id="urn:stalkerr:feed:hostile",
        title=fields.pop("title", "Hostile"),
        description="What stores may say.",
        entries=[invented(text, number) for number, text in enumerate(texts, 1)],
        **fields,
    )
