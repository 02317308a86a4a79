"""The admin: every page opens, costs the same for many rows, shows no secret, saves by services."""

import datetime as dt
import uuid
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.keys import key_of, make_key
from accounts.models import ApiKey, FeedToken, Notice, RefreshToken, User
from accounts.refreshing import begin_family, rotate
from accounts.services import make_feed
from catalog.listing import SeriesPlace
from catalog.models import Audiobook, Import, ImportItem, ReleaseEvent, Watch
from notifications.models import Attempt, Channel, Delivery, Destination, Message, Route, Told
from notifications.timing import Wish
from notifications.wishes import set_wish
from scraping.models import Target, Visit
from tests.factories import (
    event_of,
    make_audiobook,
    make_channel,
    make_delivery,
    make_target,
    make_watch,
)
from tests.people import PASSWORD
from tests.sinks import HttpSink, Reply
from workers.models import Backup

CANARY = "Canary-token"
HOSTILE = "<script>alert('A title')</script>"
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def office(staff: User, client: Client) -> Client:
    """A browser in which staff are signed in."""
    client.force_login(staff)
    return client


def page(model: Any, name: str, *ids: int) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=ids)


def make_rows(user: User, now: dt.datetime, number: int) -> None:
    """A row in every table that the admin shows."""
    book = make_audiobook(
        now=now, title=HOSTILE, series=[SeriesPlace("B0SERIES01", "The Series", str(number))]
    )
    event = event_of(book)
    watch = make_watch(user, f"Author {number}", now=now)
    hook = f"https://discord.com/api/webhooks/{number}/{CANARY}"
    channel = make_channel(user, kind="discord", config={"url": hook}, address=str(number))
    Route.objects.create(user=user, watch=watch, channel=channel)
    message = Message.objects.create(
        wire_id=uuid.uuid4(),
        channel=channel,
        channel_kind="discord",
        destination=channel.destination,
        lease_expires_at=now,
        created_at=now,
    )
    Attempt.objects.create(
        message=message,
        message_at=now,
        claim_no=1,
        verdict="ambiguous",
        started_at=now,
        duration_ms=1,
    )
    make_delivery(channel, event, now=now, state="composed", message=message)
    Told.objects.create(work=book.work, channel=channel, kind="announced", event=event, told_at=now)
    notice = Notice.objects.create(
        user=user, dedupe_key=str(number), subject=HOSTILE, text="-", created_at=now
    )
    Delivery.objects.create(
        notice=notice,
        source_at=now,
        user=user,
        channel=channel,
        channel_kind="discord",
        destination=channel.destination,
        due_at=now,
        created_at=now,
    )
    make_key(user=user, name=HOSTILE, scope="read", expires_at=None, now=now)
    begin_family(user=user, scope="read", now=now)
    make_feed(user_id=user.pk, watch_id=watch.pk, now=now, name=HOSTILE)
    imported = Import.objects.create(user=user, kind="opml", created_at=now)
    ImportItem.objects.create(imported=imported, kind="watch", title=HOSTILE, audiobook=book)
    LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(book),
        object_repr=HOSTILE,
        action_flag=CHANGE,
        change_message=HOSTILE,
    )
    Backup.objects.create(name=str(number), taken_at=now, detail=HOSTILE)
    Visit.objects.create(
        target=make_target(f"author {number}", now=now),
        started_at=now,
        finished_at=now,
        outcome="found",
    )


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_page_opens_and_shows_no_secret_and_no_markup(
    model: Any, office: Client, alice: User, now: dt.datetime
) -> None:
    make_rows(alice, now, 1)
    row = model._default_manager.first()
    paths = [page(model, "changelist"), page(model, "changelist") + "?q=a", page(model, "add")]
    if row is not None:
        paths.append(page(model, "change", row.pk))
    kept = [each.digest for each in (*ApiKey.objects.all(), *RefreshToken.objects.all())]
    kept += [each.digest for each in FeedToken.objects.all()]
    for path in paths:
        answer = office.get(path)
        is_add = path == page(model, "add")
        assert answer.status_code == 200 or (is_add and answer.status_code == 403), path
        text = answer.content.decode()
        assert CANARY not in text
        assert not [digest for digest in kept if digest in text]
        assert HOSTILE not in text


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_list_costs_the_same_for_one_row_and_for_many(
    model: Any,
    office: Client,
    alice: User,
    now: dt.datetime,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    make_rows(alice, now, 1)
    with django_assert_max_num_queries(30) as one:
        office.get(page(model, "changelist"))
    for number in range(2, 8):
        make_rows(alice, now, number)
    with django_assert_max_num_queries(len(one.captured_queries)):
        office.get(page(model, "changelist"))


def test_the_pages_load_nothing_from_elsewhere(office: Client) -> None:
    for path in (reverse("admin:index"), page(Watch, "add")):
        text = office.get(path).content.decode()
        assert 'src="http' not in text
        assert '<link href="http' not in text


def test_strangers_and_users_stay_outside(client: Client, alice: User) -> None:
    assert client.get(reverse("admin:index")).status_code == 302
    client.force_login(alice)
    assert client.get(reverse("admin:index")).status_code == 302
    assert client.get(page(Channel, "changelist")).status_code == 302


def test_staff_sign_in_with_their_address(client: Client, staff: User) -> None:
    login = {"username": staff.email, "password": PASSWORD}
    answer = client.post(reverse("admin:login") + "?next=/admin/", login)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


def watch_form(user: User, **changes: Any) -> dict[str, Any]:
    form = {
        "user": user.id,
        "kind": "author",
        "query": "Ada Example",
        "marketplaces": "us,de",
        "event_kinds": "announced",
    }
    return form | changes


def test_a_watch_added_here_matches_like_any_other(office: Client, alice: User) -> None:
    answer = office.post(page(Watch, "add"), watch_form(alice))
    assert answer.status_code == 302
    watch = Watch.objects.get()
    assert [key.key for key in watch.keys.all()] == ["author~ada example"]
    assert set(watch.queries.values_list("marketplace", flat=True)) == {"us", "de"}


def test_a_watch_changed_here_is_looked_at_again(
    office: Client, alice: User, bob: User, now: dt.datetime
) -> None:
    watch = make_watch(alice, now=now)
    form = watch_form(bob, query="Bea Sample") | {
        "queries-TOTAL_FORMS": 0,
        "queries-INITIAL_FORMS": 0,
    }
    assert office.post(page(Watch, "change", watch.id), form).status_code == 302
    watch.refresh_from_db()
    assert (watch.user, watch.edited_at is not None) == (alice, True)
    assert [key.key for key in watch.keys.all()] == ["author~bea sample"]


@pytest.mark.parametrize(
    "changes",
    [
        *({"query": "!!!"}, {"marketplaces": "xx"}, {"kind": "asin"}, {"hidden": "single"}),
        {"kind": "genre", "query": "Fantasy"},
        {"kind": "narrator", "aliases": "B012345678"},
    ],
)
def test_a_watch_that_can_not_be_meant_is_refused(
    office: Client, alice: User, changes: dict[str, str]
) -> None:
    assert office.post(page(Watch, "add"), watch_form(alice, **changes)).status_code == 200
    assert not Watch.objects.exists()


def test_a_saved_watch_has_languages_as_audiobooks_have_them(office: Client, alice: User) -> None:
    form = watch_form(alice, languages=" German ,FRENCH,german")
    assert office.post(page(Watch, "add"), form).status_code == 302
    assert Watch.objects.get().languages == ["german", "french"]


def act(office: Client, model: Any, action: str) -> int:
    ids = list(model.objects.values_list("id", flat=True))
    answer = office.post(page(model, "changelist"), {"action": action, "_selected_action": ids})
    return answer.status_code


def test_a_watch_is_ended_not_deleted(office: Client, alice: User, now: dt.datetime) -> None:
    watch = make_watch(alice, now=now)
    assert act(office, Watch, "delete_selected") in (200, 302)
    assert act(office, Watch, "end") == 302
    watch.refresh_from_db()
    assert watch.ended_at is not None
    assert office.post(page(Watch, "delete", watch.id), {"post": "yes"}).status_code == 403


def test_a_failed_message_is_sent_again(office: Client, alice: User, now: dt.datetime) -> None:
    make_rows(alice, now, 1)
    Message.objects.update(
        state="failed", finalized_at=now, lease_expires_at=None, next_attempt_at=None
    )
    assert act(office, Message, "resend") == 302
    assert set(Message.objects.values_list("state", flat=True)) == {"due"}


@pytest.mark.parametrize(("action", "is_told"), [("tell", True), ("drop", False)])
def test_held_news_is_told_or_counts_as_told(
    action: str,
    is_told: bool,
    office: Client,
    now: dt.datetime,
) -> None:
    held, other = (event_of(make_audiobook(now=now)) for _ in range(2))
    ReleaseEvent.objects.filter(id=held.id).update(held_by=1, braked_at=now)
    shown = office.get(page(ReleaseEvent, "changelist"), {"held": "yes"})
    assert str(held.audiobook.title) in shown.content.decode()
    assert str(other.audiobook.title) not in shown.content.decode()
    assert act(office, ReleaseEvent, action) == 302
    held.refresh_from_db()
    assert (held.braked_at, held.held_by) == (None, None)
    assert (held.fanned_out_at is None) == is_told
    other.refresh_from_db()
    assert other.fanned_out_at is None


def test_a_channel_is_disabled_enabled_and_emptied(
    office: Client, alice: User, now: dt.datetime
) -> None:
    make_rows(alice, now, 1)
    Delivery.objects.filter(message=None).update(state="pending")
    assert act(office, Channel, "disable") == 302
    assert Channel.objects.get().disabled_reason == "Disabled by the operator."
    assert act(office, Channel, "replay") == 302
    assert Delivery.objects.filter(state="held").count() == 1
    assert act(office, Channel, "enable") == act(office, Channel, "replay") == 302
    assert Delivery.objects.filter(state="pending").count() == 1


def test_what_is_held_or_failed_is_replayed_one_by_one(
    office: Client, alice: User, now: dt.datetime
) -> None:
    make_rows(alice, now, 1)
    Delivery.objects.filter(message=None).update(state="held")
    Message.objects.update(state="failed", finalized_at=now, lease_expires_at=None)
    Channel.objects.update(unconfirmed_since=now)
    assert act(office, Delivery, "replay") == act(office, Message, "resend") == 302
    assert Message.objects.get().state == "failed"  # nobody who hears
    Channel.objects.update(unconfirmed_since=None)
    assert act(office, Delivery, "replay") == 302
    assert Message.objects.get().state == "due"
    assert set(Delivery.objects.values_list("state", flat=True)) == {"pending", "composed"}


def test_channels_are_tested_and_their_answers_shown_without_secrets(
    office: Client, alice: User, now: dt.datetime
) -> None:
    secret = "whsec_" + "Q0FOQVJZ" * 4
    with HttpSink() as sink:
        for status in (200, 500):
            sink.replies.append(Reply(status=status, body=f"<b>{secret}</b>".encode()))
            make_channel(alice, config={"url": f"{sink.url}/hook", "secret": secret})
        make_channel(alice, config={"url": "http://10.0.0.1/", "secret": secret})
        ids = list(Channel.objects.values_list("id", flat=True))
        form = {"action": "test", "_selected_action": ids}
        text = office.post(page(Channel, "changelist"), form, follow=True).content.decode()
        assert len(sink.requests) == 2
    assert (text.count("accepted after") - text.count("not accepted after")) == 1
    assert text.count("not accepted after") == 2
    assert "500: &lt;b&gt;***" in text
    assert secret not in text


def test_who_may_not_change_channels_can_not_test_them(
    alice: User, client: Client, now: dt.datetime
) -> None:
    alice.is_staff = True
    alice.save()
    alice.user_permissions.add(Permission.objects.get(codename="view_channel"))
    make_rows(alice, now, 1)
    client.force_login(alice)
    assert "Send a test" not in client.get(page(Channel, "changelist")).content.decode()


def test_a_users_channels_follow_the_zone_that_staff_choose(
    office: Client, alice: User, now: dt.datetime
) -> None:
    """Proves the guard in save_model: else digests would come by the old clock until the next look."""
    channel = make_channel(alice)
    set_wish(channel=channel, wish=Wish(alice.time_zone, "daily", 8), now=now)
    form = {"email": alice.email, "time_zone": "Asia/Tokyo", "is_active": "on"}
    assert office.post(page(User, "change", alice.pk), form).status_code == 302
    channel.refresh_from_db()
    assert channel.timing is not None
    assert (channel.timing.zone, channel.timing.hour) == ("Asia/Tokyo", 8)


@pytest.mark.parametrize(
    "model",
    [
        *(Audiobook, Channel, Delivery, Destination, Message, Told, Target),
        *(ApiKey, FeedToken, RefreshToken, Import, ImportItem, LogEntry),
    ],
)
def test_what_the_product_writes_can_not_be_edited(
    model: Any, office: Client, alice: User, now: dt.datetime
) -> None:
    make_rows(alice, now, 1)
    before = list(model.objects.order_by("pk").values())
    row = model.objects.first()
    assert office.post(page(model, "change", row.pk), {"state": "x"}).status_code == 403
    assert office.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert list(model.objects.order_by("pk").values()) == before


def test_a_channel_whose_key_is_lost_says_so(office: Client, alice: User, settings: Any) -> None:
    channel = make_channel(alice)
    settings.CHANNEL_KEYS = ["b3RoZXIta2V5LW90aGVyLWtleS1vdGhlci1rZXktMDA="]
    answer = office.get(page(Channel, "change", channel.id))
    assert answer.status_code == 200
    assert "put that key back" in answer.content.decode()


def test_a_person_says_which_audiobooks_are_one_book(office: Client, now: dt.datetime) -> None:
    for title in ("Glass Tide", "Glasflut"):
        make_audiobook(now=now, title=title)
    assert act(office, Audiobook, "same_book") == 302
    assert Audiobook.objects.filter(work_pinned=True).count() == 2
    assert Audiobook.objects.values("work").distinct().count() == 1
    assert act(office, Audiobook, "another_book") == 302
    assert Audiobook.objects.values("work").distinct().count() == 2


def test_who_may_not_change_audiobooks_is_offered_no_such_word(
    alice: User, client: Client, now: dt.datetime
) -> None:
    alice.is_staff = True
    alice.save()
    alice.user_permissions.add(Permission.objects.get(codename="view_audiobook"))
    make_audiobook(now=now)
    client.force_login(alice)
    shown = client.get(page(Audiobook, "changelist"))
    assert shown.status_code == 200
    assert "Same book" not in shown.content.decode()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_forged_list_changes_nothing(
    model: Any, office: Client, alice: User, now: dt.datetime
) -> None:
    """No list can be edited; one that is posted as if it could be writes and adds no row."""
    make_rows(alice, now, 1)
    assert not admin.site._registry[model].list_editable
    before = list(model._default_manager.order_by("pk").values())
    row = model._default_manager.first()
    fields = {field.name: "1" for field in model._meta.fields if not field.primary_key}
    forged = {"form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "1", "_save": "Save"}
    forged["form-0-id"] = str(row.pk if row else 1)
    for number in (0, 1):
        forged |= {f"form-{number}-{name}": value for name, value in fields.items()}
    answer = office.post(page(model, "changelist"), forged)
    assert answer.status_code in (200, 302, 403)
    assert list(model._default_manager.order_by("pk").values()) == before


def test_what_opens_doors_is_revoked_and_that_is_written_down(
    office: Client, staff: User, alice: User, now: dt.datetime
) -> None:
    _, key = make_key(user=alice, name="program", scope="read", expires_at=None, now=now)
    _, secret = make_feed(user_id=alice.pk, watch_id=None, now=now)
    first = begin_family(user=alice, scope="read", now=now)
    newer = rotate(token=first.token, now=now)
    assert newer
    other = begin_family(user=alice, scope="read", now=now)
    ended = RefreshToken.objects.filter(family=first.family).order_by("id").first()
    assert ended
    for model, ids in ((ApiKey, []), (FeedToken, []), (RefreshToken, [ended.pk])):
        ids = ids or list(model.objects.values_list("pk", flat=True))
        form = {"action": "revoke", "_selected_action": ids}
        assert office.post(page(model, "changelist"), form).status_code == 302
    assert key_of(key=key, now=now) is None
    assert not FeedToken.objects.opened_by(secret).exists()
    assert rotate(token=newer.token, now=now) is None
    assert rotate(token=other.token, now=now) is not None
    done = LogEntry.objects.filter(user=staff).values_list("content_type__model", flat=True)
    assert sorted(done) == ["apikey", "feedtoken", "refreshtoken"]


@pytest.mark.parametrize("model", [ApiKey, FeedToken, RefreshToken])
def test_who_may_only_look_revokes_nothing(
    model: Any, alice: User, client: Client, now: dt.datetime
) -> None:
    """Proves the guard has_act_permission."""
    alice.is_staff = True
    alice.save()
    code = f"view_{model._meta.model_name}"
    alice.user_permissions.add(Permission.objects.get(codename=code))
    make_rows(alice, now, 1)
    client.force_login(alice)
    assert client.get(page(model, "changelist")).status_code == 200
    before = list(model.objects.values())
    ids = list(model.objects.values_list("pk", flat=True))
    client.post(page(model, "changelist"), {"action": "revoke", "_selected_action": ids})
    assert list(model.objects.values()) == before
