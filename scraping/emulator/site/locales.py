"""How each marketplace's pages say it: labels, days, lengths, languages."""

import datetime as dt
from dataclasses import dataclass

from catalog.marketplaces import MARKETPLACES


@dataclass(frozen=True, slots=True)
class Locale:
    """The words of one language. {} takes what they are about."""

    author: str
    narrator: str
    series: str
    book: str
    runtime: str
    hours: str
    hour_and_minutes: str
    minutes: str
    release_date: str
    language: str
    publisher: str
    categories: str
    unrated: str
    formats: tuple[str, str, str]  # unabridged, abridged, original_recording
    results: str
    no_results: str
    languages: str  # in the order of _LANGUAGES


_LANGUAGES = ("english", "german", "french", "italian", "spanish", "portuguese", "japanese")
_FORMATS = ("unabridged", "abridged", "original_recording")
_LOCALES = {
    "english": Locale(
        author="By: {}",
        narrator="Narrated by: {}",
        series="Series: {}",
        book="Book {}",
        runtime="Length: {}",
        hours="{} hrs",
        hour_and_minutes="{} hrs and {} mins",
        minutes="{} mins",
        release_date="Release date: {}",
        language="Language: {}",
        publisher="Publisher: {}",
        categories="Categories: {}",
        unrated="Not rated yet",
        formats=("Unabridged", "Abridged", "Original Recording"),
        results="{} - {} of {} results",
        no_results="No results",
        languages="English German French Italian Spanish Portuguese Japanese",
    ),
    "german": Locale(
        author="Von: {}",
        narrator="Gesprochen von: {}",
        series="Serie: {}",
        book="Titel {}",
        runtime="Spieldauer: {}",
        hours="{} Std.",
        hour_and_minutes="{} Std. und {} Min.",
        minutes="{} Min.",
        release_date="Erscheinungsdatum: {}",
        language="Sprache: {}",
        publisher="Anbieter: {}",
        categories="Kategorien: {}",
        unrated="Noch nicht bewertet",
        formats=("Ungekürzt", "Gekürzt", "Originalaufnahme"),
        results="{} - {} von {} Ergebnissen",
        no_results="Keine Ergebnisse",
        languages="Englisch Deutsch Französisch Italienisch Spanisch Portugiesisch Japanisch",
    ),
    "french": Locale(
        author="De : {}",
        narrator="Lu par : {}",
        series="Série : {}",
        book="Tome {}",
        runtime="Durée : {}",
        hours="{} h",
        hour_and_minutes="{} h et {} min",
        minutes="{} min",
        release_date="Date de publication : {}",
        language="Langue : {}",
        publisher="Éditeur : {}",
        categories="Catégories : {}",
        unrated="Pas de notations",
        formats=("Version intégrale", "Version abrégée", "Enregistrement original"),
        results="{} - {} sur {} résultats",
        no_results="Aucun résultat",
        languages="Anglais Allemand Français Italien Espagnol Portugais Japonais",
    ),
    "italian": Locale(
        author="Di: {}",
        narrator="Letto da: {}",
        series="Serie: {}",
        book="Libro {}",
        runtime="Durata: {}",
        hours="{} ore",
        hour_and_minutes="{} ore e {} min",
        minutes="{} min",
        release_date="Data di pubblicazione: {}",
        language="Lingua: {}",
        publisher="Editore: {}",
        categories="Categorie: {}",
        unrated="Non ancora valutato",
        formats=("Versione integrale", "Versione ridotta", "Registrazione originale"),
        results="{} - {} di {} risultati",
        no_results="Nessun risultato",
        languages="Inglese Tedesco Francese Italiano Spagnolo Portoghese Giapponese",
    ),
    "spanish": Locale(
        author="De: {}",
        narrator="Narrado por: {}",
        series="Serie: {}",
        book="libro {}",
        runtime="Duración: {}",
        hours="{} horas",
        hour_and_minutes="{} horas y {} mins",
        minutes="{} mins",
        release_date="Fecha de lanzamiento: {}",
        language="{}",  # without a label, there
        publisher="Editorial: {}",
        categories="Categorías: {}",
        unrated="sin calificaciones",
        formats=("Versión íntegra", "Versión resumida", "Grabación original"),
        results="{} - {} de {} resultados",
        no_results="No hay resultados",
        languages="Inglés Alemán Francés Italiano Español_(Castellano) Portugués Japonés",
    ),
    "portuguese": Locale(
        author="De: {}",
        narrator="Narrado por: {}",
        series="Série: {}",
        book="Livro {}",
        runtime="Duração: {}",
        hours="{} horas",
        hour_and_minutes="{} horas e {} minutos",
        minutes="{} minutos",
        release_date="Data de lançamento: {}",
        language="Idioma: {}",
        publisher="Editora: {}",
        categories="Categorias: {}",
        unrated="Ainda não avaliado",
        formats=("Versão integral", "Versão resumida", "Gravação original"),
        results="{} - {} de {} resultados",
        no_results="Nenhum resultado",
        languages="Inglês Alemão Francês Italiano Espanhol Português Japonês",
    ),
    "japanese": Locale(
        author="著者: {}",
        narrator="ナレーター: {}",
        series="シリーズ: {}",
        book="第{}巻",
        runtime="再生時間: {}",
        hours="{} 時間",
        hour_and_minutes="{} 時間 {} 分",
        minutes="{} 分",
        release_date="配信日: {}",
        language="言語: {}",
        publisher="制作: {}",
        categories="カテゴリー: {}",
        unrated="まだ評価がありません",
        formats=("完全版", "短縮版", "オリジナル"),
        results="{} - {} 件目 / 全 {} 件",
        no_results="該当する結果はありません",
        languages="英語 ドイツ語 フランス語 イタリア語 スペイン語 ポルトガル語 日本語",
    ),
}
_DAYS = {
    "us": "%m-%d-%y",
    "uk": "%d-%m-%y",
    "de": "%d.%m.%Y",
    "fr": "%d/%m/%Y",
    "ca": "%Y-%m-%d",
    "au": "%d-%m-%Y",
    "it": "%d/%m/%Y",
    "es": "%d-%m-%y",
    "in": "%d-%m-%y",
    "jp": "%Y/%m/%d",
    "br": "%d-%m-%Y",
}


def locale_of(marketplace: str) -> Locale:
    """The words of the marketplace's language."""
    return _LOCALES[MARKETPLACES[marketplace].language]


def say_day(marketplace: str, day: dt.date) -> str:
    """A date in the marketplace's order; years of two digits where it writes them so."""
    return day.strftime(_DAYS[marketplace])


def say_runtime(locale: Locale, minutes: int) -> str:
    """A length in words."""
    hours, rest = divmod(minutes, 60)
    if not hours:
        return locale.minutes.format(rest)
    return locale.hour_and_minutes.format(hours, rest) if rest else locale.hours.format(hours)


def say_language(locale: Locale, language: str) -> str:
    """A language's name; languages the pages have no word for keep their English one."""
    if language not in _LANGUAGES:
        return language.title()
    return locale.languages.split()[_LANGUAGES.index(language)].replace("_", " ")


def say_format(locale: Locale, format_type: str) -> str:
    """How much of the book is read."""
    return locale.formats[_FORMATS.index(format_type)] if format_type in _FORMATS else ""
