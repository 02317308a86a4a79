"""What a title's own words say it is, in the stores' languages. Pure.

Measured on the recorded tables. Every rule would rather let a title through than hide a book that
somebody waits for: "Promises, Part 3" is a sequel for all we know, "(Part 3 of 3)" is not.
"""

import re
from collections.abc import Iterator, Sequence, Set
from decimal import Decimal

from catalog.normalise import fold_letters, sequence_position

_LONGEST = 500  # characters: some rules look twice, and no title says more
_DASHES = re.compile("[\u2010-\u2015\u2212~〜]")
_BRACKETED = re.compile(r"[(\[{【].*?[)\]}】]")

_NUMBER_WORDS = {
    word: number
    for number, spelt in enumerate(
        (
            "one i eins un une uno una um",
            "two ii zwei deux dos due dois zweiter",
            "three iii drei trois tres tre",
            "four iv vier quatre cuatro quattro quatro",
            "five v funf cinq cinco cinque",
            "six vi sechs seis sei",
            "seven vii sieben sept siete sette sete",
            "eight viii acht huit ocho otto oito",
            "nine ix neun neuf nueve nove",
            "ten x zehn dix diez dieci dez",
        ),
        start=1,
    )
    for word in spelt.split()
}
_N = rf"(?:\d{{1,3}}|{'|'.join(sorted(_NUMBER_WORDS, key=len, reverse=True))})"
_NO_VOLUME = r"(?!\W*(?:vol|volume|book|band|tome|tomo|libro|livre|buch)\b)"
_END = r"(?=\s*(?:$|[)\]\[(:;,.!/【-]))"

# "of" is what makes a part: of how many it is one.
_PART = r"(?:part|pt|parts|teil|partie|parte|deel|del|osa|czesc|cz|часть)"
_OF = r"(?:of|von|sur|de|di|van|av|af|z|su|из|/)"
_PART_OF_MANY = re.compile(
    rf"\b{_PART}\.?\s*({_N})\s*{_OF}\s*(?:an?\s+|the\s+|insgesamt\s+)?({_N})\b"
)
# Not "Book 1 of 3": that is a place in a series.
_ONE_OF_MANY = re.compile(r"(\d{1,2})\s*of\s*(\d{1,2})" + _END)
_WORD_BEFORE = re.compile(r"([^\W\d]+)[.,:#]?\s*\Z")
_SERIES = "series trilogy trilogie trilogia duology duet quartet saga cycle reihe serie zyklus"
_COUNTED = (
    "book books bk novel novella volume vol volumes band buch tome tomo libro livre livro story "
    "episode ep season chapter lesson level no top best day week part parts pt"
)
_COUNTS_VOLUMES = frozenset(f"{_SERIES} {_COUNTED}".split())
_COUNTS_PARTS = frozenset(_SERIES.split())  # "The Tides Trilogy, Part 1 of 3" is a volume too
_FRACTION = re.compile(
    r"[(\[]\s*(\d{1,2})\s*/\s*(\d{1,2})\s*[)\]]|\bn[o\u00ba\u00b0]?\s*(0\d)/(0\d)\b"
)
_PART_IN_BRACKETS = re.compile(rf"[(\[【]\s*{_PART}\.?\s*({_N}){_NO_VOLUME}\s*[)\]】:,]")
_PART_OF_VOLUME = re.compile(
    r"\b(?:book|volume|vol\.?|buch|band|tome|tomo|libro|livre|livro)\s*"
    rf"{_N}\s*[,:;.(-]?\s*(?:part|teil|partie|parte)\s*{_N}{_END}"
)
# Where volumes of a series are called tome, libro, tom or kniga, a part is a part.
_ROMANCE_PART = re.compile(rf"\b(?:partie|parte|czesc|cz\.?|часть)\s*({_N}|0\d){_NO_VOLUME}{_END}")
_NAMED_PART = re.compile(
    r"\b(?:primera|segunda|tercera|cuarta|prima|seconda|terza|quarta|primeira|terceira|premiere"
    r"|deuxieme|seconde|troisieme|quatrieme|[1-9](?:a|o|ra|da|re|er|e|eme|\.)) (?:parte|partie)"
    + _END
    + r"|\bparte (?:prima|seconda|terza"
    r"|primera|segunda|tercera|primeira|terceira)" + _END
)
_KANJI_PART = re.compile(
    "(?<![上中下前後・])(?:[上中下][巻卷冊册集部]"
    "|[前中後后][編篇编])(?=\\s*(?:$|[^\\w・]))"
    "|[(\\[【〈]\\s*[上中下前後]\\s*[)\\]】〉]"
    "|(?<=\\s)[上中下]$"
)

