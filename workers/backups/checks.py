"""What must be right of backups before anything starts: found at night, it would be found too late."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from workers.backups import encryption
from workers.backups.database import RefusedError


def check_keys(**_: Any) -> list[CheckMessage]:
    """Keys that can't be read, and a private key where the public one should be."""
    try:
        encryption.check_recipients(settings.BACKUP_RECIPIENTS)
        encryption.check_identity(settings.BACKUP_IDENTITY)
    except RefusedError as error:
        hint = "Make a pair with age-keygen: the public key begins with age1."
        return [Error(str(error), hint=hint, id="workers.E003")]
    return []
