"""Slots and runs."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def moment(name: str, **options: Any) -> sa.Column[dt.datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), **options)


def upgrade() -> None:
    op.create_table(
        "job_slot",
        sa.Column("job", sa.Text, primary_key=True),
        moment("slot", nullable=False, primary_key=True, comment="when it was due"),
        sa.Column(
            "state", sa.Text, nullable=False, comment="due, running, done, failed, superseded"
        ),
        sa.Column(
            "claim_no", sa.Integer, nullable=False, comment="fencing token; also the attempts"
        ),
        moment("published_at", comment="last hint to the broker"),
        moment("lease_expires_at", comment="set while running"),
        moment("finished_at"),
        sa.CheckConstraint(
            "(state IN ('done', 'failed', 'superseded')) = (finished_at IS NOT NULL)",
            name="slot_final",
        ),
        sa.CheckConstraint(
            "(state = 'running') = (lease_expires_at IS NOT NULL)", name="slot_leased"
        ),
        schema="jobs",
    )
    op.create_index(
        "slot_unfinished",
        "job_slot",
        ["job", "slot"],
        schema="jobs",
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_index("slot_by_time", "job_slot", ["slot"], schema="jobs")
    op.create_table(
        "job_run",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("job", sa.Text, nullable=False),
        moment("slot", nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, comment="the slot's claim_no"),
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        moment("started_at", nullable=False),
        moment("finished_at", comment="empty: runs, or its worker died"),
        sa.Column("outcome", sa.Text, comment="done or failed"),
        sa.Column("rows", sa.Integer, comment="what it touched"),
        sa.Column("error", sa.Text),
        sa.UniqueConstraint("job", "slot", "attempt", name="run_once"),
        schema="jobs",
    )
    op.create_index("run_by_time", "job_run", ["started_at"], schema="jobs")


def downgrade() -> None:
    op.drop_table("job_run", schema="jobs")
    op.drop_table("job_slot", schema="jobs")