_VOLUMES = (
    r"(?:(?<!\w)(?:books?|bks?|vols?|volumes?|novels|buch|bucher|bande?|bd|tomes?|tomos?|libros?|libri"
    r"|livros?|livres?|teile?|folgen?|falle|episodes?|episoden|episodios?|episodi)\b\.?\s*#?|#)"
)
_TO = r"(?:\s*(?:-|,?\s*&|\+)\s*|,?\s+(?:to|through|thru|bis|a|al|ad|ate|and|und|et|y|e)\s+)"
_COUNT = rf"(?:\d{{1,3}}(?:\.\d)?|{_N})"
_VOLUME_RANGE = re.compile(
    rf"{_VOLUMES}\s*({_COUNT})(?:,\s*\d{{1,3}})*{_TO}(?:{_VOLUMES}|#)?\s*({_COUNT})(?![\w%])"
)
_KANJI_RANGE = re.compile("(\\d{1,3})\\s*[巻卷冊]?\\s*-\\s*(\\d{1,3})\\s*[巻卷冊]")
_SEQUENCE_RANGE = re.compile(
    r"(\d+(?:\.\d+)?)\s*(?:-|&|\b(?:to|and|bis|und|a|et|al|y|e|ate)\b)\s*(\d+(?:\.\d+)?)"
)
_SEQUENCE_LIST = re.compile(r"\d{1,3}(?:\s*,\s*\d{1,3})+")
_MANY = r"(?:\d{1,2}|two|three|four|five|six|seven|eight|nine|ten|twelve|zwei|drei|vier|funf|sechs)"
_WHOLE = (
    r"(?:series|serie|seriale|reihe|trilogy|trilogie|trilogia|duology|duologie|dilogie|bilogia|quartet|tetralogy"
    r"|tetralogie|saga|box ?set|omnibus|cycle|zyklus|cycle|ciclo|chronicles|chroniken|novels|season"
    r"|staffel|saison|temporada|stagione|collection|box|edition box|bundle)"
)
_COLLECTED = re.compile(
    r"\b(?:omnibus\b|box(?:ed)?[- ]?sets?\b|boxed$|publisher'?s pack\b|coffret\b|cofanetto\b|estuche\b"
    r"|(?:sammel|doppel)b(?:and|ande|ox)\b|sammel(?:edition|ausgabe)\b"
    r"|(?:gesamt|komplett)(?:ausgabe|edition|box|paket)\b"
    r"|(?:horbuch|horspiel|krimi|roman)[- ]?box\b|\d+er[- ]box\b|die (?:grosse )?box\b"
    rf"|{_MANY}[- ]in[- ](?:1|one|einem|uno)\b(?! (?:day|hour|week|month|year|minute))"
    rf"|{_MANY}[- ](?:full[- ]length |complete )?(?:book|novel|audiobook|volume)s?[- ](?:\w+[- ])?"
    r"(?:set|box|bundle|pack|collection|omnibus|boxset)\b"
    rf"|{_MANY} (?:romane|krimis|thriller|romans|romanzi|novelas|libros|novels|books) (?:in|en) (?:einem|einer|one|un|1)\b"
    r"|pack (?:trilogia\b|\d libros\b)"
    rf"|{_MANY} (?:manuscripts|complete (?:novels|novellas|books))\b"
    rf"|(?:complete|entire|komplette|gesamte) (?:[\w']+ ){{0,2}}{_WHOLE}\b(?! guide)"
    r"|(?:serie|saga|trilogia|bilogia|coleccion|collezione|collection|colecao|trilogie) complet[ae]\b"
    r"|complete works\b(?!.*\bvol)|obras? completas?\b|opere complete\b|tutte le opere\b"
    r"|oeuvres completes\b|samtliche werke\b)"
)
_COLLECTED_UNSPACED = re.compile("合本|合冊|全巻|巻セット|合集|套装|套裝")
# One book of many small things is one book.
_OF_SMALL_THINGS = re.compile(
    r"\b(?:complete|collected)\b.*\b(?:poems|poetry|poetical|stories|tales|speeches|sermons|letters|essays"
    r"|sonnets|plays|lectures)\b"
)
_BUNDLE = re.compile(r"\bbundle\b(?=\s*(?:$|[)\]:,.!-]))")
_BUNDLED = re.compile(
    r"\d|\b(?:books?|novels?|audio(?:book)?s?|series|value|mega|ultimate|bestseller|box|set|guides?"
    r"|beginners|trilogy|collection)\b"
)
_INTEGRALE = re.compile(
    r"(?<!version )(?<!edition )(?<!lecture )(?<!texte )\bintegrale\b(?! de l')"
)
_DIGIT = re.compile(r"\d")
_TRILOGY = re.compile(
    r"(?:\A(?:la |die |il |o |a )?trilogi[ae]\b.*|[^:]*\b(?:tri|duo|tetra)log(?:y|ie|ia)|.*三部作)\Z"
)

