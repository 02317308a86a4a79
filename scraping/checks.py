"""What must be right before a store is asked anything: Django's system checks of this app."""

from typing import Any

from django.core.checks import CheckMessage, Error

from scraping import pace


def check_pace(**_: Any) -> list[CheckMessage]:
    """A pace that can't be read would be noticed at the first visit only."""
    return [
        Error(
            problem,
            hint="docs/reference/settings.md, section Stores, has examples.",
            id="scraping.E001",
        )
        for problem in pace.problems()
    ]
