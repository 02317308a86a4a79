"""What people have set up, out as JSON and in again: without secrets, and once is as good as twice."""

import datetime as dt
import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Preferences, User
from catalog.models import Watch
from notifications.models import Channel, Route
from notifications.timing import Wish
from notifications.wishes import set_wish
from tests.factories import make_channel, make_watch
from tests.people import make_user
from workers.backups import configuration, configuring
from workers.backups.database import RefusedError

pytestmark = pytest.mark.django_db

CANARY = "Canary-token"


@pytest.fixture
def everything(alice: User, now: dt.datetime) -> None:
    """Alice has set up all there is."""
    channel = make_channel(alice, name="hook", headline_template="{title}!")
    channel.config = {"url": "https://hooks.example.org/hook", "secret": CANARY}
    channel.save()
    zone = alice.time_zone
    wish = Wish(zone, quiet_from=dt.time(22), quiet_until=dt.time(7), digest="daily", hour=8)
    set_wish(channel=channel, wish=wish, now=now)
    Preferences.objects.create(
        user=alice, languages=["german"], quiet_from=dt.time(23), quiet_until=dt.time(6)
    )
    watch = make_watch(alice, now=now, snoozed_until=now, excluded_words=["box set"])
    Route.objects.create(user=alice, watch=watch, channel=channel)
    make_watch(alice, now=now, languages=["french"])
    make_watch(alice, "Sand", now=now, kind="keyword", muted=True)


def exported(now: dt.datetime) -> dict[str, Any]:
    target = io.StringIO()
    configuration.write(target, now=now)
    found: dict[str, Any] = json.loads(target.getvalue())
    return found


def set_up(said: dict[str, Any], now: dt.datetime) -> configuring.Made:
    return configuring.set_up(users=configuring.read(json.dumps(said).encode()), now=now)


def test_all_of_it_is_there_but_no_secret(everything: None, now: dt.datetime) -> None:
    """Proves that what is secret is left out: this file is for people to read and pass on."""
    said = exported(now)
    (alice,) = said["users"]
    assert CANARY not in json.dumps(said)
    assert "password" not in json.dumps(said)
    (channel,) = alice["channels"]
    assert (channel["name"], channel["timing"]["hour"], channel["headline_template"]) == (
        "hook",
        8,
        "{title}!",
    )
    watches = [(each["query"], each["channels"], each["muted"]) for each in alice["watches"]]
    assert watches == [("Ada Example", [1], False), ("Ada Example", [], False), ("Sand", [], True)]
    assert alice["preferences"]["languages"] == ["german"]
    assert {"job": "workers.prune", "every_s": 3600.0, "queue": "tick"} in said["schedule"]


def test_to_bring_it_in_again_changes_nothing(everything: None, now: dt.datetime) -> None:
    """Proves that an import is idempotent, also where two watches differ in one word only."""
    said = exported(now)
    for _ in range(2):
        made = set_up(said, now)
        assert made.is_nothing
        assert made.missing == []
    assert exported(now) == said


def test_what_was_changed_since_is_put_back(everything: None, now: dt.datetime) -> None:
    said = exported(now)
    Watch.objects.filter(query="Sand").delete()
    Watch.objects.filter(languages=["french"]).update(languages=["italian"])
    Channel.objects.update(headline_template="", timing=None)
    Preferences.objects.update(languages=[])
    made = set_up(said, now)
    assert (made.users, made.watches, made.channels, made.preferences) == (0, 2, 1, 1)
    assert exported(now)["users"][0]["channels"] == said["users"][0]["channels"]
    assert set_up(said, now).is_nothing


def test_elsewhere_users_are_made_without_password_or_rights(
    everything: None, alice: User, now: dt.datetime
) -> None:
    """Proves that a file gives nobody rights: it says nothing of them that is believed."""
    said = exported(now)
    said["users"][0] |= {"is_staff": True, "is_superuser": True}
    User.objects.all().delete()
    made = set_up(said, now)
    assert (made.users, made.watches, made.missing) == (1, 3, ["alice@example.org: webhook hook"])
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser, user.has_usable_password()) == (False, False, False)
    assert Watch.objects.get(query="Sand").muted
    assert set_up(said, now).is_nothing


@pytest.mark.parametrize(
    "change",
    [
        lambda user: user["watches"][1].update(kind="nonsense"),
        lambda user: user["watches"][1].pop("kind"),
        lambda user: user["watches"][1].update(marketplaces="us"),
        lambda user: user["watches"].append(None),
        lambda user: user.update(email="no address", channels=[]),
        lambda user: user.update(time_zone="Nowhere", email="new@example.org", channels=[]),
        lambda user: user.update(preferences={}),
    ],
    ids=["kind", "field", "type", "null", "address", "zone", "preferences"],
)
def test_what_can_not_be_meant_changes_nothing(
    everything: None, now: dt.datetime, change: Any
) -> None:
    """Proves the transaction: half an import would be nobody's configuration."""
    said = exported(now)
    Watch.objects.all().delete()
    change(said["users"][0])
    with pytest.raises(RefusedError, match=r"User 1 .* nothing was changed"):
        set_up(said, now)
    assert not Watch.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"PGDMP",
        b"[]",
        b"[" * 100_000,
        b'{"format": "x"}',
        b'{"format": "stalkerr-configuration"}',
    ],
)
def test_what_is_no_configuration_is_said_to_be_none(text: bytes) -> None:
    with pytest.raises(RefusedError, match="onfiguration"):
        configuring.read(text)


def test_the_command_writes_a_private_file_and_reads_it(
    everything: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "setup.json"
    call_command("configuration", "export", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    call_command("configuration", "import", str(file))
    assert "Made: 0 users. Made or changed: 0 preferences, 0 watches" in capsys.readouterr().out


def test_many_users_cost_no_more_questions_than_one(alice: User, now: dt.datetime) -> None:
    def questions() -> int:
        with CaptureQueriesContext(connection) as captured:
            exported(now)
        return len(captured)

    make_watch(alice, now=now)
    make_channel(alice)
    one = questions()
    for number in range(5):
        user = make_user(f"user{number}")
        make_watch(user, now=now)
        make_channel(user)
    assert questions() == one
