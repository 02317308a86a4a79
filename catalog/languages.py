"""Languages under one name each: the lower-case English word that the catalogue API uses."""

from catalog.normalise import clean, fold

_NAMES = {
    "english": "en englisch anglais ingles inglese 英語",
    "german": "de deutsch allemand aleman tedesco alemao ドイツ語",
    "french": "fr francais franzosisch frances francese フランス語",
    "spanish": "es espanol castellano castilian spanisch espagnol spagnolo espanhol スペイン語",
    "italian": "it italiano italienisch italien イタリア語",
    "japanese": "ja jp japanisch japonais japones giapponese 日本語",
    "portuguese": "pt portugues portugiesisch portugais portoghese ポルトガル語",
}
_WORDS = {fold(name): word for word, names in _NAMES.items() for name in (word, *names.split())}


def language(text: str) -> str | None:
    """The word for whatever a store says ("Deutsch", "en-US"); an unknown one as it is, lower-case."""
    cleaned = clean(text)
    folded = fold(cleaned)
    if not folded:
        return None
    return _WORDS.get(folded) or _WORDS.get(folded.split()[0]) or cleaned.lower()
