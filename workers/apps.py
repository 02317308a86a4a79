from django.apps import AppConfig
from django.core.checks import Tags, register

from stalkerr import checks
from workers import starting
from workers.checks import check_schedule


class WorkersConfig(AppConfig):
    name = "workers"

    def ready(self) -> None:
        register(checks.check_connections, Tags.database)
        register(checks.check_channel_keys, Tags.security)
        register(checks.check_secrets, Tags.security)
        register(checks.check_vapid, Tags.security)
        register(checks.check_proxies, Tags.security)
        register(checks.check_origins, Tags.security)
        register(check_schedule)
        starting.install()
