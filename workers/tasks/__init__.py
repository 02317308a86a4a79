"""All tasks; Celery finds them here."""

from workers import witness
from workers.tasks import canaries, imports, leaving, notifications, scraping, upkeep

__all__ = ["canaries", "imports", "leaving", "notifications", "scraping", "upkeep", "witness"]
