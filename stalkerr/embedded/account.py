"""Which user the servers run as: PostgreSQL refuses root, and so do we for all of them."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from stalkerr.embedded.errors import EmbeddedError

NAMES = ("stalkerr", "nobody")


@dataclass(frozen=True)
class Account:
    """The servers' user; `uid` None means: whoever we are."""

    uid: int | None = None
    gid: int | None = None
    name: str = ""

    def spawn_options(self) -> dict[str, Any]:
        """Arguments of subprocess: the user, a place it may stand in, an environment without ours."""
        options: dict[str, Any] = {
            "cwd": "/",
            # TZ also spares initdb its search for the machine's zone.
            "env": {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
        }
        if self.uid is not None:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options

    def own(self, path: Path) -> None:
        """Give the path to the servers' user."""
        if self.uid is not None:
            shutil.chown(path, self.uid, self.gid)

    def can_enter(self, folder: Path) -> bool:
        """Can the servers' user pass through all of this folder's parents?"""
        if self.uid is None:
            return True
        command = ["/bin/sh", "-c", 'test -x "$0"', str(folder)]
        return self.run(command).returncode == 0

    def run(
        self, command: list[str], *, output: IO[bytes] | int = subprocess.PIPE
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one of our own short commands as the servers' user, its messages to `output`."""
        return subprocess.run(  # noqa: S603 - the words are ours
            command, check=False, stdout=output, stderr=output, **self.spawn_options()
        )


def find_account(data: Path) -> Account:
    """The owner of the data where there is some, else a user with as few rights as can be found."""
    if os.geteuid() != 0:
        return Account()
    owner = data.stat().st_uid if data.exists() else 0
    if owner:
        entry = pwd.getpwuid(owner)
        return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)
    for name in NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)
    raise EmbeddedError("PostgreSQL refuses to run as root: create a user named stalkerr.")