_DRAMATISED = re.compile(
    r"\b(?:dramati[sz](?:ed|ation|ations)\b|dramatic (?:adaptation|audio)\b|dramati[zs]ad[oa]\b"
    r"|drammatizzat[oa]\b|dramatise\b|(?:full|multi)[- ]?cast\b"
    r"|audio[- ]?(?:drama|play|theat(?:re|er)|movie|fiction)s?\b|graphic ?audio\b"
    r"|radio[- ]?(?:drama|play|theat(?:re|er)|sitcom)s?\b|bbc\b.*\bdramas?\b|movie in your mind\b"
    r"|(?:ficcion|fiction|audio ?ficcion|serie) sonora?e?\b|audio ?serie\b|audioficcion\b"
    r"|radio(?:novela|teatro|dramma|film)\b|radiodram|sceneggiato\b|piece radiophonique\b"
    r"|feuilleton (?:radiophonique|audio)\b|fiction (?:audio|radio)\b|hoorspel\b|horspel\b"
    r"|kuunnelma\b|sluchowisko\b|(?:радио|аудио)спектакль)"
)
_DRAMATISED_UNSPACED = re.compile(
    "(?:オーディオ|ラジオ|ボイス|音声)\\s?ドラマ|ドラマ\\s?cd|广播剧|廣播劇|有声剧|有聲劇"
)
_FULL_CAST = re.compile(
    r"\b(?:full|multi)[- ]?cast\b|\belenco completo\b|\breparto completo\b|\bdistribution complete\b"
)
_ABRIDGED_IN_BRACKETS = re.compile(
    r"[(\[][^)\]]*\b(?:abridged|gekurzte?[nr]?|abregee?|abreviad[oa]|ridott[oa]|verkort|forkortet)\b[^)\]]*[)\]]"
)
_ABRIDGED = re.compile(
    r"\b(?:an? |the )?abridged(?: (?:edition|version|audiobook|reading|selections?))?\s*(?:$|[:,-])"
    r"|\babridged (?:edition|version|audiobook)\b|\bgekurzte (?:lesung|fassung|ausgabe|version)\b"
    r"|\bversion (?:abregee|abreviada|condensada)\b|\bversione ridotta\b|\bedizione ridotta\b"
)


def plain(text: str) -> str:
    """A title as these rules read it: its beginning, folded letters, one kind of dash, brackets."""
    return " ".join(_DASHES.sub("-", fold_letters(text[:_LONGEST])).split())


def is_part(texts: Sequence[str], sequences: Sequence[str]) -> bool:
    """Whether it is one of several deliveries of one work.

    `texts`: plain title and subtitle; `sequences`: its places in series as sold. A bare "Part 2" at
    the end says nothing: half of those are sequels with a place of their own in the series, and
    so is a "[Part 3]" whose place is 3.
    """
    places = {sequence_position(sequence) for sequence in sequences} - {None}
    return any(_says_of_how_many(text) or _says_part(text, places) for text in texts)


