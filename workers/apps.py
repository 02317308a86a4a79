from django.apps import AppConfig

from stalkerr.celery import app

__all__ = ["WorkersConfig", "app"]  # loaded with Django, so that hints find our broker


class WorkersConfig(AppConfig):
    name = "workers"
