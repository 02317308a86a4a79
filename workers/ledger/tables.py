"""When things happen and what came of it: schema `jobs`, owned by Alembic, not by Django."""

from typing import Final

import sqlalchemy as sa

metadata = sa.MetaData(schema="jobs")

FINAL: Final = ("done", "failed", "superseded", "expired")  # states of a slot
STATES: Final = ("due", "running", *FINAL)
OUTCOMES: Final = ("done", "failed", "lost")  # of a run; lost: its lease ran out

# One run of a job that is due: (job, slot) exists once, however many beats tick.
job_slot = sa.Table(
    "job_slot",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), unique=True, comment="for addresses"),
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("slot", sa.DateTime(timezone=True), primary_key=True, comment="when it was due"),
    sa.Column(
        "state", sa.Text, nullable=False, comment="due, running, done, failed, superseded, expired"
    ),
    sa.Column("claim_no", sa.Integer, nullable=False, comment="fencing token: all its runs"),
    sa.Column(
        *("tries", sa.Integer),
        nullable=False,
        server_default="0",
        comment="runs since it was opened, or replayed",
    ),
    sa.Column(
        *("opened_by", sa.Text),
        nullable=False,
        server_default="beat",
        comment="beat; worker: no beat was there; staff: a slot between all others",
    ),
    sa.Column("published_at", sa.DateTime(timezone=True), comment="last hint to the broker"),
    sa.Column("lease_expires_at", sa.DateTime(timezone=True), comment="set while running"),
    sa.Column("finished_at", sa.DateTime(timezone=True)),
    sa.Column("replayed_at", sa.DateTime(timezone=True), comment="staff wanted it run again"),
    sa.CheckConstraint(
        f"(state IN {FINAL}) = (finished_at IS NOT NULL)",
        name="slot_final",
    ),
    sa.CheckConstraint("(state = 'running') = (lease_expires_at IS NOT NULL)", name="slot_leased"),
)
# what is due and unfinished
sa.Index(
    "slot_unfinished",
    job_slot.c.job,
    job_slot.c.slot,
    postgresql_where=sa.text("finished_at IS NULL"),
)
# pruning; how long ago a beat ticked
sa.Index("slot_by_time", job_slot.c.slot)
# what waits for a person
sa.Index(
    "slot_failed", job_slot.c.job, job_slot.c.slot, postgresql_where=sa.text("state = 'failed'")
)

# By the month of the slot (workers/ledger/months.py): old ones are dropped, not deleted.
job_run = sa.Table(
    "job_run",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("job", sa.Text, nullable=False),
    sa.Column("slot", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("attempt", sa.Integer, nullable=False, comment="the slot's claim_no"),
    sa.Column("task_id", sa.Text, nullable=False),
    sa.Column("trace_id", sa.Text, comment="what led to it, in all logs; else the task's id"),
    sa.Column("queue", sa.Text),
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("queued_at", sa.DateTime(timezone=True), comment="the hint that began it"),
    sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("finished_at", sa.DateTime(timezone=True), comment="empty: runs, or its worker died"),
    sa.Column(
        *("duration", sa.Interval),
        sa.Computed("finished_at - started_at", persisted=True),
        comment="of a lost run: until that was seen",
    ),
    sa.Column("outcome", sa.Text, comment="done, failed or lost"),
    sa.Column("rows", sa.Integer, comment="what it touched"),
    sa.Column("error", sa.Text),
    sa.UniqueConstraint("job", "slot", "attempt", name="run_once"),
    sa.CheckConstraint("(outcome IS NULL) = (finished_at IS NULL)", name="run_ended"),
    postgresql_partition_by="RANGE (slot)",
)
# what went wrong lately
sa.Index(
    "run_wrong",
    job_run.c.job,
    job_run.c.slot,
    postgresql_where=sa.text("outcome IN ('failed', 'lost')"),
)

# What staff changed of the schedule; a job without a row is as its code and SCHEDULE have it.
job_setting = sa.Table(
    "job_setting",
    metadata,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("paused", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column(
        *("timing", sa.Text),
        nullable=False,
        server_default="",
        comment="in the words of workers/timing.py; empty: as deployed",
    ),
    sa.Column("since", sa.DateTime(timezone=True), comment="no slot before it: the last change"),
)
