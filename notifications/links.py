"""Links that act for a channel without a sign-in: signed, so that nobody can make one up.

They are made when a message is sent and kept nowhere: what they open can't be read from a dump.
"""

import datetime as dt
from typing import Final

from django.conf import settings
from django.core import signing

CONFIRM: Final = "confirm"
UNSUBSCRIBE: Final = "unsubscribe"
CONFIRM_WITHIN: Final = dt.timedelta(days=7)


class BadLinkError(Exception):
    """The link is not ours, too old, or of a channel that has changed since."""


def confirmation_key(*, channel_id: int, since: dt.datetime) -> str:
    """The dedupe key of the notice that asks for a confirmation."""
    return f"{CONFIRM}:{channel_id}:{since.isoformat()}"


def is_confirmation(dedupe_key: str) -> bool:
    return dedupe_key.startswith(f"{CONFIRM}:")


def confirm_url(*, channel_id: int, since: dt.datetime) -> str:
    """Confirms the address that a channel has had unconfirmed `since` then, and no later one."""
    return _url(CONFIRM, {"channel": channel_id, "since": since.isoformat()})


def unsubscribe_url(*, channel_id: int) -> str:
    """Switches a channel off, by one POST."""
    return _url(UNSUBSCRIBE, {"channel": channel_id})


def channel_to_confirm(token: str) -> tuple[int, dt.datetime]:
    """Channel and moment of a confirmation link; raises BadLinkError."""
    given = _opened(CONFIRM, token, CONFIRM_WITHIN)
    return int(given["channel"]), dt.datetime.fromisoformat(str(given["since"]))


def channel_to_unsubscribe(token: str) -> int:
    """The channel of an unsubscribe link, which never grows old; raises BadLinkError."""
    return int(_opened(UNSUBSCRIBE, token, None)["channel"])


def _url(action: str, what: dict[str, int | str]) -> str:
    token = signing.dumps(what, salt=f"channel-{action}", compress=False)
    return f"{settings.PUBLIC_URL.rstrip('/')}/{action}/{token}"


def _opened(action: str, token: str, within: dt.timedelta | None) -> dict[str, int | str]:
    try:
        given: dict[str, int | str] = signing.loads(token, salt=f"channel-{action}", max_age=within)
    except signing.BadSignature as error:
        raise BadLinkError("This link is not valid (any more).") from error
    return given
