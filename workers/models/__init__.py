from workers.models.backup import Backup

__all__ = ["Backup"]
