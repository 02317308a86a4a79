"""A user's last word on a work: what is promised of it is taken back, over all its editions."""

import datetime as dt

from django.db import transaction

from accounts.models import User
from catalog.births import lock_works
from catalog.models import Audiobook, Mark, Watch
from notifications.models import Delivery


def mark_work(*, user: User, audiobook: Audiobook, kind: str, now: dt.datetime) -> Mark:
    """Never tell this user of the work again; of two marks the later one counts.

    What a chunk of the fan-out is about to promise is not there to be cancelled yet: so the next
    sweep looks at the watches that may want it once more (`cancel_unwanted`). Like that sweep this
    locks watches before promises.
    """
    with transaction.atomic():
        lock_works(shared=True)
        work = Audiobook.objects.values_list("work_id", flat=True).get(id=audiobook.id)
        mark, _ = Mark.objects.update_or_create(
            user=user, work_id=work, defaults={"kind": kind, "created_at": now}
        )
        _look_again(user, work, now)
        promised = Delivery.objects.select_for_update(of=("self",)).filter(
            user=user, event__audiobook__work_id=work, state__in=Delivery.REVOCABLE
        )
        ids = [delivery.id for delivery in promised.order_by("id")]
        Delivery.objects.filter(id__in=ids).update(state=Delivery.State.CANCELLED)
    return mark


def _look_again(user: User, work: int, now: dt.datetime) -> None:
    """At the user's watches that share a match key with an edition."""
    editions = Audiobook.objects.filter(work_id=work).values_list("match_keys", flat=True)
    keys = {key for edition in editions for key in edition}
    ids = Watch.objects.of(user.id).filter(keys__key__in=keys).values_list("id", flat=True)
    locked = Watch.objects.select_for_update(no_key=True).filter(id__in=list(ids)).order_by("id")
    Watch.objects.filter(id__in=[watch.id for watch in locked]).update(edited_at=now)
