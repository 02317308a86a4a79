from django.apps import AppConfig
from django.core.checks import Tags, register

from stalkerr import checks
from workers.backups.checks import check_keys


class WorkersConfig(AppConfig):
    name = "workers"

    def ready(self) -> None:
        register(checks.check_connections, Tags.database)
        register(checks.check_channel_keys, Tags.security)
        register(checks.check_secrets, Tags.security)
        register(checks.check_vapid, Tags.security)
        register(checks.check_proxies, Tags.security)
        register(checks.check_origins, Tags.security)
        register(check_keys, Tags.security)
