"""PostgreSQL from the wheel: its data folder, its command line, its readiness."""

import shutil
import signal
import sys
from pathlib import Path

import psycopg

from stalkerr.embedded.account import Account
from stalkerr.embedded.errors import EmbeddedError
from stalkerr.embedded.server import Server, last_words

MAJOR = "18"
NAME = "stalkerr"  # of the superuser and of the database
LOCALE = "C.UTF-8" if sys.platform == "linux" else "C"  # what libc knows; ours is built in
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may not exceed 107 bytes; ours might
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "log_checkpoints": "off",
}
UNSAFE_SETTINGS = {"fsync": "off", "full_page_writes": "off"}


class Postgres(Server):
    """The database server. `durable` False survives a killed server, not a machine's crash."""

    name = "PostgreSQL"
    # Fast, immediate, gone. SIGTERM would wait for clients to leave.
    stop_signals = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
    passing_troubles = ("shared memory", "lock file")

    def __init__(
        self,
        *,
        binaries: Path,
        data: Path,
        durable: bool,
        account: Account,
        log: Path,
        port: int | None,
        password: str,
    ) -> None:
        super().__init__(account=account, log=log, port=port, password=password)
        self.binaries = binaries
        self.data = data
        self.durable = durable

    def command(self) -> list[str]:
        settings = SETTINGS | ({} if self.durable else UNSAFE_SETTINGS) | {"port": str(self.port)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self.binaries / "postgres"), "-D", str(self.data), *options]

    def url(self, database: str = NAME) -> str:
        return f"postgres://{NAME}:{self.password}@127.0.0.1:{self.port}/{database}"

    def is_ready(self) -> bool:
        """Does it answer, and is our database there?"""
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=5, autocommit=True) as db:
                create_database(db)
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise EmbeddedError(
                    f"The password of the database under {self.data} is lost: restore keys.json "
                    "beside it, or move the folder away to start afresh."
                ) from error
            return False
        return True

    def prepare(self) -> None:
        """Make the data folder the first time; refuse one of another major version."""
        if not self.data.exists():
            self._create()
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != MAJOR:
            raise EmbeddedError(
                f"The data under {self.data} is PostgreSQL {found}'s, this is PostgreSQL {MAJOR}: "
                "restore a backup into a new folder, or go back to the release that wrote it."
            )

    def _create(self) -> None:
        # Beside its place, then renamed: an interrupted first start leaves nothing half made.
        draft = self.data.with_name(f"{self.data.name}.draft")
        password = self.data.with_name("password.draft")
        shutil.rmtree(draft, ignore_errors=True)
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(self.password)
        self.account.own(password)
        try:
            self._initdb(draft, password)
        finally:
            password.unlink()
        draft.rename(self.data)

    def _initdb(self, folder: Path, password: Path) -> None:
        command = [
            *(str(self.binaries / "initdb"), "-D", str(folder), "-U", NAME, "-E", "UTF8"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", f"--locale={LOCALE}"),
            *("--auth=scram-sha-256", f"--pwfile={password}", "--no-instructions"),
            *([] if self.durable else ["--no-sync"]),
        ]
        with self.log.open("ab") as log:
            done = self.account.run(command, output=log)
        if done.returncode:
            words = last_words(self.log.read_text(errors="replace"))
            raise EmbeddedError(f"PostgreSQL could not make its folder {self.data}: {words}")


def create_database(db: psycopg.Connection[tuple[object, ...]]) -> None:
    """Our database, if it is not there yet."""
    if not db.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
        db.execute(f"CREATE DATABASE {NAME}")
