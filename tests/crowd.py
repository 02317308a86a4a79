"""Thousands of people for drills and benchmarks, in a few statements.

One is made as the product makes them; the others are copies of that one's rows, whatever columns
they have. This is the one place where drills and benchmarks write the product's tables by hand.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import models

from accounts.models import User
from catalog.models import Watch, WatchKey, WatchQuery
from notifications.channels import registry
from notifications.models import Channel, Destination, Route
from notifications.registration import register_channel
from stalkerr import crypto, sql
from tests.factories import make_watch
from tests.people import make_user

AUTHOR = "Ada Example"
SECRET = "whsec_" + "A" * 32
Config = Mapping[str, Any]


def make_crowd(
    *,
    people: int,
    now: dt.datetime,
    config: Config | Callable[[int], Config],
    name: str = "crowd",
    author: str = AUTHOR,
    kind: str = "webhook",
) -> None:
    """So many people, each with a watch of one author and a channel called `name` and a number.

    `config`: the channels' settings, or from a channel's number (from 0 on) its own.
    """
    user = make_user(f"{name}0")
    first = config(0) if callable(config) else config
    registered = register_channel(user=user, kind=kind, name=f"{name}0", config=first, now=now)
    channel = registered.channel
    watch = make_watch(user, author, now=now)
    copy_user(user, name, people - 1)
    others = f"""(SELECT id, substring(email FROM '^{name}([0-9]+)@') AS number FROM accounts_user
                  WHERE email ~ '^{name}[0-9]+@' AND id <> {user.id})"""  # noqa: S608 (ours)
    copy(Channel, f"t.id = {channel.id}", others, user_id="n.id", name=f"'{name}' || n.number")
    if callable(config):
        _configure(name, kind, [config(number) for number in range(people)])
    copy(
        Route,
        f"t.channel_id = {channel.id}",
        f"(SELECT * FROM channels WHERE name ~ '^{name}[0-9]+$' AND id <> {channel.id})",  # noqa: S608 (ours)
        user_id="n.user_id",
        channel_id="n.id",
    )
    copy_watch(watch, others)
    sql.rows("ANALYZE")


def copy_user(user: User, name: str, times: int) -> None:
    """People with the addresses `name`1@example.org, `name`2 …"""
    numbers = f"generate_series(1, {times})"
    copy(User, f"t.id = {user.id}", numbers, email=f"'{name}' || n || '@example.org'")


def copy_watch(watch: Watch, users: str) -> None:
    """The same watch, with its keys and queries, for all `users`: SQL with their `id`."""
    copy(Watch, f"t.id = {watch.id}", users, user_id="n.id")
    copies = f"(SELECT w.* FROM watches w JOIN {users} u ON u.id = w.user_id)"  # noqa: S608 (ours)
    copy(WatchKey, f"t.watch_id = {watch.id}", copies, user_id="n.user_id", watch_id="n.id")
    copy(WatchQuery, f"t.watch_id = {watch.id}", copies, watch_id="n.id")


def copy(model: type[models.Model], template: str, source: str, **columns: str) -> None:
    """Insert a copy of the rows `t` that fulfil `template` for each row `n` of `source`.

    `columns` are the expressions in which the copies differ. All of it is SQL.
    """
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    names = [str(field.column) for field in fields if not getattr(field, "generated", False)]
    values = [columns.get(name, f't."{name}"') for name in names]
    quoted = ", ".join(f'"{name}"' for name in names)
    table = model._meta.db_table
    sql.rows(
        f"INSERT INTO {table} ({quoted}) SELECT {', '.join(values)} "  # noqa: S608 (ours)
        f"FROM {table} t CROSS JOIN {source} n WHERE {template}"
    )


def _configure(name: str, kind: str, configs: Sequence[Config]) -> None:
    """Give each channel its own settings, and its destination where that is another."""
    channel = registry.get(kind)
    addresses = [channel.destination(channel.parse_config(config)) for config in configs]
    template = f"t.id = (SELECT destination_id FROM channels WHERE name = '{name}0')"  # noqa: S608 (ours)
    known = Destination.objects.filter(kind=kind).values_list("address", flat=True)
    unknown = sorted(set(addresses) - set(known))
    if unknown:
        quoted = ", ".join(f"('{address}')" for address in unknown)
        copy(Destination, template, f"(VALUES {quoted}) AS", address="n.column1")
    sql.rows(
        """
        UPDATE channels c SET sealed_config = s.sealed, destination_id = d.id
        FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS s(sealed, address, place)
        JOIN destinations d ON d.address = s.address AND d.kind = %s
        WHERE c.name = %s || (s.place - 1)
        """,
        [[crypto.encrypt(dict(config)) for config in configs], addresses, kind, name],
    )
