"""All tasks; Celery finds them here."""

from workers.tasks import imports, notifications, scraping, upkeep

__all__ = ["imports", "notifications", "scraping", "upkeep"]
