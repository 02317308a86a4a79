"""`manage.py up`: the product on one machine, until Ctrl-C."""

import os
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from workers import launch


class Command(BaseCommand):
    help = "Runs web, workers, beat and Flower on this machine until Ctrl-C; data is kept in var/."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with launch.naming_a_full_disk():
                self._run()
        except launch.LaunchError as error:
            raise CommandError(str(error)) from error

    def _run(self) -> None:
        url = launch.web_url()
        host, _, port = url.removeprefix("http://").rpartition(":")
        launch.check_port(host, port, "The web server", "PORT")
        flower_host, _, flower_port = settings.FLOWER_ADDRESS.rpartition(":")
        launch.check_port(flower_host, flower_port, "Flower", "FLOWER_ADDRESS")
        password = launch.prepare()
        with launch.supervisor(PUBLIC_URL=os.environ.get("PUBLIC_URL", url)):
            self._say_where(url, password)
            # A Ctrl-C is an exception here; the supervisor then stops everything.
            signal.pause()

    def _say_where(self, url: str, password: str) -> None:
        if not launch.wait_for(lambda: launch.is_healthy(url), seconds=120):
            self.stderr.write(f"Not everything is well yet: {url}/health says what is missing.")
        self.stdout.write(
            f"\nStalkerr is up.\n"
            f"  upcoming   {url}/api/upcoming\n"
            f"  feed       {url}/feeds/upcoming.rss\n"
            f"  API        {url}/api/docs\n"
            f"  admin      {url}/admin/  ({launch.ADMIN_EMAIL}, {password})\n"
            f"  Flower     http://{settings.FLOWER_ADDRESS}/  "
            f"({settings.FLOWER_USER}, {settings.FLOWER_PASSWORD})\n"
            f"  health     {url}/health\n"
        )
