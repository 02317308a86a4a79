"""Two at once: an edit sees a deletion, and waits in no ring for a page that brings what it asks."""

import dataclasses
import datetime as dt
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import User
from catalog.listing import CreditLine
from catalog.models import Watch
from catalog.services import record_listings
from catalog.watching import end_watch
from notifications.services import lock_channels
from notifications.timing import Wish
from notifications.wishes import follow_zones, set_wish
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import make_channel, make_listing, make_watch
from tests.integration.api.conftest import ClientOf
from tests.people import make_user
from tests.sinks import wait_until


def is_somebody_waiting() -> bool:
    """For a row that we hold."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def mute(client: APIClient, watch: Watch) -> int:
    try:
        return int(client.patch(f"/api/watches/{watch.id}", {"muted": True}).status_code)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_an_edit_does_not_revive_a_watch_that_ends_meanwhile(client_of: ClientOf) -> None:
    now = dt.datetime.now(dt.UTC)
    watch = make_watch(make_user("alice"), now=now)
    client = client_of(watch.user)
    with ThreadPoolExecutor(1) as others:
        with transaction.atomic():
            end_watch(watch=watch, now=now)
            edit: Future[Any] = others.submit(mute, client, watch)
            wait_until(is_somebody_waiting)
        assert edit.result(timeout=20) == 404
    watch.refresh_from_db()
    assert watch.ended_at is not None


def save_in_admin(staff: User, watch: Watch) -> int:
    form = {"kind": "author", "query": "Somebody else", "marketplaces": "us"}
    names = ("INITIAL", "TOTAL")
    form |= {f"queries-{name}_FORMS": "0" for name in names}
    office = Client()
    office.force_login(staff)
    try:
        path = reverse("admin:catalog_watch_change", args=[watch.id])
        return int(office.post(path, form | {"event_kinds": "announced"}).status_code)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_nor_does_an_edit_in_the_admin() -> None:
    now = dt.datetime.now(dt.UTC)
    watch = make_watch(make_user("alice"), now=now)
    staff = make_user("staff", is_staff=True, is_superuser=True)
    with ThreadPoolExecutor(1) as others:
        with transaction.atomic():
            end_watch(watch=watch, now=now)
            edit: Future[Any] = others.submit(save_in_admin, staff, watch)
            wait_until(is_somebody_waiting)
        assert edit.result(timeout=20) == 403
    watch.refresh_from_db()
    assert watch.ended_at is not None


@pytest.mark.django_db(transaction=True)
def test_an_edit_and_a_page_that_brings_its_author_wait_in_no_ring(client_of: ClientOf) -> None:
    """Proves the guard lock that lets keys in: locked like for deletion, one of them would fail."""
    now = dt.datetime.now(dt.UTC)
    watch = make_watch(make_user("alice"), now=now)
    client = client_of(watch.user)
    listing = make_listing(title="Glass Tide")
    listing = dataclasses.replace(
        listing, credits=(CreditLine("Ada Example", "B00ADAONE1", "author"),)
    )
    page = Paused(lambda: record_listings(listings=[listing], fetched_at=now, now=now))
    with ThreadPoolExecutor(1) as others:
        edit: Future[Any] = others.submit(mute, client, watch)
        wait_until(is_somebody_waiting)
        page.finish()
        assert edit.result(timeout=20) == 200
    keys = set(watch.keys.values_list("key", flat=True))
    assert keys == {"author:B00ADAONE1", "author~ada example"}


@pytest.mark.django_db(transaction=True)
def test_a_wish_that_is_made_while_its_owners_zone_changes_is_kept(client_of: ClientOf) -> None:
    """Proves the guard lock in follow_zones: it would write back the wish that it had read."""
    now = dt.datetime.now(dt.UTC)
    user = make_user("alice", time_zone="UTC")
    channel = make_channel(user)
    set_wish(channel=channel, wish=Wish("UTC", "daily", 8), now=now)
    User.objects.filter(id=user.id).update(time_zone="Asia/Tokyo")
    with transaction.atomic():
        (mine,) = lock_channels([channel.id])
        set_wish(channel=mine, wish=Wish("UTC", "daily", 18), now=now)
        moving = start_and_see_it_wait(lambda: follow_zones(now=now))
    moving.join(20)
    channel.refresh_from_db()
    assert channel.timing is not None
    assert (channel.timing.zone, channel.timing.hour) == ("Asia/Tokyo", 18)
