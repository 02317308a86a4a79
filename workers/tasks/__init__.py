"""All tasks; Celery finds them here."""

from workers import witness
from workers.tasks import backups, canaries, imports, leaving, notifications, scraping, upkeep

__all__ = [
    "backups",
    "canaries",
    "imports",
    "leaving",
    "notifications",
    "scraping",
    "upkeep",
    "witness",
]
