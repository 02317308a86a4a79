from collections.abc import Callable
from datetime import timedelta

import pytest
from pytest_django import Settings

from tests.contract.channels import Sink


@pytest.fixture
def point_to(settings: Settings) -> Callable[[Sink], None]:
    """Makes a sink the mail server too, and waiting short."""
    settings.OUTBOUND_TIMEOUT = timedelta(seconds=0.5)

    def point(sink: Sink) -> None:
        settings.SMTP_URL = sink.url

    return point
