"""How others ask: the paths, each with its door."""

from django.urls import include, path, register_converter

from api.feeds import views as feeds
from api.feeds.private import private
from api.feeds.shared import shared
from api.graphql.view import GraphQLView, schema_text
from api.health import health, live, ready
from api.metrics import metrics
from api.web.links import confirm, unsubscribe
from api.web.lists import shared_list
from api.web.sign_in import sign_in
from api.web.start import start

register_converter(feeds.FormatConverter, "format")

urlpatterns = [
    path("", start, name="start"),
    path("admin/login/", sign_in),  # before the admin's own
    path("confirm/<str:token>", confirm, name="confirm"),
    path("unsubscribe/<str:token>", unsubscribe, name="unsubscribe"),
    path("api/", include("api.rest.urls")),
    path("graphql", GraphQLView.as_view(), name="graphql"),
    path("graphql/schema", schema_text, name="graphql-schema"),
    path("feeds/upcoming.<format:extension>", feeds.upcoming, name="feed-upcoming"),
    path("feeds/authors/<int:pk>.<format:extension>", feeds.author, name="feed-author"),
    path("feeds/series/<int:pk>.<format:extension>", feeds.series, name="feed-series"),
    path("feeds/private/<str:token>.<format:extension>", private, name="feed-private"),
    path("feeds/lists/<str:token>.<format:extension>", shared, name="feed-shared-list"),
    path("lists/<str:token>", shared_list, name="shared-list-page"),
    path("health", health, name="health"),
    path("health/live", live, name="health-live"),
    path("health/ready", ready, name="health-ready"),
    path("metrics", metrics, name="metrics"),
]
