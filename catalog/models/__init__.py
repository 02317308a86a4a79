from catalog.models.audiobook import Audiobook, AudiobookCheck, Work
from catalog.models.event import ReleaseEvent
from catalog.models.gap import Gap
from catalog.models.imported import Import, ImportItem
from catalog.models.people import Contributor, Credit
from catalog.models.revision import StoreChange, StoreRevision
from catalog.models.series import Series, SeriesEntry, SeriesGroup
from catalog.models.watch import Mark, Watch, WatchKey, WatchQuery
from catalog.models.watch_list import WatchList, WatchListEntry

__all__ = [
    "Audiobook",
    "AudiobookCheck",
    "Contributor",
    "Credit",
    "Gap",
    "Import",
    "ImportItem",
    "Mark",
    "ReleaseEvent",
    "Series",
    "SeriesEntry",
    "SeriesGroup",
    "StoreChange",
    "StoreRevision",
    "Watch",
    "WatchKey",
    "WatchList",
    "WatchListEntry",
    "WatchQuery",
    "Work",
]
