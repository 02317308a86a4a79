"""What must be right before anything starts: Django's system checks of our own."""

import itertools
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.http.request import validate_host
from py_vapid import Vapid02, VapidException

from stalkerr import crypto, sql
from stalkerr.env import env

_LEAST_PASSWORD = 12  # characters
_MAKE_ONE = "Make one: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
SPARE = 10  # connections for people, backups and migrations


def check_connections(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Pools of all processes of this machine must fit into the server's max_connections."""
    if not databases or settings.DATABASE_POOLER:  # whose pool is then what the server sees
        return []
    ((allowed,),) = sql.rows("SELECT current_setting('max_connections')::int")
    needed = connections_needed() + SPARE
    if needed <= allowed:
        return []
    return [
        Error(
            f"The processes of this machine may open {needed} connections, PostgreSQL allows "
            f"{allowed}.",
            hint="Lower WEB_WORKERS, WEB_POOL, EDGE_POOL_MAX, TELL_WORKERS or SCRAPE_WORKERS, or raise "
            "max_connections.",
            id="stalkerr.E001",
        )
    ]


def connections_needed() -> int:
    """At most, by the Procfile: the web's pools, and two pools of two for each worker process."""
    of_one = env.int("WEB_POOL", default=10) + settings.EDGE_POOL_MAX + 2
    web = env.int("WEB_WORKERS", default=1) * of_one
    children = env.int("TELL_WORKERS", default=2) + env.int("SCRAPE_WORKERS", default=2) + 1
    return int(web + 4 * children)


def check_secrets(**_: Any) -> list[CheckMessage]:
    """Secrets that could be guessed: a variable that is set to nothing counts as given."""
    lengths = {"JWT_KEY": 32, "METRICS_TOKEN": 16}
    given = {name: getattr(settings, name) for name in lengths}
    # An empty METRICS_TOKEN opens nothing.
    return [
        Error(f"{name} has fewer than {least} characters.", hint=_MAKE_ONE, id="stalkerr.E003")
        for name, least in lengths.items()
        if len(given[name]) < least and (given[name] or name != "METRICS_TOKEN")
    ]


def check_secrets_differ(**_: Any) -> list[CheckMessage]:
    """Who learns one secret must not have learnt another."""
    names = ("SECRET_KEY", "JWT_KEY", "METRICS_TOKEN", "FLOWER_PASSWORD", "FLOWER_CLIENT_SECRET")
    given = [(name, getattr(settings, name)) for name in names]
    given += [("CHANNEL_KEYS", key) for key in settings.CHANNEL_KEYS]
    return [
        Error(f"{one} is the same as {other}.", hint=_MAKE_ONE, id="stalkerr.E008")
        for (one, secret), (other, same) in itertools.combinations(given, 2)
        if secret and secret == same
    ]


def check_flower(**_: Any) -> list[CheckMessage]:
    """Flower shows what everybody's tasks are about."""
    if settings.FLOWER_AUTH or len(settings.FLOWER_PASSWORD) >= _LEAST_PASSWORD:
        return []
    return [
        Error(
            f"FLOWER_PASSWORD has fewer than {_LEAST_PASSWORD} characters, and FLOWER_AUTH names "
            "nobody.",
            hint=_MAKE_ONE,
            id="stalkerr.E009",
        )
    ]


def check_public_url(**_: Any) -> list[CheckMessage]:
    """Links in messages lead there, and sign-in goes over it."""
    if urlsplit(settings.PUBLIC_URL).scheme == "https":
        return []
    return [
        Error(
            f"PUBLIC_URL is {settings.PUBLIC_URL}: passwords and tokens would go over it in clear.",
            hint="Let a proxy speak TLS (docs/howto/put-a-proxy-before-it.md) and set PUBLIC_URL to "
            "https://…",
            id="stalkerr.E010",
        )
    ]


def check_hosts(**_: Any) -> list[CheckMessage]:
    """What a request says of its host is believed in links and redirects."""
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    wrong = [name for name in settings.ALLOWED_HOSTS if name in ("*", ".")]
    problem = ""
    if wrong:
        problem = "ALLOWED_HOSTS lets anybody choose the name of this host."
    elif not validate_host(host, settings.ALLOWED_HOSTS):
        problem = f"ALLOWED_HOSTS has not {host}, the host of PUBLIC_URL."
    hint = "List exactly the names under which it answers."
    return [Error(problem, hint=hint, id="stalkerr.E011")] if problem else []


def check_proxies(**_: Any) -> list[CheckMessage]:
    """A proxy that can't be read would be believed by nobody; all the world would be by everybody."""
    return [
        Error(
            f"TRUSTED_PROXIES: {text!r} is no network of proxies.",
            hint="Name each by its address or its network, such as 10.0.0.5 or 172.16.0.0/12.",
            id="stalkerr.E006",
        )
        for text in settings.TRUSTED_PROXIES
        if not _is_small_network(text)
    ]


def _is_small_network(text: str) -> bool:
    try:
        return ip_network(text).prefixlen > 0
    except ValueError:
        return False


def check_origins(**_: Any) -> list[CheckMessage]:
    """An origin is compared as it is written: one that no browser says would let nobody in."""
    return [
        Error(
            f"CORS_ORIGINS: {text!r} is no origin.",
            hint="Name each as browsers do: https://books.example, with a port where it is not the "
            "usual one, in small letters, without a slash at the end.",
            id="stalkerr.E007",
        )
        for text in settings.CORS_ALLOWED_ORIGINS
        if not _is_origin(text)
    ]


def _is_origin(text: str) -> bool:
    """Neither "*" nor "null", which is what any page says that has been put into a frame."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return False
    usual = {"https": 443, "http": 80}
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    said = f"{url.scheme}://{host}" + (f":{port}" if port else "")
    return url.scheme in usual and bool(host) and said == text and port != usual[url.scheme]


def check_vapid(**_: Any) -> list[CheckMessage]:
    """A key or a contact that can't be used would be noticed at the first message only."""
    if not settings.VAPID_KEY:
        return []
    try:
        signer = Vapid02.from_string(settings.VAPID_KEY)
        signer.sign({"aud": "https://push.example", "sub": settings.VAPID_CONTACT})
    except (ValueError, TypeError):
        return [
            Error(
                "VAPID_KEY is no private key of the curve P-256 in base64url.",
                hint="Make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
                id="stalkerr.E004",
            )
        ]
    except VapidException:
        return [
            Error(
                "VAPID_CONTACT is no address to write to.",
                hint="Set it to mailto:you@example.org, or set EMAIL_FROM.",
                id="stalkerr.E005",
            )
        ]
    return []


def check_channel_keys(**_: Any) -> list[CheckMessage]:
    """Keys that can't be used would be noticed at the first message only."""
    try:
        crypto.encrypt({})
    except ValueError:
        return [
            Error(
                "CHANNEL_KEYS holds something that is no Fernet key.",
                hint="Make one: python -c 'from cryptography.fernet import Fernet; "
                "print(Fernet.generate_key().decode())'",
                id="stalkerr.E002",
            )
        ]
    return []
