"""Runs by the month, with where they waited and for how long; replays; what staff change."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Everything of a run but its number, which is given anew: nothing points at it.
KEPT = "job, slot, attempt, task_id, worker, started_at, finished_at, outcome, rows, error"
UP = f"""
ALTER TABLE jobs.job_slot
    ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    ADD COLUMN tries integer NOT NULL DEFAULT 0,
    ADD COLUMN opened_by text NOT NULL DEFAULT 'beat',
    ADD COLUMN replayed_at timestamptz,
    DROP CONSTRAINT slot_final,
    ADD CONSTRAINT slot_final CHECK (
        (state IN ('done', 'failed', 'superseded', 'expired')) = (finished_at IS NOT NULL));
UPDATE jobs.job_slot SET tries = claim_no WHERE claim_no > 0;
CREATE INDEX slot_failed ON jobs.job_slot (job, slot) WHERE state = 'failed';

ALTER TABLE jobs.job_run RENAME TO job_run_whole;
ALTER TABLE jobs.job_run_whole RENAME CONSTRAINT job_run_pkey TO job_run_whole_pkey;
ALTER TABLE jobs.job_run_whole RENAME CONSTRAINT run_once TO run_whole_once;
DROP INDEX jobs.run_by_time;
CREATE TABLE jobs.job_run (
    id bigint GENERATED ALWAYS AS IDENTITY,
    job text NOT NULL,
    slot timestamptz NOT NULL,
    attempt integer NOT NULL,
    task_id text NOT NULL,
    trace_id text,
    queue text,
    worker text NOT NULL,
    queued_at timestamptz,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    duration interval GENERATED ALWAYS AS (finished_at - started_at) STORED,
    outcome text,
    rows integer,
    error text,
    PRIMARY KEY (id, slot),
    CONSTRAINT run_once UNIQUE (job, slot, attempt),
    CONSTRAINT run_ended CHECK ((outcome IS NULL) = (finished_at IS NULL))
) PARTITION BY RANGE (slot);
CREATE TABLE jobs.job_run_default PARTITION OF jobs.job_run DEFAULT;
CREATE INDEX run_wrong ON jobs.job_run (job, slot) WHERE outcome IN ('failed', 'lost');
INSERT INTO jobs.job_run ({KEPT}) SELECT {KEPT} FROM jobs.job_run_whole ORDER BY id;
DROP TABLE jobs.job_run_whole;

CREATE TABLE jobs.job_setting (
    job text PRIMARY KEY,
    paused boolean NOT NULL DEFAULT false,
    timing text NOT NULL DEFAULT '',
    since timestamptz
);
"""  # noqa: S608 (names of ours)
DOWN = f"""
DROP TABLE jobs.job_setting;
CREATE TABLE jobs.job_run_whole (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job text NOT NULL,
    slot timestamptz NOT NULL,
    attempt integer NOT NULL,
    task_id text NOT NULL,
    worker text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    outcome text,
    rows integer,
    error text,
    UNIQUE (job, slot, attempt)
);
INSERT INTO jobs.job_run_whole ({KEPT}) SELECT {KEPT} FROM jobs.job_run ORDER BY id;
DROP TABLE jobs.job_run;
ALTER TABLE jobs.job_run_whole RENAME TO job_run;
ALTER TABLE jobs.job_run RENAME CONSTRAINT job_run_whole_pkey TO job_run_pkey;
ALTER TABLE jobs.job_run
    RENAME CONSTRAINT job_run_whole_job_slot_attempt_key TO run_once;
CREATE INDEX run_by_time ON jobs.job_run (started_at);

UPDATE jobs.job_slot SET state = 'superseded' WHERE state = 'expired';
ALTER TABLE jobs.job_slot
    DROP CONSTRAINT slot_final,
    ADD CONSTRAINT slot_final CHECK (
        (state IN ('done', 'failed', 'superseded')) = (finished_at IS NOT NULL));
DROP INDEX jobs.slot_failed;
ALTER TABLE jobs.job_slot
    DROP COLUMN id, DROP COLUMN tries, DROP COLUMN opened_by, DROP COLUMN replayed_at;
"""  # noqa: S608 (names of ours)


def upgrade() -> None:
    op.execute(sa.text(UP))


def downgrade() -> None:
    op.execute(sa.text(DOWN))
