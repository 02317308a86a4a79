"""When things happen and what came of it: schema `jobs`, owned by Alembic, not by Django."""

import sqlalchemy as sa

metadata = sa.MetaData(schema="jobs")

# One run of a job that is due: (job, slot) exists once, however many beats tick.
job_slot = sa.Table(
    "job_slot",
    metadata,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("slot", sa.DateTime(timezone=True), primary_key=True, comment="when it was due"),
    sa.Column("state", sa.Text, nullable=False, comment="due, running, done, failed, superseded"),
    sa.Column("claim_no", sa.Integer, nullable=False, comment="fencing token; also the attempts"),
    sa.Column("published_at", sa.DateTime(timezone=True), comment="last hint to the broker"),
    sa.Column("lease_expires_at", sa.DateTime(timezone=True), comment="set while running"),
    sa.Column("finished_at", sa.DateTime(timezone=True)),
    sa.CheckConstraint(
        "(state IN ('done', 'failed', 'superseded')) = (finished_at IS NOT NULL)", name="slot_final"
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

job_run = sa.Table(
    "job_run",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("job", sa.Text, nullable=False),
    sa.Column("slot", sa.DateTime(timezone=True), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, comment="the slot's claim_no"),
    sa.Column("task_id", sa.Text, nullable=False),
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("finished_at", sa.DateTime(timezone=True), comment="empty: runs, or its worker died"),
    sa.Column("outcome", sa.Text, comment="done or failed"),
    sa.Column("rows", sa.Integer, comment="what it touched"),
    sa.Column("error", sa.Text),
    sa.UniqueConstraint("job", "slot", "attempt", name="run_once"),
)
# the latest run of all (health), pruning
sa.Index("run_by_time", job_run.c.started_at)
