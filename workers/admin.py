"""What works behind the product, as staff see it."""

from workers.backups.admin import BackupAdmin

__all__ = ["BackupAdmin"]
