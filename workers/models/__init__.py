from workers.models.ledger import JobRun, JobSetting, JobSlot

__all__ = ["JobRun", "JobSetting", "JobSlot"]