def _says_of_how_many(text: str) -> bool:
    counted = [(a or c, b or d) for a, b, c, d in _FRACTION.findall(text)]
    counted += _counted(_PART_OF_MANY, text, _COUNTS_PARTS)
    counted += _counted(_ONE_OF_MANY, text, _COUNTS_VOLUMES)
    return any(_number(a) <= _number(b) and 1 < _number(b) <= 60 for a, b in counted)


def _counted(pattern: re.Pattern[str], text: str, of_series: Set[str]) -> Iterator[tuple[str, str]]:
    """Numbers with their totals, but those that a word before them makes places in a series."""
    for match in pattern.finditer(text):
        before = text[: match.start()]
        word = _WORD_BEFORE.search(before)
        is_place = before.endswith("#") or (word is not None and word[1] in of_series)
        if not is_place and not before[-1:].isdigit():
            yield match[1], match[2]


def _says_part(text: str, places: set[Decimal | None]) -> bool:
    if _PART_OF_VOLUME.search(text) or _NAMED_PART.search(text):
        return True
    if not text.isascii() and _KANJI_PART.search(text):
        return True
    stated = [*_PART_IN_BRACKETS.findall(text), *_ROMANCE_PART.findall(text)]
    return any(_number(number) not in places for number in stated)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NUMBER_WORDS.get(text, 0)


def is_omnibus(texts: Sequence[str], sequences: Sequence[str], language: str | None) -> bool:
    """Whether it holds several volumes: a range of places, a box, the whole of a series."""
    if any(map(_is_range, sequences)) or any(map(_names_many, texts)):
        return True
    if language != "italian" and any(map(_INTEGRALE.search, texts)):
        return True  # in Italian "integrale" is just unabridged
    return not sequences and _is_trilogy(texts)


def _is_trilogy(texts: Sequence[str]) -> bool:
    if not texts or ("log" not in texts[0] and "三部作" not in texts[0]):
        return False
    numbered = any(_DIGIT.search(text) for text in texts)
    return not numbered and _TRILOGY.match(_BRACKETED.sub("", texts[0]).strip()) is not None


def _is_range(sequence: str) -> bool:
    """Such as "1-3.5" or "1, 2, 3"; "1,5" is a decimal of some countries."""
    place = plain(sequence)
    if _SEQUENCE_LIST.fullmatch(place):
        first, second = (int(number) for number in place.split(",")[:2])
        return second == first + 1
    found = _SEQUENCE_RANGE.search(place)
    return found is not None and Decimal(found[1]) < Decimal(found[2])


def _names_many(text: str) -> bool:
    ranges = _VOLUME_RANGE.findall(text)
    if not text.isascii():
        if _COLLECTED_UNSPACED.search(text):
            return True
        ranges += _KANJI_RANGE.findall(text)
    if any(_rises(a, b) for a, b in ranges):
        return True
    if _COLLECTED.search(text):
        return _OF_SMALL_THINGS.search(text) is None
    return bool(_BUNDLE.search(text) and _BUNDLED.search(text))


def _rises(first: str, last: str) -> bool:
    values = [
        Decimal(text) if text[0].isdigit() else Decimal(_number(text)) for text in (first, last)
    ]
    return values[0] < values[1]


def is_dramatised(texts: Sequence[str]) -> bool:
    """Whether it is played rather than read."""
    return any(
        # "horspiel" is also the end of longer words
        "horspiel" in text
        or _DRAMATISED.search(text)
        or (not text.isascii() and _DRAMATISED_UNSPACED.search(text))
        for text in texts
    )


def names_full_cast(texts: Sequence[str]) -> bool:
    """Whether the title says that a full cast reads or plays it."""
    return any(map(_FULL_CAST.search, texts))


def is_abridged(texts: Sequence[str], format_type: str | None) -> bool:
    """Whether it is cut: by its format, by a note in brackets, or else by its words."""
    if format_type == "abridged" or any(map(_ABRIDGED_IN_BRACKETS.search, texts)):
        return True
    return format_type != "unabridged" and any(map(_ABRIDGED.search, texts))
