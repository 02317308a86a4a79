"""The eleven shops, each with its own catalogue, calendar and language."""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Marketplace:
    """One shop. `language` is the lower-case English word that its records use."""

    code: str
    host: str
    site: str
    id: str
    currency: str
    language: str
    zone: ZoneInfo

    def url_of(self, asin: str) -> str:
        """The page a person opens."""
        return f"https://www.{self.site}/pd/{asin}"


def _marketplace(
    code: str, site: str, identifier: str, currency: str, language: str, zone: str
) -> Marketplace:
    return Marketplace(code, f"api.{site}", site, identifier, currency, language, ZoneInfo(zone))


MARKETPLACES: dict[str, Marketplace] = {
    each.code: each
    for each in (
        _marketplace("us", "audible.com", "AF2M0KC94RCEA", "USD", "english", "America/Los_Angeles"),
        _marketplace("uk", "audible.co.uk", "A2I9A3Q2GNFNGQ", "GBP", "english", "Europe/London"),
        _marketplace("de", "audible.de", "AN7V1F1VY261K", "EUR", "german", "Europe/Berlin"),
        _marketplace("fr", "audible.fr", "A2728XDNODOQ8T", "EUR", "french", "Europe/Paris"),
        _marketplace("ca", "audible.ca", "A2CQZ5RBY40XE", "CAD", "english", "America/Toronto"),
        _marketplace("au", "audible.com.au", "AN7EY7DTAW63G", "AUD", "english", "Australia/Sydney"),
        _marketplace("it", "audible.it", "A2N7FU2W2BU2ZC", "EUR", "italian", "Europe/Rome"),
        _marketplace("es", "audible.es", "ALMIKO4SZCSAR", "EUR", "spanish", "Europe/Madrid"),
        _marketplace("in", "audible.in", "AJO3FBRUE6J4S", "INR", "english", "Asia/Kolkata"),
        _marketplace("jp", "audible.co.jp", "A1QAP3MOU4173J", "JPY", "japanese", "Asia/Tokyo"),
        _marketplace(
            "br", "audible.com.br", "A10J1VAYUDTYRN", "BRL", "portuguese", "America/Sao_Paulo"
        ),
    )
}
CHOICES: list[tuple[str, str]] = [(each.code, each.site) for each in MARKETPLACES.values()]


def store_date(code: str, now: dt.datetime) -> dt.date:
    """The day on the store's calendar."""
    return now.astimezone(MARKETPLACES[code].zone).date()


def store_noon(code: str, day: dt.date) -> dt.datetime:
    """The moment (UTC) at which the store's clock shows 12:00 on `day`."""
    noon = dt.datetime.combine(day, dt.time(12), tzinfo=MARKETPLACES[code].zone)
    return noon.astimezone(dt.UTC)


def store_noon_passed(code: str, day: dt.date, now: dt.datetime) -> bool:
    """Whether `day` is at least half over at the store."""
    return now >= store_noon(code, day)
