"""All tasks; Celery finds them here."""

from workers.tasks import notifications, scraping, upkeep

__all__ = ["notifications", "scraping", "upkeep"]
