from workers.models.backup import Backup
from workers.models.ledger import JobRun, JobSetting, JobSlot

__all__ = ["Backup", "JobRun", "JobSetting", "JobSlot"]
