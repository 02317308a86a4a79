"""Who you are, what opens your doors, and what the system itself must tell you."""

import datetime as dt
import hashlib
from typing import Any, ClassVar, Self
from zoneinfo import available_timezones

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now, Upper


def check_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(f"{name!r} is no time zone; use a name such as Europe/Berlin.")


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        if not email:
            raise ValueError("A user needs an e-mail address to sign in with.")
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    email = models.EmailField(unique=True)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[check_time_zone])
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    alarms = models.BooleanField(
        default=True, help_text="Staff with alarms on are the operators who hear of trouble."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    left_at = models.DateTimeField(
        null=True, editable=False, help_text="They have left: their rows are about to go."
    )

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Upper("email"),  # what iexact compares
                name="one_user_per_address",
                violation_error_message="There is a user with this e-mail address already.",
            )
        ]
        indexes = [
            models.Index(  # workers.leaving.remove_left
                fields=["id"], condition=~models.Q(left_at=None), name="user_left"
            )
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def password_mark(self) -> str:
        """Changes with the password, and tells nothing about it."""
        return self.get_session_auth_hash()[:16]


class Preferences(models.Model):
    """How a user wants what they make: each is what a new watch or channel begins with.

    Their values are checked by whoever takes them: the catalogue and the channels are above us.
    """

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="preferences")
    marketplaces = ArrayField(
        models.CharField(max_length=2), null=True, blank=True, help_text="Empty: the usual ones."
    )
    languages = ArrayField(models.TextField(), default=list, blank=True)
    hidden = ArrayField(models.TextField(), null=True, blank=True, help_text="Empty: the usual.")
    remind_days = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True)
    digest = models.CharField(max_length=6, blank=True, help_text="daily, weekly, or at once.")
    digest_hour = models.PositiveSmallIntegerField(default=0)
    digest_weekday = models.PositiveSmallIntegerField(default=0)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)

    class Meta:
        db_table = "preferences"
        verbose_name_plural = "preferences"

    def __str__(self) -> str:
        return f"of {self.user_id}"


class Scope(models.TextChoices):
    """What a token or key is for; each includes those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"  # what only staff may do

    def includes(self, other: str) -> bool:
        order = list(Scope)
        return order.index(Scope(other)) <= order.index(self)


class RefreshToken(models.Model):
    """What gets the next access token, once. All that came from one sign-in are a family."""

    user = models.ForeignKey(User, models.CASCADE, related_name="refresh_tokens")
    family = models.UUIDField(db_index=True)
    digest = models.CharField(max_length=64, unique=True, help_text="The token is stored nowhere.")
    scope = models.CharField(max_length=5, choices=Scope)
    password_mark = models.CharField(
        max_length=16, help_text="The user's at that time: with another password it opens nothing."
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    spent_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.family} of {self.created_at}"


class ApiKeys(models.QuerySet["ApiKey"]):
    def usable(self, now: dt.datetime) -> Self:
        """Not expired, of a user who may sign in."""
        unexpired = models.Q(expires_at=None) | models.Q(expires_at__gt=now)
        return self.filter(unexpired, user__is_active=True)


class ApiKey(models.Model):
    """What opens a user's doors to one program, until it expires or is deleted."""

    user = models.ForeignKey(User, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12, unique=True, help_text="How its owner recognises it.")
    digest = models.CharField(max_length=64, help_text="The key itself is stored nowhere.")
    scope = models.CharField(max_length=5, choices=Scope)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    last_used_at = models.DateTimeField(
        null=True, blank=True, help_text="To the minute; empty: not yet."
    )

    objects: ClassVar[ApiKeys] = ApiKeys.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"


class Notice(models.Model):
    """What the system itself has to say: the second outbox, beside ReleaseEvent."""

    user = models.ForeignKey(
        User, models.CASCADE, null=True, blank=True, help_text="Empty: for the operators."
    )
    dedupe_key = models.CharField(max_length=200, unique=True)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    created_at = models.DateTimeField()
    fanned_out_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(  # notifications.services.fan_out_notices
                fields=["id"], condition=models.Q(fanned_out_at=None), name="notice_unprocessed"
            )
        ]

    def __str__(self) -> str:
        return self.subject


class FeedTokenQuerySet(models.QuerySet["FeedToken"]):
    def opened_by(self, secret: str) -> Self:
        """The feed, if any, whose secret this is, and whose user may still come in."""
        return self.filter(digest=FeedToken.digest_of(secret), user__is_active=True)


class FeedToken(models.Model):
    """A secret address under which one private feed is read, by whoever knows it; nothing else."""

    user = models.ForeignKey(User, models.CASCADE, related_name="feed_tokens")
    # The database has a key of (watch, user): a migration of the catalogue says so.
    watch_id = models.BigIntegerField(
        null=True, blank=True, help_text="Empty: the feed has what any of the user's watches finds."
    )
    list_id = models.BigIntegerField(
        null=True, blank=True, help_text="Of a list: what any of its watches finds. A key as well."
    )
    name = models.CharField(max_length=80, blank=True, help_text="Its owner's word for it.")
    remind_days = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        blank=True,
        help_text="In a calendar: rings so many days before.",
    )
    # Of 256 random bits a plain hash is enough: there is nothing to guess.
    digest = models.CharField(max_length=64, unique=True, editable=False, db_collation="C")
    created_at = models.DateTimeField()
    rotated_at = models.DateTimeField(null=True, blank=True)

    objects = FeedTokenQuerySet.as_manager()

    class Meta:
        db_table = "feed_tokens"
        indexes = [
            models.Index(  # the other end of watches' key
                fields=["watch_id", "user"],
                condition=~models.Q(watch_id=None),
                name="feed_token_watch",
            ),
            models.Index(  # the other end of lists' key
                fields=["list_id", "user"],
                condition=~models.Q(list_id=None),
                name="feed_token_list",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(watch_id=None) | models.Q(list_id=None), name="feed_token_of_one"
            )
        ]

    def __str__(self) -> str:
        return self.name or f"feed {self.pk}"

    @staticmethod
    def digest_of(secret: str) -> str:
        """What is kept of a secret."""
        return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


class IdempotencyKey(models.Model):
    """A word by which a user's program says that a request is the same as before, and its answer."""

    user = models.ForeignKey(User, models.CASCADE, related_name="idempotency_keys")
    key = models.CharField(max_length=200, db_collation="C")
    fingerprint = models.CharField(max_length=64, help_text="Of what was asked, and by what right.")
    answer = models.TextField(
        blank=True, help_text="Encrypted: it may hold a secret. Empty: there is none yet."
    )
    created_at = models.DateTimeField()

    class Meta:
        db_table = "idempotency_keys"
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once")]
        indexes = [
            models.Index(fields=["created_at"], name="idempotency_key_old")
        ]  # forget_answers

    def __str__(self) -> str:
        return f"{self.key} of {self.user_id}"
