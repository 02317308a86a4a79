"""Paths under /api/."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from api.rest.admin import books, job_acts, jobs, works
from api.rest.audiobooks import AudiobookListView, AudiobookView, HistoryView
from api.rest.bulk import BulkView, DeleteView, MuteView, UnmuteView
from api.rest.channel_kinds import KindsView, PreviewView
from api.rest.channels import ChannelViewSet
from api.rest.contributors import ContributorsView, ContributorView
from api.rest.deliveries import DeliveryListView, ReplayAllView, ReplayView
from api.rest.events import EventsView
from api.rest.explain import ExplainView
from api.rest.exports import ExportView
from api.rest.feeds import FeedViewSet
from api.rest.imports import ApplyView, ImportItemsView, ImportsView, ImportView
from api.rest.keys import ApiKeyViewSet
from api.rest.lists import CopyListView, SharedListView, WatchListViewSet
from api.rest.marks import MarkViewSet
from api.rest.me import MeView
from api.rest.postings import NewBookView
from api.rest.preferences import PreferencesView
from api.rest.previews import WatchPreviewView
from api.rest.series import SeriesListView, SeriesView
from api.rest.tokens import RefreshView, RevokeView, TokenView
from api.rest.upcoming import UpcomingView
from api.rest.visits import VisitView
from api.rest.watches import WatchViewSet
from api.rest.works import WorkView

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("watches", WatchViewSet, basename="watch")
router.register("channels", ChannelViewSet, basename="channel")
router.register("lists", WatchListViewSet, basename="list")
router.register("marks", MarkViewSet, basename="mark")
router.register("feeds", FeedViewSet, basename="feed")
router.register("keys", ApiKeyViewSet, basename="key")

urlpatterns = [
    path("", include(router.urls)),
    path("admin/books", books.BookListView.as_view(), name="admin-books"),
    path("admin/books/<int:pk>", books.BookView.as_view(), name="admin-book"),
    path("admin/books/<int:pk>/hide", books.HideBookView.as_view(), name="admin-book-hide"),
    path("admin/books/<int:pk>/unhide", books.UnhideBookView.as_view(), name="admin-book-unhide"),
    path("admin/books/<int:pk>/split", books.SplitBookView.as_view(), name="admin-book-split"),
    path("admin/jobs", jobs.RunsView.as_view(), name="admin-jobs"),
    path("admin/jobs/slots", jobs.SlotsView.as_view(), name="admin-job-slots"),
    path("admin/jobs/slots/<int:pk>/replay", job_acts.ReplaySlotView.as_view()),
    path("admin/jobs/schedule", job_acts.ScheduleView.as_view(), name="admin-schedule"),
    path("admin/jobs/schedule/<str:job>/run", job_acts.RunJobView.as_view()),
    path("admin/jobs/schedule/<str:job>/pause", job_acts.PauseJobView.as_view()),
    path("admin/jobs/schedule/<str:job>/resume", job_acts.ResumeJobView.as_view()),
    path("admin/jobs/<int:pk>", jobs.RunView.as_view(), name="admin-job"),
    path("admin/works/<int:pk>", works.StaffWorkView.as_view(), name="admin-work"),
    path("admin/works/<int:pk>/hide", works.HideWorkView.as_view(), name="admin-work-hide"),
    path("admin/works/<int:pk>/merge", works.MergeView.as_view(), name="admin-work-merge"),
    path("admin/works/<int:pk>/unhide", works.UnhideWorkView.as_view(), name="admin-work-unhide"),
    path("upcoming", UpcomingView.as_view(), name="upcoming"),
    path("audiobooks", AudiobookListView.as_view(), name="audiobooks"),
    path("audiobooks/<int:pk>", AudiobookView.as_view(), name="audiobook"),
    path("audiobooks/<int:pk>/history", HistoryView.as_view(), name="history"),
    path("works/<int:pk>", WorkView.as_view(), name="work"),
    path("series", SeriesListView.as_view(), name="series-list"),
    path("series/<int:pk>", SeriesView.as_view(), name="series"),
    path("contributors", ContributorsView.as_view(), name="contributors"),
    path("contributors/<int:pk>", ContributorView.as_view(), name="contributor"),
    path("channels/kinds", KindsView.as_view(), name="channel-kinds"),
    path("channels/preview", PreviewView.as_view(), name="channel-preview"),
    path("deliveries", DeliveryListView.as_view(), name="deliveries"),
    path("deliveries/replay", ReplayAllView.as_view(), name="replay-all"),
    path("deliveries/<int:pk>/replay", ReplayView.as_view(), name="replay"),
    path("events", EventsView.as_view(), name="events"),
    path("explain", ExplainView.as_view(), name="explain"),
    path("export", ExportView.as_view(), name="export"),
    path("imports", ImportsView.as_view(), name="imports"),
    path("imports/<int:pk>", ImportView.as_view(), name="import"),
    path("imports/<int:pk>/apply", ApplyView.as_view(), name="import-apply"),
    path("imports/<int:pk>/items", ImportItemsView.as_view(), name="import-items"),
    path("lists/shared/<str:token>", SharedListView.as_view(), name="shared-list"),
    path("lists/shared/<str:token>/copy", CopyListView.as_view(), name="shared-list-copy"),
    path("me", MeView.as_view(), name="me"),
    path("preferences", PreferencesView.as_view(), name="preferences"),
    path("token", TokenView.as_view(), name="token"),
    path("token/refresh", RefreshView.as_view(), name="token-refresh"),
    path("token/revoke", RevokeView.as_view(), name="token-revoke"),
    path("watches/bulk", BulkView.as_view(), name="watches-bulk"),
    path("watches/bulk/delete", DeleteView.as_view(), name="watches-delete"),
    path("watches/bulk/mute", MuteView.as_view(), name="watches-mute"),
    path("watches/bulk/unmute", UnmuteView.as_view(), name="watches-unmute"),
    path("watches/preview", WatchPreviewView.as_view(), name="watch-preview"),
    path("watches/<int:pk>/visit", VisitView.as_view(), name="watch-visit"),
    path("webhooks/new-book", NewBookView.as_view(), name="new-book"),
    path("", include("api.schema")),
]
