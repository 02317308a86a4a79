"""All tasks; Celery finds them here."""

from workers.tasks import imports, leaving, notifications, scraping, upkeep

__all__ = ["imports", "leaving", "notifications", "scraping", "upkeep"]
