"""All tasks; Celery finds them here."""

from workers.tasks import backups, imports, leaving, notifications, scraping, upkeep

__all__ = ["backups", "imports", "leaving", "notifications", "scraping", "upkeep"]
