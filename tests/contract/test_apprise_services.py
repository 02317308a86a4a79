"""The list of Apprise's services against the installed Apprise."""

import re
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from apprise.manager_plugins import NotificationManager

from notifications.apprise_services import OWN_KINDS, SERVICES


@pytest.fixture(scope="module")
def plugins() -> Any:
    """All that the installed Apprise has."""
    manager: Any = NotificationManager()  # type: ignore[no-untyped-call]
    with warnings.catch_warnings(action="ignore"):  # of modules that one of them still needs
        manager.load_modules()
    return manager


def addresses_in(plugin: Any) -> Iterator[str]:
    """Hosts of all addresses that a plugin has as attributes, but those for people."""
    for name in dir(plugin):
        value = getattr(plugin, name)
        values = value.values() if isinstance(value, dict) else [value]
        for text in values:
            is_address = re.match("https?://", str(text))
            if is_address and name not in ("service_url", "setup_url"):
                yield str(urlsplit(str(text)).hostname)


@pytest.mark.parametrize("scheme", SERVICES)
def test_a_service_fixes_its_host_itself(scheme: str, plugins: Any) -> None:
    """Proves the guard SERVICES: no part of an allowed URL says where a message goes."""
    plugin = plugins[scheme]
    assert plugin.enabled
    assert plugin.__module__ == f"apprise.plugins.{SERVICES[scheme].module}"
    assert "host" not in {**plugin.template_tokens, **plugin.template_args}
    assert not any("{host}" in str(template) for template in plugin.templates)
    assert not plugin.protocol, "TLS only"
    assert urlsplit(plugin.notify_url).scheme == "https"
    assert urlsplit(plugin.notify_url).hostname in SERVICES[scheme].hosts
    assert set(addresses_in(plugin)) == set(SERVICES[scheme].hosts)


def test_no_service_has_a_kind_of_its_own(plugins: Any) -> None:
    assert not OWN_KINDS.keys() & SERVICES.keys()
    assert set(OWN_KINDS) <= set(plugins.schemas())
