"""After a restore: what was promised or under way at the backup may have been sent since."""

import datetime as dt

from django.db import transaction

from notifications import retelling, services
from stalkerr import sql

AT_ONCE = 1000

_HOLD_DELIVERIES = "UPDATE deliveries SET state = 'held' WHERE state = 'pending'"
_HOLD_MESSAGES = """
UPDATE messages SET state = 'held', next_attempt_at = NULL, lease_expires_at = NULL
WHERE state IN ('due', 'sending')
"""


def hold_all_unsent(*, now: dt.datetime) -> int:
    """Hold whatever was not sent by the backup, for its owners and staff to replay; returns how much.

    What was about to be promised is promised first: made later, it could not be told from what is
    new. Nothing may be sending meanwhile.
    """
    with transaction.atomic():
        while services.fan_out_again(now=now, limit=AT_ONCE):
            pass
        while services.fan_out_notices(now=now):
            pass
        retelling.retell(now=now)
        return sql.count(_HOLD_DELIVERIES) + sql.count(_HOLD_MESSAGES)
