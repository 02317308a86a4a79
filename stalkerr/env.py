"""Settings come from the environment; a secret may come from the file named by `<NAME>_FILE`."""

import datetime as dt
import os
from pathlib import Path

import environ

env = environ.FileAwareEnv()


def seconds(name: str, default: float) -> dt.timedelta:
    """A length of time given in seconds."""
    return dt.timedelta(seconds=env.float(name, default=default))


def kept_secret(folder: Path, name: str, fresh: bytes) -> str:
    """The secret kept in `folder/name`, written there (mode 0600) the first time."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / name
    try:
        # A link appears with its content or not at all, so two first runs agree on one secret.
        draft = folder / f".{name}.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_bytes(fresh)
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    return path.read_text().strip()
