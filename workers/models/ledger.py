"""The job ledger as Django sees it: Alembic makes these tables, workers/ledger writes them."""

from django.db import models

from workers.ledger.tables import OUTCOMES, STATES


def _choices(words: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(word, word) for word in words]


class JobSetting(models.Model):
    """A job, and what staff changed of its schedule."""

    job = models.TextField(primary_key=True)
    paused = models.BooleanField(default=False)
    timing = models.TextField(
        blank=True,
        default="",
        help_text="Seconds (1800) or an hour with its time zone (04:30 Europe/Berlin); then, if you"
        " like, what becomes of missed slots: once, skip or each. Empty: as deployed.",
    )
    since = models.DateTimeField(null=True, blank=True, help_text="The last change.")

    class Meta:
        managed = False
        db_table = '"jobs"."job_setting"'
        verbose_name = "job"

    def __str__(self) -> str:
        return self.job


class JobSlot(models.Model):
    """A job that was due at a moment."""

    job = models.TextField()
    slot = models.DateTimeField()
    state = models.TextField(choices=_choices(STATES))
    claim_no = models.IntegerField()
    tries = models.IntegerField()
    opened_by = models.TextField()
    published_at = models.DateTimeField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    replayed_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = '"jobs"."job_slot"'

    def __str__(self) -> str:
        return f"{self.job}, {self.slot:%d %b %Y %H:%M:%S}"


class JobRun(models.Model):
    """One run of a slot."""

    job = models.TextField()
    slot = models.DateTimeField()
    attempt = models.IntegerField()
    outcome = models.TextField(null=True, choices=_choices(OUTCOMES))  # noqa: DJ001 (none: it runs)
    queue = models.TextField(null=True)  # noqa: DJ001 (Alembic's table)
    worker = models.TextField()
    task_id = models.TextField()
    trace_id = models.TextField(null=True)  # noqa: DJ001 (Alembic's table)
    queued_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    duration = models.DurationField(null=True)
    rows = models.IntegerField(null=True)
    error = models.TextField(null=True)  # noqa: DJ001 (Alembic's table)

    class Meta:
        managed = False
        db_table = '"jobs"."job_run"'

    def __str__(self) -> str:
        return f"{self.job}, {self.slot:%d %b %Y %H:%M:%S}, run {self.attempt}"
