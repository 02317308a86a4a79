"""What staff have put right about an audiobook: it stands, whatever a store says. Pure."""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from catalog.listing import Listing

# As an audiobook's row keeps them: by field, days as text, None where there is nothing to be said.
Corrections = Mapping[str, Any]
CORRECTABLE: Final = (
    *("title", "subtitle", "language", "release_date", "publisher", "runtime_minutes"),
    *("cover_url", "summary", "isbn"),
)


def corrected(listing: Listing, corrections: Corrections) -> Listing:
    """`listing` with what was put right in place of what it says."""
    if not corrections:
        return listing
    facts = {name: _fact(name, value) for name, value in corrections.items()}
    if "release_date" in facts:
        facts["undated"] = False  # whoever takes its date back is not believed either
    return dataclasses.replace(listing, **facts)


def _fact(name: str, value: Any) -> Any:
    return dt.date.fromisoformat(value) if name == "release_date" and value else value
