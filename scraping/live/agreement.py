"""Whether two sources say the same of the same titles. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from catalog.listing import Listing
from catalog.normalise import fold, name_key


def agreement(
    known: Mapping[str, Listing], shown: Iterable[Listing]
) -> tuple[int, tuple[str, ...]]:
    """How many of `shown` are known to the other source, and where the two differ."""
    pairs = [(known[each.asin], each) for each in shown if each.asin in known]
    return len(pairs), tuple(
        f"{ours.asin}: {text}" for ours, theirs in pairs for text in _differences(ours, theirs)
    )


def _differences(api: Listing, page: Listing) -> Iterator[str]:
    """What both say, and say differently. A page may say less, and rounds a runtime."""
    if api.title and page.title and fold(api.title) != fold(page.title):
        yield f'title "{api.title}" and "{page.title}"'
    if api.release_date and page.release_date and api.release_date != page.release_date:
        yield f"date {api.release_date} and {page.release_date}"
    minutes = (api.runtime_minutes, page.runtime_minutes)
    if None not in minutes and abs((minutes[0] or 0) - (minutes[1] or 0)) > 1:
        yield f"runtime {minutes[0]} and {minutes[1]}"
    if strangers := _names(page) - _names(api):
        yield f"people {', '.join(sorted(strangers))}"


def _names(listing: Listing) -> set[str]:
    return {name_key(credit.name) for credit in listing.credits}
