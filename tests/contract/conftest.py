from collections.abc import Callable
from datetime import timedelta

import pytest
from pytest_django import Settings

from tests.contract.channels import Sink
from tests.sinks import SecureSink


@pytest.fixture
def point_to(settings: Settings) -> Callable[[Sink], None]:
    """Makes a sink the mail server too, or every service of Apprise; and waiting short.

    Where a process is started for each send, its start must not be what takes too long.
    """
    settings.OUTBOUND_TIMEOUT = timedelta(seconds=0.5)

    def point(sink: Sink) -> None:
        settings.SMTP_URL = sink.url
        if isinstance(sink, SecureSink):
            settings.OUTBOUND_TIMEOUT = timedelta(seconds=30)
            settings.APPRISE_DETOUR = ("127.0.0.1", sink.port, str(sink.certificate))

    return point
