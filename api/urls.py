"""How others ask: the paths, each with its door."""

from django.urls import include, path

from api.feeds.upcoming import upcoming as rss_upcoming
from api.health import health
from api.metrics import metrics
from api.web.links import confirm, unsubscribe
from api.web.sign_in import sign_in
from api.web.start import start

urlpatterns = [
    path("", start, name="start"),
    path("admin/login/", sign_in),  # before the admin's own
    path("confirm/<str:token>", confirm, name="confirm"),
    path("unsubscribe/<str:token>", unsubscribe, name="unsubscribe"),
    path("api/", include("api.rest.urls")),
    path("rss/upcoming", rss_upcoming, name="rss"),
    path("health", health, name="health"),
    path("metrics", metrics, name="metrics"),
]
