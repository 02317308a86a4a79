from django.apps import AppConfig
from django.core.checks import register

from scraping import checks


class ScrapingConfig(AppConfig):
    name = "scraping"

    def ready(self) -> None:
        register(checks.check_pace)
