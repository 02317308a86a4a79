"""The emulated store's answers over its API, in the real one's shapes. Pure.

What the store does not know is left out; only a signed-in user's list says null.
"""

import datetime as dt
import json
from dataclasses import dataclass, field, replace
from typing import Any

from scraping.emulator import words
from scraping.emulator.catalogue import Product, Shelf
from scraping.emulator.questions import Question, Refusal, batch, groups, page
from scraping.emulator.records import record, render, stub

# What a signed-in user's list names besides, of titles that nothing more is known of.
_NULLS = (
    "accolades",
    "asin_trends",
    "asset_badges",
    "availability",
    "buying_options",
    "category_ladders",
    "copyright",
    "date_first_available",
    "episode_number",
    "isbn",
    "library_status",
    "listening_status",
    "narrators",
    "preorder_status",
    "product_images",
    "product_site_launch_date",
    "publisher_summary",
    "runtime_length_min",
    "series",
    "subtitle",
    "voice_description",
)
_LISTED_GROUPS = ("contributors", "product_attrs", "product_desc", "media", "price", "rating")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before it is written: records as (ASIN, JSON), and what else it says."""

    status: int = 200
    records: tuple[tuple[str, str], ...] | None = None
    is_single: bool = False
    rest: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """The body."""
        rest = json.dumps(self.rest, ensure_ascii=False)
        if self.records is None:
            return rest
        listed = ", ".join(text for _, text in self.records)
        content = f'"product": {listed}' if self.is_single else f'"products": [{listed}]'
        return f"{{{content}, {rest[1:]}" if self.rest else f"{{{content}}}"

    def in_mood(self, kind: str) -> "Reply":
        """The same as a store in this mood gives it; most moods change nothing."""
        change = _CHANGES.get(kind)
        if self.records is None or change is None:
            return self
        return replace(self, records=change(self))


def listing(shelf: Shelf, question: Question) -> Reply:
    """A page of products, or the batch named by `asins`."""
    try:
        asked = groups(question)
        if "asins" in question:
            return _reply(shelf, batch(question), asked)
        shown, number = page(shelf, question)
    except Refusal as refusal:
        return _refused(refusal)
    # The real one's totals are overstated too.
    rest = {"total_results": number + number // 5, "product_filters": []}
    return _reply(shelf, [product.asin for product in shown], asked, **rest)


def single(shelf: Shelf, asin: str, question: Question) -> Reply:
    """One product, or the stub that stands for "not here"."""
    try:
        return replace(_reply(shelf, [asin], groups(question)), is_single=True)
    except Refusal as refusal:
        return _refused(refusal)


def wishlist(shelf: Shelf, today: dt.date) -> Reply:
    """A signed-in user's list of what is to come: it says null of what it does not know."""
    wished = [each for each in shelf.on_sale() if each.release_date and each.release_date > today]
    listed = tuple((each.asin, json.dumps(_wish(shelf, each))) for each in wished[:50])
    rest = {"bin_fields": None, "response_groups": list(_LISTED_GROUPS)}
    return Reply(records=listed, rest={**rest, "total_results": len(wished)})


def categories() -> Reply:
    """The tree of genres."""
    return Reply(rest={"categories": _branches(None)})


def _branches(above: str | None) -> list[dict[str, Any]]:
    return [
        {"id": rung, "name": name, "children": _branches(rung)}
        for rung, (name, parent) in words.CATEGORIES.items()
        if parent == above
    ]


def _reply(shelf: Shelf, asins: list[str], asked: tuple[str, ...], **rest: Any) -> Reply:
    return Reply(
        records=tuple((asin, render(shelf, asin, asked)) for asin in asins),
        rest={**rest, "response_groups": ["always-returned", *asked]},
    )


def _refused(refusal: Refusal) -> Reply:
    return Reply(status=400, rest={"message": str(refusal)})


def _wish(shelf: Shelf, product: Product) -> dict[str, Any]:
    known = record(shelf, product.asin, _LISTED_GROUPS)
    if "narrators" in known:
        known["narrators"] = [{"asin": None, **each} for each in known["narrators"]]
    flags = {
        "is_buyable": True,
        "is_preorderable": True,
        "preorder_release_date": known["publication_datetime"],
        "product_state": "AVAILABLE_FOR_PREORDER",
    }
    return {**dict.fromkeys(_NULLS), **known, **flags}


def _stubs(reply: Reply) -> tuple[tuple[str, str], ...]:
    return tuple(_stubbed(asin) for asin, _ in reply.records or ())


def _partial(reply: Reply) -> tuple[tuple[str, str], ...]:
    """Every second one is left out, of several."""
    listed = reply.records or ()
    return listed if reply.is_single else listed[::2]


def _partial_stubs(reply: Reply) -> tuple[tuple[str, str], ...]:
    listed = reply.records or ()
    if reply.is_single:
        return listed
    return tuple(_stubbed(each[0]) if n % 2 else each for n, each in enumerate(listed))


def _stubbed(asin: str) -> tuple[str, str]:
    return asin, json.dumps(stub(asin))


_CHANGES = {"stubs": _stubs, "partial": _partial, "partial_stubs": _partial_stubs}
