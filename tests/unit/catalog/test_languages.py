import pytest

from catalog.languages import language
from catalog.marketplaces import MARKETPLACES


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("english", "english"),
        ("English", "english"),
        ("en-US", "english"),
        ("en_GB", "english"),
        ("English (US)", "english"),
        ("castilian", "spanish"),
        ("Español (Castellano)", "spanish"),
        ("Spanish (Latin America)", "spanish"),
        ("Deutsch", "german"),
        ("de", "german"),
        ("Allemand", "german"),
        ("Français", "french"),
        ("Polonês", "polish"),
        ("Catalão", "catalan"),
        ("Kroatisch", "croatian"),
        ("Lituano", "lithuanian"),
        ("Französisch", "french"),
        ("Italiano", "italian"),
        ("日本語", "japanese"),
        ("英語", "english"),
        ("Português", "portuguese"),
        ("Portuguese (Brazil)", "portuguese"),
        ("Brazilian Portuguese", "portuguese"),
        ("pt-BR", "portuguese"),
        ("mandarin_chinese", "mandarin_chinese"),
        ("Chinese (Mandarin)", "mandarin_chinese"),
        ("zh-Hans", "mandarin_chinese"),
        ("中文", "mandarin_chinese"),
        ("Русский", "russian"),
        ("Català", "catalan"),
        ("हिन्दी", "hindi"),
        ("Swiss German", "swiss_german"),
        # as it is, in lower case
        ("Gujarati", "gujarati"),
        ("Klingon ", "klingon"),
        ("", None),
        (" \u200b…", None),
    ],
)
def test_each_language_has_one_name(text: str, word: str | None) -> None:
    assert language(text) == word


def test_marketplaces_speak_known_languages() -> None:
    spoken = {marketplace.language for marketplace in MARKETPLACES.values()}
    assert {language(word) for word in spoken} == spoken
