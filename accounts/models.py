"""Who you are, and what the system itself must tell you."""

from typing import Any, ClassVar
from zoneinfo import available_timezones

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
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
