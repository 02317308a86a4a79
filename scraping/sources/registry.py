"""All sources by name. A new one is a module, a line here and a test."""

from scraping.sources.audible_api import AudibleApi
from scraping.sources.audible_html import AudibleHtml
from scraping.sources.base import Source

DEFAULT = "audible_api"
PAGES = "audible_html"  # stands in where the API has long been silent, and fills gaps
SOURCES: dict[str, Source] = {"audible_api": AudibleApi(), "audible_html": AudibleHtml()}
