from django.apps import AppConfig
from django.core.checks import Tags, register

from stalkerr import checks, server_checks, telemetry
from workers import starting
from workers.backups.checks import check_keys
from workers.checks import check_limits, check_migrations, check_schedule


class WorkersConfig(AppConfig):
    name = "workers"

    def ready(self) -> None:
        telemetry.require()
        for check in (
            checks.check_channel_keys,
            checks.check_secrets,
            checks.check_secrets_differ,
            checks.check_flower,
            checks.check_vapid,
            checks.check_proxies,
            checks.check_origins,
            check_keys,
        ):
            register(check, Tags.security)
        for check in (checks.check_public_url, checks.check_hosts):
            register(check, Tags.security, deploy=True)
        for check in (checks.check_connections, server_checks.check_eviction, check_migrations):
            register(check, Tags.database)  # these ask the servers
        for check in (server_checks.check_databases_of_redis, server_checks.check_pooler):
            register(check, Tags.compatibility)
        for check in (check_schedule, check_limits):
            register(check, Tags.compatibility)
        starting.install()
